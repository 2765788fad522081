//! Heads that are missing, and objects that no checkpoint needs.

use headwater_checkpoint::Id;
use headwater_wal::store::sim::Random;

use super::{Done, Files, Folder, Kind, NEWEST, Told, gone, head, id, part, start, without};
use crate::Severity;
use crate::damage::{noise, one_of};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("the newest head is missing", newest),
    Kind::new("a kept head is missing", kept),
    Kind::new("every head is missing", every),
    Kind::new("parts of a checkpoint that went", |f, d| orphans(f, d, id(1), 3)),
    Kind::new("parts of a replaced writer, older than the newest", |f, d| {
        orphans(f, d, Id { epoch: 0, number: 9 }, 2)
    }),
    Kind::new("parts of a checkpoint that is being written", |f, d| ahead(f, d, id(5))),
    Kind::new("parts of a later epoch's checkpoint", |f, d| ahead(f, d, Id { epoch: 7, number: 0 })),
    Kind::new("a part more than a section has", beyond),
    Kind::new("a draft that was never published", draft),
    Kind::new("a head that came back", came_back),
    Kind::new("a damaged head of a checkpoint that went", damaged_and_gone),
];

/// It kept two: one that was pruned for it is not there, and is told as gone.
fn newest(files: &Files, _: &mut Random) -> Done {
    files.remove(&head(NEWEST));
    Done::seen(vec![gone(id(1))]).restoring(without(NEWEST)).unfinished(4)
}

fn kept(files: &Files, dice: &mut Random) -> Done {
    let of = id(one_of(&[2, 3], dice));
    files.remove(&head(of));
    Done::seen(vec![gone(of)]).littered(4)
}

fn every(files: &Files, _: &mut Random) -> Done {
    super::KEPT.iter().for_each(|number| files.remove(&head(id(*number))));
    Done::seen(Vec::new()).restoring(None).unfinished(14)
}

fn orphans(files: &Files, dice: &mut Random, of: Id, count: u32) -> Done {
    (0..count).for_each(|at| files.write(&part(of, 1, at), &noise(70, dice)));
    Done::seen(Vec::new()).littered(count.into())
}

/// No crash explains them to be litter: the next checkpoint may name them.
fn ahead(files: &Files, dice: &mut Random, of: Id) -> Done {
    (0..3).for_each(|at| files.write(&part(of, 0, at), &noise(70, dice)));
    Done::seen(Vec::new()).unfinished(3)
}

/// Of an older one; what is the newest's own is never swept.
fn beyond(files: &Files, dice: &mut Random) -> Done {
    files.write(&part(id(one_of(&[2, 3], dice)), 1, 4), &noise(70, dice));
    Done::seen(Vec::new()).littered(1)
}

fn draft(files: &Files, _: &mut Random) -> Done {
    let mut writer = start(&files.store(), 2);
    let mut draft = writer.draft().expect("a draft");
    draft.write("big", &[b'x'; 200]).expect("a section");
    drop(draft);
    Done::seen(Vec::new()).unfinished(4)
}

/// Older than what the newest keeps. Only the name is asked, whatever it holds.
fn left_over(files: &Files, bytes: &[u8]) -> Done {
    files.write(&head(id(1)), bytes);
    Done::seen(vec![Told::new(Severity::SetAside, head(id(1)), "")])
}

fn came_back(files: &Files, _: &mut Random) -> Done {
    left_over(files, Folder::sample().bytes(&head(id(2))))
}

fn damaged_and_gone(files: &Files, dice: &mut Random) -> Done {
    left_over(files, &noise(300, dice))
}
