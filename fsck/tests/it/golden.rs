//! A log and a root that are kept in `tests/golden`, so that what the programs print of them can be kept too.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_wal::store::sim::SimClock;
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Log, Options, Position, Time};

use crate::journal_root::Place;

/// Where they are kept.
pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// 2026-01-01, in milliseconds.
const BEGINNING: u64 = 1_767_225_600_000;

const RECORDS: u64 = 30;

fn payload(number: u64) -> Vec<u8> {
    match number {
        7 => br#"{"user":7,"says":"hello"}"#.to_vec(),
        8 => b"a terminal would obey \x1b[2J this".to_vec(),
        number => format!("record {number} {}", "x".repeat(number as usize * 70)).into_bytes(),
    }
}

/// Two lives that were closed, and one that was killed.
fn log(path: &Path) {
    let clock = Arc::new(SimClock::new(8));
    let alive = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Local::open(alive.path()).unwrap());
    let options =
        Options::default().segment_bytes(16 << 10).record_bytes_max(64 << 10).compression(Compression::Off);
    for life in 0..3 {
        let opened = Log::open_with(store.clone(), options.clone(), clock.clone()).unwrap();
        let log = opened.start(Position::START).unwrap();
        for number in life * RECORDS / 3..(life + 1) * RECORDS / 3 {
            let time = Time(BEGINNING + number * 600_000);
            log.append_kind((number % 3) as u8, time, payload(number)).unwrap().wait().unwrap();
            clock.advance(std::time::Duration::from_secs(600));
        }
        if life == 2 {
            copy(alive.path(), path);
        }
        log.close().unwrap();
    }
}

/// A folder and all that lies below it, but for what belongs to one process.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
            false => _ = fs::copy(entry.path(), to).unwrap(),
        }
    }
}

#[test]
#[ignore = "makes tests/golden anew; then every page changes: SNAPSHOTS=overwrite"]
fn make_the_golden_log_and_root() {
    for folder in ["log", "root"] {
        let _ = fs::remove_dir_all(golden().join(folder));
    }
    log(&golden().join("log"));
    copy(&Place::with_history().stop().path, &golden().join("root"));
}
