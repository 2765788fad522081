//! The directory's lock.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::dir::{self, Dir};
use super::rooms::Rooms;
use super::{Held, LOCK, failure, listing};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Kind, Result};
use crate::store::{Name, Own};

/// The least that makes a directory a public one: everybody may make names in it.
const WRITABLE_BY_ALL: u32 = 0o002;
const TRIES_MAX: u32 = 100;
const HOLDER_BYTES_MAX: usize = 256;

/// Exclusive ownership of a directory.
///
/// The kernel keeps the lock for this one opening of the lock file, so it excludes other stores of this process too,
/// and ends with the process however that ends. The file stays: were it removed, one process could lock the removed
/// file and another its successor. Its text names the holder and is for people only.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    dir: Dir,
    file: File,
    process: u32,
    held: Held,
    rooms: Rooms,
}

impl Lock {
    /// Takes the lock, then sweeps, then syncs what the directory says: an earlier life may have changed names that
    /// it did not live to sync.
    pub(super) fn take(path: &Path, held: &Held, rooms: &Rooms) -> Result<Lock> {
        let at = failure::url(path);
        let failed = |cause: io::Error| failure::making("take the directory over", &at, cause);
        let dir = Dir::make(path).map_err(|cause| failed(cause.into()))?;
        let mode = dir.stat().map_err(|cause| failed(cause.into()))?.st_mode;
        if mode & WRITABLE_BY_ALL != 0 {
            let text = "every user may write here, so nothing in it can be relied on; make a folder in it for the log, or run";
            return Err(Error::new(Kind::Invalid, format!("{text} `chmod o-w`: directory={at}")));
        }
        let file = lock(&dir, &at)?;
        // From here on a failure gives the lock back by dropping it.
        let lock = Lock {
            path: path.into(),
            dir: dir.clone(),
            file,
            process: process::id(),
            held: Arc::clone(held),
            rooms: rooms.clone(),
        };
        lock.sign();
        dir.each_folder(&Name::ROOT, &mut sweep).map_err(|cause| failed(cause.into()))?;
        dir.sync().map_err(|cause| failed(cause.into()))?;
        *held.lock() = Some(dir);
        Ok(lock)
    }

    /// Writes down who holds it. That must not need room: a log on a full disk has to start, so that it can retire. A
    /// holder without a name is a smaller loss.
    fn sign(&self) {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "unknown" } else { host.trim() };
        let text = format!("pid={} host={host} since={}\n", self.process, SystemClock::default().wall());
        if self.file.write_all_at(text.as_bytes(), 0).is_ok() {
            let _ = self.file.set_len(text.len() as u64);
        }
    }
}

impl Own for Lock {
    fn check(&self) -> Result<()> {
        let at = failure::url(&self.path);
        let fenced = |what: &str| {
            let text = format!("{what}; stop this log, then start it where it now lies: directory={at}");
            Err(Error::new(Kind::Fenced, text))
        };
        if self.process != process::id() {
            return fenced("the lock belongs to the process that this one was forked from");
        }
        let failed = |cause| failure::before("check the lock", &at, cause);
        let our_dir = self.dir.stat().map_err(failed)?;
        let our_lock = rustix::fs::fstat(&self.file).map_err(failed)?;
        match rustix::fs::stat(&self.path) {
            Ok(found) if dir::same(&found, &our_dir) => {}
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => {
                return fenced("the directory was removed, moved or replaced while it was in use");
            }
            Err(cause) => return Err(failed(cause)),
        }
        match self.dir.stat_of(LOCK) {
            Ok(found) if dir::same(&found, &our_lock) => Ok(()),
            Ok(_) | Err(Errno::NOENT) => fenced("the lock file was removed or replaced while it was held"),
            Err(cause) => Err(failed(cause)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A forked child has the same opening of the file: if it let go, it would let go for its parent.
        if self.process != process::id() {
            return;
        }
        *self.held.lock() = None;
        self.rooms.close();
        // The text goes before the lock: whoever takes it next has not signed at once.
        let _ = self.file.set_len(0);
        // Closing would do unless a child that was forked a moment ago still has the opening.
        let _ = self.file.unlock();
    }
}

/// Locks the file that has the lock's name, also when somebody removes it at that moment.
fn lock(dir: &Dir, at: &str) -> Result<File> {
    let failed = |cause: io::Error| failure::making("lock the directory", format!("{at}/{LOCK}"), cause);
    for _ in 0..TRIES_MAX {
        let file = dir.open_or_make_file(LOCK).map_err(|cause| failed(cause.into()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(&file, at)),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        match (rustix::fs::fstat(&file), dir.stat_of(LOCK)) {
            (Ok(ours), Ok(found)) if dir::same(&ours, &found) => return Ok(file),
            (Ok(_), Ok(_) | Err(Errno::NOENT)) => {}
            (Err(cause), _) | (_, Err(cause)) => return Err(failed(cause.into())),
        }
    }
    Err(failed(io::Error::from(Errno::BUSY)))
}

fn locked(file: &File, at: &str) -> Error {
    let mut text = [0; HOLDER_BYTES_MAX];
    let len = file.read_at(&mut text, 0).unwrap_or(0);
    let holder = String::from_utf8_lossy(&text[..len]);
    let line = holder.lines().next().unwrap_or_default();
    let holder: String = line.chars().filter(|letter| !letter.is_control()).collect();
    let holder = if holder.is_empty() { "pid=unknown" } else { &holder };
    let text = "somebody else owns the directory; stop that one first";
    Error::new(Kind::Locked, format!("{text}: directory={at} holder: {holder}"))
}

/// Removes what crashes left of files that were not finished. Only an owner may: for anyone else they could be the
/// work of a live writer.
fn sweep(dir: &Dir) -> Result<(), Errno> {
    dir.each_name(|name, kind| {
        if !listing::is_new(name.to_bytes()) || !matches!(kind, FileType::RegularFile | FileType::Unknown) {
            return Ok(());
        }
        match dir.remove_file(name) {
            Ok(()) | Err(Errno::NOENT | Errno::ISDIR | Errno::LOOP | Errno::NXIO) => Ok(()),
            Err(error) => Err(error),
        }
    })
}
