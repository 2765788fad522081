//! A write-ahead log for received blocks.

mod clock;
mod error;
pub mod format;
mod group;
mod log;
pub mod store;

pub use clock::{Clock, SystemClock, Time};
pub use error::{Error, Kind, Result, Site};
pub use format::{Durability, Handle, Identity, Position, Unsettled};
pub use group::{Appending, Log, Opened, Pinned, Retired, Ticket};
pub use log::{
    Aside, Because, Chain, Compression, Damage, Depth, Follow, Options, Reader, Record, Replay, Segment,
    Survey, Torn, look,
};
