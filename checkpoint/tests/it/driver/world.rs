//! The media of one driver and its receivers, the processes on them, and what befalls them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_checkpoint::resume;
use headwater_checkpoint::{Checkpoints, Content, Held, Id};
use headwater_wal::store::sim::{Cut, Fault, Op, Process, Random, Sim, SimClock, When};
use headwater_wal::{Compression, Error, Kind, Options, Reader, receiver};
use parking_lot::Mutex;

use super::life::Life;
use super::model::Model;
use super::source::{NUMBERED, PLAIN};
use super::tally::Tally;

/// Receivers, by stream and their number in it.
pub(crate) const RECEIVERS: [(u32, u32); 3] = [(NUMBERED, 0), (NUMBERED, 1), (PLAIN, 0)];

/// Which of them it is.
pub(crate) fn receiver_at(stream: u32, receiver: u32) -> usize {
    RECEIVERS.iter().position(|name| *name == (stream, receiver)).expect("a receiver")
}

/// Everything that outlives whoever uses it. Clones are the same world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) journal: Sim,
    pub(crate) checkpoints: Sim,
    pub(crate) received: Vec<Sim>,
    pub(crate) growing: bool,
    pub(crate) log: Options,
    pub(crate) saving: headwater_checkpoint::Options,
    pub(crate) receiving: receiver::Options,
    pub(crate) pending_bytes_max: u64,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) model: Arc<Mutex<Model>>,
    pub(crate) tally: Tally,
}

impl World {
    pub(crate) fn new(seed: u64, random: &mut Random, tally: &Tally) -> World {
        let growing = random.coin();
        let make = |growing, seed| if growing { Sim::growing(seed) } else { Sim::objects(seed) };
        World::on(make, growing, seed, random, tally)
    }

    /// The driver and its receivers under leases.
    pub(crate) fn under_leases(seed: u64, random: &mut Random, tally: &Tally) -> World {
        World::on(|_, seed| Sim::leases(seed), false, seed, random, tally)
    }

    fn on(
        make: impl Fn(bool, u64) -> Sim,
        growing: bool,
        seed: u64,
        random: &mut Random,
        tally: &Tally,
    ) -> World {
        let sim = |growing: bool, seed: u64| {
            let sim = make(growing, seed);
            // It costs more than all the rest, and the seed alone brings it back.
            if std::env::var_os("HEADWATER_SEED").is_some() {
                sim.keep_history();
            }
            sim
        };
        let received = RECEIVERS.iter().map(|_| sim(random.coin(), random.draw())).collect();
        let log = Options::default()
            .segment_bytes(8 << 10)
            .record_bytes_max(2 << 10)
            .group_bytes_max([1, 600, 3000][random.below(3) as usize])
            .queue_bytes_max(32 << 10)
            .in_flight_bytes_max(1)
            .segment_age(Duration::from_secs(600))
            .compression(Compression::Off);
        let saving = headwater_checkpoint::Options::default()
            .content(Content::new("totals", 1))
            .keep_last(2 + random.below(3) as usize)
            .inside_bytes_max([0, 64, 4096][random.below(3) as usize])
            .part_bytes([100, 4096][random.below(2) as usize])
            .uploads(0)
            .compression(Compression::Off);
        let receiving = receiver::Options::default()
            .block_bytes([30, 150, 600][random.below(3) as usize])
            .record_bytes_max(1 << 10)
            .held_bytes_max([250, 2000][random.below(2) as usize])
            .back_off_max(Duration::from_millis([100, 30_000][random.below(2) as usize]));
        World {
            journal: sim(growing, seed),
            checkpoints: sim(growing, !seed),
            received,
            growing,
            log,
            saving,
            receiving,
            pending_bytes_max: if random.one_in(4) { 2000 } else { 1 << 20 },
            clock: Arc::new(SimClock::new(seed)),
            model: Arc::default(),
            tally: tally.clone(),
        }
    }

