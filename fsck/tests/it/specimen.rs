//! A log on disk, as a kill leaves it, that can be damaged in named ways.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_fsck::damage::{Files, Sample, Shape};
pub(crate) use headwater_fsck::damage::{fill, options, payload};
use headwater_fsck::{Depth, Report, check};
use headwater_wal::format::name::segment;
use headwater_wal::store::{Local, Store};
use headwater_wal::{Handle, Position};
use tempfile::TempDir;

pub(crate) const RECORDS: u64 = headwater_fsck::damage::RECORDS;

pub(crate) struct Specimen {
    _dir: TempDir,
    pub(crate) path: PathBuf,
    /// Of every record, oldest first.
    pub(crate) handles: Vec<Handle>,
}

impl Specimen {
    /// Two lives that were closed, and one that was killed.
    pub(crate) fn new() -> Specimen {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let sample = Sample::of(Shape::Disk);
        sample.lay(&Files::Folder(path.clone()));
        Specimen { _dir: dir, path, handles: sample.records.clone() }
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
