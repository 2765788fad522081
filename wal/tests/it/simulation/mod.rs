//! The whole engine on a simulated device, held against what its writers recorded.

mod exhaustive;
mod model;
mod tally;
mod world;
mod writer;

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
