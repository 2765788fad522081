//! A received block, as its receiver reports it and the journal keeps it.

use std::fmt;

use bytes::Bytes;
use headwater_wal::format::HANDLE_BYTES;
use headwater_wal::{Error, Handle, Kind, Position, Result};

use super::fields::{Fields, NOWHERE};

/// The most bytes of the runtime's own that a block carries through the journal.
pub const OWN_BYTES_MAX: usize = 4096;

/// The most source partitions that one block has records of.
pub const BLOCK_RANGES_MAX: usize = 1024;

/// The length of a block's body without ranges and without bytes of the runtime's own.
pub(super) const BODY_BYTES: usize = AT_ZEROS + 4;

pub(super) const RANGE_BYTES: usize = 20;

const AT_POSITION: usize = 16; // in the handle, which comes first
const AT_PREVIOUS: usize = HANDLE_BYTES;
const AT_ID: usize = AT_PREVIOUS + 8;
const AT_RECORDS: usize = AT_ID + 8;
const AT_RANGES: usize = AT_RECORDS + 8;
const AT_OWN: usize = AT_RANGES + 2;
const AT_ZEROS: usize = AT_OWN + 2;

/// The log of one receiver. A receiver that begins a new log, as after a loss, has another identity in its handles,
/// and that log is followed from its own beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverLog {
    /// The stream that it receives for.
    pub stream: u32,
    /// Which of the stream's receivers it is.
    pub receiver: u32,
    /// The short identity of its log: [`Handle::identity`].
    pub identity: u64,
}

impl fmt::Display for ReceiverLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReceiverLog { stream, receiver, identity } = self;
        write!(f, "stream={stream} receiver={receiver} log={identity:016x}")
    }
}

/// Records of one partition of a source, by the source's own positions: from the first up to, and without, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRange {
    /// The partition.
    pub partition: u32,
    /// The position of the first record.
    pub from: u64,
    /// The position behind the last one.
    pub to: u64,
}

/// A block that lies in a receiver's log.
///
/// A source whose records have numbered positions states what of it is in the block, in `ranges`, and then each record
/// is taken once, whatever is sent again. **A source without them leaves `ranges` empty, and at least once is all that
/// can be promised**: the same block reported twice is taken once, since its handle tells; the same records received
/// twice are two blocks, and nothing tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The stream.
    pub stream: u32,
    /// Which of its receivers reports it.
    pub receiver: u32,
    /// Where it lies.
    pub handle: Handle,
    /// The position of the block before it in the same log; none if it is the first.
    pub previous: Option<Position>,
    /// The runtime's own number of it. Nothing here depends on it.
    pub id: u64,
    /// How many records it has.
    pub records: u64,
    /// What it has of the source's partitions, each once, in ascending order; empty if the source has no positions.
    pub ranges: Vec<SourceRange>,
    /// Up to [`OWN_BYTES_MAX`] bytes of the runtime's own, which come back with the block.
    pub own: Bytes,
}

impl Block {
    /// The log that it lies in.
    pub fn log(&self) -> ReceiverLog {
        ReceiverLog { stream: self.stream, receiver: self.receiver, identity: self.handle.identity() }
    }

    /// Where it lies in that log.
    pub fn position(&self) -> Position {
        self.handle.position()
    }

