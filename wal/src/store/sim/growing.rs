//! The calls of a device whose files grow.

use std::ops::Range;

use super::device::{Device, Lock};
use super::file::File;
use super::medium::{failed, full, no_file, not_there, taken};
use super::names::folder_of;
use super::plan::{Fault, Op};
use super::{FILE_BYTES_MAX, Process, Shape};
use crate::error::{Error, Kind, Result};
use crate::store::{
    Append, HEAD_TOO_LONG, Leases, NOT_OWNED, Name, OFFSET_TOO_LARGE, Own, Room, TRIM_GROWS, Tail,
};

impl Process {
    /// Writes a file under no name, syncs it, links it, syncs its folder. A crash before the link leaves nothing:
    /// the file never had a name. Answers the file's number.
    pub(super) fn publish(&self, name: &Name, head: &[u8], len: usize, grows: bool) -> Result<usize> {
        let text = name.as_str();
        let (mut device, fault) = self.enter(Op::Create, text, format_args!(" +{len}"))?;
        // What was made ahead is used up, whatever comes of it.
        let ahead = grows && device.spare == Some((self.id(), len));
        if ahead {
            device.spare = None;
        }
        match fault {
            Some(Fault::Full) => return Err(full(Op::Create, text)),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Create, text)),
            None if !device.has_room(len as u64) => return Err(full(Op::Create, text)),
            None => drop(device),
        }

        let (mut device, fault) = self.enter(Op::Sync, text, format_args!(", unnamed"))?;
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(head);
        bytes.resize(len, 0);
        let file = match fault {
            None => File::synced(bytes),
            Some(Fault::Lie) => {
                let number = device.number();
                File::unsynced(&bytes, number, &mut device.random)
            }
            Some(Fault::Full) => return Err(full(Op::Sync, text)),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Sync, text)),
        };
        drop(device);

        let (mut device, fault) = self.enter(Op::Link, text, format_args!(""))?;
        match fault {
            Some(Fault::Full) => return Err(full(Op::Link, text)),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Link, text)),
            None => {}
        }
        if let Err(taken) = device.must_be_free(name) {
            drop(device);
            // Whoever took it may have died before its sync.
            return Err(self.sync_folders(text, &[folder_of(text)]).err().unwrap_or(taken));
        }
        if !device.has_room(len as u64) {
            return Err(full(Op::Link, text));
        }
        let file = device.add(file);
        let number = device.number();
        device.names.link(text, file, number);
        drop(device);

        self.sync_folders(text, &[folder_of(text)])?;
        Ok(file)
    }

    /// Makes the names in these folders durable, or all names. Whatever goes wrong, they may be.
    fn sync_folders(&self, name: &str, folders: &[&str]) -> Result<()> {
        let unknown = || failed(Kind::Unknown, Op::SyncNames, name);
        let entered = self.enter(Op::SyncNames, name, format_args!(""));
        let (mut device, fault) = entered.map_err(|error| unknown().because(error))?;
        match fault {
            None => device.sync_names((!folders.is_empty()).then_some(folders)),
            Some(Fault::Lie) => {}
            Some(_) => return Err(unknown()),
        }
        Ok(())
    }

    pub(super) fn must_own(&self) -> Result<()> {
        let device = self.device.lock();
        device.alive(self.id())?;
        let owns = device.processes[self.id()].guards > 0;
        if owns { Ok(()) } else { Err(Error::new(Kind::Invalid, NOT_OWNED)) }
    }

    fn tail(&self, name: &Name, file: usize) -> Box<dyn Tail> {
        Box::new(SimTail { process: self.clone(), name: name.clone(), file })
    }
}

impl Device {
    fn must_be_free(&self, name: &Name) -> Result<()> {
        if self.names.blocked(name.as_str()) {
            return Err(no_file(name));
        }
        let is_taken = self.names.find(name.as_str()).is_some() || self.names.is_folder(name.as_str());
        if is_taken { Err(taken(name)) } else { Ok(()) }
    }
}

impl Append for Process {
    fn leases(&self) -> Option<&dyn Leases> {
        (self.shape() == Shape::Leases).then_some(self)
    }

    fn own(&self) -> Result<Box<dyn Own>> {
        if self.shape() == Shape::Leases {
            return self.own_leases();
        }
        let (mut device, fault) = self.enter(Op::Own, "", format_args!(""))?;
        if fault.is_some() {
            return Err(failed(Kind::Unavailable, Op::Own, ""));
        }
        if let Some(Lock { process, .. }) = device.lock {
            return Err(Error::new(Kind::Locked, format!("another owns the place: process={process}")));
        }
        device.locks += 1;
        let serial = device.locks;
        device.lock = Some(Lock { process: self.id(), serial });
        device.processes[self.id()].guards += 1;
        Ok(Box::new(Guard { process: self.clone(), serial }))
    }

