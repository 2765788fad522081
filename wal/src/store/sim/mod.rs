//! A simulated device: everything in memory, every fault on order, every chance from a seed.
//!
//! A [`Sim`] is one medium, a disk or a bucket. A [`Process`] is one who uses it, and is a [`Store`]; several may use
//! one medium at once, die, and be followed by others, and a dead one may still hold the stores and files it had. The
//! same seed and the same calls give the same life, to the byte. There is no clock in it: who runs several threads
//! gets the same life only with [`Sim::take_turns`].
//!
//! # What is assumed of a disk ([`Sim::growing`])
//!
//! 1. A sector of [`SECTOR`] bytes is written whole or not at all. Nothing else is: a write of several may land in
//!    part and in any order with others, from the moment it was made.
//! 2. Writes go to a cache that every process sees and that outlives all of them. A sync makes durable what is dirty
//!    then. The kernel may write a dirty sector earlier, so that of two writes to it either may be found, or none.
//! 3. After a failed sync the file's dirty sectors count as clean: the cache shows them, a repeated sync says that
//!    all is well, and the disk never gets them. When the cache is dropped ([`Sim::drop_caches`], a power cut, by
//!    chance a crash) the older bytes show. A kernel that kept them dirty would be kinder, and so is a store that
//!    refuses a file after its first failure; this one does not, so that whoever repeats a sync is found out. A sync
//!    that is under way when another one of the file fails does fail too.
//! 4. Lengths and names are journaled: a failed sync leaves them waiting for one that succeeds. A length may become
//!    durable without the bytes it spans; those are zeros then, never what some other file left there (ext4 with
//!    `data=writeback` may show that too).
//! 5. A power cut keeps or loses each unsynced change of a name on its own; a rename is one change. Real journals
//!    keep a prefix. The sync of a folder makes the changes in that folder durable and no others.
//! 6. A file under no name is gone after a crash (`O_TMPFILE`); no leftovers remain to be swept. What is kept by
//!    [`reserve`](crate::store::Append::reserve) is one operation, durable at once.
//! 7. Who has a file open that was removed finds its bytes, or, if it was
//!    [recycled](crate::store::Append::recycle), zeros at any time. A power cut may bring its name back, with all of its bytes.
//! 8. Room: a file takes as many bytes as it is long, its name and folder none. Removing, trimming and releasing give
//!    room back at once, although a power cut may undo them. Writes within a file's length need no room.
//!
//! # What is assumed of a bucket ([`Sim::objects`])
//!
//! 1. A put is atomic, conditional on the absence of the name, and durable when it is answered. Reads and lists see
//!    it from then on (S3, Azure and GCS promise that now); pages show the folder as each of them is made, or, if that is
//!    planned, without any of the changes since the first ([`Fault::Lagging`]). One that leaves out older changes
//!    ([`Fault::Stale`]) breaks the promise. Pages are in the order of names: whoever speaks to a store that lists in any
//!    other order sorts first.
//! 2. A request may be lost, or its answer, or it may arrive long after its sender gave up or died; the condition is
//!    looked at when it arrives.
//! 3. A bucket outlives every machine: a power cut only kills. What a process had sent when it was killed may arrive.
//! 4. A read that is begun ahead happens at any moment between its beginning and the end of the wait for it.
//! 5. Of many names removed at once each goes by itself, in any order.
//!
//! # What is assumed of a medium of leases ([`Sim::leases`])
//!
//! What [`Leases`](crate::store::Leases) says, with all the freedom that it leaves, and:
//!
//! 1. Every change of a name is atomic, durable at once and seen by all. A put, a new file's name, a removal and a
//!    [`keep`](crate::store::Leases::keep) are requests that may be lost, late or unanswered, as in a bucket; listings are
//!    never late.
//! 2. A file's bytes lie on machines of their own. They keep what was synced. What was written behind that outlives
//!    every process, but of a loss of their power ([`Sim::power_cut`], [`Sim::nodes_power_cut`]) only in part, by
//!    sectors, also in a file that was closed since.
//! 3. A writer whose call has failed gets no further with that file.
//! 4. Of an open file readers see what is synced as far as it fills blocks; listings show any length from there to what
//!    was written.
//! 5. Ending a lease is two steps, between which anything may happen; the file then ends anywhere from what was synced
//!    to what was written. A step that fails may have been done.
//!
//! # Counting
//!
//! Every step of the device is an [`Op`], numbered over all processes from 1; [`When`] says which of them a [`Fault`]
//! befalls. What the test does to the medium itself ([`flip`](Sim::flip), [`write_raw`](Sim::write_raw) and the like)
//! is no operation and meets no fault.

mod baton;
mod bucket;
mod clock;
mod cut;
mod device;
mod file;
mod growing;
mod lease;
mod leased;
mod medium;
mod names;
mod plan;
mod process;
mod random;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

