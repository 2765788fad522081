//! Whole drivers on simulated media, held against what their sources sent and their callers were told.

mod fleet;
mod full;
mod life;
mod line;
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
    let (first, many) = (number("HEADWATER_FIRST", 0), number("HEADWATER_SEEDS", 500));
    for seed in only.map_or(first..first + many, |seed| seed..seed + 1) {
        if std::env::var_os("HEADWATER_TELL").is_some() {
            eprintln!("seed {seed}");
        }
        run(seed, &tally);
    }
    println!("{:?}\n{tally}", began.elapsed());
    if only.is_none() && many >= 500 {
        tally.must_have_met(met);
    }
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_whatever_befalls_a_driver_its_receivers_and_their_media() {
    let met = [
        "acknowledgements lost",
        "acknowledgements told twice",
        "answers lost",
        "batches again: finished",
        "batches again: pending",
        "batches forgotten",
        "batches given up",
        "batches that failed",
        "blocks found at takeover",
        "blocks passed over",
        "blocks refused",
        "blocks taken",
        "checkpoints that failed",
        "cleanings",
        "cleanings suspended",
        "clocks confirmed",
        "comings back that failed",
        "commits that found another one's",
        "crash points",
        "device: late put: found its name taken",
        "device: late put: landed",
        "device: late remove: landed",
        "device: list: error",
        "device: power cut: name lost",
        "device: power cut: removal undone",
        "device: power cut: unsynced sector lost",
        "device: put: answer lost",
        "device: put: error",
        "device: put: exists, its own",
        "device: put: exists, nothing there",
        "device: put: full",
        "device: put: held",
        "device: put: request lost",
        "device: read: error",
        "device: remove: error",
        "device: sync names: error",
        "device: sync: error",
        "device: sync: full",
        "device: sync: partly",
        "device: write: error",
        "device: write: full",
        "device: write: partly",
        "direct batches",
        "drivers at work within their heir's coming back",
        "drivers created or rebuilt",
        "drivers killed",
        "drivers locked out",
        "drivers replaced while they lived",
        "drivers restored",
        "explained as done",
        "fall-backs",
        "messages lost",
        "messages that arrived once more",
        "messages to nobody",
        "messages to replaced drivers",
        "newest checkpoints damaged",
        "partitions moved",
        "power cuts at an operation",
        "pushed: Known",
        "pushed: NotNow",
        "pushed: Taken",
        "receivers at work within a driver's coming back",
        "receivers at work within their heir's start",
        "receivers killed",
        "receivers locked out",
        "receivers replaced while they lived",
        "receivers stopped in order",
        "receivers that died at an operation",
        "receivers that wait for room",
        "receivers' disks full",
        "receivers' power cut",
        "receivers' power cut at an operation",
        "receivers' starts that failed",
        "replaced drivers told",
        "replaced receivers that clean",
        "replaced receivers that went on",
        "replaced receivers told",
        "reports that came early",
        "reports that found no room",
        "requests that came late",
        "segments of receivers removed",
        "segments of the journal removed",
        "speculative attempts",
        "stops that gave up",
        "told: Fenced",
        "told: Full",
        "told: Unknown",
    ];
    each_seed(lives::run, &met);
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice_under_leases() {
    let met = [
        "device: late link: landed",
        "device: late put: landed",
        "device: link: answer lost",
        "device: power cut: unsynced sector lost",
        "drivers replaced while they lived",
        "drivers restored",
        "receivers replaced while they lived",
        "replaced drivers told",
        "replaced receivers told",
        "segments of receivers removed",
        "segments of the journal removed",
    ];
    each_seed(lives::run_under_leases, &met);
}
