//! Long lives by seed: any calls, any faults, any ends, several restarts, and on buckets writers that were replaced and
//! do not know it yet.

use std::time::Duration;

use headwater_wal::store::sim::{Cut, Fault, Op, Process, Random, When};
use headwater_wal::{Compression, Durability, Follow, Kind, Options, Position, Reader, Time};

use super::tally::Tally;
use super::world::{End, Medium, World, replayable, small};
use super::writer::Writer;

/// Runs the life of this seed, on a disk or in a bucket.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let growing = random.below(3) > 0;
    run_on(growing.into(), random, seed, tally);
}

/// Runs the life of this seed under leases.
pub(crate) fn run_under_leases(seed: u64, tally: &Tally) {
    run_on(Medium::Leases, Random::new(seed), seed, tally);
}

fn run_on(medium: Medium, mut random: Random, seed: u64, tally: &Tally) {
    let durability = if random.one_in(3) { Durability::Process } else { Durability::Power };
    let world = World::new(medium, seed, options(&mut random, durability), durability, tally);
    world.sim.keep_history();
    world.sim.set_page(1 + random.below(5) as usize);
    replayable(&format!("HEADWATER_SEED={seed}"), &world, || Lives::new(world.share(), random).live());
    tally.device(&world.sim);
}

/// Sizes that make every seam come often.
pub(crate) fn options(random: &mut Random, durability: Durability) -> Options {
    let mut options = small(durability)
        .segment_bytes([10 << 10, 12 << 10, 16 << 10][random.below(3) as usize])
        .group_bytes_max([1, 600, 3000, 9000][random.below(4) as usize])
        .summary_segments(2 + random.below(3) as usize);
    if random.coin() {
        options = options.compression(Compression::Zstd(1));
    }
    options
}

/// One log from its first life to its last.
pub(crate) struct Lives {
    pub(crate) world: World,
    pub(crate) random: Random,
    follower: Option<(Process, Follow)>,
    /// Replaced writers that still run.
    zombies: Vec<Writer>,
}

impl Lives {
    pub(crate) fn new(world: World, random: Random) -> Self {
        Lives { world, random, follower: None, zombies: Vec::new() }
    }

    /// Several lives, and at last one on a calm device that must find everything.
    pub(crate) fn live(&mut self) {
        for _ in 0..2 + self.random.below(4) {
            if let Some(mut writer) = self.begin() {
                let calls = 4 + self.random.below(30);
                for _ in 0..calls {
                    self.step(&mut writer);
                }
                self.end(writer);
            }
            self.world.honest();
        }
        self.world.sim.calm();
        self.world.sim.set_capacity(None);
        self.world.clock.stand_still(false);
        self.zombies.drain(..).for_each(Writer::leave);
        if self.random.coin() {
            self.world.sim.land_all();
        }
        let mut writer = self.world.recover();
        self.world.sim.land_all();
        writer.append(200);
        writer.wait_for_all();
        writer.check_recovered();
        writer.leave();
        self.world.look_around();
        let writer = self.world.recover();
        self.follow_to_the_end();
        writer.die();
        self.world.honest();
    }

    /// A start, tried with faults a few times and then without.
    fn begin(&mut self) -> Option<Writer> {
        for _ in 0..self.random.below(3) {
            let process = self.world.sim.process();
            // A power cut between two tries may have taken what a log of durability `Process` had promised.
            let promised = self.world.model.lock().promised();
            // Rot in the last group that was acknowledged looks torn, unless something points at it.
            let rotten = self.random.one_in(3);
            if rotten {
                self.world.sim.plan(When::nth(1 + self.random.below(30)).by(&process), Fault::Rot);
            } else {
                self.plan_a_fault(&process, 40);
            }
            if !rotten && self.random.one_in(4) {
                self.visit(&process);
            }
            self.world.rotten_reads(rotten);
            let at_least = if rotten || self.random.coin() { promised } else { Position::START };
            let started = self.world.start_in(&process, at_least);
            self.world.sim.calm();
            self.world.rotten_reads(false);
            match started {
                Ok(writer) => {
                    writer.check_recovered();
                    return Some(writer);
                }
                Err(error) if rotten && matches!(error.kind(), Kind::Damaged | Kind::Unsupported) => {
                    self.world.tally.count("rot refused")
                }
                Err(error) => self.world.explained(&error),
            }
            process.kill();
            if self.random.coin() {
                self.crash();
            }
        }
        if self.random.one_in(3) {
            self.world.look_around();
        }
        self.world.sim.set_capacity(None);
        Some(self.world.recover())
    }

    pub(crate) fn crash(&mut self) {
        let zombies = std::mem::take(&mut self.zombies);
        zombies.into_iter().for_each(Writer::die);
        let end = match self.random.below(6) {
            0 => End::Kill,
            1 => End::KillAndForget,
            2 => End::Power(Cut::LoseAll),
            _ => End::Power(Cut::Seeded),
        };
        self.world.tally.count("crash points");
        self.world.end(end);
    }

