//! Headwater's own log, in this process.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_benches::replication::SETTLED_BYTES;
use headwater_wal::store::{self, Store};
use headwater_wal::{Compression, Durability, Log, Options, Position, Ticket, Time};

use crate::Result;
use crate::load::{KEPT_BYTES, Outcome, Shape, in_threads, noise};
use crate::session::Running;

/// So often a log on local disk lets go of what is done.
const RETIRED_EVERY: Duration = Duration::from_millis(20);

/// How blocks are outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outstanding {
    /// One thread of each receiver has so many tickets.
    Tickets,
    /// So many threads of each receiver wait for one each.
    Threads,
}

/// Logs, a log for each receiver, made anew for every shape.
#[derive(Debug)]
pub(crate) struct Ours {
    durability: Durability,
    outstanding: Outstanding,
    at: At,
    logs: Vec<Arc<Log>>,
    retiring: Vec<Retiring>,
    made: u64,
}

/// Where logs lie.
#[derive(Clone, Debug)]
pub(crate) enum At {
    Folder(PathBuf),
    Url(String),
}

impl Ours {
    pub(crate) fn new(durability: Durability, outstanding: Outstanding, at: At) -> Ours {
        Ours { durability, outstanding, at, logs: Vec::new(), retiring: Vec::new(), made: 0 }
    }

    fn store(&mut self) -> Result<Arc<dyn Store>> {
        self.made += 1;
        Ok(match &self.at {
            At::Folder(folder) => Arc::new(store::Local::open(folder.join(self.made.to_string()))?),
            At::Url(url) => store::open(&format!("{url}/{}", self.made))?,
        })
    }

    fn close(&mut self) -> Result<()> {
        self.retiring.drain(..).try_for_each(Retiring::end)?;
        self.logs.drain(..).try_for_each(|log| log.close())?;
        if let At::Folder(folder) = &self.at
            && folder.exists()
        {
            std::fs::remove_dir_all(folder)?;
        }
        Ok(())
    }
}

/// A thread that retires the segments of a log of which nothing is among its newest [`KEPT_BYTES`], until it is told to end.
#[derive(Debug)]
struct Retiring {
    end: Sender<()>,
    thread: JoinHandle<headwater_wal::Result<()>>,
}

impl Retiring {
    fn begin(log: Arc<Log>) -> Retiring {
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(RETIRED_EVERY) {
                retire(&log)?;
            }
            Ok(())
        });
        Retiring { end, thread }
    }

    fn end(self) -> Result<()> {
        drop(self.end);
        Ok(self.thread.join().map_err(|_| "the thread that retires has panicked")??)
    }
}

/// Retires the segments of a log of which nothing is among its newest [`KEPT_BYTES`].
fn retire(log: &Log) -> headwater_wal::Result<()> {
    let range = log.range();
    let _pin = log.pin(Position(range.end.since(Position(KEPT_BYTES))).max(range.start))?;
    log.retire_before(Time::MAX).map(drop)
}

impl Running for Ours {
    fn prepare(&mut self, shape: Shape) -> Result<()> {
        self.close()?;
        if let At::Folder(folder) = &self.at {
            std::fs::create_dir(folder)?;
        }
        for _ in 0..shape.receivers {
            let options = Options::default().compression(Compression::Off).durability(self.durability);
            let log = Log::open(self.store()?, options)?.start(Position::START)?;
            log.append(log.now(), "the first waits for the first segment")?.wait()?;
            let log = Arc::new(log);
            if let At::Folder(_) = self.at {
                self.retiring.push(Retiring::begin(log.clone()));
            }
            self.logs.push(log);
        }
        Ok(())
    }

    fn run(&mut self, shape: Shape, lasts: Duration) -> Result<Outcome> {
        let block = noise(shape.block_bytes);
        let (threads, tickets) = match self.outstanding {
            Outstanding::Tickets => (1, shape.outstanding as usize),
            Outstanding::Threads => (shape.outstanding, 1),
        };
        in_threads(shape.receivers * threads, lasts, |number, end, took| {
            let log = &self.logs[(number / threads) as usize];
            let mut waiting: VecDeque<(Instant, Ticket)> = VecDeque::with_capacity(tickets);
            loop {
                let now = Instant::now();
                if now >= end || waiting.len() == tickets {
                    let Some((began, ticket)) = waiting.pop_front() else { return Ok(()) };
                    ticket.wait()?;
                    took.push(began.elapsed());
                } else {
                    // A receiver makes a block of records that are not its to keep.
                    waiting.push_back((now, log.append(log.now(), Bytes::copy_from_slice(&block))?));
                }
            }
        })
    }

    fn is_settled(&self) -> bool {
        let filled = |log: &Arc<Log>| log.range().end.since(Position::START) >= SETTLED_BYTES;
        matches!(self.at, At::Url(_)) || self.logs.iter().all(filled)
    }

    fn end(&mut self) -> Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn segments_go_of_which_nothing_is_among_the_newest() {
        let options = Options::default().segment_bytes(8 * MIB as u64).compression(Compression::Off);
        let opened = Log::open(Arc::new(store::Memory::growing()), options).unwrap();
        let log = opened.start(Position::START).unwrap();
        let block = Bytes::from(vec![0x5A; MIB]);
        let append = |_| log.append(log.now(), block.clone()).unwrap().wait().unwrap();
        let handles: Vec<_> = (0..80).map(append).collect();
        assert_eq!(log.range().start, handles[0].position().min(log.range().start));
        retire(&log).unwrap();
        let kept = log.range().end.since(log.range().start);
        assert!((KEPT_BYTES..KEPT_BYTES + 2 * 8 * MIB as u64).contains(&kept), "{kept}");
        assert!(log.range().start <= handles[80 - 31].position());
        retire(&log).unwrap();
        assert_eq!(log.range().end.since(log.range().start), kept);
    }
}
