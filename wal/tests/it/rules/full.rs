//! A disk without room: appends wait, retiring and starting still work, nothing is lost, and no restart is needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_wal::store::sim::Op;
use headwater_wal::{Kind, Log, Position, Ticket, Time};

use super::{Life, Place, before, texts};

/// How many bytes the medium holds now.
fn held(place: &Place) -> u64 {
    place.sim.names().iter().map(|name| place.sim.read_raw(name).len() as u64).sum()
}

/// No room for anything more than what is kept back.
fn fill_up(place: &Place) {
    place.sim.set_capacity(Some(held(place) + (64 << 10)));
}

/// Appends until the log waits for room.
fn append_until_it_waits(log: &Log, round: usize) -> Vec<(String, Ticket)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut tickets = Vec::new();
    while log.waits_for_room().is_none() {
        assert!(Instant::now() < deadline, "it never waits");
        let text = format!("{round}-{}-{}", tickets.len(), "x".repeat(1000));
        match log.try_append(Time(1), text.clone()).unwrap() {
            Some(ticket) => tickets.push((text, ticket)),
            None => std::thread::yield_now(),
        }
    }
    tickets
}

#[test]
fn a_disk_filled_and_freed_a_hundred_times_loses_nothing_and_needs_no_restart() {
    let place = Place::disk();
    let log = place.open().unwrap().start(Position::START).unwrap();
    let mut all = Vec::new();
    for round in 0..100 {
        fill_up(&place);
        let tickets = append_until_it_waits(&log, round);
        assert_eq!(log.waits_for_room().unwrap().kind(), Kind::Full);
        assert!(log.failure().is_none());
        if round % 2 == 0 {
            place.sim.set_capacity(None);
        } else {
            // What makes room is retiring, which works while the disk is full.
            let begins = log.retire_before(Time::MAX).unwrap().begins;
            all.retain(|(_, handle): &(String, headwater_wal::Handle)| handle.position() >= begins);
            place.sim.set_capacity(Some(held(&place) + (256 << 10)));
        }
        for (text, ticket) in tickets {
            all.push((text, ticket.wait().unwrap()));
        }
        place.sim.set_capacity(None);
    }
    assert!(log.waits_for_room().is_none());
    let begins = log.range().start;
    let kept: Vec<String> =
        all.iter().filter(|(_, handle)| handle.position() >= begins).map(|(text, _)| text.clone()).collect();
    assert_eq!(texts(log.replay(Position::START).unwrap()), kept);
    log.close().unwrap();
    assert_eq!(place.texts(), kept);
}

#[test]
fn a_log_starts_on_a_full_disk_and_retires_there() {
    let place = Place::disk();
    let log = place.start();
    let handles = log.fill(60, 900);
    log.crash();
    place.sim.set_capacity(Some(held(&place) + (64 << 10)));
    for _ in 0..3 {
        let log = place.start();
        assert_eq!(log.texts().len(), 60);
        log.crash();
    }
    let log = place.start();
    let before = held(&place);
    let retired = log.retire_before(Time::MAX).unwrap();
    assert!(retired.removed > 0 && held(&place) < before, "{retired:?}");
    assert_eq!(log.read(&handles[0]).unwrap_err().kind(), Kind::Retired);
    log.write("there is room again");
}

#[test]
fn a_stepped_append_on_a_full_disk_tells_why_it_cannot_go_on_and_is_kept() {
    let place = Place::disk();
    let log = place.start();
    log.write("first");
    log.seal().unwrap();
    place.sim.set_capacity(Some(0));
    let ticket = log.append(Time(1), "waits").unwrap();
    let held = log.append(Time(1), "waits too").unwrap();
    assert_eq!(ticket.wait().unwrap_err().kind(), Kind::Full);
    assert!(held.answer().is_none(), "it is still in the queue");
    place.sim.set_capacity(None);
    held.wait().unwrap();
    assert_eq!(log.texts(), ["first", "waits", "waits too"]);
}

#[test]
fn retiring_waits_for_the_group_that_goes_first_when_there_is_room_again() {
    let place = Place::disk();
    let Life { log, process } = place.start();
    log.append(Time(1), "retired").unwrap().wait().unwrap();
    log.seal().unwrap();
    place.sim.set_capacity(Some(0));
    let ticket = log.append(Time(1), "waits").unwrap();
    assert!(!log.turn() && log.waits_for_room().is_some());
    place.sim.set_capacity(None);
    let log = Arc::new(log);
    let beside = log.clone();
    before(&process, Op::Write, "0", move || {
        // While the group that waited is at the device, and the log is not yet known to have room.
        drop(beside.append(Time(1), "beside").unwrap());
        assert!(beside.retire_before(Time::MAX).is_err(), "its turn comes when nothing is at the device");
    });
    ticket.wait().unwrap();
    while log.turn() {}
    assert!(log.failure().is_none(), "{:?}", log.failure());
    assert_eq!(texts(log.replay(Position::START).unwrap()), ["waits", "beside"]);
    assert!(log.range().start > Position::START, "it has retired");
}

#[test]
fn a_bucket_without_room_makes_appends_wait_too() {
    let place = Place::bucket();
    let log = place.start();
    log.write("first");
    place.sim.set_capacity(Some(0));
    let ticket = log.append(Time(1), "waits").unwrap();
    assert!(!log.turn());
    assert!(ticket.answer().is_none() && log.failure().is_none());
    assert_eq!(log.waits_for_room().unwrap().kind(), Kind::Full);
    place.sim.set_capacity(None);
    ticket.wait().unwrap();
    assert_eq!(log.texts(), ["first", "waits"]);
}

#[test]
fn closing_on_a_full_disk_says_what_was_left_behind() {
    let place = Place::disk();
    let log = place.open().unwrap().start(Position::START).unwrap();
    let first = log.append(Time(1), "first").unwrap().wait().unwrap();
    fill_up(&place);
    place.sim.set_capacity(Some(0));
    let tickets = append_until_it_waits(&log, 0);
    let error = log.close().unwrap_err();
    assert_eq!(error.kind(), Kind::Full, "what was handed in and could not be written is not passed over");
    let mut written = 1;
    let mut refused = 0;
    for (_, ticket) in tickets {
        match ticket.wait() {
            Ok(_) => written += 1,
            Err(error) => {
                assert_eq!(error.kind(), Kind::Full, "certainly not in the log");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert_eq!(log.append(Time(1), "late").unwrap_err().kind(), Kind::Closed);
    let survey = place.look();
    assert!(survey.chain().segments().last().unwrap().sealed, "the footer's room is kept");
    place.sim.set_capacity(None);
    let log = place.start();
    assert_eq!(log.texts().len(), written);
    assert_eq!(log.read(&first).unwrap().payload, "first");
}

#[test]
fn a_full_disk_met_at_the_very_write_is_a_failed_write() {
    use headwater_wal::store::sim::{Fault, Op, When};
    for op in [Op::Write, Op::Sync] {
        let place = Place::disk();
        let log = place.start();
        log.write("first");
        place.sim.plan(When::nth(1).of(op), Fault::Full);
        let error = log.append(Time(1), "second").unwrap().wait().unwrap_err();
        assert_eq!(error.kind(), Kind::Unknown);
        assert_eq!(log.append(Time(1), "third").unwrap_err().kind(), Kind::Closed);
        let unsettled = *error.unsettled().unwrap();
        log.crash();
        let heir = place.start();
        let there = heir.settle(&unsettled).is_ok();
        assert_eq!(heir.texts().len(), 1 + usize::from(there));
    }
}
