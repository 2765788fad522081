//! Checkpoints: any bytes as a head, as a part, as names, and a folder with anything done to its files.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use headwater_checkpoint::{Checkpoint, Checkpoints, Held, Id, Options, Owner, Writer};
use headwater_wal::store::{Memory, Name, Store};
use headwater_wal::{Position, Result};

use crate::{take, take_u32, take_u64};

const ID: Id = Id { epoch: 3, number: 7 };
const IDENTITY: u64 = 0x1D;
/// More of a section is not asked for.
const BYTES_MAX: u64 = 1 << 20;

fn head_name(id: Id) -> String {
    format!("{:020}-{:020}.ckpt", id.epoch, id.number)
}

fn part_name(of: Id, section: u32, part: u32) -> String {
    format!("parts/{:020}-{:020}-{section:010}-{part:010}.part", of.epoch, of.number)
}

fn put(store: &dyn Store, name: &str, bytes: impl Into<Bytes>) {
    store.put(&Name::new(name).expect("a name"), bytes.into()).expect("it is new");
}

/// Makes the checksum of an object's first bytes right.
fn seal(name: &str, bytes: &mut [u8], end: usize) {
    let named = crc32c::crc32c_append(crc32c::crc32c(name.as_bytes()), &bytes[8..12]);
    let check = crc32c::crc32c_append(named, &bytes[16..end]);
    bytes[12..16].copy_from_slice(&check.to_le_bytes());
}

/// The bytes of a head around a table: only what the table says can be wrong with it.
fn head_of(id: Id, table: &[u8], inside: &[u8]) -> Vec<u8> {
    let mut head = b"\x89HWCKP\r\n\x01\0\0\0\0\0\0\0".to_vec();
    let len = 64 + table.len() + inside.len();
    for field in [IDENTITY, id.epoch, id.number, 0, len as u64] {
        head.extend_from_slice(&field.to_le_bytes());
    }
    head.extend_from_slice(&(table.len() as u32).to_le_bytes());
    head.extend_from_slice(&crc32c::crc32c(table).to_le_bytes());
    seal(&head_name(id), &mut head, 64);
    [&head, table, inside].concat()
}

/// Everything that can be asked of a folder answers, and a section that is read is as long as its head says.
fn ask(store: &Arc<dyn Store>) {
    let look = Checkpoints::open(store.clone());
    let ids = look.list().expect("memory does not fail");
    let _ = look.verify(&ids);
    for id in ids {
        let Ok(found) = look.get(id) else { continue };
        assert_eq!(found.id(), id);
        assert!(found.kept().iter().all(|kept| *kept < id), "{found:?}");
        read_all(&look, &found);
    }
    let _ = look.latest(&Held::nothing());
    let Ok(owner) = Owner::alone(&look) else { return };
    let options = Options::default().uploads(0);
    let Ok((mut writer, _)) = Writer::start(look.clone(), owner, options, &Held::nothing()) else { return };
    let _ = writer.fall_back(&Held::nothing());
    let mut draft = writer.draft().expect("nobody replaces it");
    draft.write("it goes on", b"after anything").expect("a section");
    let id = draft.publish(&[("journal", Position(1))]).expect("memory does not fail");
    let newest = look.latest(&Held::nothing()).expect("a checkpoint").checkpoint.expect("a checkpoint");
    assert_eq!(newest.id(), id);
}

fn read_all(look: &Checkpoints, found: &Checkpoint) {
    for section in found.sections() {
        let read = look.read_section(found, section.name()).and_then(|reader| reader.read_all(BYTES_MAX));
        assert!(read.is_err() || read.is_ok_and(|bytes| bytes.len() as u64 == section.bytes()));
    }
}

