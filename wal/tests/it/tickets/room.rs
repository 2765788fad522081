//! Room: what waits is bounded by bytes, whatever the load, and who waits for room is woken when it comes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use headwater_wal::store::sim::Op;
use headwater_wal::{Kind, Log, Position, Ticket, Time};

use super::{Held, Woken, block_on, start};
use crate::rules::{Place, texts};

/// What a record of 1000 bytes takes in a group: its frame.
const FRAME: u64 = 1032;
/// What it takes in the queue: its frame, its place there and its ticket.
const WAITING: u64 = FRAME + 192;
const QUEUE: u64 = 10 * WAITING;

fn narrow() -> Place {
    let mut place = Place::bucket();
    place.options = place.options.queue_bytes_max(QUEUE).group_bytes_max(3 * FRAME);
    place
}

fn kilo() -> Vec<u8> {
    vec![7; 1000]
}

/// Fills the queue behind a held writer.
fn fill(log: &Log) -> Vec<Ticket> {
    std::iter::from_fn(|| log.try_append(Time(1), kilo()).unwrap()).collect()
}

#[test]
fn try_append_says_no_when_the_queue_is_full_and_yes_when_there_is_room() {
    let place = narrow();
    let (log, process) = start(&place);
    let held = Held::before(&process, Op::Put);
    let first = log.append(Time(1), kilo()).unwrap();
    held.stands();
    let tickets = fill(&log);
    assert_eq!(tickets.len(), 9, "what is at the device still counts");
    assert!(log.try_append(Time(1), "small").unwrap().is_none(), "not a byte more");
    held.release();
    first.wait().unwrap();
    tickets.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok()));
    log.try_append(Time(1), kilo()).unwrap().expect("room again").wait().unwrap();
    assert_eq!(log.replay(Position::START).unwrap().count(), 11);
}

#[test]
fn an_awaitable_append_is_woken_when_room_comes() {
    let place = narrow();
    let (log, process) = start(&place);
    let held = Held::before(&process, Op::Put);
    let mut tickets = vec![log.append(Time(1), kilo()).unwrap()];
    held.stands();
    tickets.extend(fill(&log));
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..4)
            .map(|number| {
                let log = &log;
                scope.spawn(move || {
                    block_on(log.append_async(3, Time(number), kilo())).unwrap().wait().unwrap()
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(5));
        assert!(waiting.iter().all(|thread| !thread.is_finished()));
        held.release();
        for thread in waiting {
            let handle = thread.join().unwrap();
            assert_eq!(log.read(&handle).unwrap().kind, 3);
        }
    });
    tickets.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok()));
    assert_eq!(log.replay(Position::START).unwrap().count(), 14);
}

#[test]
fn an_awaitable_append_dropped_while_it_waits_appends_nothing() {
    let place = narrow();
    let (log, process) = start(&place);
    let held = Held::before(&process, Op::Put);
    let mut tickets = vec![log.append(Time(1), kilo()).unwrap()];
    held.stands();
    tickets.extend(fill(&log));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    {
        let mut appending = pin!(log.append_async(0, Time(1), "never"));
        for _ in 0..10_000 {
            assert!(appending.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert!(Arc::strong_count(&woken) < 10, "a task that asks often takes no more room for it");
    }
    drop(log.append_async(0, Time(1), "never polled"));
    assert_eq!(Arc::strong_count(&woken), 2, "and leaves nothing in the line when it goes");
    held.release();
    tickets.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok()));
    log.append(Time(1), "last").unwrap().wait().unwrap();
    let texts = texts(log.replay(Position::START).unwrap());
    assert_eq!(texts.len(), 11);
    assert!(!texts.iter().any(|text| text.starts_with("never")));
}

#[test]
fn an_awaitable_append_goes_at_once_when_there_is_room_and_only_once() {
    let place = narrow();
    let (log, _) = start(&place);
    let waker = Waker::from(Arc::new(Woken::default()));
    let mut context = Context::from_waker(&waker);
    let mut appending = pin!(log.append_async(0, Time(1), "at once"));
    let Poll::Ready(Ok(ticket)) = appending.as_mut().poll(&mut context) else { panic!("there is room") };
    ticket.wait().unwrap();
    let Poll::Ready(Err(error)) = appending.as_mut().poll(&mut context) else { panic!("polled again") };
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(texts(log.replay(Position::START).unwrap()), ["at once"]);
}

