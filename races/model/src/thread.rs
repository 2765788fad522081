//! Threads of the scheduler, and a clock that goes on when a wait runs out.

use std::cell::Cell;
use std::io;
use std::time::Duration;

pub use shuttle::thread::{JoinHandle, Thread, current, park};

use crate::{is_long, runs_out};

std::thread_local! {
    // All threads of a schedule are run by one of the machine's.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static SPAWNS_LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// From now on so many threads can be had, and then none.
pub fn spawns_left(threads: usize) {
    SPAWNS_LEFT.set(threads);
}

pub fn park_timeout(at_most: Duration) {
    if !is_long(at_most) && runs_out() {
        shuttle::thread::yield_now();
        NOW.set(NOW.get() + at_most);
    } else {
        park();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        Instant(NOW.get())
    }

    pub fn checked_add(&self, by: Duration) -> Option<Self> {
        self.0.checked_add(by).map(Instant)
    }

    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

#[derive(Debug, Default)]
pub struct Builder(shuttle::thread::Builder);

impl Builder {
    pub fn new() -> Self {
        Builder::default()
    }

    #[must_use]
    pub fn name(self, name: String) -> Self {
        Builder(self.0.name(name))
    }

    pub fn spawn<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let left = SPAWNS_LEFT.get().checked_sub(1);
        SPAWNS_LEFT.set(left.ok_or_else(|| io::Error::other("there are no more threads"))?);
        self.0.spawn(work)
    }
}
