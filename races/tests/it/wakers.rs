//! Wakers that call back into the log, from its own threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use headwater_wal::{Ticket, Time};
use parking_lot::Mutex;
use shuttle::thread;

use crate::{Shape, explore, found, record};

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
