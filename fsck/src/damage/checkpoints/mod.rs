//! Damages to folders of checkpoints: what must be said of each, which checkpoint is restored from all the same, and what
//! a sweep leaves.

mod heads;
mod names;
mod parts;
mod sample;
mod sets;

use headwater_checkpoint::Id;
use headwater_wal::store::sim::Random;

use super::told::Told;
use super::{Files, one_of, within};
use crate::Severity;

pub use sample::{Folder, NEWEST, agree, head, id, options, part, publish, start};

/// A way in which a folder of checkpoints is damaged.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name, in words.
    pub name: &'static str,
    /// Whether it can happen only in a folder on a disk.
    pub on_disk: bool,
    act: fn(&Files, &mut Random) -> Done,
}

/// What was done to a copy of the sample, and what it must look like.
#[derive(Clone, Debug)]
pub struct Done {
    /// What a full check must find, and nothing else.
    pub full: Vec<Told>,
    /// What a quick one must find.
    pub quick: Vec<Told>,
    /// From which checkpoint a full check says that one can restore.
    pub restorable: Option<Id>,
    /// So many parts are named by none that counts: a sweep removes them, if it may.
    pub litter: u64,
    /// So many parts are of checkpoints newer than the newest.
    pub unfinished: u64,
    /// Foreign names, where there are more than a report names.
    pub foreign: u64,
}

/// Every kind of damage to a folder of checkpoints.
pub const KINDS: &[&[Kind]] = &[heads::KINDS, parts::KINDS, sets::KINDS, names::KINDS];

/// Every kind that can happen in a folder on a disk, or elsewhere.
pub fn kinds(on_disk: bool) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().flatten().filter(move |kind| on_disk || !kind.on_disk)
}

impl Kind {
    const fn new(name: &'static str, act: fn(&Files, &mut Random) -> Done) -> Kind {
        Kind { name, on_disk: false, act }
    }

    const fn on_disk(name: &'static str, act: fn(&Files, &mut Random) -> Done) -> Kind {
        Kind { name, on_disk: true, act }
    }

    /// Does it to a copy of the sample. The seed chooses where.
    pub fn apply(&self, files: &Files, seed: u64) -> Done {
        (self.act)(files, &mut Random::new(seed))
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Done {
    /// Seen by every check.
    fn seen(findings: Vec<Told>) -> Done {
        let quick = findings.clone();
        Done { full: findings, quick, restorable: Some(NEWEST), litter: 0, unfinished: 0, foreign: 0 }
    }

    /// Seen by a full check only.
    fn deep(findings: Vec<Told>) -> Done {
        Done { quick: Vec::new(), ..Done::seen(findings) }
    }

    fn restoring(self, restorable: Option<Id>) -> Done {
        Done { restorable, ..self }
    }

    /// Parts that nobody names, below the newest: one finding tells of all.
    fn littered(mut self, count: u64) -> Done {
        let told = Told::new(Severity::SetAside, "parts", "");
        self.full.push(told.clone());
        self.quick.push(told);
        Done { litter: count, ..self }
    }

    fn unfinished(self, count: u64) -> Done {
        Done { unfinished: count, ..self }
    }
}

/// The checkpoints of the sample, oldest first.
const KEPT: [u64; 3] = [2, 3, 4];

/// One of those that are kept.
fn any(dice: &mut Random) -> Id {
    id(one_of(&KEPT, dice))
}

/// From which one can restore, if that one is spoiled.
fn without(spoiled: Id) -> Option<Id> {
    Some(if spoiled == NEWEST { id(3) } else { NEWEST })
}

/// A section of these checkpoints that is gone, newest first, and the file that says so.
fn section(name: &str, of: &[Id], file: String) -> Told {
    let ids: Vec<String> = of.iter().map(Id::to_string).collect();
    let plural = if of.len() == 1 { "" } else { "s" };
    Told::new(Severity::Damaged, file, format!("section {name:?} of checkpoint{plural} {}", ids.join(", ")))
}

/// A kept checkpoint that is not there.
fn gone(of: Id) -> Told {
    let file = format!("{} (missing)", head(of));
    Told::new(Severity::Lost, file, format!("checkpoint {of}, as one to fall back on"))
}

fn flip(files: &Files, name: &str, offsets: std::ops::Range<u64>, dice: &mut Random) {
    let (offset, bit) = (within(offsets, dice) as usize, dice.below(8));
    files.change(name, |bytes| bytes.iter_mut().skip(offset).take(1).for_each(|byte| *byte ^= 1 << bit));
}
