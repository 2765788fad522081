//! Wakers and payloads that call back into the log, from its own threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use headwater_wal::{Log, Ticket, Time};
use parking_lot::Mutex;
use shuttle::thread;

use crate::{Shape, explore, found, poll_once, record};

/// Does something once, when it is woken.
struct Does<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send + 'static> Wake for Does<F> {
    fn wake(self: Arc<Self>) {
        let work = self.0.lock().take();
        if let Some(work) = work {
            work();
        }
    }
}

/// Has something done when a ticket answers, by whoever answers it.
fn when_answered(ticket: &mut Ticket, work: impl FnOnce() + Send + 'static) {
    let waker = Waker::from(Arc::new(Does(Mutex::new(Some(work)))));
    if let Poll::Ready(answer) = Pin::new(ticket).poll(&mut Context::from_waker(&waker)) {
        answer.unwrap();
        waker.wake();
    }
}

#[test]
fn a_waker_may_append() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let mut first = log.append(Time(1), record(1)).unwrap();
        let again = log.clone();
        when_answered(&mut first, move || drop(again.append(Time(1), record(2)).unwrap()));
        log.append(Time(1), record(3)).unwrap().wait().unwrap();
        while Arc::strong_count(&log) > 1 {
            thread::yield_now();
        }
        log.close().unwrap();
        assert_eq!(found(&device).len(), 3);
    });
}

fn a_waker_may_end_the_log(end: fn(Log)) {
    explore(move || {
        let (log, device) = Shape::Several.start();
        let mut first = log.append(Time(1), record(1)).unwrap();
        let second = log.append(Time(1), record(2)).unwrap();
        // An executor that is gone drops the task that it is to wake, and with it what the task owned.
        when_answered(&mut first, move || end(log));
        second.wait().unwrap();
        while !device.is_free() {
            thread::yield_now();
        }
        assert_eq!(found(&device), [1, 2]);
        drop(poll_once(&mut first));
    });
}

#[test]
fn a_waker_may_drop_the_log() {
    a_waker_may_end_the_log(drop);
}

#[test]
fn a_waker_may_close_the_log() {
    a_waker_may_end_the_log(|log| log.close().unwrap());
}

#[test]
fn a_waker_that_another_replaces_may_own_the_log() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        device.hold();
        let mut ticket = log.append(Time(1), record(1)).unwrap();
        // A task that is gone but for its waker, and owns another ticket and the log.
        let other = log.append(Time(1), record(2)).unwrap();
        let owned = (other, log);
        when_answered(&mut ticket, move || drop(owned));
        device.release();
        let _ = poll_once(&mut ticket);
        while ticket.answer().is_none() {
            thread::yield_now();
        }
        while !device.is_free() {
            thread::yield_now();
        }
        assert_eq!(found(&device), [1, 2]);
    });
}

/// A payload whose owner is told when it is no longer needed.
struct Payload {
    _log: Arc<Log>,
    bytes: Vec<u8>,
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[test]
fn a_payload_that_is_let_go_may_take_the_log_with_it() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        let payload = Bytes::from_owner(Payload { _log: log.clone(), bytes: record(1) });
        let ticket = log.append(Time(1), payload).unwrap();
        drop(log);
        ticket.wait().unwrap();
        while !device.is_free() {
            thread::yield_now();
        }
        assert_eq!(found(&device), [1]);
    });
}

#[test]
fn a_payload_of_a_log_that_fails_may_take_the_log_with_it() {
    explore(|| {
        let (log, device) = Shape::Several.start();
        let log = Arc::new(log);
        device.fail_after(0, false);
        let payload = |number| Bytes::from_owner(Payload { _log: log.clone(), bytes: record(number) });
        let tickets = [1, 2, 3].map(|number| log.append(Time(1), payload(number)));
        drop(log);
        for ticket in tickets.into_iter().flatten() {
            ticket.wait().unwrap_err();
        }
        while !device.is_free() {
            thread::yield_now();
        }
    });
}