    /// A receiver's block may take more than its records, so its log takes longer ones.
    pub(crate) fn receiving_log(&self) -> Options {
        self.log.clone().record_bytes_max(24 << 10)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Sim> {
        [&self.journal, &self.checkpoints].into_iter().chain(&self.received)
    }

    pub(crate) fn calm(&self) {
        self.all().for_each(Sim::calm);
    }

    pub(crate) fn land_all(&self) {
        self.all().for_each(Sim::land_all);
    }

    pub(crate) fn options(&self) -> resume::Options {
        resume::Options {
            log: self.log.clone(),
            journal: headwater_checkpoint::journal::Options::default()
                .pending_bytes_max(self.pending_bytes_max),
            checkpoints: self.saving.clone(),
            background_bytes_max: None,
        }
    }

    /// A fault or another driver explains this error. Damage none does, and a call that was right is never `Invalid`.
    pub(crate) fn explained(&self, error: &Error) {
        let wrong = matches!(
            error.kind(),
            Kind::Damaged | Kind::Invalid | Kind::Unsupported | Kind::NotThere | Kind::Retired
        );
        assert!(!wrong, "no crash or fault may look like this: {error:?}");
        self.tally.count(format!("told: {:?}", error.kind()));
    }

    /// A receiver that catches up may find its log cleaned meanwhile: by its heir, or by what the newest driver has said
    /// while one that was replaced has led it back to what is done with.
    pub(crate) fn explains_a_receiver(&self, error: &Error) {
        match error.kind() {
            Kind::Retired => self.tally.count("catching up overtaken by cleaning"),
            _ => self.explained(error),
        }
    }

    /// Damages the newest checkpoint, if another one is kept with it that is good.
    pub(crate) fn spoil_the_newest(&self, random: &mut Random) {
        let checkpoints = Checkpoints::open(self.checkpoints.store());
        let Some(newest) = checkpoints.latest(&Held::nothing()).unwrap().checkpoint else { return };
        let listed = checkpoints.list().unwrap();
        let mut model = self.model.lock();
        let good = |id: &Id| listed.contains(id) && !model.spoiled.contains(id);
        // What it says first is what a driver falls back on first; and that has everything only if it was told of.
        if !newest.kept().first().is_some_and(good)
            || !model.spoiled.is_empty()
            || model.told != Some(newest.id())
        {
            return;
        }
        let id = newest.id();
        let head = format!("{:020}-{:020}", id.epoch, id.number);
        let own = |name: &String| name.starts_with(&head) || name.starts_with(&format!("parts/{head}"));
        let names: Vec<_> = self.checkpoints.names().into_iter().filter(own).collect();
        let name = &names[random.below(names.len() as u64) as usize];
        let len = self.checkpoints.read_raw(name).len();
        if len > 0 {
            self.checkpoints.flip(name, random.below(len as u64) as usize, random.below(8) as u8);
            model.spoiled.insert(id);
            self.tally.count("newest checkpoints damaged");
        }
    }
}

/// A machine with a driver on it: a process on each of its two media. They die together.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) journal: Process,
    pub(crate) checkpoints: Process,
    received: Vec<Sim>,
    dead: Arc<AtomicBool>,
}

impl Machine {
    pub(crate) fn new(world: &World) -> Machine {
        Machine {
            journal: world.journal.process(),
            checkpoints: world.checkpoints.process(),
            received: world.received.clone(),
            dead: Arc::default(),
        }
    }

    pub(crate) fn reader(&self, receiver: usize) -> Reader {
        Reader::open(self.received[receiver].store()).expect("it only looks")
    }

    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.journal.kill();
        self.checkpoints.kill();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// All of it dies before one of its next operations on some medium, by being killed or by a power cut, of which
    /// some or all of the media take notice.
    pub(crate) fn crash_soon(&self, world: &World, random: &mut Random, soon: u64) {
        let at = [&self.journal, &self.journal, &self.checkpoints][random.below(3) as usize];
        let (machine, tally) = (self.clone(), world.tally.clone());
        let power: Vec<Sim> = match random.below(4) {
            0 | 1 => Vec::new(),
            2 => vec![world.journal.clone(), world.checkpoints.clone()],
            _ => world.all().cloned().collect(),
        };
        let cut = if random.one_in(3) { Cut::LoseAll } else { Cut::Seeded };
        at.before_operation(1 + random.below(soon), move || {
            machine.kill();
            tally.count("crash points");
            power.iter().for_each(|sim| sim.power_cut_as(cut));
            if !power.is_empty() {
                tally.count("power cuts at an operation");
            }
        });
    }
}

/// Plans a fault for one of the next operations of a process.
pub(crate) fn plan_a_fault(sim: &Sim, process: &Process, growing: bool, random: &mut Random, soon: u64) {
    let disk = [Fault::Error, Fault::Error, Fault::Partly, Fault::Full];
    let bucket = [
        Fault::Error,
        Fault::Full,
        Fault::AnswerLost,
        Fault::RequestLost,
        Fault::Late,
        Fault::Held,
        Fault::ExistsOwn,
        Fault::ExistsNothing,
    ];
    let faults = if growing { &disk[..] } else { &bucket[..] };
    let fault = faults[random.below(faults.len() as u64) as usize];
    let when = match random.below(6) {
        0 => When::from(1 + random.below(soon)),
        1 => When::one_in(3 + random.below(20)),
        _ => When::nth(1 + random.below(soon)),
    };
    let when = match random.below(3) {
        0 => when,
        _ => when.of(Op::Put).of(Op::Write).of(Op::Sync).of(Op::Remove).of(Op::SyncNames),
    };
    sim.plan(when.by(process), fault);
}

impl World {
    /// Nothing is left of checkpoints that are kept no longer, and those that are kept are good.
    pub(crate) fn checkpoints_are_swept(&self, life: &Life) {
        let kept = life.driver.status().kept;
        let checkpoints = Checkpoints::open(self.checkpoints.store());
        let mut listed = checkpoints.list().unwrap();
        listed.reverse();
        assert_eq!(listed, kept, "heads that are kept no longer");
        let wrong = checkpoints.verify(&kept).unwrap().into_values().flatten().count();
        assert_eq!(wrong, 0, "kept checkpoints are bad");
        let mut parts = std::collections::BTreeSet::new();
        for id in kept {
            let checkpoint = checkpoints.get(id).unwrap();
            parts.extend(checkpoint.sections().iter().filter_map(headwater_checkpoint::Section::written_by));
        }
        let named = |name: &str| {
            parts.iter().any(|id| name.starts_with(&format!("parts/{:020}-{:020}-", id.epoch, id.number)))
        };
        let names = self.checkpoints.names();
        let litter = names.iter().find(|name| name.starts_with("parts/") && !named(name));
        assert!(litter.is_none(), "a part that nobody names is left: {litter:?}");
    }
}
