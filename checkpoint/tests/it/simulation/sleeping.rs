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
    /// What the sleeper has under way arrives before the checkpoint of this number.
    lands_before: Option<u64>,
}

impl Heir {
    fn of(checkpoints: u64) -> Heir {
        Heir { checkpoints, falls_back: false, replaced_at: None, lands_before: None }
    }
}

pub(crate) fn run(growing: bool, tally: &Tally) {
    let past = past(growing, tally);
    let stride = super::number("HEADWATER_STRIDE", 7);
    let mut point = 1;
    while sleeps(&past, point, None, Heir::of(0)) {
        for checkpoints in [1, 5] {
            sleeps(&past, point, None, Heir::of(checkpoints));
            sleeps(&past, point, None, Heir { falls_back: true, ..Heir::of(checkpoints) });
        }
        // The heir sleeps too: at each operation of its own, within each one of the first.
        for at in (1 + point % stride..80).step_by(stride as usize) {
            sleeps(&past, point, None, Heir { replaced_at: Some(at), ..Heir::of(1) });
        }
        // Of the sleeper's requests one was under way before, or is from when it wakes.
        let requests = if growing { 0 } else { 40 };
        for held in (1 + point % stride..requests).step_by(stride as usize) {
            for lands_before in 0..4 {
                let heir = Heir { lands_before: Some(lands_before), ..Heir::of(3) };
                sleeps(&past, point, Some(held), heir);
            }
        }
        point += 1;
    }
}

/// Whether there is such a point.
fn sleeps(past: &World, point: u64, held: Option<u64>, heir: Heir) -> bool {
    let world = past.fork(point);
    let mut met = false;
    world.replayable(&format!("asleep at {point}, held {held:?}, {heir:?}"), || {
        let process = world.sim.process();
        if let Some(nth) = held {
            world.sim.plan(When::nth(nth).by(&process).of(Op::Put).of(Op::Remove), Fault::Held);
        }
        let visited = world.clone();
        process.before_operation(point, move || {
            visited.tally.count("writers that slept");
            visited.guarded(|world| live(world, heir));
        });
        let epoch = world.next_epoch();
        let started = world.start_in(&process, epoch);
        met = world.model().is_replaced(epoch);
        if let Ok(mut life) = started {
            script(&mut life);
            met = world.model().is_replaced(epoch);
            if met {
                let last = life.checkpoint(&[("a", How::Keep), ("z", How::Write(70))], Then::Publish);
                assert!(last.is_none(), "a replaced one reports no success (P5)");
                let told = life.writer.draft().is_err();
                assert!(told || held.is_some(), "it was told that it was replaced");
            }
        }
        world.honest();
        world.look_around();
        the_last_word(&world);
        tally_late(&world);
    });
    met
}

fn tally_late(world: &World) {
    if world.sim.events().contains_key("late put: landed") {
        world.tally.count("late puts");
    }
    if world.sim.events().contains_key("late remove: landed") {
        world.tally.count("late removes");
    }
}

fn live(world: &World, how: Heir) {
    let process = world.sim.process();
    // On a disk somebody removes the lock of a writer that is only asleep; nothing is to depend on it.
    world.sim.break_lock();
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
        if how.lands_before == Some(number) {
            world.sim.land_all();
            world.look_around();
        }
        let keep = [("a", How::Keep), ("s", How::Keep), ("c", How::Keep), ("d", How::Keep)];
        let fresh = ["f", "g"][number as usize % 2];
        heir.checkpoint(&[&keep[..], &[(fresh, How::Write(66))]].concat(), Then::Publish);
        heir.reads_back();
        world.look_around();
    }
    heir.leave();
}
