//! A small folder of checkpoints, as a kill leaves it: what is damaged is a copy of it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use headwater_checkpoint::{Checkpoints, Content, Held, Id, Object, Options, Owner, Writer};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{Compression, Position};

use super::super::Files;

/// The short identity of the log that its writer owns.
const IDENTITY: u64 = 0x1D;

/// The newest of the sample's checkpoints.
pub const NEWEST: Id = Id { epoch: 1, number: 4 };

/// The files of checkpoints 1-0 to 1-4, of which the last three are kept. Each has `small` inside its head, `big` in four
/// parts of its own, and `still` in two parts of 1-0.
#[derive(Debug)]
pub struct Folder {
    files: BTreeMap<String, Vec<u8>>,
}

/// The options that a sample was written with.
pub fn options() -> Options {
    Options::default()
        .content(Content::new("specimen", 3))
        .part_bytes(64)
        .inside_bytes_max(16)
        .uploads(0)
        .compression(Compression::Off)
        .keep_last(3)
}

/// The writer of that epoch begins.
pub fn start(store: &Arc<dyn Store>, epoch: u64) -> Writer {
    start_for(store, Owner { identity: IDENTITY, epoch })
}

fn start_for(store: &Arc<dyn Store>, owner: Owner) -> Writer {
    let checkpoints = Checkpoints::open(store.clone());
    Writer::start(checkpoints, owner, options(), &Held::nothing()).expect("a writer").0
}

/// Publishes the next one, at a position 100 further than the one before.
pub fn publish(writer: &mut Writer) -> Id {
    publish_with(writer, b'a')
}

fn publish_with(writer: &mut Writer, first: u8) -> Id {
    let mut draft = writer.draft().expect("a draft");
    let id = draft.id();
    draft.write("small", format!("small {id}").as_bytes()).expect("a section");
    draft.write("big", &[first + id.number as u8; 200]).expect("a section");
    match draft.follows() {
        Some(_) => draft.keep("still").expect("a section"),
        None => draft.write("still", &[first - b'a' + b'.'; 100]).expect("a section"),
    }
    draft.publish(&[("journal", Position(100 * (id.number + 1)))]).expect("a checkpoint")
}

/// The name of a part of a section, both counted from 0.
pub fn part(of: Id, section: u32, part: u32) -> String {
    Object::Part { of, section, part }.name().to_string()
}

/// The name of a head.
pub fn head(id: Id) -> String {
    Object::Head(id).name().to_string()
}

/// The checkpoint of that number in the first epoch.
pub fn id(number: u64) -> Id {
    Id { epoch: 1, number }
}

/// Has the checksums of a head agree again with what was changed in its preamble or table.
pub fn agree(id: Id, bytes: &mut [u8]) {
    let table = bytes.get(56..60).map(|len| u32::from_le_bytes(len.try_into().expect("four bytes")) as usize);
    let Some(table) = table.and_then(|len| bytes.get(64..64 + len)) else { return };
    let check = crc32c::crc32c(table);
    bytes[60..64].copy_from_slice(&check.to_le_bytes());
    let named = crc32c::crc32c_append(crc32c::crc32c(head(id).as_bytes()), &bytes[8..12]);
    let check = crc32c::crc32c_append(named, &bytes[16..64]);
    bytes[12..16].copy_from_slice(&check.to_le_bytes());
}

impl Folder {
    /// The sample. It is made once a process.
    pub fn sample() -> &'static Folder {
        static SAMPLE: OnceLock<Folder> = OnceLock::new();
        SAMPLE.get_or_init(|| Folder::make(IDENTITY, b'a'))
    }

    /// Checkpoints of the same names and lengths, of another application.
    pub fn other() -> &'static Folder {
        static SAMPLE: OnceLock<Folder> = OnceLock::new();
        SAMPLE.get_or_init(|| Folder::make(IDENTITY + 1, b'q'))
    }

    fn make(identity: u64, first: u8) -> Folder {
        let files = Files::Memory(Memory::growing());
        let mut writer = start_for(&files.store(), Owner { identity, epoch: 1 });
        (0..5).for_each(|_| _ = publish_with(&mut writer, first));
        let read = |name: String| (name.clone(), files.read(&name).expect("a file"));
        Folder { files: files.names().into_iter().map(read).collect() }
    }

    /// Puts a copy of it where there is nothing.
    pub fn lay(&self, files: &Files) {
        self.files.iter().for_each(|(name, bytes)| files.write(name, bytes));
    }

    /// The bytes that a file has in it.
    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.files[name]
    }
}
