//! Several groups at the device at once: lanes that share one log and one process and take turns at any operation, so
//! that a group may be written and synced, fail or land between another one's write and its sync.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_wal::store::sim::{Actor, Cut, Fault, Op, Random, When};
use headwater_wal::{Clock, Depth, Durability, Position, Time, look};

use super::flights::Flights;
use super::random::{Lives, options};
use super::tally::Tally;
use super::world::{End, World, replayable};
use super::writer::{Lane, Writer};

/// The longest record where segments are wide.
const WIDE_BYTES: usize = 8_000;

/// Runs the lives of this seed, on a disk or in a bucket.
pub(crate) fn run(growing: bool, seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    // A log of durability `Process` has one lane at the disk, and others that come in vain.
    let durability = if random.one_in(10) { Durability::Process } else { Durability::Power };
    let options = options(&mut random, durability)
        .group_bytes_max([1, 300, 600, 1500][random.below(4) as usize])
        .puts_in_flight([2, 3, 8][random.below(3) as usize])
        .in_flight_bytes_max([1, 64 << 10][random.below(2) as usize]);
    // More fits into a wide segment than may be at the device at once, so that the bound is what holds groups back.
    let wide = random.one_in(4);
    let options = if wide {
        options
            .segment_bytes(64 << 10)
            .record_bytes_max(WIDE_BYTES as u32)
            .in_flight_bytes_max(1)
            .group_bytes_max(1)
    } else {
        options
    };
    let world = World::new(growing, seed, options, durability, tally);
    world.sim.keep_history();
    replayable(&format!("growing {growing} HEADWATER_SEED={seed}"), &world, || {
        let mut lives = Lives::new(world.share(), random);
        for _ in 0..1 + lives.random.below(3) {
            let mut writer = world.recover();
            live(&mut lives, &mut writer, wide);
            end(&mut lives, writer);
            world.honest();
        }
        world.clock.stand_still(false);
        world.sim.calm();
        let mut heir = world.recover();
        world.sim.land_all();
        heir.append(200);
        heir.wait_for_all();
        heir.check_recovered();
        heir.leave();
        world.look_around();
        world.recover().die();
    });
    tally.device(&world.sim);
    Flights::default().count(&world.sim.history(), tally);
}

/// One life: who calls, and beside it one to three lanes. Who calls and waits is another one.
fn live(lives: &mut Lives, writer: &mut Writer, wide: bool) {
    let lanes: Vec<_> = (0..1 + lives.random.below(3)).map(|_| writer.lane()).collect();
    let (sim, ended, calm) = (lives.world.sim.clone(), AtomicBool::new(false), AtomicBool::new(true));
    let mut caller = Caller { lives, writer, wide, ended: &ended, calm: &calm };
    let mut actors: Vec<Actor<'_>> = vec![Box::new(move |_| caller.live())];
    for lane in lanes {
        let ended = &ended;
        actors.push(Box::new(move |_| run_lane(&lane, ended)));
    }
    sim.take_turns(actors);
    if calm.into_inner() {
        let failure = writer.log().failure();
        assert!(failure.is_none(), "nothing went wrong, and the log has failed: {failure:?}");
        writer.wait_for_all();
        assert!(!writer.waits(), "there is room and nothing to do, and somebody waits (P8)");
    }
}

/// A lane's life: turns as long as the caller lives, and then until there is nothing to do.
fn run_lane(lane: &Lane, ended: &AtomicBool) {
    while lane.turn() || (!ended.load(Ordering::SeqCst) && lane.wait_for_others()) {}
}

fn end(lives: &mut Lives, mut writer: Writer) {
    match lives.random.below(4) {
        0 => {
            writer.close();
            writer.leave();
        }
        1 => writer.leave(),
        _ => {
            writer.die();
            lives.world.sim.calm();
            lives.crash();
        }
    }
    lives.world.sim.calm();
}

/// Who hands things in while the lanes fly.
struct Caller<'a> {
    lives: &'a mut Lives,
    writer: &'a mut Writer,
    wide: bool,
    ended: &'a AtomicBool,
    /// Nothing went wrong in this life, but that the disk was full.
    calm: &'a AtomicBool,
}

