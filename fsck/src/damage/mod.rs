//! A catalogue of damages: one function makes each of them, and says beforehand what a check must find. The tests of the
//! checks, those of repair, and the fuzz targets share it. For tests only (feature `damage`).
//!
//! A kind is done to a copy of a [`Sample`]: a log whose every byte is known. What is expected is told from the sample's
//! layout, by the rules of the format, and never asked of what is tested.
//!
//! ```
//! use headwater_fsck::damage::{Sample, Scene, Shape, kinds};
//!
//! let sample = Sample::of(Shape::Disk);
//! for kind in kinds(Shape::Disk, false) {
//!     let files = sample.copy();
//!     let done = kind.apply(&Scene { sample, files: &files }, 1);
//!     println!("{}: {} records are gone", kind.name, done.lost.len());
//! }
//! ```

mod bytes;
pub mod checkpoints;
mod files;
mod forged;
mod length;
mod names;
mod quarantine;
pub mod roots;
mod sample;
mod sets;
mod sound;
mod summaries;
mod tail;
mod told;

use std::collections::BTreeSet;
use std::ops::Range;

use headwater_wal::store::sim::Random;
use headwater_wal::{Kind as ErrorKind, Position};

use crate::{Finding, Severity};

pub use files::Files;
pub use sample::{RECORDS, Sample, Shape, fill, options, payload};
pub use sound::{Frame, Group, Sound};
pub use told::Told;

/// A log that something may befall.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What it is a copy of.
    pub sample: &'a Sample,
    /// The copy, to which other things may have happened already.
    pub files: &'a Files,
}

/// A way in which logs are damaged.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name, in words.
    pub name: &'static str,
    media: Media,
    act: fn(&Scene<'_>, &mut Random) -> Done,
}

/// Where a kind of damage can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// Wherever there are segments.
    Any,
    /// Only to files that grow.
    Growing,
    /// Only in a folder on a disk.
    Folder,
    /// Only to objects.
    Objects,
    /// Only where there are summaries.
    Summaries,
}

/// A finding that a check must make: these fields of it, exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// How bad it is.
    pub severity: Severity,
    /// The file that it names.
    pub file: Option<String>,
    /// The offset in it.
    pub offset: Option<u64>,
    /// The positions.
    pub range: Option<(Position, Position)>,
}

/// What was done, and what it must look like.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The files that were touched.
    pub files: Vec<String>,
    /// What a full check must find, and nothing else.
    pub full: Vec<Expected>,
    /// What a quick one must find.
    pub quick: Vec<Expected>,
    /// The records, by their numbers, whose bytes are gone for ever.
    pub lost: BTreeSet<usize>,
    /// The records whose bytes are there and which the chain does not come to any more.
    pub hidden: BTreeSet<usize>,
    /// The check cannot look, and fails so.
    pub error: Option<ErrorKind>,
    /// The log ends before what was acknowledged, and nothing in it says so: only who knows of a later position sees it.
    pub unseen: bool,
    /// Records that verify and that nobody appended.
    pub forged: u64,
    /// Foreign names, where there are more than a report names.
    pub foreign: u64,
}

/// Every kind of damage to a log.
pub const KINDS: &[&[Kind]] = &[
    bytes::KINDS,
    length::KINDS,
    tail::KINDS,
    sets::KINDS,
    forged::KINDS,
    names::KINDS,
    summaries::KINDS,
    quarantine::KINDS,
];

/// Every kind of damage that can happen to a sample of this shape, in a folder or in memory.
pub fn kinds(shape: Shape, in_folder: bool) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().flatten().filter(move |kind| kind.suits(shape, in_folder))
}

impl Kind {
    /// Whether it can happen to a sample of this shape, in a folder or in memory.
    pub fn suits(&self, shape: Shape, in_folder: bool) -> bool {
        match self.media {
            Media::Any => shape != Shape::Summarised,
            Media::Growing => matches!(shape, Shape::Disk | Shape::Leases),
            Media::Folder => shape == Shape::Disk && in_folder,
            Media::Objects => shape == Shape::Objects,
            Media::Summaries => shape == Shape::Summarised,
        }
    }

    /// Does it. The seed chooses where.
    pub fn apply(&self, scene: &Scene<'_>, seed: u64) -> Done {
        (self.act)(scene, &mut Random::new(seed))
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Done {
    /// Whether opening refuses the log: it reads what a quick look does.
    pub fn refuses(&self) -> bool {
        self.error.is_some() || self.quick.iter().any(|one| one.severity == Severity::Damaged)
    }

    /// Seen by every look.
    fn seen(files: &[&str], findings: Vec<Expected>) -> Done {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        Done { files, full: findings.clone(), quick: findings, ..Done::default() }
    }

    /// Seen by a full look only.
    fn deep(files: &[&str], findings: Vec<Expected>) -> Done {
        Done { quick: Vec::new(), ..Done::seen(files, findings) }
    }

    fn losing(mut self, records: impl IntoIterator<Item = usize>) -> Done {
        self.lost.extend(records);
        self
    }

    fn hiding(mut self, records: impl IntoIterator<Item = usize>) -> Done {
        self.hidden.extend(records);
        self
    }
}

impl Expected {
    /// What of a finding is expected.
    pub fn of(finding: &Finding) -> Expected {
        let Finding { severity, file, offset, range, .. } = finding;
        let range = range.as_ref().map(|range| (range.start, range.end));
        Expected { severity: *severity, file: file.clone(), offset: *offset, range }
    }

    /// Damage in a segment, from an offset up to a position.
    fn damage(segment: &Sound, offset: u64, end: Position) -> Expected {
        Expected {
            severity: Severity::Damaged,
            file: Some(segment.name.clone()),
            offset: Some(offset),
            range: Some((segment.at(offset), end)),
        }
    }

    /// A segment that is not there.
    fn missing(segment: &Sound, end: Position) -> Expected {
        Expected {
            severity: Severity::Damaged,
            file: Some(format!("{} (missing)", segment.name)),
            offset: None,
            range: Some((segment.base(), end)),
        }
    }

    fn aside(name: &str, range: Range<Position>) -> Expected {
        Expected {
            severity: Severity::SetAside,
            file: Some(name.to_owned()),
            offset: None,
            range: Some((range.start, range.end)),
        }
    }

    fn foreign(name: &str) -> Expected {
        Expected { severity: Severity::Foreign, file: Some(name.to_owned()), offset: None, range: None }
    }
}

/// One of these.
fn one_of<T: Copy>(of: &[T], dice: &mut Random) -> T {
    of[dice.below(of.len() as u64) as usize]
}

/// A number in a range.
fn within(range: Range<u64>, dice: &mut Random) -> u64 {
    range.start + dice.below(range.end.saturating_sub(range.start).max(1))
}

/// Bytes that say nothing.
fn noise(len: usize, dice: &mut Random) -> Vec<u8> {
    (0..len).map(|_| (dice.draw() as u8) | 1).collect()
}