    fn create(&self, name: &Name, head: &[u8], len: u64, _room: Room) -> Result<Box<dyn Tail>> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return self.create_leased(name, head, len);
        }
        if name == &Name::ROOT {
            return Err(no_file(name));
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len < head.len() {
            return Err(Error::new(Kind::Invalid, HEAD_TOO_LONG));
        }
        if len > FILE_BYTES_MAX {
            return Err(full(Op::Create, name.as_str()));
        }
        let file = self.publish(name, head, len, true)?;
        Ok(self.tail(name, file))
    }

    fn ahead(&self, len: u64, _room: Room) -> Result<()> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return Ok(());
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if self.device.lock().spare == Some((self.id(), len)) {
            return Ok(());
        }
        let (mut device, fault) = self.enter(Op::Create, "", format_args!("ahead +{len}"))?;
        device.spare = None;
        match fault {
            Some(Fault::Full) => return Err(full(Op::Create, "")),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Create, "")),
            None if len > FILE_BYTES_MAX || !device.has_room(len as u64) => return Err(full(Op::Create, "")),
            None => {}
        }
        device.spare = (len > 0).then_some((self.id(), len));
        Ok(())
    }

    fn recycle(&self, name: &Name) -> Result<bool> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return Ok(false);
        }
        let mut device = self.device.lock();
        device.alive(self.id())?;
        let Some(file) = device.names.find(name.as_str()).filter(|_| device.random.one_in(2)) else {
            return Ok(false);
        };
        drop(device);
        let (mut device, fault) = self.enter(Op::Remove, name.as_str(), format_args!(" to recycle"))?;
        match fault {
            None => device.unlink(name.as_str()),
            Some(_) => return Ok(false),
        }
        device.recycled.insert(file);
        Ok(true)
    }

    fn reopen(&self, name: &Name) -> Result<Box<dyn Tail>> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return Err(Error::new(Kind::Invalid, "a closed file is never written again"));
        }
        let (device, fault) = self.enter(Op::Open, name.as_str(), format_args!(""))?;
        if fault.is_some() {
            return Err(failed(Kind::Unavailable, Op::Open, name.as_str()));
        }
        match device.names.find(name.as_str()) {
            Some(file) => Ok(self.tail(name, file)),
            None if device.names.is_folder(name.as_str()) => Err(no_file(name)),
            None => Err(not_there(name)),
        }
    }

    fn sync_names(&self) -> Result<()> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return Ok(());
        }
        self.sync_folders("", &[])
    }

    fn set_aside(&self, name: &Name, to: &Name) -> Result<()> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return self.move_leased(name, to);
        }
        let (from, text) = (name.as_str(), to.as_str());
        let (mut device, fault) = self.enter(Op::Rename, from, format_args!(" -> {to}"))?;
        match fault {
            Some(Fault::Full) => return Err(full(Op::Rename, from)),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Rename, from)),
            None if device.names.find(from).is_none() => return Err(not_there(name)),
            None => device.must_be_free(to)?,
        }
        let number = device.number();
        device.names.rename(from, text, number);
        drop(device);
        self.sync_folders(from, &[folder_of(from), folder_of(text)])
    }

    fn reserve(&self, len: u64) -> Result<()> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return Ok(());
        }
        let (mut device, fault) = self.enter(Op::Reserve, "", format_args!("+{len}"))?;
        match fault {
            Some(Fault::Full) => return Err(full(Op::Reserve, "")),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Reserve, "")),
            None => {}
        }
        let more = len.saturating_sub(device.reserve.held);
        if !device.has_room(more) {
            return Err(full(Op::Reserve, ""));
        }
        device.reserve.held += more;
        device.reserve.on_disk = device.reserve.held;
        Ok(())
    }

    fn release(&self) -> Result<()> {
        self.must_own()?;
        if self.shape() == Shape::Leases {
            return Ok(());
        }
        let (mut device, fault) = self.enter(Op::Release, "", format_args!(""))?;
        if fault.is_some() {
            return Err(failed(Kind::Unavailable, Op::Release, ""));
        }
        device.reserve.number = device.number();
        device.reserve.held = 0;
        Ok(())
    }
}

/// The lock on the place.
#[derive(Debug)]
struct Guard {
    process: Process,
    serial: u64,
}

impl Own for Guard {
    fn check(&self) -> Result<()> {
        let (device, fault) = self.process.enter(Op::Check, "", format_args!(""))?;
        if fault.is_some() {
            return Err(failed(Kind::Unavailable, Op::Check, ""));
        }
        if device.lock.is_some_and(|lock| lock.serial == self.serial) {
            return Ok(());
        }
        Err(Error::new(Kind::Fenced, format!("the lock was taken away: process={}", self.process.id())))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut device = self.process.device.lock();
        device.processes[self.process.id()].guards -= 1;
        if device.lock.is_some_and(|lock| lock.serial == self.serial) {
            device.lock = None;
        }
    }
}

