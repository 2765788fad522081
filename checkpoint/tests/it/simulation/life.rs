//! A writer that records what it hands in and what it is told.

use std::io::Write as _;

use headwater_checkpoint::{Checkpoint, Held, Id, Latest, Writer};
use headwater_wal::Kind;
use headwater_wal::store::sim::Process;

use super::files;
use super::model::{Attempt, Outcome};
use super::section::{How, add};
use super::world::{KEEP_LAST, World};
use crate::fixture::{at, noise};

/// What becomes of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Publish,
    Drop,
    /// A section of it is begun and left, and then it is published.
    Unfinished,
}

/// One writer from its start on.
#[derive(Debug)]
pub(crate) struct Life {
    world: World,
    pub(crate) process: Process,
    pub(crate) writer: Writer,
    pub(crate) epoch: u64,
    follows: Option<Id>,
    shares: bool,
    kept: Vec<Id>,
    keep_last: usize,
    /// Whether the last draft that it began was published.
    published: bool,
    /// Whether it has not published any.
    first: bool,
}

impl Life {
    pub(crate) fn new(world: World, process: Process, writer: Writer, epoch: u64, latest: &Latest) -> Life {
        let kept = writer.kept().collect();
        let follows = latest.checkpoint.as_ref().map(Checkpoint::id);
        assert_eq!(writer.follows().map(Checkpoint::id), follows);
        let shares = latest.passed_over.is_empty();
        let keep_last = KEEP_LAST;
        Life {
            world,
            process,
            writer,
            epoch,
            follows,
            shares,
            kept,
            keep_last,
            published: false,
            first: true,
        }
    }

    /// Makes a checkpoint of these sections; its id if it was acknowledged.
    pub(crate) fn checkpoint(&mut self, sections: &[(&str, How)], then: Then) -> Option<Id> {
        let (faults, operations) = (self.faults(), self.process.operations());
        self.published = false;
        let heir = self.world.model().starts.iter().any(|start| start.epoch > self.epoch);
        let before = self.follows.filter(|_| self.shares);
        let base = before.map(|id| self.world.model().attempts[&id].sections.clone()).unwrap_or_default();
        let mut draft = match self.writer.draft() {
            Ok(draft) => draft,
            Err(error) => {
                assert_eq!(error.kind(), Kind::Fenced);
                return None;
            }
        };
        let id = draft.id();
        assert_eq!(draft.follows(), before, "only with the one that it follows");
        assert!(!self.world.model().attempts.contains_key(&id), "a number was used before: {id}");
        let position = self.world.model().number();
        let chain = self.kept.iter().copied().take(self.keep_last - 1).collect();
        let mut attempt = Attempt { sections: Vec::new(), position, chain, outcome: Outcome::Pending };
        let mut poisoned = false;
        for (name, how) in sections {
            let known = base.iter().find(|(known, _)| known == name).map(|(_, section)| section);
            match add(&self.world, &mut draft, name, *how, known, attempt.sections.len() as u32) {
                Ok(Some(section)) => attempt.sections.push(((*name).to_owned(), section)),
                Ok(None) => {}
                Err(error) => {
                    self.world.explained(&error);
                    poisoned = true;
                    break;
                }
            }
        }
        match then {
            Then::Publish => {}
            Then::Drop => return None,
            Then::Unfinished => {
                if let Ok(mut section) = draft.section("unfinished") {
                    let _ = section.write_all(&noise(1, 150));
                }
                poisoned = true;
            }
        }
        self.world.model().attempts.insert(id, attempt);
        let answer = draft.publish(&at(position));
        let outcome = match &answer {
            Ok(told) => {
                assert!(!poisoned && *told == id, "a draft that failed was published: {id}");
                assert!(!heir, "a success after its heir had begun (P5): {id}");
                Outcome::Acked
            }
            Err(_) if poisoned => Outcome::Denied,
            Err(error) if matches!(error.kind(), Kind::Unknown | Kind::Fenced) => Outcome::Unsettled,
            Err(error) => {
                self.world.explained(error);
                Outcome::Denied
            }
        };
        if let Some(attempt) = self.world.model().attempts.get_mut(&id) {
            attempt.outcome = outcome;
        }
        self.world.tally.count(format!("publish: {outcome:?}"));
        match answer {
            Ok(_) => self.published(id),
            Err(error) if error.kind() == Kind::Fenced => {
                assert!(self.world.model().is_replaced(self.epoch), "nobody replaced it: {error:?}");
                self.world.tally.count("publish: Fenced");
            }
            Err(error) => {
                let alive = self.process.operations() > operations;
                let calm = alive && faults == self.faults() && !poisoned;
                assert!(!calm, "a calm device, and it is not published: {error:?}");
            }
        }
        (outcome == Outcome::Acked).then_some(id)
    }

