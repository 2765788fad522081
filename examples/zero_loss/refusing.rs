//! A folder that takes no checkpoint.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater::checkpoint::resume::Root;
use headwater::store::{Append, Fetch, Name, Object, Pages, Store, Survives};
use headwater::{Error, Kind, Result};

/// The same root, with such a folder in it.
pub(crate) fn root(root: Root) -> Root {
    Root::new(move |folder| {
        let store = root.folder(folder.as_str())?;
        Ok(if folder.as_str() == "checkpoints" { Arc::new(Refusing(store)) } else { store })
    })
}

#[derive(Debug)]
struct Refusing(Arc<dyn Store>);

impl Store for Refusing {
    fn place(&self) -> String {
        self.0.place()
    }
    fn survives(&self) -> Survives {
        self.0.survives()
    }
    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        if name.as_str().ends_with(".ckpt") {
            return Err(Error::new(Kind::Unavailable, format!("{name} is refused on purpose")));
        }
        self.0.put(name, bytes)
    }
    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.0.read(name, range)
    }
    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        self.0.open(name)
    }
    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        self.0.list(folder)
    }
    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        self.0.list_after(folder, after)
    }
    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        self.0.fetch(name, range)
    }
    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        self.0.remove_all(names)
    }
    fn remove(&self, name: &Name) -> Result<()> {
        self.0.remove(name)
    }
    fn append(&self) -> Option<&dyn Append> {
        self.0.append()
    }
}
