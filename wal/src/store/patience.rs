//! How long a call waits, and how often it asks again.

use std::time::Duration;

use crate::clock::{Clock, SystemClock};
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure", feature = "hdfs"))]
use crate::error::{Error, Kind, Result};

/// How long a call to an object store, or to HDFS, waits for one answer, and how long it goes on asking.
///
/// A try that fails for a reason that may pass (throttling, an error of the server, a lost connection, no answer in time)
/// is made again after a pause that doubles and is drawn at random, so that many writers do not come back at once. Each
/// try of a put has the same name and the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long one try waits for its answer, besides what its bytes take at [`bytes_per_second`](Self::bytes_per_second).
    pub attempt: Duration,
    /// After how long no further try is begun. Each one gets its whole time.
    pub deadline: Duration,
    /// The greatest first pause between two tries.
    pub pause: Duration,
    /// The greatest pause between two tries.
    pub pause_max: Duration,
    /// The slowest transfer that is still waited for.
    pub bytes_per_second: u64,
}

impl Default for Patience {
    /// 10 s a try and a second more for each MiB, a minute in all, pauses of up to 50 ms at first and 5 s at last.
    fn default() -> Self {
        Patience {
            attempt: Duration::from_secs(10),
            deadline: Duration::from_secs(60),
            pause: Duration::from_millis(50),
            pause_max: Duration::from_secs(5),
            bytes_per_second: 1 << 20,
        }
    }
}

impl Patience {
    /// How long one try may take that moves so many bytes.
    pub(in crate::store) fn for_bytes(&self, bytes: u64) -> Duration {
        self.attempt + Duration::from_secs(bytes / self.bytes_per_second.max(1))
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure", feature = "hdfs"))]
impl Patience {
    /// The options of a URL that set it.
    pub(in crate::store) const OPTIONS: [&str; 4] = ["attempt", "deadline", "pause", "pause_max"];

    /// Takes an option of a URL; `false` if it is none of these.
    pub(in crate::store) fn take(&mut self, option: &str, value: &str) -> Result<bool> {
        let duration = match option {
            "attempt" => &mut self.attempt,
            "deadline" => &mut self.deadline,
            "pause" => &mut self.pause,
            "pause_max" => &mut self.pause_max,
            _ => return Ok(false),
        };
        let wants = || {
            let message =
                format!("option {option} wants a duration such as 50ms, 5s, 10m or 1h: value={value:?}");
            Error::new(Kind::Invalid, message)
        };
        *duration = parse_duration(value).ok_or_else(wants)?;
        Ok(true)
    }
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure", feature = "hdfs"))]
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let factor = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor).map(Duration::from_millis)
}

/// The tries of one call: when they began, and how many there were.
pub(in crate::store) struct Tries<'a> {
    patience: &'a Patience,
    clock: SystemClock,
    pub(in crate::store) made: u32,
}

impl<'a> Tries<'a> {
    pub(in crate::store) fn begin(patience: &'a Patience) -> Self {
        Tries { patience, clock: SystemClock::default(), made: 1 }
    }

    /// How long the try that is about to be made may take. The last one is not cut short by the deadline: an answer that
    /// is not waited for leaves a doubt that need not be.
    pub(in crate::store) fn time_for(&self, bytes: u64) -> Duration {
        self.patience.for_bytes(bytes)
    }

    /// Pauses before the next try; `false` if there is no time left for one.
    pub(in crate::store) async fn pause(&mut self) -> bool {
        let doublings = (self.made - 1).min(16);
        let most = self.patience.pause.saturating_mul(1 << doublings).min(self.patience.pause_max);
        let pause = drawn_below(&self.clock, most);
        if pause >= self.left() {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.made += 1;
        true
    }

    /// Pauses for so long before it asks again for something that comes about by itself; `false` if there is no time left.
    #[cfg(feature = "hdfs")]
    pub(in crate::store) async fn wait(&mut self, pause: Duration) -> bool {
        if pause >= self.left() {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }

    fn left(&self) -> Duration {
        self.patience.deadline.saturating_sub(self.clock.elapsed())
    }
}

/// Any duration up to `most`, each as likely as another.
fn drawn_below(clock: &SystemClock, most: Duration) -> Duration {
    let bytes = clock.random();
    let drawn = u64::from_le_bytes(bytes[..8].try_into().expect("eight of sixteen bytes"));
    most.mul_f64(drawn as f64 / u64::MAX as f64)
}
