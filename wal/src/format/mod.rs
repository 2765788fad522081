//! Floor 1: the bytes.
pub mod frame;
pub mod handle;
pub use handle::{HANDLE_BYTES, Handle, Identity, Position, Unsettled};
