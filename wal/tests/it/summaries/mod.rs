//! Summaries of a long log on an object store: what they are worth, and that nothing depends on them.

mod counting;
mod opening;
mod retiring;
mod trusting;

use std::ops::Deref;

use headwater_wal::format::name;
use headwater_wal::format::summary::Summary;
use headwater_wal::{Handle, Position, Survey};

use crate::rules::{Life, Place};

/// A bucket whose logs get a summary every four segments.
#[derive(Clone)]
pub(crate) struct Bucket(Place);

impl Deref for Bucket {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

impl Bucket {
    pub(crate) fn new() -> Self {
        let mut place = Place::bucket();
        place.options = place.options.summary_segments(4);
        Bucket(place)
    }

    /// The same past, with a future of its own.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        Bucket(Place { sim: self.sim.fork(seed), ..self.0.clone() })
    }

    /// Where its summaries end, oldest first.
    pub(crate) fn summaries(&self) -> Vec<Position> {
        let names = self.sim.names();
        let names = names.iter().filter_map(|name| name.strip_prefix("summary/"));
        let mut ends: Vec<Position> = names.map(|name| name::parse_summary(name).unwrap()).collect();
        ends.sort();
        ends
    }

    /// What opening finds.
    pub(crate) fn found(&self) -> Survey {
        self.open().unwrap().survey().clone()
    }

    pub(crate) fn summary(&self, end: Position) -> Summary {
        Summary::decode(end, &self.sim.read_raw(&file(end))).unwrap()
    }

    /// Puts other bytes in a summary's place.
    pub(crate) fn replace(&self, end: Position, bytes: &[u8]) {
        self.sim.remove_file(&file(end));
        self.sim.write_raw(&file(end), bytes);
    }
}

/// The file of the summary that ends at `end`.
pub(crate) fn file(end: Position) -> String {
    format!("summary/{}", name::summary(end))
}

/// Writes records, each a segment of its own.
pub(crate) fn write(log: &Life, numbers: std::ops::Range<usize>) -> Vec<Handle> {
    numbers.map(|number| log.write(format!("{number}"))).collect()
}

pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
