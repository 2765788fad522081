//! A write-ahead log.
mod clock;
mod error;
pub mod format;
pub mod store;
pub use clock::{Clock, SystemClock, Time};
pub use error::{Error, Kind, Result, Site};
pub use format::{Handle, Identity, Position, Unsettled};
/// placeholder
pub struct Log;
impl Log {
    /** placeholder */
    pub fn settle() {}
}
