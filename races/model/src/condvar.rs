//! Condition variables whose waits may run out, which those of the scheduler never do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, Thread};

use crate::{MutexGuard, is_long, runs_out};

/// As `parking_lot`'s: a wait ends when it is notified or has run out, and for no other reason.
#[derive(Debug, Default)]
pub struct Condvar {
    // A lock of the machine's own is enough: it is never held where another thread may go on.
    asleep: std::sync::Mutex<Vec<Arc<Sleeper>>>,
}

#[derive(Debug)]
struct Sleeper {
    thread: Thread,
    notified: AtomicBool,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub fn new() -> Self {
        Condvar::default()
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let sleeper = self.enter();
        MutexGuard::unlocked(guard, || {
            while !sleeper.notified.load(Ordering::SeqCst) {
                thread::park();
            }
        });
    }

    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, at_most: Duration) -> WaitTimeoutResult {
        let sleeper = self.enter();
        let timed_out = MutexGuard::unlocked(guard, || {
            while !sleeper.notified.load(Ordering::SeqCst) {
                if is_long(at_most) {
                    thread::park();
                } else if runs_out() {
                    self.asleep.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &sleeper));
                    return true;
                } else {
                    thread::yield_now();
                }
            }
            false
        });
        WaitTimeoutResult(timed_out)
    }

    /// Wakes whichever sleeper the scheduler likes.
    pub fn notify_one(&self) {
        let sleeper = {
            let mut asleep = self.asleep.lock().unwrap();
            if asleep.is_empty() {
                return;
            }
            let which = thread_rng().gen_range(0..asleep.len());
            asleep.remove(which)
        };
        sleeper.wake();
    }

    pub fn notify_all(&self) {
        let asleep = std::mem::take(&mut *self.asleep.lock().unwrap());
        asleep.iter().for_each(|sleeper| sleeper.wake());
    }

    fn enter(&self) -> Arc<Sleeper> {
        let sleeper = Arc::new(Sleeper { thread: thread::current(), notified: AtomicBool::new(false) });
        self.asleep.lock().unwrap().push(sleeper.clone());
        sleeper
    }
}

impl Sleeper {
    fn wake(&self) {
        self.notified.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
