//! A store as it will be: what a plan changes lies over what is there, and nothing is written. So the plan of a repair is
//! proven before it is shown: the log is looked at as it would be left.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_wal::store::{
    Append, Entry, Leases, Name, Object, Own, Pages, Room, Store, Survives, Tail, What, leasing,
};
use headwater_wal::{Error, Kind, Result};

use super::Action;

/// What a name stands for that was changed.
#[derive(Clone, Debug)]
enum Now {
    Gone,
    File(Patched),
}

/// A file of the store beneath, and what is written over it.
#[derive(Clone, Debug)]
struct Patched {
    from: Name,
    /// How much of it is left.
    kept: u64,
    len: u64,
    writes: Vec<(u64, Bytes)>,
}

impl Patched {
    fn read(&self, range: Range<u64>, beneath: impl FnOnce(Range<u64>) -> Result<Bytes>) -> Result<Bytes> {
        let (from, to) = (range.start.min(self.len), range.end.min(self.len));
        if from >= to {
            return Ok(Bytes::new());
        }
        let beneath = beneath(from..to.min(self.kept).max(from))?;
        let touches = |&(offset, ref bytes): &(u64, Bytes)| offset < to && from < offset + bytes.len() as u64;
        if beneath.len() as u64 == to - from && !self.writes.iter().any(touches) {
            return Ok(beneath);
        }
        let mut whole = BytesMut::from(&beneath[..]);
        whole.resize((to - from) as usize, 0);
        for (offset, bytes) in &self.writes {
            let (begin, end) = ((*offset).max(from), (offset + bytes.len() as u64).min(to));
            if begin < end {
                let part = &bytes[(begin - offset) as usize..(end - offset) as usize];
                whole[(begin - from) as usize..(end - from) as usize].copy_from_slice(part);
            }
        }
        Ok(whole.freeze())
    }
}

/// A changed file, opened.
#[derive(Debug)]
struct Opened {
    beneath: Arc<dyn Object>,
    patched: Patched,
}

impl Object for Opened {
    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.patched.read(range, |range| self.beneath.read(range))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let bytes = self.read(offset..offset.saturating_add(into.len() as u64))?;
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn is_still(&self) -> Result<bool> {
        self.beneath.is_still()
    }

    fn data_from(&self, offset: u64) -> Result<u64> {
        let beneath = self.beneath.data_from(offset)?;
        let beneath = if beneath < self.patched.kept { beneath } else { self.patched.len };
        let behind = |&(at, ref bytes): &(u64, Bytes)| (offset < at + bytes.len() as u64).then_some(at);
        let written = self.patched.writes.iter().filter_map(behind).min();
        Ok(written.map_or(beneath, |at| at.min(beneath)).max(offset))
    }
}

/// A store, and changes over it.
#[derive(Clone, Debug)]
pub(crate) struct Overlay {
    under: Arc<dyn Store>,
    changed: BTreeMap<Name, Now>,
}

impl Overlay {
    pub(crate) fn new(under: Arc<dyn Store>) -> Self {
        Overlay { under, changed: BTreeMap::new() }
    }

