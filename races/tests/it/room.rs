//! The line for room.

use std::sync::Arc;

use headwater_wal::{Log, Time};
use shuttle::thread;

use crate::{Shape, block_on, explore, has_all_its_room, poll_once, record};

fn spawn(log: &Arc<Log>, work: impl FnOnce(&Log) + Send + 'static) -> thread::JoinHandle<()> {
    let log = log.clone();
    thread::spawn(move || work(&log))
}

#[test]
fn whoever_waits_for_room_gets_it() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let blocking = |log: &Log| (0..3).for_each(|_| drop(log.append(Time(1), record(1)).unwrap()));
        let awaiting = |log: &Log| {
            block_on(async {
                for _ in 0..3 {
                    drop(log.append_async(0, Time(1), record(2)).await.unwrap());
                }
            });
        };
        let threads = [spawn(&log, blocking), spawn(&log, awaiting), spawn(&log, blocking)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        log.append(Time(1), record(3)).unwrap().wait().unwrap();
        has_all_its_room(&log, &device);
    });
}

#[test]
fn whoever_leaves_the_line_for_room_takes_none_of_it_along() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let leaving = |log: &Log| {
            for _ in 0..3 {
                let mut appending = log.append_async(0, Time(1), record(1));
                drop(poll_once(&mut appending));
                thread::yield_now();
            }
        };
        let blocking = |log: &Log| (0..4).for_each(|_| drop(log.append(Time(1), record(2)).unwrap()));
        let threads = [spawn(&log, leaving), spawn(&log, blocking), spawn(&log, leaving)];
        (0..2).for_each(|_| drop(log.append(Time(1), record(3)).unwrap()));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        log.append(Time(1), record(4)).unwrap().wait().unwrap();
        has_all_its_room(&log, &device);
    });
}

#[test]
fn a_large_record_in_line_is_not_passed_by_small_ones() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        // It fits only where nothing else is.
        let large = |log: &Log| assert!(log.append(Time(1), vec![1; 4000]).unwrap().wait().is_ok());
        let small = |log: &Log| (0..4).for_each(|_| drop(log.append(Time(1), record(2)).unwrap()));
        let threads = [spawn(&log, large), spawn(&log, small), spawn(&log, small)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        log.append(Time(1), record(4)).unwrap().wait().unwrap();
        has_all_its_room(&log, &device);
    });
}
