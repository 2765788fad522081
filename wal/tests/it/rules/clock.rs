//! Time: the engine's goes on by a clock that only goes forward, and a wall clock that jumps takes nothing away.

use std::time::Duration;

use headwater_wal::{Kind, Time};

use super::Place;

const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR_MILLIS: i64 = 365 * 24 * 3600 * 1000;

#[test]
fn a_large_jump_found_at_start_suspends_retiring_until_it_is_confirmed() {
    for place in Place::both() {
        let log = place.start();
        log.write("old");
        log.close().unwrap();
        place.clock.jump(YEAR_MILLIS);
        let log = place.start();
        log.write("new");
        log.seal().unwrap();
        let error = log.retire_before(log.now().before(DAY)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(
            error.to_string().contains("2026-01-01") && error.to_string().contains("2027-01-01"),
            "{error}"
        );
        assert_eq!(log.texts(), ["old", "new"]);
        log.write("appending goes on");
        log.confirm_clock();
        log.retire_before(log.now().before(DAY)).unwrap();
        assert_eq!(log.texts(), ["new", "appending goes on"]);
    }
}

#[test]
fn a_small_step_suspends_nothing() {
    for place in Place::both() {
        place.start().write("old");
        place.clock.advance(DAY / 2);
        let log = place.start();
        log.write("new");
        log.retire_before(log.now().before(DAY / 4)).unwrap();
        assert_eq!(log.texts(), ["new"]);
    }
}

#[test]
fn a_wall_clock_set_back_by_years_retires_nothing_early_and_time_goes_on() {
    for place in Place::both() {
        let log = place.start();
        log.write("first");
        log.close().unwrap();
        let reached = place.look().engine_time();
        place.clock.jump(-20 * YEAR_MILLIS);
        let log = place.start();
        assert!(log.now() >= reached, "engine time never goes back");
        log.write("second");
        log.seal().unwrap();
        place.clock.advance(DAY);
        assert!(log.now() >= reached.after(DAY), "and goes on");
        log.retire_before(log.now().before(DAY * 2)).unwrap();
        assert_eq!(log.texts(), ["first", "second"], "younger than two days");
        // Set right again within a life: no notice is taken of it.
        place.clock.jump(20 * YEAR_MILLIS);
        assert!(log.now() < reached.after(DAY * 2));
        log.retire_before(log.now().before(DAY * 2)).unwrap();
        assert_eq!(log.texts(), ["first", "second"]);
    }
}

#[test]
fn a_clock_that_stands_still_retires_nothing_early() {
    for place in Place::both() {
        let log = place.start();
        log.write("first");
        log.seal().unwrap();
        let sealed = log.now();
        place.clock.stand_still(true);
        place.clock.advance(DAY * 30);
        assert_eq!(log.now(), sealed, "a suspended machine's time stands still");
        log.write("second");
        log.retire_before(log.now().before(DAY)).unwrap();
        log.retire_before(log.now()).unwrap();
        assert_eq!(log.texts(), ["first", "second"]);
        place.clock.stand_still(false);
        place.clock.advance(DAY);
        log.retire_before(log.now()).unwrap();
        assert!(!log.texts().contains(&"first".into()));
    }
}

#[test]
fn engine_time_never_goes_back_over_restarts_whatever_the_wall_clock_does() {
    for place in Place::both() {
        let mut reached = Time(0);
        for (life, jump) in
            [0, -YEAR_MILLIS, YEAR_MILLIS / 2, -3 * YEAR_MILLIS, 5 * YEAR_MILLIS, -1].iter().enumerate()
        {
            place.clock.jump(*jump);
            let log = place.start();
            assert!(log.now() >= reached, "life {life}");
            place.clock.advance(Duration::from_secs(5));
            log.write("a life");
            log.seal().unwrap();
            reached = log.now();
            if life % 2 == 0 {
                log.crash();
            }
            assert_eq!(place.look().engine_time(), reached, "life {life}");
        }
        let chain = place.look().chain().clone();
        let closed: Vec<Time> = chain.segments().iter().filter_map(|segment| segment.closed_at).collect();
        assert!(closed.is_sorted(), "{closed:?}");
    }
}
