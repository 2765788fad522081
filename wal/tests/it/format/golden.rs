//! Files as version 1 of the format has them, kept for ever: two small logs, and a listing of every byte of them.
//!
//! The listing is made with the tables of the specification, so the tables must be right; what stands in the tables,
//! what is decoded, and what would be written today must agree with the files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use headwater_wal::format::codec;
use headwater_wal::format::footer::{Footer, IndexEntry};
use headwater_wal::format::frame::{Codec, FrameHeader};
use headwater_wal::format::group::GroupHeader;
use headwater_wal::format::header::{Header, HeaderFault, Previous};
use headwater_wal::format::seed::Life;
use headwater_wal::format::{Durability, Handle, Identity, Position, name};
use headwater_wal::{Kind, Time};

use super::sample::{Record, Sample, record, retire};

const SPECIFICATION: &str = include_str!("../../../src/format/mod.rs");
const IN_FLIGHT: u64 = 1 << 20;
const ZSTD_PAYLOAD: &str = "A stream can always start again. ";
const ZSTD_TIMES: usize = 12;

/// That payload, so many times, as zstd 1.5 compressed it at level 3.
const ZSTD_STORED: &[u8] = b"\x28\xb5\x2f\xfd\x60\x8c\x00\x55\x01\x00\x14\x02A stream can always start again. \x01\x00\x41\x23\xaa\x7a\x02";

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn header(base: u64, block_bytes: u32, identity: &[u8; 16]) -> Header {
    Header {
        identity: Identity(*identity),
        durability: Durability::Power,
        begins_epoch: false,
        clock_in_doubt: false,
        whole: false,
        token: *b"token of writer ",
        epoch: 1,
        base: Position(base),
        time: Time(1_767_225_600_000),
        acked: Position(base),
        previous: None,
        block_bytes,
        begins: Position(0),
        in_flight_bytes_max: IN_FLIGHT,
        lost: Vec::new(),
    }
}

fn following(before: &Sample) -> Header {
    let (range, footer) = before.footer.as_ref().expect("sealed");
    let previous =
        Previous { base: before.header.base, end: before.position(range.start), seal: footer.seal };
    let base = footer.next;
    let time = Time(before.header.time.0 + 60_000);
    Header {
        base,
        time,
        acked: base,
        previous: Some(previous),
        begins_epoch: false,
        clock_in_doubt: false,
        whole: false,
        ..before.header.clone()
    }
}

fn first(block_bytes: u32, identity: &[u8; 16]) -> Sample {
    let mut first =
        Sample::new(Header { begins_epoch: true, whole: true, ..header(0, block_bytes, identity) });
    first.seal(Some(IN_FLIGHT));
    first
}

fn compressed(time: u64) -> (Record, Codec, usize) {
    (Record { kind: 2, ..record(time, ZSTD_STORED) }, Codec::Zstd, ZSTD_TIMES * ZSTD_PAYLOAD.len())
}

/// A log on a medium whose files grow: an epoch's first segment, a sealed one, and an active one.
fn disk() -> Vec<Sample> {
    let first = first(512, b"headwater golden");
    let mut sealed = Sample::new(following(&first));
    sealed.group(&[record(1_000, "one"), record(900, ""), record(1_100, vec![0; 8])]);
    sealed.group(&[record(1_200, "two")]);
    sealed.seal(None);
    let mut active = Sample::new(following(&sealed));
    let acked = active.position(active.len());
    active.stored_group(vec![compressed(2_000), (record(2_001, "beside it"), Codec::Raw, 9)], acked);
    active.group(&[retire(IN_FLIGHT)]);
    active.group(&[]);
    active.zeros(1024);
    vec![first, sealed, active]
}

/// A log on a medium whose objects are put whole: each segment is sealed, and has one group.
fn objects() -> Vec<Sample> {
    let first = first(8, b"golden headwater");
    let mut object = Sample::new(Header { whole: true, ..following(&first) });
    object.group(&[record(3_000, "in an object"), record(3_100, "there is one group")]);
    object.seal(None);
    vec![first, object]
}