pub use baton::{Actor, Schedule};
pub use bucket::RECENT_CHANGES;
pub use clock::SimClock;
pub use cut::Cut;
use device::Device;
use file::File;
pub use file::SECTOR;
use plan::Plan;
pub use plan::{Fault, Op, When};
pub use process::Process;
pub use random::Random;

use super::Store;

/// No file of a simulated disk gets longer; who tries finds it full.
const FILE_BYTES_MAX: usize = 1 << 30;

/// Which kind of medium it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Growing,
    Objects,
    Leases,
}

/// A simulated medium. Clones are the same one.
#[derive(Clone)]
pub struct Sim {
    device: Arc<Mutex<Device>>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = self.device.lock();
        write!(f, "Sim({:?}, seed={}, operations={})", device.shape, device.seed, device.operations)
    }
}

/// Its making and its users.
impl Sim {
    /// A disk, whose files grow.
    pub fn growing(seed: u64) -> Self {
        Sim { device: Arc::new(Mutex::new(Device::new(Shape::Growing, seed))) }
    }

    /// A bucket, whose objects are put whole.
    pub fn objects(seed: u64) -> Self {
        Sim { device: Arc::new(Mutex::new(Device::new(Shape::Objects, seed))) }
    }

    /// A file system of many machines, whose files grow under leases.
    pub fn leases(seed: u64) -> Self {
        Sim { device: Arc::new(Mutex::new(Device::new(Shape::Leases, seed))) }
    }

    /// The medium as it is now, with a future of its own: same bytes, same unsynced changes, same requests under way,
    /// but no process, no plan and no count of what went wrong.
    pub fn fork(&self, seed: u64) -> Self {
        Sim { device: Arc::new(Mutex::new(self.device.lock().fork(seed))) }
    }

    /// The store of a new process.
    pub fn store(&self) -> Arc<dyn Store> {
        self.process().store()
    }

    /// Runs the actors, each with a process and a thread of its own, but one at a time: before every operation of the
    /// device the seed may let another one go on. Returns when all have ended; panics if one did. An actor must not
    /// wait for another but through the device, or by [`wait_for_others`](crate::Clock::wait_for_others) of a
    /// [`SimClock`]. Several may use one process, and one log that is stepped.
    pub fn take_turns(&self, actors: Vec<Actor<'_>>) {
        baton::take_turns(self, actors, None);
    }

    /// As [`take_turns`](Self::take_turns), but the test says who goes on, before operations of these kinds, and when
    /// an actor waits or ends.
    pub fn take_turns_as(&self, actors: Vec<Actor<'_>>, ops: &[Op], schedule: Schedule) {
        baton::take_turns(self, actors, Some((ops.to_vec(), schedule)));
    }
}

/// What goes wrong.
impl Sim {
    /// Plans a fault. Where several would befall one operation, the one planned first does.
    pub fn plan(&self, when: When, fault: Fault) {
        self.device.lock().plans.push(Plan { when, fault });
    }

    /// Forgets every planned fault. Requests under way stay so.
    pub fn calm(&self) {
        let mut device = self.device.lock();
        device.plans.clear();
        device.bucket.calm();
    }

    /// The power goes: every process dies, and the seed chooses what is left of everything unsynced.
    pub fn power_cut(&self) {
        self.power_cut_as(Cut::Seeded);
    }

    /// As [`power_cut`](Self::power_cut), but the test says how.
    pub fn power_cut_as(&self, cut: Cut) {
        self.touch(|device| device.power_cut(cut));
    }

    /// The machines that hold a medium of leases lose their power, and its processes live on: what was not synced is lost or
    /// not, and no open file can be written any more.
    pub fn nodes_power_cut(&self, cut: Cut) {
        self.device.lock().nodes_power_cut(cut);
    }

    /// The server ends every lease by itself, as it does when it has not heard from a writer for long.
    pub fn expire_leases(&self) {
        self.device.lock().expire_leases();
    }

    /// Every process is killed. The cache stays; by seed the clean part of it is dropped, whole or here and there.
    pub fn process_crash(&self) {
        self.touch(Device::process_crash);
    }

    /// What dies of a change is dropped when the device is free again.
    fn touch(&self, change: impl FnOnce(&mut Device)) {
        let mut device = self.device.lock();
        change(&mut device);
        let in_vain = std::mem::take(&mut device.in_vain);
        drop(device);
        drop(in_vain);
    }

    /// The kernel forgets everything that it believes to be on the disk.
    pub fn drop_caches(&self) {
        self.device.lock().drop_caches(true);
    }

    /// Takes the place's lock away from whoever holds it, as one does who removes the lock's file.
    pub fn break_lock(&self) {
        self.device.lock().lock = None;
    }

