//! Object stores: whatever the crate `object_store` opens, as a place for logs.
//!
//! [`Bucket`] is a prefix of a store. Objects are put whole under names that must be free; nothing grows. Calls may be
//! made from anywhere, also from inside an async runtime: requests run on two threads of the engine's own.
//!
//! What a failed request means is stated in one table, in `failure.rs`. In short: what passes (throttling, a server's
//! errors, lost connections, no answer in time) is tried again inside a [deadline](Patience); what will not pass (a wrong
//! key, a missing bucket) is refused at once, with what to do about it; and a put is called `Unknown` as soon as one of its
//! tries may have landed and none is known to have.

mod client;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod cloud;
mod failure;
mod listing;
mod order;
mod origin;
mod secrets;
mod seen;
mod trace;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod watch;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::list::PaginatedListStore;
use object_store::path::Path;

use self::client::Client;
#[cfg(feature = "azure")]
pub(super) use self::cloud::azure;
#[cfg(feature = "gcs")]
pub(super) use self::cloud::gcs;
#[cfg(feature = "s3")]
pub(super) use self::cloud::s3;
use self::listing::{Folder, Listing};
use self::origin::{Origin, told_by};
use self::secrets::Secrets;
pub use super::patience::Patience;
use super::pool::Pool;
pub use super::probe;
use super::{Fetch, Name, Pages, Store, Survives};
use crate::error::{Error, Kind, Result};

/// Through so many clients a store is probed...
const PROBED_CLIENTS: usize = 4;
/// ... which list in pages so small that there are several...
const PROBED_PAGE_ENTRIES: usize = 7;
/// ... and give up sooner: what a store does wrong each time is not to be waited out.
const PROBED_DEADLINE: Duration = Duration::from_secs(15);

/// A prefix of an object store.
///
/// Clones are the same bucket.
#[derive(Clone)]
pub struct Bucket {
    client: Arc<Client>,
    pool: Arc<Pool>,
    prefix: Path,
    survives: Survives,
    origin: Origin,
    /// So many names a page of a listing; else as many as the store likes.
    page_entries: Option<usize>,
    unordered: Arc<AtomicBool>,
}

impl Bucket {
    /// What lies under `prefix` in a store; the empty prefix is all of it.
    ///
    /// Retries beneath do no harm, but make the answer to a put less certain: a store that is handed in is best built with
    /// none (`RetryConfig { max_retries: 0, .. }`) and without a time limit for the whole request.
    ///
    /// Listing holds all names of a folder in memory; for stores that list by pages there is
    /// [`with_pages`](Self::with_pages).
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self> {
        Bucket::build(store, None, prefix)
    }

    /// As [`new`](Self::new), of a store that lists by pages: S3, GCS and Azure do.
    pub fn with_pages<S: ObjectStore + PaginatedListStore>(store: Arc<S>, prefix: &str) -> Result<Self> {
        Bucket::build(store.clone(), Some(store), prefix)
    }

    /// With other time limits.
    #[must_use]
    pub fn patience(self, patience: Patience) -> Self {
        self.change(|client| client.patience = patience)
    }

    /// Listing so many names a page, where the store lists by pages, and not as many as it likes.
    #[must_use]
    pub fn page_entries(mut self, entries: usize) -> Self {
        self.page_entries = Some(entries.max(1));
        self
    }

    /// What a put survives here, where the store is one of whose kind we do not know.
    #[must_use]
    pub fn surviving(mut self, survives: Survives) -> Self {
        self.survives = survives;
        self
    }

    /// Begins a log even where the store fails its [probe], as `unproven=accept` does in a URL. On such a store two writers
    /// may both be told that they wrote the same place, and one of them loses what it was told is safe.
    #[must_use]
    pub fn unproven(mut self) -> Self {
        self.origin.unproven = true;
        self
    }

    fn build(
        store: Arc<dyn ObjectStore>,
        pages: Option<Arc<dyn PaginatedListStore>>,
        prefix: &str,
    ) -> Result<Self> {
        let told = told_by(&store.to_string(), prefix);
        let (patience, secrets) = (Patience::default(), Secrets::default());
        let client = Client { store, pages, watched: false, patience, secrets, place: told.0 };
        Bucket::of(client, prefix, told.1, Origin::default())
    }

    fn of(client: Client, prefix: &str, survives: Survives, origin: Origin) -> Result<Self> {
        let prefix = Path::parse(prefix).map_err(|error| {
            Error::new(Kind::Invalid, format!("not a prefix that a store can hold: prefix={prefix:?}"))
                .because(error)
        })?;
        let (client, pool) = (Arc::new(client), Pool::shared()?);
        Ok(Bucket { client, pool, prefix, survives, origin, page_entries: None, unordered: Arc::default() })
    }

