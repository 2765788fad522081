//! The receiver: what it cuts, reports and acknowledges, in which order, and what is left when anything dies.

mod answers;
mod blocks;
mod crashing;
mod cutting;
mod pacing;
mod releasing;
mod stopping;
mod taking_over;
mod threads;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use headwater_wal::receiver::{
    Acknowledge, Answer, Driver, End, Options, Receiver, ReceiverLog, Reliable, Report, Unreliable,
    blocks as block,
};
use headwater_wal::store::sim::{Process, Sim, SimClock};
use headwater_wal::{Compression, Error, Kind, Log, Opened, Position, Reader, Result};
use parking_lot::Mutex;

/// A record that was found: its partition and position, if it has them, and its bytes.
pub(crate) type Found = (Option<(u32, u64)>, Vec<u8>);

/// A driver that keeps rules 14 to 16 by itself, and remembers everything.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) taken: Vec<Report>,
    pub(crate) settled: BTreeMap<ReceiverLog, Position>,
    pub(crate) ends: BTreeMap<u32, u64>,
    pub(crate) passed: Vec<Report>,
    /// So many calls fail before anything happens, and so many after it has.
    pub(crate) away: u32,
    pub(crate) answers_lost: u32,
    pub(crate) has_room: bool,
    /// Below here nothing is needed, it says.
    pub(crate) released: Position,
    pub(crate) calls: u64,
}

/// The driver, as everybody shares it. It outlives receivers.
#[derive(Clone, Debug)]
pub(crate) struct Desk(pub(crate) Arc<Mutex<Book>>);

fn log_of(report: &Report) -> ReceiverLog {
    ReceiverLog { stream: report.stream, receiver: report.receiver, identity: report.handle.identity() }
}

impl Book {
    fn reached(&mut self) -> Result<()> {
        self.calls += 1;
        if self.away > 0 {
            self.away -= 1;
            return Err(Error::new(Kind::Unavailable, "the driver is away"));
        }
        Ok(())
    }

    fn answered<T>(&mut self, answer: T) -> Result<T> {
        if self.answers_lost > 0 {
            self.answers_lost -= 1;
            return Err(Error::new(Kind::Unavailable, "the answer was lost"));
        }
        Ok(answer)
    }

    fn add(&mut self, report: &Report) -> Answer {
        let settled = self.settled.get(&log_of(report)).copied();
        let ends: Vec<End> = report
            .ranges
            .iter()
            .filter_map(|range| {
                let end = *self.ends.get(&range.partition)?;
                Some(End { partition: range.partition, end })
            })
            .collect();
        let end = |partition: u32| self.ends.get(&partition).copied();
        let known = report.ranges.iter().all(|range| end(range.partition).is_some_and(|end| end >= range.to));
        if settled.is_some_and(|settled| report.handle.position() <= settled) {
            return if known { Answer::Taken } else { Answer::PassedOver };
        }
        if report.previous != settled {
            return Answer::Early(settled);
        }
        if !self.has_room {
            return Answer::Full;
        }
        let extends =
            report.ranges.iter().all(|range| end(range.partition).is_none_or(|end| end == range.from));
        if extends {
            self.taken.push(report.clone());
            self.ends.extend(report.ranges.iter().map(|range| (range.partition, range.to)));
        } else if !known {
            return Answer::Refused(ends);
        }
        self.settled.insert(log_of(report), report.handle.position());
        Answer::Taken
    }
}

impl Driver for Desk {
    fn settled(&self, log: ReceiverLog) -> Result<Option<Position>> {
        let mut book = self.0.lock();
        book.reached()?;
        let settled = book.settled.get(&log).copied();
        book.answered(settled)
    }

    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        let mut book = self.0.lock();
        book.reached()?;
        let mut answers = Vec::new();
        for block in blocks {
            let answer = book.add(block);
            let goes_on = answer == Answer::Taken;
            answers.push(answer);
            if !goes_on {
                break;
            }
        }
        book.answered(answers)
    }

    fn pass_over(&self, block: &Report) -> Result<Answer> {
        let mut book = self.0.lock();
        book.reached()?;
        let settled = book.settled.get(&log_of(block)).copied();
        if settled.is_some_and(|settled| block.handle.position() <= settled) {
            return book.answered(Answer::PassedOver);
        }
        if block.previous != settled {
            return Ok(Answer::Early(settled));
        }
        book.settled.insert(log_of(block), block.handle.position());
        // A partition of which nothing has arrived begins here: what was cut behind is not taken for its first.
        for range in &block.ranges {
            book.ends.entry(range.partition).or_insert(range.from);
        }
        book.passed.push(block.clone());
        book.answered(Answer::PassedOver)
    }

    fn released(&self, _: ReceiverLog) -> Result<Position> {
        let mut book = self.0.lock();
        book.reached()?;
        let released = book.released;
        book.answered(released)
    }
}

/// A source that resends: what it was told, per partition, in the order in which it was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) desk: Desk,
    pub(crate) safe: Mutex<BTreeMap<u32, u64>>,
    pub(crate) away: Mutex<u32>,
    /// Several receivers tell it: one that was replaced lives on.
    pub(crate) several: Mutex<bool>,
    pub(crate) order: Mutex<VecDeque<Vec<End>>>,
}

