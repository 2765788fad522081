//! Waiting for an answer, in every way there is, or not at all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use headwater_wal::store::sim::Op;
use headwater_wal::{Position, Ticket, Time};

use super::{HANGS, Held, Woken, block_on, start};
use crate::rules::{Place, texts};

#[test]
fn a_ticket_is_waited_for_awaited_or_asked() {
    for place in Place::both() {
        let (log, _) = start(&place);
        let waited = log.append(Time(1), "waited").unwrap().wait().unwrap();
        let awaited = block_on(log.append(Time(1), "awaited").unwrap()).unwrap();
        let timed = log.append(Time(1), "timed").unwrap().wait_for(HANGS).unwrap().unwrap();
        let asked = log.append(Time(1), "asked").unwrap();
        log.seal().unwrap();
        let answer = asked.answer().expect("sealed behind it").unwrap();
        assert_eq!(asked.wait().unwrap(), answer, "the same answer, however often");
        let handles = [waited, awaited, timed, answer];
        assert!(handles.is_sorted_by_key(|handle| handle.position()));
        assert_eq!(texts(log.read_many(&handles)), ["waited", "awaited", "timed", "asked"]);
    }
}

#[test]
fn a_ticket_comes_back_from_a_wait_that_was_too_short() {
    for place in Place::both() {
        let (log, process) = start(&place);
        let held = Held::before(&process, if place.grows() { Op::Write } else { Op::Put });
        let ticket = log.append(Time(1), "slow").unwrap();
        held.stands();
        let ticket = ticket.wait_for(Duration::from_millis(5)).unwrap_err();
        let ticket = ticket.wait_for(Duration::ZERO).unwrap_err();
        assert!(ticket.answer().is_none());
        held.release();
        let handle = ticket.wait_for(HANGS).unwrap().unwrap();
        assert_eq!(log.read(&handle).unwrap().payload, "slow");
    }
}

#[test]
fn tickets_are_awaited_on_several_threads_and_answered_in_order() {
    let place = Place::disk();
    let (log, _) = start(&place);
    let handles: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || {
                    let handles: Vec<_> = (0..50)
                        .map(|number| {
                            let text = format!("{thread}-{number}");
                            let ticket = block_on(log.append_async(0, Time(1), text.clone())).unwrap();
                            (text, if number % 2 == 0 { block_on(ticket) } else { ticket.wait() }.unwrap())
                        })
                        .collect();
                    assert!(
                        handles.is_sorted_by_key(|(_, handle)| handle.position()),
                        "a caller's own order"
                    );
                    handles
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(handles.len(), 400);
    for (text, handle) in &handles {
        assert_eq!(log.read(handle).unwrap().payload, text.as_bytes());
    }
    assert_eq!(log.replay(Position::START).unwrap().count(), 400);
}

#[test]
fn an_awaited_ticket_wakes_its_last_task_once() {
    let place = Place::bucket();
    let (log, process) = start(&place);
    let held = Held::before(&process, Op::Put);
    let mut ticket = log.append(Time(1), "watched").unwrap();
    held.stands();
    let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    for woken in [&first, &first, &last] {
        let waker = Waker::from(woken.clone());
        assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    held.release();
    last.waits_for(1);
    log.seal().unwrap();
    assert_eq!((first.times(), last.times()), (0, 1));
    let waker = Waker::from(last.clone());
    assert!(matches!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(_))));
}

#[test]
fn a_ticket_is_dropped_without_harm_before_while_and_after_it_is_answered() {
    for place in Place::both() {
        let (log, process) = start(&place);
        let held = Held::before(&process, if place.grows() { Op::Write } else { Op::Put });
        let under_way = log.append(Time(1), "while it is written").unwrap();
        held.stands();
        drop(log.append(Time(1), "before it is written").unwrap());
        let woken = Arc::new(Woken::default());
        let mut polled: Ticket = log.append(Time(1), "awaited and dropped").unwrap();
        let waker = Waker::from(woken.clone());
        assert!(Pin::new(&mut polled).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(polled);
        drop(under_way);
        held.release();
        let after = log.append(Time(1), "after it was written").unwrap();
        log.seal().unwrap();
        drop(after);
        assert_eq!(
            texts(log.replay(Position::START).unwrap()),
            ["while it is written", "before it is written", "awaited and dropped", "after it was written"]
        );
        log.close().unwrap();
    }
}

#[test]
fn a_waker_that_panics_ends_nothing() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let place = Place::bucket();
    let (log, process) = start(&place);
    let held = Held::before(&process, Op::Put);
    let mut ticket = log.append(Time(1), "watched by a bomb").unwrap();
    held.stands();
    let waker = Waker::from(Arc::new(Bomb));
    assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending());
    held.release();
    ticket.wait().unwrap();
    log.append(Time(1), "goes on").unwrap().wait().unwrap();
}
