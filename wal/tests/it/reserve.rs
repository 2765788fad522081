//! The room that is kept back for the day when the disk is full, on a simulated disk that stays full.

use headwater_wal::store::sim::Sim;
use headwater_wal::{Compression, Kind, Log, Options, Position, Time};

fn start(sim: &Sim) -> Log {
    let options = Options::default().segment_bytes(128 << 10).compression(Compression::Off);
    Log::open(sim.store(), options).unwrap().start_stepped(Position::START).unwrap()
}

/// Somebody takes every byte that is left, but for what is kept back.
fn fill(sim: &Sim) {
    let files: u64 = sim.names().iter().map(|name| sim.read_raw(name).len() as u64).sum();
    sim.set_capacity(Some(files + sim.reserved()));
}

#[test]
fn retiring_goes_on_for_as_long_as_a_disk_stays_full() {
    let sim = Sim::growing(1);
    let log = start(&sim);
    let handles: Vec<_> = (0..160)
        .map(|number| {
            let handle = log.append(Time(number), vec![7; 70_000]).unwrap().wait().unwrap();
            log.seal().unwrap();
            handle
        })
        .collect();
    // Each segment that goes gives room for what its mark, in the end, took of the reserve.
    for kept in &handles[1..] {
        fill(&sim);
        let _pin = log.pin(kept.position()).unwrap();
        let retired = log.retire_before(Time::MAX).unwrap();
        assert!(retired.removed > 0 && retired.left == 0, "{retired:?}");
    }
    assert_eq!(log.append(Time(0), vec![7; 90_000]).unwrap().wait().unwrap_err().kind(), Kind::Full);
    sim.set_capacity(None);
    drop(log);
    assert_eq!(start(&sim).replay(Position::START).unwrap().count(), 2);
}

#[test]
fn a_log_starts_again_and_again_on_a_disk_that_stays_full() {
    let sim = Sim::growing(1);
    let log = start(&sim);
    let handle = log.append(Time(0), "kept").unwrap().wait().unwrap();
    drop(log);
    for _ in 0..5 {
        // Each start takes a header and a footer out of the reserve.
        fill(&sim);
        let log = start(&sim);
        assert_eq!(log.read(&handle).unwrap().payload, "kept");
    }
}
