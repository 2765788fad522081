//! Floor 2: the media a log can lie on.
//!
//! There are two kinds, and each tells the truth about itself. Every medium can put a whole object under a new name
//! ([`Store::put`]); media whose files can grow and be synced say so with [`Store::append`]. Nothing here knows what
//! the bytes mean.
//!
//! No name is ever written twice. Put-if-absent is the one conditional write that local disk, S3, Azure, GCS and
//! HDFS all have, so it is the only one that the engine asks for.

#[cfg(feature = "hdfs")]
pub mod hdfs;
#[cfg(unix)]
pub mod local;
pub mod memory;
mod name;
#[cfg(feature = "object")]
pub mod object;
#[cfg(any(feature = "object", feature = "hdfs"))]
mod patience;
#[cfg(any(feature = "object", feature = "hdfs"))]
mod pool;
pub mod probe;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "sim")]
pub mod suite;
mod url;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::Result;
#[cfg(unix)]
pub use local::Local;
pub use memory::Memory;
pub use name::Name;
pub use url::open;

/// What a disk writes whole or not at all, if it begins and ends on multiples of it.
pub(crate) const SECTOR_BYTES: u32 = 512;

// What every medium says of a wrong call.
const NOT_OWNED: &str = "this needs the place to be owned: call `own` first, and keep what it returns";
const ROOT_IS_NO_FILE: &str = "the root of a store is a folder, never a file";
const HEAD_TOO_LONG: &str = "a new file cannot begin with more bytes than it is to have";
const OFFSET_TOO_LARGE: &str = "no file can be written so far out";
const TRIM_GROWS: &str = "a trim cannot make a file longer";

/// A place that holds named bytes.
///
/// Calls may run at once from any number of threads. A call that fails with
/// [`Unknown`](crate::Kind::Unknown) may have happened, or may still happen at any later time; with any other kind it
/// certainly has not and will not. Reading never changes, creates, locks or touches anything.
pub trait Store: fmt::Debug + Send + Sync {
    /// Where this is, as a URL without secrets, for messages.
    fn place(&self) -> String;

    /// What a put or a synced write has survived by the time the call returns.
    fn survives(&self) -> Survives;

    /// Puts a whole object: on return it is durable under its name, and it is new.
    ///
    /// `Exists`: the name is taken, durably, by whatever bytes; it may be this very call's own (an answer that was lost and a
    /// retry beneath), so who must know reads it back and compares. `Full`: no room, nothing is left behind.
    /// `Unknown`: it may be there, or may yet come.
    fn put(&self, name: &Name, bytes: Bytes) -> Result<()>;

    /// Reads what exists of `range`: shorter where the object ends, empty beyond its end. `NotThere` only if the name
    /// certainly does not exist; a link, a folder or a device in its place is `Invalid` and is not opened.
    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes>;

    /// Opens an object for reading it again and again, at less cost than by its name each time; errors as of
    /// [`read`](Store::read). `None`: on this medium nothing is gained by it, and the object may not even be there.
    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        let _ = name;
        Ok(None)
    }

    /// Lists what lies directly in a folder, in the order of names, a page at a time; a folder that does not exist is
    /// empty. What appears or goes while the pages are read may be listed or not. What was put before the listing began, and
    /// not removed, is listed: a store that is late with it can make a starter miss that the log begins later by now, and
    /// then what an heir has acknowledged may be called damaged.
    fn list(&self, folder: &Name) -> Result<Pages<'_>>;

    /// Lists as [`list`](Store::list) does what has a name greater than `after`, as text.
    ///
    /// Media that can begin in the middle do; elsewhere all is listed and the rest left out.
    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        let after = after.to_owned();
        Ok(Box::new(self.list(folder)?.filter_map(move |page| {
            let mut page = match page {
                Ok(page) => page,
                failed => return Some(failed),
            };
            page.retain(|entry| entry.name > after);
            (!page.is_empty()).then_some(Ok(page))
        })))
    }

    /// Begins a [`read`](Store::read) and does not wait for it, so that many can be under way at once. `None`: on this
    /// medium nothing is gained by it; read when the bytes are wanted.
    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        let _ = (name, range);
        None
    }

    /// Removes a name; that it is gone already is fine. After a power cut the name may be back.
    fn remove(&self, name: &Name) -> Result<()>;

    /// Removes many names, in any order and as many at once as the medium can. Answers for each of them, in their order.
    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        names.iter().map(|name| self.remove(name)).collect()
    }

    /// Proves that this place keeps what is said of a store here, above all that a name is given once. Whoever is about to
    /// begin a log where there is none calls it first; it may take seconds and leaves nothing behind. Media that cannot be
    /// other than they say have nothing to prove.
    ///
    /// `Unsupported`: it does not, and a log here would lose data.
    fn prove(&self) -> Result<()> {
        Ok(())
    }

    /// Other clients of this place, each with connections of its own, where a promise that holds within one client may
    /// not hold between two. For [`probe`](probe::probe).
    fn others(&self) -> Vec<Arc<dyn Store>> {
        Vec::new()
    }

    /// The calls of media whose files grow.
    fn append(&self) -> Option<&dyn Append> {
        None
    }
}

