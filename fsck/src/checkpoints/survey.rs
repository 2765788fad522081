//! What lies in a folder of checkpoints, by names, lengths and heads: no byte of a section is read.

use std::sync::Arc;

use headwater_checkpoint::{Checkpoint, Content, Id};
use headwater_wal::store::Store;
use headwater_wal::{Error, Position, Result, Time};

use super::look::look;

/// What a folder of checkpoints holds.
#[derive(Clone, Debug)]
pub struct Survey {
    pub(super) place: String,
    pub(super) heads: Vec<Head>,
    pub(super) newest: Option<Id>,
    pub(super) claims: Vec<u64>,
    pub(super) all: Objects,
    pub(super) parts: Objects,
    pub(super) litter: Objects,
    pub(super) unfinished: Objects,
    pub(super) gone: Vec<Id>,
    pub(super) foreign: Vec<String>,
    pub(super) foreign_count: u64,
}

/// A head that was found, and what can be said of it.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which checkpoint it is the head of.
    pub id: Id,
    /// The length of the object.
    pub object_bytes: u64,
    /// What it is good for.
    pub state: State,
    /// What it states, where that could be read.
    pub stated: Option<Stated>,
    /// What is wrong with it: with the head, or the first of its parts that are not there.
    pub wrong: Option<Error>,
}

/// What a head states, in short.
#[derive(Clone, Debug)]
pub struct Stated {
    /// When it was put.
    pub time: Time,
    /// What its sections are.
    pub content: Content,
    /// From where logs have to be replayed.
    pub positions: Vec<(String, Position)>,
    /// How many sections it has.
    pub sections: u64,
    /// The length of them all.
    pub bytes: u64,
    /// What it takes in the store by itself.
    pub new_bytes: u64,
    /// What it has in the store together with checkpoints before it.
    pub shared_bytes: u64,
}

/// What a checkpoint is good for, as far as names, lengths and heads tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The one to restore from.
    Newest,
    /// Kept together with the newest.
    Kept,
    /// Not among those that the newest keeps, though as new as they are: of a replaced writer, or passed over.
    Dead,
    /// Kept no longer, and not removed yet.
    LeftOver,
    /// Its head does not verify, or a part of it is not there.
    Damaged,
    /// Written by a newer release.
    Unsupported,
}

impl State {
    /// Its name in JSON, which stays.
    pub fn name(self) -> &'static str {
        match self {
            State::Newest => "newest",
            State::Kept => "kept",
            State::Dead => "dead",
            State::LeftOver => "left-over",
            State::Damaged => "damaged",
            State::Unsupported => "unsupported",
        }
    }

    /// Whether it counts: what is dead or left over is of no consequence, good or bad.
    pub fn counts(self) -> bool {
        !matches!(self, State::Dead | State::LeftOver)
    }
}

/// So many objects, and how long they are together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// How many.
    pub count: u64,
    /// Their length.
    pub bytes: u64,
}

impl Objects {
    pub(super) fn add(&mut self, more: Objects) {
        self.count += more.count;
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl Survey {
    /// Where the folder is.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Every head, oldest first.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The head of that checkpoint.
    pub fn head(&self, id: Id) -> Option<&Head> {
        self.heads.binary_search_by_key(&id, |head| head.id).ok().map(|at| &self.heads[at])
    }

    /// The checkpoint to restore from, as far as nothing is known of the logs.
    pub fn newest(&self) -> Option<Id> {
        self.newest
    }

    /// The epochs that were claimed, oldest first.
    pub fn claims(&self) -> &[u64] {
        &self.claims
    }

    /// Everything in the folder that a writer of checkpoints has put there.
    pub fn all(&self) -> Objects {
        self.all
    }

    /// The parts among them.
    pub fn parts(&self) -> Objects {
        self.parts
    }

    /// The parts that no checkpoint that counts is known to name: the next sweep removes them.
    pub fn litter(&self) -> Objects {
        self.litter
    }

    /// The parts of checkpoints newer than the newest: of one that is being written, or that never was finished.
    pub fn unfinished(&self) -> Objects {
        self.unfinished
    }

    /// Checkpoints that the newest one keeps, and that are not there.
    pub fn gone(&self) -> &[Id] {
        &self.gone
    }

    /// Names that are not of checkpoints, escaped; the first hundred.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// How many names are not of checkpoints.
    pub fn foreign_count(&self) -> u64 {
        self.foreign_count
    }
}

/// Looks at the folder of checkpoints at a store's root, also beside its writer.
///
/// What is wrong with a checkpoint stands in the survey. The errors are those of looking: `NotThere` if there are no
/// checkpoints here, `Unavailable` if something could not be read.
pub fn survey(store: &Arc<dyn Store>) -> Result<Survey> {
    Ok(look(store)?.survey)
}

impl Stated {
    pub(super) fn of(checkpoint: &Checkpoint) -> Stated {
        Stated {
            time: checkpoint.time(),
            content: checkpoint.content().clone(),
            positions: checkpoint.positions().to_vec(),
            sections: checkpoint.sections().len() as u64,
            bytes: checkpoint.bytes(),
            new_bytes: checkpoint.new_bytes(),
            shared_bytes: checkpoint.shared_bytes(),
        }
    }
}
