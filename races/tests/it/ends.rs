//! The end of a log: closed, dropped, failed, panicked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use headwater_wal::{Clock, Kind, Log, Position, Ticket, Time};
use shuttle::thread::{self, JoinHandle};

use crate::device::Device;
use crate::{Shape, explore, found, poll_once, record, start};

/// Appends until the log takes no more. Returns how many records were acknowledged, and how many not.
fn append_to_the_end(log: &Arc<Log>) -> JoinHandle<(usize, usize)> {
    let log = log.clone();
    thread::spawn(move || {
        let mut tickets = Vec::new();
        while tickets.len() < 6 {
            match log.append(Time(1), record(1)) {
                Ok(ticket) => tickets.push(ticket),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Closed);
                    break;
                }
            }
        }
        drop(log);
        answers(tickets)
    })
}

/// Waits for all of them: those that were acknowledged come before those that were not.
fn answers(tickets: Vec<Ticket>) -> (usize, usize) {
    let (mut safe, mut lost) = (0, 0);
    for ticket in tickets {
        match ticket.wait() {
            Ok(_) => {
                assert_eq!(lost, 0, "a log has no gaps");
                safe += 1;
            }
            Err(error) => {
                assert!(matches!(error.kind(), Kind::Closed | Kind::Unknown | Kind::Full), "{error}");
                lost += 1;
            }
        }
    }
    (safe, lost)
}

fn close_answers_all_that_was_handed_in(shape: Shape) {
    explore(move || {
        let (log, device) = shape.start();
        let log = Arc::new(log);
        let threads = [append_to_the_end(&log), append_to_the_end(&log)];
        log.close().unwrap();
        drop(log);
        let answers = threads.map(|thread| thread.join().unwrap());
        assert_eq!(answers.map(|(_, lost)| lost), [0, 0], "close writes what was handed in");
        assert_eq!(found(&device).len(), answers.iter().map(|(safe, _)| safe).sum());
    });
}

#[test]
fn close_with_several_groups_at_the_device_answers_all_that_was_handed_in() {
    close_answers_all_that_was_handed_in(Shape::Several);
}

#[test]
fn close_with_one_group_at_the_device_answers_all_that_was_handed_in() {
    close_answers_all_that_was_handed_in(Shape::One);
}

#[test]
fn close_with_objects_answers_all_that_was_handed_in() {
    close_answers_all_that_was_handed_in(Shape::Objects);
}

#[test]
fn of_two_who_close_one_does_and_the_place_is_free_for_the_next_life() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        drop(log.append(Time(1), record(1)).unwrap());
        let other = log.clone();
        let other = thread::spawn(move || other.close().map_err(|error| error.kind()));
        let ours = log.close().map_err(|error| error.kind());
        let outcomes = [ours, other.join().unwrap()];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.contains(&Err(Kind::Closed)));
        assert_eq!(found(&device), [1]);
    });
}

#[test]
fn tickets_outlive_the_log_that_is_dropped_beside_them() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let mut tickets: Vec<_> = (0..3).map(|number| log.append(Time(1), record(number)).unwrap()).collect();
        let mut polled = tickets.pop().unwrap();
        let _ = poll_once(&mut polled);
        let waiting = thread::spawn(move || answers(tickets));
        drop(log);
        assert!(polled.answer().expect("it was answered before the log was gone").is_ok());
        assert_eq!(waiting.join().unwrap(), (2, 0));
        assert_eq!(found(&device), [0, 1, 2]);
    });
}

fn a_broken_device_ends_everything(shape: Shape, panics: bool) {
    explore(move || {
        let (log, device) = shape.start();
        let log = Arc::new(log);
        device.fail_after(2, panics);
        let threads = [append_to_the_end(&log), append_to_the_end(&log)];
        let seal = log.seal();
        let closed = log.close().map_err(|error| error.kind());
        drop(log);
        let answers = threads.map(|thread| thread.join().unwrap());
        let lost: usize = answers.iter().map(|(_, lost)| lost).sum();
        assert!(closed.is_ok() || closed == Err(Kind::Unknown), "{closed:?}");
        if closed.is_ok() {
            assert!(lost == 0 && seal.is_ok(), "what close said is so");
        }
        let (safe, found) = (answers.iter().map(|(safe, _)| safe).sum::<usize>(), found(&device).len());
        assert!((safe..=safe + lost).contains(&found), "safe={safe} lost={lost} found={found}");
    });
}

