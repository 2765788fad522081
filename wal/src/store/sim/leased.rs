//! The calls of a medium of leases.

use super::Process;
use super::bucket::Request;
use super::device::Device;
use super::file::File;
use super::medium::{failed, full, no_file, not_there, taken};
use super::plan::{Fault, Op};
use crate::error::{Error, Kind, Result};
use crate::store::{HEAD_TOO_LONG, Leases, Name, Own, Tail};

const NOT_THE_END: &str = "a stream is written at its end, and closed there";

impl Process {
    pub(super) fn own_leases(&self) -> Result<Box<dyn Own>> {
        loop {
            let (mut device, fault) = self.enter(Op::Own, "", format_args!(""))?;
            if fault.is_some() {
                return Err(failed(Kind::Unavailable, Op::Own, ""));
            }
            let open = device.open_files();
            if open.is_empty() {
                device.processes[self.id()].guards += 1;
                return Ok(Box::new(Guard(self.clone())));
            }
            drop(device);
            for (name, file) in open {
                self.step(&name, |device| device.files[file].end_lease())?;
                self.step(&name, |device| device.close_anywhere(file))?;
            }
        }
    }

    pub(super) fn create_leased(&self, name: &Name, head: &[u8], len: u64) -> Result<Box<dyn Tail>> {
        if name == &Name::ROOT {
            return Err(no_file(name));
        }
        if len < head.len() as u64 {
            return Err(Error::new(Kind::Invalid, HEAD_TOO_LONG));
        }
        let text = name.as_str();
        for op in [Op::Create, Op::Sync] {
            let (device, fault) = self.enter(op, text, format_args!(", unnamed"))?;
            match fault {
                Some(Fault::Full) => return Err(full(op, text)),
                Some(_) => return Err(failed(Kind::Unavailable, op, text)),
                None if !device.has_room(head.len() as u64) => return Err(full(op, text)),
                None => {}
            }
        }
        let (file, serial) = {
            let mut device = self.device.lock();
            device.locks += 1;
            let serial = device.locks;
            (device.add(File::leased(head, serial)), serial)
        };
        self.request(Op::Link, name, head.len(), Request::Link(file))?;
        Ok(Box::new(Stream { process: self.clone(), name: name.clone(), file, serial }))
    }

    pub(super) fn move_leased(&self, name: &Name, to: &Name) -> Result<()> {
        let (mut device, fault) = self.enter(Op::Rename, name.as_str(), format_args!(" -> {to}"))?;
        match fault {
            Some(Fault::Full) => return Err(full(Op::Rename, name.as_str())),
            Some(_) => return Err(failed(Kind::Unavailable, Op::Rename, name.as_str())),
            None => {}
        }
        let file = device.names.find(name.as_str()).ok_or_else(|| not_there(name))?;
        if !device.apply(to.as_str(), &Request::Link(file)) {
            return Err(taken(to));
        }
        device.names.settle(name.as_str(), None);
        Ok(())
    }

    /// A step of ending a lease. One that fails may have been done.
    fn step(&self, name: &str, done: impl FnOnce(&mut Device)) -> Result<()> {
        let (mut device, fault) = self.enter(Op::Recover, name, format_args!(""))?;
        if fault.is_none() || device.random.coin() {
            done(&mut device);
        }
        if fault.is_some() { Err(failed(Kind::Unavailable, Op::Recover, name)) } else { Ok(()) }
    }
}

impl Leases for Process {
    fn is_open(&self, name: &Name) -> Result<bool> {
        let (device, fault) = self.enter(Op::Read, name.as_str(), format_args!(", is it open"))?;
        if fault.is_some_and(|fault| fault != Fault::Rot) {
            return Err(failed(Kind::Unavailable, Op::Read, name.as_str()));
        }
        let file = device.names.find(name.as_str()).ok_or_else(|| not_there(name))?;
        Ok(device.files[file].is_open())
    }

