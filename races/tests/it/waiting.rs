//! Tickets: waited for, awaited, asked, left alone.

use std::sync::Arc;
use std::time::Duration;

use headwater_wal::{Position, Ticket, Time};
use shuttle::thread;

use crate::{Passing, Shape, block_on, explore, explore_while, found, has_all_its_room, poll_once, record};

fn appenders_are_answered_in_their_order(shape: Shape) {
    explore(move || {
        let (log, device) = shape.start();
        let log = Arc::new(log);
        let append = |log: &headwater_wal::Log| {
            let first = log.append(Time(1), record(1)).unwrap();
            let second = log.append(Time(1), record(2)).unwrap();
            let second = second.wait().unwrap();
            let first = first.answer().expect("an earlier record is answered earlier").unwrap();
            assert!(first.position() < second.position(), "records lie in the order of their appends");
            assert_eq!(log.read(&first).unwrap().payload, record(1));
            assert!(log.append(Time(1), record(3)).unwrap().wait().unwrap().position() > second.position());
        };
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let log = log.clone();
                thread::spawn(move || append(&log))
            })
            .collect();
        append(&log);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        has_all_its_room(&log, &device);
        log.close().unwrap();
        assert_eq!(found(&device).iter().filter(|&&number| number < 99).count(), 9);
    });
}

#[test]
fn appenders_with_several_groups_at_the_device_are_answered_in_their_order() {
    appenders_are_answered_in_their_order(Shape::Several);
}

#[test]
fn appenders_with_one_group_at_the_device_are_answered_in_their_order() {
    appenders_are_answered_in_their_order(Shape::One);
}

#[test]
fn appenders_of_objects_are_answered_in_their_order() {
    appenders_are_answered_in_their_order(Shape::Objects);
}

#[test]
fn of_groups_that_land_together_the_earlier_is_answered_first() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        device.hold();
        let tickets = [1, 2, 3].map(|number| log.append(Time(1), record(number)).unwrap());
        device.release();
        while tickets[2].answer().is_none() {
            assert!(tickets[1].answer().is_none() || tickets[0].answer().is_some());
            thread::yield_now();
        }
        assert!(tickets.iter().all(|ticket| ticket.answer().is_some()));
    });
}

#[test]
fn whoever_does_what_with_a_ticket_its_record_is_written() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let others: [fn(&headwater_wal::Log); 2] = [
            |log| {
                drop(log.append(Time(1), record(1)).unwrap());
                let mut polled = log.append(Time(1), record(2)).unwrap();
                let _ = poll_once(&mut polled);
                block_on(polled).unwrap();
                // Nobody ever asks for this one, nor says that nobody will.
                std::mem::forget(log.append(Time(1), record(3)).unwrap());
            },
            |log| {
                let ticket = log.append(Time(1), record(4)).unwrap();
                let _ = match ticket.wait_for(Duration::from_millis(1)) {
                    Ok(answer) => answer.unwrap(),
                    Err(ticket) => ticket.wait().unwrap(),
                };
                let mut held = log.append(Time(1), record(5)).unwrap();
                let _ = poll_once(&mut held);
                drop(log.append(Time(1), record(6)).unwrap());
                drop(held);
            },
        ];
        let threads = others.map(|work| {
            let log = log.clone();
            thread::spawn(move || work(&log))
        });
        log.append(Time(1), record(7)).unwrap().wait().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // What came before in the queue is answered before: what nobody asked for too.
        log.append(Time(1), record(8)).unwrap().wait().unwrap();
        has_all_its_room(&log, &device);
        log.close().unwrap();
        let mut found = found(&device);
        found.sort_unstable();
        assert_eq!(found[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    });
}

#[test]
fn a_record_that_nobody_asks_for_does_not_wait_for_long() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        log.append(Time(1), record(1)).unwrap().wait().unwrap();
        let ticket = log.append(Time(1), record(2)).unwrap();
        // Asking is no help: a lane has to come by itself.
        while ticket.answer().is_none() {
            thread::yield_now();
        }
        has_all_its_room(&log, &device);
    });
}

#[test]
fn a_caller_who_leads_leaves_nothing_behind_for_which_no_lane_comes() {
    explore_while(&[Passing::StandsStill, Passing::Creeps, Passing::Passes], || {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let log = log.clone();
                thread::spawn(move || {
                    for _ in 0..3 {
                        log.append(Time(1), record(number)).unwrap().wait().unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        has_all_its_room(&log, &device);
    });
}

#[test]
fn sealing_retiring_and_reading_go_on_beside_appends() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let (sealing, reading) = (log.clone(), log.clone());
        let sealing = thread::spawn(move || {
            sealing.seal().unwrap();
            let retired = sealing.retire_before(Time::MAX).unwrap();
            assert_eq!(retired.left, 0);
            sealing.seal().unwrap();
        });
        let reading = thread::spawn(move || {
            let pin = reading.pin(Position::START);
            let range = reading.range();
            assert!(range.start <= range.end);
            drop(pin);
            let _ = reading.replay(Position::START).map(Iterator::count);
        });
        for number in 0..4 {
            let ticket = log.append(Time(1), record(number)).unwrap();
            if number % 2 == 1 {
                ticket.wait().unwrap();
            }
        }
        sealing.join().unwrap();
        reading.join().unwrap();
        has_all_its_room(&log, &device);
    });
}

#[test]
fn a_ticket_that_is_given_up_is_not_left_to_a_lane_that_dozes() {
    explore_while(&[Passing::StandsStill], || {
        let (log, device) = Shape::Several.start();
        let give_up: [fn(Ticket); 3] =
            [drop, |mut ticket| drop(poll_once(&mut ticket)), |ticket| drop(ticket.wait_for(Duration::ZERO))];
        for give_up in give_up {
            log.append(Time(1), record(1)).unwrap().wait().unwrap();
            let before = log.range().end;
            give_up(log.append(Time(1), record(2)).unwrap());
            while log.range().end == before {
                thread::yield_now();
            }
        }
        log.append(Time(1), record(3)).unwrap().wait().unwrap();
        has_all_its_room(&log, &device);
    });
}
