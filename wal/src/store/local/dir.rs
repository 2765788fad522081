//! An open directory, and what may be done in it: nothing here follows a link below the root.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;

use super::LOCK;
use crate::store::{Name, What};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Clone, Debug)]
pub(super) struct Dir(Arc<OwnedFd>);

impl Dir {
    /// The root of a store. Its path may lead over links: they are the operator's.
    pub(super) fn open(path: &Path) -> Result<Dir, Errno> {
        Ok(Dir(Arc::new(fs::open(path, DIRECTORY, Mode::empty())?)))
    }

    /// The same, made if it is not there, and the directories above it; all of them durably.
    pub(super) fn make(path: &Path) -> Result<Dir, Errno> {
        make_durably(path)?;
        Dir::open(path)
    }

    /// A folder below, by its path; the directory itself if that is empty.
    pub(super) fn open_folder(&self, path: &str) -> Result<Dir, Errno> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(self.clone(), |dir, part| dir.step(part))
    }

    /// The same, made if it is not there. A folder that is found may have been made a moment ago, by a thread or a
    /// process that died before its sync, so the sync is not left out.
    pub(super) fn make_folder(&self, path: &str) -> Result<Dir, Errno> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(self.clone(), |dir, part| {
            match fs::mkdirat(&dir.0, part, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => dir.sync()?,
                Err(error) => return Err(error),
            }
            dir.step(part)
        })
    }

    fn step<P: Arg>(&self, part: P) -> Result<Dir, Errno> {
        Ok(Dir(Arc::new(fs::openat(&self.0, part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)))
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), Errno> {
        loop {
            match fs::fsync(&self.0) {
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    }

    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        fs::fstat(&self.0)
    }

    /// What stands under a name, itself and not what it may link to.
    pub(super) fn stat_of<P: Arg>(&self, leaf: P) -> Result<Stat, Errno> {
        fs::statat(&self.0, leaf, AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(super) fn what<P: Arg>(&self, leaf: P) -> Result<What, Errno> {
        let stat = self.stat_of(leaf)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => What::File(u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Directory => What::Folder,
            FileType::Symlink => What::Other("a link"),
            FileType::Fifo => What::Other("a pipe"),
            FileType::Socket => What::Other("a socket"),
            FileType::BlockDevice | FileType::CharacterDevice => What::Other("a device"),
            FileType::Unknown => What::Other("of an unknown kind"),
        })
    }

    /// Opens a plain file that is there. Looked at before, since opening a device can do things, and after, since it
    /// may have been changed for something else in between; opening that would neither wait nor follow.
    pub(super) fn open_file(&self, leaf: &str, how: OFlags) -> Result<File, Errno> {
        self.must_be_file(self.stat_of(leaf)?)?;
        let flags = how | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = fs::openat(&self.0, leaf, flags, Mode::empty())?;
        self.must_be_file(fs::fstat(&file)?)?;
        Ok(File::from(file))
    }

    /// Opens a plain file for the lock, made if it is not there.
    pub(super) fn open_or_make_file(&self, leaf: &str) -> Result<File, Errno> {
        match self.stat_of(leaf) {
            Ok(stat) => self.must_be_file(stat)?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&self.0, leaf, flags, Mode::RUSR | Mode::WUSR)?;
        self.must_be_file(fs::fstat(&file)?)?;
        Ok(File::from(file))
    }

    /// Makes a file that was not there.
    pub(super) fn make_file(&self, leaf: &str) -> Result<File, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&self.0, leaf, flags, Mode::RUSR | Mode::WUSR)?))
    }

    fn must_be_file(&self, stat: Stat) -> Result<(), Errno> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(()),
            FileType::Symlink => Err(Errno::LOOP),
            FileType::Directory => Err(Errno::ISDIR),
            _ => Err(Errno::NXIO),
        }
    }

    /// Removes a plain file, and nothing else.
    pub(super) fn remove_file<P: Arg + Copy>(&self, leaf: P) -> Result<(), Errno> {
        self.must_be_file(self.stat_of(leaf)?)?;
        self.unlink(leaf)
    }

    pub(super) fn unlink<P: Arg>(&self, leaf: P) -> Result<(), Errno> {
        fs::unlinkat(&self.0, leaf, AtFlags::empty())
    }

    /// Renames over whatever file has the name.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        fs::renameat(&self.0, from, &self.0, to)
    }

    /// Renames to a name that must be free, in one step. Not every file system can.
    #[cfg(target_os = "linux")]
    pub(super) fn rename_new(&self, from: &str, into: &Dir, to: &str) -> Result<(), Errno> {
        fs::renameat_with(&self.0, from, &into.0, to, fs::RenameFlags::NOREPLACE)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn rename_new(&self, _from: &str, _into: &Dir, _to: &str) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Gives a file a second name, which must be free.
    pub(super) fn link(&self, from: &str, into: &Dir, to: &str) -> Result<(), Errno> {
        fs::linkat(&self.0, from, &into.0, to, AtFlags::empty())
    }

    /// Calls with every name in it and what the directory says that it is, in any order.
    pub(super) fn each_name(
        &self,
        mut call: impl FnMut(&CStr, FileType) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                call(entry.file_name(), entry.file_type())?;
            }
        }
        Ok(())
    }

    /// Calls with this directory, of the given name, and with every folder below that can be the store's.
    ///
    /// Those that cannot are: links; names that are no [`Name`]; what this user may not read; and a folder with a lock
    /// of its own, which is a place of its own and its owner's business.
    pub(super) fn each_folder(
        &self,
        name: &Name,
        call: &mut dyn FnMut(&Dir) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        call(self)?;
        self.each_name(|leaf, kind| {
            let Some(inner) = leaf.to_str().ok().and_then(|part| name.join(part).ok()) else { return Ok(()) };
            // Not every file system says in the directory what a name is.
            if !matches!(kind, FileType::Directory | FileType::Unknown) {
                return Ok(());
            }
            let folder = match self.step(leaf) {
                Ok(folder) => folder,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return Ok(()),
                Err(error) => return Err(error),
            };
            match folder.stat_of(LOCK) {
                Ok(_) | Err(Errno::ACCESS) => Ok(()),
                Err(Errno::NOENT) => folder.each_folder(&inner, call),
                Err(error) => Err(error),
            }
        })
    }
}

/// Makes a directory and those above it. Whoever finds one there cannot know whether it is durable, so the parent of
/// the first that is found is synced as well. Where that cannot be done (no right to read it, a read-only system that
/// knows no sync) no earlier life of this log can have made anything either.
fn make_durably(path: &Path) -> Result<(), Errno> {
    let parent = path.parent();
    let made = match (fs::mkdirat(CWD, path, Mode::RWXU), parent) {
        (Err(Errno::NOENT), Some(parent)) => {
            make_durably(parent)?;
            fs::mkdirat(CWD, path, Mode::RWXU)
        }
        (made, _) => made,
    };
    if !matches!(made, Ok(()) | Err(Errno::EXIST)) {
        return made;
    }
    let Some(parent) = parent else { return Ok(()) };
    match Dir::open(parent).and_then(|parent| parent.sync()) {
        Err(Errno::ACCESS | Errno::INVAL | Errno::ROFS) if made.is_err() => Ok(()),
        synced => synced,
    }
}

/// Whether two looks saw the same file.
pub(super) fn same(left: &Stat, right: &Stat) -> bool {
    left.st_dev == right.st_dev && left.st_ino == right.st_ino
}
