//! What the operations of a journal answer, once it is durable.

use headwater_wal::Position;

use super::ledger::Standing;
use super::tracker::End;

/// What became of a reported block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Added {
    /// It was added: a batch will have it. Its source may be acknowledged up to the ends of its ranges.
    Now,
    /// All of it was added before, as this block or in others: its source may be acknowledged all the same.
    Already,
    /// It was not added, and nothing was logged.
    Refused(Refusal),
}

/// Why a block was not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not all of it follows what has arrived, or it was passed over before and has not arrived since; these are the
    /// ends of its partitions. Pass the block over, and cut anew from them, or from where this block
    /// begins in a partition that has no end.
    Ends(Vec<End>),
    /// The block before it in its log is not settled; the last one that is, is this. Report those between first.
    Early {
        /// The last settled block of the log.
        settled: Option<Position>,
    },
    /// Blocks that are not done with take as many bytes as is allowed. Report it again when batches have finished.
    Room {
        /// How many bytes they take.
        pending_bytes: u64,
    },
}

/// What became of a block that was to be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum PassedOver {
    /// It is settled now.
    Now,
    /// It was settled before, by being added or passed over.
    Already,
    /// The block before it in its log is not settled; the last one that is, is this.
    Early {
        /// The last settled block of the log.
        settled: Option<Position>,
    },
}

/// What became of an end that was to be moved forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Moved {
    /// It was moved; what lay between is recorded as lost.
    Now,
    /// It lies there or further on already.
    Already,
    /// It is not where the lost range begins, but here.
    Refused(End),
}

/// What became of an allotment.
#[derive(Clone, Debug)]
#[must_use]
pub enum Allotted<T> {
    /// The batch has this: from now on, or from an earlier time on.
    Has(T),
    /// A direct range does not begin at the end of its partition, which is this.
    Elsewhere(End),
    /// The batch needs no input any more, or was passed.
    Over(Standing),
}

impl<T> Allotted<T> {
    /// What the batch has, if it has anything.
    pub fn has(self) -> Option<T> {
        match self {
            Allotted::Has(has) => Some(has),
            _ => None,
        }
    }

    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Allotted<U> {
        match self {
            Allotted::Has(has) => Allotted::Has(map(has)),
            Allotted::Elsewhere(end) => Allotted::Elsewhere(end),
            Allotted::Over(standing) => Allotted::Over(standing),
        }
    }
}

/// What became of a commit. It is never leave to publish: the sink has published already, idempotently under the
/// output's name, and what this tells is whose it is that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// This attempt is the one that is recorded.
    Recorded,
    /// Another one is.
    Other {
        /// Which one.
        attempt: u64,
    },
    /// None is, and none will be: the batch is not pending.
    Refused(Standing),
}

/// What became of a batch that was to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// It ended now.
    Now,
    /// It had ended, in this same way.
    Already,
    /// It is not pending.
    Refused(Standing),
}

/// What became of a retirement that was intended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Retiring {
    /// The intent is on record: what lies below may be removed, and again after a crash.
    Intended,
    /// Something below is needed.
    Needed {
        /// From where on.
        from: Position,
    },
}
