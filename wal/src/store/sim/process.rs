//! One who uses the medium.

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::baton;
use super::bucket::Request;
use super::device::{Device, Life};
use super::plan::{Fault, Op, When};
use super::{Shape, Sim};
use crate::error::{Error, Kind, Result};
use crate::store::Store;

/// One process that uses the medium; it is a [`Store`] itself. Clones are the same process.
#[derive(Clone)]
pub struct Process {
    pub(super) device: Arc<Mutex<Device>>,
    pub(super) shape: Shape,
    id: usize,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({:?}, id={})", self.shape, self.id)
    }
}

impl Sim {
    /// A new process.
    pub fn process(&self) -> Process {
        let mut device = self.device.lock();
        let id = device.processes.len();
        device.processes.push(Life::default());
        Process { device: self.device.clone(), shape: device.shape, id }
    }
}

impl Process {
    /// Its number, as the history and errors show it.
    pub fn id(&self) -> usize {
        self.id
    }

    /// Its store.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    /// The medium that it uses.
    pub fn sim(&self) -> Sim {
        Sim { device: self.device.clone() }
    }

    /// Kills it: its later calls fail, and its lock is free. What it wrote stays in the cache.
    pub fn kill(&self) {
        self.sim().touch(|device| device.kill(self.id, "the process is dead"));
    }

    /// Kills it and begins another one.
    #[must_use]
    pub fn restart(&self) -> Process {
        self.kill();
        self.sim().process()
    }

    /// How many operations it began.
    pub fn operations(&self) -> u64 {
        self.device.lock().processes[self.id].operations
    }

    /// Runs `visit` once, just before this process does such an operation. The device is free meanwhile: others may
    /// live a whole life in there, or kill this process before it goes on. If the process dies first, `visit` is
    /// dropped.
    pub fn before(&self, when: When, visit: impl FnOnce() + Send + 'static) {
        self.device.lock().processes[self.id].visits.push((when, Box::new(visit)));
    }

    /// As [`before`](Self::before), for the n-th operation from now, the next being the first.
    pub fn before_operation(&self, n: u64, visit: impl FnOnce() + Send + 'static) {
        self.before(When::nth(n), visit);
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Begins an operation, and holds the device for the rest of it. The fault is for the operation to suffer; the
    /// ones that no operation survives are done with here.
    pub(super) fn enter(
        &self,
        op: Op,
        name: &str,
        detail: fmt::Arguments<'_>,
    ) -> Result<(MutexGuard<'_, Device>, Option<Fault>)> {
        self.visits(op, name);
        baton::turn(op);
        self.befall(op, name, detail)
    }

    /// As [`enter`](Self::enter), for a request of a bucket, or of a medium of leases. Once it has left, it may arrive although its sender is dead.
    pub(super) fn enter_request(
        &self,
        op: Op,
        name: &str,
        detail: fmt::Arguments<'_>,
        what: &Request,
    ) -> Result<(MutexGuard<'_, Device>, Option<Fault>)> {
        self.visits(op, name);
        let leaves = self.device.lock().alive(self.id).is_ok();
        baton::turn(op);
        let mut device = self.device.lock();
        if let (true, Err(dead)) = (leaves, device.alive(self.id)) {
            device.count(format!("{op}: outlived its sender"));
            device.outlive(name, what.clone());
            return Err(dead);
        }
        drop(device);
        self.befall(op, name, detail)
    }

    /// Runs what is to come before the operation.
    fn visits(&self, op: Op, name: &str) {
        let mut device = self.device.lock();
        let Device { processes, random, .. } = &mut *device;
        let life = &mut processes[self.id];
        life.operations += u64::from(life.dead.is_none());
        let comes = |(when, _): &mut (When, _)| when.comes(op, name, self.id, random);
        let due: Vec<_> = life.visits.extract_if(.., comes).collect();
        drop(device);
        due.into_iter().for_each(|(_, visit)| visit());
    }

    fn befall(
        &self,
        op: Op,
        name: &str,
        detail: fmt::Arguments<'_>,
    ) -> Result<(MutexGuard<'_, Device>, Option<Fault>)> {
        let mut device = self.device.lock();
        device.alive(self.id)?;
        let fault = device.begin(op, self.id, name, detail);
        match fault {
            Some(Fault::Panic) => {
                let operation = device.operations;
                drop(device);
                panic!("a planned panic: operation={operation} op={op} name={name}");
            }
            Some(Fault::Crash) => {
                device.kill(self.id, "the machine is down");
                // A request that had left may still arrive.
                let request = match self.shape {
                    Shape::Growing => false,
                    Shape::Objects => matches!(op, Op::Put | Op::Remove),
                    Shape::Leases => matches!(op, Op::Put | Op::Remove | Op::Link | Op::Keep),
                };
                if !request {
                    let id = self.id;
                    return Err(Error::new(Kind::Unavailable, format!("the machine is down: process={id}")));
                }
            }
            _ => {}
        }
        Ok((device, fault))
    }
}