    fn published(&mut self, id: Id) {
        (self.follows, self.shares, self.published, self.first) = (Some(id), true, true, false);
        self.kept.truncate(self.keep_last - 1);
        self.kept.insert(0, id);
        assert_eq!(self.writer.kept().collect::<Vec<_>>(), self.kept);
        assert_eq!(self.writer.follows().map(Checkpoint::id), Some(id));
        self.is_tidy();
    }

    pub(crate) fn sweep(&mut self) {
        if let Err(error) = self.writer.sweep() {
            self.world.explained(&error);
        }
        self.is_tidy();
    }

    /// Garbage is bounded. After a sweep that succeeded there is nothing of this epoch or of older ones but what the
    /// kept heads consist of, the claim, and:
    ///
    /// - the parts of drafts that it has begun since;
    /// - what late requests have put there meanwhile, or will;
    /// - what writers that were replaced and do not know it put there: the parts of the drafts that they make before
    ///   they next publish, and the one head of that.
    pub(crate) fn is_tidy(&self) {
        if let Some(error) = self.writer.unswept() {
            return self.world.explained(error);
        }
        if !self.published || self.world.model().is_replaced(self.epoch) {
            return;
        }
        let mut litter = self.world.litter_beside(&self.kept, self.epoch);
        let landed = self.world.landed();
        litter.retain(|name| !landed.contains(name));
        litter.retain(|name| !self.world.crowd || files::epoch_of(name) == self.epoch);
        assert!(litter.is_empty(), "litter after a sweep: {litter:?}");
        self.world.tally.count("tidy folders");
    }

    /// The bytes of what it was to restore from are found to be bad.
    pub(crate) fn fall_back(&mut self) {
        match self.writer.fall_back(&Held::nothing()) {
            Ok(latest) => {
                assert!(self.first);
                let older = latest.checkpoint.as_ref().map(Checkpoint::id);
                assert!(older < self.follows, "older than what was bad: {older:?} {:?}", self.follows);
                (self.follows, self.shares) = (older, false);
                self.kept = self.writer.kept().collect();
                self.world.tally.count("fall back");
            }
            Err(error) if error.kind() == Kind::Invalid => {
                assert!(!self.first || self.follows.is_none(), "{error:?}");
            }
            Err(error) => self.world.explained(&error),
        }
    }

    pub(crate) fn keep_last(&mut self, count: usize) {
        self.writer.keep_last(count).unwrap();
        self.keep_last = count;
    }

    /// Reads back what it follows.
    pub(crate) fn reads_back(&self) {
        if let Some(found) = self.writer.follows() {
            let replaced = self.world.model().is_replaced(self.epoch);
            if let Err(error) = self.world.is_whole(&self.process, found, replaced) {
                self.world.explained(&error);
            }
        }
    }

    /// Its process goes on, and it does not.
    pub(crate) fn leave(self) {
        drop(self.writer);
    }

    fn faults(&self) -> u64 {
        self.world.sim.events().values().sum()
    }
}
