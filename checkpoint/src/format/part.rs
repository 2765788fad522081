//! A part of a section: a header, and up to so many bytes of the section, compressed if that pays.

use bytes::Bytes;
use headwater_wal::format::codec;
use headwater_wal::format::frame::Codec;
use headwater_wal::{Compression, Error, Kind, Result};

use super::fields::{PROLOGUE_BYTES, Put, Take, Wrong, codec_code, codec_of, prologue, verified};
use super::name::{self, Origin};
use super::{PART_BYTES_MAX, VERSION};
use crate::Id;
use crate::checkpoint::Part;

pub(crate) const PART_HEADER_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"\x89HWPRT\r\n";

/// What a part says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartHeader {
    pub(crate) identity: u64,
    pub(crate) of: Origin,
    pub(crate) ordinal: u32,
}

/// The whole object, of a part's bytes that stand behind room for the header; and what a head says of it.
pub(crate) fn seal(header: PartHeader, mut buffer: Vec<u8>, compression: Compression) -> (Part, Bytes) {
    let raw = &buffer[PART_HEADER_BYTES..];
    let (raw_len, raw_check) = (raw.len() as u32, crc32c::crc32c(raw));
    assert!(raw_len > 0 && raw_len <= PART_BYTES_MAX, "a part that no section is cut into");
    let smaller = match compression {
        Compression::Zstd(level) => codec::compress(raw, level),
        Compression::Off => None,
    };
    let mut codec = Codec::Raw;
    if let Some(smaller) = smaller {
        codec = Codec::Zstd;
        buffer.truncate(PART_HEADER_BYTES);
        buffer.extend_from_slice(&smaller);
    }
    let stored = &buffer[PART_HEADER_BYTES..];
    let stored_check = if codec == Codec::Raw { raw_check } else { crc32c::crc32c(stored) };
    let part = Part { bytes: raw_len, stored: stored.len() as u32, check: stored_check };
    let mut body = Put(Vec::with_capacity(PART_HEADER_BYTES));
    body.u64(header.identity).u64(header.of.id.epoch).u64(header.of.id.number);
    body.u32(header.of.section).u32(header.ordinal);
    body.u32(part.bytes).u32(part.stored).u32(part.check).u32(raw_check);
    let name = name::part(header.of, header.ordinal);
    buffer[..PART_HEADER_BYTES].copy_from_slice(&prologue(&MAGIC, [codec_code(codec), 0], &name, &body.0));
    (part, buffer.into())
}

/// The bytes of the part that `whole` is, if it is the one that the head states.
pub(crate) fn open(header: PartHeader, stated: &Part, whole: &Bytes) -> Result<Bytes> {
    let name = name::part(header.of, header.ordinal);
    let at = |kind: Kind, what: &str, offset: usize| Error::new(kind, what).at(name.as_str(), offset as u64);
    let damaged = |what: &str, offset: usize| at(Kind::Damaged, what, offset);
    let Some((head, stored_bytes)) = whole.split_at_checked(PART_HEADER_BYTES) else {
        return Err(damaged("shorter than the header of a checkpoint's part", 0)); // Q1
    };
    let [code, zero] = verified(&MAGIC, &name, head).map_err(|wrong| match wrong {
        Wrong::Magic => damaged("no part of a checkpoint", 0), // Q2
        Wrong::Newer(version) => {
            let what = format!("a part of format version {version}, this release reads up to {VERSION}");
            at(Kind::Unsupported, &what, 8) // Q3
        }
        Wrong::Check => damaged("the part does not verify under this name", 8), // Q5
    })?;
    if zero != 0 {
        return Err(damaged("the part does not verify", 11)); // Q4
    }
    let mut fields = Take(&head[PROLOGUE_BYTES..]);
    let mut read = || -> Option<_> {
        let identity = fields.u64()?;
        let id = Id { epoch: fields.u64()?, number: fields.u64()? };
        let of = Origin { id, section: fields.u32()? };
        let found = PartHeader { identity, of, ordinal: fields.u32()? };
        Some((
            found,
            Part { bytes: fields.u32()?, stored: fields.u32()?, check: fields.u32()? },
            fields.u32()?,
        ))
    };
    let (found, part, raw_check) = read().expect("a header has all its fields");
    if (found.of, found.ordinal) != (header.of, header.ordinal) {
        return Err(damaged("a part that has the name of another", PROLOGUE_BYTES)); // Q6
    }
    if found.identity != header.identity || part != *stated {
        return Err(damaged("a part that is not the one its head states", PROLOGUE_BYTES)); // Q11
    }
    if stored_bytes.len() != part.stored as usize {
        return Err(damaged("a part that is not as long as it says", PART_HEADER_BYTES)); // Q7
    }
    if crc32c::crc32c(stored_bytes) != part.check {
        return Err(damaged("the bytes of the part do not verify", PART_HEADER_BYTES)); // Q8
    }
    let codec = codec_of(code);
    let raw =
        codec::expand_as(codec, whole.slice(PART_HEADER_BYTES..), part.bytes as usize).map_err(|error| {
            at(error.kind(), "the bytes of the part do not expand", PART_HEADER_BYTES).because(error)
        })?; // Q9
    if codec != Codec::Raw && crc32c::crc32c(&raw) != raw_check {
        return Err(damaged("the bytes of the part expand to others than were written", PART_HEADER_BYTES)); // Q10
    }
    Ok(raw)
}
