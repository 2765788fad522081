//! A log on disk, as a kill leaves it, that can be damaged in named ways.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_fsck::{Depth, Report, check};
use headwater_wal::format::name::segment;
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Handle, Log, Options, Position, Time};
use tempfile::TempDir;

pub(crate) const RECORDS: u64 = 90;

pub(crate) struct Specimen {
    _dir: TempDir,
    pub(crate) path: PathBuf,
    /// Of every record, oldest first.
    pub(crate) handles: Vec<Handle>,
}

pub(crate) fn options() -> Options {
    Options::default().segment_bytes(16 << 10).record_bytes_max(64 << 10).compression(Compression::Off)
}

pub(crate) fn payload(number: u64) -> String {
    format!("record {number} {}", "x".repeat(number as usize * 11))
}

/// Appends the records of three lives, the last of which is still running.
pub(crate) fn fill(store: &Arc<dyn Store>) -> (Vec<Handle>, Log) {
    let (mut handles, mut number) = (Vec::new(), 0);
    loop {
        let log = Log::open(store.clone(), options()).unwrap().start(Position::START).unwrap();
        for _ in 0..RECORDS / 3 {
            handles.push(log.append_kind(7, Time(1_000 + number), payload(number)).unwrap().wait().unwrap());
            number += 1;
        }
        if number == RECORDS {
            return (handles, log);
        }
        log.close().unwrap();
    }
}

impl Specimen {
    /// Two lives that were closed, and one that was killed.
    pub(crate) fn new() -> Specimen {
        let dir = tempfile::tempdir().unwrap();
        let alive = dir.path().join("alive");
        let store: Arc<dyn Store> = Arc::new(Local::open(&alive).unwrap());
        let (handles, log) = fill(&store);
        // Copied while its writer lives: what a kill leaves.
        let path = dir.path().join("log");
        fs::create_dir(&path).unwrap();
        for entry in fs::read_dir(&alive).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), path.join(entry.file_name())).unwrap();
        }
        log.close().unwrap();
        Specimen { _dir: dir, path, handles }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(Local::open(&self.path).unwrap())
    }

    pub(crate) fn check(&self) -> Report {
        check(&*self.store(), Position::START, Depth::Full).unwrap()
    }

    /// The file of the record with that number, and the offset of its frame.
    pub(crate) fn place(&self, number: usize) -> (String, u64) {
        let handle = self.handles[number];
        (segment(handle.base()), handle.position().since(handle.base()))
    }

    /// A sealed segment in the middle of the log that holds records: its file, and its first record's number.
    pub(crate) fn middle(&self) -> (String, usize) {
        let base = self.handles[RECORDS as usize / 2].base();
        (segment(base), self.handles.iter().position(|handle| handle.base() == base).unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn flip(&self, file: &str, offset: u64) {
        self.change(file, |bytes| bytes[offset as usize] ^= 0x10);
    }

    pub(crate) fn cut(&self, file: &str, len: u64) {
        self.change(file, |bytes| bytes.truncate(len as usize));
    }

    pub(crate) fn change(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.file(file)).unwrap();
        change(&mut bytes);
        fs::write(self.file(file), bytes).unwrap();
    }

    pub(crate) fn delete(&self, file: &str) {
        fs::remove_file(self.file(file)).unwrap();
    }

    pub(crate) fn plant(&self, name: &str, bytes: &[u8]) {
        fs::write(self.file(name), bytes).unwrap();
    }
}
