//! A folder of checkpoints and its writers, in verbs.

use std::sync::Arc;

use headwater_checkpoint::{Checkpoint, Checkpoints, Content, Draft, Held, Id, Options, Owner, Writer};
use headwater_wal::store::sim::Sim;
use headwater_wal::store::{Local, Memory, Name, Store, What};
use headwater_wal::{Position, Result};

pub(crate) const IDENTITY: u64 = 0x1D;

/// Small, so that a section of some bytes has several parts.
pub(crate) fn small() -> Options {
    Options::default()
        .content(Content::new("test", 1))
        .part_bytes(64)
        .inside_bytes_max(16)
        .uploads(0)
        .keep_last(3)
}

pub(crate) fn at(position: u64) -> [(&'static str, Position); 1] {
    [("journal", Position(position))]
}

pub(crate) fn start(store: &Arc<dyn Store>, epoch: u64) -> Writer {
    try_start(store, epoch, small()).unwrap()
}

pub(crate) fn try_start(store: &Arc<dyn Store>, epoch: u64, options: Options) -> Result<Writer> {
    let owner = Owner { identity: IDENTITY, epoch };
    Writer::start(Checkpoints::open(store.clone()), owner, options, &Held::nothing())
        .map(|(writer, _)| writer)
}

/// Publishes a checkpoint of these sections; those without bytes are kept.
pub(crate) fn publish(writer: &mut Writer, position: u64, sections: &[(&str, Option<&[u8]>)]) -> Result<Id> {
    let mut draft = writer.draft()?;
    fill(&mut draft, sections)?;
    draft.publish(&at(position))
}

pub(crate) fn fill(draft: &mut Draft<'_>, sections: &[(&str, Option<&[u8]>)]) -> Result<()> {
    for (name, bytes) in sections {
        match bytes {
            Some(bytes) => draft.write(name, bytes)?,
            None => draft.keep(name)?,
        }
    }
    Ok(())
}

/// So many bytes that no others are, and that do not compress.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn newest(store: &Arc<dyn Store>) -> Option<Checkpoint> {
    Checkpoints::open(store.clone()).latest(&Held::nothing()).unwrap().checkpoint
}

pub(crate) fn read(store: &Arc<dyn Store>, checkpoint: &Checkpoint, name: &str) -> Result<Vec<u8>> {
    Checkpoints::open(store.clone()).read_section(checkpoint, name)?.read_all(1 << 30)
}

/// The names of all objects, those of parts with their folder.
pub(crate) fn names(store: &Arc<dyn Store>) -> Vec<Name> {
    let mut names = Vec::new();
    for folder in [Name::ROOT, Name::new("parts").unwrap()] {
        for page in store.list(&folder).unwrap() {
            let files = page.unwrap().into_iter().filter(|entry| matches!(entry.what, What::File(_)));
            names.extend(files.map(|entry| folder.join(&entry.name).unwrap()));
        }
    }
    names
}

pub(crate) fn heads(store: &Arc<dyn Store>) -> Vec<String> {
    Checkpoints::open(store.clone()).list().unwrap().iter().map(Id::to_string).collect()
}

pub(crate) fn parts(store: &Arc<dyn Store>) -> usize {
    names(store).iter().filter(|name| name.as_str().starts_with("parts/")).count()
}

/// Replaces an object by what `change` makes of its bytes.
pub(crate) fn change(store: &Arc<dyn Store>, name: &Name, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = store.read(name, 0..1 << 30).unwrap().to_vec();
    change(&mut bytes);
    store.remove(name).unwrap();
    store.put(name, bytes.into()).unwrap();
}

/// The name of the head of that checkpoint.
pub(crate) fn head(id: Id) -> Name {
    Name::new(format!("{:020}-{:020}.ckpt", id.epoch, id.number)).unwrap()
}

pub(crate) fn on_every_store(test: impl Fn(Arc<dyn Store>)) {
    let dir = tempfile::tempdir().unwrap();
    test(Arc::new(Memory::objects()));
    test(Arc::new(Memory::growing()));
    test(Arc::new(Local::open(dir.path().join("checkpoints")).unwrap()));
    test(Sim::objects(1).store());
    test(Sim::growing(1).store());
    test(Sim::leases(1).store());
}

/// The same on stores that lock nobody out.
pub(crate) fn on_objects(test: impl Fn(Arc<dyn Store>)) {
    test(Arc::new(Memory::objects()));
    test(Sim::objects(1).store());
    test(Sim::leases(1).store());
}
