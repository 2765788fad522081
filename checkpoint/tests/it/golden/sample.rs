//! What the golden folder holds.

use headwater_checkpoint::Id;

use super::lay::{Lay, crc};
use crate::fixture::IDENTITY;

const HEAD: &[u8; 8] = b"\x89HWCKP\r\n";
const PART: &[u8; 8] = b"\x89HWPRT\r\n";
const CLAIM: &[u8; 8] = b"\x89HWEPC\r\n";
pub(crate) const TIME: u64 = 1_767_225_600_000;
pub(crate) const TOKEN: &[u8; 16] = b"token of writer ";
pub(crate) const OLD: Id = Id { epoch: 2, number: 9 };
pub(crate) const NEXT: Id = Id { epoch: 3, number: 6 };
pub(crate) const NEWEST: Id = Id { epoch: 3, number: 7 };
pub(crate) const SHARED: &[u8] = b"kept by everyone";
pub(crate) const LONG: &[u8] = b"in two parts, of which the second one is short";
pub(crate) const PART_BYTES: usize = 32;
const ZSTD_RAW: &[u8] = b"A stream can always start again. ";
const ZSTD_TIMES: usize = 12;

/// That text, so many times, as zstd 1.5 compressed it at level 3.
const ZSTD_STORED: &[u8] = b"\x28\xb5\x2f\xfd\x60\x8c\x00\x55\x01\x00\x14\x02A stream can always start again. \x01\x00\x41\x23\xaa\x7a\x02";

fn repeated() -> Vec<u8> {
    ZSTD_RAW.repeat(ZSTD_TIMES)
}

fn claim(epoch: u64) -> Lay {
    let mut lay = Lay::new(format!("{epoch:020}.epoch"), CLAIM);
    lay.u16("version", 1).u16("zero", 0).u32("checksum", 0).u64("identity", IDENTITY).put("token", TOKEN);
    lay.seal(40);
    lay
}

/// What a section of a head is made of: name, revision, length, and where it lies.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    revision: Option<u64>,
    pub(crate) raw: Vec<u8>,
    lies: Lies,
}

pub(crate) enum Lies {
    Inside { codec: u8, stored: Vec<u8> },
    InParts { of: Id, ordinal: u32, parts: Vec<Lay> },
}

/// A part; of `raw`, stored as `stored`.
fn part(of: Id, section: u32, ordinal: u32, codec: u8, raw: &[u8], stored: &[u8]) -> Lay {
    let name = format!("parts/{:020}-{:020}-{section:010}-{ordinal:010}.part", of.epoch, of.number);
    let mut lay = Lay::new(name, PART);
    lay.u16("version", 1).put("codec", [codec]).put("zero", [0]).u32("checksum", 0).u64("identity", IDENTITY);
    lay.u64("epoch", of.epoch).u64("number", of.number).u32("section", section).u32("part", ordinal);
    lay.u32("length", raw.len() as u32).u32("stored length", stored.len() as u32);
    lay.u32("checksum of the stored bytes", crc(stored)).u32("checksum of the bytes", crc(raw));
    lay.put("the bytes as stored", stored);
    lay.seal(64);
    lay
}