impl Caller<'_> {
    fn live(&mut self) {
        let calls = 4 + self.lives.random.below(30);
        for _ in 0..calls {
            self.lives.time_passes();
            if self.lives.random.one_in(25) {
                self.calm.store(false, Ordering::SeqCst);
                self.lives.plan_a_fault(&self.writer.process, 12);
            }
            self.call();
            if self.ended.load(Ordering::SeqCst) {
                break;
            }
        }
        self.lives.world.sim.set_capacity(None);
    }

    fn call(&mut self) {
        let (lives, writer) = (&mut *self.lives, &mut *self.writer);
        match lives.random.below(60) {
            0..26 => {
                for _ in 0..1 + lives.random.below(4) {
                    let any = lives.random.one_in(16);
                    let len = if any { lives.len() } else { 100 + lives.random.below(300) as usize };
                    writer.append(if self.wide { WIDE_BYTES - len % 900 } else { len });
                }
            }
            26..34 => drop(writer.turn()),
            34 => writer.wait(),
            35..42 => {
                for _ in 0..lives.random.below(4) {
                    lives.world.clock.wait_for_others();
                }
            }
            42..44 => writer.seal(),
            44..46 => {
                let before = if lives.random.coin() { Time::MAX } else { writer.log().now() };
                writer.retire(before);
            }
            46 | 47 => writer.rest(),
            48 | 49 => lives.follow(),
            50 => self.look_beside(),
            51 => writer.drop_ticket(|count| lives.random.below(count as u64) as usize),
            52 => writer.pin(|count| lives.random.below(count as u64) as usize),
            53 => writer.unpin(),
            54 if lives.random.coin() => lives.world.clock.advance(Duration::from_secs(700)),
            54 => writer.log().confirm_clock(),
            55 | 56 => self.fill_the_device(),
            57 => lives.world.sim.set_capacity(None),
            58 if !lives.world.growing && lives.random.coin() => self.replace(),
            58 => self.go_wrong(),
            _ => self.stop(),
        }
    }

    /// A look beside the writer and its lanes finds nothing to complain of.
    fn look_beside(&self) {
        let world = &self.lives.world;
        for depth in [Depth::Quick, Depth::Full] {
            match look(&world.sim.process(), Position::START, depth) {
                Ok(survey) => world.surveyed(&survey),
                Err(error) => world.explained(&error),
            }
        }
    }

    /// At one of its next operations, or before one of its puts is answered, another writer takes the log over.
    fn replace(&mut self) {
        self.calm.store(false, Ordering::SeqCst);
        let (world, random) = (self.lives.world.share(), &mut self.lives.random);
        let (at, retires) = (1 + random.below(8), random.coin());
        let heir = move || {
            world.guarded(|world| match world.start_in(&world.sim.process(), Position::START) {
                Ok(mut heir) => {
                    world.tally.count("writers replaced with groups at the device");
                    heir.append(300);
                    heir.wait_for_all();
                    if retires {
                        heir.retire(Time::MAX);
                    }
                    heir.check_recovered();
                    heir.leave();
                }
                Err(error) => world.explained(&error),
            });
        };
        let process = &self.writer.process;
        if random.coin() {
            process.before(When::nth(at).of(Op::Put), heir);
        } else {
            process.before_answer(When::nth(at).of(Op::Put), heir);
        }
    }

    fn fill_the_device(&mut self) {
        let sim = &self.lives.world.sim;
        let taken: u64 = sim.names().iter().map(|name| sim.read_raw(name).len() as u64).sum();
        sim.set_capacity(Some(taken + self.lives.random.below(90_000)));
        for _ in 0..3 {
            self.writer.append(3_000 + self.lives.random.below(5_000) as usize);
            self.lives.world.clock.wait_for_others();
        }
        if self.writer.log().waits_for_room().is_none() {
            return;
        }
        self.lives.world.tally.count("full disks");
        // There is room again, at once or while the writer tries, and the next thing comes before it knows.
        let (sim, at) = (self.lives.world.sim.clone(), 1 + self.lives.random.below(4));
        self.writer.process.before_operation(at, move || sim.set_capacity(None));
        for _ in 0..self.lives.random.below(4) {
            self.lives.world.clock.wait_for_others();
        }
        match self.lives.random.below(4) {
            0 | 1 => drop(self.writer.retire(Time::MAX)),
            2 => self.writer.seal(),
            _ if self.lives.random.one_in(3) => self.close(),
            _ => {}
        }
    }

    /// A bucket that is full when the log is closed may have taken groups behind one that it has no room for.
    fn close(&mut self) {
        if !self.lives.world.growing {
            self.calm.store(false, Ordering::SeqCst);
        }
        self.writer.close();
    }

    /// The device fails or panics at one of the next writes or syncs, or everybody dies at one.
    fn go_wrong(&mut self) {
        self.calm.store(false, Ordering::SeqCst);
        let random = &mut self.lives.random;
        let faults = [Fault::Error, Fault::Partly, Fault::Panic, Fault::Crash];
        let puts = [
            Fault::Error,
            Fault::Full,
            Fault::AnswerLost,
            Fault::RequestLost,
            Fault::Late,
            Fault::Held,
            Fault::ExistsOwn,
            Fault::ExistsNothing,
            Fault::Throttled,
            Fault::Panic,
            Fault::Crash,
        ];
        let fault = match self.lives.world.growing {
            true => faults[random.below(4) as usize],
            false => puts[random.below(11) as usize],
        };
        let soon = 1 + random.below(6);
        let when = if random.one_in(4) { When::from(soon) } else { When::nth(soon) };
        let when = when.of(Op::Write).of(Op::Sync).of(Op::Put);
        self.lives.world.sim.plan(when.by(&self.writer.process), fault);
    }

    /// Closes the log, or everybody dies, with whatever is at the device.
    fn stop(&mut self) {
        let lives = &mut *self.lives;
        let how = match lives.random.below(8) {
            0 => return self.close(),
            1 => End::Kill,
            2 => End::KillAndForget,
            3 => End::Power(Cut::LoseAll),
            4 => End::Power(Cut::Sectors),
            5 => End::Power(Cut::Writes),
            _ => End::Power(Cut::Seeded),
        };
        self.calm.store(false, Ordering::SeqCst);
        lives.world.end(how);
        self.ended.store(true, Ordering::SeqCst);
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}