/// The calls of a medium whose owner locks everybody else out. Elsewhere whoever starts races others for names.
pub fn locking(store: &dyn Store) -> Option<&dyn Append> {
    store.append().filter(|append| append.leases().is_none())
}

/// The calls of a medium of leases.
pub fn leasing(store: &dyn Store) -> Option<(&dyn Append, &dyn Leases)> {
    let append = store.append()?;
    append.leases().map(|leases| (append, leases))
}

/// A read that was begun and not waited for. Dropped, it is given up.
#[must_use]
// The lock is never taken: it makes what holds a read as shareable as it was without.
pub struct Fetch(Mutex<Box<dyn FnOnce() -> Result<Bytes> + Send>>);

impl Fetch {
    /// What is to be done to wait for it.
    pub fn new(wait: impl FnOnce() -> Result<Bytes> + Send + 'static) -> Self {
        Fetch(Mutex::new(Box::new(wait)))
    }

    /// Waits for it, and answers as [`read`](Store::read) does.
    pub fn wait(self) -> Result<Bytes> {
        (self.0.into_inner())()
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetch")
    }
}

/// An object that was opened for reading.
///
/// It is the one that had the name then, and stays readable whatever becomes of the name: removed, moved, taken by
/// another. So it never tells what the name stands for now, and while it is kept, the room of a removed one is not free.
/// Its bytes are those that the object has at the time of the read; of a removed one they may have become others, and
/// [`is_still`](Object::is_still) tells.
pub trait Object: fmt::Debug + Send + Sync {
    /// Reads what exists of `range`: shorter where the object ends, empty beyond its end.
    fn read(&self, range: Range<u64>) -> Result<Bytes>;

    /// Fills `into` with the bytes from `offset` on, and answers how many there were: fewer only where the object ends.
    fn read_into(&self, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// Whether its bytes are still its own. Where a medium uses the room of removed files again (see
    /// [`recycle`](Append::recycle)), what was read before this said so may be anything else; ask it before anything is
    /// concluded from bytes that do not verify.
    fn is_still(&self) -> Result<bool> {
        Ok(true)
    }

    /// The first offset from `offset` on that may hold anything but zeros: a hole of the file is passed over, where the
    /// medium knows of it.
    fn data_from(&self, offset: u64) -> Result<u64> {
        Ok(offset)
    }
}

/// What a durable write outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Survives {
    /// Nothing: memory of this process.
    Nothing,
    /// The death of the process, not of the machine's power.
    Kill,
    /// A power cut.
    Power,
    /// The loss of the machine.
    Machine,
}

impl fmt::Display for Survives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Survives::Nothing => "nothing",
            Survives::Kill => "kill",
            Survives::Power => "power",
            Survives::Machine => "machine",
        })
    }
}

/// The pages of a listing.
pub type Pages<'a> = Box<dyn Iterator<Item = Result<Vec<Entry>>> + 'a>;

/// One thing in a listed folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its last component. Where `what` is `Other` it may be any text; escape it before showing it.
    pub name: String,
    /// What it is.
    pub what: What,
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A plain file or an object, and its length.
    File(u64),
    /// A folder.
    Folder,
    /// Anything that the engine did not make and does not open, in words: a link, a pipe, a name that is no
    /// [`Name`].
    Other(&'static str),
}