    /// One call of the writer, with a fault on the way perhaps.
    pub(crate) fn step(&mut self, writer: &mut Writer) {
        self.time_passes();
        let fault = self.random.one_in(15);
        if fault {
            self.plan_a_fault(&writer.process, 12);
        }
        if self.random.one_in(30) {
            self.visit(&writer.process);
        }
        self.call(writer);
        if fault && self.random.coin() {
            self.world.sim.calm();
        }
        if let Some(mut zombie) = self.zombies.pop() {
            if self.random.one_in(6) {
                self.call(&mut zombie);
            }
            self.zombies.push(zombie);
        }
        if self.random.one_in(5) {
            self.follow();
        }
        self.trouble_the_leases();
        if !self.world.sim.late().is_empty() && self.random.one_in(5) {
            let late = self.world.sim.late();
            self.world.sim.land(&late[self.random.below(late.len() as u64) as usize]);
        }
    }

    /// The server ends leases by itself, or the machines that hold the bytes lose their power.
    fn trouble_the_leases(&mut self) {
        if self.world.medium != Medium::Leases {
            return;
        }
        match self.random.below(80) {
            0 => self.world.sim.expire_leases(),
            1 => self.world.sim.nodes_power_cut(Cut::Seeded),
            _ => {}
        }
    }

    fn call(&mut self, writer: &mut Writer) {
        match self.random.below(40) {
            0..14 => {
                let len = self.len();
                writer.append(len);
            }
            14..20 => drop(writer.turn()),
            20..22 => writer.wait(),
            22..25 => writer.wait_for_all(),
            25..27 => writer.seal(),
            27..29 => {
                let before = match self.random.below(3) {
                    0 => Time::MAX,
                    1 => writer.log().now(),
                    _ => writer.log().now().before(Duration::from_secs(self.random.below(400))),
                };
                writer.retire(before);
            }
            29..31 => writer.rest(),
            31 => writer.pin(|count| self.random.below(count as u64) as usize),
            32 => writer.unpin(),
            33 => writer.drop_ticket(|count| self.random.below(count as u64) as usize),
            34 => self.panic_in_its_turn(writer),
            35 => self.fill_the_device(writer),
            36 => writer.log().confirm_clock(),
            37 => writer.check_some(self.random.draw()),
            38 => writer.check_recovered(),
            _ => self.start_beside(),
        }
    }

    pub(crate) fn len(&mut self) -> usize {
        match self.random.below(12) {
            0 => 0,
            1 => 13_000 + self.random.below(8_000) as usize,
            2..5 => self.random.below(4_000) as usize,
            _ => self.random.below(500) as usize,
        }
    }

    pub(crate) fn time_passes(&mut self) {
        let clock = &self.world.clock;
        clock.advance(Duration::from_millis(self.random.below(30_000)));
        match self.random.below(60) {
            0 => clock.jump(-(self.random.below(100_000_000) as i64)),
            1 => clock.jump(self.random.below(1_000_000_000) as i64),
            2 => clock.stand_still(true),
            3 | 4 => clock.stand_still(false),
            _ => return,
        }
        self.world.tally.count("clocks that jump or stand still");
    }

    pub(crate) fn plan_a_fault(&mut self, process: &Process, soon: u64) {
        let disk = [Fault::Error, Fault::Error, Fault::Partly, Fault::Full];
        let bucket = [
            Fault::Error,
            Fault::Full,
            Fault::AnswerLost,
            Fault::RequestLost,
            Fault::Late,
            Fault::Held,
            Fault::Held,
            Fault::ExistsOwn,
            Fault::ExistsNothing,
            Fault::Throttled,
            Fault::Lagging,
        ];
        let leases = [
            Fault::Error,
            Fault::Error,
            Fault::Partly,
            Fault::Full,
            Fault::AnswerLost,
            Fault::RequestLost,
            Fault::Late,
            Fault::Held,
            Fault::ExistsOwn,
        ];
        let faults = match self.world.medium {
            Medium::Disk => &disk[..],
            Medium::Bucket => &bucket[..],
            Medium::Leases => &leases[..],
        };
        let fault = faults[self.random.below(faults.len() as u64) as usize];
        let mut when = match self.random.below(6) {
            0 => When::from(1 + self.random.below(soon)),
            1 => When::one_in(3 + self.random.below(20)),
            _ => When::nth(1 + self.random.below(soon)),
        };
        when = match self.random.below(4) {
            0 => when,
            1 => when.of(Op::ALL[self.random.below(Op::ALL.len() as u64) as usize]),
            2 if self.world.medium == Medium::Leases => when.of(Op::Link).of(Op::Recover).of(Op::Keep),
            _ => when.of(Op::Put).of(Op::Write).of(Op::Sync).of(Op::Remove),
        };
        self.world.sim.plan(when.by(process), fault);
    }

