//! raft-engine 0.4.2. `write(batch, true)` syncs, and threads share syncs; its `sync()` does nothing. A Raft group for
//! every thread, whose entries are the records. Its compression is off, which random bytes would not let it do anyway.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use raft::eraftpb::Entry;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};

use super::{Appends, Replays, Seen, Setup, Visit};
use crate::Result;
use crate::workload::Durability;

/// The group of a filled log.
const GROUP: u64 = 1;

/// How many entries a replay fetches at once.
const FETCHED_AT_ONCE: u64 = 1024;

/// Tells the engine where an entry keeps its index.
#[derive(Debug, Clone)]
struct Raft;

impl MessageExt for Raft {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

fn open(dir: &Path) -> Result<Engine> {
    let dir = dir.join("log").to_str().ok_or("the folder's name is not text")?.to_owned();
    let config = Config { dir, batch_compression_threshold: ReadableSize(0), ..Config::default() };
    Ok(Engine::open(config)?)
}

fn entry(index: u64, record: &Bytes) -> Entry {
    Entry { index, data: record.clone(), ..Entry::default() }
}

/// An engine that is appended to.
pub(super) struct RaftEngine {
    engine: Engine,
    sync: bool,
    /// The last index of every group, a group a thread.
    last: Vec<AtomicU64>,
}

impl RaftEngine {
    pub(super) fn open(setup: &Setup) -> Result<RaftEngine> {
        let last = (0..setup.threads).map(|_| AtomicU64::new(0)).collect();
        Ok(RaftEngine { engine: open(&setup.dir)?, sync: setup.durability == Durability::Power, last })
    }
}

impl Appends for RaftEngine {
    fn append(&self, thread: usize, record: &Bytes) -> Result<()> {
        let index = self.last[thread].fetch_add(1, Ordering::Relaxed) + 1;
        let mut batch = LogBatch::default();
        batch.add_entries::<Raft>(thread as u64 + 1, &[entry(index, record)])?;
        self.engine.write(&mut batch, self.sync)?;
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        (!self.sync).then_some(0)
    }
}

pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let engine = open(&setup.dir)?;
    for number in 0..records {
        let mut batch = LogBatch::default();
        batch.add_entries::<Raft>(GROUP, &[entry(number + 1, setup.payloads.of(number))])?;
        engine.write(&mut batch, number + 1 == records)?;
    }
    Ok(())
}

/// Replays by opening, which reads the whole log and builds an index in memory, and fetching every entry.
pub(super) struct Replay<'a> {
    dir: &'a Path,
}

impl Replay<'_> {
    pub(super) fn new(setup: &Setup) -> Replay<'_> {
        Replay { dir: &setup.dir }
    }
}

impl Replays for Replay<'_> {
    fn replay(&mut self, mut seen: Seen) -> Result<Seen> {
        let engine = open(self.dir)?;
        let end = engine.last_index(GROUP).ok_or("the log is empty")? + 1;
        let mut entries = Vec::new();
        for first in (1..end).step_by(FETCHED_AT_ONCE as usize) {
            entries.clear();
            engine.fetch_entries_to::<Raft>(
                GROUP,
                first,
                end.min(first + FETCHED_AT_ONCE),
                None,
                &mut entries,
            )?;
            entries.iter().try_for_each(|entry: &Entry| seen.see(&entry.data))?;
        }
        Ok(seen)
    }
}

/// A log that was filled, opened again.
pub(super) struct Filled {
    engine: Engine,
}

impl Filled {
    pub(super) fn open(setup: &Setup) -> Result<Filled> {
        Ok(Filled { engine: open(&setup.dir)? })
    }
}

impl super::Reads for Filled {
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        for number in numbers {
            let entry = self.engine.get_entry::<Raft>(GROUP, number + 1)?;
            visit(&entry.ok_or_else(|| format!("record {number} is not there"))?.data)?;
        }
        Ok(())
    }
}
