//! Logs on object stores, without a server: on the stores in memory and on disk that the crate beneath brings.

mod bucket;
mod failing;
mod faulty;
mod log;
#[cfg(any(feature = "gcs", feature = "azure"))]
mod others;
mod probing;
#[cfg(feature = "s3")]
mod server;
#[cfg(feature = "s3")]
mod urls;

use std::sync::Arc;

use headwater_wal::store::object::Bucket;
use object_store::memory::InMemory;

/// A bucket in memory, and the store beneath.
fn in_memory(prefix: &str) -> (Bucket, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    (Bucket::new(store.clone(), prefix).unwrap(), store)
}