    /// The store panics in the writer's turn: that fails the log, and nothing else.
    fn panic_in_its_turn(&mut self, writer: &mut Writer) {
        let when = When::nth(1 + self.random.below(3)).of(Op::Write).of(Op::Sync).of(Op::Put).of(Op::Link);
        self.world.sim.plan(when.by(&writer.process), Fault::Panic);
        let len = self.len();
        writer.append(len);
        writer.wait_for_all();
        self.world.sim.calm();
    }

    /// The device is full for a while, and then it is not: nothing is lost, and the same log goes on.
    fn fill_the_device(&mut self, writer: &mut Writer) {
        let sim = &self.world.sim;
        if writer.has_failed() || !self.world.growing {
            return;
        }
        sim.calm();
        let taken: u64 = sim.names().iter().map(|name| sim.read_raw(name).len() as u64).sum();
        sim.set_capacity(Some(taken + self.random.below(200_000)));
        for _ in 0..3 {
            writer.append(6_000 + self.random.below(3_000) as usize);
            while writer.turn() {}
        }
        if writer.log().waits_for_room().is_some() {
            self.world.tally.count("full disks");
            if self.random.coin() {
                writer.retire(Time::MAX);
            }
            if self.random.one_in(8) {
                return;
            }
        }
        sim.set_capacity(None);
        let over = writer.is_over();
        writer.wait_for_all();
        assert!(
            over || !writer.has_failed(),
            "a full disk is no failed write (P8): {:?}",
            writer.log().failure()
        );
        assert!(over || !writer.waits(), "there is room again, and somebody waits (P8)");
    }

    /// Somebody else starts meanwhile: on a disk the place is locked, in a bucket the old writer is replaced.
    fn start_beside(&mut self) {
        let started = self.world.start_in(&self.world.sim.process(), Position::START);
        match started {
            Ok(mut heir) => {
                assert!(!self.world.growing, "two writers own one place (P5)");
                self.world.tally.count("replaced writers");
                heir.append(300);
                heir.wait_for_all();
                heir.check_recovered();
                if self.random.coin() { self.zombies.push(heir) } else { heir.leave() }
            }
            Err(error) => self.world.explained(&error),
        }
    }

    /// At one of its next operations this process sleeps while another one lives a whole life.
    fn visit(&mut self, process: &Process) {
        let (world, seed) = (self.world.share(), self.random.draw());
        let at = 1 + self.random.below(25);
        process.before_operation(at, move || {
            world.guarded(|world| {
                world.tally.count("lives within another's operation");
                let mut visitor = Lives::new(world.share(), Random::new(seed));
                match world.start_in(&world.sim.process(), Position::START) {
                    Ok(mut writer) => {
                        writer.check_recovered();
                        for _ in 0..visitor.random.below(12) {
                            visitor.quiet_call(&mut writer);
                        }
                        if visitor.random.coin() { writer.leave() } else { writer.die() }
                    }
                    Err(error) => world.explained(&error),
                }
            });
        });
    }

    /// A call that plans nothing and starts nobody.
    pub(crate) fn quiet_call(&mut self, writer: &mut Writer) {
        match self.random.below(10) {
            0..5 => {
                let len = self.len();
                writer.append(len);
            }
            5 | 6 => writer.wait_for_all(),
            7 => writer.seal(),
            8 if !self.world.has_stale_listings() => drop(writer.retire(Time::MAX)),
            _ => writer.rest(),
        }
    }

    /// Somebody reads along.
    pub(crate) fn follow(&mut self) {
        let world = &self.world;
        let (process, mut follow) = self.follower.take().unwrap_or_else(|| {
            let process = world.sim.process();
            let follow = Reader::open(process.store()).unwrap().follow(Position::START);
            (process, follow)
        });
        let mut last = follow.position();
        loop {
            match follow.next() {
                Some(Ok(record)) => {
                    assert!(record.position() >= last, "a follower went back");
                    last = record.handle.end();
                    world.model.lock().shown(&record);
                }
                Some(Err(error)) => {
                    world.explained(&error);
                    return; // the next one begins anew
                }
                None => break,
            }
        }
        self.follower = Some((process, follow));
    }

    /// When all is sealed, a follower has seen all.
    fn follow_to_the_end(&mut self) {
        self.follow();
        if self.follower.is_none() {
            self.follow();
        }
        let model = self.world.model.lock();
        let unseen = model
            .appends
            .iter()
            .find(|append| append.settled == Some(true) && !append.was_shown() && !append.may_be_retired());
        assert!(unseen.is_none(), "a follower never came to it: {unseen:?}");
    }

    fn end(&mut self, mut writer: Writer) {
        match self.random.below(5) {
            0 => {
                writer.close();
                writer.leave();
            }
            1 => writer.leave(),
            2 if !self.world.growing => self.zombies.push(writer),
            _ => {
                writer.die();
                self.world.sim.calm();
                self.crash();
            }
        }
        self.world.sim.calm();
    }
}
