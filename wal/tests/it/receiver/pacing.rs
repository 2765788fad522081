//! Rates, the lag, and restarts that end.

use std::cell::RefCell;
use std::time::Duration;

use headwater_wal::receiver::{Pushed, Rate, Restarts};
use headwater_wal::store::sim::SimClock;
use headwater_wal::{Error, Kind};

use super::{Scene, send, settle};

fn taken_in(scene: &Scene, millis: u64, rate: Rate) -> u64 {
    let receiver = scene.start();
    receiver.set_rate(rate).unwrap();
    let mut taken = 0;
    for _ in 0..millis {
        while receiver.try_push(0, taken, &[0; 10]).unwrap() == Pushed::Taken {
            taken += 1;
        }
        settle(&receiver);
        scene.pass(1);
    }
    taken
}

#[test]
fn records_come_at_the_rate_that_was_asked_for() {
    let rate = Rate { records: Some(500.0), bytes: None };
    let taken = taken_in(&Scene::new(), 2000, rate);
    assert!((1000..=1055).contains(&taken), "two seconds and a burst: {taken}");
    let rate = Rate { records: None, bytes: Some(2000.0) };
    let taken = taken_in(&Scene::new(), 2000, rate);
    assert!((400..=425).contains(&taken), "{taken}");
}

#[test]
fn a_rate_of_nothing_is_refused() {
    let receiver = Scene::new().start();
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let rate = Rate { records: Some(rate), bytes: None };
        assert_eq!(receiver.set_rate(rate).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn the_lag_says_how_long_the_oldest_record_waits() {
    let scene = Scene::new();
    let receiver = scene.start();
    scene.book().away = u32::MAX;
    send(&receiver, 0, 0..3);
    scene.pass(250);
    settle(&receiver);
    send(&receiver, 0, 3..4);
    scene.pass(100);
    let lag = receiver.lag();
    assert_eq!((lag.records, lag.blocks, lag.age), (4, 1, Duration::from_millis(350)));
    assert!(receiver.status().driver_away.is_some());
    scene.book().away = 0;
    scene.pass(10_000);
    settle(&receiver);
    assert_eq!(receiver.lag(), Default::default());
    assert!(receiver.status().driver_away.is_none());
}

fn failing(kind: Kind, restarts: Restarts, lives: Duration) -> (Error, Vec<u64>) {
    let clock = SimClock::new(1);
    let slept = RefCell::new(Vec::new());
    let sleep = |time: Duration| {
        clock.advance(time);
        slept.borrow_mut().push(time.as_millis() as u64);
        assert!(slept.borrow().len() < 100, "it ends");
    };
    let done = restarts.run(&clock, sleep, |_| -> Result<(), Error> {
        clock.advance(lives);
        if slept.borrow().len() == 20 {
            Err(Error::new(Kind::Fenced, "enough"))
        } else {
            Err(Error::new(kind, "dead"))
        }
    });
    (done.unwrap_err(), slept.into_inner())
}

#[test]
fn restarts_come_later_each_time_and_end_with_the_failure() {
    let restarts = Restarts { max: 4, within: Duration::from_secs(60), back_off: Duration::from_millis(100) };
    let (error, slept) = failing(Kind::Unknown, restarts, Duration::ZERO);
    assert_eq!(slept, [100, 200, 400, 800]);
    assert_eq!(error.kind(), Kind::Unknown);
    assert!(error.to_string().contains("restarts=4"), "{error}");
}

#[test]
fn restarts_far_apart_do_not_add_up() {
    let restarts = Restarts { max: 2, within: Duration::from_secs(60), back_off: Duration::from_millis(100) };
    let (error, slept) = failing(Kind::Closed, restarts, Duration::from_secs(90));
    assert_eq!((error.kind(), slept.len()), (Kind::Fenced, 20));
    assert!(slept.iter().all(|&time| time == 100));
}

#[test]
fn what_a_restart_does_not_mend_is_not_restarted() {
    for kind in [Kind::Fenced, Kind::Damaged, Kind::Invalid, Kind::Unsupported] {
        let (error, slept) = failing(kind, Restarts::default(), Duration::ZERO);
        assert_eq!((error.kind(), slept.len()), (kind, 0));
    }
}