/// A medium whose files grow and sync.
///
/// Whoever calls anything here but [`own`](Append::own) holds the guard that `own` returned; without one the answer
/// is `Invalid`. On a medium of [`leases`](Append::leases) some calls mean less; what is said there goes before what is
/// said here.
pub trait Append: fmt::Debug + Send + Sync {
    /// Takes the place over until the guard is dropped, against other processes and against others in this process;
    /// `Locked` names the holder. Leftovers of calls that a crash cut short are swept. Creates the place if it does
    /// not exist.
    fn own(&self) -> Result<Box<dyn Own>>;

    /// The calls of media that can lock nobody out, where each file that grows has a lease instead.
    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    /// Makes a new file of `len` bytes that begins with `head` and is zero behind it. The name appears only once all
    /// of that is durable, and is itself durable on return. No later write into the file needs room.
    ///
    /// `Exists`: the name is taken. `Full`: no room; nothing is left behind, and the call may be repeated.
    fn create(&self, name: &Name, head: &[u8], len: u64, room: Room) -> Result<Box<dyn Tail>>;

    /// Makes the room of the next file ahead: a [`create`](Append::create) of the same length and room in the root
    /// that follows uses it, and needs no more. One file is kept so; another one replaces it, and length 0 gives its
    /// room free. It does not outlive the process. `Full`: no room; nothing is left behind.
    ///
    /// It may run beside any other call; a `create` that could use what it makes waits for it.
    fn ahead(&self, len: u64, room: Room) -> Result<()>;

    /// Removes a file of the root and keeps its room for the files that are made next. Whether it did; if not, nothing was done,
    /// and [`remove`](Store::remove) is to be called. After a power cut the name may be back, with all of its bytes.
    ///
    /// Who has the file open may from now on find anything in the place of its bytes, and so may who opened it by a name that is
    /// gone: [`Object::is_still`] tells.
    fn recycle(&self, name: &Name) -> Result<bool> {
        let _ = name;
        Ok(false)
    }

    /// Opens a file that [`create`](Append::create) made in an earlier life.
    fn reopen(&self, name: &Name) -> Result<Box<dyn Tail>>;

    /// Makes every name as it stands durable, also those that were created, moved or removed before.
    fn sync_names(&self) -> Result<()>;

    /// Gives a file another name, which must be free; durable on return. Folders on the way are made.
    fn set_aside(&self, name: &Name, to: &Name) -> Result<()>;

    /// Keeps `len` bytes of room back, durably, for the day when the disk is full; does nothing if they are kept
    /// already. `Full` if there is no room for them.
    fn reserve(&self, len: u64) -> Result<()>;

    /// Gives the kept room free.
    fn release(&self) -> Result<()>;
}

