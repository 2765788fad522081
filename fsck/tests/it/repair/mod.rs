//! Repairs, on simulated media of every kind: what was damaged in named ways is clean afterwards, and nothing is lost but
//! what is stated.

mod classes;
mod crashes;
mod salvaging;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_fsck::{Consent, Depth, Plan, Repaired, Report, check, plan, repair_with};
use headwater_wal::format::name::segment;
use headwater_wal::store::locking;
use headwater_wal::store::sim::{Sim, SimClock};
use headwater_wal::{Compression, Handle, Kind, Log, Options, Position, Reader, Result, Time};

/// How many records a log holds: of three lives, the last of which was killed.
pub(crate) const RECORDS: usize = 36;

/// A log on a simulated medium, and what was appended to it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) sim: Sim,
    pub(crate) handles: Arc<Vec<Handle>>,
}

fn options() -> Options {
    Options::default().segment_bytes(8 << 10).record_bytes_max(4 << 10).compression(Compression::Off)
}

fn payload(number: usize) -> String {
    format!("record {number} {}", "x".repeat(500 + number * 17))
}

impl Place {
    pub(crate) fn growing() -> Place {
        Place::of(Sim::growing(1))
    }

    pub(crate) fn objects() -> Place {
        Place::of(Sim::objects(1))
    }

    pub(crate) fn leases() -> Place {
        Place::of(Sim::leases(1))
    }

    /// A log on a medium of leases, closed once, and its last segment open, which so many records are in: its writer is
    /// alive, or dead.
    pub(crate) fn open(records: usize, alive: bool) -> (Place, Option<Log>) {
        let sim = Sim::leases(9);
        sim.set_page(1000);
        let writer = sim.process();
        let opened = Log::open(writer.store(), options().segment_bytes(64 << 10)).unwrap();
        let log = opened.start_stepped(Position::START).unwrap();
        let append = |number: usize| {
            let time = Time(1_000 + number as u64);
            log.append_kind(7, time, payload(number)).unwrap().wait().unwrap()
        };
        let handles = Arc::new((0..records).map(append).collect());
        if !alive {
            writer.kill();
        }
        (Place { sim, handles }, alive.then_some(log))
    }

    pub(crate) fn all() -> [Place; 3] {
        [Place::growing(), Place::objects(), Place::leases()]
    }

    fn of(sim: Sim) -> Place {
        sim.set_page(1000);
        let clock = Arc::new(SimClock::new(3));
        let mut handles = Vec::new();
        for life in 0..3 {
            // Of the last life all lies in one segment, that was being written.
            let options = options().segment_bytes(if life == 2 { 64 << 10 } else { 8 << 10 });
            let opened = Log::open_with(sim.store(), options, clock.clone()).unwrap();
            let log = opened.start_stepped(Position::START).unwrap();
            for _ in 0..RECORDS / 3 {
                let number = handles.len();
                let time = Time(1_000 + number as u64);
                handles.push(log.append_kind(7, time, payload(number)).unwrap().wait().unwrap());
            }
            match life {
                2 => {
                    sim.power_cut();
                    sim.expire_leases();
                }
                _ => log.close().unwrap(),
            }
        }
        Place { sim, handles: Arc::new(handles) }
    }

    pub(crate) fn is_growing(&self) -> bool {
        self.sim.store().append().is_some()
    }

    /// Whether whoever owns it locks everybody else out, and writes over what is there.
    pub(crate) fn is_locked(&self) -> bool {
        locking(&*self.sim.store()).is_some()
    }

    /// Its medium, in a word.
    pub(crate) fn medium(&self) -> &'static str {
        match (self.is_growing(), self.is_locked()) {
            (false, _) => "objects",
            (true, false) => "leases",
            (true, true) => "disk",
        }
    }

    pub(crate) fn fork(&self, seed: u64) -> Place {
        let sim = self.sim.fork(seed);
        sim.set_page(1000);
        Place { sim, handles: self.handles.clone() }
    }

    /// The file of a record, and the offset of its frame.
    pub(crate) fn file(&self, number: usize) -> (String, usize) {
        let handle = self.handles[number];
        (segment(handle.base()), handle.position().since(handle.base()) as usize)
    }

    /// The numbers of the records in the same file.
    pub(crate) fn beside(&self, number: usize) -> Vec<usize> {
        let base = self.handles[number].base();
        (0..RECORDS).filter(|&other| self.handles[other].base() == base).collect()
    }

    /// The segments' files, in order.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.sim.names().into_iter().filter(|name| name.ends_with(".wal") && !name.contains('/')).collect()
    }

    pub(crate) fn check(&self) -> Report {
        check(&*self.sim.store(), Position::START, Depth::Full).unwrap()
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.sim.store(), &self.check()).unwrap()
    }

    pub(crate) fn repair(&self, plan: &Plan) -> Result<Repaired> {
        let clock = Arc::new(SimClock::new(77 + self.sim.operations()));
        repair_with(&self.sim.store(), plan, Consent::LoseData, clock)
    }

    /// The records that a reader gets by their handles.
    pub(crate) fn readable(&self) -> BTreeSet<usize> {
        let reader = Reader::open(self.sim.store()).unwrap();
        let reads = |&number: &usize| match reader.read(&self.handles[number]) {
            Ok(record) => {
                assert_eq!(record.payload, payload(number));
                true
            }
            Err(error) => {
                assert_ne!(error.kind(), Kind::Invalid, "{error}");
                false
            }
        };
        (0..RECORDS).filter(reads).collect()
    }

    /// The records that a replay tells, and how many errors.
    pub(crate) fn replayed(&self) -> (BTreeSet<usize>, usize) {
        let opened = Log::open(self.sim.store(), options()).unwrap();
        let (mut records, mut errors) = (BTreeSet::new(), 0);
        for record in opened.replay(Position::START).unwrap() {
            match record {
                Ok(record) => {
                    let number = (record.time.0 - 1_000) as usize;
                    assert_eq!((record.kind, &record.payload[..]), (7, payload(number).as_bytes()));
                    assert!(records.insert(number), "told twice: {number}");
                }
                Err(_) => errors += 1,
            }
        }
        (records, errors)
    }

    /// Every file, byte for byte.
    pub(crate) fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.sim.names().into_iter().filter(|name| self.sim.has(name));
        names.map(|name| (name.clone(), self.sim.read_raw(&name))).collect()
    }

    /// Whether a file lies in quarantine whose name says so.
    pub(crate) fn kept(&self, part: &str) -> bool {
        self.sim.names().iter().any(|name| name.starts_with("quarantine/repair-") && name.contains(part))
    }
}

/// All records but these.
pub(crate) fn all_but(lost: &[usize]) -> BTreeSet<usize> {
    (0..RECORDS).filter(|number| !lost.contains(number)).collect()
}

/// The log is clean, holds these records, and there is nothing more to be done: a repair changes no byte.
pub(crate) fn is_clean_with(place: &Place, records: &BTreeSet<usize>, name: &str) {
    let report = place.check();
    assert!(report.is_sound(), "{name}: {report}");
    let (replayed, errors) = place.replayed();
    assert_eq!((&replayed, errors), (records, 0), "{name}: {report}");
    let before = place.bytes();
    let again = place.plan();
    assert!(again.is_empty() && again.by_hand().is_empty(), "{name}: {again}");
    place.repair(&again).unwrap();
    assert_eq!(place.bytes(), before, "{name}: a second repair changed something");
}
