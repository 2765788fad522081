//! A checkpoint's head: preamble, table, and the sections that lie inside.

use bytes::Bytes;
use headwater_wal::format::codec;
use headwater_wal::{Error, Kind, Position, Result, Time};

use super::fields::{PROLOGUE_BYTES, Put, Take, Wrong, codec_code, codec_of, prologue, verified};
use super::name::{self, Origin};
use super::{INSIDE_BYTES_MAX, PART_BYTES_MAX, TABLE_BYTES_MAX, VERSION};
use crate::Id;
use crate::checkpoint::{Checkpoint, Content, Lies, Part, Section};
use crate::sections::Sections;

pub(crate) const PREAMBLE_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"\x89HWCKP\r\n";
const INSIDE: u8 = 0;
const IN_PARTS: u8 = 1;

/// What the first bytes of a head say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preamble {
    identity: u64,
    time: Time,
    pub(crate) object_bytes: u64,
    pub(crate) table_bytes: u32,
    table_check: u32,
}

impl Preamble {
    pub(crate) fn decode(id: Id, bytes: &[u8]) -> Result<Preamble> {
        let name = name::head(id);
        let at = |kind: Kind, what: &str, offset: u64| Error::new(kind, what).at(name.as_str(), offset);
        let damaged = |what: &str, offset: u64| at(Kind::Damaged, what, offset);
        let Some(bytes) = bytes.get(..PREAMBLE_BYTES) else {
            return Err(damaged("shorter than a checkpoint's head", 0)); // K1
        };
        let zeros = verified(&MAGIC, &name, bytes).map_err(|wrong| match wrong {
            Wrong::Magic => damaged("no checkpoint", 0), // K2
            Wrong::Newer(version) => {
                let what =
                    format!("a checkpoint of format version {version}, this release reads up to {VERSION}");
                at(Kind::Unsupported, &what, 8) // K3
            }
            Wrong::Check => damaged("the head does not verify under this name", 8), // K5
        })?;
        let mut fields = Take(&bytes[PROLOGUE_BYTES..]);
        let mut read = || -> Option<_> {
            let identity = fields.u64()?;
            let id = Id { epoch: fields.u64()?, number: fields.u64()? };
            let (time, object_bytes) = (Time(fields.u64()?), fields.u64()?);
            let (table_bytes, table_check) = (fields.u32()?, fields.u32()?);
            Some((id, Preamble { identity, time, object_bytes, table_bytes, table_check }))
        };
        let (stated, preamble) = read().expect("a preamble has all its fields");
        if zeros != [0, 0] || stated != id {
            return Err(damaged("a head that has the name of another", 24)); // K4, K6
        }
        let inside =
            (PREAMBLE_BYTES as u64 + u64::from(preamble.table_bytes)).checked_add(INSIDE_BYTES_MAX.into());
        if preamble.table_bytes > TABLE_BYTES_MAX || Some(preamble.object_bytes) > inside {
            return Err(damaged("a head that is longer than any that is written", 48)); // K7, K11
        }
        Ok(preamble)
    }

    /// Where the table ends and the first section inside begins.
    pub(crate) fn inside_at(&self) -> u64 {
        PREAMBLE_BYTES as u64 + u64::from(self.table_bytes)
    }
}

/// The object, and the length of its table: of a checkpoint whose `head_bytes` is not yet known, and the stored bytes of
/// the sections inside.
pub(crate) fn encode(checkpoint: &Checkpoint, inside: &[Bytes]) -> Result<Bytes> {
    let mut table = Put::default();
    table.text(&checkpoint.content.kind).u64(checkpoint.content.version);
    table.u16(checkpoint.positions.len() as u16);
    for (log, position) in &checkpoint.positions {
        table.text(log).u64(position.0);
    }
    table.u16(checkpoint.chain.len() as u16);
    for id in &checkpoint.chain {
        table.u64(id.epoch).u64(id.number);
    }
    table.u32(checkpoint.sections.len() as u32);
    for section in checkpoint.sections.iter() {
        table.text(&section.name);
        match section.revision {
            Some(revision) => table.u8(1).u64(revision),
            None => table.u8(0),
        };
        table.u64(section.bytes);
        match &section.lies {
            Lies::Inside { codec, stored, stored_check, check } => {
                table.u8(INSIDE).u8(codec_code(*codec)).u32(*stored).u32(*stored_check).u32(*check);
            }
            Lies::InParts { of, parts } => {
                table.u8(IN_PARTS).u64(of.id.epoch).u64(of.id.number).u32(of.section).u32(parts.len() as u32);
                for part in parts {
                    table.u32(part.bytes).u32(part.stored).u32(part.check);
                }
            }
        }
    }
    if table.0.len() > TABLE_BYTES_MAX as usize {
        let message = format!(
            "the checkpoint has more sections and parts than one head can name; write fewer and larger ones: table_bytes={} \
             most={TABLE_BYTES_MAX}",
            table.0.len()
        );
        return Err(Error::new(Kind::Invalid, message));
    }
    let inside_bytes: usize = inside.iter().map(Bytes::len).sum();
    assert!(inside_bytes <= INSIDE_BYTES_MAX as usize, "what does not fit goes into parts");
    let object_bytes = PREAMBLE_BYTES + table.0.len() + inside_bytes;
    let mut fields = Put::default();
    fields.u64(checkpoint.identity).u64(checkpoint.id.epoch).u64(checkpoint.id.number).u64(checkpoint.time.0);
    fields.u64(object_bytes as u64).u32(table.0.len() as u32).u32(crc32c::crc32c(&table.0));
    let mut whole = prologue(&MAGIC, [0, 0], &name::head(checkpoint.id), &fields.0);
    whole.reserve_exact(object_bytes - PREAMBLE_BYTES);
    whole.extend_from_slice(&table.0);
    inside.iter().for_each(|bytes| whole.extend_from_slice(bytes));
    Ok(whole.into())
}