#[test]
fn a_device_that_fails_ends_everything() {
    a_broken_device_ends_everything(Shape::Several, false);
}

#[test]
fn a_device_that_fails_with_one_group_there_ends_everything() {
    a_broken_device_ends_everything(Shape::One, false);
}

#[test]
fn a_device_that_panics_ends_everything() {
    a_broken_device_ends_everything(Shape::Several, true);
}

#[test]
fn of_a_log_that_has_failed_any_number_may_be_told_to_close() {
    explore(|| {
        let device = Device::new(true);
        device.dawdle();
        let log = Arc::new(start(device.clone()));
        device.fail_after(0, false);
        let other = log.clone();
        let other = thread::spawn(move || {
            let _ = other.append(Time(1), record(1)).map(Ticket::wait);
            other.close().map_err(|error| error.kind())
        });
        let _ = log.append(Time(1), record(3)).map(Ticket::wait);
        let ours = log.close().map_err(|error| error.kind());
        let theirs = other.join().unwrap();
        assert!(ours.is_err() || theirs.is_err());
        assert!(device.is_free(), "a log that is closed owns nothing");
    });
}

#[test]
fn a_clock_that_panics_ends_everything() {
    explore(|| {
        let device = Device::new(true);
        let clock = Arc::new(Stops(AtomicBool::new(false)));
        let opened = Log::open_with(Arc::new(device.clone()), crate::options(), clock.clone()).unwrap();
        let log = Arc::new(opened.start(Position::START).unwrap());
        let threads = [append_to_the_end(&log), append_to_the_end(&log)];
        clock.0.store(true, SeqCst);
        let _ = log.close();
        drop(log);
        let safe: usize = threads.map(|thread| thread.join().unwrap().0).iter().sum();
        assert!(found(&device).len() >= safe);
    });
}

/// A clock that panics from some time on.
#[derive(Debug)]
struct Stops(AtomicBool);

impl Clock for Stops {
    fn wall(&self) -> Time {
        crate::Still.wall()
    }

    fn elapsed(&self) -> Duration {
        assert!(!self.0.load(SeqCst), "the clock panics");
        Duration::ZERO
    }

    fn random(&self) -> [u8; 16] {
        crate::Still.random()
    }
}

#[test]
fn whoever_waits_for_room_hears_of_the_end() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        device.hold();
        let threads = [append_to_the_end(&log), append_to_the_end(&log), append_to_the_end(&log)];
        let closing = log.clone();
        let closing = thread::spawn(move || closing.close());
        device.release();
        closing.join().unwrap().unwrap();
        drop(log);
        let safe: usize = threads.map(|thread| thread.join().unwrap().0).iter().sum();
        assert_eq!(found(&device).len(), safe);
    });
}

#[test]
fn a_log_that_gets_fewer_threads_does_less_at_once_and_no_worse() {
    explore(|| {
        let device = Device::new(true);
        parking_lot::thread::spawns_left(3);
        let log = Arc::new(start(device.clone()));
        parking_lot::thread::spawns_left(usize::MAX);
        let threads = [append_to_the_end(&log), append_to_the_end(&log)];
        parking_lot::thread::spawns_left(0);
        let safe: usize = threads.map(|thread| thread.join().unwrap().0).iter().sum();
        log.close().unwrap();
        assert_eq!((safe, found_without_limit(&device)), (12, 12));
    });
}

fn found_without_limit(device: &Device) -> usize {
    parking_lot::thread::spawns_left(usize::MAX);
    found(device).len()
}

#[test]
fn a_log_that_gets_no_thread_at_all_gives_the_place_up() {
    explore(|| {
        for threads in 0..2 {
            let device = Device::new(true);
            parking_lot::thread::spawns_left(threads);
            let opened = Log::open(Arc::new(device.clone()), crate::options()).unwrap();
            let error = opened.start(Position::START).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
            assert_eq!(found_without_limit(&device), 0);
        }
    });
}
