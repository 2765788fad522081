//! The contestants. Each has a file, and does up to four things: fill a log, append, replay, read.

mod batched;
mod commitlog;
mod mrecordlog;
mod okaywal;
mod raft_engine;
mod raw;
mod raw_read;
mod sqlite;
mod us;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::Result;
use crate::payload::Payloads;
use crate::worker::Worker;
use crate::workload::{Durability, trailing_number};

/// How many tickets `us-tickets` has outstanding.
pub(crate) const TICKETS: usize = 1024;

/// What a contestant is opened with.
#[derive(Debug)]
pub(crate) struct Setup {
    /// A folder of its own, empty when it is to be filled or appended to.
    pub(crate) dir: PathBuf,
    pub(crate) payloads: Arc<Payloads>,
    pub(crate) record_bytes: usize,
    pub(crate) threads: usize,
    pub(crate) durability: Durability,
    /// How long rings are that are written before, and files that are made meanwhile.
    pub(crate) ring_bytes: u64,
}

/// Appends from any number of threads.
pub(crate) trait Appends: Sync {
    /// Returns when the record is as safe as the row says.
    fn append(&self, thread: usize, record: &Bytes) -> Result<()>;

    /// What a thread does: an append at a time, unless the contestant has something better to offer.
    fn run(&self, worker: &mut Worker<'_>) -> Result<()> {
        while let Some((began, record)) = worker.next() {
            self.append(worker.thread, record)?;
            worker.acknowledged(began);
        }
        Ok(())
    }

    /// How often it was made durable so far, where that is known.
    fn syncs(&self) -> Option<u64> {
        None
    }
}

/// The records that a replay has come upon: counted, and each compared with the one that must come next.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    payloads: Arc<Payloads>,
    pub(crate) records: u64,
}

impl Seen {
    /// None so far.
    pub(crate) fn new(payloads: &Arc<Payloads>) -> Seen {
        Seen { payloads: Arc::clone(payloads), records: 0 }
    }

    pub(crate) fn see(&mut self, record: &[u8]) -> Result<()> {
        if !self.payloads.is(self.records, record) {
            return Err(format!("what came as record {} is another", self.records).into());
        }
        self.records += 1;
        Ok(())
    }
}

/// Replays a log that was filled by an earlier process.
pub(crate) trait Replays {
    /// Shows every record, verified by the contestant, and gives back what was shown. It may be called again.
    fn replay(&mut self, seen: Seen) -> Result<Seen>;
}

/// Called with every record that is read, in the order in which they were asked for.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Reads a log that was filled by an earlier process.
pub(crate) trait Reads {
    /// How many numbers it likes to be given at once.
    fn at_once(&self) -> usize {
        1
    }

    /// The records of these numbers, verified by the contestant. The first one of a log is number 0.
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()>;
}

/// Whose log a contestant replays or reads: several may share one.
pub(crate) fn family(contestant: &str) -> &'static str {
    ["us", "raw", "okaywal", "raft-engine", "commitlog", "mrecordlog", "sqlite"]
        .into_iter()
        .find(|family| contestant.starts_with(family))
        .unwrap_or("unknown")
}

/// Fills a log with so many records, and leaves it as after a clean end.
pub(crate) fn fill(family: &str, setup: &Setup, records: u64) -> Result<()> {
    match family {
        "us" => us::fill(setup, records),
        "raw" => raw_read::fill(setup, records),
        "okaywal" => okaywal::fill(setup, records),
        "raft-engine" => raft_engine::fill(setup, records),
        "commitlog" => commitlog::fill(setup, records),
        "mrecordlog" => mrecordlog::fill(setup, records),
        "sqlite" => sqlite::fill(setup, records),
        _ => Err(format!("nobody fills a log of {family}").into()),
    }
}

/// Opens a contestant to append to a new log.
pub(crate) fn appends(contestant: &str, setup: &Setup) -> Result<Box<dyn Appends>> {
    let power = setup.durability == Durability::Power;
    Ok(match contestant {
        "us" => Box::new(us::Us::open(setup, 1)?),
        "us-tickets" => Box::new(us::Us::open(setup, TICKETS)?),
        "okaywal" => Box::new(okaywal::Okaywal::open(setup)?),
        "raft-engine" => Box::new(raft_engine::RaftEngine::open(setup)?),
        "commitlog" => Box::new(commitlog::Commits::open(setup, power)?),
        "commitlog+batch" => Box::new(batched::Batched::new(commitlog::Commits::open(setup, power)?)),
        "mrecordlog" => Box::new(mrecordlog::Records::open(setup, power)?),
        "mrecordlog+batch" => Box::new(batched::Batched::new(mrecordlog::Records::open(setup, power)?)),
        "sqlite" => Box::new(sqlite::Sqlite::open(setup, power)?),
        "sqlite+batch" => Box::new(batched::Batched::new(sqlite::Sqlite::open(setup, power)?)),
        "raw-append" => Box::new(raw::Raw::growing(setup, true)?),
        "raw-append+batch" => Box::new(batched::Batched::new(raw::Raw::growing(setup, true)?)),
        "raw-dsync" => Box::new(raw::Raw::ring(setup, false)?),
        "raw-dsync+batch" => Box::new(batched::Batched::new(raw::Raw::ring(setup, false)?)),
        "raw-direct" => Box::new(raw::Raw::ring(setup, true)?),
        "raw-direct+batch" => Box::new(batched::Batched::new(raw::Raw::ring(setup, true)?)),
        "raw-write" => Box::new(raw::Raw::growing(setup, false)?),
        "raw-buffer" => Box::new(raw::Buffered::new(setup)?),
        name if name.starts_with("raw-ring-") && trailing_number(name).is_some() => {
            Box::new(raw::Raw::ring(setup, true)?)
        }
        name if name.starts_with("raw-fresh-") && trailing_number(name).is_some() => {
            Box::new(raw::Raw::fresh(setup)?)
        }
        name => return Err(format!("nobody appends as {name}").into()),
    })
}

/// Opens a contestant to replay the log in its folder.
pub(crate) fn replays<'a>(contestant: &str, setup: &'a Setup) -> Result<Box<dyn Replays + 'a>> {
    Ok(match contestant {
        "us" => Box::new(us::Filled::open(setup)?),
        "raw-read" => Box::new(raw_read::RawRead::open(setup)?),
        "okaywal" => Box::new(okaywal::Replay::new(setup)),
        "raft-engine" => Box::new(raft_engine::Replay::new(setup)),
        "commitlog" => Box::new(commitlog::Filled::open(setup)?),
        "mrecordlog" => Box::new(mrecordlog::Replay::new(setup)),
        "sqlite" => Box::new(sqlite::Filled::open(setup)?),
        name => return Err(format!("nobody replays as {name}").into()),
    })
}

/// Opens a contestant to read from the log in its folder.
pub(crate) fn reads(contestant: &str, setup: &Setup) -> Result<Box<dyn Reads>> {
    Ok(match contestant {
        "us" => Box::new(us::Reads::open(setup, 1)?),
        "us-read-many" => Box::new(us::Reads::open(setup, 256)?),
        "raw-read" => Box::new(raw_read::RawRead::open(setup)?),
        "okaywal" => Box::new(okaywal::Filled::open(setup)?),
        "raft-engine" => Box::new(raft_engine::Filled::open(setup)?),
        "commitlog" => Box::new(commitlog::Filled::open(setup)?),
        "mrecordlog" => Box::new(mrecordlog::Filled::open(setup)?),
        "sqlite" => Box::new(sqlite::Filled::open(setup)?),
        name => return Err(format!("nobody reads as {name}").into()),
    })
}