/// Any bytes as a head: as they are, as the table of one whose checksums are right, and with its own made right.
pub fn head(bytes: &[u8]) {
    let (len, _) = take_u32(bytes.get(56..).unwrap_or_default());
    let body = bytes.get(64..).unwrap_or_default();
    let (table, inside) = body.split_at(body.len().min(len as usize));
    for head in [bytes.to_vec(), head_of(ID, bytes, b""), head_of(ID, table, inside)] {
        let memory = Memory::objects();
        put(&memory, &head_name(ID), head);
        ask(&(Arc::new(memory) as Arc<dyn Store>));
    }
}

/// The table of a head with one section, in one part.
fn table_of(len: u64, stated: &[u8; 12]) -> Vec<u8> {
    let mut table = vec![0; 1 + 8 + 2 + 2]; // no type, version 0, no positions, no chain
    table.extend_from_slice(b"\x01\0\0\0\x01x\0");
    table.extend_from_slice(&len.to_le_bytes());
    table.push(1);
    table.extend_from_slice(&[ID.epoch.to_le_bytes(), ID.number.to_le_bytes()].concat());
    table.extend_from_slice(b"\0\0\0\0\x01\0\0\0");
    table.extend_from_slice(stated);
    table
}

/// Any bytes as a part, as they are and with a header that verifies, of a head that states what the part says of itself.
pub fn part(bytes: &[u8]) {
    for sealed in [false, true] {
        let (name, mut part) = (part_name(ID, 0, 0), bytes.to_vec());
        if sealed {
            part.resize(part.len().max(64), 0);
            part[..10].copy_from_slice(b"\x89HWPRT\r\n\x01\0");
            part[11] = 0;
            let [epoch, number] = [ID.epoch, ID.number].map(u64::to_le_bytes);
            part[16..48].copy_from_slice(&[IDENTITY.to_le_bytes(), epoch, number, [0; 8]].concat());
            let stored = part[64..].to_vec();
            part[52..56].copy_from_slice(&(stored.len() as u32).to_le_bytes());
            part[56..60].copy_from_slice(&crc32c::crc32c(&stored).to_le_bytes());
            seal(&name, &mut part, 64);
        }
        let (stated, _) = take::<12>(part.get(48..).unwrap_or_default());
        let memory = Memory::objects();
        let len = u64::from(take_u32(&stated).0);
        put(&memory, &head_name(ID), head_of(ID, &table_of(len, &stated), b""));
        put(&memory, &name, part);
        let store: Arc<dyn Store> = Arc::new(memory);
        let look = Checkpoints::open(store.clone());
        // A part that says of itself that it is empty, or too long, is none that a head may name.
        let may = (1..=64 << 20).contains(&len) && take_u32(&stated[4..]).0 <= 64 << 20;
        assert_eq!(look.get(ID).is_ok(), may, "{:?}", look.get(ID));
        let longer = Id { number: ID.number + 1, ..ID };
        put(&*store, &head_name(longer), head_of(longer, &table_of(len + 1, &stated), b""));
        assert!(look.get(longer).is_err(), "parts add up to what the section is long");
        ask(&store);
    }
}

/// Any text as the name of a file: one that is listed as a checkpoint has the only name that this one has.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let memory = Memory::objects();
    let mut put_some = Vec::new();
    for line in text.lines() {
        for name in [line.to_owned(), format!("parts/{line}")] {
            if let Ok(name) = Name::new(name)
                && memory.put(&name, Bytes::from_static(b"x")).is_ok()
            {
                put_some.push(name.to_string());
            }
        }
        if let Ok(id) = line.parse::<Id>() {
            assert_eq!(id.to_string().parse::<Id>().expect("its own text"), id);
        }
    }
    let store: Arc<dyn Store> = Arc::new(memory);
    for id in Checkpoints::open(store.clone()).list().expect("memory does not fail") {
        assert!(put_some.contains(&head_name(id)), "{id}");
    }
    ask(&store);
    // A writer of any epoch that is there begins, or is told why not.
    for id in Checkpoints::open(store.clone()).list().expect("memory does not fail") {
        let owner = Owner { identity: IDENTITY, epoch: id.epoch };
        let look = Checkpoints::open(store.clone());
        let started = Writer::start(look, owner, Options::default().uploads(0), &Held::nothing());
        drop(started.and_then(|(mut writer, _)| writer.draft().map(drop)));
    }
}

