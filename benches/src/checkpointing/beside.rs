//! What checkpoints do to a log on the same disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::store::Local;
use headwater_wal::{Compression, Log, Options, Position, Result, Ticket, Time};
use tempfile::TempDir;

use crate::place;

const RECORD_BYTES: usize = 1024;

/// How records come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So many a second, whatever became of those before. The latency of one begins when it was due.
    PerSecond(u32),
    /// One when the one before is acknowledged.
    Waiting,
}

/// A log of durability `Power` in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Beside {
    log: Log,
    _dir: TempDir,
}

impl Beside {
    /// A new log below a folder.
    pub fn new(folder: &Path) -> Result<Beside> {
        let dir = place(folder);
        let store = Arc::new(Local::open(dir.path().join("log"))?);
        let log =
            Log::open(store, Options::default().compression(Compression::Off))?.start(Position::START)?;
        log.append(Time(0), "first")?.wait()?;
        Ok(Beside { log, _dir: dir })
    }

    /// Appends records of 1 KiB while the body runs: how long each took until it was acknowledged, in ascending order.
    pub fn while_running(&self, pace: Pace, body: impl FnOnce()) -> Vec<Duration> {
        let done = AtomicBool::new(false);
        let mut took = thread::scope(|scope| {
            let appends = scope.spawn(|| match pace {
                Pace::PerSecond(rate) => self.at_rate(Duration::from_secs(1) / rate, &done),
                Pace::Waiting => self.one_by_one(&done),
            });
            body();
            done.store(true, Ordering::Release);
            appends.join().expect("a thread that appends")
        });
        took.sort_unstable();
        took
    }

    fn at_rate(&self, every: Duration, done: &AtomicBool) -> Vec<Duration> {
        let (outstanding, tickets) = channel::<(Instant, Ticket)>();
        thread::scope(|scope| {
            let waits = scope.spawn(move || {
                let wait = |(due, ticket): (Instant, Ticket)| {
                    ticket.wait().expect("an acknowledgement");
                    due.elapsed()
                };
                tickets.into_iter().map(wait).collect()
            });
            let payload = Bytes::from(vec![0x5A; RECORD_BYTES]);
            let mut due = Instant::now();
            while !done.load(Ordering::Acquire) {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let ticket = self.log.append(Time(1), payload.clone()).expect("an append");
                outstanding.send((due, ticket)).expect("a thread that waits");
                due += every;
            }
            drop(outstanding);
            waits.join().expect("a thread that waits")
        })
    }

    fn one_by_one(&self, done: &AtomicBool) -> Vec<Duration> {
        let payload = Bytes::from(vec![0x5A; RECORD_BYTES]);
        let mut took = Vec::new();
        while !done.load(Ordering::Acquire) {
            let began = Instant::now();
            let ticket = self.log.append(Time(1), payload.clone()).expect("an append");
            ticket.wait().expect("an acknowledgement");
            took.push(began.elapsed());
        }
        took
    }
}
