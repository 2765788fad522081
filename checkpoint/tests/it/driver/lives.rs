//! Whole lives by seed: drivers that die, fail and are replaced, receivers that are taken over, sources that send again,
//! and at last a driver on calm media that must find everything.

use std::sync::Arc;
use std::time::Duration;

use headwater_checkpoint::journal::{Added, Block, ReceiverLog};
use headwater_wal::Kind;
use headwater_wal::Time;
use headwater_wal::store::sim::{Cut, Random};
use parking_lot::Mutex;

use super::life::{Life, Shared};
use super::receiver::Receiver;
use super::source::{Content, PARTITIONS};
use super::tally::Tally;
use super::world::{Machine, RECEIVERS, World, plan_a_fault};

/// Runs the life of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::new(seed, &mut random, tally);
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
    receivers: Vec<Option<Receiver>>,
    /// Which receiver reads each partition.
    readers: [usize; PARTITIONS as usize],
    /// Reports that are still under way, and what they will tell the source.
    late: Vec<(Block, Content)>,
}

impl Lives {
    fn new(world: World, mut random: Random) -> Lives {
        let driver =
            Life::begin(&world, Machine::new(&world)).expect("nothing is there, and nothing is wrong");
        let readers = [0, 1, random.below(2) as usize];
        let receivers = RECEIVERS.iter().map(|_| None).collect();
        let driver = Arc::new(Mutex::new(driver));
        Lives { world, random, driver, replaced: Vec::new(), receivers, readers, late: Vec::new() }
    }

    fn live(&mut self) {
        let steps = 60 + self.random.below(140);
        for _ in 0..steps {
            self.step();
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
        match self.random.below(30) {
            0..14 => self.driver.clone().lock().step(&mut self.random),
            14..23 => self.receive(),
            23..25 => self.release(),
            25 => self.late_report(),
            26 => self.replaced_goes_on(),
            27 => self.world.calm(),
            28 => match self.random.below(4) {
                0 => self.receiver_dies(),
                1 => self.driver_dies(),
                2 => self.replace(),
                _ => self.rebalance(),
            },
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
            0..3 => sources.numbered[self.random.below(3) as usize].0 += 1 + self.random.below(4),
            3 => sources.plain += 1 + self.random.below(2),
            4 => sources.direct += self.random.below(3),
            _ => {}
        }
    }

    /// A fault or a crash comes soon.
    fn trouble(&mut self) {
        let machine = self.driver.lock().machine.clone();
        let (world, random) = (&self.world, &mut self.random);
        match random.below(7) {
            0 | 1 => plan_a_fault(&world.journal, &machine.journal, world.growing, random, 12),
            2 | 3 => plan_a_fault(&world.checkpoints, &machine.checkpoints, world.growing, random, 12),
            4 => {
                if let Some(receiver) = &self.receivers[random.below(3) as usize] {
                    receiver.trouble(random);
                }
            }
            _ => machine.crash_soon(world, random, 30),
        }
    }

    /// A receiver does something; it is started first if it is not there.
    fn receive(&mut self) {
        let at = self.random.below(3) as usize;
        let mut driver = self.driver.lock();
        if driver.is_over() {
            return;
        }
        if self.receivers[at].as_ref().is_some_and(|receiver| receiver.over.is_some()) {
            self.receivers[at] = None;
        }
        let Some(receiver) = &mut self.receivers[at] else {
            let process = self.world.received[at].process();
            match Receiver::begin(&self.world, at, process, &mut driver) {
                Ok(receiver) => self.receivers[at] = receiver,
                Err(error) => self.world.explained(&error),
            }
            return;
        };
        match self.random.below(9) {
            0..4 => {
                let owned: Vec<u32> = (0..PARTITIONS).filter(|of| self.readers[*of as usize] == at).collect();
                receiver.cut(&mut self.random, &owned, &mut driver);
            }
            4..8 => {
                if let Some(block) = receiver.report(&mut self.random, &mut driver, true)
                    && let Some(content) = receiver.content(&block)
                {
                    self.late.push((block, content));
                }
            }
            _ => {
                let sealed = receiver.log.seal();
                if let Err(error) = sealed {
                    self.world.explained(&error);
                    receiver.over = Some(error);
                }
            }
        }
    }

    /// A report comes late: its receiver is perhaps replaced, and tells the source what it is told.
    fn late_report(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let (block, content) = self.late.swap_remove(self.random.below(self.late.len() as u64) as usize);
        let mut driver = self.driver.lock();
        if driver.is_over() {
            return;
        }
        if let Some(Added::Now | Added::Already) = driver.add(&block) {
            let mut model = self.world.model.lock();
            model.settled(&block);
            model.sources.acknowledge(&content);
            self.world.tally.count("late reports");
        }
    }

    /// Receivers remove what they were told they may, now or later.
    fn release(&mut self) {
        let released = std::mem::take(&mut self.world.model.lock().released);
        for (log, below) in released {
            let receiver = self.receivers.iter_mut().flatten().find(|receiver| receiver.name() == log);
            match receiver {
                Some(receiver) if receiver.over.is_none() && !self.random.one_in(5) => {
                    receiver.release(below, Time::MAX);
                }
                _ => self.world.model.lock().released.push((log, below)),
            }
        }
    }

    fn receiver_dies(&mut self) {
        let at = self.random.below(3) as usize;
        let Some(receiver) = self.receivers[at].take() else { return };
        match self.random.below(3) {
            0 => drop(receiver), // it ends in order
            1 => {
                receiver.process.kill();
                self.world.tally.count("receivers killed");
            }
            _ => {
                self.world.received[at].power_cut_as(Cut::Seeded);
                self.world.tally.count("receivers' power cut");
                let machine = self.driver.lock().machine.clone();
                machine.kill();
            }
        }
        self.world.tally.count("takeovers");
    }

    fn rebalance(&mut self) {
        let partition = self.random.below(3) as usize;
        self.readers[partition] = 1 - self.readers[partition];
        self.receivers.iter_mut().flatten().for_each(Receiver::forget_cursors);
        self.world.tally.count("partitions moved");
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
            if let Some(begun) = self.try_to_begin(machine) {
                self.driver = Arc::new(Mutex::new(begun));
                return;
            }
            self.world.tally.count("comings back that failed");
        }
        self.world.calm();
        let machine = Machine::new(&self.world);
        let begun = self.try_to_begin(machine).expect("calm media, and the driver does not come back");
        self.driver = Arc::new(Mutex::new(begun));
    }

