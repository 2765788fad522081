//! The events of a journal and their bytes: this page is the specification, version 1, and its only statement.
//!
//! An event is the payload of one record of the driver's log, of the record kind [`RECORD_KIND`]; the log's own
//! checksums cover it. All integers are little-endian; bytes called zero are reserved. Where a position may be missing,
//! all ones stand for none.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 1 | version | 1 |
//! | 1 | 1 | kind | which event, below |
//! | 2 | 6 | zero | |
//! | 8 | 8 | number | how many events came before it in this journal |
//! | 16 | | | as the kind says, and nothing behind it |
//!
//! **1, block added**
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 16 | 4 | stream | |
//! | 20 | 4 | receiver | |
//! | 24 | 40 | handle | of the block, as [`Handle::to_bytes`](headwater_wal::Handle::to_bytes) gives it |
//! | 64 | 8 | previous | the position of the block before it in its receiver's log, or none |
//! | 72 | 8 | id | the runtime's |
//! | 80 | 8 | records | how many it has |
//! | 88 | 2 | ranges | how many follow |
//! | 90 | 2 | own | how many bytes of the runtime's own follow them |
//! | 92 | 4 | zero | |
//! | 96 | 20 each | range | partition (4), from (8), to (8) |
//! | | | own | |
//!
//! **2, block passed over**
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 16 | 4 | stream | |
//! | 20 | 4 | receiver | |
//! | 24 | 8 | identity | of its log |
//! | 32 | 8 | position | in that log |
//! | 40 | 8 | previous | the position of the block before it, or none |
//! | 48 | 4 | begins | how many follow |
//! | 52 | 4 | zero | |
//! | 56 | 12 each | begin | of a partition of which nothing has arrived: partition (4), where it begins (8) |
//!
//! **3, end moved**: 16 stream (4), 20 partition (4), 24 from (8), 32 to (8): what lies between is lost on purpose.
//!
//! **4, batch allotted**
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 16 | 8 | batch | |
//! | 24 | 8 | since | the first batch that it stands for; itself, if none was missed |
//! | 32 | 4 | runs | how many follow |
//! | 36 | 4 | direct | how many ranges follow them |
//! | 40 | 40 each | run | stream (4), receiver (4), identity (8), positions of the first (8) and last block (8), how many blocks (8) |
//! | | 24 each | direct | stream (4), partition (4), from (8), to (8) |
//!
//! A batch takes of every receiver's log a run of blocks from the first that no batch has, so a million blocks take as
//! many bytes here as one, and a replay finds out if it has others between first and last than the writer had.
//!
//! **5, output committed**: 16 batch (8), 24 attempt (8), 32 partition (4), 36 zero (4).
//!
//! **6, batch finished**: 16 batch (8).
//!
//! **7, batch given up**: 16 batch (8), 24 the reason's length (2), 26 zero (6), 32 the reason.
//!
//! **8, forgotten**: 16 before (8), 24 floor (8): the batches below `before` that were finished or given up by an event
//! whose number is below `floor`.
//!
//! **9, retirement intended**: 16 stream (4), 20 receiver (4), 24 identity of the log (8), 32 below (8). The journal
//! itself is the log whose stream and receiver are all ones.
//!
//! An event is valid if
//! - E1: there are 16 bytes;
//! - E2: the version is 1 (a greater one is "unsupported");
//! - E3: the kind is one of these;
//! - E4: what is called zero is zero;
//! - E5: it is exactly as long as its counts say;
//! - E6: ranges are not empty; the partitions of a block go up, and of begins, so do the logs of runs, and the streams and partitions
//!   of direct ranges; a run's first position is at most its last, and is the last just if it is one block; a block
//!   lies behind the one before it; `since` is at most the batch; positions are at most 2^62;
//! - E7: of ranges in a block, and of begins, there are at most 1024, of own bytes and of a reason's 4096, of runs 4096, of direct
//!   ranges 16384.

use bytes::Bytes;
use headwater_wal::{Error, Kind, Position, Result};

use super::batch::{BatchId, DirectRange, OutputId, Run};
use super::block::{BLOCK_RANGES_MAX, BODY_BYTES, Block, OWN_BYTES_MAX, ReceiverLog, SourceRange};
use super::fields::{Fields, put_position, put_u16, put_u32, put_u64};

