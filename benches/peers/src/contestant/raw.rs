//! Loops over bare system calls: what the disk and the kernel give to somebody who keeps no log at all. Records lie end to
//! end without headers or checksums, which is less than any log has to write.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::{ReadWriteFlags, pwritev2};

use super::batched::Groups;
use super::{Appends, Setup};
use crate::Result;
use crate::payload::ALIGNMENT;

/// What a direct write's place and length must be a multiple of: the device's sector.
const SECTOR: usize = 512;

/// Where the next record goes.
#[derive(Debug)]
enum Medium {
    /// One file that grows with every write.
    Growing(File),
    /// One file, written whole with zeros and synced before, that is written over and over.
    Ring(File, u64),
    /// Files of so many bytes, each allocated when the first record falls into it, as an appender has to.
    Fresh(PathBuf, u64, Mutex<Vec<Arc<File>>>),
}

/// How a record is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// `pwrite`.
    Not,
    /// `pwrite`, then `fdatasync`.
    Fdatasync,
    /// `pwritev2` with `RWF_DSYNC`.
    Dsync,
    /// The same through `O_DIRECT`.
    Direct,
}

/// A loop.
#[derive(Debug)]
pub(super) struct Raw {
    medium: Medium,
    how: How,
    end: AtomicU64,
    syncs: AtomicU64,
    /// Direct writes whose bytes do not lie or end as the device needs it are copied first, every thread by itself.
    aligned: Vec<Mutex<Aligned>>,
}

impl Raw {
    /// Into a file that grows.
    pub(super) fn growing(setup: &Setup, sync: bool) -> Result<Raw> {
        let file = File::create_new(setup.dir.join("growing"))?;
        let how = if sync { How::Fdatasync } else { How::Not };
        Ok(Raw::new(Medium::Growing(file), how, setup))
    }

    /// Into blocks that were written and synced before.
    pub(super) fn ring(setup: &Setup, direct: bool) -> Result<Raw> {
        let path = setup.dir.join("ring");
        let zeros = vec![0; 1024 * 1024];
        let file = File::create_new(&path)?;
        for at in (0..setup.ring_bytes).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        let how = if direct { How::Direct } else { How::Dsync };
        let file = if direct { open_direct(&path)? } else { file };
        Ok(Raw::new(Medium::Ring(file, setup.ring_bytes), how, setup))
    }

    /// Into files that are only allocated, past the page cache.
    pub(super) fn fresh(setup: &Setup) -> Result<Raw> {
        let medium = Medium::Fresh(setup.dir.clone(), setup.ring_bytes, Mutex::default());
        Ok(Raw::new(medium, How::Direct, setup))
    }

    fn new(medium: Medium, how: How, setup: &Setup) -> Raw {
        let aligned = (0..setup.threads.max(1)).map(|_| Mutex::default()).collect();
        Raw { medium, how, end: AtomicU64::new(0), syncs: AtomicU64::new(0), aligned }
    }

