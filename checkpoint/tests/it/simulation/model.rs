//! What writers handed in and what they were told: from this, and from nothing of the engine, follows what must be there.

use std::collections::{BTreeMap, BTreeSet};

use headwater_checkpoint::Id;

use super::files;

/// What its writer knows of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing yet.
    Pending,
    /// It was told that it is there.
    Acked,
    /// It was told that it may be there: the outcome is unknown, or the writer was found to be replaced.
    Unsettled,
    /// It was told that it is not there.
    Denied,
}

/// A section as it was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) bytes: Vec<u8>,
    pub(crate) revision: Option<u64>,
    /// Whose parts it lies in: the checkpoint that wrote it, the section's ordinal there, and how many.
    pub(crate) parts: Option<(Id, u32, u32)>,
}

/// A checkpoint that somebody tried to publish.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) sections: Vec<(String, Section)>,
    pub(crate) position: u64,
    /// The heads that were kept when it was put, as far as this one keeps them too.
    pub(crate) chain: Vec<Id>,
    pub(crate) outcome: Outcome,
}

/// A writer that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) epoch: u64,
    /// The newest that it was given.
    pub(crate) base: Option<Id>,
}

/// The record of one folder of checkpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) attempts: BTreeMap<Id, Attempt>,
    /// The writers that began while no newer one did.
    pub(crate) starts: Vec<Start>,
    /// Epochs whose writers may have begun.
    pub(crate) epochs: BTreeSet<u64>,
    counter: u64,
}

impl Model {
    /// A number that was never drawn before.
    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn newest_acked(&self) -> Option<Id> {
        let acked = |(id, attempt): (&Id, &Attempt)| (attempt.outcome == Outcome::Acked).then_some(*id);
        self.attempts.iter().rev().find_map(acked)
    }

    /// The newest that could be there at all.
    pub(crate) fn newest_possible(&self) -> Option<Id> {
        let denied = |attempt: &Attempt| attempt.outcome == Outcome::Denied;
        self.attempts.iter().rev().find(|(_, attempt)| !denied(attempt)).map(|(id, _)| *id)
    }

    pub(crate) fn is_replaced(&self, epoch: u64) -> bool {
        self.epochs.last().is_some_and(|newest| *newest > epoch)
    }

    /// No writer reported a success that its heir, when it began, did not see (P5).
    pub(crate) fn no_success_went_unseen(&self) {
        for start in &self.starts {
            let older = self.attempts.iter().filter(|(id, _)| id.epoch < start.epoch);
            let acked = older.filter(|(_, attempt)| attempt.outcome == Outcome::Acked);
            let newest = acked.map(|(id, _)| *id).next_back();
            assert!(newest <= start.base, "acknowledged and not seen by the heir: {newest:?} {start:?}");
        }
    }

    /// The names of everything that these checkpoints consist of.
    pub(crate) fn files<'a>(&self, ids: impl IntoIterator<Item = &'a Id>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for id in ids {
            names.insert(files::head(*id));
            for (_, section) in &self.attempts[id].sections {
                let (of, ordinal, count) = section.parts.unwrap_or((*id, 0, 0));
                names.extend((0..count).map(|part| files::part(of, ordinal, part)));
            }
        }
        names
    }
}