    fn keep(&self, name: &Name) -> Result<()> {
        self.must_own()?;
        let (device, fault) = self.enter(Op::Read, name.as_str(), format_args!(", to keep"))?;
        if fault.is_some_and(|fault| fault != Fault::Rot) {
            return Err(failed(Kind::Unavailable, Op::Read, name.as_str()));
        }
        let file = device.names.find(name.as_str()).ok_or_else(|| not_there(name))?;
        if device.files[file].is_open() {
            return Err(Error::new(Kind::Invalid, "it is open"));
        }
        let bytes = device.files[file].bytes().to_vec();
        drop(device);
        self.request(Op::Keep, name, bytes.len(), Request::Keep(bytes))
    }
}

impl Device {
    /// The files of the root that are open for writing.
    fn open_files(&self) -> Vec<(String, usize)> {
        let in_root = self.names.all().filter(|(name, _)| !name.contains('/'));
        in_root.filter(|&(_, file)| self.files[file].is_open()).collect()
    }

    fn close_anywhere(&mut self, file: usize) {
        let number = self.number();
        let Device { files, random, .. } = self;
        files[file].close_anywhere(number, random);
        self.tell(format_args!("a lease ends, the file has {} bytes", self.files[file].len()));
    }

    pub(super) fn expire_leases(&mut self) {
        for (_, file) in self.open_files() {
            self.count("lease ended by the server");
            self.close_anywhere(file);
        }
    }
}

/// What an owner holds: it keeps nobody away.
#[derive(Debug)]
struct Guard(Process);

impl Own for Guard {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.device.lock().processes[self.0.id()].guards -= 1;
    }
}

/// A file that its maker writes.
#[derive(Debug)]
struct Stream {
    process: Process,
    name: Name,
    file: usize,
    serial: u64,
}

impl Stream {
    /// Does something to the file, if its lease is still ours. Whatever fails, its pipeline is broken.
    fn touch(
        &self,
        op: Op,
        at: u64,
        done: impl FnOnce(&mut Device, Option<Fault>) -> Result<()>,
    ) -> Result<()> {
        self.process.must_own()?;
        let (mut device, fault) = self.process.enter(op, self.name.as_str(), format_args!(" @{at}"))?;
        let unknown = || failed(Kind::Unknown, op, self.name.as_str()).at(self.name.as_str(), at);
        if !device.files[self.file].is_held(self.serial) {
            return Err(unknown().because(Error::new(Kind::Unavailable, "the lease has ended")));
        }
        done(&mut device, fault)?;
        if fault.is_some() {
            device.files[self.file].break_pipeline();
            return Err(unknown());
        }
        Ok(())
    }
}

impl Tail for Stream {
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        self.touch(Op::Write, offset, |device, fault| {
            let number = device.number();
            let Device { files, random, .. } = device;
            let file = &mut files[self.file];
            if offset != file.len() as u64 {
                return Err(Error::new(Kind::Invalid, NOT_THE_END));
            }
            let bytes = parts.concat();
            // What was sent of a write that failed may have arrived.
            let lands = match fault {
                None => bytes.len(),
                Some(_) => random.below(bytes.len() as u64 + 1) as usize,
            };
            file.write(file.len(), &bytes[..lands], number, random);
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        self.touch(Op::Sync, 0, |device, fault| {
            // One that was not answered may have been done.
            if fault.is_none() || device.random.coin() {
                device.files[self.file].sync();
            }
            Ok(())
        })
    }

    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        self.write(offset, parts)?;
        self.sync()
    }

    fn trim(&self, len: u64) -> Result<()> {
        self.touch(Op::Trim, len, |device, fault| {
            let file = &mut device.files[self.file];
            if len != file.len() as u64 {
                return Err(Error::new(Kind::Invalid, NOT_THE_END));
            }
            if fault.is_none() || device.random.coin() {
                device.files[self.file].close();
            }
            Ok(())
        })
    }
}
