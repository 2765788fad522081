//! The checkpoints that are kept, and what each of them has of the journal.

use std::sync::Arc;

use headwater_checkpoint::journal::{Need, State};
use headwater_checkpoint::resume::{JOURNAL, STATE};
use headwater_checkpoint::{Checkpoints, Id};
use headwater_wal::store::Store;
use headwater_wal::{Error, Kind, Position, Result};

use crate::checkpoints;

/// A look is repeated while checkpoints are pruned under it.
const LOOKS_MAX: u32 = 5;

/// A checkpoint that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Which one.
    pub id: Id,
    /// Whether it is the one to restore from.
    pub newest: bool,
    /// What it says of the journal, or why that cannot be read.
    pub said: Result<Said>,
}

/// What a checkpoint says of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// From where the journal is to be replayed.
    pub position: Position,
    /// How many events made its state.
    pub events: u64,
    /// From where on it needs the receivers' logs.
    pub need: Need,
}

/// The kept checkpoints of a folder, oldest first; none if there is no such folder.
pub(super) fn kept(store: &Arc<dyn Store>) -> Result<Vec<Kept>> {
    if !checkpoints::is_here(&**store)? {
        return Ok(Vec::new());
    }
    let folder = Checkpoints::open(store.clone());
    for _ in 0..LOOKS_MAX {
        let survey = checkpoints::survey(store)?;
        let mut kept = Vec::new();
        for head in survey.heads().iter().filter(|head| head.state.counts()) {
            let said = match &head.wrong {
                Some(error) => Err(error.clone()),
                None => said(&folder, head.id),
            };
            match said {
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                said => kept.push(Kept { id: head.id, newest: survey.newest() == Some(head.id), said }),
            }
        }
        let gone = |kept: &Kept| {
            let error = kept.said.as_ref().err().map(Error::kind);
            matches!(error, Some(Kind::NotThere | Kind::Retired))
        };
        if !kept.iter().any(gone) || folder.list()?.last() == survey.heads().last().map(|head| &head.id) {
            return Ok(kept);
        }
    }
    let message = "checkpoints keep going while they are looked at; try again";
    Err(Error::new(Kind::Unavailable, format!("{message} place={}", store.place())))
}

fn said(folder: &Checkpoints, id: Id) -> Result<Said> {
    let checkpoint = folder.get(id)?;
    let position = checkpoint.position(JOURNAL).ok_or_else(|| {
        let message = "the checkpoint is not a driver's: it has no position in the journal";
        Error::new(Kind::Invalid, message)
    })?;
    let mut section = folder.read_section(&checkpoint, STATE)?;
    let outline = State::outline(&mut section);
    let (events, need) = outline.map_err(|error| section.failure().cloned().unwrap_or(error))?;
    Ok(Said { position, events, need })
}

/// The journal's state, as a checkpoint has it.
pub(super) fn restore(folder: &Checkpoints, id: Id) -> Result<State> {
    let checkpoint = folder.get(id)?;
    let mut section = folder.read_section(&checkpoint, STATE)?;
    State::restore(&mut section).map_err(|error| section.failure().cloned().unwrap_or(error))
}