/// What the table says, of a head whose preamble has verified.
pub(crate) fn decode_table(id: Id, preamble: &Preamble, table: &[u8]) -> Result<Checkpoint> {
    let damaged =
        |what: &str| Error::new(Kind::Damaged, what).at(name::head(id).as_str(), PREAMBLE_BYTES as u64);
    if table.len() != preamble.table_bytes as usize || crc32c::crc32c(table) != preamble.table_check {
        return Err(damaged("the table of the head does not verify")); // K8
    }
    let checkpoint =
        read_table(id, preamble, table).ok_or_else(|| damaged("the table of the head says nothing"))?; // K9
    let below = |chain: &[Id]| chain.first().is_none_or(|first| *first < id);
    if !below(&checkpoint.chain) || !checkpoint.chain.is_sorted_by(|newer, older| newer > older) {
        return Err(damaged("a head that follows one that is newer")); // K10
    }
    if preamble.object_bytes != preamble.inside_at() + checkpoint.sections.inside_bytes() {
        return Err(damaged("the head is not as long as its sections are")); // K11
    }
    Ok(checkpoint)
}

fn read_table(id: Id, preamble: &Preamble, table: &[u8]) -> Option<Checkpoint> {
    let mut take = Take(table);
    let content = Content { kind: take.text()?, version: take.u64()? };
    let mut positions: Vec<(String, Position)> = Vec::new();
    for _ in 0..take.u16()? {
        positions.push((take.text()?, Position(take.u64()?)));
    }
    let mut chain = Vec::new();
    for _ in 0..take.u16()? {
        chain.push(Id { epoch: take.u64()?, number: take.u64()? });
    }
    let mut sections = Vec::new();
    for _ in 0..take.u32()? {
        sections.push(read_section(&mut take)?);
    }
    let sections = Sections::new(sections)?;
    let ascend = positions.is_sorted_by(|(a, _), (b, _)| a < b);
    let (identity, time) = (preamble.identity, preamble.time);
    let head_bytes = preamble.object_bytes;
    (take.0.is_empty() && ascend).then_some(Checkpoint {
        id,
        identity,
        time,
        content,
        positions,
        chain,
        sections,
        head_bytes,
    })
}

fn read_section(take: &mut Take<'_>) -> Option<Section> {
    let name = take.text()?;
    let revision = match take.u8()? {
        0 => None,
        1 => Some(take.u64()?),
        _ => return None,
    };
    let bytes = take.u64()?;
    let lies = match take.u8()? {
        INSIDE => {
            let (codec, stored) = (codec_of(take.u8()?), take.u32()?);
            if bytes > INSIDE_BYTES_MAX.into() {
                return None;
            }
            Lies::Inside { codec, stored, stored_check: take.u32()?, check: take.u32()? }
        }
        IN_PARTS => {
            let id = Id { epoch: take.u64()?, number: take.u64()? };
            let of = Origin { id, section: take.u32()? };
            let (mut parts, mut sum) = (Vec::new(), 0);
            for _ in 0..take.u32()? {
                let part = Part { bytes: take.u32()?, stored: take.u32()?, check: take.u32()? };
                if part.bytes == 0 || part.bytes.max(part.stored) > PART_BYTES_MAX {
                    return None;
                }
                sum += u64::from(part.bytes);
                parts.push(part);
            }
            if sum != bytes || parts.is_empty() {
                return None;
            }
            Lies::InParts { of, parts }
        }
        _ => return None,
    };
    Some(Section { name, revision, bytes, lies })
}

/// The bytes of a section, given those that lie in the head for it.
pub(crate) fn inside(checkpoint: &Checkpoint, section: &Section, stored_bytes: Bytes) -> Result<Bytes> {
    let Lies::Inside { codec, stored, stored_check, check } = section.lies else {
        unreachable!("it was asked where it lies");
    };
    let at = checkpoint.sections.inside_at(section, checkpoint.head_bytes).start;
    let error = |kind, what: &str| {
        let message = format!("{what}: section={:?}", section.name);
        Error::new(kind, message).at(name::head(checkpoint.id).as_str(), at)
    };
    if stored_bytes.len() != stored as usize || crc32c::crc32c(&stored_bytes) != stored_check {
        return Err(error(Kind::Damaged, "a section in the head does not verify")); // K12
    }
    let raw = codec::expand_as(codec, stored_bytes, section.bytes as usize)
        .map_err(|failed| error(failed.kind(), "a section in the head does not expand").because(failed))?; // K13
    match crc32c::crc32c(&raw) == check {
        true => Ok(raw),
        false => Err(error(Kind::Damaged, "a section in the head expands to other bytes than were written")), // K14
    }
}
