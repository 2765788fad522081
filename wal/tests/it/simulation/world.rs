//! One simulated medium, everyone who uses it, and what they recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_wal::store::Store;
use headwater_wal::store::sim::{Cut, Op, Process, Random, Sim, SimClock};
use headwater_wal::{
    Aside, Because, Compression, Depth, Durability, Error, Kind, Log, Options, Position, Reader, Record,
    Result, Survey, look,
};
use parking_lot::Mutex;

use super::model::Model;
use super::number;
use super::tally::Tally;
use super::writer::Writer;

/// The operations that change a medium or take it over.
const CHANGES: [Op; 16] = [
    Op::Own,
    Op::Check,
    Op::Create,
    Op::Link,
    Op::Rename,
    Op::SyncNames,
    Op::Open,
    Op::Write,
    Op::Sync,
    Op::Trim,
    Op::Reserve,
    Op::Release,
    Op::Put,
    Op::Remove,
    Op::Recover,
    Op::Keep,
];

/// How lives end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The power goes.
    Power(Cut),
    /// Every process is killed; the cache stays, but for what the kernel may forget.
    Kill,
    /// Every process is killed, and the kernel forgets all that it believes to be on the disk.
    KillAndForget,
}

/// The media there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Files grow, under a lock.
    Disk,
    /// Objects are put whole.
    Bucket,
    /// Files grow, under leases.
    Leases,
}

impl From<bool> for Medium {
    fn from(growing: bool) -> Self {
        if growing { Medium::Disk } else { Medium::Bucket }
    }
}

/// A medium and its log.
///
/// `growing`: files grow, and the place is locked.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) options: Options,
    pub(crate) model: Arc<Mutex<Model>>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) tally: Tally,
    pub(crate) medium: Medium,
    pub(crate) growing: bool,
    rotten_reads: Arc<AtomicBool>,
    stale_listings: Arc<AtomicBool>,
    seed: u64,
}

/// Small sizes, so that everything happens often.
pub(crate) fn small(durability: Durability) -> Options {
    Options::default()
        .durability(durability)
        .segment_bytes(12 << 10)
        .record_bytes_max(24 << 10)
        .group_bytes_max(1500)
        .queue_bytes_max(32 << 10)
        .in_flight_bytes_max(1)
        .segment_age(Duration::from_secs(600))
        .summary_segments(2)
        .compression(Compression::Off)
}

impl World {
    pub(crate) fn new(
        medium: impl Into<Medium>,
        seed: u64,
        options: Options,
        durability: Durability,
        tally: &Tally,
    ) -> Self {
        let medium = medium.into();
        let sim = match medium {
            Medium::Disk => Sim::growing(seed),
            Medium::Bucket => Sim::objects(seed),
            Medium::Leases => Sim::leases(seed),
        };
        World {
            sim,
            options,
            model: Arc::new(Mutex::new(Model::new(durability))),
            clock: Arc::new(SimClock::new(seed)),
            tally: tally.clone(),
            medium,
            growing: medium == Medium::Disk,
            rotten_reads: Arc::default(),
            stale_listings: Arc::default(),
            seed,
        }
    }

