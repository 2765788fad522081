//! Clocks that only the test moves.

use std::time::Duration;

use parking_lot::Mutex;

use super::{Random, baton};
use crate::clock::{Clock, Time};

/// A clock that only the test moves, and random bytes from a seed.
///
/// Share one between the processes of one machine, so that no two of them draw the same bytes; give another machine a
/// clock with another seed.
#[derive(Debug)]
pub struct SimClock {
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    wall: Time,
    elapsed: Duration,
    asleep: bool,
    random: Random,
}

/// 2026-01-01, so that a jump backwards has somewhere to go.
const BEGINNING: Time = Time(1_767_225_600_000);

impl SimClock {
    /// It shows the first of January 2026, and no time has elapsed.
    pub fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        SimClock { now: Mutex::new(Now { wall: BEGINNING, elapsed: Duration::ZERO, asleep: false, random }) }
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock();
        now.wall = now.wall.after(by);
        if !now.asleep {
            now.elapsed = now.elapsed.saturating_add(by);
        }
    }

    /// Somebody sets the wall clock, by so many milliseconds forwards or backwards. The other clock takes no notice.
    pub fn jump(&self, by_millis: i64) {
        let mut now = self.now.lock();
        now.wall = Time(now.wall.0.saturating_add_signed(by_millis));
    }

    /// The machine is suspended, or wakes: while it sleeps, [`advance`](Self::advance) moves only the wall clock, and
    /// the elapsed time stands still.
    pub fn stand_still(&self, asleep: bool) {
        self.now.lock().asleep = asleep;
    }
}

impl Clock for SimClock {
    fn wait_for_others(&self) -> bool {
        baton::pass()
    }

    fn wall(&self) -> Time {
        self.now.lock().wall
    }

    fn elapsed(&self) -> Duration {
        self.now.lock().elapsed
    }

    fn random(&self) -> [u8; 16] {
        let random = &mut self.now.lock().random;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&random.draw().to_le_bytes());
        bytes[8..].copy_from_slice(&random.draw().to_le_bytes());
        bytes
    }
}
