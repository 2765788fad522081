//! Groups on objects, where each is a put of its own: several under way at once, at their pace, answered in their order.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use headwater_wal::store::Name;
use headwater_wal::store::sim::{Fault, Op, Process, When};
use headwater_wal::{Kind, Log, Position, Ticket, Time};

use super::{HANGS, Held, start};
use crate::rules::Place;

/// A store of objects on which groups do not linger.
fn bucket() -> Place {
    let mut place = Place::bucket();
    place.options = place.options.linger(Duration::ZERO).in_flight_bytes_max(1 << 20);
    place
}

/// Stops the next `count` puts of a process, each in front of the device.
fn hold_puts(process: &Process, count: u64) -> Vec<Held> {
    (1..=count)
        .map(|nth| {
            let ((arrive, arrived), (release, released)) = (channel(), channel::<()>());
            process.before(When::nth(nth).of(Op::Put), move || {
                let _ = arrive.send(());
                let _ = released.recv();
            });
            Held { arrived, release }
        })
        .collect()
}

/// Appends a record that goes alone, since the one before it is at the device when this is called.
fn append(log: &Log, text: &str) -> Ticket {
    log.append(Time(1), text.to_owned()).unwrap()
}

/// Waits until so many segments lie there.
fn until_there(place: &Place, count: usize) {
    let begun = Instant::now();
    while place.segments().len() < count {
        assert!(begun.elapsed() < HANGS, "{:?}", place.segments());
        std::thread::yield_now();
    }
}

#[test]
fn a_put_that_lands_before_an_earlier_one_is_acknowledged_behind_it() {
    let place = bucket();
    let (log, process) = start(&place);
    let mut held = hold_puts(&process, 1);
    let first = append(&log, "first");
    held[0].stands();
    let second = append(&log, "second");
    until_there(&place, 2);
    assert!(second.answer().is_none() && first.answer().is_none(), "nothing is acknowledged behind a hole");
    held.remove(0).release();
    let (first, second) = (first.wait().unwrap(), second.wait().unwrap());
    assert!(first.position() < second.position());
    log.close().unwrap();
    assert_eq!(place.texts(), ["first", "second"]);
}

#[test]
fn what_landed_behind_a_hole_is_not_part_of_the_log() {
    let place = bucket();
    let (log, process) = start(&place);
    let held = hold_puts(&process, 1);
    let first = append(&log, "first");
    held[0].stands();
    let second = append(&log, "second");
    until_there(&place, 2);
    let heir = place.start();
    drop(held);
    for ticket in [first, second] {
        assert_eq!(ticket.wait().unwrap_err().kind(), Kind::Fenced);
    }
    drop(log);
    heir.write("of the heir");
    drop(heir);
    assert_eq!(place.texts(), ["of the heir"]);
}

#[test]
fn a_group_before_the_one_that_was_fenced_is_not_called_absent() {
    let place = bucket();
    let (log, process) = start(&place);
    // The first has landed, and its answer is not there yet; the second lands; the third finds the heir at its name.
    place.sim.plan(When::nth(1).of(Op::Put).by(&process), Fault::AnswerLost);
    let mut held = hold_puts(&process, 3);
    let first = append(&log, "first");
    held[0].stands();
    held.remove(0).release();
    held[0].stands();
    let second = append(&log, "second");
    held[1].stands();
    let third_held = hold_puts(&process, 1);
    held.remove(1).release();
    until_there(&place, 3);
    let third = append(&log, "third");
    third_held[0].stands();
    let heir = place.start();
    drop(third_held);
    assert_eq!(third.wait().unwrap_err().kind(), Kind::Fenced);
    let unknown = second.wait().unwrap_err();
    assert_eq!(unknown.kind(), Kind::Unknown, "{unknown}");
    drop(held);
    assert_eq!(first.wait().unwrap_err().kind(), Kind::Unknown);
    drop((log, heir));
    assert_eq!(place.texts(), ["first", "second"]);
}

#[test]
fn no_more_puts_are_under_way_than_was_said() {
    let mut place = bucket();
    place.options = place.options.puts_in_flight(2);
    let (log, process) = start(&place);
    let mut held = hold_puts(&process, 3);
    let tickets: Vec<_> = (0..2)
        .map(|number| {
            let ticket = append(&log, &format!("{number}"));
            held[number].stands();
            ticket
        })
        .collect();
    let last = append(&log, "last");
    assert!(held[2].arrived.recv_timeout(Duration::from_millis(100)).is_err());
    held.remove(0).release();
    held[1].stands();
    drop(held);
    tickets.into_iter().chain([last]).for_each(|ticket| assert!(ticket.wait().is_ok()));
}