    /// A place for so many bytes, which no other thread gets.
    fn reserve(&self, len: u64) -> u64 {
        let place = |end: u64| match &self.medium {
            Medium::Growing(_) => end,
            // A record never crosses the end of a ring or of a file.
            Medium::Ring(_, bytes) | Medium::Fresh(_, bytes, _) if end % bytes + len > *bytes => {
                end.next_multiple_of(*bytes)
            }
            _ => end,
        };
        let before =
            self.end.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |end| Some(place(end) + len));
        before.map_or(0, place)
    }

    fn put(&self, thread: usize, bytes: &[u8]) -> Result<()> {
        if self.how != How::Direct {
            return self.write(bytes);
        }
        if bytes.as_ptr().align_offset(SECTOR) == 0 && bytes.len().is_multiple_of(SECTOR) {
            return self.write(bytes);
        }
        let mut aligned = self.aligned[thread].lock().map_err(|_| "another appending thread panicked")?;
        self.write(aligned.copy(bytes))
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let at = self.reserve(bytes.len() as u64);
        match &self.medium {
            Medium::Growing(file) => self.write_at(file, bytes, at),
            Medium::Ring(file, ring_bytes) => self.write_at(file, bytes, at % ring_bytes),
            Medium::Fresh(dir, file_bytes, files) => {
                let file = {
                    let mut files = files.lock().map_err(|_| "another appending thread panicked")?;
                    while files.len() as u64 <= at / file_bytes {
                        let path = dir.join(format!("fresh-{}", files.len()));
                        fallocate(File::create_new(&path)?, FallocateFlags::empty(), 0, *file_bytes)?;
                        files.push(Arc::new(open_direct(&path)?));
                    }
                    Arc::clone(&files[(at / file_bytes) as usize])
                };
                self.write_at(&file, bytes, at % file_bytes)
            }
        }
    }

    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> Result<()> {
        match self.how {
            How::Not => return Ok(file.write_all_at(bytes, at)?),
            How::Fdatasync => {
                file.write_all_at(bytes, at)?;
                file.sync_data()?;
            }
            How::Dsync | How::Direct => {
                let mut written = 0;
                while written < bytes.len() {
                    let rest = [IoSlice::new(&bytes[written..])];
                    match pwritev2(file, &rest, at + written as u64, ReadWriteFlags::DSYNC)? {
                        0 => return Err("a write took nothing".into()),
                        len => written += len,
                    }
                }
            }
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Appends for Raw {
    fn append(&self, thread: usize, record: &Bytes) -> Result<()> {
        self.put(thread, record)
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}

impl Groups for Raw {
    fn write(&self, records: &[u8], _: &[usize]) -> Result<()> {
        self.put(0, records)
    }

    fn syncs(&self) -> Option<u64> {
        Appends::syncs(self)
    }
}

fn open_direct(path: &Path) -> Result<File> {
    let direct = OFlags::DIRECT.bits() as i32;
    Ok(OpenOptions::new().read(true).write(true).custom_flags(direct).open(path)?)
}

/// A buffer whose bytes lie as a device needs them.
#[derive(Debug, Default)]
struct Aligned(Vec<u8>);

impl Aligned {
    /// A copy of the bytes, with zeros up to the end of its last sector.
    fn copy(&mut self, bytes: &[u8]) -> &[u8] {
        let len = bytes.len().next_multiple_of(SECTOR);
        if self.0.len() < len + ALIGNMENT {
            self.0 = vec![0; len + ALIGNMENT];
        }
        let first = self.0.as_ptr().align_offset(ALIGNMENT);
        let copy = &mut self.0[first..first + len];
        copy[..bytes.len()].copy_from_slice(bytes);
        copy[bytes.len()..].fill(0);
        copy
    }
}

/// Records with length and checksum in a buffer of 256 KiB, written when it is full: what is in it, a kill takes.
#[derive(Debug)]
pub(super) struct Buffered {
    file: File,
    state: Mutex<(Vec<u8>, u64)>,
}

const BUFFER_BYTES: usize = 256 * 1024;

impl Buffered {
    pub(super) fn new(setup: &Setup) -> Result<Buffered> {
        let file = File::create_new(setup.dir.join("buffered"))?;
        Ok(Buffered { file, state: Mutex::new((Vec::with_capacity(BUFFER_BYTES), 0)) })
    }
}

impl Appends for Buffered {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        let mut state = self.state.lock().map_err(|_| "another appending thread panicked")?;
        let (buffer, end) = &mut *state;
        if buffer.len() + 8 + record.len() > BUFFER_BYTES {
            self.file.write_all_at(buffer, *end)?;
            *end += buffer.len() as u64;
            buffer.clear();
        }
        buffer.extend_from_slice(&(record.len() as u32).to_le_bytes());
        buffer.extend_from_slice(&crc32c::crc32c(record).to_le_bytes());
        buffer.extend_from_slice(record);
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        Some(0)
    }
}