    /// The same past, with a future of its own.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        let clock = SimClock::new(Random::new(self.seed ^ seed).draw());
        World {
            sim: self.sim.fork(seed),
            options: self.options.clone(),
            model: Arc::new(Mutex::new(self.model.lock().clone())),
            clock: Arc::new(clock),
            tally: self.tally.clone(),
            medium: self.medium,
            growing: self.growing,
            rotten_reads: Arc::default(),
            stale_listings: Arc::default(),
            seed,
        }
    }

    /// The same world, for a visit or another thread.
    pub(crate) fn share(&self) -> Self {
        World {
            sim: self.sim.clone(),
            options: self.options.clone(),
            model: self.model.clone(),
            clock: self.clock.clone(),
            tally: self.tally.clone(),
            medium: self.medium,
            growing: self.growing,
            rotten_reads: self.rotten_reads.clone(),
            stale_listings: self.stale_listings.clone(),
            seed: self.seed,
        }
    }

    /// Everybody dies.
    pub(crate) fn end(&self, how: End) {
        let process_log = self.model.lock().durability == Durability::Process;
        match how {
            End::Power(cut) => {
                self.sim.power_cut_as(cut);
                if process_log && self.medium != Medium::Bucket {
                    self.model.lock().shake();
                }
            }
            End::Kill | End::KillAndForget => {
                // A failed write or sync leaves clean pages that the kernel may forget at any time; a log of durability
                // `Process` promises no more than the page cache holds.
                if process_log && self.growing && self.model.lock().a_log_failed {
                    self.model.lock().shake();
                }
                self.sim.process_crash();
                if how == End::KillAndForget {
                    self.sim.drop_caches();
                }
            }
        }
    }

    /// A crash, a fault or another writer explains this error; damage it never explains (P4), and a call that was
    /// right is never `Invalid`.
    pub(crate) fn explained(&self, error: &Error) {
        if self.rotten_reads.load(Ordering::Relaxed)
            && matches!(error.kind(), Kind::Damaged | Kind::Unsupported)
        {
            return;
        }
        if self.stale_listings.load(Ordering::Relaxed) && error.kind() == Kind::Damaged {
            return self.tally.count("stale listings that looked like damage");
        }
        let wrong = matches!(error.kind(), Kind::Damaged | Kind::Invalid | Kind::Unsupported);
        assert!(!wrong, "no crash or fault may look like this (P4): {error:?}");
    }

    /// From now on a read may show rot.
    pub(crate) fn rotten_reads(&self, rotten: bool) {
        self.rotten_reads.store(rotten, Ordering::Relaxed);
    }

    /// From now on a listing may leave out what it must show. That may look like damage, and, as long as nobody retires
    /// anything, nothing else may come of it.
    pub(crate) fn stale_listings(&self, stale: bool) {
        self.stale_listings.store(stale, Ordering::Relaxed);
    }

    pub(crate) fn has_stale_listings(&self) -> bool {
        self.stale_listings.load(Ordering::Relaxed)
    }

    pub(crate) fn surveyed(&self, survey: &Survey) {
        self.tally.survey(survey);
        let explained = [&self.rotten_reads, &self.stale_listings];
        if explained.iter().any(|explained| explained.load(Ordering::Relaxed)) {
            return;
        }
        assert!(survey.damages().is_empty(), "no crash or fault may look like damage (P4): {survey}");
        assert_eq!(survey.misleading(), [""; 0], "a summary says what is not so: {survey}");
        // Below the end lies what the chain has passed over: retired, or of a replaced writer. Torn is only a tail.
        let left = |aside: &&Aside| {
            aside.because == Because::Damaged || (aside.because == Because::Torn && aside.base < survey.end())
        };
        let left = survey.aside().iter().find(left);
        assert!(left.is_none(), "neither retired nor dead, and below the end: {left:?} {survey}");
    }

    /// Starts the log in this process.
    pub(crate) fn start_in(&self, process: &Process, at_least: Position) -> Result<Writer> {
        let opened = Log::open_with(process.store(), self.options.clone(), self.clock.clone())?;
        self.surveyed(opened.survey());
        let failures = self.failed_writes();
        let started = opened.start_stepped(at_least);
        // What it could not make sure of is in the kernel's clean pages, as what a log failed to write is.
        self.model.lock().a_log_failed |= started.is_err() && self.failed_writes() > failures;
        let log = started?;
        self.surveyed(log.survey());
        let life = self.model.lock().begin_life(log.epoch(), log.now());
        Ok(Writer::new(self.share(), process.clone(), log, life))
    }

    /// How many writes and syncs the device has failed.
    fn failed_writes(&self) -> u64 {
        let failed = |event: &str| {
            let (op, fault) = event.split_once(": ").unwrap_or_default();
            matches!(op, "write" | "sync") && !matches!(fault, "crash" | "panic")
        };
        self.sim.events().into_iter().filter(|(event, _)| failed(event)).map(|(_, count)| count).sum()
    }

    /// Starts the log on a device that does its duty, which must succeed whatever came before; and holds what is there
    /// against what was recorded.
    pub(crate) fn recover(&self) -> Writer {
        let (promised, operations) = (self.model.lock().promised(), self.sim.operations());
        let at_least = if operations % 2 == 0 { promised } else { Position::START };
        self.summaries_change_nothing();
        let writer = self.start_in(&self.sim.process(), at_least);
        let writer =
            writer.unwrap_or_else(|error| panic!("a calm device, and the log does not start: {error:?}"));
        writer.check_recovered();
        writer
    }

    /// A look that rests on a summary finds what one finds that reads everything; on a device that does its duty.
    fn summaries_change_nothing(&self) {
        // Each takes as long as a recovery: one in four does.
        if self.medium != Medium::Bucket
            || !self.sim.late().is_empty()
            || !self.sim.operations().is_multiple_of(4)
        {
            return;
        }
        let bare = self.sim.fork(self.seed);
        let summaries: Vec<String> =
            bare.names().into_iter().filter(|name| name.starts_with("summary/")).collect();
        summaries.iter().for_each(|name| bare.remove_file(name));
        let stores = [self.sim.process().store(), bare.process().store()];
        let [with, without] = stores.map(|store| {
            let opened = Log::open_with(store.clone(), self.options.clone(), self.clock.clone()).unwrap();
            let survey = opened.survey().clone();
            let chain = survey.chain().whole(&store).unwrap();
            let told = (survey.identity(), survey.epoch(), survey.end(), survey.verdict(), survey.row());
            let spans = (survey.begins(), survey.damage_count(), survey.durability(), chain.older());
            (told, spans, chain.segments().to_vec(), survey)
        });
        assert!(
            (&with.0, &with.1, &with.2) == (&without.0, &without.1, &without.2),
            "with summaries {:?} {:?} {} {:?}\nwithout {:?} {:?} {} {:?}",
            with.0,
            with.1,
            with.3,
            with.2,
            without.0,
            without.1,
            without.3,
            without.2
        );
        if with.3.chain().older().is_some() {
            self.tally.count("looks that rest on a summary");
        }
    }

    /// Looks at everything from another process, and finds that nothing changed by that (P7).
    pub(crate) fn look_around(&self) {
        let process = self.sim.process();
        let store = process.store();
        let changes = || CHANGES.map(|op| self.sim.operations_of(op));
        let image = || {
            self.sim
                .names()
                .into_iter()
                .map(|name| (self.sim.read_raw(&name), self.sim.read_durable(&name), name))
                .collect::<Vec<_>>()
        };
        let before = (changes(), self.sim.late().is_empty().then(image));
        self.look_with(&store);
        let after = (changes(), before.1.is_some().then(image));
        assert!(before == after, "looking changed the medium (P7)");
    }

    fn look_with(&self, store: &Arc<dyn Store>) {
        for depth in [Depth::Quick, Depth::Full] {
            match look(&**store, Position::START, depth) {
                Ok(survey) => self.surveyed(&survey),
                Err(error) => self.explained(&error),
            }
        }
        let reader = Reader::open(store.clone()).unwrap();
        for item in reader.follow(Position::START) {
            match item {
                Ok(record) => self.model.lock().shown(&record),
                Err(error) => {
                    self.explained(&error);
                    break;
                }
            }
        }
        let appends = self.model.lock().appends.clone();
        for append in appends.iter().filter(|append| append.is_there()) {
            match reader.read(&append.handle.unwrap()) {
                Ok(record) => {
                    self.model.lock().recognise(&record);
                }
                Err(error) if error.kind() == Kind::Retired && append.may_be_retired() => {}
                Err(error) if error.kind() == Kind::Unavailable => self.explained(&error),
                Err(error) => panic!("an acknowledged record cannot be read: {error:?} (P1): {append:?}"),
            }
        }
    }

    /// Tells what happened on the device, the newest last.
    pub(crate) fn tell(&self) {
        let history = self.sim.history();
        let from = history.len().saturating_sub(number("HEADWATER_HISTORY", 60) as usize);
        history[from..].iter().for_each(|line| eprintln!("  {line}"));
    }

    /// Runs checks where a panic would be caught by the engine; [`World::honest`] tells of it.
    pub(crate) fn guarded(&self, visit: impl FnOnce(&World)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| visit(self))) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
            self.model.lock().violation.get_or_insert(said.unwrap_or_default());
        }
    }

    pub(crate) fn honest(&self) {
        let violation = self.model.lock().violation.clone();
        assert!(violation.is_none(), "{}", violation.unwrap_or_default());
    }
}

/// The records of a replay; none if the device failed meanwhile.
pub(crate) fn records(world: &World, items: impl Iterator<Item = Result<Record>>) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for item in items {
        match item {
            Ok(record) => records.push(record),
            Err(error) => {
                world.explained(&error);
                return None;
            }
        }
    }
    Some(records)
}

/// Tells what to run again if it fails.
pub(crate) fn replayable(told: &str, world: &World, run: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        eprintln!("failed: {told}");
        world.tell();
        std::panic::resume_unwind(panic)
    }
}
