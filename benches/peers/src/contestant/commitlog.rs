//! commitlog 0.2.0. Nothing in it syncs data: its `flush` flushes the index alone. So the harness syncs, through a
//! descriptor of its own that was opened before the first append, as somebody would have to who wanted its records safe.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use commitlog::message::{MessageBuf, MessageSet};
use commitlog::reader::MessageBufReader;
use commitlog::{CommitLog, LogOptions, ReadLimit};

use super::batched::Groups;
use super::{Appends, Reads, Replays, Seen, Setup, Visit};
use crate::Result;

/// Places in a segment are `u32`. As long as they go, so that there is one segment and one descriptor does.
const SEGMENT_BYTES: usize = 4_000_000_000;

/// The most that one append takes; a replay asks for a mebibyte at a time.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
const READ_BYTES: usize = 1024 * 1024;

fn open(dir: &Path) -> Result<CommitLog> {
    let mut options = LogOptions::new(dir.join("log"));
    options.segment_max_bytes(SEGMENT_BYTES).message_max_bytes(MESSAGE_BYTES_MAX);
    Ok(CommitLog::new(options)?)
}

/// The one segment.
fn segment(dir: &Path) -> Result<File> {
    let entries = std::fs::read_dir(dir.join("log"))?.collect::<Result<Vec<_>, _>>()?;
    let mut logs = entries
        .iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"));
    match (logs.next(), logs.next()) {
        (Some(path), None) => Ok(File::open(path)?),
        _ => Err("commitlog has not one segment but none or several, so that the harness cannot sync".into()),
    }
}

/// A log that is appended to.
pub(super) struct Commits {
    log: Mutex<CommitLog>,
    segment: File,
    sync: bool,
    syncs: AtomicU64,
}

impl Commits {
    pub(super) fn open(setup: &Setup, sync: bool) -> Result<Commits> {
        let log = Mutex::new(open(&setup.dir)?);
        Ok(Commits { log, segment: segment(&setup.dir)?, sync, syncs: AtomicU64::new(0) })
    }

    /// Threads append in turn, and sync beside each other.
    fn put(&self, messages: &mut MessageBuf) -> Result<()> {
        self.log.lock().map_err(|_| "another appending thread panicked")?.append(messages)?;
        if self.sync {
            self.segment.sync_data()?;
            self.syncs.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Its error is no `Error`.
fn push(messages: &mut MessageBuf, record: &[u8]) -> Result<()> {
    messages.push(record).map_err(|error| format!("commitlog cannot frame a record: {error:?}").into())
}

impl Appends for Commits {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        let mut messages = MessageBuf::default();
        push(&mut messages, record)?;
        self.put(&mut messages)
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}

impl Groups for Commits {
    fn write(&self, records: &[u8], ends: &[usize]) -> Result<()> {
        let mut messages = MessageBuf::default();
        let mut begin = 0;
        for end in ends {
            push(&mut messages, &records[begin..*end])?;
            begin = *end;
        }
        self.put(&mut messages)
    }

    fn syncs(&self) -> Option<u64> {
        Appends::syncs(self)
    }
}

pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let mut log = open(&setup.dir)?;
    (0..records).try_for_each(|number| log.append_msg(setup.payloads.of(number)).map(drop))?;
    log.flush()?;
    Ok(segment(&setup.dir)?.sync_all()?)
}

/// A log that was filled, opened again.
pub(super) struct Filled {
    log: CommitLog,
    one_record: ReadLimit,
}

impl Filled {
    pub(super) fn open(setup: &Setup) -> Result<Filled> {
        // A message has a header of 20 bytes. A byte more, since the very last one is not found by its exact length.
        Ok(Filled { log: open(&setup.dir)?, one_record: ReadLimit::max_bytes(setup.record_bytes + 21) })
    }
}

impl Replays for Filled {
    fn replay(&mut self, mut seen: Seen) -> Result<Seen> {
        let mut next = 0;
        loop {
            let mut reader = MessageBufReader;
            let messages = self.log.reader(&mut reader, next, ReadLimit::max_bytes(READ_BYTES))?;
            let Some(messages) = messages.filter(|messages| !messages.is_empty()) else { return Ok(seen) };
            for message in messages.iter() {
                seen.see(message.payload())?;
                next += 1;
            }
        }
    }
}

impl Reads for Filled {
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        for number in numbers {
            let messages = self.log.read(*number, self.one_record)?;
            let message = messages.iter().next().ok_or_else(|| format!("record {number} is not there"))?;
            visit(message.payload())?;
        }
        Ok(())
    }
}
