//! What can be chosen of a log, from code or from the query of a URL; checked as a whole.

use std::time::Duration;

use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::frame::{FRAME_HEADER_BYTES, PAYLOAD_BYTES_LIMIT};
use crate::format::group::GROUP_HEADER_BYTES;
use crate::format::totals::Totals;
use crate::format::{Durability, header};
use crate::store::{SECTOR_BYTES, Store, leasing};

/// Room kept in every segment that grows, so that retiring works when the disk is full.
pub(crate) const MARKS_BYTES: u64 = 4096;

/// When a segment is sealed, if nobody says otherwise; and where until then nobody can read it.
const AGE: Duration = Duration::from_secs(3600);
const AGE_WHERE_UNREADABLE: Duration = Duration::from_secs(10);

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// How payloads are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    Off,
    /// By zstd at this level (1 to 19), each by itself, where that saves at least an eighth.
    Zstd(i32),
}

/// The choices of a log.
///
/// Fixed, with reasons: the bytes are little-endian and checked with CRC-32C; a payload below 4 KiB is never
/// compressed, since it hardly ever pays; the sparse index has an entry for every 64 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    /// None until the [medium](Options::on) is known, if nobody has said it.
    segment_age: Option<Duration>,
    pub(crate) record_bytes_max: u32,
    pub(crate) group_bytes_max: u64,
    pub(crate) queue_bytes_max: u64,
    pub(crate) in_flight_bytes_max: u64,
    pub(crate) puts_in_flight: u32,
    pub(crate) linger: Duration,
    pub(crate) idle_after: Duration,
    pub(crate) clock_jump_max: Duration,
    pub(crate) compression: Compression,
    pub(crate) summary_segments: usize,
    /// What groups begin on multiples of. Fixed by the medium, see [`Options::on`].
    pub(crate) block_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Power,
            segment_bytes: 64 * MIB,
            segment_age: None,
            record_bytes_max: 64 << 20,
            group_bytes_max: 4 * MIB,
            queue_bytes_max: 64 * MIB,
            in_flight_bytes_max: 16 * MIB,
            puts_in_flight: 8,
            linger: Duration::from_millis(25),
            idle_after: Duration::from_millis(20),
            clock_jump_max: Duration::from_secs(24 * 3600),
            compression: if cfg!(feature = "zstd") { Compression::Zstd(1) } else { Compression::Off },
            summary_segments: 256,
            block_bytes: SECTOR_BYTES,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(mut self, $name: $type) -> Self { self.$name = $name; self })*
    };
}

impl Options {
    setters! {
        /// What an acknowledgement outlives; for a log that exists it must be what the log was created with. `Power`
        /// unless said otherwise.
        durability: Durability;
        /// How long a segment gets before the next one begins: 64 MiB, from 8 KiB to 1 TiB. A larger record gets a segment
        /// of its own. Whole segments are what is retired, and what a disk must have room for: the one that grows, and the
        /// next one, which is made ahead.
        segment_bytes: u64;
        /// The longest payload that is taken, and the longest that is read: 64 MiB, at most 1 GiB.
        record_bytes_max: u32;
        /// How many bytes of frames share a sync or a put, at most: 4 MiB, and never more than `segment_bytes`; one larger
        /// record goes alone.
        group_bytes_max: u64;
        /// How many bytes of frames wait for the device or are there, at most: 64 MiB; then appends wait for room. One
        /// larger record is taken in alone.
        queue_bytes_max: u64;
        /// How many bytes may be at the device without an acknowledgement (`Process`: without a sync). It is raised to
        /// what the largest record needs, so that it is a little more than `record_bytes_max`, or 16 MiB if that is more.
        in_flight_bytes_max: u64;
        /// On object stores: how many puts are under way at once, at most: 8, from 1 to 64. Each has a thread of the log's.
        puts_in_flight: u32;
        /// On object stores: how long after the put of one group that of the next begins, unless the group is full
        /// (`group_bytes_max`): 25 ms, at most a minute. It is what an acknowledgement may take longer than a put, and
        /// what bounds how much is paid for requests: a log that is never quiet puts 3.5 million objects a day at 25 ms,
        /// 864,000 at 100 ms, 86,400 at a second (17, 4.30 and 0.43 dollars, where a thousand puts cost half a cent).
        linger: Duration;
        /// How long the writer is idle before it says in the log that everything was acknowledged (and, in a log of
        /// durability `Process`, syncs it): 20 ms.
        idle_after: Duration;
        /// How far the wall clock may have gone between two lives of the log before retiring by time waits for
        /// [`confirm_clock`](crate::Log::confirm_clock): a day.
        clock_jump_max: Duration;
        /// How payloads are stored: by zstd at level 1, or as they are in a build without the feature `zstd`.
        compression: Compression;
        /// After how many segments a log on an object store gets a summary: 256, from 2 to 16384. Opening lists and reads
        /// no more than about so many, whatever the age of the log.
        summary_segments: usize;
    }

