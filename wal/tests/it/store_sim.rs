//! The simulated device: what its faults do, and that they do it.

mod bucket;
mod disk;
mod lives;
mod names;

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_wal::store::sim::{Process, Sim};
use headwater_wal::store::suite::conforms;
use headwater_wal::store::{Append, Name, Own, Room, Store, Tail};
use headwater_wal::{Kind, Result};

#[test]
fn a_device_without_faults_is_a_store_like_any_other() {
    conforms(|| Sim::growing(1).store());
    conforms(|| Sim::objects(1).store());
    conforms(|| Sim::leases(1).store());
}

/// A disk with a process that owns it.
struct Disk {
    sim: Sim,
    process: Process,
    _guard: Box<dyn Own>,
}

impl Disk {
    fn new(seed: u64) -> Self {
        Disk::reopen(&Sim::growing(seed))
    }

    fn reopen(sim: &Sim) -> Self {
        let process = sim.process();
        let guard = process.own().expect("a free place");
        Disk { sim: sim.clone(), process, _guard: guard }
    }

    fn create(&self, text: &str, len: u64) -> Box<dyn Tail> {
        self.process.create(&name(text), b"", len, Room::Written).expect("a new file")
    }

    fn remove(&self, text: &str) {
        self.process.remove(&name(text)).expect("a remove");
    }

    fn set_aside(&self, from: &str, to: &str) -> Result<()> {
        self.process.set_aside(&name(from), &name(to))
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn put(store: &dyn Store, text: &str, bytes: &'static str) -> Result<()> {
    store.put(&name(text), Bytes::from_static(bytes.as_bytes()))
}

fn read(store: &dyn Store, text: &str) -> Bytes {
    store.read(&name(text), 0..u64::MAX).expect("a read")
}

fn kind<T>(result: Result<T>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}

/// What comes out over many seeds, each once, in order.
fn outcomes<T: Ord>(live: impl Fn(u64) -> T) -> Vec<T> {
    (0..200).map(live).collect::<BTreeSet<_>>().into_iter().collect()
}
