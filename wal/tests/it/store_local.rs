//! The stores keep the store's contract.

use std::sync::Arc;

use headwater_wal::store::{Memory, suite};

#[test]
fn memory_conforms_as_objects() {
    suite::conforms(|| Arc::new(Memory::objects()));
}

#[test]
fn memory_conforms_as_growing_files() {
    suite::conforms(|| Arc::new(Memory::growing()));
}
