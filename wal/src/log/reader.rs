//! Reading a log from another process or another machine: no lock, no survey, nothing changed.

use std::sync::Arc;

use super::follow::Follow;
use super::kept::Kept;
use super::many::Many;
use super::read::{Record, read};
use crate::error::Result;
use crate::format::frame::PAYLOAD_BYTES_LIMIT;
use crate::format::{Handle, Position};
use crate::store::Store;

/// How many segments a reader keeps open, and for how many reads each: nobody tells it what was retired, and a file
/// that is open takes its room although it was removed.
const KEPT_SEGMENTS_MAX: usize = 16;
const KEPT_READS_MAX: u32 = 256;

/// Reads a log that others write.
///
/// It keeps up to 16 segments open where the medium has files, and so may read for a while what was retired a
/// moment ago. Drop it, or read on, to give the room of removed files free. Clones share what is open.
///
/// A handle that was acknowledged is read with one ranged read. What a log of durability `Process` lost with the power
/// may still lie in its file: only the started log knows ([`Log::read`](crate::Log::read)).
#[derive(Clone, Debug)]
pub struct Reader {
    store: Arc<dyn Store>,
    kept: Arc<Kept>,
    limit: u32,
}

impl Reader {
    /// A reader of the log at a store's root. Nothing is read yet.
    pub fn open(store: Arc<dyn Store>) -> Result<Self> {
        let kept = Kept::new(KEPT_SEGMENTS_MAX).renewed_after(KEPT_READS_MAX);
        Ok(Reader { store, kept: Arc::new(kept), limit: PAYLOAD_BYTES_LIMIT })
    }

    /// Refuses records longer than this, before anything is allocated for them.
    #[must_use]
    pub fn record_bytes_max(mut self, record_bytes_max: u32) -> Self {
        self.limit = record_bytes_max;
        self
    }

    /// The record of an acknowledged handle.
    pub fn read(&self, handle: &Handle) -> Result<Record> {
        read(&self.store, &self.kept, handle, self.limit)
    }

    /// The records of many handles, in their order. Handles that follow one another closely in one segment are read at
    /// once, up to 256 KiB; on an object store, where they lie close together in whatever order, up to 1 MiB, and up to 64
    /// reads and 64 MiB are under way at once.
    pub fn read_many<'a>(&'a self, handles: &'a [Handle]) -> impl Iterator<Item = Result<Record>> + 'a {
        let mut many = Many::new(&*self.store, &self.kept, handles, self.limit);
        std::iter::from_fn(move || many.next(|handle| Ok(handle.base), |handle| self.read(handle)))
    }

    /// Follows the log from a position on, as its writer goes on.
    pub fn follow(&self, from: Position) -> Follow {
        Follow::new(self.store.clone(), self.limit, from)
    }
}