impl Acknowledge for Told {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let mut away = self.away.lock();
        if *away > 0 {
            *away -= 1;
            return Err(Error::new(Kind::Unavailable, "the source is away"));
        }
        let book = self.desk.0.lock();
        for end in ends {
            let known = book.ends.get(&end.partition).copied().unwrap_or(0);
            assert!(end.end <= known, "acknowledged before it was reported: {end:?} known={known}");
            let mut safe = self.safe.lock();
            let before = safe.get(&end.partition).copied().unwrap_or(0);
            // One that was replaced and does not know may tell of less.
            let in_order = *self.several.lock() || before <= end.end;
            assert!(in_order, "acknowledged backwards: {end:?} before={before}");
            safe.insert(end.partition, end.end.max(before));
        }
        self.order.lock().push_back(ends.to_vec());
        Ok(())
    }
}

/// A place with a log, a driver and a source, and the receivers that come and go.
pub(crate) struct Scene {
    pub(crate) sim: Sim,
    pub(crate) process: Process,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) desk: Desk,
    pub(crate) source: Arc<Told>,
    pub(crate) options: Options,
}

pub(crate) fn log_options() -> headwater_wal::Options {
    headwater_wal::Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .group_bytes_max(4 << 10)
        .in_flight_bytes_max(0)
        .compression(Compression::Off)
}

pub(crate) fn record(partition: u32, position: u64) -> Vec<u8> {
    let mut bytes = format!("record {partition}/{position} ").into_bytes();
    bytes.resize(bytes.len() + (position % 37) as usize, b'.');
    bytes
}

impl Scene {
    pub(crate) fn on(sim: Sim) -> Scene {
        let desk = Desk(Arc::new(Mutex::new(Book { has_room: true, ..Book::default() })));
        let source = Arc::new(Told {
            desk: desk.clone(),
            safe: Mutex::default(),
            away: Mutex::default(),
            several: Mutex::default(),
            order: Mutex::default(),
        });
        Scene {
            process: sim.process(),
            clock: Arc::new(SimClock::new(sim.seed())),
            sim,
            desk,
            source,
            options: Options::default().block_bytes(300).record_bytes_max(4 << 10).held_bytes_max(20 << 10),
        }
    }

    pub(crate) fn new() -> Scene {
        Scene::on(Sim::growing(1))
    }

    pub(crate) fn book(&self) -> parking_lot::MutexGuard<'_, Book> {
        self.desk.0.lock()
    }

    pub(crate) fn open(&self) -> Result<Opened> {
        Log::open_with(self.process.store(), log_options(), self.clock.clone())
    }

    pub(crate) fn try_start(&self) -> Result<Receiver<Reliable>> {
        self.try_start_at(self.open()?)
    }

    pub(crate) fn try_start_at(&self, opened: Opened) -> Result<Receiver<Reliable>> {
        let source = Reliable::new(self.source.clone());
        let desk = Arc::new(self.desk.clone());
        Receiver::start_stepped(opened, desk, source, self.options.clone(), self.clock.clone())
    }

    /// A receiver that has caught up.
    pub(crate) fn start(&self) -> Receiver<Reliable> {
        let receiver = self.try_start().unwrap();
        settle(&receiver);
        receiver
    }

    pub(crate) fn start_unreliable(&self) -> Receiver<Unreliable> {
        let (desk, clock) = (Arc::new(self.desk.clone()), self.clock.clone());
        let opened = self.open().unwrap();
        let receiver =
            Receiver::start_stepped(opened, desk, Unreliable, self.options.clone(), clock).unwrap();
        while receiver.turn() {}
        receiver
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Every process dies; the power goes, or stays.
    pub(crate) fn crash(&mut self, power: bool) {
        if power {
            self.sim.power_cut()
        } else {
            self.sim.process_crash()
        }
        self.sim.calm();
        self.process = self.sim.process();
    }

    /// Another machine: what runs on this one does not know.
    pub(crate) fn elsewhere(&mut self) {
        *self.source.several.lock() = true;
        self.process = self.sim.process();
        self.clock = Arc::new(SimClock::new(self.sim.operations()));
    }

    pub(crate) fn safe(&self, partition: u32) -> u64 {
        self.source.safe.lock().get(&partition).copied().unwrap_or(0)
    }

    /// Every record of the blocks that the driver took, read back by handle, in the order in which they were taken.
    pub(crate) fn received(&self) -> Vec<Found> {
        let reader = Reader::open(self.sim.process().store()).unwrap();
        let mut all = Vec::new();
        for report in &self.book().taken {
            let payload = reader.read(&report.handle).unwrap().payload;
            let records = block::records(&payload).unwrap();
            assert_eq!(records.header().records, report.records);
            for one in records {
                let one = one.unwrap();
                all.push((one.place.map(|at| (at.partition, at.position)), one.bytes.to_vec()));
            }
        }
        all
    }

    /// Each record of a partition below `to` was taken, once, in order, and is what was sent.
    pub(crate) fn has_each_once(&self, partition: u32, to: u64) {
        let received = self.received();
        let of = |at: &Option<(u32, u64)>| at.is_some_and(|(of, _)| of == partition);
        let positions: Vec<_> =
            received.iter().filter(|(at, _)| of(at)).map(|(at, _)| at.unwrap().1).collect();
        assert_eq!(positions, (0..to).collect::<Vec<_>>(), "partition={partition}");
        for (at, bytes) in &received {
            let (partition, position) = at.unwrap();
            assert_eq!(*bytes, record(partition, position));
        }
    }
}

/// Lets a receiver work as long as there is anything to do.
pub(crate) fn settle(receiver: &Receiver<Reliable>) {
    while receiver.turn() {}
}

/// Hands records in.
pub(crate) fn send(receiver: &Receiver<Reliable>, partition: u32, positions: std::ops::Range<u64>) {
    for position in positions {
        let _ = receiver.push(partition, position, &record(partition, position)).unwrap();
    }
}