    /// Refuses what no journal could hold.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| {
            let message = format!("{what}: {} position={}", self.log(), self.position());
            Err(Error::new(Kind::Invalid, message))
        };
        if (self.stream, self.receiver) == (u32::MAX, u32::MAX) {
            return wrong("this stream and receiver stand for the journal itself");
        }
        if self.own.len() > OWN_BYTES_MAX {
            return wrong("a block carries too many bytes of the runtime's own");
        }
        if self.ranges.len() > BLOCK_RANGES_MAX {
            return wrong("a block has records of too many partitions");
        }
        if !in_order(&self.ranges) {
            return wrong("a block's ranges are not empty, and their partitions go up");
        }
        if self.position() >= Position::LIMIT || self.previous.is_some_and(|before| before >= self.position())
        {
            return wrong("a block lies behind the one before it");
        }
        Ok(())
    }

    /// Its body: everything but stream and receiver. Every event is written by it twice, to the log and to memory, so the
    /// fixed part is put at once.
    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.body_len());
        let mut fixed = [0; BODY_BYTES];
        fixed[..HANDLE_BYTES].copy_from_slice(&self.handle.to_bytes());
        let previous = self.previous.map_or(NOWHERE, |previous| previous.0);
        for (at, word) in [(AT_PREVIOUS, previous), (AT_ID, self.id), (AT_RECORDS, self.records)] {
            fixed[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        fixed[AT_RANGES..AT_OWN].copy_from_slice(&(self.ranges.len() as u16).to_le_bytes());
        fixed[AT_OWN..AT_ZEROS].copy_from_slice(&(self.own.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&fixed);
        for range in &self.ranges {
            let mut fixed = [0; RANGE_BYTES];
            fixed[0..4].copy_from_slice(&range.partition.to_le_bytes());
            fixed[4..12].copy_from_slice(&range.from.to_le_bytes());
            fixed[12..20].copy_from_slice(&range.to.to_le_bytes());
            bytes.extend_from_slice(&fixed);
        }
        bytes.extend_from_slice(&self.own);
    }

    pub(super) fn body_len(&self) -> usize {
        BODY_BYTES + self.ranges.len() * RANGE_BYTES + self.own.len()
    }

    /// Reads a body; conditions E5 to E7 of the [specification](super::event).
    pub(super) fn take(stream: u32, receiver: u32, fields: &mut Fields<'_>) -> Option<Block> {
        let handle = fields.handle()?;
        let previous = fields.position_or_none()?;
        let (id, records) = (fields.u64()?, fields.u64()?);
        let (ranges, own) = (usize::from(fields.u16()?), usize::from(fields.u16()?));
        fields.zeros(4)?; // E4
        let sound = ranges <= BLOCK_RANGES_MAX
            && own <= OWN_BYTES_MAX
            && previous.is_none_or(|before| before < handle.position());
        if !sound {
            return None; // E6, E7
        }
        let range = |fields: &mut Fields<'_>| {
            Some(SourceRange { partition: fields.u32()?, from: fields.u64()?, to: fields.u64()? })
        };
        let ranges = fields.many(ranges, RANGE_BYTES, range)?; // E5
        let own = fields.own(own)?; // E5
        let block = Block { stream, receiver, handle, previous, id, records, ranges, own };
        in_order(&block.ranges).then_some(block) // E6
    }
}

/// The length of the body that `bytes` begin with, if all of it is there.
pub(super) fn body_len(bytes: &[u8]) -> Option<usize> {
    let ranges = usize::from(Fields(bytes.get(AT_RANGES..)?).u16()?);
    let own = usize::from(Fields(bytes.get(AT_OWN..)?).u16()?);
    let len = BODY_BYTES + ranges * RANGE_BYTES + own;
    (bytes.len() >= len).then_some(len)
}

/// How many bytes follow the beginning of a body; condition E7 bounds them.
pub(super) fn body_need(fields: &Fields<'_>) -> Option<usize> {
    let ranges = usize::from(Fields(fields.0.get(AT_RANGES..)?).u16()?);
    let own = usize::from(Fields(fields.0.get(AT_OWN..)?).u16()?);
    (ranges <= BLOCK_RANGES_MAX && own <= OWN_BYTES_MAX).then_some(ranges * RANGE_BYTES + own)
}

/// The position of the block whose body `bytes` begin with.
pub(super) fn body_position(bytes: &[u8]) -> Option<Position> {
    Fields(bytes.get(AT_POSITION..)?).u64().map(Position)
}

fn in_order(ranges: &[SourceRange]) -> bool {
    ranges.iter().all(|range| range.from < range.to)
        && ranges.windows(2).all(|pair| pair[0].partition < pair[1].partition)
}