fn logs() -> [(&'static str, Vec<Sample>); 2] {
    [("disk", disk()), ("objects", objects())]
}

fn file_of(log: &str, sample: &Sample) -> PathBuf {
    dir().join(log).join(name::segment(sample.header.base))
}

#[test]
fn the_same_values_give_the_same_bytes_today() {
    for (log, samples) in logs() {
        for sample in samples {
            let file = file_of(log, &sample);
            assert!(fs::read(&file).expect("a golden file") == sample.bytes, "{}", file.display());
        }
    }
}

#[test]
fn what_golden_files_hold_is_found_in_them() {
    for (log, samples) in logs() {
        let files = fs::read_dir(dir().join(log)).expect("a golden folder").count();
        assert_eq!(files, samples.len(), "each file is looked at");
        for sample in samples {
            let bytes = fs::read(file_of(log, &sample)).expect("a golden file");
            assert_eq!(Header::decode(sample.header.base, &bytes), Ok(sample.header.clone()));
            let oracle = sample.oracle(&bytes);
            oracle.check_walk(&sample.walk(&bytes));
            oracle.check_outline(&sample.outline(&bytes));
            for group in &sample.groups {
                for frame in &group.frames {
                    let at = frame.range.start as usize + 32;
                    let stored = &bytes[at..at + frame.header.stored_len as usize];
                    assert!(frame.header.verifies(stored));
                    expands(&frame.header, stored);
                }
            }
        }
    }
}

fn expands(header: &FrameHeader, stored: &[u8]) {
    let raw = codec::expand(header, bytes::Bytes::copy_from_slice(stored), 1 << 20);
    match header.codec {
        Codec::Zstd if cfg!(feature = "zstd") => {
            assert_eq!(raw.expect("expands"), ZSTD_PAYLOAD.repeat(ZSTD_TIMES));
        }
        Codec::Zstd => assert_eq!(raw.expect_err("no zstd").kind(), Kind::Unsupported),
        _ => assert_eq!(raw.expect("as it is"), stored),
    }
}

#[test]
fn a_file_of_the_next_version_is_unsupported_and_not_damaged() {
    for (log, samples) in logs() {
        for sample in samples {
            let mut bytes = fs::read(file_of(log, &sample)).expect("a golden file");
            bytes[12] += 1;
            assert_eq!(Header::decode(sample.header.base, &bytes), Err(HeaderFault::Newer(2)), "{log}");
        }
    }
}

#[test]
fn the_listings_say_what_the_specification_says_of_each_byte() {
    let tables = Tables::read();
    for (log, samples) in logs() {
        let listing = fs::read_to_string(dir().join(format!("{log}.txt"))).expect("a listing");
        assert_eq!(listing, listing_of(&tables, log, &samples), "{log}");
    }
}

#[test]
#[ignore = "writes files that must never change; it is for a next version"]
fn write_golden_files() {
    let tables = Tables::read();
    for (log, samples) in logs() {
        fs::create_dir_all(dir().join(log)).expect("a folder");
        let write = |path: PathBuf, bytes: &[u8]| {
            assert!(!path.exists(), "{} stays as it is", path.display());
            fs::write(path, bytes).expect("written");
        };
        for sample in &samples {
            write(file_of(log, sample), &sample.bytes);
        }
        write(dir().join(format!("{log}.txt")), listing_of(&tables, log, &samples).as_bytes());
    }
}

#[test]
fn a_handle_has_the_bytes_that_its_documentation_says() {
    let handle: Handle =
        "hw1:8899aabbccddeeff:7:81985529216486895:4096:305419896:deadbeef".parse().expect("a handle");
    let bytes = [
        0xFF, 0xEE, 0xDD, 0xCC, 0xBB, 0xAA, 0x99, 0x88, // identity
        7, 0, 0, 0, 0, 0, 0, 0, // epoch
        0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01, // position
        0, 0x10, 0, 0, 0, 0, 0, 0, // base
        0x78, 0x56, 0x34, 0x12, // stored length
        0xEF, 0xBE, 0xAD, 0xDE, // checksum
    ];
    assert_eq!(handle.to_bytes(), bytes);
}

#[test]
fn the_specification_gives_every_field_its_place() {
    let tables = Tables::read();
    let (life, at) = (Life { identity: 0x0807_0605_0403_0201, epoch: 21 }, Position(1 << 40));
    let header = Header {
        identity: Identity([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        durability: Durability::Process,
        begins_epoch: true,
        clock_in_doubt: false,
        whole: true,
        token: *b"0123456789ABCDEF",
        epoch: 21,
        base: at,
        time: Time(22),
        acked: Position(23),
        previous: Some(Previous { base: Position(24), end: Position(25), seal: 26 }),
        block_bytes: 32,
        begins: Position(27),
        in_flight_bytes_max: 28,
        lost: vec![Position(29)..Position(30), Position(31)..Position(33)],
    };
    let bytes = header.encode();
    let mut lost = [29_u64, 30, 31, 33].map(u64::to_le_bytes).concat();
    lost.resize(384, 0);
    tables.check(
        "Segment header",
        &bytes,
        512,
        &[
            ("magic", &[0x89, 0x48, 0x57, 0x53, 0x45, 0x47, 0x0D, 0x0A]),
            ("check", &life.check(at, &bytes[12..]).to_le_bytes()),
            ("version", &[1, 0]),
            ("durability", &[1]),
            ("flags", &[3]),
            ("identity", &header.identity.0),
            ("token", &header.token),
            ("epoch", &word(21)),
            ("base", &word(at.0)),
            ("time", &word(22)),
            ("acked", &word(23)),
            ("previous base", &word(24)),
            ("previous end", &word(25)),
            ("previous seal", &[26, 0, 0, 0]),
            ("block", &[32, 0, 0, 0]),
            ("begins", &word(27)),
            ("in flight", &word(28)),
            ("lost count", &[2, 0, 0, 0]),
            ("reserved", &[0; 4]),
            ("lost", &lost),
        ],
    );
    let group = GroupHeader {
        group_bytes: 512,
        count: 2,
        frames_bytes: 80,
        least: Time(41),
        greatest: Time(42),
        acked: Position(43),
    };
    let bytes = group.encode(life, at);
    tables.check(
        "Group header",
        &bytes,
        48,
        &[
            ("magic", b"HGRP"),
            ("check", &life.check(at, &bytes[8..]).to_le_bytes()),
            ("group bytes", &[0, 2, 0, 0]),
            ("count", &[2, 0, 0, 0]),
            ("least", &word(41)),
            ("greatest", &word(42)),
            ("acked", &word(43)),
            ("frames bytes", &[80, 0, 0, 0]),
            ("reserved", &[0; 4]),
        ],
    );
    let frame = FrameHeader {
        codec: Codec::Zstd,
        own: true,
        kind: 51,
        stored_len: 52,
        raw_len: 53,
        payload_check: 54,
        index: 55,
        time: Time(56),
    };
    let bytes = frame.encode(life, at);
    tables.check(
        "Frame",
        &bytes,
        32,
        &[
            ("check", &life.check(at, &bytes[4..]).to_le_bytes()),
            ("mark", &[0xF7]),
            ("codec", &[0x81]),
            ("kind", &[51]),
            ("reserved", &[0]),
            ("stored", &[52, 0, 0, 0]),
            ("raw", &[53, 0, 0, 0]),
            ("payload check", &[54, 0, 0, 0]),
            ("index", &[55, 0, 0, 0]),
            ("time", &word(56)),
        ],
    );
    let footer = Footer {
        next: Position((1 << 40) + 1000),
        seal: 61,
        records: 62,
        groups: 63,
        least: Time(64),
        greatest: Time(65),
        sealed_at: Time(66),
        acked: Position(67),
        begins: Position(68),
        payload_bytes: 69,
        index_count: 1,
    };
    let entry = IndexEntry { position: Position(71), least: Time(72), greatest: Time(73) };
    let bytes = footer.encode(life, at, &[entry]);
    tables.check(
        "Footer",
        &bytes[..96],
        96,
        &[
            ("magic", b"HFTR"),
            ("check", &life.check(at, &bytes[8..96]).to_le_bytes()),
            ("index count", &[1, 0, 0, 0]),
            ("seal", &[61, 0, 0, 0]),
            ("next", &word((1 << 40) + 1000)),
            ("records", &word(62)),
            ("groups", &word(63)),
            ("least", &word(64)),
            ("greatest", &word(65)),
            ("sealed at", &word(66)),
            ("acked", &word(67)),
            ("begins", &word(68)),
            ("payload bytes", &word(69)),
            ("index check", &life.check(at, &bytes[96..120]).to_le_bytes()),
            ("reserved", &[0; 4]),
        ],
    );
    tables.check(
        "index entry",
        &bytes[96..120],
        24,
        &[("position", &word(71)), ("least", &word(72)), ("greatest", &word(73))],
    );
    tables.check(
        "trailer",
        &bytes[120..],
        16,
        &[
            ("footer bytes", &word(136)),
            ("check", &life.check(at.plus(120), &bytes[120..128]).to_le_bytes()),
            ("magic", b"HEND"),
        ],
    );
}

fn word(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

/// A field, by the specification: its offset, its length and its name.
struct Field {
    at: usize,
    len: usize,
    name: String,
}

/// The tables of the specification, by what they are tables of.
struct Tables(Vec<(&'static str, Vec<Field>)>);

const TABLES: [&str; 6] = ["Segment header", "Group header", "Frame", "Footer", "index entry", "trailer"];

impl Tables {
    fn read() -> Self {
        let mut tables: Vec<Vec<Field>> = Vec::new();
        let lines = SPECIFICATION.lines().filter_map(|line| line.strip_prefix("//! | "));
        for cells in lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()) {
            match cells[..] {
                ["offset", ..] => tables.push(Vec::new()),
                [at, len, name, ..] => {
                    let field = Field {
                        at: at.parse().expect("an offset"),
                        len: len.parse().expect("a length"),
                        name: name.to_string(),
                    };
                    tables.last_mut().expect("a table has a head").push(field);
                }
                _ => panic!("not a row: {cells:?}"),
            }
        }
        assert_eq!(tables.len(), TABLES.len());
        Tables(TABLES.into_iter().zip(tables).collect())
    }

    fn of(&self, what: &str) -> &[Field] {
        &self.0.iter().find(|(name, _)| *name == what).expect("a table").1
    }

    /// The fields lie one behind the other, take all of `len`, and hold these values.
    fn check(&self, what: &str, bytes: &[u8], len: usize, values: &[(&str, &[u8])]) {
        let fields = self.of(what);
        let mut end = 0;
        for field in fields {
            assert_eq!(field.at, end, "{what}: {}", field.name);
            end += field.len;
        }
        assert_eq!((end, bytes.len()), (len, len), "{what}");
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, values.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{what}");
        for (field, (name, value)) in fields.iter().zip(values) {
            assert_eq!(&bytes[field.at..field.at + field.len], *value, "{what}: {name}");
        }
    }

    fn value(&self, what: &str, name: &str, bytes: &[u8]) -> usize {
        let field = self.of(what).iter().find(|field| field.name == name).expect("a field");
        number(&bytes[field.at..field.at + field.len]) as usize
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn listing_of(tables: &Tables, log: &str, samples: &[Sample]) -> String {
    let mut text = String::new();
    for sample in samples {
        let name = name::segment(sample.header.base);
        let _ = writeln!(text, "{log}/{name}: {} bytes\n", sample.bytes.len());
        let mut listing = Listing { tables, bytes: &sample.bytes, at: 0, text: &mut text };
        listing.segment();
        text.push('\n');
    }
    text
}

/// Reads a segment front to back with nothing but the tables.
struct Listing<'a> {
    tables: &'a Tables,
    bytes: &'a [u8],
    at: usize,
    text: &'a mut String,
}

impl Listing<'_> {
    fn segment(&mut self) {
        let block = self.tables.value("Segment header", "block", self.bytes);
        self.table("Segment header");
        self.zeros(512_usize.next_multiple_of(block));
        while self.at < self.bytes.len() {
            match &self.bytes[self.at..self.at + 4] {
                b"HGRP" => self.group(),
                b"HFTR" => self.footer(),
                _ => self.zeros(self.bytes.len()),
            }
        }
    }

    fn group(&mut self) {
        let from = self.at;
        let head = &self.bytes[from..];
        let count = self.tables.value("Group header", "count", head);
        let end = from + self.tables.value("Group header", "group bytes", head);
        self.table("Group header");
        for _ in 0..count {
            let stored = self.tables.value("Frame", "stored", &self.bytes[self.at..]);
            self.table("Frame");
            let to = self.at + stored;
            for from in (self.at..to).step_by(16) {
                self.line("payload", 16.min(to - from), true);
            }
            self.zeros(self.at.next_multiple_of(8));
        }
        self.zeros(end);
    }

    fn footer(&mut self) {
        let entries = self.tables.value("Footer", "index count", &self.bytes[self.at..]);
        self.table("Footer");
        (0..entries).for_each(|_| self.table("index entry"));
        self.table("trailer");
    }

    fn table(&mut self, what: &str) {
        let _ = writeln!(self.text, "{:>6}  {}", self.at, what.to_lowercase());
        let from = self.at;
        for field in self.tables.of(what) {
            assert_eq!(self.at, from + field.at);
            if field.len > 16 {
                self.zeros(self.at + field.len);
            } else {
                self.line(&field.name, field.len, matches!(&field.name[..], "magic" | "identity" | "token"));
            }
        }
    }

    fn line(&mut self, name: &str, len: usize, is_text: bool) {
        let bytes = &self.bytes[self.at..self.at + len];
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let value = if is_text {
            let shown =
                |&byte: &u8| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
            format!("\"{}\"", bytes.iter().map(shown).collect::<String>())
        } else {
            number(bytes).to_string()
        };
        let _ = writeln!(self.text, "{:>6}    {hex:<32}  {name}: {value}", self.at);
        self.at += len;
    }

    fn zeros(&mut self, to: usize) {
        let zeros = &self.bytes[self.at..to];
        assert!(zeros.iter().all(|&byte| byte == 0), "zeros from {} to {to}", self.at);
        if !zeros.is_empty() {
            let _ = writeln!(self.text, "{:>6}    {} zeros", self.at, zeros.len());
        }
        self.at = to;
    }
}
