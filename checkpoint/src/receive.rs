//! How receivers report to a journal.
//!
//! A receiver of [`headwater_wal::receiver`] knows no journal, only a [`Driver`] that it reports to. [`Reports`] is the one
//! that has a journal: in the driver's own process, or behind whatever carries reports to it.

use std::sync::{Arc, Weak};

use headwater_wal::receiver::{self, Answer, Driver, Report};
use headwater_wal::{Error, Kind, Position, Result};

use crate::journal::{Added, Block, End, Journal, PassedOver, ReceiverLog, Refusal, SourceRange, Tracker};

/// A journal, as receivers see it.
#[derive(Clone, Debug)]
pub struct Reports {
    journal: Weak<Journal>,
}

impl Reports {
    /// Reports go to this journal, for as long as it is there. When it has failed and was started again, make new ones:
    /// until then receivers find their driver away, and hold what they have.
    pub fn to(journal: &Arc<Journal>) -> Self {
        Reports { journal: Arc::downgrade(journal) }
    }

    fn journal(&self) -> Result<Arc<Journal>> {
        let gone = || Error::new(Kind::Unavailable, "the driver that blocks are reported to has ended");
        self.journal.upgrade().ok_or_else(gone)
    }

    fn answer(journal: &Journal, block: &Report, added: Added) -> Result<Answer> {
        Ok(match added {
            Added::Now => Answer::Taken,
            // A block that was passed over is settled too: a source may forget the records of one that was taken, and of
            // no other.
            Added::Already if is_known(journal.view()?.tracker(), block) => Answer::Taken,
            Added::Already => Answer::PassedOver,
            Added::Refused(Refusal::Ends(_)) if is_settled(journal, block)? => Answer::PassedOver,
            Added::Refused(Refusal::Ends(ends)) => Answer::Refused(ends.iter().filter_map(end).collect()),
            Added::Refused(Refusal::Early { settled }) => Answer::Early(settled),
            Added::Refused(Refusal::Room { .. }) => Answer::Full,
        })
    }
}

impl Driver for Reports {
    fn settled(&self, log: receiver::ReceiverLog) -> Result<Option<Position>> {
        let receiver::ReceiverLog { stream, receiver, identity } = log;
        Ok(self.journal()?.view()?.tracker().settled(ReceiverLog { stream, receiver, identity }))
    }

    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        // All of them are decided before one is waited for: they share the journal's syncs.
        let journal = self.journal()?;
        let mut pending = Vec::with_capacity(blocks.len());
        for block in blocks {
            pending.push(journal.add_later(block_of(block))?);
        }
        let mut answers = Vec::with_capacity(blocks.len());
        for (block, pending) in blocks.iter().zip(pending) {
            let answer = Reports::answer(&journal, block, pending.wait()?)?;
            let goes_on = answer == Answer::Taken;
            answers.push(answer);
            if !goes_on {
                break;
            }
        }
        Ok(answers)
    }

    fn pass_over(&self, block: &Report) -> Result<Answer> {
        Ok(match self.journal()?.pass_over(&block_of(block))? {
            PassedOver::Now | PassedOver::Already => Answer::PassedOver,
            PassedOver::Early { settled } => Answer::Early(settled),
        })
    }
}

/// The block as the journal keeps it.
pub fn block_of(report: &Report) -> Block {
    let range = |range: &receiver::blocks::SourceRange| SourceRange {
        partition: range.partition,
        from: range.from,
        to: range.to,
    };
    Block {
        stream: report.stream,
        receiver: report.receiver,
        handle: report.handle,
        previous: report.previous,
        id: report.number,
        records: u64::from(report.records),
        ranges: report.ranges.iter().map(range).collect(),
        own: Default::default(),
    }
}

/// Whether a block is one of those of its log that were added or passed over.
fn is_settled(journal: &Journal, block: &Report) -> Result<bool> {
    let settled = journal.view()?.tracker().settled(block_of(block).log());
    Ok(settled.is_some_and(|settled| block.handle.position() <= settled))
}

/// Whether every record of a block is in a block that was taken.
fn is_known(tracker: &Tracker, block: &Report) -> bool {
    let known = |range: &receiver::blocks::SourceRange| {
        tracker.end(block.stream, range.partition).end.is_some_and(|end| end >= range.to)
    };
    block.ranges.iter().all(known)
}

fn end(end: &End) -> Option<receiver::End> {
    Some(receiver::End { partition: end.partition, end: end.end? })
}
