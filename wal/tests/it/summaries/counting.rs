//! A store that counts what is asked of it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use headwater_wal::Result;
use headwater_wal::store::{Entry, Fetch, Memory, Name, Pages, Store, Survives};

/// How many names a page of a listing has on a real store.
const PAGE: usize = 1000;

/// A bucket in memory, and how many requests were made.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    inner: Memory,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) reads: AtomicU64,
    pub(crate) pages: AtomicU64,
    pub(crate) puts: AtomicU64,
    pub(crate) removes: AtomicU64,
    pub(crate) bulk_removes: AtomicU64,
}

impl Counting {
    pub(crate) fn new() -> Self {
        Counting { inner: Memory::objects(), counts: Arc::default() }
    }

    /// How many there were of each, and from now on none: reads, pages, puts, removes, bulk removes.
    pub(crate) fn take(&self) -> [u64; 5] {
        let Counts { reads, pages, puts, removes, bulk_removes } = &*self.counts;
        [reads, pages, puts, removes, bulk_removes].map(|count| count.swap(0, Ordering::Relaxed))
    }

    fn paged<'a>(&'a self, pages: Pages<'a>, after: Option<String>) -> Pages<'a> {
        let mut entries = pages
            .flat_map(|page| page.expect("memory does not fail"))
            .filter(move |entry| after.as_ref().is_none_or(|after| entry.name > *after));
        let mut first = true;
        Box::new(std::iter::from_fn(move || {
            let page: Vec<Entry> = entries.by_ref().take(PAGE).collect();
            if !page.is_empty() || first {
                count(&self.counts.pages);
            }
            first = false;
            (!page.is_empty()).then_some(Ok(page))
        }))
    }
}

fn count(what: &AtomicU64) {
    what.fetch_add(1, Ordering::Relaxed);
}

impl Store for Counting {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn survives(&self) -> Survives {
        self.inner.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        count(&self.counts.puts);
        self.inner.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        count(&self.counts.reads);
        self.inner.read(name, range)
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        count(&self.counts.reads);
        self.inner.fetch(name, range)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        Ok(self.paged(self.inner.list(folder)?, None))
    }

    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        Ok(self.paged(self.inner.list(folder)?, Some(after.to_owned())))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        count(&self.counts.removes);
        self.inner.remove(name)
    }

    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        assert!(names.len() <= 1000, "real stores take a thousand at once");
        count(&self.counts.bulk_removes);
        names.iter().map(|name| self.inner.remove(name)).collect()
    }
}
