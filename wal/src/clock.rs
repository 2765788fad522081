//! Time and randomness, handed in, so that a whole life of the engine replays from a seed.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Time(pub u64);

impl Time {
    /// The greatest time there is.
    pub const MAX: Time = Time(u64::MAX);

    /// This much later, or the greatest time.
    #[must_use]
    pub fn after(self, by: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This much earlier, or the least time.
    #[must_use]
    pub fn before(self, by: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Time {
    /// ISO 8601, UTC, with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / 86_400_000, self.0 % 86_400_000);
        // Civil date from days since 1970-01-01, in eras of 400 years that begin on the first of March.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Where the engine gets time and randomness from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall clock, which may jump.
    fn wall(&self) -> Time;
    /// A clock that only goes forward, from any beginning; it may stand still while the machine sleeps.
    fn elapsed(&self) -> Duration;
    /// Bytes that no other call, process or machine gets.
    fn random(&self) -> [u8; 16];

    /// Lets other threads go on, of which this one waits for something, and returns for it to look again; whether there
    /// are any. Only a log without threads of its own asks: a clock under which one thread runs at a time has to know
    /// who waits.
    fn wait_for_others(&self) -> bool {
        false
    }
}

/// The machine's own clocks and random source.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn random(&self) -> [u8; 16] {
        // The standard library seeds every `RandomState` of a thread from the system's random source once and then
        // counts up, so process, time and a counter are mixed in: two calls never see the same input.
        use std::hash::{BuildHasher, RandomState};
        use std::sync::atomic::{AtomicU64, Ordering};
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let stamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let (left, right) = (RandomState::new(), RandomState::new());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&left.hash_one((std::process::id(), call, stamp)).to_le_bytes());
        bytes[8..].copy_from_slice(&right.hash_one((call, stamp)).to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_utc_dates() {
        for (milli, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_193_007_042, "2026-11-20T16:43:27.042Z"),
        ] {
            assert_eq!(Time(milli).to_string(), text);
        }
        assert!(!Time::MAX.to_string().is_empty());
    }
}
