//! The whole engine on a simulated device, held against what its writers recorded.

mod exhaustive;
mod flights;
mod model;
mod orders;
mod overlap;
mod pipeline;
mod random;
mod rot;
mod tally;
mod world;
mod writer;
mod writers;

use headwater_wal::Durability;

use exhaustive::Scope;
use tally::Tally;

/// A planned panic is no news.
fn keep_quiet_about_planned_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let planned = panic.payload_as_str().is_some_and(|said| said.starts_with("a planned panic"));
            if !planned {
                usual(panic);
            }
        }));
    });
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

fn every_short_life(growing: bool, durability: Durability, met: &[&str]) {
    keep_quiet_about_planned_panics();
    let tally = Tally::default();
    let scope = Scope {
        growing,
        durability,
        length: number("HEADWATER_LENGTH", 3) as usize,
        stride: number("HEADWATER_STRIDE", 7),
    };
    let began = std::time::Instant::now();
    exhaustive::run(&scope, &tally);
    println!("{scope:?} {:?}\n{tally}", began.elapsed());
    tally.must_have_met(met);
}

const DISK: [&str; 8] = [
    "points: Crash",
    "points: Error",
    "points: Partly",
    "points: Full",
    "points: Panic",
    "crash points in a recovery",
    "row: clean",
    "row: torn",
];

#[test]
fn every_short_life_on_a_disk_survives_an_end_at_every_operation() {
    every_short_life(true, Durability::Power, &DISK);
}

#[test]
fn every_short_life_of_a_process_log_survives_an_end_at_every_operation() {
    every_short_life(true, Durability::Process, &DISK);
}

#[test]
fn every_short_life_in_a_bucket_survives_an_end_at_every_operation() {
    let met = [
        "points: Crash",
        "points: Error",
        "points: Full",
        "points: Panic",
        "points: AnswerLost",
        "points: RequestLost",
        "points: Late",
        "points: Held",
        "points: ExistsOwn",
        "points: ExistsNothing",
        "crash points in a recovery",
        "device: late put: landed",
        "device: late put: found its name taken",
        "row: clean",
        "fate: retired",
    ];
    every_short_life(false, Durability::Power, &met);
}

/// Runs the seeds that are asked for, a number of them or just one; a number of them must meet all this.
fn each_seed(run: impl Fn(u64, &Tally), met: &[&str]) {
    each_seed_of(500, run, met);
}

/// As [`each_seed`], for what takes longer: so many, if nobody asks for others.
fn each_seed_of(usual: u64, run: impl Fn(u64, &Tally), met: &[&str]) {
    keep_quiet_about_planned_panics();
    let (tally, began) = (Tally::default(), std::time::Instant::now());
    let only: Option<u64> = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let (first, many) = (number("HEADWATER_FIRST", 0), number("HEADWATER_SEEDS", usual));
    for seed in only.map_or(first..first + many, |seed| seed..seed + 1) {
        if std::env::var_os("HEADWATER_TELL").is_some() {
            eprintln!("seed {seed}");
        }
        run(seed, &tally);
    }
    println!("{:?}\n{tally}", began.elapsed());
    if only.is_none() && many >= usual {
        tally.must_have_met(met);
    }
}

#[test]
fn every_promise_holds_in_long_lives_full_of_accidents() {
    let met = [
        "crash points",
        "clocks that jump or stand still",
        "full disks",
        "lives within another's operation",
        "looks that rest on a summary",
        "replaced writers",
        "rot refused",
        "device: cache dropped: sector older than it looked",
        "device: check: error",
        "device: create: error",
        "device: create: full",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: late remove: landed",
        "device: link: error",
        "device: list: error",
        "device: list: lagging",
        "device: own: error",
        "device: power cut",
        "device: power cut: file torn",
        "device: power cut: removal undone",
        "device: power cut: unsynced sector kept",
        "device: power cut: unsynced sector lost",
        "device: process crash",
        "device: put: answer lost",
        "device: put: error",
        "device: put: exists, its own",
        "device: put: exists, nothing there",
        "device: put: full",
        "device: put: held",
        "device: put: late",
        "device: put: panic",
        "device: put: request lost",
        "device: put: throttled",
        "device: read: error",
        "device: read: rot",
        "device: remove: error",
        "device: sync names: error",
        "device: sync: error",
        "device: sync: full",
        "device: sync: panic",
        "device: sync: partly",
        "device: trim: error",
        "device: write: error",
        "device: write: full",
        "device: write: panic",
        "device: write: partly",
        "fate: retired",
        "row: clean",
        "row: torn",
    ];
    each_seed(random::run, &met);
}

#[test]
fn every_promise_holds_among_two_and_three_writers_that_take_turns() {
    let met = [
        "lives beside others",
        "starts beside others: fenced",
        "starts beside others: locked",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: list: lagging",
        "device: list: stale",
        "device: listing: left out a new name",
        "device: listing: showed a removed name",
        "device: put: exists, its own",
        "device: put: exists, nothing there",
        "device: put: throttled",
        "row: clean",
    ];
    each_seed(writers::run, &met);
}

#[test]
fn every_promise_holds_among_writers_that_sleep_with_several_puts_under_way() {
    let met = [
        "lives beside others",
        "starts beside others: fenced",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: list: lagging",
        "device: list: stale",
        "device: put: exists, its own",
        "device: put: exists, nothing there",
        "device: put: outlived its sender",
        "device: put: throttled",
        "fate: dead",
        "fate: retired",
        "row: clean",
        "row: torn",
    ];
    each_seed_of(150, writers::run_with_lanes, &met);
}