    /// How old a segment gets, by the engine's time, before it is sealed, also an idle one: an hour; or ten seconds where
    /// a segment that is being written cannot be read (HDFS), for that is how long whoever reads it by handle then waits.
    #[must_use]
    pub fn segment_age(mut self, segment_age: Duration) -> Self {
        self.segment_age = Some(segment_age);
        self
    }

    /// Options from text such as a URL's query: `segment_bytes=16MiB&durability=process`. What is not named keeps its
    /// default; what is not known is refused.
    pub fn from_text(text: &str) -> Result<Self> {
        let mut options = Options::default();
        let mut seen = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if seen.contains(&key) {
                return Err(invalid(format!("an option is given twice: option={key:?}")));
            }
            seen.push(key);
            options.set(key, value)?;
        }
        options.check()?;
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let wrong = |want: &str| invalid(format!("option {key} wants {want}: value={value:?}"));
        let bytes =
            || parse_bytes(value).ok_or_else(|| wrong("a number of bytes such as 65536, 64KiB or 16MiB"));
        let duration =
            || parse_duration(value).ok_or_else(|| wrong("a duration such as 20ms, 5s, 10m, 1h or 7d"));
        match key {
            "durability" => {
                self.durability = match value {
                    "power" => Durability::Power,
                    "process" => Durability::Process,
                    _ => return Err(wrong("power or process")),
                }
            }
            "segment_bytes" => self.segment_bytes = bytes()?,
            "segment_age" => self.segment_age = Some(duration()?),
            "record_bytes_max" => {
                self.record_bytes_max = u32::try_from(bytes()?).map_err(|_| wrong("at most 1GiB"))?;
            }
            "group_bytes_max" => self.group_bytes_max = bytes()?,
            "queue_bytes_max" => self.queue_bytes_max = bytes()?,
            "in_flight_bytes_max" => self.in_flight_bytes_max = bytes()?,
            "puts_in_flight" => {
                self.puts_in_flight = value.parse().map_err(|_| wrong("a number from 1 to 64"))?;
            }
            "linger" => self.linger = duration()?,
            "idle_after" => self.idle_after = duration()?,
            "clock_jump_max" => self.clock_jump_max = duration()?,
            "compression" => {
                self.compression = match (value, value.strip_prefix("zstd:").map(str::parse)) {
                    ("off", _) => Compression::Off,
                    ("zstd", _) => Compression::Zstd(1),
                    (_, Some(Ok(level))) => Compression::Zstd(level),
                    _ => return Err(wrong("off, zstd or zstd:LEVEL")),
                }
            }
            "summary_segments" => {
                self.summary_segments = value.parse().map_err(|_| wrong("a number"))?;
            }
            _ => {
                let near = KEYS
                    .iter()
                    .min_by_key(|known| distance(known, key))
                    .filter(|near| distance(near, key) <= 4);
                let hint = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
                return Err(invalid(format!("an option that is not known{hint} option={key:?}")));
            }
        }
        Ok(())
    }

    /// The options on a medium. Where files grow, groups begin on sectors, so that no write touches a sector that holds
    /// anything acknowledged; where objects are put whole, they are packed.
    pub(crate) fn on(self, store: &dyn Store) -> Self {
        let block_bytes = if store.append().is_some() { SECTOR_BYTES } else { 8 };
        let age = if leasing(store).is_some() { AGE_WHERE_UNREADABLE } else { AGE };
        Options { block_bytes, segment_age: self.segment_age.or(Some(age)), ..self }
    }

    /// When a segment that was begun at a time is sealed.
    pub(crate) fn sealed_by(&self, begun: Time) -> Time {
        begun.after(self.segment_age.unwrap_or(AGE))
    }

    /// Refuses what cannot work together.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse =
            |what: &str| Err(invalid(format!("options do not fit together: {what}: options={self:?}")));
        let least = self.segment_len(GROUP_HEADER_BYTES + FRAME_HEADER_BYTES + 64);
        if self.segment_bytes < least || self.segment_bytes > 1 << 40 {
            return refuse("segment_bytes is from 8KiB to 1TiB");
        }
        if self.record_bytes_max == 0 || self.record_bytes_max > PAYLOAD_BYTES_LIMIT {
            return refuse("record_bytes_max is from 1 to 1GiB");
        }
        if self.queue_bytes_max == 0 || self.group_bytes_max == 0 {
            return refuse("queue_bytes_max and group_bytes_max are at least 1");
        }
        if self.group_bytes_max > u64::from(PAYLOAD_BYTES_LIMIT) || self.in_flight_bytes_max > 1 << 40 {
            return refuse("group_bytes_max is at most 1GiB, in_flight_bytes_max at most 1TiB");
        }
        if !(2..=1 << 14).contains(&self.summary_segments) {
            return refuse("summary_segments is from 2 to 16384");
        }
        if !(1..=64).contains(&self.puts_in_flight) || self.linger > Duration::from_secs(60) {
            return refuse("puts_in_flight is from 1 to 64, linger at most a minute");
        }
        match self.compression {
            Compression::Zstd(level) if !(1..=19).contains(&level) => refuse("zstd's level is from 1 to 19"),
            Compression::Zstd(_) if !cfg!(feature = "zstd") => {
                Err(Error::new(Kind::Unsupported, "compression by zstd needs the feature zstd"))
            }
            _ => Ok(()),
        }
    }

    /// How long a growing segment must be to hold one group of so many bytes, with all that goes with it.
    pub(crate) fn segment_len(&self, group_bytes: u64) -> u64 {
        let block = u64::from(self.block_bytes);
        let groups = header::body(self.block_bytes) + group_bytes.next_multiple_of(block) + MARKS_BYTES;
        groups.next_multiple_of(block) + Totals::footer_bytes_max(groups).next_multiple_of(8)
    }

    /// How many bytes of frames share a group, at most, unless it is one record: a group cut short by a crash must not be
    /// longer than may be in flight, so a segment's length bounds it too.
    pub(crate) fn group_bytes(&self) -> u64 {
        self.group_bytes_max.min(self.segment_bytes)
    }

    /// The most that a writer with these options may have in flight: at least the largest record's own segment.
    pub(crate) fn in_flight_bytes(&self) -> u64 {
        let frame = FRAME_HEADER_BYTES + u64::from(self.record_bytes_max) + 8;
        let group = GROUP_HEADER_BYTES + frame.max(self.group_bytes());
        // What ends the segment before counts too: its footer, and the zeros before it.
        let before = Totals::footer_bytes_max(self.segment_bytes) + MARKS_BYTES;
        self.in_flight_bytes_max.max(self.segment_len(group) + before)
    }
}

