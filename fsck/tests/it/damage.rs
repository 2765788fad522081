//! What is done to a log is what the check says of it: every kind of damage, on every shape, and nothing more is found.
//! `HEADWATER_DAMAGE_SEEDS` says how many places are tried for each kind.

use std::collections::BTreeSet;

use headwater_fsck::damage::{Done, Expected, Files, Kind, RECORDS, Sample, Scene, Shape, kinds};
use headwater_fsck::{Depth, Report, Severity, check};
use headwater_wal::{Log, Position, Reader};

use crate::specimen::{options, payload};

pub(crate) fn seeds() -> u64 {
    std::env::var("HEADWATER_DAMAGE_SEEDS").map_or(3, |seeds| seeds.parse().expect("a number"))
}

/// What a report names, in an order of its own.
fn named(report: &Report) -> Vec<Expected> {
    let mut named: Vec<Expected> = report.findings().iter().map(Expected::of).collect();
    named.sort();
    named
}

fn sorted(expected: &[Expected]) -> Vec<Expected> {
    let mut expected = expected.to_vec();
    expected.sort();
    expected
}

/// Everything that a check gets wrong about it.
fn wrong(files: &Files, done: &Done) -> Result<(), String> {
    for (depth, expected) in [(Depth::Full, &done.full), (Depth::Quick, &done.quick)] {
        match (check(&*files.store(), Position::START, depth), done.error) {
            (Err(error), Some(kind)) if error.kind() == kind => {}
            (Err(error), wanted) => return Err(format!("{depth:?}: {error}, and not {wanted:?}")),
            (Ok(report), Some(kind)) => return Err(format!("{depth:?}: no {kind}:\n{report}")),
            (Ok(report), None) => {
                if named(&report) != sorted(expected) {
                    return Err(format!("{depth:?}: not {:#?}\n{report}", sorted(expected)));
                }
                let foreign = expected.iter().filter(|one| one.severity == Severity::Foreign).count() as u64;
                if report.count(Severity::Foreign) != foreign.max(done.foreign) {
                    return Err(format!("{depth:?}: not all foreign names were counted:\n{report}"));
                }
                let records = RECORDS + done.forged - (done.lost.len() + done.hidden.len()) as u64;
                if depth == Depth::Full && report.records() != records {
                    return Err(format!("{} records, and not {records}:\n{report}", report.records()));
                }
            }
        }
    }
    Ok(())
}

/// The records that their handles still read.
pub(crate) fn readable(files: &Files, sample: &Sample) -> BTreeSet<usize> {
    let reader = Reader::open(files.store()).unwrap();
    let read = |number: &usize| match reader.read(&sample.records[*number]) {
        Ok(record) => {
            assert_eq!(record.payload, payload(*number as u64), "other bytes");
            true
        }
        Err(_) => false,
    };
    (0..sample.records.len()).filter(read).collect()
}

/// A copy of the sample, in a folder or in memory.
pub(crate) fn laid(sample: &Sample, in_folder: bool) -> (Files, Option<tempfile::TempDir>) {
    if !in_folder {
        return (sample.copy(), None);
    }
    let dir = tempfile::tempdir().unwrap();
    let files = Files::Folder(dir.path().join("log"));
    sample.lay(&files);
    (files, Some(dir))
}

/// Everywhere that a kind can happen.
pub(crate) fn everywhere() -> impl Iterator<Item = (Shape, bool, &'static Kind)> {
    let places = [
        (Shape::Disk, false),
        (Shape::Disk, true),
        (Shape::Objects, false),
        (Shape::Summarised, false),
        (Shape::Leases, false),
    ];
    places.into_iter().flat_map(|(shape, folder)| kinds(shape, folder).map(move |kind| (shape, folder, kind)))
}

#[test]
fn what_nothing_happened_to_is_clean() {
    for shape in [Shape::Disk, Shape::Objects, Shape::Summarised, Shape::Leases] {
        wrong(&Sample::of(shape).copy(), &Done::default())
            .unwrap_or_else(|wrong| panic!("{shape:?}: {wrong}"));
    }
}

#[test]
fn every_kind_of_damage_is_told_and_nothing_else() {
    let (mut failures, mut names) = (Vec::new(), BTreeSet::new());
    for (shape, in_folder, kind) in everywhere() {
        names.insert(kind.name);
        let sample = Sample::of(shape);
        for seed in 0..if in_folder { 1 } else { seeds() } {
            let (files, _dir) = laid(sample, in_folder);
            let done = kind.apply(&Scene { sample, files: &files }, seed);
            let before = files.bytes();
            if let Err(wrong) = wrong(&files, &done) {
                failures.push(format!("{kind:?}, {shape:?}, seed {seed}: {wrong}"));
                break;
            }
            assert_eq!(before, files.bytes(), "{kind:?}: looking changed something");
        }
    }
    assert!(names.len() >= 60, "{} kinds", names.len());
    assert!(failures.is_empty(), "{} of {} kinds\n\n{}", failures.len(), names.len(), failures.join("\n\n"));
}

#[test]
fn what_the_catalogue_says_is_lost_is_what_no_handle_reads_any_more() {
    for (shape, _, kind) in everywhere().filter(|(_, in_folder, _)| !in_folder) {
        let sample = Sample::of(shape);
        for seed in 0..seeds() {
            let files = sample.copy();
            let done = kind.apply(&Scene { sample, files: &files }, seed);
            let readable = readable(&files, sample);
            let gone: BTreeSet<usize> =
                (0..RECORDS as usize).filter(|record| !readable.contains(record)).collect();
            assert!(done.lost.is_subset(&gone), "{kind:?}, {shape:?}, seed {seed}: {:?} {gone:?}", done.lost);
            let known: BTreeSet<usize> = done.lost.union(&done.hidden).copied().collect();
            assert!(gone.is_subset(&known), "{kind:?}, {shape:?}, seed {seed}: {known:?} {gone:?}");
        }
    }
}

#[test]
fn opening_refuses_what_the_catalogue_says_it_refuses() {
    for (shape, _, kind) in everywhere().filter(|(_, in_folder, _)| !in_folder) {
        let sample = Sample::of(shape);
        let files = sample.copy();
        let done = kind.apply(&Scene { sample, files: &files }, 0);
        let started = Log::open(files.store(), options()).and_then(|opened| opened.start(Position::START));
        match started {
            // Where every file is gone, there is a new log.
            Ok(_) => {
                assert!(!done.refuses() || done.error == Some(headwater_wal::Kind::NotThere), "{kind:?}")
            }
            Err(error) => assert!(done.refuses(), "{kind:?}, {shape:?}: {error}"),
        }
    }
}

#[test]
fn who_knows_of_a_later_position_sees_that_the_end_is_gone() {
    for (shape, in_folder, kind) in everywhere().filter(|(_, in_folder, _)| !in_folder) {
        let sample = Sample::of(shape);
        let (files, _dir) = laid(sample, in_folder);
        let done = kind.apply(&Scene { sample, files: &files }, 0);
        if done.unseen && done.error.is_none() {
            let promised = sample.records.last().unwrap().end();
            let report = check(&*files.store(), promised, Depth::Quick).unwrap();
            assert!(!report.is_sound(), "{kind:?}, {shape:?}: {report}");
        }
    }
}
