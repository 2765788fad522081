//! The room of files to come: one that was made ahead, and what removed files have left.
//!
//! A disk takes zeros and records again where it has taken some before for a fraction of what it asks for new blocks, so a
//! file whose length fits what is made here keeps its room when it is removed, up to [`KEPT_MAX`] files and never more than
//! were made since: the folder takes no more of the disk than before the removal. It becomes one of this module's own names,
//! which is made durable before a byte changes; so after a power cut the old name has the old bytes, or nothing.

use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::dir::Dir;
use super::fresh::Fresh;
use crate::store::Room;

/// So many removed files are kept.
const KEPT_MAX: usize = 4;

/// What is kept for files to come. It goes with the ownership: afterwards its names may be another owner's.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms {
    /// The file that was made ahead, its length and how its room was made. Locked while it is made.
    pub(super) ahead: Arc<Mutex<Option<(u64, Room, Fresh)>>>,
    removed: Arc<Mutex<Removed>>,
}

#[derive(Debug, Default)]
struct Removed {
    /// How long the files are that are made here.
    len: u64,
    /// How many were made and not followed by a removal.
    made: usize,
    files: Vec<Fresh>,
}

impl Rooms {
    /// A file of this length is about to be made: the room of a removed one, if one fits; its bytes are the old ones still.
    pub(super) fn take(&self, dir: &Dir, len: u64) -> Result<Option<Fresh>, Errno> {
        let (file, rest) = {
            let mut removed = self.removed.lock();
            removed.made = KEPT_MAX.min(removed.made + 1);
            let fit = removed.len == len;
            removed.len = len;
            let rest = if fit { Vec::new() } else { std::mem::take(&mut removed.files) };
            (removed.files.pop(), rest)
        };
        rest.into_iter().try_for_each(|mut file| file.discard())?;
        let Some(mut file) = file else { return Ok(None) };
        // Until its old name has gone for good its bytes stay.
        match dir.sync().and_then(|()| file.is_ours_alone()) {
            Ok(true) => Ok(Some(file)),
            // Somebody keeps it under another name, perhaps as a copy for bad days.
            Ok(false) => file.discard().map(|()| None),
            Err(error) => file.discard().and(Err(error)),
        }
    }

    /// Removes a file and keeps its room. Whether it was done; if not, nothing was.
    pub(super) fn keep(&self, dir: &Dir, leaf: &str) -> bool {
        let mut removed = self.removed.lock();
        let wanted = removed.made > 0 && removed.files.len() < KEPT_MAX;
        removed.made = removed.made.saturating_sub(1);
        if !wanted {
            return false;
        }
        let Ok(file) = dir.open_file(leaf, OFlags::RDWR) else { return false };
        let fits = |len: u64| len <= removed.len && len >= removed.len / 2;
        if !file.metadata().is_ok_and(|data| fits(data.len())) {
            return false;
        }
        match Fresh::out_of(dir, leaf, file) {
            Ok(fresh) => {
                removed.files.push(fresh);
                true
            }
            // Whoever removes it by its name finds out what there is to be found.
            Err(_) => false,
        }
    }

    /// Gives the room of removed files free; whether there was any.
    pub(super) fn let_go(&self) -> bool {
        let files = std::mem::take(&mut self.removed.lock().files);
        !files.is_empty()
    }

    /// Gives everything free: the ownership ends.
    pub(super) fn close(&self) {
        *self.ahead.lock() = None;
        *self.removed.lock() = Removed::default();
    }
}
