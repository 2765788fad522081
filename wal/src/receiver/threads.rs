//! A receiver's two threads: one cuts and appends, one settles. They share nothing but what the callers share too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, current};
use std::time::Duration;

use parking_lot::Mutex;

use super::core::Core;
use super::intake::{Intake, Life, Phase};
use crate::error::{Error, Kind, Result};

/// So long is slept at most where a wake-up is sure to come.
const LONG: Duration = Duration::from_secs(1);

/// The threads of a receiver; none of a stepped one.
#[derive(Debug, Default)]
pub(super) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    pub(super) fn start(&self, core: &Arc<Core>) -> Result<()> {
        for (name, work) in [("cut", Core::cut_on as fn(&Core)), ("settle", Core::settle_on)] {
            let its = core.clone();
            core.intake.lock().working += 1;
            let thread = Builder::new().name(format!("headwater-{name}")).spawn(move || its.work(work));
            let thread = thread.map_err(|error| {
                core.intake.lock().working -= 1;
                Error::new(Kind::Unavailable, "no thread for a receiver").because(error)
            })?;
            self.0.lock().push(thread);
        }
        Ok(())
    }

    /// Waits for the threads of a receiver that is over, so long at most: one that is in a call of the driver's or the
    /// source's that hangs ends when that does. Nor is one waited for by itself.
    pub(super) fn end(&self, core: &Core, at_most: Duration) {
        let threads = std::mem::take(&mut *self.0.lock());
        if threads.iter().any(|thread| thread.thread().id() == current().id()) {
            return;
        }
        let until = core.clock.elapsed().saturating_add(at_most);
        let mut intake = core.intake.lock();
        while intake.working > 0 {
            let left = until.saturating_sub(core.clock.elapsed());
            if left.is_zero() {
                return;
            }
            core.room.wait_for(&mut intake, left);
        }
        drop(intake);
        for thread in threads {
            // What it panicked with ended the receiver, and was told.
            let _ = thread.join();
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<&str>().copied();
    said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}

impl Core {
    /// A thread's life. A panic of the driver's, the source's or the medium's ends the receiver: it never stands still in
    /// silence.
    fn work(&self, work: fn(&Core)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(self))) {
            let message = format!("a thread of the receiver panicked: {}", said(&*panic));
            self.end(Error::new(Kind::Closed, message));
        }
        self.intake.lock().working -= 1;
        self.room.notify_all();
    }

    fn cut_on(&self) {
        loop {
            if self.cut() {
                continue;
            }
            let now = self.clock.elapsed();
            let mut intake = self.intake.lock();
            if self.has_ended(&intake) {
                return;
            }
            let ready = intake.phase == Phase::Cutting && !intake.cut.is_empty();
            let due = intake.due(&self.options, now).unwrap_or(LONG);
            if !ready && !due.is_zero() {
                self.to_cut.wait_for(&mut intake, due.min(LONG));
            }
        }
    }

    fn settle_on(&self) {
        while !self.has_ended(&self.intake.lock()) {
            if !self.settle() {
                self.wait_to_settle();
            }
        }
    }

    pub(super) fn has_ended(&self, intake: &Intake) -> bool {
        matches!(intake.life, Life::Over(_))
    }
}
