//! Two and three writers at once, that change places at any operation of the device and sleep as long as they like, each
//! with several groups under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_wal::store::sim::{Actor, Fault, Op, Process, Random, When};
use headwater_wal::{Clock, Durability, Position, Time};
use parking_lot::Mutex;

use super::random::{Lives, options};
use super::tally::Tally;
use super::world::{Medium, World, replayable};
use super::writer::{Lane, Writer};

/// Runs the life of this seed, on any medium, one group of each writer at a time.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let growing = random.one_in(3);
    let durability = if random.one_in(4) { Durability::Process } else { Durability::Power };
    live(growing.into(), durability, 0, seed, random, tally);
}

/// Runs the life of this seed under leases.
pub(crate) fn run_under_leases(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let durability = if random.one_in(4) { Durability::Process } else { Durability::Power };
    live(Medium::Leases, durability, 0, seed, random, tally);
}

/// Runs the life of this seed in a bucket, with lanes beside each writer.
pub(crate) fn run_with_lanes(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let lanes = 1 + random.below(2);
    live(Medium::Bucket, Durability::Power, lanes, seed, random, tally);
}

fn live(medium: Medium, durability: Durability, lanes: u64, seed: u64, mut random: Random, tally: &Tally) {
    let mut options = options(&mut random, durability);
    if lanes > 0 {
        options =
            options.group_bytes_max([1, 300, 600][random.below(3) as usize]).in_flight_bytes_max(64 << 10);
    }
    let world = World::new(medium, seed, options, durability, tally);
    world.sim.keep_history();
    replayable(&format!("lanes {lanes} HEADWATER_SEED={seed}"), &world, || {
        if random.coin() {
            world.recover().leave();
        }
        plan_faults(&world, &mut random);
        let mut actors: Vec<Actor<'_>> = Vec::new();
        for _ in 0..2 + random.below(2) {
            let (world, seed, berth) = (world.share(), random.draw(), Arc::new(Berth::default()));
            for _ in 0..lanes {
                let (world, berth) = (world.share(), berth.clone());
                actors.push(Box::new(move |_| berth.serve(&world)));
            }
            actors.push(Box::new(move |process| {
                let _over = Over(&berth);
                let mut lives = Lives::new(world.share(), Random::new(seed));
                lives_of_one(&mut lives, process, &berth, lanes > 0);
            }));
        }
        world.sim.take_turns(actors);
        world.honest();
        world.sim.calm();
        world.stale_listings(false);
        let mut heir = world.recover();
        world.sim.land_all();
        heir.append(100);
        heir.wait_for_all();
        heir.check_recovered();
        heir.leave();
        world.look_around();
        world.recover().die();
    });
    tally.device(&world.sim);
}

fn plan_faults(world: &World, random: &mut Random) {
    for _ in 0..random.below(3) {
        let faults = [
            Fault::Late,
            Fault::Held,
            Fault::AnswerLost,
            Fault::RequestLost,
            Fault::ExistsOwn,
            Fault::ExistsNothing,
            Fault::Error,
            Fault::Throttled,
        ];
        let fault = faults[random.below(8) as usize];
        let mut when = When::one_in(20 + random.below(30)).of(Op::Put).of(Op::Remove);
        if world.medium == Medium::Leases {
            when = when.of(Op::Link).of(Op::Keep).of(Op::Recover).of(Op::Write).of(Op::Sync).of(Op::Trim);
        }
        world.sim.plan(when, fault);
    }
    if random.coin() {
        let fault = [Fault::Lagging, Fault::Stale][random.below(2) as usize];
        world.stale_listings(fault == Fault::Stale);
        world.sim.plan(When::one_in(1 + random.below(6)).of(Op::List), fault);
    }
}

/// One writer after another, in the same place.
fn lives_of_one(lives: &mut Lives, mut process: Process, berth: &Berth, has_lanes: bool) {
    for _ in 0..1 + lives.random.below(3) {
        match lives.world.start_in(&process, Position::START) {
            Ok(mut writer) => {
                lives.world.tally.count("lives beside others");
                if has_lanes {
                    *berth.lane.lock() = Some(Arc::new(writer.lane()));
                }
                writer.check_recovered();
                for _ in 0..lives.random.below(10) {
                    call(lives, &mut writer, has_lanes);
                }
                // What a lane has at the device by now comes to its end after its writer has left, or outlives it.
                *berth.lane.lock() = None;
                if lives.random.coin() { writer.leave() } else { writer.die() }
            }
            Err(error) => {
                lives.world.tally.count(format!("starts beside others: {}", error.kind()));
                lives.world.explained(&error);
            }
        }
        process = process.restart();
    }
    process.kill();
}

fn call(lives: &mut Lives, writer: &mut Writer, has_lanes: bool) {
    match lives.random.below(4) {
        0 if has_lanes => {
            for _ in 0..2 + lives.random.below(4) {
                writer.append(100 + lives.random.below(200) as usize);
            }
            for _ in 0..lives.random.below(4) {
                lives.world.clock.wait_for_others();
            }
        }
        1 if has_lanes && lives.random.one_in(4) => {
            // Time enough for a busy writer to look for claims.
            lives.world.clock.advance(std::time::Duration::from_secs(2));
        }
        2 if lives.random.one_in(4) && !lives.world.has_stale_listings() => drop(writer.retire(Time::MAX)),
        _ => lives.quiet_call(writer),
    }
}

/// Where the lanes of one writer find its log.
#[derive(Default)]
struct Berth {
    lane: Mutex<Option<Arc<Lane>>>,
    over: AtomicBool,
}

impl Berth {
    /// Takes turns of whatever log there is.
    fn serve(&self, world: &World) {
        loop {
            let lane = self.lane.lock().clone();
            let did = lane.is_some_and(|lane| lane.turn());
            if !did && (self.over.load(Ordering::SeqCst) || !world.clock.wait_for_others()) {
                return;
            }
        }
    }
}

/// No more logs come.
struct Over<'a>(&'a Berth);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}