/// Two checkpoints as files, and what was handed in.
struct Written {
    files: BTreeMap<String, Vec<u8>>,
    sections: Vec<(&'static str, Vec<u8>)>,
}

fn written() -> &'static Written {
    static FOLDER: OnceLock<Written> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let store: Arc<dyn Store> = Arc::new(Memory::objects());
        let sections: Vec<(&str, Vec<u8>)> = vec![
            ("shared", (0..150).collect()),
            ("zeros", vec![0; 100]),
            ("small", b"in the head".to_vec()),
            ("empty", Vec::new()),
        ];
        let publish = || -> Result<()> {
            let options = Options::default().uploads(0).part_bytes(64).inside_bytes_max(16);
            let owner = Owner { identity: IDENTITY, epoch: 1 };
            let look = Checkpoints::open(store.clone());
            let (mut writer, _) = Writer::start(look, owner, options, &Held::nothing())?;
            for number in 0..2 {
                let mut draft = writer.draft()?;
                for (name, bytes) in &sections {
                    if number == 1 && *name == "shared" {
                        draft.keep(name)?
                    } else {
                        draft.write(name, bytes)?
                    }
                }
                draft.publish(&[("journal", Position(number))])?;
            }
            Ok(())
        };
        publish().expect("memory does not fail");
        let mut files = BTreeMap::new();
        for folder in [Name::ROOT, Name::new("parts").expect("a name")] {
            for entry in store.list(&folder).expect("a list").flat_map(|page| page.expect("a page")) {
                let name = folder.join(&entry.name).expect("a name");
                if let Ok(bytes) = store.read(&name, 0..BYTES_MAX) {
                    files.insert(name.to_string(), bytes.to_vec());
                }
            }
        }
        Written { files, sections }
    })
}

/// Does to the files of a folder what the bytes ask for; then a section that is read has the bytes that were handed in.
pub fn folder(bytes: &[u8]) {
    let Written { files, sections } = written();
    let (mut files, mut orders) = (files.clone(), bytes);
    for _ in 0..16 {
        let ([what, file, value, at], rest) = take(orders);
        orders = rest;
        let Some(name) = files.keys().nth(usize::from(file) % files.len().max(1)).cloned() else { break };
        let Some(bytes) = files.get_mut(&name) else { break };
        let at = usize::from(at) * bytes.len() / 256;
        match what % 7 {
            0 => break,
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= value | 1),
            2 => bytes.iter_mut().skip(at).take(usize::from(value)).for_each(|byte| *byte = 0),
            3 => bytes.truncate(at),
            4 => bytes.resize(bytes.len() + usize::from(value), value),
            5 => drop(files.remove(&name)),
            _ => {
                let other = files.values().nth(usize::from(value) % files.len()).cloned();
                other.map(|other| files.insert(name, other));
            }
        }
    }
    let memory = Memory::objects();
    files.iter().for_each(|(name, bytes)| put(&memory, name, bytes.clone()));
    let store: Arc<dyn Store> = Arc::new(memory);
    let look = Checkpoints::open(store.clone());
    for id in look.list().expect("memory does not fail") {
        let Ok(found) = look.get(id) else { continue };
        for (name, bytes) in sections {
            let read = look.read_section(&found, name).and_then(|reader| reader.read_all(BYTES_MAX));
            assert!(read.is_err() || read.is_ok_and(|read| read == *bytes), "other bytes: {id} {name}");
        }
    }
    ask(&store);
    let (word, _) = take_u64(bytes);
    let _ = look.latest_below(Id { epoch: 1, number: word }, &Held::nothing());
}
