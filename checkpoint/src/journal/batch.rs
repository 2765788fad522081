//! Batches: their names, what they are asked to take, and what they have.

use std::fmt;
use std::sync::Arc;

use headwater_wal::{Error, Kind, Position, Result};

use super::block::{Block, ReceiverLog, SourceRange};
use super::event::{DIRECT_RANGES_MAX, direct_in_order};
use super::queue::{Blocks, Stretch};

/// A batch: its time, or any other number that goes up from batch to batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An output: what one partition of a batch gives. A sink publishes idempotently under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId {
    /// The batch.
    pub batch: BatchId,
    /// The partition of its output.
    pub partition: u32,
}

/// Blocks of one receiver's log that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The log.
    pub log: ReceiverLog,
    /// The position of the first one.
    pub first: Position,
    /// The position of the last one.
    pub last: Position,
    /// How many they are.
    pub blocks: u64,
}

/// A range that a batch reads from its source by itself, without a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectRange {
    /// The stream.
    pub stream: u32,
    /// The partition, and what of it.
    pub range: SourceRange,
}

/// What a batch shall take. A batch takes the oldest blocks that no batch has, of every receiver's log for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The batch; greater than every one before.
    pub batch: BatchId,
    /// The first batch that it stands for, where missed ones are collapsed into it.
    pub since: BatchId,
    /// Of which streams it takes blocks; none stands for all.
    pub streams: Option<Vec<u32>>,
    /// How many blocks it takes of one receiver's log at most.
    pub blocks_max: u64,
    /// What it reads from sources by itself. Each range begins at the end of its partition.
    pub direct: Vec<DirectRange>,
}

impl Wanted {
    /// Everything that no batch has.
    pub fn all(batch: BatchId) -> Wanted {
        Wanted { batch, since: batch, streams: None, blocks_max: u64::MAX, direct: Vec::new() }
    }

    /// No blocks: only ranges of sources.
    pub fn direct(batch: BatchId, ranges: Vec<DirectRange>) -> Wanted {
        Wanted { streams: Some(Vec::new()), direct: ranges, ..Wanted::all(batch) }
    }

    /// It also stands for the missed batches from this one on.
    #[must_use]
    pub fn since(mut self, since: BatchId) -> Wanted {
        self.since = since;
        self
    }

    /// Refuses what no journal could hold.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(Kind::Invalid, format!("{what}: batch={}", self.batch)));
        if self.since > self.batch {
            return wrong("a batch stands for itself and for earlier ones");
        }
        if self.direct.len() > DIRECT_RANGES_MAX {
            return wrong("a batch has too many direct ranges");
        }
        if !direct_in_order(&self.direct) {
            return wrong("direct ranges are not empty, and their streams and partitions go up");
        }
        Ok(())
    }

    pub(super) fn wants(&self, stream: u32) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.contains(&stream))
    }
}

/// What becomes of the batches that should have begun while nobody ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Each is a batch of its own. The first takes what there is, as after any pause.
    Each,
    /// The newest one stands for all.
    AsOne,
}

impl Missed {
    /// The batches that are due: those behind `last`, every `interval`, up to and with `now`.
    pub fn due(self, last: BatchId, now: BatchId, interval: u64) -> impl Iterator<Item = Wanted> {
        assert!(interval > 0, "batches have an interval");
        let count = now.0.saturating_sub(last.0) / interval;
        let nth = move |n: u64| BatchId(last.0 + n * interval);
        let from = match self {
            Missed::Each => 1,
            Missed::AsOne => count.max(1),
        };
        (from..=count).map(move |n| match self {
            Missed::Each => Wanted::all(nth(n)),
            Missed::AsOne => Wanted::all(nth(n)).since(nth(1)),
        })
    }
}

/// A batch and its input, as the journal has them: the same every time it is asked for.
#[derive(Clone, Debug)]
pub struct Allotment {
    pub(super) batch: BatchId,
    pub(super) taken: Arc<Taken>,
    pub(super) stretches: Vec<(ReceiverLog, Stretch)>,
}

/// What a batch has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) since: BatchId,
    /// The runs, and the ordinal of each one's first block in its queue.
    pub(super) runs: Vec<(Run, u64)>,
    pub(super) direct: Vec<DirectRange>,
}

impl Allotment {
    /// The batch.
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// The first batch that it stands for.
    pub fn since(&self) -> BatchId {
        self.taken.since
    }

    /// The runs of blocks that it has, by receiver's log.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.taken.runs.iter().map(|(run, _)| run)
    }

    /// The ranges that it reads by itself.
    pub fn direct(&self) -> &[DirectRange] {
        &self.taken.direct
    }

    /// How many blocks it has.
    pub fn block_count(&self) -> u64 {
        self.runs().map(|run| run.blocks).sum()
    }

    /// Its blocks, by receiver's log and then by position. They are read out of the memory that the journal has them
    /// in, one at a time.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        self.stretches.iter().flat_map(|(log, stretch)| Blocks::of(*log, stretch))
    }
    /// Those of its blocks that lie in one receiver's log, by position.
    pub fn blocks_of(&self, log: ReceiverLog) -> impl Iterator<Item = Block> {
        let stretches = self.stretches.iter().filter(move |(of, _)| *of == log);
        stretches.flat_map(|(log, stretch)| Blocks::of(*log, stretch))
    }
}
