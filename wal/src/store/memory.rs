//! The reference: a map from names to bytes. What another backend does differently, it does wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Append, Entry, Fetch, Name, Object, Own, Pages, Room, Store, Survives, Tail, What};
use crate::error::{Error, Kind, Result};

const PAGE_ENTRIES: usize = 100;

/// A store in the memory of this process. It survives nothing and is never full; everything else holds as the
/// traits say, so that the floors above can be tried without a disk.
///
/// Clones are the same store: one of them may be handed to a writer and another to a reader.
#[derive(Clone)]
pub struct Memory {
    grows: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<Name, Contents>,
    owned: bool,
}

/// A tail keeps its file through a change of its name, as an open file does.
type Contents = Arc<Mutex<Vec<u8>>>;

impl Memory {
    /// The shape of an object store: objects are put whole, nothing grows.
    pub fn objects() -> Self {
        Memory { grows: false, state: Arc::default() }
    }

    /// The shape of a file system: files grow and sync.
    pub fn growing() -> Self {
        Memory { grows: true, state: Arc::default() }
    }

    /// Adds a name, or refuses it if it is taken.
    fn insert(&self, name: &Name, bytes: Vec<u8>) -> Result<Contents> {
        if *name == Name::ROOT {
            return Err(Error::new(Kind::Invalid, super::ROOT_IS_NO_FILE));
        }
        let mut state = self.state.lock();
        if state.files.contains_key(name) {
            return Err(taken(name));
        }
        let contents = Arc::new(Mutex::new(bytes));
        state.files.insert(name.clone(), Arc::clone(&contents));
        Ok(contents)
    }

    fn contents(&self, name: &Name) -> Result<Contents> {
        self.state.lock().files.get(name).cloned().ok_or_else(|| not_there(name))
    }

    fn must_be_owned(&self) -> Result<()> {
        if self.state.lock().owned { Ok(()) } else { Err(Error::new(Kind::Invalid, super::NOT_OWNED)) }
    }
}

impl Store for Memory {
    fn place(&self) -> String {
        "memory:".into()
    }

    fn survives(&self) -> Survives {
        Survives::Nothing
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        self.insert(name, bytes.into()).map(drop)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        Opened(self.contents(name)?).read(range)
    }

    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        // As on real media: only a file system has open files.
        if !self.grows {
            return Ok(None);
        }
        Ok(Some(Arc::new(Opened(self.contents(name)?))))
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        // As on real media: where files are not opened, reads are begun ahead.
        if self.grows {
            return None;
        }
        let read = self.read(name, range);
        Some(Fetch::new(|| read))
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        let mut entries = BTreeMap::new();
        for (name, contents) in &self.state.lock().files {
            let Some(inside) = below(folder, name) else { continue };
            match inside.split_once('/') {
                Some((part, _)) => entries.insert(part.to_owned(), What::Folder),
                None => entries.insert(inside.to_owned(), What::File(contents.lock().len() as u64)),
            };
        }
        let mut entries = entries.into_iter().map(|(name, what)| Entry { name, what });
        Ok(Box::new(std::iter::from_fn(move || {
            let page: Vec<Entry> = entries.by_ref().take(PAGE_ENTRIES).collect();
            (!page.is_empty()).then_some(Ok(page))
        })))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        self.state.lock().files.remove(name);
        Ok(())
    }

    fn append(&self) -> Option<&dyn Append> {
        if self.grows { Some(self) } else { None }
    }
}

impl Append for Memory {
    fn own(&self) -> Result<Box<dyn Own>> {
        let mut state = self.state.lock();
        if state.owned {
            return Err(Error::new(
                Kind::Locked,
                "somebody in this process owns the store: drop its log first",
            ));
        }
        state.owned = true;
        Ok(Box::new(Guard(Arc::clone(&self.state))))
    }

