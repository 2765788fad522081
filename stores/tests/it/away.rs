//! The store goes away while appends come in.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use headwater_stores::proxy::{Fault, Faults};
use headwater_stores::servers::Bucket;
use headwater_wal::{Kind, Time};

use super::alone;
use super::place::{Place, on_servers};

on_servers! {
    while_the_store_is_away_memory_stays_flat_and_then_everything_goes_on
    beyond_the_deadline_callers_are_told_and_a_restart_settles
    puts_that_hang_are_tried_again_and_then_everything_goes_on
}

const QUEUE_BYTES: &str = "queue_bytes_max=4MiB";

fn while_the_store_is_away_memory_stays_flat_and_then_everything_goes_on(bucket: &Bucket) {
    if bucket.address().is_some() {
        alone::run("away::a_store_is_away", &bucket.inside(""));
    }
}

/// Resident memory of this process.
fn memory_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux says so");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages") * 4096
}

#[test]
#[ignore = "a part that another test lets a process of its own play"]
fn a_store_is_away() {
    let Some(url) = alone::part() else { return };
    let place = Place::new(&Bucket::new(url), "away").with_options(QUEUE_BYTES);
    let (mut place, proxy) = place.behind_a_proxy().expect("a plain endpoint");
    let log = place.start();
    let (stop, acked) = (AtomicBool::new(false), AtomicU64::new(0));
    let told = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                let (log, stop, acked, place) = (&log, &stop, &acked, &place);
                scope.spawn(move || {
                    let mut told = Vec::new();
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let records: Vec<_> = (0..16)
                            .map(|part| format!("{thread}-{number}-{part}-{}", "x".repeat(40_000)))
                            .collect();
                        let tickets: Vec<_> =
                            records.iter().map(|record| place.append(log, record)).collect();
                        for (record, ticket) in records.into_iter().zip(tickets) {
                            let handle = ticket.wait().expect("it is acknowledged in the end");
                            acked.fetch_add(1, Ordering::Relaxed);
                            let short = record.trim_end_matches('x').to_owned();
                            told.push((short, handle));
                        }
                    }
                    told
                })
            })
            .collect();
        let acked = || acked.load(Ordering::Relaxed);
        wait_until("appends are acknowledged", || acked() > 200);
        proxy.go_away();
        thread::sleep(Duration::from_secs(2));
        let (before, waiting) = (memory_bytes(), acked());
        thread::sleep(Duration::from_secs(18));
        let after = memory_bytes();
        assert!(acked() - waiting <= 1, "nothing is acknowledged while it is away");
        assert!(log.failure().is_none(), "the log waits: {:?}", log.failure());
        assert!(after < before + (8 << 20), "memory stays flat: before={before} after={after}");
        println!("resident after 2 s: {} MiB, after 20 s: {} MiB", before >> 20, after >> 20);
        proxy.come_back().expect("the port is free");
        wait_until("it goes on", || acked() > waiting + 200);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    log.close().expect("it closes");
    place.acked.clear();
    let log = place.start();
    let found = log.replay(headwater_wal::Position::START).expect("a replay begins");
    let found: Vec<_> = found
        .map(|record| record.expect("a record"))
        .map(|record| (super::place::text(&record).trim_end_matches('x').to_owned(), record.handle))
        .collect();
    let mut told = told;
    told.sort_by_key(|told| told.1.position());
    assert!(found == told, "what was acknowledged is what is there: {} {}", found.len(), told.len());
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn beyond_the_deadline_callers_are_told_and_a_restart_settles(bucket: &Bucket) {
    let place = Place::new(bucket, "deadline").begun().asking(&[("deadline", "500ms"), ("attempt", "300ms")]);
    let Some((mut place, proxy)) = place.behind_a_proxy() else { return };
    let log = place.start();
    place.write(&log, 0..50);
    // The last puts arrive, and are never answered; then nobody listens.
    proxy.do_to_requests(Faults::all(Fault::HangAfter));
    let tickets: Vec<_> = (50..60).map(|number| (number, place.append(&log, number))).collect();
    thread::sleep(Duration::from_millis(200));
    proxy.go_away();
    let began = Instant::now();
    let mut unsettled = Vec::new();
    for (number, ticket) in tickets {
        let error = ticket.wait().expect_err("the store is away");
        match error.kind() {
            Kind::Unknown => unsettled.push((number, *error.unsettled().expect("what settles it"))),
            kind => assert_eq!(kind, Kind::Unavailable, "{error:?}"),
        }
    }
    assert!(!unsettled.is_empty(), "some may have landed");
    assert!(began.elapsed() < Duration::from_secs(20), "they are told soon: {:?}", began.elapsed());
    assert!(log.append(Time(1), "late").is_err(), "nothing more is taken in");
    log.close().expect_err("it has failed");
    proxy.mend();
    proxy.come_back().expect("the port is free");
    let log = place.start();
    for (number, unsettled) in unsettled {
        match log.settle(&unsettled) {
            Ok(handle) => drop(place.acked.insert(number.to_string(), handle)),
            Err(error) => assert_eq!(error.kind(), Kind::NotThere, "{error:?}"),
        }
    }
    let there = place.agrees(&log);
    assert!(there >= 50 && there == place.acked.len(), "what is there was acknowledged or settled");
}

fn puts_that_hang_are_tried_again_and_then_everything_goes_on(bucket: &Bucket) {
    let place = Place::new(bucket, "hang").begun().asking(&[("attempt", "500ms"), ("pause", "5ms")]);
    let Some((mut place, proxy)) = place.behind_a_proxy() else { return };
    let log = place.start();
    place.write(&log, 0..20);
    proxy.do_to_requests(Faults::every_put(2, Fault::Hang));
    place.write(&log, 20..40);
    proxy.do_to_requests(Faults::every_put(2, Fault::HangAfter));
    place.write(&log, 40..60);
    proxy.mend();
    assert_eq!(place.agrees(&log), 60);
}
