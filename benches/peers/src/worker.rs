//! One appending thread: what it is given, until when, and how long its appends took.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::payload::Payloads;
use headwater_benches::measure::histogram::Histogram;

/// When an append began, if it is one of those that are timed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began(Option<Instant>);

/// Gives records to append and counts acknowledgements.
#[derive(Debug)]
pub(crate) struct Worker<'a> {
    /// Which of the appending threads this is, from 0.
    pub(crate) thread: usize,
    payloads: &'a Payloads,
    deadline: Instant,
    records_max: u64,
    begun: u64,
    acknowledged: u64,
    timed_every: u64,
    latencies: Histogram,
}

/// What a thread did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) operations: u64,
    pub(crate) latencies: Histogram,
}

impl<'a> Worker<'a> {
    /// A worker from now on. Where a look at the clock would cost a good part of an append, only every so many is timed.
    pub(crate) fn new(
        thread: usize,
        payloads: &'a Payloads,
        during: Duration,
        records_max: u64,
        timed_every: u64,
    ) -> Self {
        let (begun, acknowledged, latencies) = (0, 0, Histogram::new());
        let deadline = Instant::now() + during;
        Worker { thread, payloads, deadline, records_max, begun, acknowledged, timed_every, latencies }
    }

    /// The next record to append; none when it is time to stop. At least one, so that a slow disk is measured too.
    pub(crate) fn next(&mut self) -> Option<(Began, &'a Bytes)> {
        let mut began = Began(None);
        if self.begun.is_multiple_of(self.timed_every) {
            let now = Instant::now();
            if now >= self.deadline && self.begun > 0 {
                return None;
            }
            began = Began(Some(now));
        }
        if self.begun >= self.records_max {
            return None;
        }
        // Threads begin at different payloads, so that they do not read the same cache lines all the time.
        let payload = self.payloads.of(self.begun + self.thread as u64 * 7);
        self.begun += 1;
        Some((began, payload))
    }

    /// An append has been acknowledged.
    pub(crate) fn acknowledged(&mut self, began: Began) {
        self.acknowledged += 1;
        if let Began(Some(began)) = began {
            self.latencies.record(began.elapsed());
        }
    }

    pub(crate) fn done(self) -> Done {
        Done { operations: self.acknowledged, latencies: self.latencies }
    }
}
