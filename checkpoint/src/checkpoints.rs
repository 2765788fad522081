//! Writing checkpoints, and finding the newest good one.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::{Name, Store, What};
use headwater_wal::{Error, Kind, Position, Result};

use crate::head::{self, HEAD_BYTES, STATE_BYTES_MAX};

/// Which checkpoint: the greatest is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The epoch of its writer: that of the journal that the writer had started.
    pub epoch: u64,
    /// Its number among the epoch's own.
    pub number: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

/// A checkpoint as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which one it is.
    pub id: Id,
    /// The state.
    pub state: Bytes,
    /// The state holds exactly the effects of the journal's events below here.
    pub journal: Position,
}

impl fmt::Debug for Checkpoint {
    /// Not the state, which is the caller's and may be secret, only its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoint({}, journal={}, bytes={})", self.id, self.journal, self.state.len())
    }
}

/// What was found when the newest checkpoint was looked for.
#[derive(Debug)]
pub struct Latest {
    /// The newest that verifies, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that do not verify: the error of each, newest first. They were left alone.
    pub passed_over: Vec<Error>,
}

/// The checkpoints at a store's root.
#[derive(Debug)]
pub struct Checkpoints {
    store: Arc<dyn Store>,
    next: Id,
}

impl Checkpoints {
    /// The checkpoints of a writer of this epoch: that of the journal, which has one started writer an epoch. Nothing is
    /// changed.
    pub fn open(store: Arc<dyn Store>, epoch: u64) -> Result<Self> {
        let mine = heads(&*store)?.into_iter().rfind(|id| id.epoch == epoch);
        let next = Id { epoch, number: mine.map_or(0, |id| id.number + 1) };
        Ok(Checkpoints { store, next })
    }

    /// Writes a checkpoint; on return it is durable, and the newest one.
    ///
    /// `Fenced`: a newer epoch has written one, so nobody will use this one. `Unknown`: it may be there or may yet come;
    /// write the next one, which counts whatever becomes of this one. `Invalid`: the state is longer than
    /// [`STATE_BYTES_MAX`].
    pub fn write(&mut self, state: Bytes, journal: Position) -> Result<Id> {
        if state.len() > STATE_BYTES_MAX {
            let message =
                format!("the state is too long for one head: bytes={} most={STATE_BYTES_MAX}", state.len());
            return Err(Error::new(Kind::Invalid, message));
        }
        let id = self.next;
        // Whatever comes of this one, its name is not used for other bytes.
        self.next.number += 1;
        let bytes = head::encode(id, journal, &state);
        match self.store.put(&head::name(id), bytes.clone()) {
            Err(error) if error.kind() == Kind::Exists => self.settle(id, &bytes, error)?,
            other => other?,
        }
        match heads(&*self.store)?.last() {
            Some(newest) if newest.epoch > id.epoch => {
                let message = format!("a newer writer has written a checkpoint: mine={id} newest={newest}");
                Err(Error::new(Kind::Fenced, message))
            }
            _ => Ok(id),
        }
    }

    /// The name is taken: perhaps by this very put, whose answer was lost.
    fn settle(&self, id: Id, bytes: &Bytes, exists: Error) -> Result<()> {
        let name = head::name(id);
        match self.store.read(&name, 0..bytes.len() as u64 + 1) {
            Ok(found) if found == *bytes => Ok(()),
            Ok(_) => {
                let message = format!("another writer of this epoch has written this checkpoint: id={id}");
                Err(Error::new(Kind::Fenced, message).at(name.as_str(), 0).because(exists))
            }
            Err(error) => {
                let message =
                    format!("the store says that the checkpoint exists, and does not show it: id={id}");
                Err(Error::new(Kind::Unknown, message).at(name.as_str(), 0).because(error))
            }
        }
    }

    /// The newest checkpoint that verifies, and the newer ones that do not.
    ///
    /// `Unsupported`: the newest one that could be used was written by a newer release. An older one would not do: what
    /// lies between them may be retired.
    pub fn latest(&self) -> Result<Latest> {
        let mut passed_over = Vec::new();
        for id in heads(&*self.store)?.into_iter().rev() {
            match self.read(id) {
                Ok(checkpoint) => return Ok(Latest { checkpoint: Some(checkpoint), passed_over }),
                Err(error) if error.kind() == Kind::Damaged => passed_over.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(Latest { checkpoint: None, passed_over })
    }

    fn read(&self, id: Id) -> Result<Checkpoint> {
        let name = head::name(id);
        // The length is used only once the head that states it has verified.
        let (_, len) = head::decode(id, &self.store.read(&name, 0..HEAD_BYTES as u64)?)?;
        // One byte more than it says, to see that nothing follows; and verified anew, as these are the bytes handed out.
        let whole = self.store.read(&name, 0..len + 1)?;
        let (journal, len) = head::decode(id, &whole)?;
        Ok(Checkpoint { id, state: head::state(id, &whole, len)?, journal })
    }
}

/// The heads there are, oldest first.
fn heads(store: &dyn Store) -> Result<Vec<Id>> {
    let mut heads = Vec::new();
    for page in store.list(&Name::ROOT)? {
        let files = page?.into_iter().filter(|entry| matches!(entry.what, What::File(_)));
        heads.extend(files.filter_map(|entry| head::parse_name(&entry.name)));
    }
    heads.sort_unstable();
    Ok(heads)
}