#[test]
fn what_is_in_flight_is_bounded_in_bytes() {
    let mut place = bucket();
    // A little more than the largest record.
    place.options = place.options.in_flight_bytes_max(1);
    let (log, process) = start(&place);
    let mut held = hold_puts(&process, 2);
    let large = vec![7; 16 << 10];
    let first = log.append(Time(1), large.clone()).unwrap();
    held[0].stands();
    let second = log.append(Time(1), large).unwrap();
    assert!(held[1].arrived.recv_timeout(Duration::from_millis(100)).is_err());
    held.remove(0).release();
    held[0].stands();
    drop(held);
    first.wait().unwrap();
    second.wait().unwrap();
}

#[test]
fn a_group_lingers_unless_it_is_full_or_the_log_closes() {
    let mut place = bucket();
    place.options = place.options.linger(Duration::from_secs(60)).group_bytes_max(1_000);
    let (log, _) = start(&place);
    append(&log, &"x".repeat(2_000)).wait().unwrap();
    let small: Vec<_> = (0..5).map(|number| append(&log, &format!("{number}"))).collect();
    std::thread::sleep(Duration::from_millis(50));
    assert!(small.iter().all(|ticket| ticket.answer().is_none()));
    assert_eq!(place.segments().len(), 2);
    log.close().unwrap();
    small.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok()));
    assert_eq!(place.segments().len(), 3, "they share a put");
}

#[test]
fn a_group_that_has_lingered_goes_also_where_the_clock_stands_still() {
    let mut place = bucket();
    place.options = place.options.linger(Duration::from_millis(30));
    let (log, _) = start(&place);
    for number in 0..3 {
        append(&log, &format!("{number}")).wait().unwrap();
    }
}

#[test]
fn a_group_for_which_there_was_no_room_keeps_its_place_before_those_behind_it() {
    let place = bucket();
    let (log, process) = start(&place);
    let mut held = hold_puts(&process, 1);
    let first = append(&log, "first");
    held[0].stands();
    let second = append(&log, "second");
    until_there(&place, 2);
    place.sim.plan(When::nth(1).of(Op::Put).by(&process), Fault::Full);
    held.remove(0).release();
    first.wait().unwrap();
    second.wait().unwrap();
    drop(log);
    assert_eq!(place.texts(), ["first", "second"]);
}

#[test]
fn a_close_that_finds_no_room_for_a_group_before_others_says_so_and_hangs_nobody() {
    let place = bucket();
    let (log, process) = start(&place);
    let mut held = hold_puts(&process, 1);
    let first = append(&log, "first");
    held[0].stands();
    let second = append(&log, "second");
    until_there(&place, 2);
    place.sim.plan(When::from(1).of(Op::Put).by(&process), Fault::Full);
    held.remove(0).release();
    assert_eq!(log.close().unwrap_err().kind(), Kind::Full);
    for ticket in [first, second] {
        assert_eq!(ticket.wait().unwrap_err().kind(), Kind::Unknown);
    }
    place.sim.calm();
    place.start().write("later");
    assert_eq!(place.texts(), ["later"]);
}

#[test]
fn a_busy_writer_ends_when_it_sees_a_newer_claim_and_what_was_under_way_is_acknowledged() {
    let place = bucket();
    let (log, process) = start(&place);
    let claim = Name::new("epoch/00000000000000000009").unwrap();
    place.sim.store().put(&claim, "another".into()).unwrap();
    let mut held = hold_puts(&process, 1);
    let first = append(&log, "first");
    held[0].stands();
    place.clock.advance(Duration::from_secs(2));
    let second = append(&log, "second");
    std::thread::sleep(Duration::from_millis(50));
    held.remove(0).release();
    first.wait().unwrap();
    let fenced = second.wait().unwrap_err();
    assert_eq!(fenced.kind(), Kind::Fenced, "{fenced}");
    assert!(fenced.to_string().contains("newer=9"), "{fenced}");
    drop(log);
    assert_eq!(place.texts(), ["first"]);
    assert_eq!(place.try_start(Position::START).unwrap().log.epoch(), 10);
}

#[test]
fn a_refusal_that_finds_nothing_at_its_name_is_asked_again() {
    let place = bucket();
    let (log, process) = start(&place);
    place.sim.plan(When::nth(1).of(Op::Put).by(&process), Fault::ExistsNothing);
    append(&log, "once").wait().unwrap();
    // For ever it is not: then nobody knows.
    place.sim.plan(When::from(1).of(Op::Put).by(&process), Fault::ExistsNothing);
    assert_eq!(append(&log, "never").wait().unwrap_err().kind(), Kind::Unknown);
    place.sim.calm();
    drop(log);
    assert_eq!(place.texts(), ["once"]);
}