    /// The one before goes on in the middle of an operation of its heir's.
    fn visit(&mut self, machine: &Machine, beside: &Shared) {
        let medium = if self.random.coin() { &machine.journal } else { &machine.checkpoints };
        let (beside, mut random) = (beside.clone(), Random::new(self.random.draw()));
        let tally = self.world.tally.clone();
        medium.before_operation(1 + self.random.below(25), move || {
            let mut beside = beside.lock();
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
        self.receivers.iter_mut().for_each(|receiver| drop(receiver.take()));
        if self.random.coin() {
            self.world.land_all();
        }
        self.come_back_calmly();
        self.world.land_all();
        let driver = self.driver.clone();
        let mut driver = driver.lock();
        for round in 0.. {
            assert!(round < 100, "receivers come to no end: {:?}", self.world.model.lock().sources);
            if self.everything_is_received(&mut driver) {
                break;
            }
            // Whoever finds no room for its report waits for batches to finish.
            driver.complete();
        }
        driver.complete();
        assert!(driver.over.is_none() && driver.has_all_done(), "on calm media: {:?}", driver.over);
        self.world.model.lock().check_all(driver.app());
        self.little_is_left(&mut driver);
        let app = driver.app().clone();
        driver.machine.kill();
        drop(driver);
        self.come_back_calmly();
        let driver = self.driver.lock();
        assert_eq!(*driver.app(), app);
        assert!(driver.has_all_done(), "everything was done");
    }

    fn come_back_calmly(&mut self) {
        let begun = self.try_to_begin(Machine::new(&self.world));
        self.driver = Arc::new(Mutex::new(begun.expect("calm media, and the driver does not come back")));
    }

    fn everything_is_received(&mut self, driver: &mut Life) -> bool {
        for at in 0..RECEIVERS.len() {
            if self.receivers[at].is_none() {
                let process = self.world.received[at].process();
                let begun = Receiver::begin(&self.world, at, process, driver);
                self.receivers[at] = begun.expect("a calm medium");
            }
            let receiver = self.receivers[at].as_mut().expect("it was started");
            let owned: Vec<u32> = (0..PARTITIONS).filter(|of| self.readers[*of as usize] == at).collect();
            receiver.forget_cursors();
            receiver.cut(&mut self.random, &owned, driver);
            for _ in 0..50 {
                let _ = receiver.report(&mut self.random, driver, false);
            }
            assert!(receiver.over.is_none(), "a calm medium: {:?}", receiver.over);
        }
        let reported = self.receivers.iter().flatten().all(Receiver::has_all_reported);
        reported && self.world.model.lock().sources.is_done()
    }

    /// With everything done and saved, cleaning leaves little.
    fn little_is_left(&mut self, driver: &mut Life) {
        self.receivers.iter().flatten().for_each(|receiver| receiver.log.seal().unwrap());
        self.receivers.iter().flatten().for_each(|receiver| receiver.log.confirm_clock());
        driver.complete();
        let released: Vec<(ReceiverLog, _)> = std::mem::take(&mut self.world.model.lock().released);
        for receiver in self.receivers.iter_mut().flatten() {
            let name = receiver.name();
            let below = released.iter().filter(|(log, _)| *log == name).map(|(_, below)| *below).max();
            let explained = driver.explained_of(name, &receiver.log, Time::MAX);
            let Some(below) = below else { continue };
            receiver.release(below, Time::MAX);
            assert_eq!(Some(receiver.log.range().start), explained, "explained otherwise than done");
            let left =
                receiver.log.chain().segments().iter().filter(|segment| segment.records > Some(0)).count();
            assert!(left <= 1, "a receiver's log keeps what nobody needs: segments={left}");
        }
        self.world.checkpoints_are_swept(driver);
        let journal = driver.driver.journal().log().chain().segments().len();
        assert!(journal <= 40, "the journal keeps what nobody needs: segments={journal}");
    }
}