/// The kind of the records that events are: `J`.
pub const RECORD_KIND: u8 = 0x4A;

/// The most receivers' logs that one batch takes blocks of.
pub const RUNS_MAX: usize = 4096;

/// The most ranges that one direct batch has.
pub const DIRECT_RANGES_MAX: usize = 16384;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 16;
const AT_NUMBER: usize = 8;
const BEGIN_BYTES: usize = 12;
const RUN_BYTES: usize = 40;
const DIRECT_BYTES: usize = 24;

const ADDED: u8 = 1;
const PASSED_OVER: u8 = 2;
const END_MOVED: u8 = 3;
const ALLOTTED: u8 = 4;
const COMMITTED: u8 = 5;
const FINISHED: u8 = 6;
const GIVEN_UP: u8 = 7;
const FORGOTTEN: u8 = 8;
const RETIRE_INTENDED: u8 = 9;

/// Something that happened, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A block arrived.
    Added(Block),
    /// A block of a receiver's log is settled without being taken: what it holds is known already, or comes again.
    PassedOver {
        /// The log.
        log: ReceiverLog,
        /// Where the block lies in it.
        position: Position,
        /// Where the block before it lies.
        previous: Option<Position>,
        /// Where those of its partitions begin of which nothing has arrived. Its source sends from there again, and a
        /// block that was cut behind must not be taken for the first.
        begins: Vec<(u32, u64)>,
    },
    /// The end of a partition was moved forward on purpose: what lies between is lost.
    EndMoved {
        /// The stream.
        stream: u32,
        /// The partition and the lost range.
        lost: SourceRange,
    },
    /// A batch has its input.
    Allotted {
        /// The batch.
        batch: BatchId,
        /// The first batch that it stands for.
        since: BatchId,
        /// The blocks that it takes.
        runs: Vec<Run>,
        /// The ranges that it reads from sources by itself.
        direct: Vec<DirectRange>,
    },
    /// An output was published, and this attempt's is the one.
    Committed {
        /// The output.
        output: OutputId,
        /// The attempt that published it.
        attempt: u64,
    },
    /// A batch is done.
    Finished {
        /// The batch.
        batch: BatchId,
    },
    /// A batch will never be done, on purpose: its input is lost.
    GivenUp {
        /// The batch.
        batch: BatchId,
        /// Why, in the runtime's words.
        reason: Bytes,
    },
    /// What was known of ended batches is known no more.
    Forgotten {
        /// Only of batches below this one.
        before: BatchId,
        /// Only of batches that ended by an event with a smaller number.
        floor: u64,
    },
    /// Segments of a log are about to be removed.
    RetireIntended {
        /// The log; none is the journal itself.
        log: Option<ReceiverLog>,
        /// Everything below may go.
        below: Position,
    },
}

impl Event {
    /// The event's bytes, given how many events came before it. It must be one that the conditions allow.
    pub fn encode(&self, number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(number, &mut bytes);
        bytes
    }

