//! Settling: the next started log says for ever what an unknown append came to.

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Kind, Time, Unsettled};

use crate::rules::{Life, Place};

/// Appends what answers `Unknown` although it lands, and kills the writer.
fn landed(place: &Place, log: Life) -> Unsettled {
    if place.grows() {
        // The sync fails, and the cache shows the group all the same.
        place.sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
    } else {
        place.sim.plan(When::nth(1).of(Op::Put), Fault::AnswerLost);
        place.sim.plan(When::from(1).of(Op::Put), Fault::Error);
    }
    let error = log.append(Time(9), "landed").unwrap().wait().unwrap_err();
    assert_eq!(error.kind(), Kind::Unknown);
    let unsettled = *error.unsettled().unwrap();
    log.crash();
    place.sim.calm();
    unsettled
}

#[test]
fn what_landed_settles_to_its_handle_for_ever() {
    for place in Place::both() {
        let log = place.start();
        log.write("acknowledged");
        let unsettled = landed(&place, log);
        let mut settled = None;
        for life in 0..3 {
            let log = place.start();
            let handle = log.settle(&unsettled).unwrap();
            assert_eq!(log.read(&handle).unwrap().payload, "landed");
            assert_eq!(*settled.get_or_insert(handle), handle, "life {life}");
            log.write(format!("life {life}"));
        }
    }
}

#[test]
fn what_was_never_handed_over_is_not_there() {
    for mut place in Place::both() {
        place.options = place.options.group_bytes_max(1);
        let log = place.start();
        let op = if place.grows() { Op::Write } else { Op::Put };
        place.sim.plan(When::from(1).of(op), Fault::Error);
        let tickets: Vec<_> = (0..3).map(|_| log.append(Time(1), "x").unwrap()).collect();
        let errors: Vec<_> = tickets.into_iter().map(|ticket| ticket.wait().unwrap_err()).collect();
        log.crash();
        place.sim.calm();
        place.sim.drop_caches();
        let heir = place.start();
        for error in &errors {
            assert_eq!(heir.settle(error.unsettled().unwrap()).unwrap_err().kind(), Kind::NotThere);
        }
    }
}

#[test]
fn a_retired_place_settles_as_retired() {
    for place in Place::both() {
        let log = place.start();
        log.write("acknowledged");
        let unsettled = landed(&place, log);
        let log = place.start();
        log.write("more");
        log.seal().unwrap();
        log.write("most");
        log.retire_before(Time::MAX).unwrap();
        assert_eq!(log.settle(&unsettled).unwrap_err().kind(), Kind::Retired);
    }
}

#[test]
fn the_log_that_answered_unknown_cannot_settle_it_itself() {
    for place in Place::both() {
        let log = place.start();
        let op = if place.grows() { Op::Write } else { Op::Put };
        place.sim.plan(When::from(1).of(op), Fault::Error);
        let error = log.append(Time(1), "x").unwrap().wait().unwrap_err();
        let error = log.settle(error.unsettled().unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains("a later start settles it"), "{error}");
    }
}

#[test]
fn another_log_does_not_settle_it() {
    for place in Place::both() {
        let log = place.start();
        log.write("acknowledged");
        let unsettled = landed(&place, log);
        let mut other = if place.grows() { Place::disk() } else { Place::bucket() };
        other.clock = std::sync::Arc::new(headwater_wal::store::sim::SimClock::new(99));
        other.start().write("theirs");
        let error = other.start().settle(&unsettled).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("another log"), "{error}");
    }
}

#[test]
fn an_unsettled_place_travels_as_fixed_bytes() {
    let place = Place::bucket();
    let log = place.start();
    log.write("acknowledged");
    let unsettled = landed(&place, log);
    let travelled = Unsettled::from_bytes(&unsettled.to_bytes()).unwrap();
    assert_eq!(travelled, unsettled);
    assert_eq!(place.start().settle(&travelled).map(|handle| handle.stored_len()).unwrap(), 6);
    assert_eq!(Unsettled::from_bytes(&[0; 39]).unwrap_err().kind(), Kind::Invalid);
}
