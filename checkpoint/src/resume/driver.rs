//! A started driver: its journal, its checkpoints, and what they still need.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use headwater_wal::{Error, Kind, Pinned, Position, Result};
use parking_lot::Mutex;

use super::{JOURNAL, STATE};
use crate::background::{Background, Captured, Status, Ticket};
use crate::checkpoint::Id;
use crate::checkpoints::Checkpoints;
use crate::draft::Draft;
use crate::journal::{BatchId, Journal, Need, Snapshot, State};
use crate::receive::Reports;
use crate::writer::Writer;

/// A driver at work. All calls may be made from any number of threads.
#[derive(Debug)]
pub struct Driver {
    journal: Arc<Journal>,
    checkpoints: Checkpoints,
    pub(super) writing: Writing,
    pub(super) needs: Arc<Mutex<Needs>>,
    /// The journal from where a kept checkpoint needs it.
    pub(super) pin: Mutex<Option<Pinned>>,
}

/// Who writes checkpoints.
#[derive(Debug)]
pub(super) enum Writing {
    Beside(Background),
    Here(Box<Mutex<Here>>),
}

#[derive(Debug)]
pub(super) struct Here {
    writer: Writer,
    status: Status,
}

/// What checkpoints need, by their names, as far as that is known.
pub(super) type Needs = BTreeMap<Id, Needed>;

/// What a checkpoint needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// The journal, from here on.
    pub(super) journal: Position,
    /// The receivers' logs.
    pub(super) received: Need,
    /// How many events it knows.
    pub(super) events: u64,
}

impl Driver {
    pub(super) fn start(
        journal: Journal,
        writer: Writer,
        background_bytes_max: Option<u64>,
    ) -> Result<Driver> {
        let checkpoints = writer.checkpoints().clone();
        let writing = match background_bytes_max {
            Some(bytes_max) => Writing::Beside(Background::start(writer, bytes_max)?),
            None => {
                let status = Status { kept: writer.kept().collect(), ..Status::default() };
                Writing::Here(Box::new(Mutex::new(Here { writer, status })))
            }
        };
        Ok(Driver {
            journal: Arc::new(journal),
            checkpoints,
            writing,
            needs: Arc::default(),
            pin: Mutex::new(None),
        })
    }

    /// The journal: what arrives, is allotted, is done.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What receivers report to: this driver, for as long as it runs.
    pub fn reports(&self) -> Reports {
        Reports::to(&self.journal)
    }

    /// The checkpoints, for looking at.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// The journal's state at this moment, for a checkpoint of the application's state at the same moment.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.journal.snapshot()
    }

    /// Has a checkpoint written: the journal's state as of `snapshot`, and what `write` adds of the application's, which
    /// takes about so many bytes in memory. See [`Captured::new`] for what `write` may do.
    ///
    /// The ticket answers once this state, or a newer one, is durable. Sections of the application's have any names but
    /// those that begin with `headwater/`.
    pub fn checkpoint(
        &self,
        snapshot: Snapshot,
        bytes: u64,
        mut write: impl FnMut(&mut Draft<'_>) -> Result<()> + Send + 'static,
    ) -> Result<Ticket> {
        let Snapshot { state, position } = snapshot;
        let needed = Needed { journal: position, received: state.tracker().need(), events: state.events() };
        let bytes = bytes.saturating_add(state.tracker().pending_bytes());
        let needs = self.needs.clone();
        let write = move |draft: &mut Draft<'_>| {
            save(&state, draft)?;
            needs.lock().insert(draft.id(), needed.clone());
            write(draft)
        };
        match &self.writing {
            Writing::Beside(background) => {
                background.submit(Captured::new(&[(JOURNAL, position)], bytes, write))
            }
            Writing::Here(here) => here.lock().write(position, write),
        }
    }

    /// How checkpointing goes.
    pub fn status(&self) -> Status {
        match &self.writing {
            Writing::Beside(background) => background.status(),
            Writing::Here(here) => here.lock().status.clone(),
        }
    }

    /// Forgets the outputs of batches below `before` that ended, as far as every kept checkpoint knows that. How many
    /// they were.
    pub fn forget(&self, before: BatchId) -> Result<usize> {
        let kept = self.kept_needs()?;
        let floor = kept.values().map(|needed| needed.events).min().unwrap_or(0);
        self.journal.forget(before, floor)
    }

    /// Ends in order: what waits to be checkpointed is written, then the journal is sealed.
    pub fn close(self) -> Result<()> {
        let Driver { journal, writing, pin, .. } = self;
        drop(pin);
        let written = match writing {
            Writing::Beside(background) => background.close().map(drop),
            Writing::Here(_) => Ok(()),
        };
        journal.close().and(written)
    }

    /// What each kept checkpoint needs. `Err`: one of them cannot be read, so that is not known.
    pub(super) fn kept_needs(&self) -> Result<Needs> {
        let kept = self.status().kept;
        let mut known = self.needs.lock().clone();
        known.retain(|id, _| kept.contains(id));
        for id in kept {
            if let Entry::Vacant(unknown) = known.entry(id) {
                unknown.insert(self.needed_by(id)?);
            }
        }
        // A draft that is being written puts its own in meanwhile.
        let oldest = known.keys().next().copied();
        let mut needs = self.needs.lock();
        needs.retain(|id, _| oldest.is_some_and(|oldest| *id >= oldest));
        needs.extend(known.iter().map(|(id, needed)| (*id, needed.clone())));
        Ok(known)
    }

    fn needed_by(&self, id: Id) -> Result<Needed> {
        let checkpoint = self.checkpoints.get(id)?;
        let journal = checkpoint.position(JOURNAL).ok_or_else(|| {
            Error::new(Kind::Invalid, format!("the checkpoint has no journal position: checkpoint={id}"))
        })?;
        let mut section = self.checkpoints.read_section(&checkpoint, STATE)?;
        let outline = State::outline(&mut section);
        let (events, received) = outline.map_err(|error| section.failure().cloned().unwrap_or(error))?;
        Ok(Needed { journal, received, events })
    }
}

impl Here {
    fn write(
        &mut self,
        position: Position,
        mut write: impl FnMut(&mut Draft<'_>) -> Result<()>,
    ) -> Result<Ticket> {
        let mut attempt = || {
            let mut draft = self.writer.draft()?;
            write(&mut draft)?;
            draft.publish(&[(JOURNAL, position)])
        };
        let outcome = attempt();
        let status = &mut self.status;
        match &outcome {
            Ok(id) => {
                let at = self.writer.follows().map_or_else(Default::default, |published| published.time());
                (status.published, status.failures, status.failure) = (Some((*id, at)), 0, None);
                status.kept = self.writer.kept().collect();
                status.unswept = self.writer.unswept().cloned();
            }
            Err(error) => {
                status.failures += 1;
                status.failure = Some(error.clone());
            }
        }
        outcome.map(|id| Ticket::answered(Ok(id)))
    }
}

fn save(state: &State, draft: &mut Draft<'_>) -> Result<()> {
    let mut section = draft.section(STATE)?;
    let saved = state.save(&mut section);
    let failed = section.failure();
    match (saved, failed) {
        (Ok(()), _) => section.finish(),
        (Err(_), Some(failed)) => Err(failed),
        (Err(error), None) => Err(error),
    }
}
