//! Rule 8: what a replaced writer is told, however late it wakes.

use std::sync::mpsc::channel;

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Error, Kind, Position, Time};

use super::{Life, Place, before, name};

/// A writer that sleeps before its next put while an heir lives, and what it is told.
fn sleep_through(heirs_life: impl FnOnce(&Life, Position) + Send + 'static) -> (Place, Life, Life, Error) {
    let place = Place::bucket();
    let zombie = place.start();
    zombie.write("acknowledged");
    let next = zombie.range().end;
    let other = place.clone();
    let (send, heir) = channel();
    before(&zombie.process, Op::Put, "0", move || {
        let heir = other.start();
        heirs_life(&heir, next);
        send.send(heir).unwrap();
    });
    let error = zombie.append(Time(1), "late").unwrap().wait().unwrap_err();
    assert!(format!("{error:?}").contains("epoch=1 newer=2"), "{error:?}");
    assert!(place.sim.has(&name(next)), "the segment that began the heir's epoch is never removed");
    (place, zombie, heir.recv().unwrap(), error)
}

#[test]
fn a_writer_that_slept_while_another_took_over_is_fenced_for_good() {
    let (_place, zombie, heir, error) = sleep_through(|heir, _| drop(heir.fill(3, 100)));
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    for _ in 0..2 {
        assert_eq!(zombie.append(Time(1), "again").unwrap_err().kind(), Kind::Fenced);
        assert_eq!(zombie.retire_before(Time::MAX).unwrap_err().kind(), Kind::Fenced);
        assert_eq!(zombie.seal().unwrap_err().kind(), Kind::Fenced);
    }
    assert_eq!(zombie.failure().unwrap().kind(), Kind::Fenced);
    drop(zombie);
    heir.write("goes on");
    assert_eq!(heir.texts().len(), 5);
}

#[test]
fn a_zombie_that_wakes_after_its_next_name_was_retired_never_hears_that_it_was_written() {
    let (place, zombie, heir, error) = sleep_through(|heir, next| {
        heir.fill(3, 100);
        let retired = heir.retire_before(Time::MAX).unwrap();
        assert!(retired.begins > next, "the zombie's next name lies below the beginning");
    });
    // What lies below the beginning may have been part of the log, so nothing is certain but that nobody was told.
    assert_eq!(error.kind(), Kind::Unknown, "{error:?}");
    assert_eq!(heir.settle(error.unsettled().unwrap()).unwrap_err().kind(), Kind::Retired);
    assert_eq!(zombie.append(Time(1), "again").unwrap_err().kind(), Kind::Closed);
    assert_eq!(zombie.retire_before(Time::MAX).unwrap_err().kind(), Kind::Closed);
    drop(zombie);
    heir.write("goes on");
    let texts = heir.texts();
    assert!(!texts.contains(&"late".into()) && texts.last().unwrap() == "goes on");
    drop(heir);
    assert_eq!(place.texts(), texts);
}

#[test]
fn an_old_writer_cannot_retire_after_it_was_replaced() {
    let place = Place::bucket();
    let old = place.start();
    old.fill(3, 100);
    let heir = place.start();
    let names = place.segments();
    assert_eq!(old.retire_before(Time::MAX).unwrap_err().kind(), Kind::Fenced);
    assert_eq!(place.segments(), names, "nothing was removed");
    assert_eq!(heir.texts().len(), 3);
}

#[test]
fn who_waits_behind_a_fenced_group_is_fenced_too_and_nothing_of_it_is_in_the_log() {
    let mut place = Place::bucket();
    place.options = place.options.group_bytes_max(1);
    let old = place.start();
    old.write("acknowledged");
    let heir = place.start();
    let tickets: Vec<_> =
        (0..5).map(|number| old.append(Time(1), format!("late {number}")).unwrap()).collect();
    for ticket in tickets {
        assert_eq!(ticket.wait().unwrap_err().kind(), Kind::Fenced);
    }
    heir.write("the heir's");
    assert_eq!(heir.texts(), ["acknowledged", "the heir's"]);
}

#[test]
fn a_put_that_may_have_landed_before_the_heir_came_is_unknown_and_never_fenced() {
    let place = Place::bucket();
    let old = place.start();
    old.write("acknowledged");
    // The answer of the first put is lost, and so is the way to the store.
    place.sim.plan(When::nth(1).of(Op::Put).by(&old.process), Fault::AnswerLost);
    place.sim.plan(When::from(1).of(Op::Put).by(&old.process), Fault::Error);
    let error = old.append(Time(1), "landed").unwrap().wait().unwrap_err();
    assert_eq!(error.kind(), Kind::Unknown);
    let unsettled = *error.unsettled().unwrap();
    let heir = place.start();
    let settled = heir.settle(&unsettled).unwrap();
    assert_eq!(heir.read(&settled).unwrap().payload, "landed");
    assert_eq!(heir.texts(), ["acknowledged", "landed"]);
}

#[test]
fn a_log_whose_lock_was_taken_away_begins_no_segment() {
    let place = Place::disk();
    let old = place.start();
    old.write("acknowledged");
    place.sim.break_lock();
    let mut outcome = Ok(());
    for number in 0..40 {
        match old.append(Time(1), format!("{number}-{}", "x".repeat(1000))).unwrap().wait() {
            Ok(_) => {}
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    assert_eq!(outcome.unwrap_err().kind(), Kind::Fenced);
    assert_eq!(old.append(Time(1), "again").unwrap_err().kind(), Kind::Fenced);
    assert_eq!(place.segments().len(), 2);
}

#[test]
fn an_epoch_that_nobody_wrote_in_is_still_a_fence() {
    let place = Place::bucket();
    let old = place.start();
    old.write("acknowledged");
    for _ in 0..5 {
        place.start();
    }
    assert_eq!(old.append(Time(1), "late").unwrap().wait().unwrap_err().kind(), Kind::Fenced);
    let survey = place.look();
    assert_eq!((survey.epoch(), survey.refusal().is_none()), (6, true));
    assert_eq!(place.texts(), ["acknowledged"]);
    assert!(survey.end() > Position::START);
}