const KEYS: [&str; 13] = [
    "durability",
    "segment_bytes",
    "segment_age",
    "record_bytes_max",
    "group_bytes_max",
    "queue_bytes_max",
    "in_flight_bytes_max",
    "puts_in_flight",
    "linger",
    "idle_after",
    "clock_jump_max",
    "compression",
    "summary_segments",
];

fn invalid(message: String) -> Error {
    Error::new(Kind::Invalid, message)
}

fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let factor = match &text[digits..] {
        "" | "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        "GiB" => 1024 * MIB,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor)
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let factor = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(factor).map(Duration::from_millis)
}

/// How many letters must change to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_sets_options_and_refuses_what_it_does_not_know() {
        let options =
            Options::from_text("segment_bytes=16MiB&durability=process&idle_after=5s&compression=off")
                .unwrap();
        assert_eq!(
            options,
            Options::default()
                .segment_bytes(16 * MIB)
                .durability(Durability::Process)
                .idle_after(Duration::from_secs(5))
                .compression(Compression::Off)
        );
        assert_eq!(Options::from_text("").unwrap(), Options::default());
        for (text, says) in [
            ("segment_byte=1MiB", "did you mean segment_bytes?"),
            ("colour=red", "not known option"),
            ("segment_bytes=1MB", "wants a number of bytes"),
            ("segment_bytes=", "wants a number of bytes"),
            ("segment_bytes=99999999999GiB", "wants a number of bytes"),
            ("segment_bytes=1", "do not fit together"),
            ("record_bytes_max=2GiB", "do not fit together"),
            ("idle_after=5", "wants a duration"),
            ("durability=ram", "wants power or process"),
            ("idle_after=5s&idle_after=6s", "given twice"),
            ("compression=zstd:99", "zstd's level"),
        ] {
            let error = Options::from_text(text).unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }
}