/// An open file.
#[derive(Debug)]
struct SimTail {
    process: Process,
    name: Name,
    file: usize,
}

impl SimTail {
    fn error(&self, kind: Kind, op: Op, offset: u64) -> Error {
        failed(kind, op, self.name.as_str()).at(self.name.as_str(), offset)
    }

    fn failures(&self) -> u64 {
        self.process.device.lock().files[self.file].failures
    }

    /// Makes what is dirty in a range durable, or in the whole file.
    ///
    /// A sync that is under way when another one fails reports the failure too: each has its own description of the
    /// file. One that begins afterwards knows nothing of it. `failures` is how many there had been when it began.
    fn sync_range(&self, range: Option<Range<usize>>, failures: u64) -> Result<()> {
        self.process.must_own()?;
        let name = self.name.as_str();
        let detail = range.clone().unwrap_or(0..0);
        let (mut device, fault) = match &range {
            None => self.process.enter(Op::Sync, name, format_args!(""))?,
            Some(_) => {
                self.process.enter(Op::Sync, name, format_args!(" @{}+{}", detail.start, detail.len()))?
            }
        };
        let Device { files, random, .. } = &mut *device;
        let file = &mut files[self.file];
        let overlapped = file.failures > failures;
        match (fault, range) {
            (None, None) => file.sync(),
            (None, Some(range)) => file.sync_range(range),
            (Some(Fault::Lie), _) => {}
            (Some(Fault::Partly), _) => file.fail_sync(Some(random)),
            (Some(_), _) => file.fail_sync(None),
        }
        let failed = overlapped || fault.is_some_and(|fault| fault != Fault::Lie);
        if failed { Err(self.error(Kind::Unknown, Op::Sync, 0)) } else { Ok(()) }
    }
}

impl Tail for SimTail {
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        self.process.must_own()?;
        let (op, name) = (Op::Write, self.name.as_str());
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let (mut device, fault) = self.process.enter(op, name, format_args!(" @{offset}+{len}"))?;
        let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(len));
        let Some(end) = end else { return Err(Error::new(Kind::Invalid, OFFSET_TOO_LARGE)) };
        let grows = end.saturating_sub(device.files[self.file].len()) as u64;
        let short = if grows > 0 { grows.saturating_sub(device.room()) } else { 0 };
        let fits = len.saturating_sub(usize::try_from(short).unwrap_or(usize::MAX));
        if fault == Some(Fault::Full) || (short > 0 && fits == 0) || end > FILE_BYTES_MAX {
            // Nothing landed, but a file in which a write failed is in doubt whatever the reason.
            return Err(self.error(Kind::Unknown, op, offset).because(full(op, name)));
        }

        let number = device.number();
        let Device { files, random, .. } = &mut *device;
        let file = &mut files[self.file];
        let mut lands = match fault {
            None => fits,
            Some(Fault::Partly) => random.below(len.max(1) as u64) as usize,
            Some(_) => 0,
        };
        // Whether the cache shows the bytes of a write that failed is the kernel's affair.
        let shows = fault == Some(Fault::Error) && random.coin();
        let mut at = end - len;
        for part in parts {
            if shows {
                file.write_in_vain(at, part, number, random);
            } else {
                let whole = part.len().min(lands);
                file.write(at, &part[..whole], number, random);
                lands -= whole;
            }
            at += part.len();
        }
        if fault.is_some() || short > 0 { Err(self.error(Kind::Unknown, op, offset)) } else { Ok(()) }
    }

    fn sync(&self) -> Result<()> {
        self.sync_range(None, self.failures())
    }

    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        // It began with the write: a sync that fails in between may take these bytes along, and must be heard of.
        let failures = self.failures();
        self.write(offset, parts)?;
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        self.sync_range(Some(from..from.saturating_add(len)), failures)
    }

    fn trim(&self, len: u64) -> Result<()> {
        self.process.must_own()?;
        let name = self.name.as_str();
        let (mut device, fault) = self.process.enter(Op::Trim, name, format_args!(" to {len}"))?;
        if fault.is_some() {
            return Err(self.error(Kind::Unavailable, Op::Trim, len));
        }
        let within = usize::try_from(len).ok().filter(|len| *len <= device.files[self.file].len());
        let Some(to) = within else { return Err(Error::new(Kind::Invalid, TRIM_GROWS)) };
        let number = device.number();
        device.files[self.file].trim(to, number);
        drop(device);
        self.sync().map_err(|error| self.error(Kind::Unknown, Op::Trim, len).because(error))
    }
}