    /// Puts the event's bytes behind others.
    pub(super) fn put(&self, number: u64, bytes: &mut Vec<u8>) {
        match self {
            Event::Added(block) => Event::put_added(number, block, bytes),
            Event::PassedOver { log, position, previous, begins } => {
                put_header(bytes, PASSED_OVER, number);
                put_log(bytes, *log);
                put_u64(bytes, position.0);
                put_position(bytes, *previous);
                put_u32(bytes, begins.len() as u32);
                put_u32(bytes, 0);
                for (partition, from) in begins {
                    put_u32(bytes, *partition);
                    put_u64(bytes, *from);
                }
            }
            Event::EndMoved { stream, lost } => {
                put_header(bytes, END_MOVED, number);
                put_u32(bytes, *stream);
                put_u32(bytes, lost.partition);
                put_u64(bytes, lost.from);
                put_u64(bytes, lost.to);
            }
            Event::Allotted { batch, since, runs, direct } => {
                put_header(bytes, ALLOTTED, number);
                put_u64(bytes, batch.0);
                put_u64(bytes, since.0);
                put_u32(bytes, runs.len() as u32);
                put_u32(bytes, direct.len() as u32);
                runs.iter().for_each(|run| put_run(bytes, run));
                direct.iter().for_each(|range| put_direct(bytes, range));
            }
            Event::Committed { output, attempt } => {
                put_header(bytes, COMMITTED, number);
                put_u64(bytes, output.batch.0);
                put_u64(bytes, *attempt);
                put_u32(bytes, output.partition);
                put_u32(bytes, 0);
            }
            Event::Finished { batch } => {
                put_header(bytes, FINISHED, number);
                put_u64(bytes, batch.0);
            }
            Event::GivenUp { batch, reason } => {
                put_header(bytes, GIVEN_UP, number);
                put_u64(bytes, batch.0);
                put_u16(bytes, reason.len() as u16);
                bytes.extend_from_slice(&[0; 6]);
                bytes.extend_from_slice(reason);
            }
            Event::Forgotten { before, floor } => {
                put_header(bytes, FORGOTTEN, number);
                put_u64(bytes, before.0);
                put_u64(bytes, *floor);
            }
            Event::RetireIntended { log, below } => {
                put_header(bytes, RETIRE_INTENDED, number);
                let journal = ReceiverLog { stream: u32::MAX, receiver: u32::MAX, identity: 0 };
                put_log(bytes, log.unwrap_or(journal));
                put_u64(bytes, below.0);
            }
        }
    }

    /// Puts the bytes of a block's adding.
    pub(super) fn put_added(number: u64, block: &Block, bytes: &mut Vec<u8>) {
        put_header(bytes, ADDED, number);
        put_u32(bytes, block.stream);
        put_u32(bytes, block.receiver);
        block.put(bytes);
    }

    /// Says how many events came before one whose bytes were made before that was known.
    pub(super) fn set_number(bytes: &mut [u8], number: u64) {
        bytes[AT_NUMBER..HEADER_BYTES].copy_from_slice(&number.to_le_bytes());
    }

    /// Reads an event and its number. Any bytes give an event or an error.
    ///
    /// `Unsupported`: of a newer release. `Damaged`: not an event.
    pub fn decode(bytes: &[u8]) -> Result<(u64, Event)> {
        match Fields(bytes).u8() {
            Some(version) if version > VERSION => {
                let message = format!("an event of a newer release: version={version}"); // E2
                Err(Error::new(Kind::Unsupported, message))
            }
            _ => decode(bytes).ok_or_else(|| {
                let message = format!("a record of the journal is not an event: bytes={}", bytes.len());
                Error::new(Kind::Damaged, message)
            }),
        }
    }
}

fn put_header(bytes: &mut Vec<u8>, kind: u8, number: u64) {
    bytes.extend_from_slice(&[VERSION, kind, 0, 0, 0, 0, 0, 0]);
    put_u64(bytes, number);
}

fn decode(bytes: &[u8]) -> Option<(u64, Event)> {
    let fields = &mut Fields(bytes);
    let (version, kind) = (fields.u8()?, fields.u8()?); // E1
    if version != VERSION {
        return None; // E2
    }
    fields.zeros(6)?; // E4
    let number = fields.u64()?;
    let event = match kind {
        ADDED => {
            let (stream, receiver) = (fields.u32()?, fields.u32()?);
            if fields.0.len() < BODY_BYTES {
                return None; // E5
            }
            Event::Added(Block::take(stream, receiver, fields)?)
        }
        PASSED_OVER => take_passed_over(fields)?,
        END_MOVED => {
            let direct = take_direct(fields)?;
            Event::EndMoved { stream: direct.stream, lost: direct.range }
        }
        ALLOTTED => take_allotted(fields)?,
        COMMITTED => {
            let (batch, attempt, partition) = (BatchId(fields.u64()?), fields.u64()?, fields.u32()?);
            fields.zeros(4)?; // E4
            Event::Committed { output: OutputId { batch, partition }, attempt }
        }
        FINISHED => Event::Finished { batch: BatchId(fields.u64()?) },
        GIVEN_UP => {
            let (batch, len) = (BatchId(fields.u64()?), usize::from(fields.u16()?));
            fields.zeros(6)?; // E4
            if len > OWN_BYTES_MAX {
                return None; // E7
            }
            Event::GivenUp { batch, reason: fields.own(len)? }
        }
        FORGOTTEN => Event::Forgotten { before: BatchId(fields.u64()?), floor: fields.u64()? },
        RETIRE_INTENDED => {
            let log = take_log(fields)?;
            let own = (log.stream, log.receiver) == (u32::MAX, u32::MAX);
            if own && log.identity != 0 {
                return None; // E3: the journal has no other name
            }
            Event::RetireIntended { log: (!own).then_some(log), below: fields.position()? }
        }
        _ => return None, // E3
    };
    fields.is_empty().then_some((number, event)) // E5
}

