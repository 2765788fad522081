//! Long lives, one writer after the other, full of accidents.

use headwater_wal::store::sim::{Cut, Fault, Process, Random, When};

use super::life::{Life, Then};
use super::section::How;
use super::tally::Tally;
use super::world::{ENDS, End, World};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const LENS: [usize; 9] = [0, 1, 16, 17, 64, 65, 100, 128, 300];

const FAULTS: [Fault; 9] = [
    Fault::Error,
    Fault::Crash,
    Fault::Full,
    Fault::AnswerLost,
    Fault::RequestLost,
    Fault::Late,
    Fault::Held,
    Fault::ExistsOwn,
    Fault::ExistsNothing,
];

/// Runs the lives of this seed.
pub(crate) fn run(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::new(random.coin(), seed, tally);
    world.replayable(&format!("HEADWATER_SEED={seed}"), || {
        for _ in 0..2 + random.below(5) {
            let process = world.sim.process();
            plan_faults(&world, &process, &mut random);
            lives(&world, process, &mut random);
            if random.one_in(3) {
                let end =
                    if random.coin() { End::Power(Cut::Seeded) } else { ENDS[random.below(5) as usize] };
                world.end(end);
            }
            world.sim.calm();
            if random.coin() {
                world.sim.land_all();
            }
            world.look_around();
        }
        the_last_word(&world);
    });
    tally.device(&world.sim);
}

/// Whatever there was, the next writer has what it must, and leaves no litter.
pub(crate) fn the_last_word(world: &World) {
    world.sim.calm();
    world.sim.land_all();
    world.look_around();
    let mut heir = world.recover();
    let landed = world.landed().len();
    let id = heir.checkpoint(&[("a", How::Keep), ("b", How::Keep), ("c", How::Write(100))], Then::Publish);
    let id = id.expect("a calm device");
    assert_eq!(world.landed().len(), landed);
    assert!(heir.writer.unswept().is_none());
    let kept: Vec<_> = heir.writer.kept().collect();
    let litter = world.litter_beside(&kept, heir.epoch);
    assert!(litter.is_empty() && kept[0] == id, "litter after an heir's first sweep: {litter:?}");
    world.look_around();
    heir.checkpoint(&[("c", How::Keep), ("a", How::Keep)], Then::Publish).expect("a calm device");
    world.look_around();
    heir.leave();
}

/// A few epochs in one process, until it dies.
fn lives(world: &World, process: Process, random: &mut Random) {
    let mut epoch = world.next_epoch();
    for _ in 0..1 + random.below(3) {
        match world.start_in(&process, epoch) {
            Ok(mut life) => {
                world.tally.count("lives");
                for _ in 0..random.below(12) {
                    call(&mut life, random);
                }
                if random.coin() {
                    life.leave();
                } else {
                    process.kill();
                }
            }
            Err(error) => world.tally.count(format!("starts: {}", error.kind())),
        }
        // Now and then the same epoch is tried again, which may be refused and never harms.
        if !random.one_in(4) {
            epoch = world.next_epoch();
        }
    }
    process.kill();
}

/// Anything that a writer can be asked.
pub(crate) fn call(life: &mut Life, random: &mut Random) {
    match random.below(16) {
        0 => life.keep_last(2 + random.below(4) as usize),
        1 => life.sweep(),
        2 => life.reads_back(),
        3 => life.fall_back(),
        4 => drop(life.checkpoint(&sections(random), Then::Drop)),
        5 => drop(life.checkpoint(&sections(random), Then::Unfinished)),
        _ => drop(life.checkpoint(&sections(random), Then::Publish)),
    }
}

fn sections(random: &mut Random) -> Vec<(&'static str, How)> {
    let mut sections = Vec::new();
    let keeps = 1 + random.below(3);
    for name in NAMES {
        let len = LENS[random.below(LENS.len() as u64) as usize];
        let how = match random.below(4 + keeps) {
            0 => continue,
            1 => How::Write(len),
            2 => How::Pieces(len),
            3 => How::Revised { same: random.coin(), len },
            _ => How::Keep,
        };
        sections.push((name, how));
    }
    sections
}

pub(crate) fn plan_faults(world: &World, process: &Process, random: &mut Random) {
    for _ in 0..random.below(4) {
        let fault = FAULTS[random.below(FAULTS.len() as u64) as usize];
        let when = match random.below(8) {
            0 => When::from(1 + random.below(150)),
            1..=3 => When::one_in(8 + random.below(60)),
            _ => When::nth(1 + random.below(120)),
        };
        world.sim.plan(when.by(process), fault);
    }
}
