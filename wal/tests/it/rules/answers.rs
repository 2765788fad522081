//! Answers that are lost, requests that land late: what is not known is called unknown, and the next started log
//! settles it for ever.

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Error, Handle, Kind, Position, Time, Unsettled};

use super::{Life, Place, before};

const SEGMENTS: &str = "0";

/// Appends what answers `Unknown`, and kills the writer.
fn unknown(place: &Place, log: Life, text: &str, fault: Fault) -> (Error, Unsettled) {
    place.sim.plan(When::from(1).of(Op::Put).by(&log.process), fault);
    let error = log.append(Time(1), text.to_owned()).unwrap().wait().unwrap_err();
    assert_eq!(error.kind(), Kind::Unknown, "{error}");
    let unsettled = *error.unsettled().expect("an unknown append says where it would lie");
    log.crash();
    place.sim.calm();
    (error, unsettled)
}

#[test]
fn a_put_whose_answer_was_lost_is_read_back_and_acknowledged() {
    for fault in [Fault::AnswerLost, Fault::ExistsOwn] {
        let place = Place::bucket();
        let log = place.start();
        place.sim.plan(When::nth(1).of(Op::Put).on(SEGMENTS), fault);
        let first = log.write("first");
        log.write("second");
        assert_eq!(log.read(&first).unwrap().payload, "first");
        assert_eq!(log.texts(), ["first", "second"]);
        assert_eq!(place.segments().len(), 3, "put once");
    }
}

#[test]
fn a_put_whose_request_was_lost_is_put_again_with_the_same_bytes() {
    for fault in [Fault::RequestLost, Fault::Error, Fault::Held] {
        let place = Place::bucket();
        let log = place.start();
        place.sim.plan(When::nth(1).of(Op::Put).on(SEGMENTS), fault);
        let first = log.write("first");
        place.sim.land_all();
        assert_eq!(log.read(&first).unwrap().payload, "first", "{fault:?}");
        log.write("second");
        drop(log);
        assert_eq!(place.texts(), ["first", "second"]);
    }
}

#[test]
fn exists_and_then_not_found_is_unknown_and_never_a_loop() {
    let place = Place::bucket();
    let log = place.start();
    log.write("first");
    let operations = place.sim.operations();
    let (_, unsettled) = unknown(&place, log, "second", Fault::ExistsNothing);
    assert!(place.sim.operations() < operations + 20);
    let log = place.start();
    assert_eq!(log.settle(&unsettled).unwrap_err().kind(), Kind::NotThere);
}

#[test]
fn unknown_that_lands_after_the_next_start_is_dead_and_not_there() {
    let place = Place::bucket();
    let log = place.start();
    log.write("acknowledged");
    let (_, unsettled) = unknown(&place, log, "late", Fault::Held);
    let heir = place.start();
    assert_eq!(heir.settle(&unsettled).unwrap_err().kind(), Kind::NotThere);
    place.sim.land_all();
    assert_eq!(heir.settle(&unsettled).unwrap_err().kind(), Kind::NotThere, "settled for ever");
    heir.write("the heir's");
    assert_eq!(heir.texts(), ["acknowledged", "the heir's"]);
    heir.close().unwrap();
    let third = place.start();
    assert_eq!(third.settle(&unsettled).unwrap_err().kind(), Kind::NotThere);
    assert_eq!(third.texts(), ["acknowledged", "the heir's"]);
}

#[test]
fn unknown_that_lands_before_the_next_start_is_part_of_the_log() {
    let place = Place::bucket();
    let log = place.start();
    log.write("acknowledged");
    let (_, unsettled) = unknown(&place, log, "late", Fault::Held);
    place.sim.land_all();
    let heir = place.start();
    let handle = heir.settle(&unsettled).unwrap();
    assert_eq!(heir.read(&handle).unwrap().payload, "late");
    assert_eq!(heir.texts(), ["acknowledged", "late"]);
    assert_eq!(place.reader().read(&handle).unwrap().payload, "late");
}

