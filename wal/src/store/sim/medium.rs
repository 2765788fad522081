//! The store that a process has of the device: what both shapes share, and objects.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::device::Device;
use super::names::Names;
use super::plan::{Fault, Op};
use super::{Process, Shape};
use crate::error::{Error, Kind, Result};
use crate::store::{Append, Entry, Fetch, Name, Object, Pages, Store, Survives};

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
            Shape::Leases => "sim:leases".into(),
        }
    }

    fn survives(&self) -> Survives {
        match self.shape() {
            Shape::Growing => Survives::Power,
            Shape::Objects | Shape::Leases => Survives::Machine,
        }
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        if name == &Name::ROOT {
            return Err(no_file(name));
        }
        match self.shape() {
            Shape::Growing => self.publish(name, &bytes, bytes.len(), false).map(|_| ()),
            Shape::Objects | Shape::Leases => self.put_object(name, &bytes),
        }
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.read_file(name, range, |device| {
            let found = device.names.find(name.as_str());
            found.ok_or_else(|| {
                let folder = self.shape != Shape::Objects && device.names.is_folder(name.as_str());
                if folder || name == &Name::ROOT { no_file(name) } else { not_there(name) }
            })
        })
    }

    fn open(&self, name: &Name) -> Result<Option<Arc<dyn Object>>> {
        if self.shape != Shape::Growing {
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
        Ok(Box::new(Listing::new(self, folder, None)))
    }

    fn list_after(&self, folder: &Name, after: &str) -> Result<Pages<'_>> {
        Ok(Box::new(Listing::new(self, folder, Some(after))))
    }

    fn fetch(&self, name: &Name, range: Range<u64>) -> Option<Fetch> {
        (self.shape() != Shape::Growing).then(|| self.fetch_object(name, range))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        if self.shape() != Shape::Growing {
            return self.remove_object(name);
        }
        let (mut device, fault) = self.enter(Op::Remove, name.as_str(), format_args!(""))?;
        match fault {
            None => device.unlink(name.as_str()),
            Some(Fault::Error) => return Err(failed(Kind::Unavailable, Op::Remove, name.as_str())),
            Some(_) => return Err(failed(Kind::Unknown, Op::Remove, name.as_str())),
        }
        Ok(())
    }

    fn remove_all(&self, names: &[Name]) -> Vec<Result<()>> {
        // One request of many is many: each is done, refused or lost by itself, in an order of the device's own.
        let mut order: Vec<usize> = (0..names.len()).collect();
        for at in (1..order.len()).rev() {
            let other = self.device.lock().random.below(at as u64 + 1) as usize;
            order.swap(at, other);
        }
        let mut answers = names.iter().map(|_| Ok(())).collect::<Vec<_>>();
        order.into_iter().for_each(|at| answers[at] = self.remove(&names[at]));
        answers
    }

    fn append(&self) -> Option<&dyn Append> {
        (self.shape() != Shape::Objects).then_some(self)
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
        // Whoever asks while nothing can be read is not even told whether it is there.
        let file = if fault.is_none_or(|fault| fault == Fault::Rot) { find(&device)? } else { 0 };
        device.answer_read(file, name, range, fault)
    }
}

impl Device {
    /// What a read of a file answers now.
    pub(super) fn answer_read(
        &mut self,
        file: usize,
        name: &Name,
        range: Range<u64>,
        fault: Option<Fault>,
    ) -> Result<Bytes> {
        if fault.is_some_and(|fault| fault != Fault::Rot) {
            return Err(failed(Kind::Unavailable, Op::Read, name.as_str()).at(name.as_str(), range.start));
        }
        let Device { files, random, .. } = self;
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
        let bytes = self.process.read_file(&self.name, range, |_| Ok(self.file))?;
        let mut device = self.process.device.lock();
        let changed = device.recycled.contains(&self.file) && device.random.one_in(2);
        Ok(if changed { vec![0; bytes.len()].into() } else { bytes })
    }

    fn is_still(&self) -> Result<bool> {
        Ok(self.process.device.lock().names.find(self.name.as_str()) == Some(self.file))
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
    /// The operation before which it began.
    began: u64,
    ended: bool,
}

impl<'a> Listing<'a> {
    fn new(process: &'a Process, folder: &Name, after: Option<&str>) -> Self {
        let began = process.device.lock().operations + 1;
        let from = after.map(|after| Names::behind(folder.as_str(), after));
        Listing { process, folder: folder.clone(), from, began, ended: false }
    }
}

impl Iterator for Listing<'_> {
    type Item = Result<Vec<Entry>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let folder = self.folder.as_str();
        let (mut device, fault) = match self.process.enter(Op::List, folder, format_args!("/")) {
            Ok(entered) => entered,
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        let salt = if device.shape == Shape::Leases { device.random.draw() } else { 0 };
        let (names, gone) = match fault {
            None => (None, Vec::new()),
            Some(Fault::Lagging | Fault::Stale) => {
                let since = if fault == Some(Fault::Lagging) { self.began } else { 0 };
                let (names, gone) = device.names_without_some_changes(since);
                (Some(names), gone)
            }
            Some(_) => {
                self.ended = true;
                return Some(Err(failed(Kind::Unavailable, Op::List, folder)));
            }
        };
        let len = |file: usize| {
            let known = gone.iter().find(|(gone, _)| *gone == file).map(|(_, len)| *len);
            known.unwrap_or_else(|| device.files[file].listed_len(salt) as u64)
        };
        let names = names.as_ref().unwrap_or(&device.names);
        let page = names.page(folder, &mut self.from, device.page, len);
        self.ended = page.len() < device.page;
        (!page.is_empty()).then_some(Ok(page))
    }
}