#[test]
fn sixty_four_threads_never_hold_more_than_the_queue_may() {
    let place = narrow();
    let (log, process) = start(&place);
    let (handed_in, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let most = AtomicU64::new(0);
    let held = Held::before(&process, Op::Put);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let ticket = log.append(Time(1), kilo()).unwrap();
                    let outstanding =
                        handed_in.fetch_add(1, Ordering::SeqCst) + 1 - answered.load(Ordering::SeqCst);
                    most.fetch_max(outstanding as u64 * WAITING, Ordering::SeqCst);
                    ticket.wait().unwrap();
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        held.stands();
        // The store is stuck: nothing more gets in than the queue may hold, however long it takes.
        let mut before = 0;
        for _ in 0..50 {
            thread::sleep(Duration::from_millis(1));
            let now = handed_in.load(Ordering::SeqCst);
            assert!(now as u64 * WAITING <= QUEUE, "{now}");
            before = before.max(now);
        }
        assert_eq!(before as u64 * WAITING, QUEUE, "and no less");
        held.release();
    });
    assert_eq!(answered.load(Ordering::SeqCst), 640);
    // A caller counts a little late that it was answered, so each of the 64 may be counted once more.
    assert!(most.load(Ordering::SeqCst) <= QUEUE + 64 * WAITING);
    assert_eq!(log.replay(Position::START).unwrap().count(), 640);
}

#[test]
fn a_record_larger_than_the_queue_goes_alone() {
    for mut place in Place::both() {
        place.options = place.options.queue_bytes_max(100);
        let (log, process) = start(&place);
        let held = Held::before(&process, if place.grows() { Op::Write } else { Op::Put });
        let large = log.append(Time(1), vec![b'x'; 5000]).unwrap();
        held.stands();
        assert!(log.try_append(Time(1), "behind it").unwrap().is_none());
        held.release();
        let handle = large.wait().unwrap();
        assert_eq!(log.read(&handle).unwrap().payload.len(), 5000);
        log.append(Time(1), "behind it").unwrap().wait().unwrap();
    }
}

#[test]
fn a_record_longer_than_allowed_is_refused_and_harms_nothing() {
    let place = narrow();
    let (log, _) = start(&place);
    let longest = vec![b'x'; 16 << 10];
    let longer = vec![b'x'; (16 << 10) + 1];
    log.append(Time(1), longest).unwrap().wait().unwrap();
    for error in [
        log.append(Time(1), longer.clone()).unwrap_err(),
        log.try_append(Time(1), longer.clone()).unwrap_err(),
        block_on(log.append_async(0, Time(1), longer)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("bytes=16385 record_bytes_max=16384"), "{error}");
    }
    log.append(Time(1), "goes on").unwrap().wait().unwrap();
}

#[test]
fn who_waits_for_room_is_told_when_the_log_closes() {
    let place = narrow();
    let (log, process) = start(&place);
    let held = Held::before(&process, Op::Put);
    let mut tickets = vec![log.append(Time(1), kilo()).unwrap()];
    held.stands();
    tickets.extend(fill(&log));
    thread::scope(|scope| {
        let blocked = scope.spawn(|| log.append(Time(1), kilo()).map(drop));
        let awaiting = scope.spawn(|| block_on(log.append_async(0, Time(1), kilo())).map(drop));
        thread::sleep(Duration::from_millis(5));
        let closing = scope.spawn(|| log.close());
        while let Ok(tried) = log.try_append(Time(1), "no room") {
            assert!(tried.is_none());
            thread::yield_now();
        }
        held.release();
        closing.join().unwrap().unwrap();
        for outcome in [blocked.join().unwrap(), awaiting.join().unwrap()] {
            assert_eq!(outcome.unwrap_err().kind(), Kind::Closed);
        }
    });
    tickets.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok(), "drained"));
    assert_eq!(place.texts().len(), 10);
}