fn head(id: Id, position: u64, chain: &[Id], sections: &[Section]) -> Lay {
    let mut table = Lay::new(String::new(), HEAD);
    table.text("content's type", "golden").u64("content's version", 5);
    table.u16("positions", 2).text("log", "journal").u64("position", position);
    table.text("log", "received/a").u64("position", 77);
    table.u16("chain", chain.len() as u16);
    for id in chain {
        table.u64("epoch of a kept head", id.epoch).u64("number of a kept head", id.number);
    }
    table.u32("sections", sections.len() as u32);
    for Section { name, revision, raw, lies } in sections {
        table.text("section", name).put("has a revision", [u8::from(revision.is_some())]);
        if let Some(revision) = revision {
            table.u64("revision", *revision);
        }
        table.u64("length", raw.len() as u64);
        match lies {
            Lies::Inside { codec, stored } => {
                table.put("inside", [0]).put("codec", [*codec]).u32("stored length", stored.len() as u32);
                table
                    .u32("checksum of the stored bytes", crc(stored))
                    .u32("checksum of the section", crc(raw));
            }
            Lies::InParts { of, ordinal, parts } => {
                table.put("in parts", [1]).u64("epoch of the writer", of.epoch).u64("its number", of.number);
                table.u32("section's ordinal there", *ordinal).u32("parts", parts.len() as u32);
                for part in parts {
                    let bytes = part.bytes();
                    for (what, at) in [("length", 48), ("stored length", 52), ("checksum as stored", 56)] {
                        table.put(what, &bytes[at..at + 4]);
                    }
                }
            }
        }
    }
    let body = table.bytes()[8..].to_vec();
    let inside = sections.iter().map(|section| match &section.lies {
        Lies::Inside { stored, .. } => &stored[..],
        Lies::InParts { .. } => &[],
    });
    let inside: Vec<&[u8]> = inside.collect();
    let len = 64 + body.len() + inside.concat().len();
    let mut lay = Lay::new(format!("{:020}-{:020}.ckpt", id.epoch, id.number), HEAD);
    lay.u16("version", 1).u16("zero", 0).u32("checksum", 0).u64("identity", IDENTITY);
    lay.u64("epoch", id.epoch)
        .u64("number", id.number)
        .u64("time", TIME)
        .u64("length of the object", len as u64);
    lay.u32("length of the table", body.len() as u32).u32("checksum of the table", crc(&body));
    lay.append(table);
    for bytes in inside.iter().filter(|bytes| !bytes.is_empty()) {
        lay.put("a section inside", bytes);
    }
    lay.seal(64);
    lay
}

fn inside(name: &'static str, revision: Option<u64>, raw: &[u8]) -> Section {
    Section { name, revision, raw: raw.to_vec(), lies: Lies::Inside { codec: 0, stored: raw.to_vec() } }
}

fn shared() -> Section {
    let parts = vec![part(OLD, 0, 0, 0, SHARED, SHARED)];
    Section {
        name: "shared",
        revision: None,
        raw: SHARED.to_vec(),
        lies: Lies::InParts { of: OLD, ordinal: 0, parts },
    }
}

pub(crate) fn newest() -> Vec<Section> {
    let cut = LONG.chunks(PART_BYTES).zip(0..);
    let parts = cut.map(|(bytes, ordinal)| part(NEWEST, 3, ordinal, 0, bytes, bytes)).collect();
    let lies = Lies::InParts { of: NEWEST, ordinal: 3, parts };
    vec![
        inside("small", Some(0x1122), b"in the head"),
        shared(),
        inside("empty", None, b""),
        Section { name: "long", revision: None, raw: LONG.to_vec(), lies },
    ]
}

/// A head of a later epoch with what zstd has compressed, inside and in a part: what it compresses to may change with its
/// releases, so this is only read.
pub(crate) const COMPRESSED: Id = Id { epoch: 4, number: 0 };

pub(crate) fn compressed() -> Vec<Section> {
    let raw = repeated();
    let stored = ZSTD_STORED.to_vec();
    let parts = vec![part(COMPRESSED, 1, 0, 1, &raw, &stored)];
    let lies = Lies::InParts { of: COMPRESSED, ordinal: 1, parts };
    vec![
        Section { name: "inside", revision: None, raw: raw.clone(), lies: Lies::Inside { codec: 1, stored } },
        Section { name: "part", revision: None, raw, lies },
        shared(),
    ]
}

/// Everything, in the order of names.
pub(crate) fn folder() -> Vec<Lay> {
    let checkpoints = [
        (OLD, 1, vec![], vec![shared()]),
        (NEXT, 2, vec![OLD], vec![shared()]),
        (NEWEST, 4096, vec![NEXT, OLD], newest()),
        (COMPRESSED, 5000, vec![NEWEST, NEXT], compressed()),
    ];
    let mut lays = vec![claim(3), claim(4)];
    for (id, position, chain, sections) in checkpoints {
        lays.push(head(id, position, &chain, &sections));
        for section in sections {
            if let Lies::InParts { parts, .. } = section.lies {
                lays.extend(parts);
            }
        }
    }
    lays.sort_by(|a, b| a.name.cmp(&b.name));
    lays.dedup_by(|a, b| a.name == b.name);
    lays
}
