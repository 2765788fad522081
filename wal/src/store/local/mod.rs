//! A directory on a local disk.
//!
//! What is assumed of the file system, so that a reader can disagree: a file's sync makes its bytes and its length
//! durable, or fails; a directory's sync does so for the names in it; giving a file a free name happens whole or not
//! at all. ext4, xfs and btrfs on a disk that obeys flushes do. A file system in memory outlives a kill, never a
//! power cut, whatever [`Store::survives`] says here. A write past the page cache that is durable on return
//! (`O_DIRECT`, `RWF_DSYNC`) is so when the device has flushed; that way is taken on ext4, xfs and btrfs alone;
//! elsewhere the cache is used and synced. On a disk that compresses or deduplicates, or copies on write, zeros written
//! ahead keep no room: there a write into a created file can still fail for want of it. On a network file system the
//! lock may be lost without a word, so what two machines share is not a local disk.
//!
//! What lies in the directory:
//!
//! - The files of the store, mode 0600, in folders of mode 0700. A link, a pipe or anything else in the place of a
//!   file is neither followed nor opened, but listed as [`What::Other`] and left alone. So is every name that no
//!   [`Name`] can have.
//! - Three kinds of names of this module's own. All begin with a dot, so no [`Name`] can mean them, and no listing
//!   shows them: `.headwater-lock`, `.headwater-reserve`, and `.headwater-new-*`, a file that has not got its name
//!   yet, or a removed one whose room is kept for one to come. The last are left behind by crashes, and removed by the next
//!   owner, by nobody else.
//!
//! Nothing is created before something is written: reading and listing a directory that does not exist finds it
//! empty. A process over its file size limit is sent SIGXFSZ by the kernel, which ends it unless the program ignores
//! that signal; if it does, the limit is one more way of being `Full`.

mod dir;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(not(target_os = "linux"))]
#[path = "cached.rs"]
mod direct;
mod failure;
mod fresh;
mod listing;
mod lock;
mod object;
mod rooms;
mod tail;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::OFlags;
use rustix::io::Errno;

use self::dir::Dir;
use self::direct::{Buffers, Direct};
use self::fresh::{Fresh, Moved};
use self::listing::Listing;
use self::lock::Lock;
use self::object::Opened;
use self::rooms::Rooms;
use self::tail::Growing;
use super::{Append, Name, Object, Own, Pages, Room, Store, Survives, Tail, What};
use crate::error::{Error, Kind, Result};

const LOCK: &str = ".headwater-lock";
const RESERVE: &str = ".headwater-reserve";
const NEW: &str = ".headwater-new-";

/// A store in a directory. See the [module](self) for what is assumed of the disk and what is promised on it.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
    held: Held,
    rooms: Rooms,
    buffers: Arc<Buffers>,
}

/// The directory as its owner opened it. While it is owned every call goes there, wherever the path leads by now.
type Held = Arc<Mutex<Option<Dir>>>;

