//! The next segment's room, which is made while nobody waits for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use headwater_wal::store::{Append, Local, Room};
use headwater_wal::{Compression, Durability, Log, Options, Position, Time};
use tempfile::TempDir;

const SEGMENT_BYTES: u64 = 256 << 10;

/// The files that wait for a name, and their lengths.
fn made(place: &Path) -> Vec<(PathBuf, u64)> {
    let files = fs::read_dir(place).unwrap().map(|file| file.unwrap().path());
    let fresh =
        files.filter(|file| file.file_name().unwrap().to_string_lossy().starts_with(".headwater-new-"));
    fresh.filter_map(|file| Some((file.clone(), fs::metadata(file).ok()?.len()))).collect()
}

fn until(place: &Path, count: usize, len: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let made = made(place);
        if made.len() == count && made.iter().all(|(_, its)| *its == len) {
            return;
        }
        assert!(Instant::now() < deadline, "{made:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn room_is_made_before_it_is_needed_and_given_back_by_closing() {
    for durability in [Durability::Power, Durability::Process] {
        let folder = TempDir::new().unwrap();
        let place = folder.path().join("log");
        let store = Arc::new(Local::open(&place).unwrap());
        let options = Options::default().segment_bytes(SEGMENT_BYTES).compression(Compression::Off);
        let options = options.durability(durability);
        let log = Log::open(store.clone(), options).unwrap().start(Position::START).unwrap();
        until(&place, 1, SEGMENT_BYTES);
        let append = || log.append(Time(0), vec![7; 10_000]).unwrap().wait().unwrap();
        append();
        // The first segment has taken it, and the next one's is made at once.
        until(&place, 1, SEGMENT_BYTES);
        log.close().unwrap();
        until(&place, 0, 0);
        drop(store);
    }
}

#[test]
fn a_log_takes_what_was_made_ahead_for_its_next_segment() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("log");
    let options = Options::default().segment_bytes(SEGMENT_BYTES).compression(Compression::Off);
    let store = Arc::new(Local::open(&place).unwrap());
    let log = Log::open(store, options).unwrap().start(Position::START).unwrap();
    until(&place, 1, SEGMENT_BYTES);
    let (_, inode) = one(&place);
    log.append(Time(0), "first").unwrap().wait().unwrap();
    let segment = log.chain().segments().last().unwrap().base;
    let file = place.join(format!("{:020}.wal", segment.0));
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(file).unwrap()), inode);
}

#[test]
fn what_was_made_ahead_goes_with_the_ownership_since_its_name_may_then_be_another_owners() {
    let folder = TempDir::new().unwrap();
    let store = Local::open(folder.path().join("log")).unwrap();
    let owner = store.own().unwrap();
    store.ahead(SEGMENT_BYTES, Room::Written).unwrap();
    let (file, _) = one(&folder.path().join("log"));
    drop(owner);
    assert!(!file.exists());
    // Processes of two containers can have one number, and so make names that are the same.
    fs::write(&file, "of the next owner").unwrap();
    drop(store);
    assert!(file.exists());
}

fn one(place: &Path) -> (PathBuf, u64) {
    let made = made(place);
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&made[0].0).unwrap());
    (made[0].0.clone(), inode)
}
