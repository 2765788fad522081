//! Whole lives by seed: drivers that die, fail and are replaced, receivers that are taken over, sources that send again,
//! and at last a driver on calm media that must find everything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use headwater_wal::store::leasing;
use headwater_wal::store::sim::Random;
use headwater_wal::{Kind, Time};
use parking_lot::Mutex;

use super::fleet::Fleet;
use super::life::{Life, Shared};
use super::line::Line;
use super::source::PARTITIONS;
use super::tally::Tally;
use super::world::{Machine, World, plan_a_fault};

/// Runs the life of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::new(seed, &mut random, tally);
    run_in(world, random, seed, tally);
}

/// Runs the life of this seed with everything under leases.
pub(crate) fn run_under_leases(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::under_leases(seed, &mut random, tally);
    run_in(world, random, seed, tally);
}

fn run_in(world: World, random: Random, seed: u64, tally: &Tally) {
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Lives::new(world.clone(), random).live();
    }));
    world.all().for_each(|sim| tally.device(sim));
    if let Err(panic) = told {
        eprintln!("failed: HEADWATER_SEED={seed} growing={}", world.growing);
        let lines = super::number("HEADWATER_HISTORY", 20) as usize;
        for (sim, name) in
            world.all().zip(["journal", "checkpoints", "received 0", "received 1", "received 2"])
        {
            let history = sim.history();
            let from = history.len().saturating_sub(lines);
            history[from..].iter().for_each(|line| eprintln!("  {name}: {line}"));
        }
        std::panic::resume_unwind(panic);
    }
}

struct Lives {
    world: World,
    random: Random,
    driver: Shared,
    /// Replaced drivers that still run.
    replaced: Vec<Shared>,
    fleet: Fleet,
    step: u64,
}

impl Lives {
    fn new(world: World, mut random: Random) -> Lives {
        let driver =
            Life::begin(&world, Machine::new(&world)).expect("nothing is there, and nothing is wrong");
        let line = Line::new(&world, Random::new(random.draw()));
        line.lead_to(&driver);
        let fleet = Fleet::new(&world, line, &mut random);
        Lives { world, random, driver: Arc::new(Mutex::new(driver)), replaced: Vec::new(), fleet, step: 0 }
    }

    fn live(&mut self) {
        let steps = 80 + self.random.below(220);
        for _ in 0..steps {
            self.step();
            self.step += 1;
            if self.driver.lock().is_over() {
                self.come_back();
            }
        }
        self.end();
    }

    fn step(&mut self) {
        self.time_passes();
        self.produce();
        if self.random.one_in(12) {
            self.trouble();
        }
        match self.random.below(40) {
            0..12 => self.driver.clone().lock().step(&mut self.random),
            12..29 => self.fleet.step(&mut self.random),
            29..31 => self.fleet.release(&mut self.random),
            31 => self.fleet.line.something_arrives(),
            32 => self.replaced_goes_on(),
            33..35 => self.fleet.replaced_goes_on(&mut self.random),
            35 => self.world.calm(),
            36 => match self.random.below(4) {
                0 | 1 => self.driver_dies(),
                2 => self.replace(),
                _ => self.fleet.rebalance(&mut self.random),
            },
            37 => self.fleet.one_ends(&mut self.random),
            38 if self.random.one_in(4) => self.fleet.fill(&mut self.random),
            38 => self.fleet.make_room(),
            _ => self.something_lands(),
        }
    }

    fn time_passes(&mut self) {
        self.world.clock.advance(Duration::from_millis(self.random.below(20_000)));
        if self.random.one_in(400) {
            self.world.clock.jump(3 * 24 * 3600 * 1000);
            self.world.tally.count("clocks that jump");
        }
    }

    fn produce(&mut self) {
        let mut model = self.world.model.lock();
        let sources = &mut model.sources;
        match self.random.below(8) {
            0..4 => {
                // Again and again there is a partition of which nobody has heard.
                let there = u64::from(PARTITIONS).min(1 + self.step / 20);
                sources.produce(self.random.below(there) as u32, 1 + self.random.below(6));
            }
            4 => sources.direct += self.random.below(3),
            _ => {}
        }
    }

    /// A fault or a crash comes soon.
    fn trouble(&mut self) {
        let machine = self.driver.lock().machine.clone();
        let (world, random) = (&self.world, &mut self.random);
        match random.below(8) {
            0 | 1 => plan_a_fault(&world.journal, &machine.journal, world.growing, random, 12),
            2 | 3 => plan_a_fault(&world.checkpoints, &machine.checkpoints, world.growing, random, 12),
            4 | 5 => self.fleet.trouble(random),
            _ => machine.crash_soon(world, random, 30),
        }
    }

    fn driver_dies(&mut self) {
        let driver = self.driver.lock();
        match self.random.below(3) {
            0 => driver.machine.kill(),
            1 => {
                driver.machine.kill();
                self.world.journal.process_crash();
                self.world.checkpoints.process_crash();
            }
            _ => {
                driver.machine.kill();
                self.world.journal.power_cut();
                self.world.checkpoints.power_cut();
            }
        }
        self.world.tally.count("drivers killed");
    }

    /// Another driver is started. On disks the one before has to be dead; in buckets it goes on.
    fn replace(&mut self) {
        if self.world.growing {
            let begun = Life::begin(&self.world, Machine::new(&self.world));
            let over = self.driver.lock().is_over();
            match begun {
                Err(error) if error.kind() == Kind::Locked => self.world.tally.count("drivers locked out"),
                Err(error) => self.world.explained(&error),
                Ok(_) if over => {}
                Ok(_) => panic!("two drivers at once"),
            }
            return;
        }
        let before = self.driver.clone();
        self.come_back_beside(Some(&before));
        self.world.tally.count("drivers replaced while they lived");
        self.replaced.push(before);
    }

