//! What lies directly in a folder, page by page and in the order of names.
//!
//! Where the store lists by pages, the next page is asked for while the caller looks at this one, and no more is held
//! than these two. Where it only lists as a whole, all names are held: the crate beneath promises no order of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryStreamExt;
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta};

use super::client::Client;
use super::order::Order;
use crate::error::{Error, Kind, Result};
use crate::store::pool::{Begun, Pool};
use crate::store::{Entry, Name, What};

/// So many entries a page, of those that were listed as a whole.
const PAGE_ENTRIES: usize = 1000;

/// A whole listing asks again and again beneath, and shows nothing of it.
const WHOLE_TIMES_DEADLINE: u32 = 10;

const NO_NAME: &str = "not a name that every store can hold";

/// Where a listing is asked for.
#[derive(Clone)]
pub(super) struct Folder {
    pub(super) client: Arc<Client>,
    pub(super) pool: Arc<Pool>,
    /// The folder in the bucket; empty for the bucket itself.
    pub(super) path: Path,
    /// Only what has a greater name.
    pub(super) after: Option<String>,
    /// So many entries a page.
    pub(super) page_entries: Option<usize>,
    /// Found out once: this store lists in no order.
    pub(super) unordered: Arc<AtomicBool>,
}

/// The pages of a folder; ends at the first error.
pub(super) struct Listing {
    folder: Folder,
    asked: Option<Begun<Result<Answer>>>,
    order: Order,
    /// What was listed as a whole and not yet given out.
    whole: Option<std::vec::IntoIter<Entry>>,
}

struct Answer {
    entries: Vec<Entry>,
    /// How to ask for what follows.
    token: Option<String>,
    whole: bool,
}

impl Listing {
    pub(super) fn begin(folder: Folder) -> Self {
        let asked = Some(folder.ask(None));
        Listing { folder, asked, order: Order::default(), whole: None }
    }

    fn page(&mut self) -> Result<Option<Vec<Entry>>> {
        loop {
            if let Some(whole) = &mut self.whole {
                let page: Vec<Entry> = whole.by_ref().take(PAGE_ENTRIES).collect();
                return Ok((!page.is_empty()).then_some(page));
            }
            let Some(asked) = self.asked.take() else { return Ok(None) };
            let ended = || Error::new(Kind::Unavailable, "the listing came to no end; list again");
            let answer = asked.wait().ok_or_else(ended)??;
            if answer.whole {
                answer.entries.into_iter().for_each(|entry| self.order.hold(entry));
                self.whole = Some(self.order.rest().into_iter());
                continue;
            }
            let more = answer.token.is_some();
            self.asked = answer.token.map(|token| self.folder.ask(Some(token)));
            let in_order = answer.entries.into_iter().try_for_each(|entry| self.order.take(entry));
            if in_order.is_err() {
                self.folder.unordered.store(true, Ordering::Relaxed);
                if self.order.has_given() {
                    let message = "the store lists in no order, which showed late; list again: from now on it is sorted";
                    return Err(Error::new(Kind::Unavailable, message));
                }
                (self.order, self.asked) = (Order::default(), Some(self.folder.ask(None)));
                continue;
            }
            while let Some(waits_for) = self.order.waits_for().map(str::to_owned).filter(|_| more) {
                let there = self.folder.has_folder(&waits_for).wait().ok_or_else(ended)??;
                self.order.tell(&waits_for, there);
            }
            let page = if more { self.order.settled() } else { self.order.rest() };
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
    }
}

impl Iterator for Listing {
    type Item = Result<Vec<Entry>>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = self.page();
        if page.is_err() {
            (self.asked, self.whole) = (None, Some(Vec::new().into_iter()));
        }
        page.transpose()
    }
}

impl Folder {
    fn ask(&self, token: Option<String>) -> Begun<Result<Answer>> {
        let folder = self.clone();
        self.pool.begin(async move {
            if folder.client.pages.is_some() && !folder.unordered.load(Ordering::Relaxed) {
                folder.ask_page(token).await
            } else {
                folder.ask_whole().await
            }
        })
    }

    /// Whether anything lies in a folder of this one.
    fn has_folder(&self, name: &str) -> Begun<Result<bool>> {
        let inside =
            Folder { path: self.path.clone().join(name), after: None, page_entries: Some(1), ..self.clone() };
        self.pool.begin(async move { Ok(!inside.ask_page(None).await?.entries.is_empty()) })
    }

