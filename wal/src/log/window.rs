//! A stretch of a file in memory, and the records that are handed out of it.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::error::Result;
use crate::store::Object;

/// How much of a file is read at once. 64 KiB to 1 MiB replay equally fast (ext4, warm and cold); advice to read ahead
/// costs more than it gives, warm and cold: the kernel does it by itself.
pub(crate) const WINDOW_BYTES: u64 = 256 * 1024;

/// Shorter parts are copied out of their window. At 1 KiB a copy costs what a share does, and a part that is kept for
/// long keeps no window alive.
const SHARED_BYTES_LEAST: usize = 2048;

/// A part is shared only with a window that is not more often its length: so much of memory can be kept alive by little.
const SHARED_TIMES_MAX: usize = 128;

/// The bytes of a file from `at` on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    at: u64,
    bytes: Bytes,
}

impl Window {
    pub(crate) fn new(at: u64, bytes: Bytes) -> Self {
        Window { at, bytes }
    }

    /// Moves on to another stretch. The memory of the one before is used again, unless somebody holds a part of it, or
    /// it was far larger.
    pub(crate) fn load(&mut self, object: &dyn Object, range: Range<u64>) -> Result<()> {
        let len = (range.end - range.start) as usize;
        let old = std::mem::take(self).bytes;
        let mut bytes = match old.try_into_mut() {
            Ok(bytes) if bytes.capacity() >= len && bytes.capacity() / 4 <= len => bytes,
            _ => BytesMut::zeroed(len),
        };
        bytes.resize(len, 0);
        let read = object.read_into(range.start, &mut bytes)?;
        bytes.truncate(read);
        *self = Window { at: range.start, bytes: bytes.freeze() };
        Ok(())
    }

    /// The file's bytes from `offset` on, `len` of them, if all of them are here.
    #[inline(always)]
    pub(crate) fn get(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.at)?).ok()?;
        self.bytes.get(from..from.checked_add(len)?)
    }

    /// The file's bytes from `offset` on, as many as are here of `len`.
    #[inline]
    pub(crate) fn get_some(&self, offset: u64, len: usize) -> &[u8] {
        let from = offset.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        let from = from.unwrap_or(usize::MAX).min(self.bytes.len());
        &self.bytes[from..from.saturating_add(len).min(self.bytes.len())]
    }

    /// The same bytes as [`get`](Self::get), as a value.
    #[inline(always)]
    pub(crate) fn take(&self, offset: u64, len: usize) -> Option<Bytes> {
        let part = self.get(offset, len)?;
        let little = len < SHARED_BYTES_LEAST || len < self.bytes.len() / SHARED_TIMES_MAX;
        Some(if little { Bytes::copy_from_slice(part) } else { self.bytes.slice_ref(part) })
    }

    /// All that it has from `offset` on; nothing if that lies elsewhere.
    pub(crate) fn behind(&self, offset: u64) -> Bytes {
        let from = offset.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        let from = from.unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.slice(from..)
    }

    /// Whether it holds `offset..end`.
    #[inline]
    pub(crate) fn holds(&self, offset: u64, end: u64) -> bool {
        offset >= self.at && end <= self.at + self.bytes.len() as u64
    }
}