    /// How many bytes the medium holds, or that it has no end, as at first.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.device.lock().capacity = bytes;
    }

    /// How many bytes are kept back in reserve.
    pub fn reserved(&self) -> u64 {
        self.device.lock().reserve.held
    }

    /// How many names a page of a listing has; 3 at first.
    pub fn set_page(&self, names: usize) {
        assert!(names > 0, "a page has a name");
        self.device.lock().page = names;
    }

    /// The names of the requests under way, oldest first.
    pub fn late(&self) -> Vec<String> {
        self.device.lock().late.iter().map(|late| late.name.clone()).collect()
    }

    /// The oldest request under way for this name arrives.
    pub fn land(&self, name: &str) {
        let mut device = self.device.lock();
        let at = device.late.iter().position(|late| late.name == name);
        device.land(at.unwrap_or_else(|| panic!("nothing is under way: name={name}")));
    }

    /// Every request under way arrives, oldest first.
    pub fn land_all(&self) {
        let mut device = self.device.lock();
        while !device.late.is_empty() {
            device.land(0);
        }
    }
}

/// What happened.
impl Sim {
    /// The seed that it was made from.
    pub fn seed(&self) -> u64 {
        self.device.lock().seed
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.device.lock().operations
    }

    /// How many of one kind.
    pub fn operations_of(&self, op: Op) -> u64 {
        self.device.lock().by_op[op as usize]
    }

    /// Everything that went wrong, in words, and how often: planned faults as `op: fault`, and what came of crashes
    /// and late requests.
    pub fn events(&self) -> BTreeMap<String, u64> {
        self.device.lock().events.clone()
    }

    /// From now on every operation and event is written down.
    pub fn keep_history(&self) {
        self.device.lock().history.get_or_insert_default();
    }

    /// What was written down: `op 17 process 0 write 00.wal @4096+600: error`.
    pub fn history(&self) -> Vec<String> {
        self.device.lock().history.clone().unwrap_or_default()
    }
}

/// The test's own hands on the medium. They take any text for a name, find the file there or panic, and change the
/// cache and the disk alike.
impl Sim {
    /// Every name, in order; folders before names that only begin like them.
    pub fn names(&self) -> Vec<String> {
        self.device.lock().names.all().map(|(name, _)| name).collect()
    }

    /// Whether there is a file.
    pub fn has(&self, name: &str) -> bool {
        self.device.lock().names.find(name).is_some()
    }

    /// The bytes as a reader sees them.
    pub fn read_raw(&self, name: &str) -> Vec<u8> {
        self.with(name, |file| file.bytes().to_vec())
    }

    /// The bytes that are durable on a disk, whatever the cache shows.
    pub fn read_durable(&self, name: &str) -> Vec<u8> {
        let shape = self.device.lock().shape;
        self.with(name, |file| if shape == Shape::Growing { file.disk() } else { file.bytes() }.to_vec())
    }

    /// Makes a file of these bytes, or replaces it.
    pub fn write_raw(&self, name: &str, bytes: &[u8]) {
        let mut device = self.device.lock();
        let file = match device.shape {
            Shape::Growing => File::synced(bytes.to_vec()),
            Shape::Objects | Shape::Leases => File::object(bytes),
        };
        match device.names.find(name) {
            Some(at) => device.files[at] = file,
            None => {
                let at = device.add(file);
                device.names.settle(name, Some(at));
            }
        }
    }

    /// Flips a bit.
    pub fn flip(&self, name: &str, offset: usize, bit: u8) {
        self.with(name, |file| {
            assert!(offset < file.len(), "no such byte: name={name} offset={offset} len={}", file.len());
            file.rot(|bytes| bytes.iter_mut().skip(offset).take(1).for_each(|byte| *byte ^= 1 << bit));
        });
    }

    /// Zeros what there is of a range.
    pub fn zero(&self, name: &str, range: Range<usize>) {
        self.with(name, |file| {
            file.rot(|bytes| bytes.iter_mut().take(range.end).skip(range.start).for_each(|byte| *byte = 0));
        });
    }

    /// Cuts a file.
    pub fn cut(&self, name: &str, len: usize) {
        self.with(name, |file| file.rot(|bytes| bytes.truncate(len)));
    }

    /// Reads that touch a sector of this range fail from now on, until it is written again.
    pub fn make_unreadable(&self, name: &str, range: Range<usize>) {
        self.with(name, |file| file.make_unreadable(range));
    }

    /// Removes a file for good.
    pub fn remove_file(&self, name: &str) {
        self.with(name, |_| {});
        self.device.lock().names.settle(name, None);
    }

    fn with<T>(&self, name: &str, touch: impl FnOnce(&mut File) -> T) -> T {
        let mut device = self.device.lock();
        let file = device.names.find(name).unwrap_or_else(|| panic!("no such file: name={name}"));
        touch(&mut device.files[file])
    }
}
