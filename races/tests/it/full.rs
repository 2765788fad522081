//! A disk that is full, and has room again, or is closed meanwhile.

use std::sync::Arc;
use std::time::Duration;

use headwater_wal::{Kind, Log, Time};
use shuttle::thread;

use crate::{Device, Passing, Shape, explore_while, found, has_all_its_room, record};

fn appending(log: &Arc<Log>) -> thread::JoinHandle<()> {
    let log = log.clone();
    thread::spawn(move || {
        let tickets: Vec<_> = (0..5).map(|number| log.append(Time(1), record(number)).unwrap()).collect();
        for ticket in tickets {
            ticket.wait().unwrap();
        }
    })
}

/// A log whose disk was full while two threads appended, and has room again.
fn full_and_free_again() -> (Arc<Log>, Device) {
    let (log, device) = Shape::Several.start();
    let log = Arc::new(log);
    device.fill(true);
    let threads = [appending(&log), appending(&log)];
    while log.waits_for_room().is_none() {
        thread::yield_now();
    }
    device.fill(false);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    (log, device)
}

#[test]
fn appends_wait_while_the_disk_is_full_and_go_on_afterwards() {
    explore_while(&[Passing::Passes], || {
        let (log, device) = full_and_free_again();
        assert!(log.waits_for_room().is_none());
        has_all_its_room(&log, &device);
    });
}

#[test]
fn retiring_overtakes_what_waits_on_a_full_disk() {
    explore_while(&[Passing::Passes], || {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        device.fill(true);
        let thread = appending(&log);
        while log.waits_for_room().is_none() {
            thread::yield_now();
        }
        log.retire_before(Time(1)).unwrap();
        device.fill(false);
        thread.join().unwrap();
        has_all_its_room(&log, &device);
    });
}

#[test]
fn close_on_a_full_disk_answers_everything() {
    explore_while(&[Passing::Passes], || {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        device.fill(true);
        let threads = [0, 1].map(|_| {
            let log = log.clone();
            thread::spawn(move || {
                let tickets = (0..5).map_while(|number| log.append(Time(1), record(number)).ok());
                let tickets: Vec<_> = tickets.collect();
                drop(log);
                let answers = tickets.into_iter().map(|ticket| ticket.wait().map_err(|error| error.kind()));
                answers.collect::<Vec<_>>()
            })
        });
        let room = device.clone();
        let room = thread::spawn(move || room.fill(false));
        let closed = log.close().map_err(|error| error.kind());
        drop(log);
        room.join().unwrap();
        let answers: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(answers.iter().all(|answer| answer.is_ok() || *answer == Err(Kind::Full)), "{answers:?}");
        let safe = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(found(&device).len(), safe, "full says that it is certainly not in the log");
        assert_eq!(closed.is_ok(), safe == answers.len(), "close tells of it: {closed:?} {answers:?}");
    });
}

#[test]
fn once_there_was_room_again_nobody_waits_for_the_disk_to_be_asked() {
    explore_while(&[Passing::Passes], || {
        let (log, device) = full_and_free_again();
        // From here on whoever asks the full disk again now and then does not help.
        parking_lot::set_long(Duration::from_millis(2));
        for _ in 0..3 {
            log.append(Time(1), record(1)).unwrap().wait().unwrap();
        }
    });
}
