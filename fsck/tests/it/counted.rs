//! A store that counts what is read of it, and refuses everything that would change it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use headwater_wal::Result;
use headwater_wal::store::{Append, Name, Pages, Store, Survives};

#[derive(Debug)]
pub(crate) struct Counted {
    store: Arc<dyn Store>,
    bytes: AtomicU64,
    reads: AtomicU64,
}

impl Counted {
    pub(crate) fn over(store: Arc<dyn Store>) -> Counted {
        Counted { store, bytes: AtomicU64::new(0), reads: AtomicU64::new(0) }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Store for Counted {
    fn place(&self) -> String {
        self.store.place()
    }

    fn survives(&self) -> Survives {
        self.store.survives()
    }

    fn put(&self, name: &Name, _: Bytes) -> Result<()> {
        panic!("who looks puts nothing: {name}")
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.store.read(name, range)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        self.store.list(folder)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        panic!("who looks removes nothing: {name}")
    }

    /// That files grow there is asked; nothing is asked of what is answered.
    fn append(&self) -> Option<&dyn Append> {
        self.store.append()
    }
}