impl Local {
    /// The store in the directory at `path`, which need not exist: its owner, or the first put, creates it.
    ///
    /// `Invalid` if something else is there.
    pub fn open(path: impl AsRef<Path>) -> Result<Local> {
        let path = std::path::absolute(path.as_ref())
            .map_err(|cause| Error::new(Kind::Invalid, "this is no path of a directory").because(cause))?;
        let store = Local { path, held: Held::default(), rooms: Rooms::default(), buffers: Arc::default() };
        match std::fs::metadata(&store.path) {
            Ok(found) if found.is_dir() => Ok(store),
            Ok(_) => Err(failure::before("open the directory", store.place(), Errno::NOTDIR)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(store),
            Err(cause) => Err(failure::before("open the directory", store.place(), cause)),
        }
    }

    /// The directory, if there is one.
    fn dir(&self) -> Result<Dir, Errno> {
        match &*self.held.lock() {
            Some(held) => Ok(held.clone()),
            None => Dir::open(&self.path),
        }
    }

    /// The directory, of which this store is the owner.
    fn owned(&self) -> Result<Dir> {
        self.held.lock().clone().ok_or_else(|| Error::new(Kind::Invalid, super::NOT_OWNED))
    }

    fn open_to_read(&self, name: &Name) -> Result<Opened> {
        let (folder, leaf) = split(name);
        let file = self.dir().and_then(|root| root.open_folder(folder)?.open_file(leaf, OFlags::RDONLY));
        let file = file.map_err(|cause| failure::before("read the file", self.at(name), cause))?;
        Ok(Opened::new(file, &self.path, name))
    }

    fn at(&self, name: &Name) -> String {
        format!("{}/{name}", self.place())
    }

    /// Makes a file out of what `fill` writes, whole and durable, and then gives it its free name, durably.
    fn publish(
        &self,
        name: &Name,
        ahead: Option<Fresh>,
        fill: impl FnOnce(&mut Fresh) -> io::Result<()>,
    ) -> Result<Fresh> {
        if *name == Name::ROOT {
            return Err(Error::new(Kind::Invalid, super::ROOT_IS_NO_FILE));
        }
        let root = self.dir().or_else(|error| match error {
            Errno::NOENT => Dir::make(&self.path),
            other => Err(other),
        });
        let (folder, leaf) = split(name);
        let failed = |cause: io::Error| failure::making("make the file", self.at(name), cause);
        let dir = root.and_then(|root| root.make_folder(folder)).map_err(|cause| failed(cause.into()))?;
        // Not what keeps two writers apart, but a name that is taken should not first cost the room of a file.
        match dir.what(leaf) {
            Ok(_) => return Err(self.taken(name, &dir)),
            Err(Errno::NOENT) => {}
            Err(cause) => return Err(failed(cause.into())),
        }
        let fresh = ahead.map_or_else(|| Fresh::new(&dir), Ok);
        let mut fresh = fresh.map_err(|cause| failed(cause.into()))?;
        if let Err(cause) = fill(&mut fresh).and_then(|()| fresh.sync()) {
            return Err(self.undo(&mut fresh, failed(cause)));
        }
        match fresh.publish(leaf) {
            Moved::Done => match dir.sync() {
                Ok(()) => Ok(fresh),
                Err(cause) => {
                    Err(failure::unknown("make the name of the file durable", self.at(name), cause))
                }
            },
            Moved::Taken => Err(self.undo(&mut fresh, self.taken(name, &dir))),
            Moved::Not(cause) => Err(self.undo(&mut fresh, failed(cause.into()))),
            Moved::Unclear(cause) => {
                let unknown = failure::unknown("give the file its name", self.at(name), cause);
                Err(self.undo(&mut fresh, unknown))
            }
        }
    }

    /// Does what needs room; where there is none, once more without what removed files have left.
    fn with_room<T>(&self, mut what: impl FnMut() -> Result<T>) -> Result<T> {
        match what() {
            Err(full) if full.kind() == Kind::Full && self.rooms.let_go() => {
                // A file system may hand freed room out only once it is sure that the file is gone.
                let synced = self.owned()?.sync();
                synced.map_err(|cause| failure::before("give room free", self.place(), cause))?;
                what()
            }
            other => other,
        }
    }

    fn make_room(&self, fresh: &mut Fresh, len: u64, room: Room) -> io::Result<()> {
        match room {
            Room::Written => fresh.fill_zeros(len, &self.buffers),
            Room::Allotted => fresh.allot(len, &self.buffers),
        }
    }

    /// The error, unless there is a worse one: that the unfinished file stays and takes up room.
    fn undo(&self, fresh: &mut Fresh, error: Error) -> Error {
        match fresh.discard() {
            Ok(()) => error,
            Err(_) if error.kind() == Kind::Unknown => error,
            Err(cause) => failure::before("remove an unfinished file", self.place(), cause),
        }
    }

    /// Whoever took the name may have died before its sync, and who is told that it is taken counts on it.
    fn taken(&self, name: &Name, dir: &Dir) -> Error {
        match dir.sync() {
            Ok(()) => Error::new(Kind::Exists, format!("the name is taken: file={}", self.at(name))),
            Err(cause) => failure::unknown("make the name of the file durable", self.at(name), cause),
        }
    }
}

impl Store for Local {
    fn place(&self) -> String {
        failure::url(&self.path)
    }

