//! A writer that falls asleep before any of its operations, in the middle of a start, a draft, a publish or a sweep, and
//! wakes once its heir has lived: for every operation, several lengths of the heir's life, and requests of the sleeper's
//! that arrive only then.

use headwater_wal::store::sim::{Fault, Op, When};

use super::exhaustive::{past, script};
use super::life::Then;
use super::random::the_last_word;
use super::section::How;
use super::tally::Tally;
use super::world::World;

/// How the heir lives.
#[derive(Clone, Copy, Debug)]
struct Heir {
    checkpoints: u64,
    /// Passes over what it was to restore from.
    falls_back: bool,
    /// Has an heir of its own, before this operation.
    replaced_at: Option<u64>,
}

pub(crate) fn run(tally: &Tally) {
    let past = past(false, tally);
    for late in [None, Some(Fault::Held)] {
        for (checkpoints, falls_back) in [(0, false), (1, false), (5, false), (1, true), (5, true)] {
            let mut point = 1;
            while sleeps(&past, point, late, Heir { checkpoints, falls_back, replaced_at: None }) {
                point += 1;
            }
        }
    }
    // The heir sleeps too: at each operation of its own, within each one of the first.
    let mut point = 1;
    let stride = super::number("HEADWATER_STRIDE", 7);
    while sleeps(&past, point, None, Heir { checkpoints: 1, falls_back: false, replaced_at: None }) {
        for at in (1 + point % stride..80).step_by(stride as usize) {
            sleeps(&past, point, None, Heir { checkpoints: 1, falls_back: false, replaced_at: Some(at) });
        }
        point += 1;
    }
}

/// Whether there is such a point.
fn sleeps(past: &World, point: u64, late: Option<Fault>, heir: Heir) -> bool {
    let world = past.fork(point);
    let mut met = false;
    world.replayable(&format!("asleep at {point}, late {late:?}, {heir:?}"), || {
        let process = world.sim.process();
        if let Some(fault) = late {
            // The request before which it falls asleep is one that arrives when it wakes.
            world.sim.plan(When::nth(point).by(&process).of(Op::Put).of(Op::Remove), fault);
        }
        let visited = world.clone();
        let when =
            if late.is_some() { When::nth(point).of(Op::Put).of(Op::Remove) } else { When::nth(point) };
        process.before(when, move || {
            visited.tally.count("writers that slept");
            visited.guarded(|world| live(world, heir));
        });
        let epoch = world.next_epoch();
        let started = world.start_in(&process, epoch);
        if let Ok(mut life) = started {
            script(&mut life);
            met = world.model().is_replaced(epoch);
            if met {
                let last = life.checkpoint(&[("a", How::Keep), ("z", How::Write(70))], Then::Publish);
                assert!(last.is_none(), "a replaced one reports no success (P5)");
                assert!(life.writer.draft().is_err(), "it was told that it was replaced");
            }
        } else {
            met = world.model().is_replaced(epoch);
        }
        world.honest();
        world.look_around();
        the_last_word(&world);
    });
    met
}

fn live(world: &World, how: Heir) {
    let process = world.sim.process();
    if let Some(at) = how.replaced_at {
        let visited = world.clone();
        process.before_operation(at, move || {
            visited.tally.count("heirs that slept");
            visited.guarded(|world| live(world, Heir { checkpoints: 2, replaced_at: None, ..how }));
        });
    }
    let epoch = world.next_epoch();
    let Ok(mut heir) = world.start_in(&process, epoch) else {
        assert!(world.model().is_replaced(epoch), "a calm device, and no heir starts");
        return;
    };
    if how.falls_back {
        heir.fall_back();
    }
    for number in 0..how.checkpoints {
        let keep = [("a", How::Keep), ("s", How::Keep), ("c", How::Keep), ("d", How::Keep)];
        let fresh = ["f", "g"][number as usize % 2];
        heir.checkpoint(&[&keep[..], &[(fresh, How::Write(66))]].concat(), Then::Publish);
        heir.reads_back();
        world.look_around();
    }
    heir.leave();
}
