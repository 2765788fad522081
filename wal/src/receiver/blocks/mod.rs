//! A block as it lies in its receiver's log: the payload of one record of kind [`RECORD_KIND`].
//!
//! # The bytes
//!
//! Little-endian. A varint is seven bits a byte, lowest first, the high bit set in all but the last, ten bytes at most.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 1 | version: 1 |
//! | 1 | 1 | form: 1 if the source numbers its records, else 0 |
//! | 2 | 2 | how many ranges |
//! | 4 | 4 | stream |
//! | 8 | 4 | receiver |
//! | 12 | 4 | how many records |
//! | 16 | 8 | epoch of the log's writer who cut it |
//! | 24 | 8 | number: how many blocks were cut in that epoch before |
//! | 32 | 8 | position of the newest block of this log that the driver was known to have settled; all ones if none |
//! | 40 | 4 | how many bytes the records take |
//! | 44 | 4 | zeros |
//! | 48 | | the records |
//! | | 20 each | the ranges: partition (4), position of the first record (8), position behind the last one (8) |
//!
//! A record of form 0 is a varint, its length, and its bytes. One of form 1 begins with two varints more: which of the
//! ranges it belongs to, counted from 0, and by how much its position lies beyond the one behind the record before it in
//! that range (or beyond the range's beginning): zero, unless the source's numbers have a hole there.
//!
//! A block does not say where the one before it lies: several are on their way to the device at once, and where they
//! come to lie is known when they are there. Their order in the log is what counts, and `number` shows that none is
//! missing.
//!
//! # Conditions
//!
//! - B1 The version is 1. A greater one is "unsupported".
//! - B2 The form is 0 or 1, and zeros are zeros.
//! - B3 Header, records and ranges are as long together as the payload.
//! - B4 There are ranges, 1024 at most, just if the form is 1. None is empty; no two are of one partition.
//! - B5 There is a record. Each lies within the bytes of the records, and its position in its range.
//! - B6 As many records as stated take all of these bytes, and end each range where it says.

mod building;
mod records;

use crate::error::{Error, Kind, Result};
use crate::format::Position;
pub(super) use building::Building;
pub use records::{Place, Received, Records, records};

/// The kind of the records that are blocks, in a receiver's log.
pub const RECORD_KIND: u8 = 1;

/// The most partitions of a source that one block has records of.
pub const RANGES_MAX: usize = 1024;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 48;
const RANGE_BYTES: usize = 20;

/// The varints before a record, at most: which range, how large a hole, how long.
const VARINTS_BYTES_MAX: usize = 2 + 10 + 5;

/// What a block takes at most besides the bytes that its options allow for: the header, all ranges that it may have, and
/// the varints of the record that fills it.
pub(super) const OVERHEAD_BYTES_MAX: usize = HEADER_BYTES + VARINTS_BYTES_MAX + RANGES_MAX * RANGE_BYTES;

const AT_FORM: usize = 1;
const AT_RANGES: usize = 2;
const AT_STREAM: usize = 4;
const AT_RECEIVER: usize = 8;
const AT_RECORDS: usize = 12;
const AT_EPOCH: usize = 16;
const AT_NUMBER: usize = 24;
const AT_SETTLED: usize = 32;
const AT_RECORDS_BYTES: usize = 40;
const AT_ZEROS: usize = 44;

/// Records of one partition of a source: from the position of the first up to, and without, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRange {
    /// The partition.
    pub partition: u32,
    /// The position of the first record, or behind the one before it.
    pub from: u64,
    /// The position behind the last record.
    pub to: u64,
}

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The stream.
    pub stream: u32,
    /// Which of the stream's receivers cut it.
    pub receiver: u32,
    /// The epoch of the writer who cut it.
    pub epoch: u64,
    /// Which of that epoch's blocks it is, from 0.
    pub number: u64,
    /// How many records it has.
    pub records: u32,
    /// The newest block of the same log that the driver was known to have settled when this one was cut.
    pub settled: Option<Position>,
    /// What it has of the source's partitions, as it came; none if the source has no positions.
    pub ranges: Vec<SourceRange>,
}

/// Reads what a block says of itself, and none of its records.
///
/// `Unsupported`: a newer release wrote it. `Damaged`: it is no block.
pub fn header(payload: &[u8]) -> Result<Header> {
    let version = *payload.first().ok_or_else(|| damaged("it is empty"))?;
    if version > VERSION {
        let message = format!("the block was written by a newer release: version={version}");
        return Err(Error::new(Kind::Unsupported, message)); // B1
    }
    if version != VERSION || payload.len() < HEADER_BYTES {
        return Err(damaged("its header is none")); // B1, B3
    }
    let form = payload[AT_FORM];
    if form > 1 || u32_at(payload, AT_ZEROS) != 0 {
        return Err(damaged("its form is none")); // B2
    }
    let ranges = usize::from(u16_at(payload, AT_RANGES));
    let records_bytes = u32_at(payload, AT_RECORDS_BYTES) as usize;
    if HEADER_BYTES + records_bytes + ranges * RANGE_BYTES != payload.len() {
        return Err(damaged("its length is another one")); // B3
    }
    if ranges > RANGES_MAX || (form == 1) != (ranges > 0) {
        return Err(damaged("it has too few ranges, or too many")); // B4
    }
    let records = u32_at(payload, AT_RECORDS);
    if records == 0 {
        return Err(damaged("it has no record")); // B5
    }
    let range = |bytes: &[u8]| SourceRange {
        partition: u32_at(bytes, 0),
        from: u64_at(bytes, 4),
        to: u64_at(bytes, 12),
    };
    let ranges: Vec<_> =
        payload[HEADER_BYTES + records_bytes..].chunks_exact(RANGE_BYTES).map(range).collect();
    let mut partitions: Vec<_> = ranges.iter().map(|range| range.partition).collect();
    partitions.sort_unstable();
    if ranges.iter().any(|range| range.from >= range.to) || partitions.windows(2).any(|two| two[0] == two[1])
    {
        return Err(damaged("a range of it is empty or doubled")); // B4
    }
    let settled = u64_at(payload, AT_SETTLED);
    Ok(Header {
        stream: u32_at(payload, AT_STREAM),
        receiver: u32_at(payload, AT_RECEIVER),
        epoch: u64_at(payload, AT_EPOCH),
        number: u64_at(payload, AT_NUMBER),
        records,
        settled: (settled != u64::MAX).then_some(Position(settled)),
        ranges,
    })
}

fn damaged(what: &str) -> Error {
    Error::new(Kind::Damaged, format!("a payload that is not a block: {what}"))
}

/// `bytes` are long enough: whoever asks has looked.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}
