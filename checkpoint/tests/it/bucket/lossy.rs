//! A store in memory whose answers get lost, as a seed has it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

const LOST: &str = "HTTP error: error sending request: connection closed before message completed";
const SLOW_DOWN: &str =
    "Server returned non-2xx status code: 503 Service Unavailable: <Error><Code>SlowDown</Code></Error>";
const CONFLICT: &str = "Server returned non-2xx status code: 409 Conflict: <Error><Code>ConditionalRequestConflict</Code></Error>";

/// The store.
#[derive(Clone, Debug)]
pub(super) struct Lossy {
    inner: Arc<InMemory>,
    seed: u64,
    /// What befalls a request depends on what it asks of which name, and on how often that was asked: threads may run as
    /// they like.
    asked: Arc<Mutex<BTreeMap<(&'static str, Path), u64>>>,
    pub(super) faults: Arc<Faults>,
}

/// How often what went wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) puts_lost: AtomicU64,
    pub(super) put_answers_lost: AtomicU64,
    pub(super) conflicts: AtomicU64,
    pub(super) others: AtomicU64,
}

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It is not done.
    Lost,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// It is not done, and the answer is a conflict.
    Conflict,
}

impl Lossy {
    pub(super) fn new(seed: u64) -> Self {
        Lossy { inner: Arc::default(), seed, asked: Arc::default(), faults: Arc::default() }
    }

    fn next(&self, what: &'static str, path: &Path) -> Fault {
        // Whether the store is fit for a log is asked on a good day.
        if path.as_ref().contains("/probe-") {
            return Fault::None;
        }
        let count = {
            let mut asked = self.asked.lock();
            let count = asked.entry((what, path.clone())).or_default();
            *count += 1;
            *count
        };
        let mut hash = self.seed ^ count.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for byte in what.bytes().chain(path.as_ref().bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        match (hash >> 40) % 16 {
            // One that is asked again and again gets its answer.
            _ if count > 4 => Fault::None,
            0 | 1 => Fault::Lost,
            2 | 3 => Fault::AnswerLost,
            4 if what == "put" => Fault::Conflict,
            _ => Fault::None,
        }
    }

    /// What goes wrong before the request is done.
    fn before(&self, what: &'static str, path: &Path) -> Result<Fault> {
        let fault = self.next(what, path);
        let counter = match (fault, what) {
            (Fault::None, _) => return Ok(fault),
            (Fault::Lost, "put") => &self.faults.puts_lost,
            (Fault::AnswerLost, "put") => &self.faults.put_answers_lost,
            (Fault::Conflict, _) => &self.faults.conflicts,
            _ => &self.faults.others,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        match fault {
            Fault::Lost => Err(Error::Generic { store: "lossy", source: SLOW_DOWN.into() }),
            Fault::Conflict => Err(Error::AlreadyExists { path: path.to_string(), source: CONFLICT.into() }),
            _ => Ok(fault),
        }
    }

    fn after<T>(&self, fault: Fault, answer: Result<T>) -> Result<T> {
        match fault {
            Fault::AnswerLost => Err(Error::Generic { store: "lossy", source: LOST.into() }),
            _ => answer,
        }
    }
}

impl fmt::Display for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lossy(InMemory)")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Lossy {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fault = self.before("put", path)?;
        self.after(fault, self.inner.put_opts(path, payload, options).await)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.before("get", path)?;
        self.after(fault, self.inner.get_opts(path, options).await)
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let remove = move |path: Result<Path>| {
            let this = this.clone();
            async move {
                let path = path?;
                let fault = this.before("remove", &path)?;
                let removed = this.inner.delete_stream(stream::iter([Ok(path.clone())]).boxed()).next().await;
                this.after(fault, removed.unwrap_or(Ok(path)))
            }
        };
        paths.then(remove).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.before("list", prefix.unwrap_or(&Path::default())) {
            Err(error) => stream::iter([Err(error)]).boxed(),
            Ok(_) => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let fault = self.before("list", prefix.unwrap_or(&Path::default()))?;
        self.after(fault, self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
