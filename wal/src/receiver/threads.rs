//! A receiver's two threads: one cuts and appends, one settles. They share nothing but what the callers share too.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle, panicking};
use std::time::Duration;

use super::core::Core;
use super::intake::{Intake, Life, Phase};
use crate::error::{Error, Kind, Result};

/// So long is slept at most where a wake-up is sure to come.
const LONG: Duration = Duration::from_secs(1);

pub(super) fn start(core: &Arc<Core>) -> Result<Vec<JoinHandle<()>>> {
    let begin = |name: &str, work: fn(&Core)| {
        let its = core.clone();
        Builder::new()
            .name(format!("headwater-{name}"))
            .spawn(move || {
                let _ends = Ends(&its);
                work(&its);
            })
            .map_err(|error| {
                core.end(Error::new(Kind::Closed, "the receiver has not started"));
                Error::new(Kind::Unavailable, "no thread for a receiver").because(error)
            })
    };
    Ok(vec![begin("cut", Core::cut_on)?, begin("settle", Core::settle_on)?])
}

/// A panic of the driver's, the source's or the medium's ends the receiver: it never stands still in silence.
struct Ends<'a>(&'a Core);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if panicking() {
            self.0.end(Error::new(Kind::Closed, "a thread of the receiver panicked"));
        }
    }
}

impl Core {
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
