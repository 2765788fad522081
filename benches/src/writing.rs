//! The bodies of the benches that append.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::store::Local;
use headwater_wal::{Compression, Durability, Log, Options, Position, Result, Ticket, Time};
use tempfile::TempDir;

use crate::place;

/// A log to append to, in a folder of its own, which goes with it. It does not compress.
#[derive(Debug)]
pub struct Writing {
    log: Log,
    payload: Bytes,
    _dir: TempDir,
}

impl Writing {
    /// A new log below a folder, for records of so many bytes.
    pub fn new(folder: &Path, options: Options, record_bytes: usize) -> Result<Writing> {
        let dir = place(folder);
        let store = Arc::new(Local::open(dir.path().join("log"))?);
        let log = Log::open(store, options.compression(Compression::Off))?.start(Position::START)?;
        // The first record waits for the first segment.
        log.append(Time(0), "first")?.wait()?;
        let payload = (0..record_bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        Ok(Writing { log, payload, _dir: dir })
    }

    /// Options of a durability.
    pub fn options(durability: Durability) -> Options {
        Options::default().durability(durability)
    }

    /// How long it takes until each of `threads` has appended so many records, waiting for the acknowledgement of one
    /// before it appends the next.
    pub fn wait_for_each(&self, records: u64, threads: u64) -> Result<Duration> {
        let began = Instant::now();
        thread::scope(|scope| {
            let append = || (0..records).try_for_each(|number| self.append(number)?.wait().map(drop));
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(append)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that appends"))
        })?;
        let took = began.elapsed();
        self.forget()?;
        Ok(took)
    }

    /// How long it takes until one thread has appended so many records, with so many tickets outstanding at most.
    pub fn with_tickets(&self, records: u64, outstanding: usize) -> Result<Duration> {
        let began = Instant::now();
        let mut tickets: VecDeque<Ticket> = VecDeque::with_capacity(outstanding);
        for number in 0..records {
            if tickets.len() == outstanding
                && let Some(oldest) = tickets.pop_front()
            {
                oldest.wait()?;
            }
            tickets.push_back(self.append(number)?);
        }
        tickets.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
        let took = began.elapsed();
        self.forget()?;
        Ok(took)
    }

    /// How many segments the log has.
    pub fn segments(&self) -> usize {
        self.log.chain().segments().len()
    }

    /// Seals the active segment, so that the log is one segment longer.
    pub fn seal(&self) -> Result<()> {
        self.log.seal()
    }

    fn append(&self, number: u64) -> Result<Ticket> {
        self.log.append(Time(number), self.payload.clone())
    }

    /// Keeps a bench that runs for long from filling the disk.
    fn forget(&self) -> Result<()> {
        if self.segments() > 100_000 || self.log.range().end.0 - self.log.range().start.0 > 4 << 30 {
            self.log.retire_before(Time(u64::MAX))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_of_the_benches_that_append_do_what_they_say() {
        for durability in [Durability::Power, Durability::Process] {
            let writing = Writing::new(&std::env::temp_dir(), Writing::options(durability), 1024).unwrap();
            writing.wait_for_each(3, 4).unwrap();
            writing.with_tickets(100, 16).unwrap();
            writing.seal().unwrap();
            let records = writing.log.replay(Position::START).unwrap().map(|record| record.unwrap());
            assert_eq!(records.count(), 1 + 12 + 100);
        }
    }
}