    /// A replaced driver does something: it is told, and changes nothing.
    fn replaced_goes_on(&mut self) {
        for old in &self.replaced {
            let mut old = old.lock();
            old.step(&mut self.random);
            if old.over.as_ref().is_some_and(|error| error.kind() == Kind::Fenced) {
                self.world.tally.count("replaced drivers told");
            }
        }
        self.replaced.retain(|old| !old.lock().is_over());
    }

    fn something_lands(&mut self) {
        for sim in self.world.all() {
            let late = sim.late();
            if !late.is_empty() {
                sim.land(&late[self.random.below(late.len() as u64) as usize]);
                self.world.tally.count("requests that came late");
            }
        }
    }

    fn come_back(&mut self) {
        {
            let driver = self.driver.lock();
            if self.random.coin() || self.world.growing {
                driver.machine.kill();
            }
            let dead = driver.machine.is_dead() && self.replaced.is_empty();
            if dead && self.random.one_in(4) {
                self.world.spoil_the_newest(&mut self.random);
            }
        }
        self.come_back_beside(None);
    }

    /// A new driver, with trouble on its way perhaps; at last without.
    fn come_back_beside(&mut self, beside: Option<&Shared>) {
        for _ in 0..self.random.below(3) {
            let machine = Machine::new(&self.world);
            let (world, random) = (&self.world, &mut self.random);
            match random.below(4) {
                0 => plan_a_fault(&world.journal, &machine.journal, world.growing, random, 40),
                1 => plan_a_fault(&world.checkpoints, &machine.checkpoints, world.growing, random, 20),
                2 => machine.crash_soon(world, random, 60),
                _ => {}
            }
            if let Some(beside) = beside.filter(|_| random.coin()) {
                self.visit(&machine, beside);
            }
            let medium = if self.random.coin() { &machine.journal } else { &machine.checkpoints };
            let starts = self.fleet.visit_a_driver(medium, &mut self.random);
            let begun = self.try_to_begin(machine);
            starts.store(false, Ordering::Relaxed);
            if let Some(begun) = begun {
                self.has_come_back(begun);
                return;
            }
            self.world.tally.count("comings back that failed");
        }
        self.world.calm();
        let machine = Machine::new(&self.world);
        let begun = self.try_to_begin(machine).expect("calm media, and the driver does not come back");
        self.has_come_back(begun);
    }

    fn has_come_back(&mut self, begun: Life) {
        self.fleet.line.lead_to(&begun);
        self.driver = Arc::new(Mutex::new(begun));
    }

    /// The one before goes on in the middle of an operation of its heir's.
    fn visit(&mut self, machine: &Machine, beside: &Shared) {
        let medium = if self.random.coin() { &machine.journal } else { &machine.checkpoints };
        let (beside, mut random) = (beside.clone(), Random::new(self.random.draw()));
        let tally = self.world.tally.clone();
        medium.before_operation(1 + self.random.below(25), move || {
            let Some(mut beside) = beside.try_lock() else { return };
            for _ in 0..1 + random.below(4) {
                beside.step(&mut random);
            }
            tally.count("drivers at work within their heir's coming back");
        });
    }

    fn try_to_begin(&mut self, machine: Machine) -> Option<Life> {
        match Life::begin(&self.world, machine.clone()) {
            Ok(begun) => Some(begun),
            Err(error) => {
                self.world.explained(&error);
                machine.kill();
                None
            }
        }
    }

    /// Everything comes to its end, and is held against what was sent and told.
    fn end(&mut self) {
        self.world.calm();
        self.replaced.drain(..).for_each(|old| old.lock().machine.kill());
        self.driver.lock().machine.kill();
        self.fleet.calm_down(&mut self.random);
        if self.random.coin() {
            self.world.land_all();
        }
        self.come_back_calmly();
        self.world.land_all();
        let driver = self.driver.clone();
        let mut driver = driver.lock();
        for round in 0.. {
            assert!(
                round < 100,
                "receivers come to no end: {:?} {}",
                self.world.model.lock().sources,
                self.fleet
            );
            if self.fleet.drain(&mut self.random) && self.world.model.lock().sources.is_done() {
                break;
            }
            // Whoever finds no room for its report waits for batches to finish.
            self.make_readable();
            driver.complete();
        }
        self.make_readable();
        driver.complete();
        assert!(driver.over.is_none() && driver.has_all_done(), "on calm media: {:?}", driver.over);
        self.world.model.lock().check_all(driver.app());
        self.little_is_left(&mut driver);
        self.fleet.stop_all();
        let app = driver.app().clone();
        driver.machine.kill();
        drop(driver);
        self.come_back_calmly();
        let driver = self.driver.lock();
        assert_eq!(*driver.app(), app);
        assert!(driver.has_all_done(), "everything was done");
    }

    /// Where files have leases nobody reads a block before its segment is sealed.
    fn make_readable(&mut self) {
        if leasing(&*self.world.journal.store()).is_some() {
            self.fleet.seal_all();
        }
    }

    fn come_back_calmly(&mut self) {
        let begun = self.try_to_begin(Machine::new(&self.world));
        self.has_come_back(begun.expect("calm media, and the driver does not come back"));
    }

    /// With everything done and saved, cleaning leaves little.
    fn little_is_left(&mut self, driver: &mut Life) {
        self.fleet.seal_all();
        driver.complete();
        let released = std::mem::take(&mut self.world.model.lock().released);
        self.fleet.release_all(&released, |name, log| driver.explained_of(name, log, Time::MAX));
        self.world.checkpoints_are_swept(driver);
        let journal = driver.driver.journal().log().chain().segments().len();
        assert!(journal <= 40, "the journal keeps what nobody needs: segments={journal}");
    }
}