    fn survives(&self) -> Survives {
        Survives::Power
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        self.with_room(|| self.publish(name, None, |fresh| fresh.fill_whole(&bytes, &self.buffers)).map(drop))
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.open_to_read(name)?.read(range)
    }

    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        Ok(Some(Arc::new(self.open_to_read(name)?)))
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        let at = self.at(folder);
        let failed = move |cause: Errno| failure::before("list the folder", &at, cause);
        match self.dir().and_then(|root| root.open_folder(folder.as_str())) {
            Ok(dir) => Ok(Box::new(Listing::new(dir, folder.clone()).map(move |page| page.map_err(&failed)))),
            Err(Errno::NOENT) => Ok(Box::new(std::iter::empty())),
            Err(cause) => Err(failed(cause)),
        }
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let (folder, leaf) = split(name);
        match self.dir().and_then(|root| root.open_folder(folder)?.remove_file(leaf)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(failure::during("remove the file", self.at(name), cause)),
        }
    }

    fn append(&self) -> Option<&dyn Append> {
        Some(self)
    }
}

impl Append for Local {
    /// Takes the directory's lock, as the kernel keeps it for an open file: it ends with the process, and it is never
    /// broken for its age. `Invalid` if every user of the machine may write into the directory, sticky or not: they
    /// could take names that the log will need, or hand it segments.
    fn own(&self) -> Result<Box<dyn Own>> {
        Ok(Box::new(Lock::take(&self.path, &self.held, &self.rooms)?))
    }

    fn create(&self, name: &Name, head: &[u8], len: u64, room: Room) -> Result<Box<dyn Tail>> {
        let dir = self.owned()?;
        if len < head.len() as u64 {
            return Err(Error::new(Kind::Invalid, super::HEAD_TOO_LONG));
        }
        let in_root = split(name).0.is_empty();
        // What is being made ahead is waited for.
        let ahead = self.rooms.ahead.lock().take_if(|ahead| (ahead.0, ahead.1) == (len, room) && in_root);
        let (made, ahead) = (ahead.is_some(), ahead.map(|(_, _, fresh)| fresh));
        let failed = |cause: Errno| failure::making("make the file", self.at(name), io::Error::from(cause));
        let ahead = match ahead {
            None if in_root => self.rooms.take(&dir, len).map_err(failed)?,
            ahead => ahead,
        };
        let fresh = self.publish(name, ahead, |fresh| {
            // The room of a file that was made ahead is durable already.
            if !made {
                self.make_room(fresh, len, room)?;
            }
            fresh.fill(head)
        })?;
        let (file, direct) = fresh.into_files();
        Ok(Box::new(Growing::new(file, direct, self.at(name))))
    }

    fn ahead(&self, len: u64, room: Room) -> Result<()> {
        let mut ahead = self.rooms.ahead.lock();
        let dir = self.owned()?;
        if ahead.as_ref().is_some_and(|(kept, how, _)| (*kept, *how) == (len, room)) {
            return Ok(());
        }
        let failed = |cause: io::Error| failure::making("make room for the next file", self.place(), cause);
        if let Some((_, _, mut old)) = ahead.take() {
            old.discard().map_err(|cause| failed(cause.into()))?;
        }
        if len == 0 {
            self.rooms.let_go();
            return Ok(());
        }
        let fresh = match self.rooms.take(&dir, len) {
            Ok(None) => Fresh::new(&dir),
            Ok(Some(old)) => Ok(old),
            Err(cause) => Err(cause),
        };
        let mut fresh = fresh.map_err(|cause| failed(cause.into()))?;
        if let Err(cause) = self.make_room(&mut fresh, len, room).and_then(|()| fresh.sync()) {
            return Err(self.undo(&mut fresh, failed(cause)));
        }
        *ahead = Some((len, room, fresh));
        Ok(())
    }

