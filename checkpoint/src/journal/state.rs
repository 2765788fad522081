//! The two states together, and what an operation on them would log: pure functions, which the journal asks before it
//! writes.

use bytes::Bytes;
use headwater_wal::{Error, Kind, Position, Result};

use super::answer::{Added, Allotted, Committed, Ended, Moved, PassedOver, Refusal, Retiring};
use super::batch::{BatchId, OutputId, Wanted};
use super::block::{Block, OWN_BYTES_MAX, ReceiverLog, SourceRange};
use super::event::Event;
use super::ledger::{Ledger, Standing};
use super::tracker::{Arrival, Follows, Tracker};

/// Everything that a journal makes: the [`Tracker`] and the [`Ledger`], and how many events made them.
///
/// It is cheap to clone: what is large is shared, and copied a piece at a time when it changes.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) events: u64,
    pub(super) tracker: Tracker,
    pub(super) ledger: Ledger,
}

/// What an operation comes to.
#[derive(Debug)]
pub(super) enum Decision<T> {
    /// The answer holds as things stand.
    Stands(T),
    /// The answer holds once this is durable.
    Logs(Event, T),
}

/// What is logged for a reported block.
#[derive(Debug)]
pub(super) enum Adding {
    Nothing,
    PassesOver(Event),
    Adds,
}

use Decision::{Logs, Stands};

impl State {
    /// Which blocks arrived, and which batch has them.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Which batches there are, and which outputs are done.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many events made it. Events are numbered so, from 0: one that is missing or comes twice shows.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Takes in an event that was logged, given its number.
    ///
    /// `Damaged`: it contradicts those before it, or is not the next one. The state is of no use then.
    pub fn apply(&mut self, number: u64, event: &Event) -> Result<()> {
        if number != self.events {
            let message = format!(
                "the journal contradicts itself: an event is missing, or comes twice: expected={} found={number}",
                self.events
            );
            return Err(Error::new(Kind::Damaged, message));
        }
        self.ledger.apply(number, event)?;
        self.tracker.apply(event)?;
        self.events += 1;
        Ok(())
    }

    /// Takes in the next block, whose adding was decided on this very state. Blocks are what there are most of, and it
    /// has been looked at closely enough by then.
    pub(super) fn take_in(&mut self, block: &Block) {
        self.tracker.take_in(block);
        self.events += 1;
    }

    /// What adding a block comes to: its answer, and whether it is added for it, passed over, or neither.
    pub(super) fn add(&self, block: &Block, pending_bytes_max: u64) -> Result<(Added, Adding)> {
        Ok(match self.tracker.arrival(block)? {
            Arrival::Settled => (Added::Already, Adding::Nothing),
            Arrival::Early(settled) => (Added::Refused(Refusal::Early { settled }), Adding::Nothing),
            Arrival::Elsewhere(ends) => (Added::Refused(Refusal::Ends(ends)), Adding::Nothing),
            // Its log goes on behind it, so it has to be settled.
            Arrival::Known => (Added::Already, Adding::PassesOver(self.passed_over(block))),
            Arrival::Next => {
                let pending_bytes = self.tracker.pending_bytes();
                if pending_bytes > 0 && pending_bytes + block.body_len() as u64 > pending_bytes_max {
                    return Ok((Added::Refused(Refusal::Room { pending_bytes }), Adding::Nothing));
                }
                (Added::Now, Adding::Adds)
            }
        })
    }

    pub(super) fn pass_over(&self, block: &Block) -> Result<Decision<PassedOver>> {
        block.check()?;
        Ok(match self.tracker.follows(block.log(), block.position(), block.previous)? {
            Follows::Settled => Stands(PassedOver::Already),
            Follows::Early(settled) => Stands(PassedOver::Early { settled }),
            Follows::Next => Logs(self.passed_over(block), PassedOver::Now),
        })
    }

    fn passed_over(&self, block: &Block) -> Event {
        let unknown = |range: &&SourceRange| self.tracker.end(block.stream, range.partition).end.is_none();
        Event::PassedOver {
            log: block.log(),
            position: block.position(),
            previous: block.previous,
            begins: block.ranges.iter().filter(unknown).map(|range| (range.partition, range.from)).collect(),
        }
    }

