//! A receiver that failed is started again: later each time, and not for ever.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};

/// How often something that fails is started again.
///
/// ```
/// # use std::time::Duration;
/// # use headwater_wal::{Error, Kind, SystemClock};
/// # use headwater_wal::receiver::Restarts;
/// let restarts = Restarts { max: 3, within: Duration::from_secs(60), back_off: Duration::from_millis(1) };
/// let mut starts = 0;
/// let done = restarts.run(&SystemClock::default(), std::thread::sleep, |_failed| {
///     starts += 1; // start the receiver, have the source send from what it was told last, receive until the end
///     if starts < 3 { Err(Error::new(Kind::Unavailable, "the source went away")) } else { Ok(starts) }
/// });
/// assert_eq!(done?, 3);
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// So many restarts.
    pub max: usize,
    /// Within so much time.
    pub within: Duration,
    /// How long to wait before the first one; twice as long before each one that follows within that time.
    pub back_off: Duration,
}

impl Default for Restarts {
    /// Five within a minute, the first after 100 ms.
    fn default() -> Self {
        Restarts { max: 5, within: Duration::from_secs(60), back_off: Duration::from_millis(100) }
    }
}

impl Restarts {
    /// Runs it until it succeeds. It is given what it failed with before.
    ///
    /// What a restart does not mend is answered at once: `Fenced` (another one has taken over, and two of them would take
    /// over from each other for ever), `Damaged`, `Invalid`, `Unsupported`. Past the limit it is the last failure, of its
    /// own kind, with a message that says how often it was tried.
    pub fn run<T>(
        &self,
        clock: &dyn Clock,
        mut sleep: impl FnMut(Duration),
        mut body: impl FnMut(Option<&Error>) -> Result<T>,
    ) -> Result<T> {
        let mut restarts = VecDeque::new();
        let mut failed = None;
        loop {
            let error = match body(failed.as_ref()) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if matches!(error.kind(), Kind::Fenced | Kind::Damaged | Kind::Invalid | Kind::Unsupported) {
                return Err(error);
            }
            let now = clock.elapsed();
            while restarts.front().is_some_and(|&then| now.saturating_sub(then) > self.within) {
                restarts.pop_front();
            }
            if restarts.len() >= self.max {
                let message = format!(
                    "it failed again and is not restarted any more: restarts={} within={:?}",
                    restarts.len(),
                    self.within
                );
                return Err(Error::new(error.kind(), message).because(error));
            }
            let doublings = restarts.len().min(20) as u32;
            sleep(self.back_off.saturating_mul(1 << doublings));
            restarts.push_back(clock.elapsed());
            failed = Some(error);
        }
    }
}