fn take_passed_over(fields: &mut Fields<'_>) -> Option<Event> {
    let (log, position, previous) = (take_log(fields)?, fields.position()?, fields.position_or_none()?);
    let count = fields.u32()? as usize;
    fields.zeros(4)?; // E4
    if previous.is_some_and(|before| before >= position) || count > BLOCK_RANGES_MAX {
        return None; // E6, E7
    }
    let begin = |fields: &mut Fields<'_>| fields.u32().zip(fields.u64());
    let begins = fields.many(count, BEGIN_BYTES, begin)?; // E5
    let sound = begins.windows(2).all(|pair| pair[0].0 < pair[1].0);
    sound.then_some(Event::PassedOver { log, position, previous, begins }) // E6
}

fn take_allotted(fields: &mut Fields<'_>) -> Option<Event> {
    let (batch, since) = (BatchId(fields.u64()?), BatchId(fields.u64()?));
    let (runs, direct) = (fields.u32()? as usize, fields.u32()? as usize);
    if since > batch || runs > RUNS_MAX || direct > DIRECT_RANGES_MAX {
        return None; // E6, E7
    }
    let runs = fields.many(runs, RUN_BYTES, take_run)?; // E5
    let direct = fields.many(direct, DIRECT_BYTES, take_direct)?; // E5
    let sound = runs.windows(2).all(|pair| pair[0].log < pair[1].log) && direct_in_order(&direct);
    sound.then_some(Event::Allotted { batch, since, runs, direct }) // E6
}

/// Whether direct ranges are not empty and go up.
pub(super) fn direct_in_order(direct: &[DirectRange]) -> bool {
    let place = |range: &DirectRange| (range.stream, range.range.partition);
    direct.iter().all(|range| range.range.from < range.range.to)
        && direct.windows(2).all(|pair| place(&pair[0]) < place(&pair[1]))
}

pub(super) fn put_log(bytes: &mut Vec<u8>, log: ReceiverLog) {
    put_u32(bytes, log.stream);
    put_u32(bytes, log.receiver);
    put_u64(bytes, log.identity);
}

pub(super) fn take_log(fields: &mut Fields<'_>) -> Option<ReceiverLog> {
    Some(ReceiverLog { stream: fields.u32()?, receiver: fields.u32()?, identity: fields.u64()? })
}

pub(super) fn put_run(bytes: &mut Vec<u8>, run: &Run) {
    put_log(bytes, run.log);
    put_u64(bytes, run.first.0);
    put_u64(bytes, run.last.0);
    put_u64(bytes, run.blocks);
}

pub(super) fn take_run(fields: &mut Fields<'_>) -> Option<Run> {
    let (log, first, last) = (take_log(fields)?, fields.position()?, fields.position()?);
    let blocks = fields.u64()?;
    let sound = blocks > 0 && first <= last && (blocks == 1) == (first == last);
    sound.then_some(Run { log, first, last, blocks }) // E6
}

pub(super) fn put_direct(bytes: &mut Vec<u8>, direct: &DirectRange) {
    put_u32(bytes, direct.stream);
    put_u32(bytes, direct.range.partition);
    put_u64(bytes, direct.range.from);
    put_u64(bytes, direct.range.to);
}

pub(super) fn take_direct(fields: &mut Fields<'_>) -> Option<DirectRange> {
    let (stream, partition) = (fields.u32()?, fields.u32()?);
    let range = SourceRange { partition, from: fields.u64()?, to: fields.u64()? };
    (range.from < range.to).then_some(DirectRange { stream, range }) // E6
}
