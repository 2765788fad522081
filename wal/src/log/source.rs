//! A file of a store as the scanner reads it: one window at a time.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::window::{WINDOW_BYTES, Window};
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::format::frame::PADDING_BYTES_MAX;
use crate::format::name;
use crate::format::scan::{Source, sum_by_windows};
use crate::store::{Name, Object, Store};

/// The name of the segment at `base`, in the store's root.
pub(crate) fn segment_name(base: Position) -> Name {
    Name::new(name::segment(base)).expect("a segment's name is a name")
}

/// A store to read from, borrowed or shared.
pub(crate) trait Reads {
    fn store(&self) -> &dyn Store;

    /// The file's bytes from `offset` up to `end` or further, if reading them was begun before they were wanted; `window`
    /// has what came last.
    fn begun(&mut self, window: &Window, offset: u64, end: u64) -> Option<Window> {
        let _ = (window, offset, end);
        None
    }
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

/// A file that is read here and there: opened once, where the medium can.
pub(crate) struct Ranged<'a> {
    store: &'a dyn Store,
    object: Option<Arc<dyn Object>>,
    name: &'a Name,
}

impl<'a> Ranged<'a> {
    pub(crate) fn open(store: &'a dyn Store, name: &'a Name) -> Result<Self> {
        Ok(Ranged { store, object: store.open(name)?, name })
    }

    /// What exists of a range.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match &self.object {
            Some(object) => object.read(range),
            None => self.store.read(self.name, range),
        }
    }

    /// To be asked before anything is concluded from what does not verify.
    pub(crate) fn confirm(&self) -> Result<()> {
        self.object.as_deref().map_or(Ok(()), confirm)
    }
}

/// `NotThere` if the file was removed, so that its bytes may have become another's.
pub(crate) fn confirm(object: &dyn Object) -> Result<()> {
    if object.is_still()? {
        Ok(())
    } else {
        Err(Error::new(Kind::NotThere, "the file went while it was read"))
    }
}

/// A file, or its first so many bytes.
#[derive(Debug)]
pub(crate) struct File<R> {
    reads: R,
    name: Name,
    len: u64,
    opened: Opened,
    /// A payload of up to so many bytes is held whole, and so can be handed out after it was verified.
    holds: u32,
    window: Window,
    /// Where the payload lies that was verified last, if the window still has it.
    verified: Range<u64>,
}

/// How the file is read.
#[derive(Debug)]
enum Opened {
    NotYet,
    /// The medium keeps no files open.
    ByName,
    Kept(Arc<dyn Object>),
}

impl<R: Reads> File<R> {
    pub(crate) fn new(reads: R, name: Name, len: u64) -> Self {
        let opened = Opened::NotYet;
        File { reads, name, len, opened, holds: 0, window: Window::default(), verified: 0..0 }
    }

    /// Holds payloads of up to so many bytes for who wants them.
    #[must_use]
    pub(crate) fn holding(mut self, payload_bytes: u32) -> Self {
        self.holds = payload_bytes;
        self
    }

    /// Some of its bytes are here already.
    #[must_use]
    pub(crate) fn having(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Who has read it, for the next file.
    pub(crate) fn into_reads(self) -> R {
        self.reads
    }

    /// The payload at `offset` of `len` bytes, if it is what was verified last: the very bytes.
    #[inline(always)]
    pub(crate) fn verified(&self, offset: u64, len: u32) -> Option<Bytes> {
        if self.verified != (offset..offset + u64::from(len)) {
            return None;
        }
        self.window.take(offset, len as usize)
    }

    /// Makes the window hold `len` bytes from `offset` on, as far as the file has them.
    #[inline]
    fn fill(&mut self, offset: u64, len: usize) -> Result<()> {
        let end = offset.saturating_add(len as u64).min(self.len);
        if self.window.holds(offset, end) {
            return Ok(());
        }
        if let Some(begun) = self.reads.begun(&self.window, offset, end) {
            (self.verified, self.window) = (0..0, begun);
            return Ok(());
        }
        let to = offset.saturating_add(WINDOW_BYTES).max(end).min(self.len);
        self.load(offset.min(to)..to)
    }

    fn load(&mut self, range: Range<u64>) -> Result<()> {
        self.verified = 0..0;
        let store = self.reads.store();
        if matches!(self.opened, Opened::NotYet) {
            self.opened = store.open(&self.name)?.map_or(Opened::ByName, Opened::Kept);
        }
        if let Opened::Kept(object) = &self.opened {
            return self.window.load(&**object, range);
        }
        self.window = Window::default();
        self.window = Window::new(range.start, store.read(&self.name, range)?);
        Ok(())
    }
}

impl<R: Reads> Source for File<R> {
    type Error = Error;

    fn file_len(&self) -> u64 {
        self.len
    }

    #[inline]
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        self.fill(offset, len)?;
        Ok(self.window.get_some(offset, len))
    }

    #[inline(always)]
    fn held(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.window.get(offset, len)
    }

    fn confirm(&mut self) -> Result<()> {
        match &self.opened {
            Opened::Kept(object) => confirm(&**object),
            Opened::NotYet | Opened::ByName => Ok(()),
        }
    }

    fn data_from(&mut self, offset: u64) -> Result<u64> {
        match &self.opened {
            Opened::Kept(object) => object.data_from(offset),
            Opened::NotYet | Opened::ByName => Ok(offset),
        }
    }

    #[inline(always)]
    fn sum_to(&mut self, offset: u64, len: u32, check: u32) -> Result<bool> {
        if len > self.holds {
            return sum_by_windows(self, offset, len, check);
        }
        // With the zeros behind it, so that looking at those does not move the window on.
        self.fill(offset, len as usize + PADDING_BYTES_MAX)?;
        let sums = self.window.get(offset, len as usize).is_some_and(|part| crc32c::crc32c(part) == check);
        self.verified = if sums { offset..offset + u64::from(len) } else { 0..0 };
        Ok(sums)
    }
}
