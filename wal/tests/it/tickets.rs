//! Tickets, the queue and the end of a log: many callers, one writer, and every one of them is answered, once.

mod crowd;
mod ends;
mod puts;
mod room;
mod settling;
mod waiting;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use headwater_wal::store::sim::{Op, Process, When};
use headwater_wal::{Log, Position};

use crate::rules::Place;

/// How long a test waits for what must come, before it says that it hangs.
const HANGS: Duration = Duration::from_secs(20);

/// A log with a writer's thread, and its process.
fn start(place: &Place) -> (Log, Process) {
    let process = place.sim.process();
    let log = place.open_by(&process).unwrap().start(Position::START).unwrap();
    (log, process)
}

/// Stops the writer just before its next operation of a kind.
struct Held {
    arrived: Receiver<()>,
    release: Sender<()>,
}

impl Held {
    fn before(process: &Process, op: Op) -> Self {
        let ((arrive, arrived), (release, released)) = (channel(), channel::<()>());
        process.before(When::nth(1).of(op), move || {
            let _ = arrive.send(());
            let _ = released.recv();
        });
        Held { arrived, release }
    }

    /// Waits until the writer stands there.
    fn stands(&self) {
        self.arrived.recv_timeout(HANGS).expect("the writer gets to the device");
    }

    fn release(self) {
        drop(self.release);
    }
}

/// An executor for one future: its thread sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(HANGS),
        }
    }
}

/// A waker that counts.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn waits_for(&self, times: usize) {
        let deadline = std::time::Instant::now() + HANGS;
        while self.times() < times {
            assert!(std::time::Instant::now() < deadline, "nobody wakes");
            thread::yield_now();
        }
    }
}
