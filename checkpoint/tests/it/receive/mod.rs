//! Receivers that report to a journal: each record that was acknowledged is in what the tracker took, once.

mod proxy;
mod remote;
mod serve;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_checkpoint::journal::{BatchId, ReceiverLog};
use headwater_checkpoint::journal::{Block, Journal, State, Wanted};
use headwater_checkpoint::receive::Reports;
use headwater_wal::receiver::{
    self, Acknowledge, Answer, Driver, End, Options, Pushed, Receiver, Reliable, Report, blocks,
};
use headwater_wal::store::sim::{Fault, Random, Sim, SimClock, When};
use headwater_wal::{Compression, Error, Kind, Log, Position, Reader, Result};
use parking_lot::Mutex;

fn small() -> headwater_wal::Options {
    headwater_wal::Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .group_bytes_max(4 << 10)
        .in_flight_bytes_max(0)
        .compression(Compression::Off)
}

/// A driver that dies and comes back; while it is dead it is away.
#[derive(Clone, Debug, Default)]
struct Home(Arc<Mutex<Option<Arc<Journal>>>>);

impl Home {
    fn reports(&self) -> Result<Reports> {
        let journal = self.0.lock().clone();
        journal.as_ref().map(Reports::to).ok_or_else(|| Error::new(Kind::Unavailable, "the driver is dead"))
    }
}

impl Driver for Home {
    fn settled(&self, log: receiver::ReceiverLog) -> Result<Option<Position>> {
        self.reports()?.settled(log)
    }
    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        self.reports()?.report(blocks)
    }
    fn pass_over(&self, block: &Report) -> Result<Answer> {
        self.reports()?.pass_over(block)
    }

    fn released(&self, log: receiver::ReceiverLog) -> Result<Position> {
        self.reports()?.released(log)
    }
}

/// A source that resends, and what it was told.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeMap<u32, u64>>);

impl Acknowledge for Told {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let mut told = self.0.lock();
        for end in ends {
            let before = told.entry(end.partition).or_default();
            *before = end.end.max(*before);
        }
        Ok(())
    }
}

impl Told {
    fn below(&self, partition: u32) -> u64 {
        self.0.lock().get(&partition).copied().unwrap_or(0)
    }
}

struct Scene {
    received: Sim,
    journal: Sim,
    clock: Arc<SimClock>,
    home: Home,
    told: Arc<Told>,
}

impl Scene {
    fn new(seed: u64) -> Scene {
        let received = if seed.is_multiple_of(2) { Sim::growing(seed) } else { Sim::objects(seed) };
        let scene = Scene {
            received,
            journal: Sim::growing(seed ^ 1),
            clock: Arc::new(SimClock::new(seed)),
            home: Home::default(),
            told: Arc::default(),
        };
        scene.start_driver();
        scene
    }

    fn start_driver(&self) {
        let opened = Log::open_with(self.journal.store(), small(), self.clock.clone()).unwrap();
        let log = opened.start_stepped(Position::START).unwrap();
        let journal = Journal::start(log, State::default(), Position::START).unwrap();
        *self.home.0.lock() = Some(Arc::new(journal));
    }

    /// The driver's machine loses its power.
    fn kill_driver(&self) {
        self.journal.power_cut();
        *self.home.0.lock() = None;
        self.journal.calm();
    }

    fn try_start(&self) -> Result<Receiver<Reliable>> {
        let opened = Log::open_with(self.received.store(), small(), self.clock.clone())?;
        let options = Options::default().block_bytes(300).record_bytes_max(4 << 10).held_bytes_max(20 << 10);
        let (home, source) = (Arc::new(self.home.clone()), Reliable::new(self.told.clone()));
        Receiver::start_stepped(opened, home, source, options, self.clock.clone())
    }

    fn state(&self) -> State {
        self.home.0.lock().as_ref().expect("it lives").view().unwrap()
    }

    /// Everything that a batch gets, read back by handle.
    fn batch(&self) -> BTreeMap<u32, Vec<u64>> {
        let journal = self.home.0.lock().clone().expect("it lives");
        let batch = journal.allot(Wanted::all(BatchId(1000))).unwrap().has().expect("it is new");
        let reader = Reader::open(self.received.store()).unwrap();
        let mut all: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for block in batch.blocks() {
            let Block { handle, records, .. } = block;
            let payload = reader.read(&handle).unwrap().payload;
            assert_eq!(blocks::header(&payload).unwrap().records as u64, records);
            for record in blocks::records(&payload).unwrap() {
                let record = record.unwrap();
                let at = record.place.expect("it is numbered");
                assert_eq!(record.bytes, text(at.partition, at.position));
                all.entry(at.partition).or_default().push(at.position);
            }
        }
        all
    }
}

