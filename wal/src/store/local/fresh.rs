//! A file on its way to its name.
//!
//! It is made under a name of this module's own, filled and synced there, then given the name that it is for, and only
//! if that is free; then the folder is synced. What a crash leaves, wherever it falls:
//!
//! - before the name is given: a file `.headwater-new-*` that the next owner removes;
//! - after that and before the folder's sync: the whole file or none, since its bytes were durable before its name;
//! - where the name has to be given by a second link: perhaps both names, and the next owner removes the first.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::super::SECTOR_BYTES;
use super::dir::{self, Dir};
use super::direct::{Buffers, Direct};
use super::{NEW, failure};

/// From this length on a whole file is written past the page cache.
const PAST_CACHE_FROM: usize = 1 << 20;

const ZEROS_BYTES: usize = 1 << 20;
const TRIES_MAX: u32 = 10_000;

/// A file that has no name of the store's yet. Dropped so, it is removed.
#[derive(Debug)]
pub(super) struct Fresh {
    file: File,
    /// The same file, past the page cache.
    direct: Option<Direct>,
    own: OwnName,
    /// It is a removed one, and its bytes are.
    old: bool,
}

/// The name under which it is made.
#[derive(Debug)]
struct OwnName {
    dir: Dir,
    leaf: String,
    /// No file has it, or it is the next owner's to sweep.
    gone: bool,
}

/// What became of giving a file a name that must be free.
#[derive(Debug)]
pub(super) enum Moved {
    /// It has that name and no other; not yet durably.
    Done,
    /// Another file has it.
    Taken,
    /// It has not got it and never will.
    Not(Errno),
    /// It may have got it.
    Unclear(Errno),
}