    fn recycle(&self, name: &Name) -> Result<bool> {
        let dir = self.owned()?;
        let (folder, leaf) = split(name);
        Ok(folder.is_empty() && self.rooms.keep(&dir, leaf))
    }

    fn reopen(&self, name: &Name) -> Result<Box<dyn Tail>> {
        let (folder, leaf) = split(name);
        let failed = |cause| failure::before("open the file", self.at(name), cause);
        let dir = self.owned()?.open_folder(folder).map_err(failed)?;
        let file = dir.open_file(leaf, OFlags::RDWR).map_err(failed)?;
        let direct = Direct::open(&dir, leaf, &self.buffers);
        Ok(Box::new(Growing::new(file, direct, self.at(name))))
    }

    fn sync_names(&self) -> Result<()> {
        let synced = self.owned()?.each_folder(&Name::ROOT, &mut |dir| dir.sync());
        synced
            .map_err(|cause| failure::unknown("make the names in the directory durable", self.place(), cause))
    }

    fn set_aside(&self, name: &Name, to: &Name) -> Result<()> {
        let root = self.owned()?;
        if *to == Name::ROOT {
            return Err(Error::new(Kind::Invalid, super::ROOT_IS_NO_FILE));
        }
        let failed = |cause| failure::before("set the file aside", self.at(name), cause);
        let ((folder, leaf), (to_folder, to_leaf)) = (split(name), split(to));
        let from = root.open_folder(folder).map_err(failed)?;
        let file = from.open_file(leaf, OFlags::RDONLY).map_err(failed)?;
        let into = root.make_folder(to_folder).map_err(failed)?;
        let unknown = |cause| failure::unknown("set the file aside", self.at(name), cause);
        match fresh::rename_new(&file, (&from, leaf), (&into, to_leaf)) {
            // The new name first: a power cut between the two must not lose both.
            Moved::Done => into.sync().and_then(|()| from.sync()).map_err(unknown),
            Moved::Taken => Err(self.taken(to, &into)),
            Moved::Not(cause) => Err(failed(cause)),
            Moved::Unclear(cause) => Err(unknown(cause)),
        }
    }

    fn reserve(&self, len: u64) -> Result<()> {
        let dir = self.owned()?;
        let at = format!("{}/{RESERVE}", self.place());
        let failed = |cause: io::Error| failure::making("keep room in reserve", &at, cause);
        let unknown = |cause| failure::unknown("keep room in reserve", &at, cause);
        match dir.what(RESERVE) {
            // It got its name after its bytes were durable, so its length can be believed.
            Ok(What::File(kept)) if kept >= len => return dir.sync().map_err(unknown),
            Ok(What::File(_)) => {}
            Err(Errno::NOENT) if len == 0 => return Ok(()),
            Err(Errno::NOENT) => {}
            Ok(_) => return Err(failed(io::Error::from(Errno::NXIO))),
            Err(cause) => return Err(failed(cause.into())),
        }
        let make = || {
            let mut fresh = Fresh::new(&dir).map_err(|cause| failed(cause.into()))?;
            match self.make_room(&mut fresh, len, Room::Written).and_then(|()| fresh.sync()) {
                Ok(()) => Ok(fresh),
                Err(cause) => Err(self.undo(&mut fresh, failed(cause))),
            }
        };
        let mut fresh = self.with_room(make)?;
        if let Err(cause) = fresh.replace(RESERVE) {
            return Err(self.undo(&mut fresh, failure::during("keep room in reserve", &at, cause)));
        }
        dir.sync().map_err(unknown)
    }

    fn release(&self) -> Result<()> {
        let dir = self.owned()?;
        let at = format!("{}/{RESERVE}", self.place());
        match dir.remove_file(RESERVE) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(cause) => return Err(failure::during("give the reserved room free", at, cause)),
        }
        // A file system may hand freed room out only once it is sure that the file is gone.
        dir.sync().map_err(|cause| failure::unknown("give the reserved room free", at, cause))
    }
}

/// The folder of a name, empty for the root, and its last component.
fn split(name: &Name) -> (&str, &str) {
    name.as_str().rsplit_once('/').unwrap_or(("", name.as_str()))
}
