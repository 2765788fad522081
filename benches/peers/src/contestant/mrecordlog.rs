//! mrecordlog 0.4.0. Its `sync` flushes a buffer to the kernel and no further. So the harness syncs, through descriptors of
//! its own. All records stay in memory: that is how it reads.

use std::borrow::Cow;
use std::fs::File;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mrecordlog::MultiRecordLog;
use tokio::runtime::Runtime;

use super::batched::Groups;
use super::{Appends, Replays, Seen, Setup, Visit};
use crate::Result;

const QUEUE: &str = "records";

/// How many records a filled log got at once.
const RECORDS_AN_APPEND: u64 = 256;

/// The log is asynchronous, its files are a pool of threads; a runtime of one thread drives it from wherever it is called.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?)
}

fn open(runtime: &Runtime, dir: &Path) -> Result<MultiRecordLog> {
    let dir = dir.join("log");
    std::fs::create_dir_all(&dir)?;
    Ok(runtime.block_on(MultiRecordLog::open(&dir))?)
}

/// The file that the log writes to.
#[derive(Debug)]
struct Newest {
    dir: PathBuf,
    number: u64,
    file: Arc<File>,
}

impl Newest {
    fn path(dir: &Path, number: u64) -> PathBuf {
        dir.join("log").join(format!("wal-{number:020}"))
    }

    fn open(dir: &Path) -> Result<Newest> {
        Ok(Newest { dir: dir.to_owned(), number: 0, file: Arc::new(File::open(Newest::path(dir, 0))?) })
    }

    /// The file with the newest number; the one before is synced when it is left.
    fn file(&mut self) -> Result<Arc<File>> {
        let next = Newest::path(&self.dir, self.number + 1);
        if next.exists() {
            self.file.sync_data()?;
            self.file = Arc::new(File::open(next)?);
            self.number += 1;
        }
        Ok(Arc::clone(&self.file))
    }
}

/// A log that is appended to.
pub(super) struct Records {
    runtime: Runtime,
    log: Mutex<(MultiRecordLog, Newest)>,
    sync: bool,
    syncs: AtomicU64,
}

impl Records {
    pub(super) fn open(setup: &Setup, sync: bool) -> Result<Records> {
        let runtime = runtime()?;
        let mut log = open(&runtime, &setup.dir)?;
        runtime.block_on(log.create_queue(QUEUE))?;
        let newest = Newest::open(&setup.dir)?;
        Ok(Records { runtime, log: Mutex::new((log, newest)), sync, syncs: AtomicU64::new(0) })
    }

    /// Threads append in turn, and sync beside each other. The default policy flushes to the kernel with every append.
    fn put<'a>(&self, records: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        let mut guard = self.log.lock().map_err(|_| "another appending thread panicked")?;
        let (log, newest) = &mut *guard;
        self.runtime.block_on(log.append_records(QUEUE, None, records))?;
        if !self.sync {
            return Ok(());
        }
        let file = newest.file()?;
        drop(guard);
        file.sync_data()?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Its error is no `Error`.
fn range(
    log: &MultiRecordLog,
    numbers: impl RangeBounds<u64> + 'static,
) -> Result<impl Iterator<Item = (u64, Cow<'_, [u8]>)>> {
    log.range(QUEUE, numbers).map_err(|error| format!("mrecordlog: {error:?}").into())
}

impl Appends for Records {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        self.put(std::iter::once(&record[..]))
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}

impl Groups for Records {
    fn write(&self, records: &[u8], ends: &[usize]) -> Result<()> {
        let mut begin = 0;
        self.put(ends.iter().map(|end| &records[std::mem::replace(&mut begin, *end)..*end]))
    }

    fn syncs(&self) -> Option<u64> {
        Appends::syncs(self)
    }
}

pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let log = Records::open(setup, false)?;
    for first in (0..records).step_by(RECORDS_AN_APPEND as usize) {
        let numbers = first..records.min(first + RECORDS_AN_APPEND);
        log.put(numbers.map(|number| &setup.payloads.of(number)[..]))?;
    }
    Ok(())
}

/// Replays by opening, which reads the whole log into memory, and going over what is there.
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
        let runtime = runtime()?;
        let log = open(&runtime, self.dir)?;
        range(&log, ..)?.try_for_each(|(_, record)| seen.see(&record))?;
        Ok(seen)
    }
}

/// A log that was filled, opened again.
pub(super) struct Filled {
    log: MultiRecordLog,
}

impl Filled {
    pub(super) fn open(setup: &Setup) -> Result<Filled> {
        Ok(Filled { log: open(&runtime()?, &setup.dir)? })
    }
}

impl super::Reads for Filled {
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        for number in numbers {
            let (_, record) = range(&self.log, *number..=*number)?
                .next()
                .ok_or_else(|| format!("record {number} is not there"))?;
            visit(&record)?;
        }
        Ok(())
    }
}
