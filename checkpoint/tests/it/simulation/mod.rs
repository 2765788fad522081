//! Checkpoints on a simulated device, held against what their writers handed in and were told.

mod exhaustive;
mod files;
mod life;
mod model;
mod random;
mod rot;
mod section;
mod sleeping;
mod tally;
mod turns;
mod world;

use exhaustive::Scope;
use tally::Tally;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Runs it, and says what was met; all this must be.
fn met(run: impl FnOnce(&Tally), all: &[&str]) {
    let (tally, began) = (Tally::default(), std::time::Instant::now());
    run(&tally);
    println!("{:?}\n{tally}", began.elapsed());
    tally.must_have_met(all);
}

/// Runs the seeds that are asked for, a number of them or just one; a number of them must meet all this.
fn each_seed(run: impl Fn(u64, &Tally), all: &[&str]) {
    let only: Option<u64> = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let (first, many) = (number("HEADWATER_FIRST", 0), number("HEADWATER_SEEDS", 1500));
    let all = if only.is_none() && many >= 500 { all } else { &[] };
    let seeds = only.map_or(first..first + many, |seed| seed..seed + 1);
    met(|tally| seeds.into_iter().for_each(|seed| run(seed, tally)), all);
}

#[test]
fn a_small_life_on_a_disk_survives_every_fault_at_every_operation() {
    let scope = Scope { growing: true, stride: number("HEADWATER_STRIDE", 7) };
    met(
        |tally| exhaustive::run(&scope, tally),
        &[
            "points: Crash",
            "points: Error",
            "points: Partly",
            "points: Full",
            "crash points of an heir",
            "publish: Acked",
            "publish: Denied",
            "publish: Unsettled",
            "tidy folders",
        ],
    );
}

#[test]
fn a_small_life_in_a_bucket_survives_every_fault_at_every_operation() {
    let scope = Scope { growing: false, stride: number("HEADWATER_STRIDE", 7) };
    met(
        |tally| exhaustive::run(&scope, tally),
        &[
            "points: Crash",
            "points: Error",
            "points: Full",
            "points: AnswerLost",
            "points: RequestLost",
            "points: Late",
            "points: Held",
            "points: ExistsOwn",
            "points: ExistsNothing",
            "crash points of an heir",
            "device: late put: landed",
            "publish: Acked",
            "publish: Denied",
            "publish: Unsettled",
            "tidy folders",
        ],
    );
}

#[test]
fn a_writer_that_sleeps_before_any_operation_does_its_heirs_no_harm() {
    let all = [
        "writers that slept",
        "heirs that slept",
        "publish: Fenced",
        "fall back",
        "late puts",
        "late removes",
    ];
    met(|tally| sleeping::run(false, tally), &all);
}

#[test]
fn a_writer_that_sleeps_on_a_disk_while_its_lock_is_taken_away_does_its_heirs_no_harm() {
    let all = ["writers that slept", "heirs that slept", "publish: Fenced", "fall back"];
    met(|tally| sleeping::run(true, tally), &all);
}

#[test]
fn every_promise_holds_in_long_lives_full_of_accidents() {
    each_seed(
        random::run,
        &[
            "lives",
            "fall back",
            "tidy folders",
            "starts: fenced",
            "starts: unknown",
            "starts: unavailable",
            "publish: Acked",
            "publish: Denied",
            "publish: Unsettled",
            "device: create: crash",
            "device: create: error",
            "device: create: full",
            "device: late put: found its name taken",
            "device: late put: landed",
            "device: late remove: landed",
            "device: link: crash",
            "device: link: error",
            "device: list: crash",
            "device: list: error",
            "device: power cut",
            "device: power cut: name lost",
            "device: power cut: removal undone",
            "device: process crash",
            "device: put: answer lost",
            "device: put: crash",
            "device: put: error",
            "device: put: exists, its own",
            "device: put: exists, nothing there",
            "device: put: full",
            "device: put: held",
            "device: put: late",
            "device: put: request lost",
            "device: read: crash",
            "device: read: error",
            "device: remove: answer lost",
            "device: remove: crash",
            "device: remove: error",
            "device: remove: held",
            "device: sync names: crash",
            "device: sync names: error",
        ],
    );
}

#[test]
fn every_promise_holds_under_leases_among_writers_that_take_turns() {
    let met = [
        "lives beside others",
        "starts beside others: fenced",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: put: answer lost",
        "device: put: exists, its own",
    ];
    each_seed(turns::run_under_leases, &met);
}

#[test]
fn every_promise_holds_among_two_and_three_writers_that_take_turns() {
    each_seed(
        turns::run,
        &[
            "lives beside others",
            "writers without a log",
            "starts beside others: fenced",
            "starts beside others: locked",
            "publish: Acked",
            "publish: Fenced",
            "device: late put: landed",
        ],
    );
}

#[test]
fn bytes_that_rot_are_never_handed_out_and_cost_only_the_checkpoints_that_name_them() {
    let all = ["rotten heads", "rotten parts", "fall back from rot", "restored", "nothing left"];
    each_seed(rot::run, &all);
}
