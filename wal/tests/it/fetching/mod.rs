//! Reads that are begun ahead: many at once, within their bounds, and the same answers as without them.

mod bounded;
mod following;
mod same;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use headwater_wal::store::{Fetch, Memory, Name, Pages, Store, Survives};
use headwater_wal::{Error, Kind, Result};

/// Objects that may be far away: then each read takes its time, however many there are at once.
#[derive(Clone, Debug)]
pub(crate) struct Far {
    pub(crate) store: Memory,
    delay_ms: Arc<AtomicU64>,
    pub(crate) seen: Arc<Seen>,
    /// Reads can be begun and not waited for.
    begins: bool,
    /// Every so many begun reads fail, where it is not 0.
    fails_each: Arc<AtomicU64>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) reads: AtomicU64,
    pub(crate) lists: AtomicU64,
    /// Begun, and neither waited for nor given up.
    pub(crate) under_way: AtomicU64,
    pub(crate) bytes_under_way: AtomicU64,
    pub(crate) most: AtomicU64,
    pub(crate) bytes_most: AtomicU64,
    pub(crate) longest: AtomicU64,
}

impl Far {
    pub(crate) fn new(store: &Memory) -> Self {
        let (delay_ms, seen, fails_each) = Default::default();
        Far { store: store.clone(), delay_ms, seen, begins: true, fails_each }
    }

    /// From now on each read takes so long.
    pub(crate) fn slow_down(&self, delay_ms: u64) {
        self.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms.load(Ordering::Relaxed))
    }

    /// Reads are done when they are asked for, one after the other.
    pub(crate) fn serial(self) -> Self {
        Far { begins: false, ..self }
    }

    /// From now on every so many begun reads fail.
    pub(crate) fn fail_each(&self, fails_each: u64) {
        self.fails_each.store(fails_each, Ordering::Relaxed);
    }
}

/// A read under way is counted until it is waited for or given up.
#[derive(Debug)]
struct Counted(Arc<Seen>, u64);

impl Counted {
    fn new(seen: &Arc<Seen>, bytes: u64) -> Self {
        let count = seen.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        let all = seen.bytes_under_way.fetch_add(bytes, Ordering::Relaxed) + bytes;
        seen.most.fetch_max(count, Ordering::Relaxed);
        seen.bytes_most.fetch_max(all, Ordering::Relaxed);
        Counted(seen.clone(), bytes)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.bytes_under_way.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Store for Far {
    fn place(&self) -> String {
        self.store.place()
    }

    fn survives(&self) -> Survives {
        self.store.survives()
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        self.store.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.seen.reads.fetch_add(1, Ordering::Relaxed);
        self.seen.longest.fetch_max(range.end - range.start, Ordering::Relaxed);
        thread::sleep(self.delay());
        self.store.read(name, range)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        // A list is asked for page by page.
        let seen = self.seen.clone();
        let count = move |page| {
            seen.lists.fetch_add(1, Ordering::Relaxed);
            page
        };
        Ok(Box::new(self.store.list(folder)?.map(count)))
    }

    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        self.seen.lists.fetch_add(1, Ordering::Relaxed);
        self.store.list_after(folder, after)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.store.remove(name)
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        if !self.begins {
            return None;
        }
        let counted = Counted::new(&self.seen, range.end - range.start);
        let number = self.seen.reads.fetch_add(1, Ordering::Relaxed) + 1;
        self.seen.longest.fetch_max(range.end - range.start, Ordering::Relaxed);
        let fails_each = self.fails_each.load(Ordering::Relaxed);
        if fails_each > 0 && number.is_multiple_of(fails_each) {
            let gone = Error::new(Kind::Unavailable, "the answer did not come");
            return Some(Fetch::new(move || {
                drop(counted);
                Err(gone)
            }));
        }
        let (store, name, delay) = (self.store.clone(), name.clone(), self.delay());
        let (answer, answered) = mpsc::channel();
        if delay.is_zero() {
            answer.send(store.read(&name, range)).unwrap();
        } else {
            thread::spawn(move || {
                thread::sleep(delay);
                let _ = answer.send(store.read(&name, range));
            });
        }
        Some(Fetch::new(move || {
            let read = answered.recv().unwrap();
            drop(counted);
            read
        }))
    }
}