    fn create(&self, name: &Name, head: &[u8], len: u64, _room: Room) -> Result<Box<dyn Tail>> {
        self.must_be_owned()?;
        let len = usize::try_from(len).ok().filter(|&len| len >= head.len());
        let len = len.ok_or_else(|| Error::new(Kind::Invalid, super::HEAD_TOO_LONG))?;
        let mut bytes = head.to_vec();
        grow(&mut bytes, len)?;
        self.insert(name, bytes).map(tail)
    }

    fn ahead(&self, _len: u64, _room: Room) -> Result<()> {
        self.must_be_owned()
    }

    fn reopen(&self, name: &Name) -> Result<Box<dyn Tail>> {
        self.must_be_owned()?;
        self.contents(name).map(tail)
    }

    fn sync_names(&self) -> Result<()> {
        self.must_be_owned()
    }

    fn set_aside(&self, name: &Name, to: &Name) -> Result<()> {
        self.must_be_owned()?;
        let mut state = self.state.lock();
        if state.files.contains_key(to) {
            return Err(taken(to));
        }
        let contents = state.files.remove(name).ok_or_else(|| not_there(name))?;
        state.files.insert(to.clone(), contents);
        Ok(())
    }

    fn reserve(&self, _len: u64) -> Result<()> {
        self.must_be_owned()
    }

    fn release(&self) -> Result<()> {
        self.must_be_owned()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("grows", &self.grows).finish_non_exhaustive()
    }
}

struct Guard(Arc<Mutex<State>>);

impl Own for Guard {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.lock().owned = false;
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

struct Opened(Contents);

impl Object for Opened {
    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(part(&self.0.lock(), range)))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let contents = self.0.lock();
        let found = part(&contents, offset..offset.saturating_add(into.len() as u64));
        into[..found.len()].copy_from_slice(found);
        Ok(found.len())
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("len", &self.0.lock().len()).finish()
    }
}

/// What exists of a range.
fn part(contents: &[u8], range: Range<u64>) -> &[u8] {
    let within = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(contents.len());
    contents.get(within(range.start)..within(range.end)).unwrap_or_default()
}

struct Growing(Contents);

fn tail(contents: Contents) -> Box<dyn Tail> {
    Box::new(Growing(contents))
}

impl Tail for Growing {
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let mut bytes = self.0.lock();
        let mut at =
            usize::try_from(offset).map_err(|_| Error::new(Kind::Invalid, super::OFFSET_TOO_LARGE))?;
        let len = parts.iter().try_fold(at, |end, part| end.checked_add(part.len()));
        let len = len.ok_or_else(|| Error::new(Kind::Invalid, super::OFFSET_TOO_LARGE))?;
        grow(&mut bytes, len)?;
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        self.write(offset, parts)
    }

    fn trim(&self, len: u64) -> Result<()> {
        let mut bytes = self.0.lock();
        match usize::try_from(len) {
            Ok(len) if len <= bytes.len() => bytes.truncate(len),
            _ => return Err(Error::new(Kind::Invalid, super::TRIM_GROWS)),
        }
        Ok(())
    }
}

impl fmt::Debug for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Growing").field("len", &self.0.lock().len()).finish()
    }
}

/// Zeros up to `len`, where there is memory for them.
fn grow(bytes: &mut Vec<u8>, len: usize) -> Result<()> {
    let more = len.saturating_sub(bytes.len());
    if bytes.try_reserve(more).is_err() {
        return Err(Error::new(Kind::Full, format!("there is no memory for the file: len={len}")));
    }
    bytes.resize(bytes.len() + more, 0);
    Ok(())
}

fn not_there(name: &Name) -> Error {
    Error::new(Kind::NotThere, format!("there is no such file: name={name}"))
}

fn taken(name: &Name) -> Error {
    Error::new(Kind::Exists, format!("the name is taken: name={name}"))
}

/// What follows `folder/` in a name, if it lies in there.
fn below<'a>(folder: &Name, name: &'a Name) -> Option<&'a str> {
    if *folder == Name::ROOT {
        return Some(name.as_str());
    }
    name.as_str().strip_prefix(folder.as_str())?.strip_prefix('/')
}
