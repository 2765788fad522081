//! What can be chosen of a connection between receivers and their driver.

use std::time::Duration;

use headwater_wal::{Error, Kind, Result};

/// The choices of both ends of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub(super) driver: u64,
    pub(super) connect_within: Duration,
    pub(super) call_within: Duration,
    pub(super) idle: Duration,
    pub(super) connections_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            driver: 0,
            connect_within: Duration::from_secs(2),
            call_within: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            connections_max: 256,
        }
    }
}

impl Options {
    /// Which driver it is, as both ends know it: 0. A call for another one is turned away. Where several drivers live on
    /// a machine give each its own number: one that died may leave its port to another, and blocks that this one takes
    /// are lost to those that they were for.
    #[must_use]
    pub fn driver(mut self, number: u64) -> Self {
        self.driver = number;
        self
    }

    /// How long a receiver waits for a connection: 2 s.
    #[must_use]
    pub fn connect_within(mut self, time: Duration) -> Self {
        self.connect_within = time;
        self
    }

    /// How long a receiver waits for the answer to a call once it is connected, and a driver for a call that has begun
    /// to come, or to be rid of an answer: 10 s.
    #[must_use]
    pub fn call_within(mut self, time: Duration) -> Self {
        self.call_within = time;
        self
    }

    /// How long a driver keeps a connection on which no call comes: 30 s. A receiver makes a new one for its next call
    /// after half of that.
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// How many connections a driver has at once: 256, each with a thread and, while a report comes, 1.3 MB at most. One
    /// more is closed at once, and its receiver tries again later.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Refuses what cannot be.
    pub(super) fn check(&self) -> Result<()> {
        // Later ones would not be a point in time that a clock has.
        const LONGEST: Duration = Duration::from_secs(24 * 3600);
        let times = [self.connect_within, self.call_within, self.idle];
        if times.iter().any(|time| time.is_zero() || *time > LONGEST) || self.connections_max == 0 {
            let message = format!("a connection has a time for everything, a day at most: {self:?}");
            return Err(Error::new(Kind::Invalid, message));
        }
        Ok(())
    }
}
