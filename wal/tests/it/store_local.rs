//! The stores keep the store's contract.

use std::sync::Arc;

use std::sync::atomic::{AtomicU64, Ordering};

use headwater_wal::store::{Local, Memory, suite};

#[test]
fn memory_conforms_as_objects() {
    suite::conforms(|| Arc::new(Memory::objects()));
}

#[test]
fn memory_conforms_as_growing_files() {
    suite::conforms(|| Arc::new(Memory::growing()));
}

#[test]
fn local_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = AtomicU64::new(0);
    suite::conforms(|| {
        let place = folder.path().join(format!("place-{}", made.fetch_add(1, Ordering::Relaxed)));
        Arc::new(Local::open(place).expect("a place"))
    });
}
