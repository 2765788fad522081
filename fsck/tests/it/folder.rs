//! A folder of checkpoints on disk, as a kill leaves it, that can be damaged in named ways.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_checkpoint::{Id, Object};
use headwater_fsck::checkpoints::{Report, check};
use headwater_fsck::damage::Files;
use headwater_fsck::damage::checkpoints::{self, agree};
pub(crate) use headwater_fsck::damage::checkpoints::{NEWEST, head, id, options, part, publish, start};
use headwater_fsck::{Depth, Finding};
use headwater_wal::store::{Local, Store};
use tempfile::TempDir;

/// The catalogue's sample of checkpoints.
pub(crate) struct Folder {
    _dir: Option<TempDir>,
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root").join("checkpoints");
        checkpoints::Folder::sample().lay(&Files::Folder(path.clone()));
        Folder { _dir: Some(dir), path }
    }

    /// A copy of it as it is now, to go on in by itself.
    pub(crate) fn copy(&self) -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder { path: dir.path().join("checkpoints"), _dir: Some(dir) };
        fs::create_dir_all(folder.path.join("parts")).unwrap();
        for name in self.names() {
            fs::copy(self.file(&name), folder.file(&name)).unwrap();
        }
        folder
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(Local::open(&self.path).unwrap())
    }

    pub(crate) fn check(&self) -> Report {
        check(&self.store(), Depth::Full).unwrap()
    }

    /// The only finding of a full check.
    pub(crate) fn finding(&self) -> Finding {
        let report = self.check();
        assert_eq!(report.findings().len(), 1, "{report}");
        report.findings()[0].clone()
    }

    /// The names of all objects, parts with their folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let list = |folder: &str| -> Vec<String> {
            let entries = fs::read_dir(self.file(folder)).unwrap().map(|entry| entry.unwrap());
            let names = entries.map(|entry| format!("{folder}{}", entry.file_name().to_str().unwrap()));
            names.filter(|name| Object::parse(name).is_some()).collect()
        };
        let mut names = [list(""), list("parts/")].concat();
        names.sort();
        names
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap()
    }

    pub(crate) fn flip(&self, name: &str, offset: usize) {
        self.change(name, |bytes| bytes[offset] ^= 0x10);
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(name);
        change(&mut bytes);
        self.plant(name, &bytes);
    }

    pub(crate) fn delete(&self, name: &str) {
        fs::remove_file(self.file(name)).unwrap();
    }

    pub(crate) fn plant(&self, name: &str, bytes: &[u8]) {
        fs::write(self.file(name), bytes).unwrap();
    }

    /// Changes the table of a head, or its preamble, and has its checksums agree again.
    pub(crate) fn forge(&self, id: Id, forge: impl FnOnce(&mut Vec<u8>)) {
        self.change(&head(id), |bytes| {
            forge(bytes);
            agree(id, bytes);
        });
    }
}