    fn change(mut self, change: impl FnOnce(&mut Client)) -> Self {
        let client = &*self.client;
        let mut client = Client {
            store: Arc::clone(&client.store),
            pages: client.pages.clone(),
            watched: client.watched,
            patience: client.patience.clone(),
            secrets: client.secrets.clone(),
            place: client.place.clone(),
        };
        change(&mut client);
        self.client = Arc::new(client);
        self
    }

    /// The object of a name.
    fn object(&self, name: &Name) -> Result<Path> {
        if *name == Name::ROOT {
            return Err(Error::new(Kind::Invalid, super::ROOT_IS_NO_FILE));
        }
        Ok(self.below(name))
    }

    fn below(&self, name: &Name) -> Path {
        // A name has none of the bytes that a path would write otherwise.
        name.as_str()
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }

    fn pages(&self, folder: &Name, after: Option<&str>) -> Listing {
        Listing::begin(Folder {
            client: Arc::clone(&self.client),
            pool: Arc::clone(&self.pool),
            path: self.below(folder),
            after: after.map(str::to_owned),
            page_entries: self.page_entries,
            unordered: Arc::clone(&self.unordered),
        })
    }
}

impl Store for Bucket {
    fn place(&self) -> String {
        self.client.place.clone()
    }

    fn survives(&self) -> Survives {
        self.survives
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        let (client, path) = (Arc::clone(&self.client), self.object(name)?);
        let put = self.pool.begin(async move { client.put(&path, bytes).await });
        put.wait().unwrap_or_else(|| Err(ended(Kind::Unknown, name)))
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        let (client, path) = (Arc::clone(&self.client), self.object(name)?);
        let read = self.pool.begin(async move { client.read(&path, range).await });
        read.wait().unwrap_or_else(|| Err(ended(Kind::Unavailable, name)))
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        Ok(Box::new(self.pages(folder, None)))
    }

    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        Ok(Box::new(self.pages(folder, Some(after))))
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        let (client, path, name) = (Arc::clone(&self.client), self.object(name).ok()?, name.clone());
        let read = self.pool.begin(async move { client.read(&path, range).await });
        Some(Fetch::new(move || read.wait().unwrap_or_else(|| Err(ended(Kind::Unavailable, &name)))))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.remove_all(std::slice::from_ref(name)).pop().unwrap_or(Ok(()))
    }

    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        let paths: Vec<Result<Path>> = names.iter().map(|name| self.object(name)).collect();
        let (client, asked) = (Arc::clone(&self.client), paths.iter().filter_map(|path| path.as_ref().ok()));
        let asked: Vec<Path> = asked.cloned().collect();
        let removed = self.pool.begin(async move { client.remove(asked).await });
        let mut answers = removed.wait().map(Vec::into_iter);
        let mut answer_for = |name: &Name| match &mut answers {
            Some(answers) => answers.next().expect("an answer for each"),
            None => Err(ended(Kind::Unknown, name)),
        };
        paths.into_iter().zip(names).map(|(path, name)| path.and_then(|_| answer_for(name))).collect()
    }

    fn prove(&self) -> Result<()> {
        if self.origin.unproven {
            return Ok(());
        }
        let findings = probe::probe(self)?;
        let Some(worst) = findings.worst() else { return Ok(()) };
        let (kind, says) = match worst.held() {
            probe::Held::No(_) => (
                Kind::Unsupported,
                "this store does not keep what a log needs; `wal-fsck probe` shows all of it, and `unproven=accept` in \
                 the URL begins a log all the same",
            ),
            _ => (
                Kind::Unavailable,
                "it could not be found out whether this store keeps what a log needs; start again",
            ),
        };
        Err(Error::new(kind, format!("{says}: {worst} place={}", self.client.place)))
    }

    fn others(&self) -> Vec<Arc<dyn Store>> {
        // Some servers check a condition well within one connection, and not between two.
        let other = |_| {
            let client = self.origin.connect.as_ref().and_then(|connect| connect().ok());
            let mut other = self.clone().page_entries(PROBED_PAGE_ENTRIES);
            if let Some(client) = client {
                other.client = Arc::new(client);
            }
            let deadline = other.client.patience.deadline.min(PROBED_DEADLINE);
            let other = other.change(|client| client.patience.deadline = deadline);
            Arc::new(other) as Arc<dyn Store>
        };
        (0..PROBED_CLIENTS).map(other).collect()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("place", &self.client.place)
            .field("patience", &self.client.patience)
            .finish_non_exhaustive()
    }
}

fn ended(kind: Kind, name: &Name) -> Error {
    Error::new(kind, format!("the call came to no end, because the store's client failed: name={name}"))
}