/// A medium whose files are streams, each written by the one who made it, under a lease that others can end: HDFS.
///
/// Nobody is locked out of the place. What a call of [`Append`] and [`Tail`] means here:
///
/// - [`own`](Append::own) ends the lease of every file of the root that is open for writing, whoever holds it, of this
///   process or another. It lists, ends what is open, waits until each file is closed, and lists again, until a list shows
///   no open file. From then on no write or sync of those files succeeds, whenever it was begun. It does
///   not keep others from making new files, nor from owning too: every caller succeeds, and the guard's
///   [`check`](Own::check) answers nothing but `Ok`. What a closed file holds then is final: everything that was synced, and any
///   part of what was written behind it. It may take seconds to minutes (a server that holds the end must answer first).
///   `Unavailable`: a lease did not end in time, or a server did not answer; some leases may have ended, others not;
///   whoever held one is fenced or is not; calling again is right. Leftovers of cut-short calls may be swept although their
///   maker still lives: its call then fails, and nothing of it is there.
/// - [`create`](Append::create) makes a file that is open and begins with `head`; it is as long as what is written to it, and
///   `len` only says how long it may get. The name is given last, in one step that replaces nothing, to a
///   file that holds `head` durably; so no name is ever seen without its head, once its file is closed. The file stays open
///   under it. `Exists`: another has it, never this very call. `Unknown`: the name may be there, or may come at any later time, with an open file under
///   it that has only the head; its maker never asks for the name again.
/// - [`Tail::write`] and [`Tail::write_through`] begin where the last one ended, one call at a time; anything else is
///   `Invalid`. A sync makes everything durable that was written. Once the lease has ended every call fails, also one
///   that was under way and may have been durable before: so `Unknown`, as ever.
/// - [`Tail::trim`] closes the file, whose length is `len` by then, and ends the lease; another length is `Invalid`. A file
///   is closed before its maker makes the next one. A closed file is never written again by anybody: there is no
///   [`reopen`](Append::reopen) and no cutting (`Invalid`). A tail that is dropped without it leaves the file open until
///   somebody's `own`, or the server by itself after a while.
/// - [`ahead`](Append::ahead), [`reserve`](Append::reserve), [`release`](Append::release) and
///   [`sync_names`](Append::sync_names) have nothing to do and are `Ok`: room is the cluster's, and every name is durable when
///   the call that gave it returns. `Full` (a quota, no server with room) may meet any call.
/// - [`set_aside`](Append::set_aside) is a move in one step that replaces nothing.
///
/// And of [`Store`], as anybody sees it who owns nothing: [`put`](Store::put) is durable and appears whole, closed. A file that
/// is open is listed as [`What::File`] with any length from what can be read of it to what was written. A read of it, or
/// through an [`Object`] opened before, shows a beginning of what was synced, which may be nothing at all, and ends there
/// as if the file did; what it has shown once it shows again. (HDFS shows only finished blocks.) [`is_open`](Leases::is_open)
/// tells the two ends apart. Reading and listing end no lease.
pub trait Leases: fmt::Debug + Send + Sync {
    /// Whether the file may still be open for writing, so that a read made before this call may have ended too early.
    ///
    /// `false`: it was closed by the time of the answer, and reads from now on show all of it, for ever the same; or all
    /// that was synced can be read anyway. `NotThere` as of a read.
    fn is_open(&self, name: &Name) -> Result<bool>;

    /// Makes a closed file durable as it is, also what was written and never synced: puts in its place, in one step so that
    /// there is never none under the name, a synced and closed copy of all its bytes.
    ///
    /// It is the one call that replaces a file, and safe because a closed file never changes: whoever makes the call, at
    /// once or late, and however many do, the bytes stay the same. `Invalid`: the file is open. `NotThere`: the
    /// name is gone. `Unknown`: it may happen at any later time, and bring the name back where it is gone by then; below
    /// the beginning of a log nobody minds that.
    fn keep(&self, name: &Name) -> Result<()>;
}

/// How the room of a new file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// By zeros that are really written, so that a later write touches no metadata: for files of which every write is
    /// short, and synced.
    Written,
    /// By allotting it, which is cheaper where writes are long, or synced rarely.
    Allotted,
}

/// The ownership of a place; it ends when this is dropped.
pub trait Own: fmt::Debug + Send + Sync {
    /// Whether it still holds: `Fenced` if the lock or the folder was removed or replaced under us.
    fn check(&self) -> Result<()>;
}

/// A file that grows.
///
/// After any error the file's unsynced bytes are in doubt for good: a later sync that succeeds proves nothing about
/// them (Linux reports a failed write-back once and then calls the pages clean). Nobody may retry. The first error is
/// `Unknown`, but for a call that is `Invalid` and did nothing. Where threads share a
/// tail, as the sync aside of a `Process` log does, a call that begins after a failure has to fail too.
pub trait Tail: fmt::Debug + Send + Sync {
    /// Writes the parts one after the other at `offset`, all of them or an error; not durable.
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()>;

    /// Makes everything written durable.
    fn sync(&self) -> Result<()>;

    /// Writes the parts as [`write`](Tail::write) does and makes them durable: them, and not what else was written.
    ///
    /// Calls that have no sector in common may run at once, and each answers for its own bytes alone. It is quickest
    /// where `offset` and length are multiples of a sector.
    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()>;

    /// Cuts the file to `len` bytes; durable on return. `Invalid` if it has not so many.
    fn trim(&self, len: u64) -> Result<()>;
}
