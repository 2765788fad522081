//! When the next record may be taken, at a limited rate.

use std::time::Duration;

use super::options::Rate;

/// So much may come at once after a pause: what a tenth of a second allows.
const BURST: Duration = Duration::from_millis(100);

/// Keeps a rate: each record moves the time on at which everything so far would have come evenly, and none is taken
/// while that lies further ahead than the burst.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    even: Duration,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        Pace { rate, even: Duration::ZERO }
    }

    /// From now on at this rate.
    pub(super) fn set(&mut self, rate: Rate, now: Duration) {
        self.rate = rate;
        self.even = self.even.min(now + BURST);
    }

    /// How long to wait before a record can be taken; not at all if there is nothing.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        let ahead = self.even.saturating_sub(now);
        ahead.checked_sub(BURST).filter(|wait| !wait.is_zero())
    }

    /// A record was taken.
    pub(super) fn take(&mut self, now: Duration, bytes: usize) {
        let records = self.rate.records.map_or(0.0, |rate| 1.0 / rate);
        let bytes = self.rate.bytes.map_or(0.0, |rate| bytes as f64 / rate);
        let cost = records.max(bytes);
        if cost > 0.0 {
            let cost = Duration::try_from_secs_f64(cost).unwrap_or(Duration::MAX);
            self.even = self.even.max(now).saturating_add(cost);
        }
    }
}

/// When to try again.
#[derive(Debug)]
pub(super) struct BackOff {
    first: Duration,
    most: Duration,
    tries: u32,
    until: Option<Duration>,
}

impl BackOff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        BackOff { first, most, tries: 0, until: None }
    }

    /// It failed: the next try is later than the one before, by a random part of it.
    pub(super) fn failed(&mut self, now: Duration, random: [u8; 16]) {
        let whole = self.first.saturating_mul(1 << self.tries.min(20)).min(self.most);
        let part = f64::from(u16::from_le_bytes([random[0], random[1]])) / 65536.0;
        self.tries += 1;
        self.until = Some(now.saturating_add(whole / 2 + (whole / 2).mul_f64(part)));
    }

    /// It went well.
    pub(super) fn went_well(&mut self) {
        (self.tries, self.until) = (0, None);
    }

    /// How long to wait before the next try, if at all.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        self.until?.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries
    }
}
