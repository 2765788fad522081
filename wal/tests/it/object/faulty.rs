//! A store in memory that fails as told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing does.
    None,
    /// It is not done, and this is the answer.
    Answer(&'static str),
    /// It is done, and this is the answer.
    Done(&'static str),
    /// It is not done, and there is no answer.
    Hang,
    /// It is done, and there is no answer.
    DoneHang,
    /// The body of what is read lacks its last byte.
    Cut,
    /// The name is said to be taken, in these words, and it is not.
    Taken(&'static str),
}

pub(super) const LOST: &str = "HTTP error: error sending request: connection closed before message completed";
pub(super) const NO_CONNECTION: &str =
    "HTTP error: error sending request: client error (Connect): tcp connect error";
pub(super) const SLOW_DOWN: &str =
    "Server returned non-2xx status code: 503 Service Unavailable: <Error><Code>SlowDown</Code></Error>";
pub(super) const INTERNAL: &str = "Server returned non-2xx status code: 500 Internal Server Error: <Error><Code>InternalError</Code></Error>";
pub(super) const FORBIDDEN: &str =
    "Server returned non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied</Code></Error>";
pub(super) const RETRIED_THEN_SLOW_DOWN: &str = "Error performing PUT http://h/b/k in 1s, after 3 retries, \
     max_retries: 10, retry_timeout: 180s  - Server returned non-2xx status code: 503 Service Unavailable: \
     <Error><Code>SlowDown</Code></Error>";
pub(super) const NO_BUCKET: &str =
    "Server returned non-2xx status code: 404 Not Found: <Error><Code>NoSuchBucket</Code></Error>";
pub(super) const CONFLICT: &str = "Server returned non-2xx status code: 409 Conflict: <Error><Code>ConditionalRequestConflict</Code></Error>";
pub(super) const BARE_CONFLICT: &str = "Server returned non-2xx status code: 409 Conflict: ";

/// How it treats "only if absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    #[default]
    Kept,
    /// Taken for a plain put.
    Ignored,
    /// Checked first, and put a little later.
    Racy,
}

/// The store.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    pub(super) inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    /// Once no other is left.
    always: Option<Fault>,
    /// Each removal.
    removal: Option<Fault>,
    condition: Condition,
    requests: usize,
    /// Each answer takes so long.
    latency: Duration,
    listed_backwards: bool,
}

impl Faulty {
    /// These requests fail so, one after the other; those that follow do not.
    pub(super) fn failing(self, faults: &[Fault]) -> Self {
        self.state.lock().faults.extend(faults);
        self
    }

    /// Every request fails so from now on, or none.
    pub(super) fn always(&self, fault: Option<Fault>) {
        self.state.lock().always = fault;
    }

    /// Every removal fails so from now on.
    pub(super) fn removing(&self, fault: Fault) {
        self.state.lock().removal = Some(fault);
    }

    pub(super) fn with(self, condition: Condition) -> Self {
        self.state.lock().condition = condition;
        self
    }

    pub(super) fn slow(self, latency: Duration) -> Self {
        self.state.lock().latency = latency;
        self
    }

    pub(super) fn listing_backwards(self) -> Self {
        self.state.lock().listed_backwards = true;
        self
    }

    pub(super) fn requests(&self) -> usize {
        self.state.lock().requests
    }

    async fn next(&self) -> Fault {
        let (fault, latency) = {
            let mut state = self.state.lock();
            state.requests += 1;
            let fault = state.faults.pop_front().or(state.always).unwrap_or(Fault::None);
            (fault, state.latency)
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        fault
    }

    async fn before(&self, path: &Path) -> Result<Fault> {
        let fault = self.next().await;
        match fault {
            Fault::Answer(text) => Err(answered(text, path)),
            Fault::Taken(text) => Err(Error::AlreadyExists { path: path.to_string(), source: text.into() }),
            Fault::Hang => std::future::pending().await,
            Fault::None | Fault::Done(_) | Fault::DoneHang | Fault::Cut => Ok(fault),
        }
    }

    async fn after(&self, fault: Fault, path: &Path) -> Result<()> {
        match fault {
            Fault::Done(text) => Err(answered(text, path)),
            Fault::DoneHang => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

/// As the crate sorts the answers of its own stores.
fn answered(text: &'static str, path: &Path) -> Error {
    let (path, source) = (path.to_string(), text.into());
    match text {
        _ if text.contains("403") => Error::PermissionDenied { path, source },
        _ if text.contains("404") => Error::NotFound { path, source },
        _ if text.contains("409") => Error::AlreadyExists { path, source },
        _ => Error::Generic { store: "faulty", source },
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty(InMemory)")
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        let fault = self.before(path).await?;
        let condition = self.state.lock().condition;
        if options.mode == PutMode::Create && condition != Condition::Kept {
            if condition == Condition::Racy {
                if self.inner.get_opts(path, GetOptions::default()).await.is_ok() {
                    return Err(Error::AlreadyExists { path: path.to_string(), source: "taken".into() });
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            options.mode = PutMode::Overwrite;
        }
        let put = self.inner.put_opts(path, payload, options).await;
        self.after(fault, path).await?;
        put
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.before(path).await?;
        let got = self.inner.get_opts(path, options).await;
        self.after(fault, path).await?;
        if fault != Fault::Cut {
            return got;
        }
        let GetResult { payload, meta, range, attributes, extensions } = got?;
        let got = GetResult { payload, meta: meta.clone(), range: range.clone(), attributes, extensions };
        let bytes = got.bytes().await?;
        let cut = stream::iter([Ok(bytes.slice(..bytes.len() - 1))]).boxed();
        let payload = GetResultPayload::Stream(cut);
        Ok(GetResult { payload, meta, range, attributes: Default::default(), extensions: Default::default() })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        paths
            .then(move |path| {
                let this = this.clone();
                async move {
                    let path = path?;
                    let fault = this.before(&path).await?;
                    if let Some(Fault::Answer(text)) = this.state.lock().removal {
                        return Err(answered(text, &path));
                    }
                    let removed =
                        this.inner.delete_stream(stream::iter([Ok(path.clone())]).boxed()).next().await;
                    this.after(fault, &path).await?;
                    removed.unwrap_or(Ok(path))
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, all) = (self.clone(), self.inner.list(prefix));
        stream::once(async move {
            let fault = this.before(&Path::default()).await;
            let mut all: Vec<_> = all.collect().await;
            if this.state.lock().listed_backwards {
                all.reverse();
            }
            match fault {
                Err(error) => vec![Err(error)],
                Ok(_) => all,
            }
        })
        .flat_map(stream::iter)
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let fault = self.before(&Path::default()).await?;
        let mut listed = self.inner.list_with_delimiter(prefix).await;
        if let (true, Ok(listed)) = (self.state.lock().listed_backwards, &mut listed) {
            listed.objects.reverse();
            listed.common_prefixes.reverse();
        }
        self.after(fault, &Path::default()).await?;
        listed
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
