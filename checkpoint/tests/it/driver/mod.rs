//! Whole drivers on simulated media, held against what their sources sent and their callers were told.

mod life;
mod lives;
mod model;
mod receiver;
mod source;
mod tally;
mod world;

use tally::Tally;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Runs the seeds that are asked for, a number of them or just one; a number of them must meet all this.
fn each_seed(run: impl Fn(u64, &Tally), met: &[&str]) {
    let (tally, began) = (Tally::default(), std::time::Instant::now());
    let only: Option<u64> = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let (first, many) = (number("HEADWATER_FIRST", 0), number("HEADWATER_SEEDS", 1000));
    for seed in only.map_or(first..first + many, |seed| seed..seed + 1) {
        if std::env::var_os("HEADWATER_TELL").is_some() {
            eprintln!("seed {seed}");
        }
        run(seed, &tally);
    }
    println!("{:?}\n{tally}", began.elapsed());
    if only.is_none() && many >= 1000 {
        tally.must_have_met(met);
    }
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_whatever_befalls_a_driver_its_receivers_and_their_media() {
    let met = [
        "batches again: finished",
        "batches again: pending",
        "crash points",
    ];
    each_seed(lives::run, &met);
}
