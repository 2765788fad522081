//! What a receiver's source is told: which blocks are acknowledged, and how long each took.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::Result;
use crate::measure::histogram::Histogram;

/// So long nothing is acknowledged before a case is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who is told.
pub(super) trait Hears: Send + Sync {
    /// All blocks below this number are acknowledged.
    fn acknowledged(&self, below: u64);
    /// No more will be.
    fn failed(&self, why: String);
}

/// The blocks of one receiver, from when they are due until they are acknowledged.
#[derive(Debug)]
pub(super) struct Told {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When those were due that are not acknowledged, oldest first.
    due: VecDeque<Instant>,
    /// How many are acknowledged.
    acknowledged: u64,
    failed: Option<String>,
    counts: Counts,
    took: Histogram,
    blocks: u64,
}

/// Which blocks are counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Counts {
    #[default]
    None,
    /// Those that are acknowledged from now on.
    Acknowledged,
    /// Those that were due in this time, whenever they are acknowledged.
    Due(Instant, Instant),
}

impl Told {
    pub(super) fn new(counts: Counts) -> Told {
        Told { state: Mutex::new(State { counts, ..State::default() }), more: Condvar::new() }
    }

    /// The next block is due; said before it is handed in.
    pub(super) fn due(&self, at: Instant) {
        self.state().due.push_back(at);
    }

    /// Waits until fewer than so many are on their way; or, with none, until all are acknowledged.
    pub(super) fn wait_below(&self, outstanding: u64) -> Result<()> {
        let mut state = self.state();
        let (mut seen, mut since) = (state.acknowledged, Instant::now());
        loop {
            if let Some(why) = &state.failed {
                return Err(why.clone().into());
            }
            if (state.due.len() as u64) < outstanding.max(1) {
                return Ok(());
            }
            if state.acknowledged > seen {
                (seen, since) = (state.acknowledged, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return Err(format!("nothing was acknowledged for {PATIENCE:?}").into());
            }
            state = self.more.wait_timeout(state, PATIENCE).expect("nobody panics with it").0;
        }
    }

    /// As [`wait_below`](Self::wait_below) none, until then at most; whether all are acknowledged.
    pub(super) fn wait_until(&self, end: Instant) -> Result<bool> {
        let mut state = self.state();
        loop {
            if let Some(why) = &state.failed {
                return Err(why.clone().into());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.due.is_empty() || left.is_zero() {
                return Ok(state.due.is_empty());
            }
            state = self.more.wait_timeout(state, left).expect("nobody panics with it").0;
        }
    }

    /// Waits until one was acknowledged, of those that count if any do.
    pub(super) fn wait_for_one(&self) -> Result<()> {
        let (mut state, end) = (self.state(), Instant::now() + PATIENCE);
        loop {
            if let Some(why) = &state.failed {
                return Err(why.clone().into());
            }
            let counts = matches!(state.counts, Counts::Acknowledged);
            if if counts { state.blocks } else { state.acknowledged } > 0 {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("nothing was acknowledged for {PATIENCE:?}").into());
            }
            state = self.more.wait_timeout(state, left).expect("nobody panics with it").0;
        }
    }

    /// How many were acknowledged so far, whether they count or not.
    pub(super) fn taken(&self) -> u64 {
        self.state().acknowledged
    }

    /// Counts otherwise from now on.
    pub(super) fn count(&self, counts: Counts) {
        self.state().counts = counts;
    }

    /// What was counted: how many were acknowledged, and how long they took. Blocks that were due and are still not
    /// acknowledged took until now, at least.
    pub(super) fn counted(&self) -> (u64, Histogram) {
        let (mut state, now) = (self.state(), Instant::now());
        let state = &mut *state;
        if matches!(state.counts, Counts::Due(..)) {
            let late = state.due.iter().filter(|due| state.counts.has(**due));
            late.for_each(|due| state.took.record(now.saturating_duration_since(*due)));
        }
        (state.blocks, state.took.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }
}

impl Counts {
    fn has(self, due: Instant) -> bool {
        match self {
            Counts::None => false,
            Counts::Acknowledged => true,
            Counts::Due(from, to) => (from..to).contains(&due),
        }
    }
}

impl Hears for Told {
    fn acknowledged(&self, below: u64) {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        while state.acknowledged < below
            && let Some(due) = state.due.pop_front()
        {
            state.acknowledged += 1;
            if state.counts.has(due) {
                state.took.record(now.saturating_duration_since(due));
                state.blocks += 1;
            }
        }
        self.more.notify_all();
    }

    fn failed(&self, why: String) {
        self.state().failed.get_or_insert(why);
        self.more.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_due_in_the_time_counts_until_it_is_acknowledged_or_given_up() {
        let now = Instant::now();
        let [second, minute] = [1, 60].map(Duration::from_secs);
        let told = Told::new(Counts::Due(now - minute, now - second));
        for before in [2 * minute, minute / 2, minute / 3, Duration::ZERO] {
            told.due(now - before);
        }
        told.acknowledged(2);
        assert!(!told.wait_until(Instant::now()).unwrap());
        let (blocks, took) = told.counted();
        assert_eq!(blocks, 1, "one of two was due in the time");
        assert!(took.quantile_us(0.1).unwrap() > 19e6, "one that is not acknowledged counts too");
        assert!(took.quantile_us(1.0).unwrap() > 29e6);
    }

    #[test]
    fn who_waits_is_told_of_a_failure() {
        let told = Told::new(Counts::None);
        told.due(Instant::now());
        told.failed("it is over".into());
        assert_eq!(told.wait_below(1).unwrap_err().to_string(), "it is over");
        assert!(told.wait_until(Instant::now()).is_err());
    }
}
