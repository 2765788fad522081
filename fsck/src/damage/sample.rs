//! A small log of every shape, made once: what is damaged is a copy of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use headwater_wal::format::name::parse_segment;
use headwater_wal::store::Store;
use headwater_wal::store::sim::SimClock;
use headwater_wal::{Compression, Handle, Log, Options, Position, Time};

use super::Files;
use super::sound::Sound;

/// How many records a sample holds.
pub const RECORDS: u64 = 90;

/// How many lives its writer had.
const LIVES: u64 = 3;

/// The log's files, and what is known of them.
#[derive(Debug)]
pub struct Sample {
    /// Its shape.
    pub shape: Shape,
    /// The records' handles, oldest first.
    pub records: Vec<Handle>,
    /// Its segments, oldest first.
    pub segments: Vec<Sound>,
    files: BTreeMap<String, Vec<u8>>,
}

/// The media that a sample is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Files that grow: the last segment is one that its writer did not seal, and an idle writer's word ends it.
    Disk,
    /// Objects that are put whole, one for each group.
    Objects,
    /// Objects, and summaries of them.
    Summarised,
    /// Files that grow under leases, all of them closed.
    Leases,
}

/// The options that a sample was written with.
pub fn options() -> Options {
    Options::default().segment_bytes(14 << 10).record_bytes_max(64 << 10).compression(Compression::Off)
}

/// What the record of that number says.
pub fn payload(number: u64) -> String {
    format!("record {number} {}", "x".repeat(number as usize * 11))
}

/// Appends the records of three lives, the last of which is still running.
pub fn fill(store: &Arc<dyn Store>) -> (Vec<Handle>, Log) {
    lives(&|| Log::open(store.clone(), options()).and_then(|opened| opened.start(Position::START)))
}

/// Groups of three records, of two and of one, over and over.
fn lives(start: &dyn Fn() -> headwater_wal::Result<Log>) -> (Vec<Handle>, Log) {
    let mut handles: Vec<Handle> = Vec::new();
    for life in 1.. {
        let log = start().expect("a life begins");
        for several in [3, 2, 1].into_iter().cycle().take((RECORDS / LIVES / 2) as usize) {
            let first = handles.len() as u64;
            let append =
                |number| log.append_kind(7, Time(1_000 + number), payload(number)).expect("an append");
            let tickets: Vec<_> = (first..first + several).map(append).collect();
            handles.extend(tickets.into_iter().map(|ticket| ticket.wait().expect("an acknowledgement")));
        }
        if life == LIVES {
            assert_eq!(handles.len() as u64, RECORDS);
            return (handles, log);
        }
        log.close().expect("a life ends");
    }
    unreachable!("the last life returns")
}

impl Sample {
    /// The sample of a shape. It is made once a process, and always of the same bytes.
    pub fn of(shape: Shape) -> &'static Sample {
        static SAMPLES: [OnceLock<Sample>; 4] = [const { OnceLock::new() }; 4];
        SAMPLES[shape as usize].get_or_init(|| Sample::make(shape, 1))
    }

    /// The same log in another identity and with other tokens.
    pub fn other(shape: Shape) -> &'static Sample {
        static SAMPLES: [OnceLock<Sample>; 4] = [const { OnceLock::new() }; 4];
        SAMPLES[shape as usize].get_or_init(|| Sample::make(shape, 2))
    }

    fn make(shape: Shape, seed: u64) -> Sample {
        let (files, clock) = (Files::of(shape), Arc::new(SimClock::new(seed)));
        let options = match shape {
            Shape::Summarised => options().summary_segments(8),
            _ => options(),
        };
        let (records, log) = lives(&|| {
            Log::open_with(files.store(), options.clone(), clock.clone())?.start_stepped(Position::START)
        });
        // What an idle writer says: everything was acknowledged.
        log.rest();
        if let Files::Leases(sim) = &files {
            sim.expire_leases();
        }
        let names = files.names().into_iter();
        let kept: BTreeMap<String, Vec<u8>> =
            names.map(|name| (name.clone(), files.read(&name).expect("a file"))).collect();
        drop(log);
        let mut segments: Vec<Sound> = Vec::new();
        for (name, bytes) in kept.iter().filter(|(name, _)| parse_segment(name).is_some()) {
            let first = segments.iter().flat_map(Sound::records).count();
            let segment = Sound::read(name, bytes, first);
            if let Some(before) = segments.last_mut() {
                before.closed = segment.header.begins_epoch;
            }
            segments.push(segment);
        }
        assert_eq!(segments.iter().flat_map(Sound::records).count(), records.len(), "every record was found");
        Sample { shape, records, segments, files: kept }
    }

    /// Puts a copy of it where there is nothing.
    pub fn lay(&self, files: &Files) {
        self.files.iter().for_each(|(name, bytes)| files.write(name, bytes));
    }

    /// A copy in memory.
    pub fn copy(&self) -> Files {
        let files = Files::of(self.shape);
        self.lay(&files);
        files
    }

    /// The bytes that a file has in it.
    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.files[name]
    }

    /// Its files, in the order of their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Where the segment behind this one begins.
    pub(super) fn next(&self, at: usize) -> Position {
        self.segments[at + 1].base()
    }

    /// Where the log ends.
    pub fn end(&self) -> Position {
        let last = self.segments.last().expect("a segment");
        last.footer.as_ref().map_or(last.at(last.groups_end()), |(_, footer)| footer.next)
    }

    /// The segments that hold records, were sealed, and are followed by one of their own epoch.
    pub(super) fn sealed(&self) -> Vec<usize> {
        let is = |at: &usize| {
            let segment = &self.segments[*at];
            !segment.groups.is_empty()
                && segment.is_trimmed(self.bytes(&segment.name))
                && !segment.closed
                && *at + 2 < self.segments.len()
        };
        (0..self.segments.len()).filter(is).collect()
    }
}
