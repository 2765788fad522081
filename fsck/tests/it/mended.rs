//! What is done to a log is mended by a repair: every kind of damage, on every shape, with the stated loss and not one
//! record more, and a second repair finds nothing to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_fsck::damage::{Done, Files, Kind, RECORDS, Sample, Scene, Shape};
use headwater_fsck::{Consent, Depth, Repaired, Report, check, plan, repair_with};
use headwater_wal::store::sim::SimClock;
use headwater_wal::{Log, Position};

use crate::damage::{everywhere, laid, readable, seeds};
use crate::specimen::{options, payload};

/// Kinds that a repair leaves to a person, and why.
const BY_HAND: &[(&str, &str)] = &[
    ("every segment is missing", "there is no log, and so nothing to repair"),
    ("a header of a newer release", "it may be good: the release that wrote it has to look"),
    ("a version that was changed", "a check refuses to look, and says which field to put back"),
    ("the mark of a salvage", "what is here is a part of a log: it is removed, and the salvage done again"),
    ("a segment that may not be read", "that it cannot be read says nothing of what it holds"),
];

/// The same, on objects only.
const BY_HAND_ON_OBJECTS: &[(&str, &str)] =
    &[("a file under the greatest name", "no epoch can begin behind it: it has to be moved away")];

/// Kinds after which records whose bytes are there stay out of the log, and why.
const STAY_HIDDEN: &[(&str, &str)] = &[
    ("a group that says it is four gigabytes long", FORGED),
    ("a frame that says it is a gigabyte long", FORGED),
    ("a footer that names another successor", FORGED),
    ("a header that names another predecessor", FORGED),
];

const FORGED: &str =
    "its checksum is right, so it is believed: what it hides is stated as lost, and handles still read it";

fn is_among(kinds: &[(&str, &str)], name: &str) -> bool {
    kinds.iter().any(|(kind, _)| *kind == name)
}

fn checked(files: &Files) -> headwater_wal::Result<Report> {
    check(&*files.store(), Position::START, Depth::Full)
}

fn mend(files: &Files, report: &Report, consent: Consent) -> headwater_wal::Result<Repaired> {
    let store = files.store();
    let plan = plan(&store, report)?;
    repair_with(&store, &plan, consent, Arc::new(SimClock::new(7)))
}

/// The records that a replay from the beginning gives.
fn replayed(files: &Files) -> Result<BTreeSet<usize>, String> {
    let opened = Log::open(files.store(), options()).map_err(|error| error.to_string())?;
    let replay = opened.replay(Position::START).map_err(|error| error.to_string())?;
    let numbered = |record: headwater_wal::Record| {
        let text = String::from_utf8_lossy(&record.payload).into_owned();
        let number = text.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(u64::MAX);
        assert_eq!(text, payload(number), "other bytes");
        number as usize
    };
    replay.map(|record| record.map(numbered).map_err(|error| error.to_string())).collect()
}

fn wrong(files: &Files, kind: &Kind, sample: &Sample, done: &Done) -> Result<(), String> {
    let hidden_stay = is_among(STAY_HIDDEN, kind.name);
    let before = readable(files, sample);
    let report = checked(files).map_err(|error| error.to_string())?;
    let repaired = mend(files, &report, Consent::LoseData).map_err(|error| format!("{error}\n{report}"))?;
    let report = checked(files).map_err(|error| format!("{error} after {repaired}"))?;
    if !report.is_sound() {
        return Err(format!("it is left so: {report}\n{repaired}"));
    }
    let all: BTreeSet<usize> = (0..RECORDS as usize).collect();
    let due: BTreeSet<usize> = all.difference(&done.lost).copied().collect();
    let after = readable(files, sample);
    if !after.is_superset(&before) {
        let gone: Vec<_> = before.difference(&after).collect();
        return Err(format!("the repair lost records {gone:?}\n{repaired}\n{report}"));
    }
    if !hidden_stay && after != due {
        let gone: Vec<_> = due.difference(&after).collect();
        return Err(format!("records {gone:?} did not come back\n{repaired}\n{report}"));
    }
    if done.forged == 0 {
        let replayed =
            replayed(files).map_err(|error| format!("replaying: {error}\n{repaired}\n{report}"))?;
        let gone: Vec<_> =
            before.difference(&replayed).filter(|one| !hidden_stay || !done.hidden.contains(one)).collect();
        if !gone.is_empty() {
            return Err(format!("a replay does not come to {gone:?}\n{repaired}\n{report}"));
        }
    }
    let bytes = files.bytes();
    let again =
        mend(files, &report, Consent::LoseData).map_err(|error| format!("again: {error}\n{report}"))?;
    if bytes != files.bytes() {
        return Err(format!("a second repair changed something: {again}\n{report}"));
    }
    Ok(())
}

#[test]
fn every_kind_of_damage_is_mended_with_the_stated_loss_and_not_one_record_more() {
    let mut failures = Vec::new();
    for (shape, in_folder, kind) in everywhere() {
        // In a folder only what can happen nowhere else.
        let by_hand = is_among(BY_HAND, kind.name)
            || shape == Shape::Objects && is_among(BY_HAND_ON_OBJECTS, kind.name);
        if in_folder && kind.suits(Shape::Disk, false) || by_hand {
            continue;
        }
        let sample = Sample::of(shape);
        for seed in 0..if in_folder { 1 } else { seeds() } {
            let (files, _dir) = laid(sample, in_folder);
            let done = kind.apply(&Scene { sample, files: &files }, seed);
            if let Err(wrong) = wrong(&files, kind, sample, &done) {
                failures.push(format!("{kind:?}, {shape:?}, seed {seed}: {wrong}"));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{} kinds\n\n{}", failures.len(), failures.join("\n\n\n"));
}

#[test]
fn what_loses_nothing_is_done_alone_and_costs_no_record() {
    let (mut failures, mut partly) = (Vec::new(), 0);
    for (shape, _, kind) in everywhere().filter(|(_, in_folder, _)| !in_folder) {
        let sample = Sample::of(shape);
        for seed in 0..2 {
            let (files, _dir) = laid(sample, false);
            kind.apply(&Scene { sample, files: &files }, seed);
            // Something of a second kind lies behind it.
            files.write("summary/00000000000000000001.sum", b"noise");
            let before = readable(&files, sample);
            let Ok(report) = checked(&files) else { continue };
            match mend(&files, &report, Consent::SafeOnly) {
                Ok(repaired) => {
                    partly += usize::from(!repaired.left().is_empty());
                    assert!(repaired.done().iter().all(|step| step.loses.is_empty()), "{repaired}");
                }
                Err(error) => failures.push(format!("{kind:?}, {shape:?}, seed {seed}: {error}\n{report}")),
            }
            if !readable(&files, sample).is_superset(&before) {
                failures.push(format!("{kind:?}, {shape:?}, seed {seed}: it costs records\n{report}"));
            }
        }
    }
    assert!(
        failures.is_empty() && partly > 0,
        "{} kinds, {partly}\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
