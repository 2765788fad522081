//! Rules 5, 6, 10 and 13: what may be in flight, in which order segments end and begin, what is made sure of, and what
//! an idle writer says.

use std::time::Duration;

use headwater_wal::format::scan::{Seen, Walk};
use headwater_wal::store::sim::{Cut, Fault, Op, When};
use headwater_wal::{Durability, Handle, Time};

use super::{Place, name};

#[test]
fn the_footer_is_synced_before_the_next_header_and_that_before_its_name() {
    let place = Place::disk();
    let log = place.start();
    let first = log.write("first");
    place.sim.keep_history();
    let second = loop {
        let handle = log.write("x".repeat(2000));
        if handle.base() != first.base() {
            break handle;
        }
    };
    let (old, new) = (name(first.base()), name(second.base()));
    let history: Vec<String> = place.sim.history();
    let all = |op: &str, name: &str| -> Vec<usize> {
        let wanted = format!(" {op} {name}");
        history.iter().enumerate().filter(|(_, line)| line.contains(&wanted)).map(|(at, _)| at).collect()
    };
    let footer = *all("write", &old).last().unwrap();
    let synced = *all("sync", &old).iter().find(|&&at| at > footer).unwrap();
    let created = all("create", &new)[0];
    let header_synced = all("sync", &new)[0];
    let named = all("link", &new)[0];
    let folder_synced = all("sync names", &new)[0];
    let group = all("write", &new)[0];
    let order = [footer, synced, created, header_synced, named, folder_synced, group];
    assert!(order.is_sorted(), "{order:?}: {history:#?}");
    assert!(history[..footer].iter().any(|line| line.contains(" check ")), "the lock is checked at rotation");
}

#[test]
fn the_most_in_flight_is_fixed_for_an_epoch_and_holds_the_largest_record() {
    for mut place in Place::both() {
        let log = place.start();
        for round in 0..6 {
            log.write("x".repeat(1000 + 3000 * round % 15_000));
        }
        let largest = log.write("x".repeat(16 << 10));
        let chain = log.chain();
        let stated: Vec<u64> =
            chain.segments().iter().map(|segment| place.header(segment.base).in_flight_bytes_max).collect();
        assert!(stated.iter().all(|bytes| *bytes == stated[0]), "{stated:?}");
        let file = place.sim.read_raw(&name(largest.base())).len() as u64;
        assert!(stated[0] >= file, "header, footer and padding included");
        drop(log);
        place.options = place.options.in_flight_bytes_max(1 << 20);
        let log = place.start();
        let handle = log.write("another epoch");
        assert_eq!(place.header(handle.base()).in_flight_bytes_max, 1 << 20);
    }
}

#[test]
fn a_process_log_bounds_what_it_has_not_synced() {
    for seed in 0..8 {
        let mut place = Place::on(headwater_wal::store::sim::Sim::growing(seed));
        place.options = place.options.durability(Durability::Process);
        let log = place.start();
        let handles = log.fill(100, 900);
        let bound = place.header(handles[0].base()).in_flight_bytes_max;
        let end = log.range().end;
        place.sim.power_cut_as(Cut::LoseAll);
        drop(log);
        let survey = place.look();
        assert!(survey.refusal().is_none(), "seed {seed}: {survey}");
        assert!(
            end.since(survey.end()) <= bound,
            "seed {seed}: lost={} bound={bound}",
            end.since(survey.end())
        );
        assert!(place.start().texts().len() >= 50);
    }
}

#[test]
fn a_process_log_survives_the_kill_of_its_process() {
    let mut place = Place::disk();
    place.options = place.options.durability(Durability::Process);
    let log = place.start();
    log.fill(30, 900);
    log.crash();
    let survey = place.look();
    assert_eq!(survey.durability(), Durability::Process);
    assert_eq!(place.start().texts().len(), 30);
}

#[test]
fn what_is_kept_is_durable_again_before_the_epoch_begins_though_a_cache_lies() {
    for seed in 0..16 {
        let place = Place::on(headwater_wal::store::sim::Sim::growing(seed));
        let log = place.start();
        log.write("acknowledged");
        place.sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
        let error = log.append(Time(1), "in the cache only").unwrap().wait().unwrap_err();
        let unsettled = *error.unsettled().unwrap();
        log.crash();
        let heir = place.start();
        let kept = heir.settle(&unsettled);
        place.sim.power_cut_as(Cut::LoseAll);
        drop(heir);
        let third = place.start();
        match kept {
            Ok(handle) => {
                assert_eq!(third.read(&handle).unwrap().payload, "in the cache only", "seed {seed}")
            }
            Err(_) => assert_eq!(third.texts(), ["acknowledged"], "seed {seed}"),
        }
        assert_eq!(third.settle(&unsettled).is_ok(), kept.is_ok(), "settled for ever: seed {seed}");
    }
}

#[test]
fn names_are_synced_at_start_also_when_nothing_is_kept() {
    let place = Place::disk();
    place.sim.keep_history();
    place.start();
    let history = place.sim.history();
    let at = |what: &str| history.iter().position(|line| line.contains(what)).unwrap();
    assert!(at(" sync names ") < at(" link "), "{history:?}");
}

/// The counts of the groups in the file of a handle, in order.
fn groups(place: &Place, handle: &Handle) -> Vec<u32> {
    let bytes = place.sim.read_raw(&name(handle.base()));
    let mut walk = Walk::new(&bytes[..], &place.header(handle.base()));
    let mut counts = Vec::new();
    while let Some(seen) = walk.next().unwrap() {
        if let Seen::Group { header, .. } = seen {
            counts.push(header.count);
        }
    }
    counts
}

#[test]
fn an_idle_writer_says_so_once_an_idle_period_and_only_where_files_grow() {
    let place = Place::disk();
    let log = place.start();
    log.rest();
    let handle = log.write("first");
    for _ in 0..5 {
        log.rest();
    }
    assert_eq!(groups(&place, &handle), [1, 0]);
    log.write("second");
    log.rest();
    log.rest();
    assert_eq!(groups(&place, &handle), [1, 0, 1, 0]);
    assert_eq!(log.texts(), ["first", "second"]);

    let place = Place::bucket();
    let log = place.start();
    log.write("first");
    let names = place.segments();
    log.rest();
    log.rest();
    assert_eq!(place.segments(), names);
}

#[test]
fn an_idle_writer_with_a_thread_says_so_by_itself() {
    let mut place = Place::disk();
    place.options = place.options.idle_after(Duration::from_millis(1));
    let log = place.open().unwrap().start(headwater_wal::Position::START).unwrap();
    let handle = log.append(Time(1), "first").unwrap().wait().unwrap();
    let mut waited = 0;
    while groups(&place, &handle).len() < 2 {
        std::thread::sleep(Duration::from_millis(1));
        waited += 1;
        assert!(waited < 20_000, "it never fell idle");
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(groups(&place, &handle), [1, 0]);
    log.close().unwrap();
}

#[test]
fn a_segment_is_sealed_by_its_age_also_when_nothing_comes() {
    let mut place = Place::disk();
    place.options = place.options.segment_age(Duration::from_secs(60));
    let log = place.start();
    log.write("first");
    place.clock.advance(Duration::from_secs(59));
    log.rest();
    assert!(!log.chain().segments().last().unwrap().sealed);
    place.clock.advance(Duration::from_secs(2));
    log.rest();
    assert!(log.chain().segments().last().unwrap().sealed);
    log.write("second");
    assert_eq!(log.texts(), ["first", "second"]);
}