impl Fresh {
    /// An empty file in the folder that it is for.
    pub(super) fn new(dir: &Dir) -> Result<Fresh, Errno> {
        let mut tries = 0;
        loop {
            let own = OwnName::new(dir);
            match dir.make_file(&own.leaf) {
                Ok(file) => return Ok(Fresh { file, direct: None, own: own.taken(), old: false }),
                // Process numbers come again, and a crash of the last one with this number left its file.
                Err(Errno::EXIST) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The file that has a name of the store's and is open, taken out of that name; not yet durably.
    pub(super) fn out_of(dir: &Dir, leaf: &str, file: File) -> Result<Fresh, Moved> {
        let own = OwnName::new(dir);
        match rename_new(&file, (dir, leaf), (dir, &own.leaf)) {
            Moved::Done => Ok(Fresh { file, direct: None, own: own.taken(), old: true }),
            not => Err(not),
        }
    }

    /// Whether it has no name but the one of this module's.
    pub(super) fn is_ours_alone(&self) -> Result<bool, Errno> {
        Ok(rustix::fs::fstat(&self.file)?.st_nlink == 1)
    }

    /// Writes the bytes at the beginning.
    pub(super) fn fill(&self, head: &[u8]) -> io::Result<()> {
        let written = self.direct.as_ref().map(|direct| direct.write(0, &[head], false));
        match written.transpose()? {
            Some(true) => Ok(()),
            _ => self.file.write_all_at(head, 0),
        }
    }

    /// Writes a whole file, a large one past the page cache: the sync then finds nothing to write, and nobody else's
    /// does. (Nobody reads it soon.)
    pub(super) fn fill_whole(&mut self, bytes: &[u8], buffers: &Arc<Buffers>) -> io::Result<()> {
        if bytes.len() >= PAST_CACHE_FROM {
            let rest = bytes.len().next_multiple_of(SECTOR_BYTES as usize) - bytes.len();
            self.direct = Direct::open(&self.own.dir, &self.own.leaf, buffers);
            let parts = [bytes, &[0; SECTOR_BYTES as usize][..rest]];
            let written = self.direct.as_ref().map(|direct| direct.write(0, &parts, false));
            if written.transpose()? == Some(true) {
                return if rest > 0 { self.file.set_len(bytes.len() as u64) } else { Ok(()) };
            }
        }
        self.fill(bytes)
    }

    /// Writes zeros up to `len`. Real zeros: of room that is merely allotted a file system still has to note that it
    /// was written to, and a data sync would have to carry that along.
    pub(super) fn fill_zeros(&mut self, len: u64, buffers: &Arc<Buffers>) -> io::Result<()> {
        if self.old {
            self.file.set_len(len)?;
        }
        self.direct = Direct::open(&self.own.dir, &self.own.leaf, buffers);
        let direct = self.direct.as_ref().map(|direct| direct.write_zeros(len));
        let mut at = direct.transpose()?.unwrap_or(0);
        let piece = |at| usize::try_from(len - at).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES);
        let zeros = vec![0; piece(at)];
        while at < len {
            self.file.write_all_at(&zeros[..piece(at)], at)?;
            at += piece(at) as u64;
        }
        Ok(())
    }

    /// Makes it as long as `len` and allots room for all of it. Where a file system cannot, zeros are written.
    pub(super) fn allot(&mut self, len: u64, buffers: &Arc<Buffers>) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        self.direct = Direct::open(&self.own.dir, &self.own.leaf, buffers);
        if self.old {
            self.file.set_len(len)?;
        }
        loop {
            let allotted = match self.old {
                true => make_zeros(&self.file, len),
                false => rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len),
            };
            match allotted {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return self.fill_zeros(len, buffers),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes bytes and length durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives it its name, which must be free. After anything but `Done` it is still to be discarded.
    pub(super) fn publish(&mut self, to: &str) -> Moved {
        let moved = rename_new(&self.file, (&self.own.dir, &self.own.leaf), (&self.own.dir, to));
        self.own.gone |= matches!(moved, Moved::Done);
        moved
    }

    /// Gives it a name in the place of the file that has it.
    pub(super) fn replace(&mut self, to: &str) -> Result<(), Errno> {
        self.own.dir.rename(&self.own.leaf, to)?;
        self.own.gone = true;
        Ok(())
    }

    /// Removes it, unless it has got its name.
    pub(super) fn discard(&mut self) -> Result<(), Errno> {
        self.own.remove()
    }

    /// The file as it was opened when it was made: the kernel reports a failed write-back once to each opening, so
    /// this is the one to keep; and the same file past the page cache.
    pub(super) fn into_files(self) -> (File, Option<Direct>) {
        (self.file, self.direct)
    }
}

impl OwnName {
    /// One that nobody has had in this process; no file has it yet.
    fn new(dir: &Dir) -> OwnName {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let leaf = format!("{NEW}{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        OwnName { dir: dir.clone(), leaf, gone: true }
    }

    /// A file has it.
    fn taken(self) -> OwnName {
        let mut own = self;
        own.gone = false;
        own
    }

    fn remove(&mut self) -> Result<(), Errno> {
        if self.gone {
            return Ok(());
        }
        // Once only: what cannot be removed now is the next owner's to sweep.
        self.gone = true;
        match self.dir.unlink(&self.leaf) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }
}

impl Drop for OwnName {
    fn drop(&mut self) {
        // Whoever can tell anyone has discarded it; this is for a panic.
        let _ = self.remove();
    }
}

/// Makes zeros of a file's bytes and keeps its blocks. Not every kernel can, nor every file system.
#[cfg(target_os = "linux")]
fn make_zeros(file: &File, len: u64) -> Result<(), Errno> {
    rustix::fs::fallocate(file, FallocateFlags::ZERO_RANGE, 0, len)
}

#[cfg(not(target_os = "linux"))]
fn make_zeros(_file: &File, _len: u64) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Renames a file, which is the one that is open, to a name that must be free.
pub(super) fn rename_new(file: &File, from: (&Dir, &str), to: (&Dir, &str)) -> Moved {
    let ((dir, leaf), (into, to)) = (from, to);
    let renamed = match dir.rename_new(leaf, into, to) {
        Ok(()) => return Moved::Done,
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => dir.link(leaf, into, to),
        failed => failed,
    };
    // A second link leaves the first to be removed. And an error does not say that nothing happened: the answer of a
    // server may have been lost and the call repeated beneath us, or an earlier life got no further than the second
    // link. So what the two names stand for decides.
    let (ours, old, new) = match (rustix::fs::fstat(file), dir.stat_of(leaf), into.stat_of(to)) {
        (Ok(ours), Ok(old), new) => (ours, Some(old), new),
        (Ok(ours), Err(Errno::NOENT), new) => (ours, None, new),
        (Err(error), ..) | (_, Err(error), _) => return Moved::Unclear(error),
    };
    match (new, renamed) {
        (Ok(new), _) if !dir::same(&ours, &new) => Moved::Taken,
        (Ok(_), _) => match old {
            None => Moved::Done,
            // One link under two names: the file system takes them for one name.
            Some(_) if ours.st_nlink < 2 => Moved::Taken,
            Some(old) if dir::same(&ours, &old) => match dir.unlink(leaf) {
                Ok(()) | Err(Errno::NOENT) => Moved::Done,
                Err(error) => Moved::Unclear(error),
            },
            Some(_) => Moved::Done,
        },
        (Err(Errno::NOENT), Err(error)) if failure::changes_nothing(error) => Moved::Not(error),
        (_, Err(error)) | (Err(error), Ok(())) => Moved::Unclear(error),
    }
}
