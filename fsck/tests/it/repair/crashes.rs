//! A power cut at every step of every repair, and again in the one that follows: the log is never worse off than it was,
//! and the next repair comes to the same end.

use std::sync::Arc;

use headwater_fsck::Plan;
use headwater_wal::store::sim::{Fault, SimClock, When};
use headwater_wal::{Log, Position};

use super::classes::{CLASSES, Class};
use super::{Place, all_but, is_clean_with, options};

/// How many of the steps of the second repair are passed over between two power cuts; 1 tries all.
fn stride() -> usize {
    let stride = std::env::var("HEADWATER_STRIDE").ok().and_then(|stride| stride.parse().ok());
    stride.unwrap_or(17)
}

/// After which operations, counted from now, something has changed on the medium.
fn steps(place: &Place, plan: &Plan) -> Vec<u64> {
    let before = place.sim.operations();
    place.sim.keep_history();
    place.repair(plan).unwrap();
    let changes = |line: &String| {
        let mut words = line.split(' ');
        let number: u64 = words.nth(1)?.parse().ok()?;
        let op = words.nth(2)?;
        let changes = !["read", "list", "own", "check", "open"].contains(&op);
        (changes && number > before).then_some(number - before)
    };
    place.sim.history().iter().filter(|line| line.starts_with("op ")).filter_map(changes).collect()
}

/// Repairs until the power goes at a step.
fn cut_short(place: &Place, plan: &Plan, step: u64) {
    place.sim.plan(When::nth(step), Fault::Crash);
    let _ = place.repair(plan);
    place.sim.calm();
    place.sim.power_cut();
    if place.medium() == "leases" {
        // What was under way has come before anybody plans again, and so has the end of the leases.
        place.sim.land_all();
        place.sim.expire_leases();
    }
}

/// What was readable still is. Where nothing is written over, an object that is being replaced is not there for a while;
/// what belongs there is ready.
fn is_no_worse(before: &Place, now: &Place, lost: &[usize], name: &str) {
    does_not_start_without(now, lost, name);
    let (could, can) = (before.readable(), now.readable());
    let gone: Vec<usize> = could.difference(&can).copied().collect();
    if now.is_locked() {
        assert!(gone.is_empty(), "{name}: {gone:?}");
        assert!(before.replayed().0.is_subset(&now.replayed().0), "{name}");
        return;
    }
    let file = gone.first().map(|&number| now.file(number).0);
    for number in gone {
        assert_eq!(Some(now.file(number).0), file, "{name}: more than one object at a time");
    }
    if let Some(file) = file {
        let ready = format!("/{file}.new");
        assert!(
            now.sim.names().iter().any(|name| name.ends_with(&ready)),
            "{name}: nothing is ready for {file}"
        );
    }
}

/// A log that starts in the middle of its repair has everything that the repair would give it.
fn does_not_start_without(now: &Place, lost: &[usize], name: &str) {
    let started = now.fork(8);
    let opened = Log::open_with(started.sim.store(), options(), Arc::new(SimClock::new(9))).unwrap();
    if opened.start_stepped(Position::START).is_ok() {
        assert!(all_but(lost).is_subset(&started.replayed().0), "{name}: it starts without its end");
    }
}

fn is_finished(place: &Place, lost: &[usize], name: &str) {
    let plan = place.plan();
    place.repair(&plan).unwrap_or_else(|error| panic!("{name}: {error:?}\n{plan}"));
    is_clean_with(place, &all_but(lost), name);
}

fn survives_crashes(origin: &Place, class: &Class) -> usize {
    let damaged = origin.fork(5);
    (class.damage)(&damaged);
    let lost = (class.lost)(&damaged);
    let plan = damaged.plan();
    let mut tried = 0;
    for (at, step) in steps(&damaged.fork(6), &plan).into_iter().enumerate() {
        let name = format!("{}, on {}, step {step}", class.name, origin.medium());
        let first = damaged.fork(6);
        cut_short(&first, &plan, step);
        is_no_worse(&damaged, &first, &lost, &name);
        let second = first.plan();
        for (again, step) in steps(&first.fork(7), &second).into_iter().enumerate() {
            if !(at + again).is_multiple_of(stride()) {
                continue;
            }
            let name = format!("{name}, then step {step}");
            let next = first.fork(7);
            cut_short(&next, &second, step);
            is_no_worse(&damaged, &next, &lost, &name);
            is_finished(&next, &lost, &name);
            tried += 1;
        }
        is_finished(&first, &lost, &name);
        tried += 1;
    }
    tried
}

#[test]
fn a_power_cut_at_every_step_of_every_repair_and_of_the_next_costs_nothing() {
    let mut tried = 0;
    for origin in Place::all() {
        for class in CLASSES.iter().filter(|class| !class.growing || origin.is_growing()) {
            tried += survives_crashes(&origin, class);
        }
    }
    assert!(tried > 500, "only {tried} crashes");
}
