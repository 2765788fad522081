//! What is done to a folder of checkpoints is what the check says of it, and what a sweep leaves is what stays by hand.

use std::collections::BTreeSet;

use headwater_fsck::checkpoints::{Report, check, sweep, sweepable};
use headwater_fsck::damage::checkpoints::{Done, Folder, Kind, kinds};
use headwater_fsck::damage::{Files, Told};
use headwater_fsck::{Depth, Severity};
use headwater_wal::store::Memory;

use crate::damage::seeds;

fn told(report: &Report) -> Vec<Told> {
    sorted(&report.findings().iter().map(|finding| Told::of("", finding)).collect::<Vec<_>>())
}

pub(crate) fn sorted(told: &[Told]) -> Vec<Told> {
    let mut told = told.to_vec();
    told.sort();
    told
}

/// What is told and was not to be, and the other way round.
pub(crate) fn differ(told: &[Told], expected: &[Told]) -> Result<(), String> {
    let without = |all: &[Told], others: &[Told]| -> Vec<String> {
        all.iter().filter(|one| !others.contains(one)).map(|one| format!("{one:?}")).collect()
    };
    match told == expected {
        true => Ok(()),
        false => {
            Err(format!("too much: {:#?}, not told: {:#?}", without(told, expected), without(expected, told)))
        }
    }
}

/// A copy of the sample, in a folder or in memory.
fn laid(on_disk: bool) -> (Files, Option<tempfile::TempDir>) {
    let dir = on_disk.then(|| tempfile::tempdir().unwrap());
    let files = match &dir {
        Some(dir) => Files::Folder(dir.path().join("checkpoints")),
        None => Files::Memory(Memory::objects()),
    };
    Folder::sample().lay(&files);
    (files, dir)
}

/// Everywhere that a kind can happen, with places for it.
fn everywhere() -> impl Iterator<Item = (bool, &'static Kind, u64)> {
    let on_disk = [false, true].into_iter().flat_map(|disk| kinds(disk).map(move |kind| (disk, kind)));
    on_disk.flat_map(|(disk, kind)| (0..if disk { 1 } else { 4 * seeds() }).map(move |at| (disk, kind, at)))
}

/// Everything that a check gets wrong about it.
fn wrong(files: &Files, done: &Done) -> Result<(), String> {
    for (depth, expected) in [(Depth::Full, &done.full), (Depth::Quick, &done.quick)] {
        let report = check(&files.store(), depth).map_err(|error| error.to_string())?;
        differ(&told(&report), &sorted(expected)).map_err(|wrong| format!("{depth:?}: {wrong}\n{report}"))?;
        let survey = report.survey();
        let counts = (survey.litter().count, survey.unfinished().count);
        if counts != (done.litter, done.unfinished) {
            return Err(format!("{depth:?}: {counts:?} parts of nobody\n{report}"));
        }
        if survey.foreign_count() < done.foreign
            || depth == Depth::Full && report.restorable() != done.restorable
        {
            return Err(format!(
                "{depth:?}: {:?} is not {:?}\n{report}",
                report.restorable(),
                done.restorable
            ));
        }
    }
    Ok(())
}

#[test]
fn every_kind_of_damage_to_checkpoints_is_told_and_nothing_else() {
    let (mut failures, mut names) = (Vec::new(), BTreeSet::new());
    for (on_disk, kind, seed) in everywhere() {
        names.insert(kind.name);
        let (files, _dir) = laid(on_disk);
        let done = kind.apply(&files, seed);
        let before = files.bytes();
        if let Err(wrong) = wrong(&files, &done) {
            failures.push(format!("{kind:?}, on disk {on_disk}, seed {seed}: {wrong}"));
        }
        assert_eq!(before, files.bytes(), "{kind:?}: looking changed something");
    }
    assert!(names.len() >= 50, "{} kinds", names.len());
    assert!(failures.is_empty(), "{} of {} kinds\n\n{}", failures.len(), names.len(), failures.join("\n\n"));
}

