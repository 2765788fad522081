//! Retiring: the mark first, whole segments only, nothing that is pinned; what is left over goes later.

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Because, Handle, Kind, Position, Time};

use super::{Life, Place, before, name};

fn several(log: &Life) -> Vec<Handle> {
    (0..4)
        .map(|number| {
            let handle = log.write(format!("{number}"));
            log.seal().unwrap();
            handle
        })
        .collect()
}

#[test]
fn the_mark_is_durable_before_anything_is_removed() {
    for place in Place::both() {
        let log = place.start();
        several(&log);
        log.write("last");
        place.sim.keep_history();
        log.retire_before(Time::MAX).unwrap();
        let history = place.sim.history();
        let first_remove = history.iter().position(|line| line.contains(" remove ")).unwrap();
        let mark = if place.grows() { " sync " } else { " put " };
        assert!(history[..first_remove].iter().any(|line| line.contains(mark)), "{history:?}");
        assert!(!history[first_remove..].iter().any(|line| line.contains(" write ") || line.contains(mark)));
    }
}

#[test]
fn a_crash_at_any_step_of_retiring_loses_nothing_that_was_not_to_go() {
    for whole in Place::both() {
        let log = whole.start();
        several(&log);
        log.crash();
        for nth in 1.. {
            let place = Place { sim: whole.sim.fork(nth), ..whole.clone() };
            let log = place.start();
            log.write("last");
            let began = place.sim.operations();
            place.sim.plan(When::nth(nth).by(&log.process), Fault::Crash);
            let ended = log.retire_before(Time::MAX).is_ok();
            let hit = place.sim.operations() - began >= nth;
            drop(log);
            place.sim.power_cut();
            let texts = place.start().texts();
            assert!(texts.ends_with(&["last".into()]), "operation {nth}: {texts:?}");
            assert!(["0", "last"].contains(&texts[0].as_str()), "all or none: operation {nth}: {texts:?}");
            if ended && !hit {
                break;
            }
        }
    }
}

#[test]
fn a_retired_leftover_is_removed_at_the_next_start() {
    for place in Place::both() {
        let log = place.start();
        let handles = several(&log);
        log.write("last");
        place.sim.plan(When::from(1).of(Op::Remove), Fault::Error);
        let retired = log.retire_before(Time::MAX).unwrap();
        assert!(retired.left > 0 && retired.removed < retired.left, "{retired:?}");
        assert!(handles.iter().all(|handle| place.sim.has(&name(handle.base()))));
        log.crash();
        place.sim.calm();
        let survey = place.look();
        let left = survey.aside().iter().filter(|aside| aside.because == Because::Retired).count();
        assert!(left >= 4, "{survey}");
        let log = place.start();
        assert!(handles.iter().all(|handle| !place.sim.has(&name(handle.base()))));
        assert_eq!(place.sim.has(&name(Position::START)), !place.grows(), "an epoch's first one is a fence");
        assert_eq!(log.texts(), ["last"]);
    }
}

#[test]
fn a_failed_removal_is_tried_again_by_the_next_retirement() {
    for place in Place::both() {
        let log = place.start();
        several(&log);
        log.write("last");
        place.sim.plan(When::nth(1).of(Op::Remove), Fault::Error);
        let first = log.retire_before(Time::MAX).unwrap();
        assert_eq!(first.left, 1);
        let second = log.retire_before(Time::MAX).unwrap();
        assert_eq!((second.left, second.begins >= first.begins), (0, true));
    }
}

#[test]
fn a_pin_keeps_its_segment_and_everything_behind_it() {
    for place in Place::both() {
        let log = place.start();
        let handles = several(&log);
        let pins = [log.pin(handles[2].position()).unwrap(), log.pin(handles[2].position()).unwrap()];
        let other = log.pin(handles[3].position()).unwrap();
        log.retire_before(Time::MAX).unwrap();
        assert_eq!(log.read(&handles[1]).unwrap_err().kind(), Kind::Retired);
        for handle in &handles[2..] {
            log.read(handle).unwrap();
        }
        assert_eq!(log.pin(handles[0].position()).unwrap_err().kind(), Kind::Retired);
        let [one, two] = pins;
        drop(one);
        log.retire_before(Time::MAX).unwrap();
        log.read(&handles[2]).unwrap();
        drop(two);
        log.retire_before(Time::MAX).unwrap();
        assert_eq!(log.read(&handles[2]).unwrap_err().kind(), Kind::Retired);
        log.read(&handles[3]).unwrap();
        drop(other);
    }
}

#[test]
fn a_pin_that_is_given_while_a_retirement_is_under_way_keeps_what_it_pins_or_is_refused() {
    for place in Place::both() {
        let log = std::sync::Arc::new(place.start());
        let handles = several(&log);
        log.write("last");
        let (send, pinned) = std::sync::mpsc::channel();
        let (pinner, position) = (std::sync::Arc::downgrade(&log), handles[1].position());
        let op = if place.grows() { Op::Write } else { Op::Put };
        before(&log.process, op, "0", move || {
            let log = pinner.upgrade().unwrap();
            send.send(log.pin(position)).unwrap();
        });
        log.retire_before(Time::MAX).unwrap();
        match pinned.recv().unwrap() {
            Ok(_pin) => assert_eq!(log.read(&handles[1]).unwrap().payload, "1", "a pin was given"),
            Err(error) => assert_eq!(error.kind(), Kind::Retired),
        };
    }
}

#[test]
fn only_what_is_older_than_asked_goes_and_the_active_segment_never() {
    for place in Place::both() {
        let log = place.start();
        let mut handles = Vec::new();
        let mut times = Vec::new();
        for number in 0..4 {
            handles.push(log.write(format!("{number}")));
            log.seal().unwrap();
            times.push(log.now());
            place.clock.advance(std::time::Duration::from_secs(60));
        }
        log.write("last");
        log.retire_before(times[2]).unwrap();
        assert_eq!(log.read(&handles[1]).unwrap_err().kind(), Kind::Retired);
        assert_eq!(log.read(&handles[2]).unwrap().payload, "2", "sealed at that very time");
        let before = log.range().start;
        log.retire_before(Time(0)).unwrap();
        assert_eq!(log.range().start, before, "the beginning never goes back");
        log.retire_before(log.now()).unwrap();
        assert_eq!(log.texts(), ["last"]);
    }
}

#[test]
fn claims_are_swept_but_for_the_newest() {
    let place = Place::bucket();
    for _ in 0..5 {
        place.start().write("a life");
    }
    assert_eq!(place.names_beginning("epoch/"), [format!("epoch/{:020}", 5)]);
    assert_eq!(place.look().epoch(), 5);
}
