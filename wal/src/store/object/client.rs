//! One call to a store, tried until it is answered, refused, or out of time.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use tokio::time::timeout;

use super::failure::{Call, Landed, Verdict, judge};
use super::secrets::Secrets;
use super::seen::{Said, Seen};
use super::trace::Trace;
use crate::error::{Error, Kind, Result};
use crate::store::patience::{Patience, Tries};

/// So many names a request for their removal; the crate beneath cuts them to what the store takes, and asks for twenty
/// such parts at once.
const REMOVED_AT_ONCE: usize = 20_000;

/// What a call needs, apart from its arguments.
pub(super) struct Client {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store, if it can list page by page.
    pub(super) pages: Option<Arc<dyn PaginatedListStore>>,
    /// Its requests pass by us.
    pub(super) watched: bool,
    pub(super) patience: Patience,
    pub(super) secrets: Secrets,
    /// For messages.
    pub(super) place: String,
}

impl Client {
    /// Puts under a name that must be free. Each try has the same bytes, so whichever of them lands, or lands twice, the
    /// same is there.
    pub(super) async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        let mut tries = Tries::begin(&self.patience);
        // Of a try that may have landed, or may yet land. From then on nothing but its success or its name being taken
        // ends the doubt: a later refusal says nothing about it.
        let mut doubt = None;
        loop {
            let trace = Trace::new(self.watched);
            let options =
                PutOptions { mode: PutMode::Create, extensions: trace.extensions(), ..PutOptions::default() };
            let put = self.store.put_opts(path, bytes.clone().into(), options);
            let seen = match timeout(tries.time_for(bytes.len() as u64), put).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => trace.seen(&error),
                Err(_) => trace.no_answer(),
            };
            let verdict = judge(Call::Put, &seen);
            if seen.retried || verdict == Verdict::Passing(Landed::Maybe) {
                doubt = Some(seen.clone());
            }
            match verdict {
                Verdict::Taken => {
                    return Err(self.failed(Kind::Exists, "the name is taken", path, &tries, seen));
                }
                Verdict::Passing(_) if tries.pause().await => {}
                _ => {
                    return Err(match (doubt, verdict) {
                        (Some(seen), _) => {
                            let message = "it is not known whether the object was put";
                            self.failed(Kind::Unknown, message, path, &tries, seen)
                        }
                        (None, Verdict::Refused(advice)) => {
                            self.failed(Kind::Invalid, advice, path, &tries, seen)
                        }
                        (None, _) => {
                            let message = "the store cannot be reached or takes nothing now; try again later";
                            self.failed(Kind::Unavailable, message, path, &tries, seen)
                        }
                    });
                }
            }
        }
    }

    /// Reads what exists of a range.
    pub(super) async fn read(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        let mut tries = Tries::begin(&self.patience);
        loop {
            let seen = match self.read_once(path, &range, &tries).await {
                Ok(bytes) => return Ok(bytes),
                Err(seen) => seen,
            };
            match judge(Call::Read, &seen) {
                Verdict::Beyond => return Ok(Bytes::new()),
                Verdict::NotThere => {
                    return Err(self.failed(Kind::NotThere, "there is no such object", path, &tries, seen));
                }
                Verdict::Refused(advice) => {
                    return Err(self.failed(Kind::Invalid, advice, path, &tries, seen));
                }
                Verdict::Taken | Verdict::Passing(_) if tries.pause().await => {}
                Verdict::Taken | Verdict::Passing(_) => {
                    let message = "the object cannot be read now; try again later";
                    return Err(self.failed(Kind::Unavailable, message, path, &tries, seen));
                }
            }
        }
    }

    async fn read_once(&self, path: &Path, range: &Range<u64>, tries: &Tries<'_>) -> Result<Bytes, Seen> {
        let trace = Trace::new(self.watched);
        // Of an empty range one byte is read all the same, to learn whether the object is there.
        let end = range.end.max(range.start.saturating_add(1));
        let asked = match i64::try_from(end) {
            Ok(_) if end > range.start => GetRange::Bounded(range.start..end),
            // Not every server reads greater numbers.
            _ => GetRange::Offset(range.start.min(i64::MAX as u64)),
        };
        let options =
            GetOptions { range: Some(asked), extensions: trace.extensions(), ..GetOptions::default() };
        let found = match timeout(tries.time_for(0), self.store.get_opts(path, options)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                let seen = trace.seen(&error);
                return match seen.said {
                    Said::Nothing => self.read_beyond(path, range, seen, tries).await,
                    _ => Err(seen),
                };
            }
            Err(_) => return Err(trace.no_answer()),
        };
        let (there, len) = (found.range.clone(), found.meta.size);
        let time = tries.time_for(there.end.saturating_sub(there.start));
        let bytes = match timeout(time, found.bytes()).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(Seen::of(&error)),
            Err(_) => return Err(trace.no_answer()),
        };
        // A body that was cut must not pass for the end of the object.
        let whole = there.start == range.start && there.end == end.min(len);
        if !whole || bytes.len() as u64 != there.end - there.start {
            let text = format!("the answer is not what was asked for: asked={range:?} answered={there:?}");
            return Err(Seen { text, ..Seen::default() });
        }
        Ok(if range.start < range.end { bytes } else { Bytes::new() })
    }

    /// An error that says nothing we know may be the store's way to say that the range begins beyond the end.
    async fn read_beyond(
        &self,
        path: &Path,
        range: &Range<u64>,
        seen: Seen,
        tries: &Tries<'_>,
    ) -> Result<Bytes, Seen> {
        match timeout(tries.time_for(0), self.store.head(path)).await {
            Ok(Ok(meta)) if meta.size <= range.start => Ok(Bytes::new()),
            _ => Err(seen),
        }
    }

    /// Asks for something that may be asked again and again, until it is answered.
    pub(super) async fn ask<T, F>(
        &self,
        path: &Path,
        time: Duration,
        ask: impl Fn(Arc<dyn ObjectStore>, Trace) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = Tries::begin(&self.patience);
        loop {
            let trace = Trace::new(self.watched);
            let seen = match timeout(time, ask(Arc::clone(&self.store), trace.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => trace.seen(&error),
                Err(_) => trace.no_answer(),
            };
            match judge(Call::List, &seen) {
                Verdict::Refused(advice) => {
                    return Err(self.failed(Kind::Invalid, advice, path, &tries, seen));
                }
                _ if tries.pause().await => {}
                _ => {
                    let message = "the store cannot list now; try again later";
                    return Err(self.failed(Kind::Unavailable, message, path, &tries, seen));
                }
            }
        }
    }

    /// Removes names, many at once, and answers for each in its order.
    pub(super) async fn remove(&self, paths: Vec<Path>) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(paths.len());
        for part in paths.chunks(REMOVED_AT_ONCE) {
            answers.extend(self.remove_part(part).await);
        }
        answers
    }

    async fn remove_part(&self, paths: &[Path]) -> Vec<Result<()>> {
        let mut tries = Tries::begin(&self.patience);
        let mut answers: Vec<Option<Result<()>>> = paths.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..paths.len()).collect();
        let mut doubted = vec![false; paths.len()];
        loop {
            let asked: Vec<Path> = open.iter().map(|&at| paths[at].clone()).collect();
            let failures = self.remove_once(&asked, &tries).await;
            let mut again = Vec::new();
            for (at, seen) in open.into_iter().zip(failures) {
                let Some(seen) = seen else {
                    answers[at] = Some(Ok(()));
                    continue;
                };
                let verdict = judge(Call::Read, &seen);
                doubted[at] |= seen.retried || verdict == Verdict::Passing(Landed::Maybe);
                answers[at] = Some(match verdict {
                    Verdict::NotThere => Ok(()),
                    Verdict::Refused(_) | Verdict::Beyond if doubted[at] => {
                        Err(self.unknown_removal(&paths[at], &tries, seen))
                    }
                    Verdict::Refused(advice) => {
                        Err(self.failed(Kind::Invalid, advice, &paths[at], &tries, seen))
                    }
                    _ => {
                        again.push((at, seen));
                        continue;
                    }
                });
            }
            if again.is_empty() || !tries.pause().await {
                for (at, seen) in again {
                    answers[at] = Some(Err(if doubted[at] {
                        self.unknown_removal(&paths[at], &tries, seen)
                    } else {
                        let message = "the store cannot be reached or removes nothing now; try again later";
                        self.failed(Kind::Unavailable, message, &paths[at], &tries, seen)
                    }));
                }
                break;
            }
            open = again.into_iter().map(|(at, _)| at).collect();
        }
        answers.into_iter().map(|answer| answer.expect("each was answered")).collect()
    }

    /// One request, or as many as the store needs for so many names; of each that is not certainly gone, why not.
    async fn remove_once(&self, paths: &[Path], tries: &Tries<'_>) -> Vec<Option<Seen>> {
        let given = stream::iter(paths.to_vec()).map(Ok).boxed();
        let time = tries.time_for(0).saturating_mul(1 + (paths.len() / 1000) as u32);
        let mut results = Vec::with_capacity(paths.len());
        let mut removed = self.store.delete_stream(given);
        let in_time = timeout(time, async {
            while let Some(result) = removed.next().await {
                results.push(result);
            }
        })
        .await
        .is_ok();
        drop(removed);
        // An answer for each, in their order: unless a whole request failed, which is one answer for all of its names.
        if in_time && results.len() == paths.len() {
            return results.into_iter().map(|result| result.err().map(|error| Seen::of(&error))).collect();
        }
        let mut gone: Vec<Path> = Vec::new();
        let mut failed = if in_time { None } else { Some(Seen::no_answer(None)) };
        for result in results {
            match result {
                Ok(path) => gone.push(path),
                Err(error) => failed = failed.or_else(|| Some(Seen::of(&error))),
            }
        }
        gone.sort_unstable();
        let failed = failed.unwrap_or_default();
        let is_gone = |path: &Path| gone.binary_search(path).is_ok();
        paths.iter().map(|path| (!is_gone(path)).then(|| failed.clone())).collect()
    }

    fn unknown_removal(&self, path: &Path, tries: &Tries<'_>, seen: Seen) -> Error {
        self.failed(Kind::Unknown, "it is not known whether the object was removed", path, tries, seen)
    }

    fn failed(&self, kind: Kind, message: &str, path: &Path, tries: &Tries<'_>, seen: Seen) -> Error {
        let message = format!("{message}: object={path} place={} tries={}", self.place, tries.made);
        let said = self.secrets.hide(&seen.text);
        Error::new(kind, self.secrets.hide(&message)).because(Answer(said))
    }
}

/// What the store said, or what came instead. The error itself is not passed on: it may repeat what was sent.
struct Answer(String);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Answer {}
