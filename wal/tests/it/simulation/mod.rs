//! The whole engine on a simulated device, held against what its writers recorded.

mod exhaustive;
mod model;
mod pipeline;
mod random;
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

fn every_short_life(growing: bool, durability: Durability) {
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
}

#[test]
fn every_short_life_on_a_disk_survives_an_end_at_every_operation() {
    every_short_life(true, Durability::Power);
}

#[test]
fn every_short_life_of_a_process_log_survives_an_end_at_every_operation() {
    every_short_life(true, Durability::Process);
}

#[test]
fn every_short_life_in_a_bucket_survives_an_end_at_every_operation() {
    every_short_life(false, Durability::Power);
}

/// Runs the seeds that are asked for: a number of them, or just one.
fn each_seed(many: u64, run: impl Fn(u64, &Tally)) -> (Tally, bool) {
    keep_quiet_about_planned_panics();
    let (tally, began) = (Tally::default(), std::time::Instant::now());
    let only: Option<u64> = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let first = number("HEADWATER_FIRST", 0);
    for seed in only.map_or(first..first + many, |seed| seed..seed + 1) {
        if std::env::var_os("HEADWATER_TELL").is_some() {
            eprintln!("seed {seed}");
        }
        run(seed, &tally);
    }
    println!("{:?}\n{tally}", began.elapsed());
    (tally, only.is_none() && many >= 300)
}

fn seeds() -> u64 {
    number("HEADWATER_SEEDS", 500)
}

#[test]
fn every_promise_holds_in_long_lives_full_of_accidents() {
    each_seed(seeds(), random::run);
}

#[test]
fn every_promise_holds_among_two_and_three_writers_that_take_turns() {
    each_seed(seeds(), writers::run);
}

#[test]
fn groups_in_flight_together_land_in_any_order_and_none_that_was_acknowledged_is_lost() {
    each_seed(seeds(), |seed, tally| {
        pipeline::run(true, seed, tally);
        pipeline::run(false, seed, tally);
    });
}
