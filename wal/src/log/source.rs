//! A file of a store as the scanner reads it: one window at a time.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::format::name;
use crate::format::scan::Source;
use crate::store::{Name, Store};

const WINDOW: u64 = 256 * 1024;

/// The name of the segment at `base`, in the store's root.
pub(crate) fn segment_name(base: Position) -> Name {
    Name::new(name::segment(base)).expect("a segment's name is a name")
}

/// A store to read from, borrowed or shared.
pub(crate) trait Reads {
    fn store(&self) -> &dyn Store;
}

impl Reads for &dyn Store {
    fn store(&self) -> &dyn Store {
        *self
    }
}

impl Reads for Arc<dyn Store> {
    fn store(&self) -> &dyn Store {
        &**self
    }
}

/// A file, or its first so many bytes.
#[derive(Debug)]
pub(crate) struct File<R> {
    store: R,
    name: Name,
    len: u64,
    at: u64,
    window: Bytes,
}

impl<R: Reads> File<R> {
    pub(crate) fn new(store: R, name: Name, len: u64) -> Self {
        File { store, name, len, at: 0, window: Bytes::new() }
    }

    /// The bytes of one range, as a value; errors if the file has fewer.
    pub(crate) fn exactly(&mut self, offset: u64, len: usize) -> Result<Bytes> {
        self.fill(offset, len)?;
        let from = (offset - self.at) as usize;
        match self.window.get(from..from + len) {
            // A small value does not keep a whole window alive.
            Some(part) if len * 4 < self.window.len() => Ok(Bytes::copy_from_slice(part)),
            Some(_) => Ok(self.window.slice(from..from + len)),
            None => {
                Err(Error::new(Kind::Unavailable, "the file became shorter while it was read; try again")
                    .at(self.name.as_str(), offset))
            }
        }
    }

    fn fill(&mut self, offset: u64, len: usize) -> Result<()> {
        let end = offset.saturating_add(len as u64).min(self.len);
        let held = self.at..self.at + self.window.len() as u64;
        if offset >= held.start && end <= held.end {
            return Ok(());
        }
        let to = offset.saturating_add(WINDOW).max(end).min(self.len);
        self.window = self.store.store().read(&self.name, offset.min(to)..to)?;
        self.at = offset;
        Ok(())
    }
}

impl<R: Reads> Source for File<R> {
    type Error = Error;

    fn file_len(&self) -> u64 {
        self.len
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        self.fill(offset, len)?;
        let from = usize::try_from(offset - self.at).unwrap_or(usize::MAX).min(self.window.len());
        Ok(&self.window[from..from.saturating_add(len).min(self.window.len())])
    }
}
