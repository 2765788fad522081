//! Writing past the page cache.
//!
//! A group goes to the device once and is read back, if ever, after a restart, so the cache's copy of it is work for
//! nothing; and where the blocks were written before, writes past the cache that are durable at once overlap on the
//! device, while syncs of cached writes wait for each other. A failure is answered to the write that suffered it.
//!
//! What is written so begins and ends on sectors, in memory too. A file system that wants more says `EINVAL`, and a
//! kernel that does not know how to make one write durable `EOPNOTSUPP` or `ENOSYS`, having done nothing: then the cache
//! is used. It is also where nobody vouches for more: some file systems take a write that is to be durable on return
//! and, by the kernel's source, do not make it so (FUSE past its cache), though a sync of theirs would.

use std::fs::File;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags};

use super::dir::Dir;
use crate::store::SECTOR_BYTES;

/// What offsets and lengths are multiples of.
const SECTOR: u64 = SECTOR_BYTES as u64;

/// The file systems whose writes past the cache are durable on return if that is asked for: ext4, xfs and btrfs. By their
/// magic numbers.
const KNOWN: [u64; 3] = [0xEF53, 0x5846_5342, 0x9123_683E];

/// What memory is aligned to: enough for every device.
const ALIGN: usize = 4096;

/// The most that is handed over at once, and so what a writer needs in memory: 1 MiB, and what goes around a record of
/// that size.
const PIECE_BYTES: usize = (1 << 20) + (64 << 10);

/// Zeros are written so many at a time.
const ZEROS_BYTES: usize = 1 << 20;

/// Buffers kept for the writes to come.
const KEPT: usize = 4;

/// A file that is written past the page cache.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    /// The file system wants more than sectors.
    refused: AtomicBool,
    buffers: Arc<Buffers>,
}

/// Buffers that are free, shared by the files of a store.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Buffer>>);

/// Memory that begins where a device wants it to.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    from: usize,
}

impl Buffer {
    fn new(len: usize) -> Buffer {
        let bytes = vec![0; len + ALIGN];
        let from = bytes.as_ptr().align_offset(ALIGN).min(ALIGN);
        Buffer { bytes, from }
    }

    fn len(&self) -> usize {
        self.bytes.len() - ALIGN
    }

    fn slice(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.from..self.from + len]
    }
}

impl Direct {
    /// Opens a file that is there; nothing if the file system has no such way, or is not known to mean it.
    pub(super) fn open(dir: &Dir, leaf: &str, buffers: &Arc<Buffers>) -> Option<Direct> {
        let file = dir.open_file(leaf, OFlags::RDWR | OFlags::DIRECT).ok()?;
        let magic = u64::try_from(rustix::fs::fstatfs(&file).ok()?.f_type).ok()?;
        if !KNOWN.contains(&magic) {
            return None;
        }
        Some(Direct { file, refused: AtomicBool::new(false), buffers: Arc::clone(buffers) })
    }

    /// Writes the parts, one behind the other; if `durable`, they are so on return. Whether it was done: if not,
    /// nothing was, and the cache is to be used.
    pub(super) fn write(&self, offset: u64, parts: &[&[u8]], durable: bool) -> Result<bool, Errno> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let fits = offset.is_multiple_of(SECTOR) && (len as u64).is_multiple_of(SECTOR) && len > 0;
        if !fits || self.refused.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let mut buffer = self.buffers.take(len.min(PIECE_BYTES));
        let written = self.write_pieces(&mut buffer, offset, len, parts, durable);
        self.buffers.give_back(buffer);
        match written {
            Err((0, error)) if refuses(error) => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err((_, error)) => Err(error),
            Ok(()) => Ok(true),
        }
    }

    /// Writes zeros over a range of whole sectors. How much of it was written: what is left, the cache is to be used for.
    pub(super) fn write_zeros(&self, len: u64) -> Result<u64, Errno> {
        let whole = len - len % SECTOR;
        if whole == 0 || self.refused.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let mut buffer = self.buffers.take(usize::try_from(whole).unwrap_or(PIECE_BYTES).min(ZEROS_BYTES));
        let zeros = buffer.slice(buffer.len().min(ZEROS_BYTES));
        zeros.fill(0);
        let (mut at, mut written) = (0, Ok(()));
        while at < whole && written.is_ok() {
            let piece = &zeros[..usize::try_from(whole - at).unwrap_or(ZEROS_BYTES).min(zeros.len())];
            written = self.write_piece(piece, at, ReadWriteFlags::empty());
            at += piece.len() as u64;
        }
        self.buffers.give_back(buffer);
        match written {
            Ok(()) => Ok(whole),
            Err(error) if refuses(error) => {
                self.refused.store(true, Ordering::Relaxed);
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// An error comes with how much was written before it.
    fn write_pieces(
        &self,
        buffer: &mut Buffer,
        offset: u64,
        len: usize,
        parts: &[&[u8]],
        durable: bool,
    ) -> Result<(), (usize, Errno)> {
        let mut parts = parts.iter().copied();
        let (mut part, mut done): (&[u8], _) = (&[], 0);
        while done < len {
            let piece = buffer.slice((len - done).min(PIECE_BYTES));
            let mut filled = 0;
            while filled < piece.len() {
                if part.is_empty() {
                    part = parts.next().unwrap_or(&[]);
                    continue;
                }
                let (now, later) = part.split_at(part.len().min(piece.len() - filled));
                piece[filled..filled + now.len()].copy_from_slice(now);
                filled += now.len();
                part = later;
            }
            let whole = filled == len;
            let flags = if durable && whole { ReadWriteFlags::DSYNC } else { ReadWriteFlags::empty() };
            self.write_piece(piece, offset + done as u64, flags).map_err(|error| (done, error))?;
            done += filled;
            if durable && whole {
                return Ok(());
            }
        }
        // Of several pieces a durable last one would say nothing of the others: it may have gone through the device's
        // cache by itself.
        if durable { self.sync().map_err(|error| (done, error)) } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), Errno> {
        loop {
            match rustix::fs::fdatasync(&self.file) {
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    }

    fn write_piece(&self, piece: &[u8], offset: u64, flags: ReadWriteFlags) -> Result<(), Errno> {
        let mut done = 0;
        while done < piece.len() {
            match rustix::io::pwritev2(
                &self.file,
                &[IoSlice::new(&piece[done..])],
                offset + done as u64,
                flags,
            ) {
                Ok(0) => return Err(Errno::IO),
                Ok(written) => done += written,
                Err(Errno::INTR) => {}
                // Behind a short write that ended within a sector.
                Err(error) if done > 0 && refuses(error) => return Err(Errno::IO),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the kernel says so of a way that it does not have, having done nothing.
fn refuses(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

impl Buffers {
    fn take(&self, len: usize) -> Buffer {
        let mut free = self.0.lock();
        match free.iter().position(|buffer| buffer.len() >= len) {
            Some(at) => free.swap_remove(at),
            None => Buffer::new(len.next_power_of_two().min(PIECE_BYTES)),
        }
    }

    fn give_back(&self, buffer: Buffer) {
        let mut free = self.0.lock();
        if free.len() < KEPT {
            free.push(buffer);
        } else if let Some(least) = free.iter_mut().min_by_key(|kept| kept.len())
            && least.len() < buffer.len()
        {
            *least = buffer;
        }
    }
}
