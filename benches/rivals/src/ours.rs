//! Headwater's own log, in this process.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::store::{self, Store};
use headwater_wal::{Compression, Durability, Log, Options, Position, Ticket};

use crate::Result;
use crate::load::{Outcome, Shape, in_threads, noise};
use crate::session::Running;

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
    logs: Vec<Log>,
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
        Ours { durability, outstanding, at, logs: Vec::new(), made: 0 }
    }

    fn store(&mut self) -> Result<Arc<dyn Store>> {
        self.made += 1;
        Ok(match &self.at {
            At::Folder(folder) => Arc::new(store::Local::open(folder.join(self.made.to_string()))?),
            At::Url(url) => store::open(&format!("{url}/{}", self.made))?,
        })
    }

    fn close(&mut self) -> Result<()> {
        self.logs.drain(..).try_for_each(|log| log.close())?;
        if let At::Folder(folder) = &self.at
            && folder.exists()
        {
            std::fs::remove_dir_all(folder)?;
        }
        Ok(())
    }
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

    fn end(&mut self) -> Result<()> {
        self.close()
    }
}