    /// Does as an action of a repair would. `kept` is the folder for what is taken away.
    pub(crate) fn apply(&mut self, action: &Action, kept: &Name) -> Result<()> {
        match action {
            Action::Rewrite { file, writes, len } => {
                let mut patched = self.patched(file)?;
                for (offset, bytes) in writes {
                    patched.len = patched.len.max(offset + bytes.len() as u64);
                    patched.writes.push((*offset, bytes.clone()));
                }
                if let Some(len) = *len {
                    patched.len = len;
                    patched.kept = patched.kept.min(len);
                }
                self.changed.insert(file.clone(), Now::File(patched));
            }
            Action::SetAside { file, leaf } => self.rename(file, kept.join(leaf)?)?,
            Action::Return { leaf, file } => self.rename(&kept.join(leaf)?, file.clone())?,
            Action::Move { from, to } => self.rename(from, to.clone())?,
            Action::Remove { file } => {
                self.changed.insert(file.clone(), Now::Gone);
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &Name, to: Name) -> Result<()> {
        let patched = self.patched(from)?;
        self.changed.insert(from.clone(), Now::Gone);
        self.changed.insert(to, Now::File(patched));
        Ok(())
    }

    fn patched(&self, name: &Name) -> Result<Patched> {
        match self.changed.get(name) {
            Some(Now::File(patched)) => Ok(patched.clone()),
            Some(Now::Gone) => Err(not_there(name)),
            None => {
                let len = len(&*self.under, name)?.ok_or_else(|| not_there(name))?;
                Ok(Patched { from: name.clone(), kept: len, len, writes: Vec::new() })
            }
        }
    }

    /// What was changed directly in a folder: what each name stands for now, or nothing.
    fn changed_in(&self, folder: &Name) -> BTreeMap<String, Option<What>> {
        let inside = |name: &Name| match folder.as_str() {
            "" => Some(name.as_str().to_owned()),
            folder => Some(name.as_str().strip_prefix(folder)?.strip_prefix('/')?.to_owned()),
        };
        let mut changed = BTreeMap::new();
        for (name, now) in &self.changed {
            let Some(inside) = inside(name) else { continue };
            match (inside.split_once('/'), now) {
                (Some((below, _)), Now::File(_)) => changed.insert(below.to_owned(), Some(What::Folder)),
                (Some(_), Now::Gone) => None,
                (None, Now::File(patched)) => changed.insert(inside, Some(What::File(patched.len))),
                (None, Now::Gone) => changed.insert(inside, None),
            };
        }
        changed
    }
}

/// The length of a file by its folder's listing; none if it is no file.
pub(crate) fn len(store: &dyn Store, name: &Name) -> Result<Option<u64>> {
    let (folder, leaf) = match name.as_str().rsplit_once('/') {
        Some((folder, leaf)) => (Name::new(folder)?, leaf),
        None => (Name::ROOT, name.as_str()),
    };
    // A name comes right behind its own beginning.
    let after: String = leaf.chars().take(leaf.chars().count().saturating_sub(1)).collect();
    for page in store.list_after(&folder, &after)? {
        for Entry { name, what } in page? {
            match what {
                What::File(len) if name == leaf => return Ok(Some(len)),
                _ if name.as_str() > leaf => return Ok(None),
                _ => {}
            }
        }
    }
    Ok(None)
}

fn not_there(name: &Name) -> Error {
    Error::new(Kind::NotThere, format!("there is no such file: name={name}"))
}

fn reads_only<T>() -> Result<T> {
    Err(Error::new(Kind::Invalid, "a plan writes nothing"))
}

impl Store for Overlay {
    fn place(&self) -> String {
        self.under.place()
    }

    fn survives(&self) -> Survives {
        self.under.survives()
    }

    fn put(&self, _name: &Name, _bytes: Bytes) -> Result<()> {
        reads_only()
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        match self.changed.get(name) {
            None => self.under.read(name, range),
            Some(Now::Gone) => Err(not_there(name)),
            Some(Now::File(patched)) => patched.read(range, |range| self.under.read(&patched.from, range)),
        }
    }

    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        match self.changed.get(name) {
            None => self.under.open(name),
            Some(Now::Gone) => Err(not_there(name)),
            Some(Now::File(patched)) => {
                let beneath = self.under.open(&patched.from)?;
                let opened =
                    |beneath| Arc::new(Opened { beneath, patched: patched.clone() }) as Arc<dyn Object>;
                Ok(beneath.map(opened))
            }
        }
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        let changed = self.changed_in(folder);
        if changed.is_empty() {
            return self.under.list(folder);
        }
        let mut entries = Vec::new();
        for page in self.under.list(folder)? {
            entries.extend(page?.into_iter().filter(|entry| !changed.contains_key(&entry.name)));
        }
        let now = changed.into_iter().filter_map(|(name, what)| Some(Entry { name, what: what? }));
        entries.extend(now);
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Box::new(std::iter::once(Ok(entries))))
    }

    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        if self.changed_in(folder).is_empty() {
            return self.under.list_after(folder, after);
        }
        let after = after.to_owned();
        Ok(Box::new(self.list(folder)?.map(move |page| {
            let mut page = page?;
            page.retain(|entry| entry.name > after);
            Ok(page)
        })))
    }

    fn remove(&self, _name: &Name) -> Result<()> {
        reads_only()
    }

    /// Whether files grow here, and under leases, decides what a look makes of them.
    fn append(&self) -> Option<&dyn Append> {
        self.under.append().map(|_| self as &dyn Append)
    }
}

/// Nobody who only looks calls any of it but what tells of leases.
impl Append for Overlay {
    fn own(&self) -> Result<Box<dyn Own>> {
        reads_only()
    }

    fn leases(&self) -> Option<&dyn Leases> {
        leasing(&*self.under).map(|_| self as &dyn Leases)
    }

    fn create(&self, _: &Name, _: &[u8], _: u64, _: Room) -> Result<Box<dyn Tail>> {
        reads_only()
    }

    fn ahead(&self, _: u64, _: Room) -> Result<()> {
        reads_only()
    }

    fn reopen(&self, _: &Name) -> Result<Box<dyn Tail>> {
        reads_only()
    }

    fn sync_names(&self) -> Result<()> {
        reads_only()
    }

    fn set_aside(&self, _: &Name, _: &Name) -> Result<()> {
        reads_only()
    }

    fn reserve(&self, _: u64) -> Result<()> {
        reads_only()
    }

    fn release(&self) -> Result<()> {
        reads_only()
    }
}

impl Leases for Overlay {
    /// What was changed is put whole, and no file that is open is changed.
    fn is_open(&self, name: &Name) -> Result<bool> {
        match (self.changed.get(name), leasing(&*self.under)) {
            (None, Some((_, leases))) => leases.is_open(name),
            (Some(Now::Gone), _) => Err(not_there(name)),
            _ => Ok(false),
        }
    }

    fn keep(&self, _: &Name) -> Result<()> {
        reads_only()
    }
}
