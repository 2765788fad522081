//! What can be chosen of a receiver.

use std::time::Duration;

use super::blocks::OVERHEAD_BYTES_MAX;
use crate::error::{Error, Kind, Result};

/// The choices of a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub(super) stream: u32,
    pub(super) receiver: u32,
    pub(super) interval: Duration,
    pub(super) block_bytes: usize,
    pub(super) record_bytes_max: usize,
    pub(super) held_bytes_max: usize,
    pub(super) rate: Rate,
    pub(super) back_off: Duration,
    pub(super) back_off_max: Duration,
}

/// How much a receiver takes in a second, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Records; any number of them if there is none.
    pub records: Option<f64>,
    /// Bytes of records; any number of them if there is none.
    pub bytes: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            stream: 0,
            receiver: 0,
            interval: Duration::from_millis(200),
            block_bytes: 1 << 20,
            record_bytes_max: 16 << 20,
            held_bytes_max: 32 << 20,
            rate: Rate::default(),
            back_off: Duration::from_millis(20),
            back_off_max: Duration::from_secs(5),
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
        /// How long a record waits for its block to be cut, at most: 200 ms.
        interval: Duration;
        /// How many bytes of records a block has: 1 MiB. A larger record gets a block of its own.
        block_bytes: usize;
        /// The longest record that is taken: 16 MiB. The log's own `record_bytes_max` must allow for such a block, which
        /// takes 24 KiB more at most.
        record_bytes_max: usize;
        /// How many bytes are held that are not done with, from a record's coming to its acknowledgement: 32 MiB; then
        /// pushing waits. Blocks and partitions count for what they take beside their records. One larger record is taken
        /// in alone.
        held_bytes_max: usize;
        /// How much is taken in a second: as much as comes, unless said otherwise.
        rate: Rate;
        /// After what time a driver or a source that cannot be reached is tried again: 20 ms, and twice as long each
        /// time, with a random part.
        back_off: Duration;
        /// The longest such time: 5 s.
        back_off_max: Duration;
    }

    /// Whose blocks they are: the stream, and which of its receivers this is. Two receivers never share both.
    #[must_use]
    pub fn of(mut self, stream: u32, receiver: u32) -> Self {
        (self.stream, self.receiver) = (stream, receiver);
        self
    }

    /// Refuses what cannot be.
    pub(super) fn check(&self) -> Result<()> {
        const BLOCK_BYTES_LIMIT: usize = 1 << 30;
        let wrong = |what: &str| Err(Error::new(Kind::Invalid, format!("{what}: {self:?}")));
        if self.block_bytes == 0 || self.record_bytes_max == 0 || self.held_bytes_max == 0 {
            return wrong("a receiver has room for a record");
        }
        if self.block_bytes.max(self.record_bytes_max) > BLOCK_BYTES_LIMIT - OVERHEAD_BYTES_MAX {
            return wrong("a block is a record of its log, which is shorter than 1 GiB");
        }
        if self.back_off.is_zero() || self.back_off > self.back_off_max {
            return wrong("a receiver waits before it tries again, and longer the next time");
        }
        self.rate.check()
    }

    /// Refuses a log that would refuse a block.
    pub(super) fn check_log(&self, record_bytes_max: u32) -> Result<()> {
        let longest = self.block_bytes.max(self.record_bytes_max) + OVERHEAD_BYTES_MAX;
        if longest <= record_bytes_max as usize {
            return Ok(());
        }
        let message = format!(
            "a block can be longer than a record of the log; open the log with record_bytes_max({longest}) or more, or \
             start the receiver with smaller block_bytes and record_bytes_max: log.record_bytes_max={record_bytes_max} \
             block_bytes={} record_bytes_max={}",
            self.block_bytes, self.record_bytes_max
        );
        Err(Error::new(Kind::Invalid, message))
    }
}

impl Rate {
    /// Refuses what is no rate.
    pub(super) fn check(&self) -> Result<()> {
        let some = |rate: Option<f64>| rate.is_none_or(|rate| rate.is_finite() && rate > 0.0);
        if some(self.records) && some(self.bytes) {
            return Ok(());
        }
        Err(Error::new(Kind::Invalid, format!("a rate is more than nothing: {self:?}")))
    }
}
