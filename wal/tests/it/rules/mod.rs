//! The rules of the protocol and the promises of the log, by name, on simulated media of both shapes. The rules that
//! speak of checkpoints and the journal are proven elsewhere.

mod answers;
mod clock;
mod fencing;
mod full;
mod handles;
mod judging;
mod kept;
mod leases;
mod loss;
mod placing;
mod readers;
mod retiring;
mod rolling;
mod starting;
mod stress;

use std::ops::Deref;
use std::sync::Arc;

use headwater_wal::format::header::Header;
use headwater_wal::store::sim::{Op, Process, Sim, SimClock, When};
use headwater_wal::{
    Compression, Depth, Handle, Log, Opened, Options, Position, Reader, Record, Result, Survey, Time, look,
};

/// Small sizes, so that a short test rolls.
pub(crate) fn small() -> Options {
    Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(16 << 10)
        .group_bytes_max(4 << 10)
        .queue_bytes_max(64 << 10)
        .in_flight_bytes_max(1)
        .compression(Compression::Off)
}

/// A simulated medium, and the clock of the machine that uses it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) sim: Sim,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) options: Options,
}

/// A process with a started log; dropped, it closes the log.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) log: Log,
    pub(crate) process: Process,
}

impl Deref for Life {
    type Target = Log;

    fn deref(&self) -> &Log {
        &self.log
    }
}

impl Place {
    pub(crate) fn on(sim: Sim) -> Self {
        let clock = Arc::new(SimClock::new(sim.seed()));
        Place { sim, clock, options: small() }
    }

    pub(crate) fn disk() -> Self {
        Place::on(Sim::growing(7))
    }

    pub(crate) fn bucket() -> Self {
        Place::on(Sim::objects(7))
    }

    /// Files that grow under leases, as on HDFS.
    pub(crate) fn leases(seed: u64) -> Self {
        Place::on(Sim::leases(seed))
    }

    /// One of each shape.
    pub(crate) fn both() -> [Self; 2] {
        [Place::disk(), Place::bucket()]
    }

    pub(crate) fn grows(&self) -> bool {
        self.sim.store().append().is_some()
    }

    pub(crate) fn open(&self) -> Result<Opened> {
        self.open_by(&self.sim.process())
    }

    pub(crate) fn open_by(&self, process: &Process) -> Result<Opened> {
        Log::open_with(process.store(), self.options.clone(), self.clock.clone())
    }

    /// Starts a log in a process of its own.
    pub(crate) fn start(&self) -> Life {
        self.try_start(Position::START).unwrap()
    }

    pub(crate) fn try_start(&self, at_least: Position) -> Result<Life> {
        self.start_by(&self.sim.process(), at_least)
    }

    pub(crate) fn start_by(&self, process: &Process, at_least: Position) -> Result<Life> {
        let log = self.open_by(process)?.start_stepped(at_least)?;
        Ok(Life { log, process: process.clone() })
    }

    pub(crate) fn look(&self) -> Survey {
        look(&*self.sim.store(), Position::START, Depth::Quick).unwrap()
    }

    pub(crate) fn look_at_everything(&self) -> Survey {
        look(&*self.sim.store(), Position::START, Depth::Full).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(self.sim.store()).unwrap()
    }

    /// The names of the log's segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.names_beginning("0")
    }

    pub(crate) fn names_beginning(&self, beginning: &str) -> Vec<String> {
        self.sim.names().into_iter().filter(|name| name.starts_with(beginning)).collect()
    }

    pub(crate) fn header(&self, base: Position) -> Header {
        Header::decode(base, &self.sim.read_raw(&name(base))).unwrap()
    }

    /// What the log holds, as a look shows it.
    pub(crate) fn texts(&self) -> Vec<String> {
        texts(self.open().unwrap().replay(Position::START).unwrap())
    }
}

impl Life {
    /// Appends a record and waits for it.
    pub(crate) fn write(&self, text: impl Into<String>) -> Handle {
        self.append(Time(1), text.into()).unwrap().wait().unwrap()
    }

    /// Writes records of so many bytes, each in a group of its own.
    pub(crate) fn fill(&self, count: usize, bytes: usize) -> Vec<Handle> {
        (0..count).map(|number| self.write(format!("{number}-{}", "x".repeat(bytes)))).collect()
    }

    /// The process is killed: nothing is drained, nothing is sealed.
    pub(crate) fn crash(self) {
        self.process.kill();
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        texts(self.replay(Position::START).unwrap())
    }
}

/// The name of the segment at a position.
pub(crate) fn name(base: Position) -> String {
    format!("{:020}.wal", base.0)
}

pub(crate) fn text(record: &Record) -> String {
    String::from_utf8(record.payload.to_vec()).unwrap()
}

pub(crate) fn texts(records: impl Iterator<Item = Result<Record>>) -> Vec<String> {
    records.map(|record| text(&record.unwrap())).collect()
}

/// Runs `visit` once, just before the process does an operation on a name that begins so.
pub(crate) fn before(process: &Process, op: Op, beginning: &str, visit: impl FnOnce() + Send + 'static) {
    process.before(When::nth(1).of(op).on(beginning), visit);
}

/// Runs `visit` once, just before the first operation of the kind `then` that follows one of the kind `first`.
pub(crate) fn after(
    process: &Process,
    (first, beginning): (Op, &'static str),
    then: Op,
    visit: impl FnOnce() + Send + 'static,
) {
    let sleeper = process.clone();
    before(process, first, beginning, move || sleeper.before(When::nth(1).of(then), visit));
}