#[test]
fn every_promise_holds_while_lanes_bring_groups_to_the_device_at_once() {
    let met = [
        "crash points",
        "ends with groups at the device",
        "full disks",
        "groups that failed beside another",
        "groups that landed before an earlier one",
        "groups that overlapped",
        "groups that overlapped two others",
        "device: create: error",
        "device: create: full",
        "device: power cut: file torn",
        "device: power cut: unsynced sector kept",
        "device: power cut: unsynced sector lost",
        "device: sync: crash",
        "device: sync: error",
        "device: sync: panic",
        "device: sync: partly",
        "device: write: crash",
        "device: write: error",
        "device: write: panic",
        "device: write: partly",
        "fate: retired",
        "row: clean",
        "row: torn",
    ];
    each_seed(|seed, tally| overlap::run(true, seed, tally), &met);
}

#[test]
fn every_promise_holds_while_lanes_bring_groups_to_a_bucket_at_once() {
    let met = [
        "crash points",
        "full disks",
        "groups that failed before one that had landed",
        "groups that landed before an earlier one",
        "writers replaced with groups at the device",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: put: answer lost",
        "device: put: crash",
        "device: put: error",
        "device: put: exists, its own",
        "device: put: exists, nothing there",
        "device: put: full",
        "device: put: outlived its sender",
        "device: put: panic",
        "device: put: request lost",
        "device: put: throttled",
        "fate: dead",
        "fate: retired",
        "fate: torn",
        "row: clean",
        "row: torn",
    ];
    each_seed_of(150, |seed, tally| overlap::run(false, seed, tally), &met);
}

#[test]
fn every_promise_holds_under_leases_in_long_lives_full_of_accidents() {
    let met = [
        "crash points",
        "lives within another's operation",
        "replaced writers",
        "device: late link: landed",
        "device: lease ended by the server",
        "device: power cut",
        "device: power cut of the nodes",
        "device: power cut: length lost",
        "device: power cut: unsynced sector kept",
        "device: power cut: unsynced sector lost",
        "device: put: late",
        "device: sync: error",
        "device: sync: partly",
        "device: write: error",
        "fate: retired",
        "row: clean",
        "row: still being written",
        "row: torn",
    ];
    each_seed_of(250, random::run_under_leases, &met);
}

#[test]
fn every_promise_holds_under_leases_among_writers_that_take_turns() {
    let met = [
        "lives beside others",
        "starts beside others: fenced",
        "device: late link: found its name taken",
        "device: late link: landed",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: sync: error",
        "device: write: error",
        "fate: retired",
        "row: clean",
        "row: still being written",
        "row: torn",
    ];
    each_seed_of(250, writers::run_under_leases, &met);
}

fn every_order(growing: bool, met: &[&str]) {
    keep_quiet_about_planned_panics();
    let (tally, began) = (Tally::default(), std::time::Instant::now());
    orders::run(growing, &tally);
    println!("{:?}\n{tally}", began.elapsed());
    tally.must_have_met(met);
}

#[test]
fn every_order_of_a_few_groups_survives_an_end_at_every_operation() {
    let met = [
        "device: sync: crash",
        "device: sync: error",
        "device: write: crash",
        "device: write: partly",
        "ends with groups at the device",
        "groups that failed beside another",
        "groups that landed before an earlier one",
        "groups that overlapped",
        "groups that overlapped two others",
        "row: clean",
        "row: torn",
    ];
    every_order(true, &met);
}

#[test]
fn every_order_of_a_few_puts_survives_an_end_at_every_operation() {
    let met = [
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: put: answer lost",
        "device: put: crash",
        "device: put: error",
        "device: put: exists, its own",
        "device: put: exists, nothing there",
        "device: put: full",
        "device: put: held",
        "device: put: outlived its sender",
        "device: put: panic",
        "device: put: request lost",
        "groups that failed before one that had landed",
        "groups that landed before an earlier one",
        "row: clean",
        "row: torn",
    ];
    every_order(false, &met);
}

#[test]
fn groups_in_flight_together_land_in_any_order_and_none_that_was_acknowledged_is_lost() {
    let run = |seed, tally: &Tally| {
        pipeline::run(true, seed, tally);
        pipeline::run(false, seed, tally);
    };
    each_seed(
        run,
        &["groups written at once", "groups put at once", "fate: dead", "fate: torn", "row: torn"],
    );
}

#[test]
fn rot_in_the_first_header_of_the_newest_epoch_is_damage_although_nothing_lies_behind_it() {
    for growing in [true, false] {
        rot::the_newest_epoch_loses_its_header(growing, &Tally::default());
    }
}

#[test]
fn rot_in_what_was_acknowledged_is_always_told_of_and_costs_nothing_else() {
    let tally_all = |seed, tally: &Tally| {
        if seed == 0 {
            rot::more_than_was_in_flight(tally);
        }
        rot::run(seed, tally);
    };
    let met = [
        "rot: refused",
        "rot: told by the replay",
        "row: promised beyond the end",
        "row: acknowledged beyond the end",
        "row: inside a file put whole",
        "row: more than was in flight",
    ];
    each_seed(tally_all, &met);
}
