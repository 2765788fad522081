//! Whom a receiver reports its blocks to.

use std::fmt;

use super::blocks::SourceRange;
use crate::error::Result;
use crate::format::{Handle, Position};

/// A block that lies in the log, durable, and is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The stream.
    pub stream: u32,
    /// Which of the stream's receivers has it.
    pub receiver: u32,
    /// Where it lies.
    pub handle: Handle,
    /// The position of the block before it in the same log; none if it is the first.
    pub previous: Option<Position>,
    /// Which of its epoch's blocks it is. With the handle's log and epoch it is a block's own number, for ever.
    pub number: u64,
    /// How many records it has.
    pub records: u32,
    /// What it has of the source's partitions, each once, in ascending order; empty if the source has no positions.
    pub ranges: Vec<SourceRange>,
}

/// The log of a receiver, as a driver knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverLog {
    /// The stream.
    pub stream: u32,
    /// Which of the stream's receivers it is.
    pub receiver: u32,
    /// The short identity of its log.
    pub identity: u64,
}

/// The end of a partition: everything below it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The partition.
    pub partition: u32,
    /// Where it goes on.
    pub end: u64,
}

/// What became of a reported block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// The driver has every record of it, from now on or from before, and will not lose it.
    Taken,
    /// It was settled before, and not all of its records are known to the driver: another writer of this log has passed
    /// it over.
    PassedOver,
    /// It was not taken: not all of it follows what has arrived. The ends of its partitions, of which there are any.
    Refused(Vec<End>),
    /// It was not taken: the block before it in its log is not settled. The last one that is, is this.
    Early(Option<Position>),
    /// It was not taken: the driver has no room now.
    Full,
}

/// A driver, as a receiver sees it.
///
/// An error says that it could not be reached, or that the outcome is not known: the receiver asks again, the same and
/// in the same order, until there is an answer. `Invalid` alone ends it.
pub trait Driver: fmt::Debug + Send + Sync {
    /// The last block of a log that is settled: taken, or passed over.
    fn settled(&self, log: ReceiverLog) -> Result<Option<Position>>;

    /// Reports blocks in the order of their log. Answers in the same order: for each block, or up to the first one that
    /// is not [`Taken`](Answer::Taken). What is answered `Taken` is durable at the driver.
    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>>;

    /// Settles a block that was refused without taking it: [`PassedOver`](Answer::PassedOver), now or before, or
    /// [`Early`](Answer::Early). It is durable at the driver when this returns. A partition of which nothing has arrived
    /// begins where it begins in this block, so that none that was cut behind it is taken for the first.
    fn pass_over(&self, block: &Report) -> Result<Answer>;

    /// Below which position of a log nothing is needed any more, by anybody, as the driver has on record;
    /// [`Position::START`] if it lets nothing go.
    fn released(&self, log: ReceiverLog) -> Result<Position>;
}
