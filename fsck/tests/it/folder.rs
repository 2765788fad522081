//! A folder of checkpoints on disk, as a kill leaves it, that can be damaged in named ways.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_checkpoint::{Checkpoints, Content, Held, Id, Object, Options, Owner, Writer};
use headwater_fsck::checkpoints::{Report, check};
use headwater_fsck::{Depth, Finding};
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Position};
use tempfile::TempDir;

const IDENTITY: u64 = 0x1D;

/// Checkpoints 1-0 to 1-4, of which the last three are kept. Each has `small` inside its head, `big` in parts of its own,
/// and `still` in parts of 1-0.
pub(crate) struct Folder {
    _dir: Option<TempDir>,
    pub(crate) path: PathBuf,
}

pub(crate) const NEWEST: Id = Id { epoch: 1, number: 4 };

pub(crate) fn id(number: u64) -> Id {
    Id { epoch: 1, number }
}

pub(crate) fn options() -> Options {
    Options::default()
        .content(Content::new("specimen", 3))
        .part_bytes(64)
        .inside_bytes_max(16)
        .uploads(0)
        .compression(Compression::Off)
        .keep_last(3)
}

pub(crate) fn start(store: &Arc<dyn Store>, epoch: u64) -> Writer {
    let owner = Owner { identity: IDENTITY, epoch };
    Writer::start(Checkpoints::open(store.clone()), owner, options(), &Held::nothing()).unwrap().0
}

/// Publishes the next one, at a position 100 further than the one before.
pub(crate) fn publish(writer: &mut Writer) -> Id {
    let mut draft = writer.draft().unwrap();
    let id = draft.id();
    draft.write("small", format!("small {id}").as_bytes()).unwrap();
    draft.write("big", &[b'a' + id.number as u8; 200]).unwrap();
    match draft.follows() {
        Some(_) => draft.keep("still").unwrap(),
        None => draft.write("still", &[b'.'; 100]).unwrap(),
    }
    draft.publish(&[("journal", Position(100 * (id.number + 1)))]).unwrap()
}

pub(crate) fn part(of: Id, section: u32, part: u32) -> String {
    Object::Part { of, section, part }.name().to_string()
}

pub(crate) fn head(id: Id) -> String {
    Object::Head(id).name().to_string()
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root").join("checkpoints");
        let folder = Folder { _dir: Some(dir), path };
        let mut writer = start(&folder.store(), 1);
        (0..5).for_each(|_| _ = publish(&mut writer));
        folder
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
            let table = u32::from_le_bytes(bytes[56..60].try_into().unwrap()) as usize;
            forge(bytes);
            let check = crc32c::crc32c(&bytes[64..64 + table]);
            bytes[60..64].copy_from_slice(&check.to_le_bytes());
            let named = crc32c::crc32c_append(crc32c::crc32c(head(id).as_bytes()), &bytes[8..12]);
            let check = crc32c::crc32c_append(named, &bytes[16..64]);
            bytes[12..16].copy_from_slice(&check.to_le_bytes());
        });
    }
}
