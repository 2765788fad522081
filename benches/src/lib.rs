//! The bodies of the benches: plain functions that take their sizes, which a test runs small.
//!
//! A figure of them says nothing without the machine, the file system and the command: see the README beside this.

pub mod checking;
pub mod checkpointing;
pub mod listing;
pub mod measure;
pub mod reading;
pub mod receiving;
pub mod replica;
pub mod replicating;
pub mod replication;
pub mod resuming;
pub mod sizes;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use writing::Writing;

use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Log, Options, Position, Result, Time};
use tempfile::TempDir;

/// The environment variable that names the folder to bench in.
pub const DIR: &str = "HEADWATER_BENCH_DIR";

/// The folder to bench in: what [`DIR`] says, or else `default`.
pub fn folder(default: &str) -> PathBuf {
    std::env::var_os(DIR).map_or_else(|| default.into(), PathBuf::from)
}

/// A folder of a bench's own, which goes with it.
fn place(folder: &Path) -> TempDir {
    let dir = tempfile::tempdir_in(folder);
    dir.unwrap_or_else(|error| panic!("no folder to bench in: {DIR}={} {error}", folder.display()))
}

/// A log on local disk in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Bench {
    log: Log,
    record_bytes: usize,
    _dir: TempDir,
}

impl Bench {
    /// A new log below a folder. Its durability is `Power`, and it does not compress, so that a record's size is what
    /// goes to the disk.
    pub fn new(folder: &Path, record_bytes: usize) -> Result<Bench> {
        let dir = place(folder);
        let store: Arc<dyn Store> = Arc::new(Local::open(dir.path().join("log"))?);
        let options = Options::default().compression(Compression::Off);
        let log = Log::open(store, options)?.start(Position::START)?;
        Ok(Bench { log, record_bytes, _dir: dir })
    }

    /// How long it takes until every one of `threads` has appended its share of `records`, each waiting for the
    /// acknowledgement of one before it appends the next. At least one record a thread.
    pub fn append(&self, records: u64, threads: u64) -> Duration {
        let payload = vec![0x5A; self.record_bytes];
        let began = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let payload = &payload;
                let share = records / threads + u64::from(thread < records % threads);
                scope.spawn(move || {
                    for number in 0..share.max(1) {
                        let ticket = self.log.append(Time(number), payload.clone()).expect("an append");
                        ticket.wait().expect("an acknowledgement");
                    }
                });
            }
        });
        began.elapsed()
    }

    /// Fills the log with so many records, as fast as it takes them.
    pub fn fill(&self, records: u64) {
        let payload = vec![0x5A; self.record_bytes];
        let append = |number| self.log.append(Time(number), payload.clone()).expect("an append");
        let mut last = None;
        for number in 0..records {
            last = Some(append(number));
        }
        if let Some(ticket) = last {
            ticket.wait().expect("an acknowledgement");
        }
    }

    /// Replays the whole log; how many records and payload bytes it gave.
    pub fn replay(&self) -> (u64, u64) {
        let replay = self.log.replay(Position::START).expect("a replay");
        replay.fold((0, 0), |(records, bytes), record| {
            (records + 1, bytes + record.expect("a record").payload.len() as u64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_of_the_benches_do_what_they_say() {
        let bench = Bench::new(&std::env::temp_dir(), 1024).unwrap();
        bench.append(3, 1);
        bench.append(10, 4);
        assert_eq!(bench.replay(), (13, 13 * 1024));
        bench.append(1, 4);
        bench.fill(100);
        assert_eq!(bench.replay(), (117, 117 * 1024));
    }
}
