//! A small life, with every fault at every operation of the device, and a second end at every operation of the heir's
//! start and first checkpoint.

use headwater_wal::store::sim::{Fault, When};

use super::life::{Life, Then};
use super::random::the_last_word;
use super::section::How;
use super::tally::Tally;
use super::world::{ENDS, End, World};

const FAULTS: [Fault; 10] = [
    Fault::Crash,
    Fault::Error,
    Fault::Partly,
    Fault::Full,
    Fault::AnswerLost,
    Fault::RequestLost,
    Fault::Late,
    Fault::Held,
    Fault::ExistsOwn,
    Fault::ExistsNothing,
];

/// How much of the product.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) growing: bool,
    /// Of the second ends, one in so many, in turn.
    pub(crate) stride: u64,
}

/// Writing, keeping, pruning and sweeping: what is kept is written by the life before and by this one, lies inside and
/// in parts, and outlives the heads that it came with.
pub(crate) fn script(life: &mut Life) {
    life.checkpoint(&[("a", How::Keep), ("s", How::Keep), ("c", How::Pieces(100))], Then::Publish);
    life.checkpoint(&[("x", How::Write(70))], Then::Drop);
    life.checkpoint(&[("c", How::Keep), ("a", How::Keep), ("d", How::Write(65))], Then::Publish);
    life.keep_last(2);
    life.checkpoint(&[("d", How::Keep), ("s", How::Write(9))], Then::Publish);
    life.sweep();
}

/// A folder with a past: something shared, something pruned, and a draft that a crash left.
pub(crate) fn past(growing: bool, tally: &Tally) -> World {
    let world = World::new(growing, 1, tally);
    let mut life = world.recover();
    life.checkpoint(&[("a", How::Write(130)), ("s", How::Write(5)), ("p", How::Write(20))], Then::Publish);
    life.checkpoint(&[("a", How::Keep), ("s", How::Keep), ("p", How::Write(20))], Then::Publish);
    life.checkpoint(&[("p", How::Write(70))], Then::Drop);
    life.process.kill();
    world
}

pub(crate) fn run(scope: &Scope, tally: &Tally) {
    let past = past(scope.growing, tally);
    for fault in FAULTS {
        for lasts in [false, true] {
            let mut point = 1;
            while one_point(scope, &past, fault, lasts, point) {
                point += 1;
            }
        }
    }
}

/// Whether there is such a point.
fn one_point(scope: &Scope, past: &World, fault: Fault, lasts: bool, point: u64) -> bool {
    // A fault that lasts is a device that is gone or full for good; what befalls one request does not last.
    if lasts && !matches!(fault, Fault::Error | Fault::Full) {
        return false;
    }
    let mut met = false;
    // A request that had left when its sender died may have come, come later, or not at all.
    let repeats = if fault == Fault::Crash && !scope.growing { 4 } else { 1 };
    for repeat in 0..repeats {
        let world = past.fork(point ^ repeat << 20);
        world.replayable(&format!("{scope:?} {fault:?} lasts={lasts} {point} {repeat}"), || {
            let process = world.sim.process();
            let when = if lasts { When::from(point) } else { When::nth(point) };
            world.sim.plan(when.by(&process), fault);
            if let Ok(mut life) = world.start_in(&process, world.next_epoch()) {
                script(&mut life);
                world.sim.calm();
                if fault != Fault::Crash {
                    life.checkpoint(&[("c", How::Keep), ("e", How::Write(40))], Then::Publish);
                }
            }
            world.sim.calm();
            process.kill();
            met = world.was_hit();
            if met {
                world.tally.count(format!("points: {fault:?}"));
                let ends = if scope.growing { &ENDS[..] } else { &ENDS[..1] };
                for (which, end) in ends.iter().enumerate() {
                    if fault == Fault::Crash || (point as usize) % ends.len() == which {
                        each_second_end(scope, &world, *end, point * 7 + which as u64 + repeat);
                    }
                }
            }
            world.tally.device(&world.sim);
        });
    }
    met
}

/// The end; then an heir that ends at each of its operations, and one after it that does not.
fn each_second_end(scope: &Scope, world: &World, end: End, number: u64) {
    let ended = world.fork(number);
    ended.end(end);
    ended.look_around();
    let mut point = 1 + number % scope.stride;
    loop {
        let world = ended.fork(number ^ point << 32);
        let process = world.sim.process();
        world.sim.plan(When::nth(point).by(&process), Fault::Crash);
        if let Ok(mut heir) = world.start_in(&process, world.next_epoch()) {
            heir.checkpoint(&[("a", How::Keep), ("d", How::Keep), ("n", How::Write(80))], Then::Publish);
        }
        let met = world.was_hit();
        if met {
            world.tally.count("crash points of an heir");
            world.end(if scope.growing { ENDS[(number + point) as usize % ENDS.len()] } else { End::Kill });
        }
        process.kill();
        world.replayable(&format!("second end {end:?} {number} {point}"), || the_last_word(&world));
        if !met {
            return;
        }
        point += scope.stride;
    }
}
