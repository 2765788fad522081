//! Headwater's log, through its public interface only. Not compressed, like everybody here; all other options as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Durability, Handle, Log, Options, Position, Record, Time};

use super::{Appends, Replays, Seen, Setup, TICKETS, Visit};
use crate::Result;
use crate::worker::Worker;
use crate::workload;

fn start(setup: &Setup) -> Result<Log> {
    let store: Arc<dyn Store> = Arc::new(Local::open(setup.dir.join("log"))?);
    let durability = match setup.durability {
        workload::Durability::Power => Durability::Power,
        workload::Durability::Process => Durability::Process,
    };
    let options = Options::default().compression(Compression::Off).durability(durability);
    Ok(Log::open(store, options)?.start(Position::START)?)
}

/// One append, waited for.
fn append_wait(log: &Log, record: &Bytes) -> Result<Handle> {
    Ok(log.append(Time(0), record.clone())?.wait()?)
}

/// A log that is appended to. Payloads are handed over as `Bytes`, which costs a count and no copy.
#[derive(Debug)]
pub(super) struct Us {
    log: Log,
    tickets: usize,
}

impl Us {
    pub(super) fn open(setup: &Setup, tickets: usize) -> Result<Us> {
        Ok(Us { log: start(setup)?, tickets })
    }
}

impl Appends for Us {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        append_wait(&self.log, record).map(drop)
    }

    /// With one ticket, one append at a time; else the oldest ticket is waited for as soon as so many are outstanding.
    fn run(&self, worker: &mut Worker<'_>) -> Result<()> {
        let mut outstanding = VecDeque::with_capacity(self.tickets);
        while let Some((began, record)) = worker.next() {
            if self.tickets == 1 {
                self.append(worker.thread, record)?;
                worker.acknowledged(began);
                continue;
            }
            outstanding.push_back((began, self.log.append(Time(0), record.clone())?));
            if outstanding.len() == self.tickets
                && let Some((began, ticket)) = outstanding.pop_front()
            {
                ticket.wait()?;
                worker.acknowledged(began);
            }
        }
        for (began, ticket) in outstanding {
            ticket.wait()?;
            worker.acknowledged(began);
        }
        Ok(())
    }
}

/// A log of so many records, closed.
pub(super) fn fill(setup: &Setup, records: u64) -> Result<()> {
    let log = start(setup)?;
    let mut outstanding = VecDeque::with_capacity(TICKETS);
    for number in 0..records {
        outstanding.push_back(log.append(Time(number), setup.payloads.of(number).clone())?);
        if outstanding.len() == TICKETS
            && let Some(ticket) = outstanding.pop_front()
        {
            ticket.wait()?;
        }
    }
    outstanding.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    Ok(log.close()?)
}

/// A log that was filled, and has been started again.
#[derive(Debug)]
pub(super) struct Filled {
    log: Log,
}

impl Filled {
    pub(super) fn open(setup: &Setup) -> Result<Filled> {
        Ok(Filled { log: start(setup)? })
    }
}

impl Replays for Filled {
    fn replay(&mut self, mut seen: Seen) -> Result<Seen> {
        for record in self.log.replay(Position::START)? {
            seen.see(&record?.payload)?;
        }
        Ok(seen)
    }
}

/// The same, with the handles of its records.
#[derive(Debug)]
pub(super) struct Reads {
    log: Log,
    handles: Vec<Handle>,
    at_once: usize,
    asked: Vec<Handle>,
}

impl Reads {
    pub(super) fn open(setup: &Setup, at_once: usize) -> Result<Reads> {
        let log = start(setup)?;
        let handles = log.replay(Position::START)?.map(|record| record.map(|record| record.handle));
        let handles = handles.collect::<headwater_wal::Result<_>>()?;
        Ok(Reads { log, handles, at_once, asked: Vec::with_capacity(at_once) })
    }
}

impl super::Reads for Reads {
    fn at_once(&self) -> usize {
        self.at_once
    }

    fn read(&mut self, numbers: &[u64], visit: Visit<'_>) -> Result<()> {
        let payload = |record: headwater_wal::Result<Record>| record.map(|record| record.payload);
        if let [number] = numbers {
            return visit(&payload(self.log.read(&self.handles[*number as usize]))?);
        }
        self.asked.clear();
        self.asked.extend(numbers.iter().map(|number| self.handles[*number as usize]));
        for record in self.log.read_many(&self.asked) {
            visit(&payload(record)?)?;
        }
        Ok(())
    }
}
