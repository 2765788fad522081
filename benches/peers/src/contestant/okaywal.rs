//! okaywal 0.3.1. A commit always syncs, and threads share syncs. To append, its log is used as it is meant: a segment is
//! checkpointed and used again when it is three quarters full, and what was in it is dropped. To replay and read, the
//! checkpoint never comes, so that there is something to find.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use okaywal::{
    Configuration, Entry, EntryId, LogManager, LogPosition, LogVoid, ReadChunkResult, SegmentReader,
    WriteAheadLog,
};

use super::{Appends, Replays, Seen, Setup, Visit};
use crate::Result;

const MIB: u32 = 1024 * 1024;

/// How many records a filled log has in one entry; each is a chunk of its own with a place to read it at.
const RECORDS_AN_ENTRY: u64 = 256;

/// A log that is appended to.
#[derive(Debug)]
pub(super) struct Okaywal(WriteAheadLog);

impl Okaywal {
    /// Segments as they come (1 MiB), or of 64 MiB where a record would fill one.
    pub(super) fn open(setup: &Setup) -> Result<Okaywal> {
        let mut configuration = Configuration::default_for(setup.dir.join("log"));
        if setup.record_bytes >= 64 * 1024 {
            configuration =
                configuration.preallocate_bytes(64 * MIB).checkpoint_after_bytes(u64::from(48 * MIB));
        }
        Ok(Okaywal(configuration.open(LogVoid)?))
    }
}

impl Appends for Okaywal {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        let mut entry = self.0.begin_entry()?;
        entry.write_chunk(record)?;
        entry.commit()?;
        Ok(())
    }
}

/// The configuration of a log that keeps everything.
fn keeping(dir: PathBuf) -> Configuration {
    Configuration::default_for(dir).preallocate_bytes(64 * MIB).checkpoint_after_bytes(u64::MAX)
}

pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let log = keeping(setup.dir.join("log")).open(LogVoid)?;
    for first in (0..records).step_by(RECORDS_AN_ENTRY as usize) {
        let mut entry = log.begin_entry()?;
        for number in first..records.min(first + RECORDS_AN_ENTRY) {
            entry.write_chunk(setup.payloads.of(number))?;
        }
        entry.commit()?;
    }
    Ok(log.shutdown()?)
}

/// What recovery makes of the records: those of an entry at a time.
trait Recovers: Send + Sync + std::fmt::Debug + 'static {
    fn record(&mut self, position: LogPosition, record: &[u8]) -> Result<()>;
}

/// It runs inside `open`, which owns it; what it found is fetched from here afterwards.
#[derive(Debug)]
struct Recover<R>(Arc<Mutex<R>>);

impl<R: Recovers> LogManager for Recover<R> {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut recovers = self.0.lock().map_err(|_| io::Error::other("recovery panicked"))?;
        let mut record = Vec::new();
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            let position = chunk.log_position();
            record.clear();
            chunk.read_to_end(&mut record)?;
            if !chunk.check_crc()? {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk does not verify"));
            }
            recovers.record(position, &record).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Ok(())
    }
}

impl Recovers for Seen {
    fn record(&mut self, _: LogPosition, record: &[u8]) -> Result<()> {
        self.see(record)
    }
}

impl Recovers for Vec<LogPosition> {
    fn record(&mut self, position: LogPosition, _: &[u8]) -> Result<()> {
        self.push(position);
        Ok(())
    }
}

/// Replays by opening: that is when okaywal reads its log.
#[derive(Debug)]
pub(super) struct Replay {
    dir: PathBuf,
}

impl Replay {
    pub(super) fn new(setup: &Setup) -> Replay {
        Replay { dir: setup.dir.join("log") }
    }
}

impl Replays for Replay {
    fn replay(&mut self, seen: Seen) -> Result<Seen> {
        let seen = Arc::new(Mutex::new(seen));
        let log = keeping(self.dir.clone()).open(Recover(Arc::clone(&seen)))?;
        log.shutdown()?;
        let seen = seen.lock().map_err(|_| "recovery panicked")?;
        Ok(seen.clone())
    }
}

/// A log that was filled, opened again, with the places of its records.
#[derive(Debug)]
pub(super) struct Filled {
    log: WriteAheadLog,
    positions: Vec<LogPosition>,
    record: Vec<u8>,
}

impl Filled {
    pub(super) fn open(setup: &Setup) -> Result<Filled> {
        let positions = Arc::new(Mutex::new(Vec::new()));
        let log = keeping(setup.dir.join("log")).open(Recover(Arc::clone(&positions)))?;
        let positions = std::mem::take(&mut *positions.lock().map_err(|_| "recovery panicked")?);
        Ok(Filled { log, positions, record: Vec::new() })
    }
}

impl super::Reads for Filled {
    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        for number in numbers {
            let mut chunk = self.log.read_at(self.positions[*number as usize])?;
            self.record.clear();
            chunk.read_to_end(&mut self.record)?;
            if !chunk.crc_is_valid()? {
                return Err(format!("record {number} does not verify").into());
            }
            visit(&self.record)?;
        }
        Ok(())
    }
}
