//! A folder that takes no checkpoint.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater::checkpoint::resume::Root;
use headwater::store::{Append, Local, Name, Object, Pages, Store, Survives};
use headwater::{Error, Kind, Result};

use crate::place::Place;

/// The same root, with such a folder in it.
pub(crate) fn root(place: &Place) -> Root {
    let dir = place.dir().to_owned();
    Root::new(move |folder| {
        let store = Local::open(dir.join(folder.as_str()))?;
        Ok(if folder.as_str() == "checkpoints" {
            Arc::new(Refusing(store)) as Arc<dyn Store>
        } else {
            Arc::new(store)
        })
    })
}

#[derive(Debug)]
struct Refusing(Local);

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
    fn remove(&self, name: &Name) -> Result<()> {
        self.0.remove(name)
    }
    fn append(&self) -> Option<&dyn Append> {
        self.0.append()
    }
}