    async fn ask_page(&self, token: Option<String>) -> Result<Answer> {
        let pages = self.client.pages.clone().expect("it was looked for");
        let prefix = self.prefix();
        let offset = self.after.as_ref().map(|after| format!("{prefix}{after}"));
        let time = self.client.patience.for_bytes(0);
        let found = self
            .client
            .ask(&self.path, time, |_, trace| {
                let options = PaginatedListOptions {
                    offset: offset.clone(),
                    delimiter: Some(Cow::Borrowed("/")),
                    page_token: token.clone(),
                    max_keys: self.page_entries,
                    extensions: trace.extensions(),
                };
                let (pages, prefix) = (Arc::clone(&pages), prefix.clone());
                async move {
                    pages
                        .list_paginated(Some(&prefix).filter(|all| !all.is_empty()).map(|x| &**x), options)
                        .await
                }
            })
            .await?;
        let mut entries = self.entries(&found.result);
        // A page has its folders apart from its objects.
        entries.sort_unstable_by(|left, right| key(left).cmp(key(right)));
        Ok(Answer { entries, token: found.page_token, whole: false })
    }

    async fn ask_whole(&self) -> Result<Answer> {
        let time = self.client.patience.deadline.saturating_mul(WHOLE_TIMES_DEADLINE);
        let prefix = Some(self.path.clone()).filter(|path| !path.as_ref().is_empty());
        let offset =
            self.after.as_ref().and_then(|after| Path::parse(format!("{}{after}", self.prefix())).ok());
        let entries = match offset {
            // The one call that stores with millions of names answer from the middle, though it also lists what lies
            // below the folders that follow.
            Some(offset) => {
                let ask = |store: Arc<dyn object_store::ObjectStore>, _| {
                    let (prefix, offset, folder) = (prefix.clone(), offset.clone(), self.clone());
                    async move {
                        let found = store.list_with_offset(prefix.as_ref(), &offset);
                        let entries = found.try_fold(Vec::new(), |mut entries: Vec<Entry>, meta| {
                            let entry = folder.entry_below(&meta);
                            let again = entry.is_none() || entries.last() == entry.as_ref();
                            entries.extend(entry.filter(|_| !again));
                            std::future::ready(Ok(entries))
                        });
                        entries.await
                    }
                };
                self.client.ask(&self.path, time, ask).await?
            }
            None => {
                let ask = |store: Arc<dyn object_store::ObjectStore>, _| {
                    let prefix = prefix.clone();
                    async move { store.list_with_delimiter(prefix.as_ref()).await }
                };
                self.entries(&self.client.ask(&self.path, time, ask).await?)
            }
        };
        Ok(Answer { entries, token: None, whole: true })
    }

    /// What every key in the folder begins with.
    fn prefix(&self) -> String {
        if self.path.as_ref().is_empty() { String::new() } else { format!("{}/", self.path) }
    }

    fn entries(&self, found: &ListResult) -> Vec<Entry> {
        let prefix = self.prefix();
        let inside = |path: &Path| path.as_ref().strip_prefix(&prefix).map(str::to_owned);
        let folders = found.common_prefixes.iter().filter_map(inside).map(|name| (name, What::Folder));
        let objects = found.objects.iter();
        let objects =
            objects.filter_map(|meta| inside(&meta.location).map(|name| (name, What::File(meta.size))));
        folders.chain(objects).filter_map(|(name, what)| self.entry(name, what)).collect()
    }

    /// Of an object somewhere below the folder, what lies in it directly.
    fn entry_below(&self, meta: &ObjectMeta) -> Option<Entry> {
        let inside = meta.location.as_ref().strip_prefix(&self.prefix())?;
        match inside.split_once('/') {
            Some((part, _)) => self.entry(part.to_owned(), What::Folder),
            None => self.entry(inside.to_owned(), What::File(meta.size)),
        }
    }

    fn entry(&self, name: String, what: What) -> Option<Entry> {
        if name.is_empty() || self.after.as_ref().is_some_and(|after| name <= *after) {
            return None; // an object that stands for the folder itself
        }
        let what = if Name::new(&*name).is_ok() { what } else { What::Other(NO_NAME) };
        Some(Entry { name, what })
    }
}

/// What a store sorts by.
fn key(entry: &Entry) -> impl Iterator<Item = u8> + '_ {
    let slash = (entry.what == What::Folder).then_some(b'/');
    entry.name.bytes().chain(slash)
}
