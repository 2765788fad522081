//! The store that a process has of the device: what both shapes share, and objects.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::device::Device;
use super::plan::{Fault, Op};
use super::{Process, Shape};
use crate::error::{Error, Kind, Result};
use crate::store::{Append, Entry, Name, Object, Pages, Store, Survives};

pub(super) fn failed(kind: Kind, op: Op, name: &str) -> Error {
    let what = if kind == Kind::Unknown {
        "the simulated device may have done it"
    } else {
        "the simulated device failed"
    };
    Error::new(kind, format!("{what}: op={op} name={name}"))
}

pub(super) fn full(op: Op, name: &str) -> Error {
    Error::new(Kind::Full, format!("the simulated device has no room: op={op} name={name}"))
}

pub(super) fn taken(name: &Name) -> Error {
    Error::new(Kind::Exists, format!("the name is taken: name={name}"))
}

pub(super) fn not_there(name: &Name) -> Error {
    Error::new(Kind::NotThere, format!("there is nothing of this name: name={name}"))
}

pub(super) fn no_file(name: &Name) -> Error {
    Error::new(Kind::Invalid, format!("a folder, or beneath a file: name={name}"))
}

impl Store for Process {
    fn place(&self) -> String {
        match self.shape() {
            Shape::Growing => "sim:disk".into(),
            Shape::Objects => "sim:bucket".into(),
        }
    }

    fn survives(&self) -> Survives {
        match self.shape() {
            Shape::Growing => Survives::Power,
            Shape::Objects => Survives::Machine,
        }
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        if name == &Name::ROOT {
            return Err(no_file(name));
        }
        match self.shape() {
            Shape::Growing => self.publish(name, &bytes, bytes.len(), false).map(|_| ()),
            Shape::Objects => self.put_object(name, &bytes),
        }
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.read_file(name, range, |device| {
            let found = device.names.find(name.as_str());
            found.ok_or_else(|| {
                let folder = self.shape == Shape::Growing && device.names.is_folder(name.as_str());
                if folder || name == &Name::ROOT { no_file(name) } else { not_there(name) }
            })
        })
    }

    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        if self.shape == Shape::Objects {
            return Ok(None);
        }
        // No operation of its own: what can go wrong with it goes wrong with the first read, and others may come
        // between the two.
        let mut device = self.device.lock();
        device.alive(self.id())?;
        let Some(file) = device.names.find(name.as_str()) else {
            let folder = device.names.is_folder(name.as_str());
            return Err(if folder { no_file(name) } else { not_there(name) });
        };
        device.opened(file);
        drop(device);
        Ok(Some(Arc::new(Opened { process: self.clone(), name: name.clone(), file })))
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        Ok(Box::new(Listing { process: self, folder: folder.clone(), from: None, ended: false }))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let (mut device, fault) = self.enter(Op::Remove, name.as_str(), format_args!(""))?;
        match fault {
            None | Some(Fault::AnswerLost) => device.unlink(name.as_str()),
            Some(Fault::Error) => return Err(failed(Kind::Unavailable, Op::Remove, name.as_str())),
            Some(Fault::Late) => device.delay(name.as_str(), None, false),
            Some(Fault::Held) => device.delay(name.as_str(), None, true),
            Some(Fault::Crash) => match device.random.below(3) {
                0 => device.unlink(name.as_str()),
                1 => device.delay(name.as_str(), None, false),
                _ => {}
            },
            Some(_) => {}
        }
        if fault.is_some() { Err(failed(Kind::Unknown, Op::Remove, name.as_str())) } else { Ok(()) }
    }

    fn append(&self) -> Option<&dyn Append> {
        (self.shape() == Shape::Growing).then_some(self)
    }
}

impl Process {
    /// Reads of the file that `find` finds.
    fn read_file(
        &self,
        name: &Name,
        range: Range<u64>,
        find: impl FnOnce(&Device) -> Result<usize>,
    ) -> Result<Bytes> {
        let (mut device, fault) = self.enter(Op::Read, name.as_str(), format_args!(" {range:?}"))?;
        if fault == Some(Fault::Error) {
            return Err(failed(Kind::Unavailable, Op::Read, name.as_str()).at(name.as_str(), range.start));
        }
        let file = find(&device)?;
        let Device { files, random, .. } = &mut *device;
        let Some(bytes) = files[file].read(range.clone()) else {
            return Err(failed(Kind::Unavailable, Op::Read, name.as_str()).at(name.as_str(), range.start));
        };
        if fault == Some(Fault::Rot) && !bytes.is_empty() {
            let mut bytes = bytes.to_vec();
            let bit = random.below(8 * bytes.len() as u64);
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            return Ok(bytes.into());
        }
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn put_object(&self, name: &Name, bytes: &[u8]) -> Result<()> {
        let text = name.as_str();
        let (mut device, fault) = self.enter(Op::Put, text, format_args!(" +{}", bytes.len()))?;
        let unknown = Err(failed(Kind::Unknown, Op::Put, text));
        match fault {
            Some(Fault::Error) => return Err(failed(Kind::Unavailable, Op::Put, text)),
            Some(Fault::Full) => return Err(full(Op::Put, text)),
            Some(Fault::ExistsNothing) => return Err(taken(name)),
            Some(Fault::RequestLost) => return unknown,
            Some(Fault::Late | Fault::Held) => {
                device.delay(text, Some(bytes), fault == Some(Fault::Held));
                return unknown;
            }
            Some(Fault::Crash) => {
                match device.random.below(3) {
                    0 => {
                        device.put_object(text, bytes);
                    }
                    1 => device.delay(text, Some(bytes), false),
                    _ => {}
                }
                return unknown;
            }
            _ => {}
        }
        if !device.has_room(bytes.len() as u64) {
            return Err(full(Op::Put, text));
        }
        let new = device.put_object(text, bytes);
        match fault {
            Some(Fault::AnswerLost) => unknown,
            Some(Fault::ExistsOwn) => Err(taken(name)),
            _ if new => Ok(()),
            _ => Err(taken(name)),
        }
    }
}

/// A file that is open for reading: the one that had the name then.
#[derive(Debug)]
struct Opened {
    process: Process,
    name: Name,
    file: usize,
}

impl Object for Opened {
    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.process.read_file(&self.name, range, |_| Ok(self.file))
    }

    fn read_into(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let bytes = self.read(offset..offset.saturating_add(into.len() as u64))?;
        into[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.process.device.lock().closed(self.file);
    }
}

/// A listing in small pages, each of which shows the folder as it is when the page is asked for.
struct Listing<'a> {
    process: &'a Process,
    folder: Name,
    from: Option<String>,
    ended: bool,
}

impl Iterator for Listing<'_> {
    type Item = Result<Vec<Entry>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let folder = self.folder.as_str();
        let (device, fault) = match self.process.enter(Op::List, folder, format_args!("/")) {
            Ok(entered) => entered,
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        if fault.is_some() {
            self.ended = true;
            return Some(Err(failed(Kind::Unavailable, Op::List, folder)));
        }
        let len = |file: usize| device.files[file].len() as u64;
        let page = device.names.page(folder, &mut self.from, device.page, len);
        self.ended = page.len() < device.page;
        (!page.is_empty()).then_some(Ok(page))
    }
}
