//! A file of a store as the scanner reads it: one window at a time.

use bytes::Bytes;
use headwater_wal::format::scan::Source;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Error, Kind, Result};

const WINDOW_BYTES: u64 = 256 * 1024;

/// A file, or its first so many bytes.
#[derive(Debug)]
pub struct File<'a> {
    store: &'a dyn Store,
    name: Name,
    len: u64,
    at: u64,
    window: Bytes,
}

impl<'a> File<'a> {
    /// The first `len` bytes of a file. Nothing is read yet.
    pub fn new(store: &'a dyn Store, name: Name, len: u64) -> Self {
        File { store, name, len, at: 0, window: Bytes::new() }
    }

    /// The bytes of one range, all of them or an error.
    pub fn exactly(&mut self, offset: u64, len: usize) -> Result<Bytes> {
        let end = offset.saturating_add(len as u64);
        let bytes = if self.holds(offset, end) {
            self.window.slice((offset - self.at) as usize..(end - self.at) as usize)
        } else {
            self.store.read(&self.name, offset..end)?
        };
        if bytes.len() == len {
            return Ok(bytes);
        }
        Err(Error::new(Kind::Unavailable, "the file became shorter while it was read; try again")
            .at(self.name.as_str(), offset))
    }

    fn holds(&self, from: u64, to: u64) -> bool {
        self.at <= from && to <= self.at + self.window.len() as u64
    }
}

impl Source for File<'_> {
    type Error = Error;

    fn file_len(&self) -> u64 {
        self.len
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let end = offset.saturating_add(len as u64).min(self.len).max(offset);
        if !self.holds(offset, end) {
            let to = offset.saturating_add(WINDOW_BYTES).max(end).min(self.len).max(offset);
            self.window = self.store.read(&self.name, offset..to)?;
            self.at = offset;
        }
        let from = usize::try_from(offset - self.at).unwrap_or(usize::MAX).min(self.window.len());
        let to = from.saturating_add((end - offset) as usize).min(self.window.len());
        Ok(&self.window[from..to])
    }

    fn confirm(&mut self) -> Result<()> {
        // It is opened anew for each window, so a name that is there has had all of them.
        self.store.open(&self.name).map(drop)
    }

    fn data_from(&mut self, offset: u64) -> Result<u64> {
        self.store.open(&self.name)?.map_or(Ok(offset), |object| object.data_from(offset))
    }
}
