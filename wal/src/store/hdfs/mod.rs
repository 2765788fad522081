//! HDFS, natively: files that grow, are synced, and have one writer each, by lease.
//!
//! What is asked of HDFS: the NameNode gives a name once, renames in one step, and keeps what it has answered (it syncs its
//! own log of changes, as it comes); `hsync` has every DataNode of the pipeline sync the block and what belongs to it; a
//! lease that was recovered ends every later write of whoever held it. Nothing is asked of clocks.
//!
//! A record is acknowledged when its bytes are on the disks of all DataNodes that have the block then: so many as
//! the folder's replication says, or as are left of them. So it [survives](Store::survives) a power cut of all of them at
//! once, and the loss of a machine where there is more than one. The names of blocks in a DataNode's own folders are its
//! business: Hadoop before 3.0 does not sync these.
//!
//! What lies in the folder: the files of the store; and `.headwater-new-*`, files that have not got their name yet. The
//! latter begin with a dot, so no [`Name`] can mean them, and no listing shows them. Calls that fail leave some behind, and
//! the next owner removes them.
//!
//! | what | how |
//! |---|---|
//! | [`put`](Store::put) | a new file under a name of its own, written, synced and closed; then a rename that replaces nothing |
//! | [`create`](Append::create) | likewise, but left open |
//! | [`own`](Append::own) | recovers the lease of every file, and lists again until no file was open and none is new |
//! | [`sync`](super::Tail::sync) | `hsync`, with the length recorded at the NameNode |
//! | [`trim`](super::Tail::trim) | closes the file |
//!
//! Requests run on threads of the engine's own, as those to object stores do, and wait as [`Patience`] says. A NameNode
//! that is away for less than its deadline is waited for. A DataNode that fails is left out of the pipeline where there
//! are others; where it was the only one the file is lost to its writer, and whoever starts the log again waits for it.

mod append;
mod client;
mod failure;
mod fresh;
mod listing;
mod tail;
mod url;
mod whole;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use self::client::Client;
use self::listing::{Listing, Shown};
pub use super::patience::Patience;
use super::pool::Pool;
use super::{Append, Fetch, Name, Pages, ROOT_IS_NO_FILE, Store, Survives};
use crate::error::{Error, Kind, Result};

/// What a file begins with that has not got its name yet.
const NEW: &str = ".headwater-new-";
/// Of a file whose URL says nothing else.
const BLOCK_BYTES: u64 = 128 << 20;
/// Of folders and files: nobody but their user.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// So many names are removed at once.
const REMOVED_AT_ONCE: usize = 16;
/// Deeper no folder of ours lies.
const FOLDERS_DEEP_MAX: usize = 8;

/// A folder of HDFS. See the [module](self).
///
/// Clones are the same folder.
#[derive(Clone)]
pub struct Hdfs {
    ways: Ways,
    /// How many own it, of those who have this one.
    owned: Arc<AtomicUsize>,
}

/// What every call goes through.
#[derive(Clone)]
struct Ways {
    client: Arc<Client>,
    pool: Arc<Pool>,
    /// The folder's path, without a slash at its end.
    root: Arc<str>,
}

impl Ways {
    fn path(&self, name: &Name) -> String {
        match name.as_str() {
            "" if self.root.is_empty() => "/".into(),
            "" => self.root.as_ref().into(),
            name => format!("{}/{name}", self.root),
        }
    }
}

impl Hdfs {
    fn path(&self, name: &Name) -> String {
        self.ways.path(name)
    }

    fn below(&self, part: &str) -> String {
        format!("{}/{part}", self.ways.root)
    }

    /// The path of a file.
    fn file(&self, name: &Name) -> Result<String> {
        if *name == Name::ROOT {
            return Err(Error::new(Kind::Invalid, ROOT_IS_NO_FILE));
        }
        Ok(self.path(name))
    }

    /// Does something on the threads for requests and waits for it; `ended` says what to conclude if it comes to no end.
    fn run<T, F>(&self, name: &Name, ended: Kind, work: impl FnOnce(Arc<Client>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let begun = self.ways.pool.begin(work(Arc::clone(&self.ways.client)));
        begun.wait().unwrap_or_else(|| Err(no_end(ended, name)))
    }
}

impl Store for Hdfs {
    fn place(&self) -> String {
        format!("{}{}", self.ways.client.place, self.ways.root)
    }

    fn survives(&self) -> Survives {
        Survives::Power
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        let path = self.file(name)?;
        self.run(name, Kind::Unknown, |client| async move { whole::put(&client, &path, bytes).await })
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        let path = self.file(name)?;
        self.run(name, Kind::Unavailable, |client| async move { client.read(&path, range).await })
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        Ok(Box::new(Listing::begin(self.ways.clone(), folder.clone(), Shown::Named)))
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        let (client, path, name) = (Arc::clone(&self.ways.client), self.file(name).ok()?, name.clone());
        let read = self.ways.pool.begin(async move { client.read(&path, range).await });
        Some(Fetch::new(move || read.wait().unwrap_or_else(|| Err(no_end(Kind::Unavailable, &name)))))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let path = self.file(name)?;
        self.run(name, Kind::Unknown, |client| async move { client.remove(&path).await })
    }

    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        let paths: Vec<Result<String>> = names.iter().map(|name| self.file(name)).collect();
        let client = Arc::clone(&self.ways.client);
        let removed = self.ways.pool.begin(async move {
            let removed = stream::iter(paths).map(|path| {
                let client = Arc::clone(&client);
                async move { client.remove(&path?).await }
            });
            removed.buffered(REMOVED_AT_ONCE).collect::<Vec<_>>().await
        });
        let ended = || names.iter().map(|name| Err(no_end(Kind::Unknown, name))).collect();
        removed.wait().unwrap_or_else(ended)
    }

    fn append(&self) -> Option<&dyn Append> {
        Some(self)
    }
}

impl fmt::Debug for Hdfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hdfs")
            .field("place", &self.place())
            .field("patience", &self.ways.client.patience)
            .finish_non_exhaustive()
    }
}

/// Whether a path, or a name, is that of a file that has not got its own yet.
fn is_new(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(NEW))
}

fn no_end(kind: Kind, name: &Name) -> Error {
    Error::new(kind, format!("the call came to no end, because the client for HDFS failed: name={name}"))
}
