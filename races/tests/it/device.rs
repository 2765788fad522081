//! A store in memory that can be held, be full and fail.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use headwater_wal::store::{Append, Memory, Name, Own, Pages, Room, Store, Survives, Tail};
use headwater_wal::{Error, Kind, Result};
use parking_lot::{Condvar, Mutex};

#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) memory: Memory,
    plan: Arc<Plan>,
}

/// What befalls the operations to come.
struct Plan {
    held: Mutex<bool>,
    released: Condvar,
    /// So many writes succeed.
    writes_left: AtomicUsize,
    panics: AtomicBool,
    full: AtomicBool,
    dawdles: AtomicBool,
    /// Operations under way that only the owner of the place may do.
    busy: AtomicUsize,
}

/// An operation under way.
struct Busy<'a>(&'a Plan);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, SeqCst);
    }
}

/// The place is given up only when all that its owner began has returned.
struct Owned {
    own: Box<dyn Own>,
    plan: Arc<Plan>,
}

impl fmt::Debug for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owned")
    }
}

impl Own for Owned {
    fn check(&self) -> Result<()> {
        self.own.check()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        assert_eq!(self.plan.busy.load(SeqCst), 0, "something is still at the device");
    }
}

impl Device {
    pub(crate) fn new(grows: bool) -> Self {
        let plan = Plan {
            held: Mutex::new(false),
            released: Condvar::new(),
            writes_left: AtomicUsize::new(usize::MAX),
            panics: AtomicBool::new(false),
            full: AtomicBool::new(false),
            dawdles: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
        };
        let memory = if grows { Memory::growing() } else { Memory::objects() };
        Device { memory, plan: Arc::new(plan) }
    }

    /// Lets no write begin.
    pub(crate) fn hold(&self) {
        *self.plan.held.lock() = true;
    }

    pub(crate) fn release(&self) {
        *self.plan.held.lock() = false;
        self.plan.released.notify_all();
    }

    /// After so many more writes the device is broken.
    pub(crate) fn fail_after(&self, writes: usize, panics: bool) {
        self.plan.panics.store(panics, SeqCst);
        self.plan.writes_left.store(writes, SeqCst);
    }

    /// There is no room for another file.
    pub(crate) fn fill(&self, full: bool) {
        self.plan.full.store(full, SeqCst);
    }

    /// Making room ahead goes on until the device is broken, and for a while longer.
    pub(crate) fn dawdle(&self) {
        self.plan.dawdles.store(true, SeqCst);
    }

    /// Whether nobody owns the place.
    pub(crate) fn is_free(&self) -> bool {
        self.grows().own().is_ok()
    }

    fn has_room(&self) -> Result<()> {
        if self.plan.full.load(SeqCst) { Err(Error::new(Kind::Full, "the disk is full")) } else { Ok(()) }
    }
}

impl Plan {
    fn begin(&self) -> Busy<'_> {
        self.busy.fetch_add(1, SeqCst);
        Busy(self)
    }

    fn write(&self) -> Result<()> {
        let mut held = self.held.lock();
        while *held {
            self.released.wait(&mut held);
        }
        let one_less = |left: usize| if left == usize::MAX { Some(left) } else { left.checked_sub(1) };
        if self.writes_left.fetch_update(SeqCst, SeqCst, one_less).is_ok() {
            return Ok(());
        }
        assert!(!self.panics.load(SeqCst), "the device panics");
        Err(Error::new(Kind::Unknown, "the device is broken"))
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device")
    }
}

impl Store for Device {
    fn place(&self) -> String {
        self.memory.place()
    }

    fn survives(&self) -> Survives {
        Survives::Power
    }

    fn put(&self, name: &Name, bytes: Bytes) -> Result<()> {
        let _busy = self.plan.begin();
        self.plan.write()?;
        self.has_room()?;
        self.memory.put(name, bytes)
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        self.memory.read(name, range)
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        self.memory.list(folder)
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let _busy = self.plan.begin();
        self.memory.remove(name)
    }

    fn append(&self) -> Option<&dyn Append> {
        self.memory.append().map(|_| self as &dyn Append)
    }
}

impl Device {
    fn grows(&self) -> &dyn Append {
        self.memory.append().expect("only a store that grows is asked")
    }

    fn tail(&self, tail: Box<dyn Tail>) -> Box<dyn Tail> {
        Box::new(Growing { tail, plan: self.plan.clone() })
    }
}

impl Append for Device {
    fn own(&self) -> Result<Box<dyn Own>> {
        let own = self.grows().own()?;
        Ok(Box::new(Owned { own, plan: self.plan.clone() }))
    }

    fn create(&self, name: &Name, head: &[u8], len: u64, room: Room) -> Result<Box<dyn Tail>> {
        let _busy = self.plan.begin();
        self.has_room()?;
        self.grows().create(name, head, len, room).map(|tail| self.tail(tail))
    }

    fn ahead(&self, len: u64, room: Room) -> Result<()> {
        let _busy = self.plan.begin();
        self.has_room()?;
        if self.plan.dawdles.load(SeqCst) {
            while self.plan.writes_left.load(SeqCst) > 0 {
                shuttle::thread::yield_now();
            }
            (0..20).for_each(|_| shuttle::thread::yield_now());
        }
        self.grows().ahead(len, room)
    }

    fn reopen(&self, name: &Name) -> Result<Box<dyn Tail>> {
        self.grows().reopen(name).map(|tail| self.tail(tail))
    }

    fn sync_names(&self) -> Result<()> {
        let _busy = self.plan.begin();
        self.grows().sync_names()
    }

    fn set_aside(&self, name: &Name, to: &Name) -> Result<()> {
        let _busy = self.plan.begin();
        self.grows().set_aside(name, to)
    }

    fn reserve(&self, len: u64) -> Result<()> {
        let _busy = self.plan.begin();
        self.grows().reserve(len)
    }

    fn release(&self) -> Result<()> {
        let _busy = self.plan.begin();
        self.grows().release()
    }
}

struct Growing {
    tail: Box<dyn Tail>,
    plan: Arc<Plan>,
}

impl fmt::Debug for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Growing")
    }
}

impl Tail for Growing {
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let _busy = self.plan.begin();
        self.plan.write()?;
        self.tail.write(offset, parts)
    }

    fn sync(&self) -> Result<()> {
        let _busy = self.plan.begin();
        self.tail.sync()
    }

    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let _busy = self.plan.begin();
        self.plan.write()?;
        self.tail.write_through(offset, parts)
    }

    fn trim(&self, len: u64) -> Result<()> {
        let _busy = self.plan.begin();
        self.tail.trim(len)
    }
}