#[test]
fn unknown_that_lands_while_the_next_one_starts_is_part_of_the_log() {
    let place = Place::bucket();
    let log = place.start();
    log.write("acknowledged");
    let (_, unsettled) = unknown(&place, log, "late", Fault::Held);
    let (starter, sim) = (place.sim.process(), place.sim.clone());
    before(&starter, Op::Put, SEGMENTS, move || sim.land_all());
    let heir = place.start_by(&starter, Position::START).unwrap();
    assert_eq!(heir.read(&heir.settle(&unsettled).unwrap()).unwrap().payload, "late");
    assert_eq!(heir.texts(), ["acknowledged", "late"]);
}

#[test]
fn the_handle_of_an_epoch_that_was_cut_is_not_there_though_the_same_payload_was_put_anew() {
    for place in Place::both() {
        let log = place.start();
        log.write("acknowledged");
        if place.grows() {
            place.sim.plan(When::nth(1).of(Op::Write), Fault::Error);
        } else {
            place.sim.plan(When::from(1).of(Op::Put), Fault::RequestLost);
        }
        let error = log.append(Time(1), "twice").unwrap().wait().unwrap_err();
        let unsettled = *error.unsettled().unwrap();
        log.crash();
        place.sim.calm();
        place.sim.drop_caches();
        let heir = place.start();
        let again = heir.write("twice");
        // As a caller would who takes the place of an unknown record for a handle.
        let cut = Handle::from_bytes(&unsettled.to_bytes()).unwrap();
        assert_ne!(again.epoch(), cut.epoch());
        assert_eq!(heir.read(&cut).unwrap_err().kind(), Kind::NotThere);
        assert_eq!(heir.settle(&unsettled).unwrap_err().kind(), Kind::NotThere);
        assert_eq!(place.reader().read(&cut).unwrap_err().kind(), Kind::NotThere);
        assert_eq!(heir.read(&again).unwrap().payload, "twice");
        assert_eq!(heir.texts(), ["acknowledged", "twice"]);
    }
}

#[test]
fn a_start_whose_answer_was_lost_reads_its_own_segment_back() {
    for fault in [Fault::AnswerLost, Fault::ExistsOwn] {
        let place = Place::bucket();
        place.start().write("before");
        place.sim.plan(When::nth(1).of(Op::Put).on(SEGMENTS), fault);
        let log = place.start();
        assert_eq!(log.epoch(), 2);
        log.write("after");
        assert_eq!(log.texts(), ["before", "after"]);
    }
}

#[test]
fn a_start_that_is_not_known_is_started_again_whenever_its_segment_lands() {
    for lands_before in [true, false] {
        let place = Place::bucket();
        place.start().write("before");
        place.sim.plan(When::nth(1).of(Op::Put).on(SEGMENTS), Fault::Held);
        let error = place.try_start(Position::START).unwrap_err();
        assert_eq!(error.kind(), Kind::Unknown, "{error}");
        if lands_before {
            place.sim.land_all();
        }
        let log = place.start();
        assert_eq!(log.epoch(), 3, "a number of its own");
        place.sim.land_all();
        log.write("after");
        assert_eq!(log.texts(), ["before", "after"]);
        drop(log);
        let survey = place.look();
        assert!(survey.refusal().is_none() && survey.aside().is_empty(), "{survey}");
        assert_eq!(place.texts(), ["before", "after"]);
    }
}

#[test]
fn a_start_that_failed_at_any_step_on_a_disk_is_started_again() {
    let whole = Place::disk();
    whole.start().fill(2, 100);
    let operations = {
        let place = Place { sim: whole.sim.fork(0), ..whole.clone() };
        let before = place.sim.operations();
        let log = place.start();
        let after = place.sim.operations();
        log.crash();
        after - before
    };
    for nth in 1..=operations {
        let place = Place { sim: whole.sim.fork(nth), ..whole.clone() };
        place.sim.plan(When::nth(nth), Fault::Error);
        let first = place.try_start(Position::START);
        assert!(first.as_ref().is_ok_and(|log| log.texts().len() == 2) || first.is_err(), "{nth}");
        drop(first);
        let log = place.start();
        log.write("after");
        assert_eq!(log.texts().len(), 3, "operation {nth}");
    }
}

#[test]
fn a_claim_whose_answer_was_lost_costs_a_number_and_no_more() {
    let place = Place::bucket();
    place.sim.plan(When::nth(1).of(Op::Put).on("epoch"), Fault::AnswerLost);
    let log = place.start();
    assert_eq!(log.epoch(), 2);
    log.write("first");
    assert_eq!(log.texts(), ["first"]);
}
