//! Folders with very many names: what a check takes of time and memory does not grow with what it does not name.
//! `HEADWATER_NAMES` says how many.

use std::time::{Duration, Instant};

use headwater_fsck::damage::checkpoints::Folder;
use headwater_fsck::damage::{Files, Sample, Shape};
use headwater_fsck::{Depth, Severity, check, checkpoints};
use headwater_wal::Position;

/// A report names so many of a kind.
const NAMED_MAX: usize = 100;

fn names() -> u64 {
    std::env::var("HEADWATER_NAMES").map_or(20_000, |names| names.parse().expect("a number"))
}

/// So much for listing names, also where the machine is busy.
fn patience() -> Duration {
    Duration::from_secs(10) + Duration::from_micros(50) * names() as u32
}

fn plant(files: &Files) {
    let folder = files.folder().unwrap();
    for number in 0..names() {
        std::fs::File::create(folder.join(format!("stray-{number:08}"))).unwrap();
    }
}

#[test]
fn a_log_among_very_many_names_is_checked_and_a_hundred_of_them_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::Folder(dir.path().join("log"));
    Sample::of(Shape::Disk).lay(&files);
    plant(&files);
    let store = files.store();
    let began = Instant::now();
    let report = check(&*store, Position::START, Depth::Full).unwrap();
    assert!(began.elapsed() < patience(), "{:?}", began.elapsed());
    assert_eq!((report.count(Severity::Foreign), report.findings().len()), (names(), NAMED_MAX));
    assert!(report.is_sound() && report.to_string().len() < 100_000);
}

#[test]
fn checkpoints_among_very_many_names_are_checked_and_a_hundred_of_them_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::Folder(dir.path().join("checkpoints"));
    Folder::sample().lay(&files);
    plant(&files);
    let store = files.store();
    let began = Instant::now();
    let report = checkpoints::check(&store, Depth::Full).unwrap();
    assert!(began.elapsed() < patience(), "{:?}", began.elapsed());
    assert_eq!((report.count(Severity::Foreign), report.findings().len()), (names(), NAMED_MAX));
    assert!(report.is_sound() && report.to_string().len() < 100_000);
}