fn text(partition: u32, position: u64) -> Vec<u8> {
    format!("{partition}/{position}{}", "-".repeat((position % 31) as usize)).into_bytes()
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let scene = Scene::new(seed);
    let mut most = [0_u64; 2];
    for _ in 0..2 + random.below(4) {
        if random.one_in(3) {
            scene.received.plan(When::nth(1 + random.below(120)), Fault::Crash);
        }
        if scene.home.0.lock().is_none() {
            scene.start_driver();
        }
        if let Ok(receiver) = scene.try_start() {
            let mut next = [scene.told.below(0), scene.told.below(1)];
            for _ in 0..random.below(200) {
                match random.below(24) {
                    0..=9 => {
                        let at = random.below(2) as usize;
                        let text = text(at as u32, next[at]);
                        if let Ok(Pushed::Taken | Pushed::Known) =
                            receiver.try_push(at as u32, next[at], &text)
                        {
                            next[at] += 1;
                            most[at] = most[at].max(next[at]);
                        }
                    }
                    10 => scene.clock.advance(Duration::from_millis(random.below(120))),
                    11 if random.one_in(4) => scene.kill_driver(),
                    12 if scene.home.0.lock().is_none() => scene.start_driver(),
                    _ => _ = receiver.turn(),
                }
            }
            scene.received.power_cut();
        } else {
            scene.received.power_cut();
        }
        scene.received.calm();
    }
    scene.kill_driver();
    scene.start_driver();
    let tracked = scene.state();
    for partition in 0..2 {
        let end = tracked.tracker().end(0, partition).end.unwrap_or(0);
        assert!(scene.told.below(partition) <= end, "acknowledged and not in the journal: {partition}");
    }
    let receiver = scene.try_start().unwrap();
    while receiver.turn() {}
    for at in 0..2 {
        for position in scene.told.below(at)..most[at as usize] {
            let _ = receiver.push(at, position, &text(at, position)).unwrap();
        }
    }
    let log = receiver.receiver_log();
    receiver.stop(Duration::from_secs(10)).unwrap();
    let log = ReceiverLog { stream: log.stream, receiver: log.receiver, identity: log.identity };
    let any = most.iter().any(|&most| most > 0);
    assert_eq!(scene.state().tracker().settled(log).is_some(), any);
    let batch = scene.batch();
    for (at, &most) in most.iter().enumerate() {
        let has = batch.get(&(at as u32)).cloned().unwrap_or_default();
        assert_eq!(has, (0..most).collect::<Vec<_>>(), "partition={at}");
        assert_eq!(scene.told.below(at as u32), most);
    }
}

#[test]
fn every_acknowledged_record_is_taken_once_whichever_of_receiver_and_driver_dies() {
    let one = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds: u64 = std::env::var("HEADWATER_SEEDS").map_or(300, |seeds| seeds.parse().unwrap());
    for seed in one.map_or(0..seeds, |seed| seed..seed + 1) {
        std::panic::catch_unwind(|| live(seed)).unwrap_or_else(|_| panic!("HEADWATER_SEED={seed}"));
    }
}

#[test]
fn a_block_that_was_passed_over_is_never_answered_as_taken() {
    let scene = Scene::new(0);
    let receiver = scene.try_start().unwrap();
    while receiver.turn() {}
    let _ = receiver.push(0, 0, b"a record").unwrap();
    scene.clock.advance(Duration::from_millis(200));
    // Its heir has passed the block over before it reports itself.
    let lying = |receiver: &Receiver<Reliable>| {
        let replay = receiver.log().replay(Position::START).unwrap();
        replay.map(|record| record.unwrap().handle).next()
    };
    let journal = scene.home.0.lock().take().expect("it lives");
    while receiver.turn() {}
    let handle = lying(&receiver).expect("it is durable");
    let ranges = vec![blocks::SourceRange { partition: 0, from: 0, to: 1 }];
    let report = Report { stream: 0, receiver: 0, handle, previous: None, number: 0, records: 1, ranges };
    let reports = Reports::to(&journal);
    assert_eq!(reports.pass_over(&report).unwrap(), Answer::PassedOver);
    assert_eq!(reports.report(std::slice::from_ref(&report)).unwrap(), [Answer::PassedOver]);
}

#[test]
fn reports_to_a_driver_that_has_ended_find_it_away() {
    let scene = Scene::new(0);
    let reports = scene.home.reports().unwrap();
    let log = receiver::ReceiverLog { stream: 0, receiver: 0, identity: 1 };
    assert_eq!(reports.settled(log).unwrap(), None);
    scene.kill_driver();
    assert_eq!(reports.settled(log).unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn x1_what_waits_for_its_block_is_not_acknowledged_and_is_resent() {
    let scene = Scene::new(0);
    let receiver = scene.try_start().unwrap();
    while receiver.turn() {}
    let push = |receiver: &Receiver<Reliable>, at| receiver.push(0, at, &text(0, at)).unwrap();
    for at in 0..5 {
        assert_eq!(push(&receiver, at), Pushed::Taken);
    }
    // Nothing is cut before its time.
    while receiver.turn() {}
    assert_eq!(scene.told.below(0), 0);
    scene.received.power_cut();
    drop(receiver);
    scene.received.calm();

    let receiver = scene.try_start().unwrap();
    for at in scene.told.below(0)..5 {
        assert_eq!(push(&receiver, at), Pushed::Taken, "nobody had it");
    }
    receiver.stop(Duration::from_secs(10)).unwrap();
    assert_eq!(scene.told.below(0), 5);
    assert_eq!(scene.batch()[&0], [0, 1, 2, 3, 4]);
}