#[test]
fn a_folder_of_checkpoints_that_nothing_happened_to_is_clean() {
    for on_disk in [false, true] {
        let (files, _dir) = laid(on_disk);
        let report = check(&files.store(), Depth::Full).unwrap();
        assert_eq!((report.state(), report.findings()), ("clean", &[][..]), "{report}");
    }
}

/// Kinds after which something stays damaged when a sweep is done, and why.
const BY_HAND: &[(&str, &str)] = &[
    ("a bit of a head's magic", HEAD),
    ("a bit of a head's checksum", HEAD),
    ("a bit of a head's preamble", HEAD),
    ("a bit of a head's table", HEAD),
    ("a bit of a section inside a head", HEAD),
    ("a head cut short", HEAD),
    ("a head of nothing", HEAD),
    ("a head of zeros", HEAD),
    ("a head of noise", HEAD),
    ("a head with noise behind it", HEAD),
    ("a head that says it has four billion sections", HEAD),
    ("a head that says it is longer than anything", HEAD),
    ("another application's head under this name", HEAD),
    ("two heads swapped", HEAD),
    ("every head is damaged", HEAD),
    ("a bit of a part's head", PART),
    ("a bit of a part's bytes", PART),
    ("a part of zeros", PART),
    ("a part of noise", PART),
    ("another application's part under this name", PART),
    ("a part cut short", PART),
    ("a part of nothing", PART),
    ("a part with noise behind it", PART),
    ("a part is missing", PART),
    ("every part of a section is missing", PART),
    ("a bit of a part that all share", PART),
    ("a part that all share is missing", PART),
    ("two parts of a section swapped", PART),
    ("parts of two checkpoints swapped", PART),
    ("a socket in place of a part", PART),
];

const HEAD: &str = "what it said stands nowhere else: it goes when newer checkpoints prune it";

const PART: &str =
    "its bytes stand nowhere else: the application writes the section anew in its next checkpoint";

/// Everything that a sweep gets wrong about it. A sweep is all that mends checkpoints.
fn swept_wrong(files: &Files, kind: &Kind, done: &Done) -> Result<(), String> {
    let store = files.store();
    let planned = sweepable(&store).map_err(|error| error.to_string())?;
    let before = check(&store, Depth::Full).map_err(|error| error.to_string())?;
    sweep(&store, &planned).map_err(|error| format!("{error}\n{planned}"))?;
    let after = check(&store, Depth::Full).map_err(|error| error.to_string())?;
    let kept = |report: &Report| -> Vec<Told> {
        told(report).into_iter().filter(|told| told.severity != Severity::SetAside).collect()
    };
    differ(&kept(&after), &kept(&before)).map_err(|wrong| format!("{wrong}\n{planned}\n{after}"))?;
    let heads = after.survey().heads().iter();
    let unread =
        heads.filter(|head| head.stated.is_none() && Some(head.id) < after.survey().newest()).count();
    let left = if unread > 0 { done.litter } else { 0 };
    if after.survey().litter().count != left || left == 0 && after.count(Severity::SetAside) > 0 {
        return Err(format!("not {left} parts are left\n{planned}\n{after}"));
    }
    if (after.restorable(), after.survey().unfinished().count) != (done.restorable, done.unfinished) {
        return Err(format!("the sweep changed what is needed\n{planned}\n{after}"));
    }
    if after.is_sound() == BY_HAND.iter().any(|(by_hand, _)| *by_hand == kind.name) {
        return Err(format!("it is listed wrongly\n{planned}\n{after}"));
    }
    match sweepable(&store) {
        Ok(again) if again.is_empty() => Ok(()),
        again => Err(format!("a second sweep finds something to do: {again:?}")),
    }
}

#[test]
fn a_sweep_removes_what_no_checkpoint_needs_and_leaves_by_hand_what_is_listed() {
    let mut failures = Vec::new();
    for (on_disk, kind, seed) in everywhere() {
        let (files, _dir) = laid(on_disk);
        let done = kind.apply(&files, seed);
        if let Err(wrong) = swept_wrong(&files, kind, &done) {
            failures.push(format!("{kind:?}, on disk {on_disk}, seed {seed}: {wrong}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