    pub(super) fn move_end(&self, stream: u32, lost: SourceRange) -> Result<Decision<Moved>> {
        if lost.from >= lost.to {
            let message = format!("a lost range is not empty: stream={stream} lost={lost:?}");
            return Err(Error::new(Kind::Invalid, message));
        }
        let end = self.tracker.end(stream, lost.partition);
        Ok(match end.end {
            Some(at) if at == lost.from => Logs(Event::EndMoved { stream, lost }, Moved::Now),
            Some(at) if at >= lost.to => Stands(Moved::Already),
            _ => Stands(Moved::Refused(end)),
        })
    }

    /// The answer says only whether there is an allotment; what is in it, the state tells once it is durable.
    pub(super) fn allot(&self, wanted: Wanted) -> Result<Decision<Allotted<()>>> {
        wanted.check()?;
        match self.ledger.standing(wanted.batch) {
            Standing::Pending => return Ok(Stands(Allotted::Has(()))),
            Standing::New => {}
            other => return Ok(Stands(Allotted::Over(other))),
        }
        Ok(match self.tracker.would_take(&wanted)? {
            Err(end) => Stands(Allotted::Elsewhere(end)),
            Ok(runs) => {
                let Wanted { batch, since, direct, .. } = wanted;
                Logs(Event::Allotted { batch, since, runs, direct }, Allotted::Has(()))
            }
        })
    }

    pub(super) fn commit(&self, output: OutputId, attempt: u64) -> Decision<Committed> {
        let recorded = self.ledger.recorded(output);
        match (recorded, self.ledger.standing(output.batch)) {
            (Some(recorded), _) if recorded == attempt => Stands(Committed::Recorded),
            (Some(recorded), _) => Stands(Committed::Other { attempt: recorded }),
            (None, Standing::Pending) => Logs(Event::Committed { output, attempt }, Committed::Recorded),
            (None, standing) => Stands(Committed::Refused(standing)),
        }
    }

    pub(super) fn finish(&self, batch: BatchId) -> Decision<Ended> {
        match self.ledger.standing(batch) {
            Standing::Pending => Logs(Event::Finished { batch }, Ended::Now),
            Standing::Finished => Stands(Ended::Already),
            other => Stands(Ended::Refused(other)),
        }
    }

    pub(super) fn give_up(&self, batch: BatchId, reason: Bytes) -> Result<Decision<Ended>> {
        if reason.len() > OWN_BYTES_MAX {
            let message = format!("a reason is too long: batch={batch} bytes={}", reason.len());
            return Err(Error::new(Kind::Invalid, message));
        }
        Ok(match self.ledger.standing(batch) {
            Standing::Pending => Logs(Event::GivenUp { batch, reason }, Ended::Now),
            Standing::GivenUp => Stands(Ended::Already),
            other => Stands(Ended::Refused(other)),
        })
    }

    pub(super) fn forget(&self, before: BatchId, floor: u64) -> Decision<usize> {
        match self.ledger.would_forget(before, floor) {
            0 => Stands(0),
            count => Logs(Event::Forgotten { before, floor }, count),
        }
    }

    pub(super) fn retire(&self, log: Option<ReceiverLog>, below: Position) -> Result<Decision<Retiring>> {
        if below > Position::LIMIT {
            let message = format!("no log gets so far: below={below}");
            return Err(Error::new(Kind::Invalid, message));
        }
        let intended = match log {
            None => self.tracker.journal_retires(),
            Some(log) => self.tracker.retires(log),
        };
        if below <= intended {
            return Ok(Stands(Retiring::Intended));
        }
        let need = log.map(|log| self.tracker.needed_of(log)).filter(|&need| need < below);
        Ok(match need {
            Some(need) => Stands(Retiring::Needed { from: need }),
            None => Logs(Event::RetireIntended { log, below }, Retiring::Intended),
        })
    }
}
