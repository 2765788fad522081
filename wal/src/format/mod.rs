//! Floor 1: the bytes.
#![allow(missing_docs)]
pub mod codec;
pub mod footer;
pub mod frame;
pub mod group;
pub mod handle;
pub mod header;
pub mod judge;
pub mod name;
pub mod outline;
pub mod scan;
pub mod seed;
pub mod totals;
pub use handle::{HANDLE_BYTES, Handle, Identity, Position, Unsettled};
pub use header::Durability;
