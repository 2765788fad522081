//! Which batches there are, how each of them stands, and which output of which attempt is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wal::{Error, Kind, Result};

use super::batch::{BatchId, OutputId};
use super::event::Event;

/// What is done: one of the two states that the events of a journal make.
///
/// A batch that was allotted is pending until it is finished or given up on purpose, however often it fails. What was
/// recorded of it stays until it is forgotten, which only an ended one can be, and only with an event that names how far.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(super) batches: BTreeMap<BatchId, Arc<Account>>,
    /// The newest batch that was ever allotted.
    pub(super) newest: Option<BatchId>,
    /// Ended batches below it may have been forgotten.
    pub(super) forgotten: BatchId,
}

/// What is recorded of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// How it ended, and by which event.
    pub(super) ended: Option<(Ending, u64)>,
    /// The recorded attempt of each output.
    pub(super) outputs: BTreeMap<u32, u64>,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Finished,
    GivenUp,
}

/// How a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It was never allotted, and still can be.
    New,
    /// It was never allotted, and a later one was.
    Passed,
    /// It has its input, and is not done.
    Pending,
    /// It is done.
    Finished,
    /// It was given up on purpose.
    GivenUp,
    /// It ended, or was passed, and nothing more is known of it.
    Forgotten,
}

impl Ledger {
    /// How a batch stands.
    pub fn standing(&self, batch: BatchId) -> Standing {
        match self.batches.get(&batch) {
            Some(account) => match account.ended {
                None => Standing::Pending,
                Some((Ending::Finished, _)) => Standing::Finished,
                Some((Ending::GivenUp, _)) => Standing::GivenUp,
            },
            None if self.newest.is_none_or(|newest| batch > newest) => Standing::New,
            None if batch < self.forgotten => Standing::Forgotten,
            None => Standing::Passed,
        }
    }

    /// The newest batch that was ever allotted.
    pub fn newest(&self) -> Option<BatchId> {
        self.newest
    }

    /// The attempt that is recorded for an output.
    pub fn recorded(&self, output: OutputId) -> Option<u64> {
        self.batches.get(&output.batch)?.outputs.get(&output.partition).copied()
    }

    /// The recorded outputs of a batch: partition and attempt.
    pub fn outputs(&self, batch: BatchId) -> impl Iterator<Item = (u32, u64)> {
        let account = self.batches.get(&batch);
        account.into_iter().flat_map(|account| account.outputs.iter().map(|(&at, &attempt)| (at, attempt)))
    }

    /// The batches that are not forgotten, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = (BatchId, Standing)> {
        self.batches.keys().map(|&batch| (batch, self.standing(batch)))
    }

    /// How many batches would be forgotten: see [`Event::Forgotten`].
    pub fn would_forget(&self, before: BatchId, floor: u64) -> usize {
        self.ended_below(before, floor).count()
    }

    fn ended_below(&self, before: BatchId, floor: u64) -> impl Iterator<Item = BatchId> {
        let ended = move |(&batch, account): (&BatchId, &Arc<Account>)| {
            account.ended.is_some_and(|(_, number)| number < floor).then_some(batch)
        };
        self.batches.range(..before).filter_map(ended)
    }

    /// Takes in an event that was logged, given how many events came before it.
    ///
    /// `Damaged`: it contradicts those before it.
    pub fn apply(&mut self, number: u64, event: &Event) -> Result<()> {
        match event {
            Event::Allotted { batch, .. } => {
                if self.standing(*batch) != Standing::New {
                    return contradiction("a batch was allotted out of turn", *batch, self.standing(*batch));
                }
                self.batches.insert(*batch, Arc::default());
                self.newest = Some(*batch);
            }
            Event::Committed { output, attempt } => {
                let account = self.pending(output.batch, "an output was committed")?;
                if account.outputs.insert(output.partition, *attempt).is_some() {
                    return contradiction("an output was committed twice", output.batch, Standing::Pending);
                }
            }
            Event::Finished { batch } => {
                self.pending(*batch, "a batch was finished")?.ended = Some((Ending::Finished, number));
            }
            Event::GivenUp { batch, .. } => {
                self.pending(*batch, "a batch was given up")?.ended = Some((Ending::GivenUp, number));
            }
            Event::Forgotten { before, floor } => {
                let gone: Vec<_> = self.ended_below(*before, *floor).collect();
                gone.iter().for_each(|batch| drop(self.batches.remove(batch)));
                self.forgotten = self.forgotten.max(*before);
            }
            _ => {}
        }
        Ok(())
    }

    fn pending(&mut self, batch: BatchId, what: &str) -> Result<&mut Account> {
        let standing = self.standing(batch);
        match self.batches.get_mut(&batch) {
            Some(account) if account.ended.is_none() => Ok(Arc::make_mut(account)),
            _ => contradiction(what, batch, standing),
        }
    }
}

fn contradiction<T>(what: &str, batch: BatchId, standing: Standing) -> Result<T> {
    let message = format!("the journal contradicts itself: {what}: batch={batch} standing={standing:?}");
    Err(Error::new(Kind::Damaged, message))
}
