//! A write-ahead log for received blocks: what was acknowledged is found again, and what is found is what was appended.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_wal::store::Memory;
//! use headwater_wal::{Log, Options, Position, Time};
//!
//! # fn main() -> headwater_wal::Result<()> {
//! let store = Arc::new(Memory::growing()); // or `Local::open(directory)?`
//! let opened = Log::open(store, Options::default())?; // looks, and changes nothing
//! println!("{}", opened.survey());
//! let log = opened.start(Position::START)?; // takes over, decides where the log ends, begins an epoch
//!
//! let handle = log.append(Time(1), "a block")?.wait()?; // durable when it answers
//! assert_eq!(log.read(&handle)?.payload, "a block");
//! for record in log.replay(Position::START)? {
//!     assert_eq!(record?.handle, handle);
//! }
//! log.close()
//! # }
//! ```
//!
//! # Where what is
//!
//! - [`Log`] is the started log, [`Opened`] what it is before, [`Ticket`] the answer to an append.
//! - [`Reader`] reads from other processes, by [`Handle`] or following; [`look`] says what a log looks like without
//!   opening it.
//! - [`Options`] are the choices; [`Durability`] is the one that cannot be taken back.
//! - [`Survey`] is what opening found: the [`Chain`] of segments, where it ends, and what that end means. [`Torn`] is a
//!   tail that a crash explains, [`Damage`] what no crash explains.
//! - [`store`] is what a log lies on: [`Local`](store::Local) disk, [`Memory`](store::Memory), an object store by its URL
//!   ([`store::open`]) or handed in, or a medium of your own.
//! - [`format`](mod@format) states every byte; [`Error`] and [`Kind`] say what a caller can do.
//!
//! Features: `zstd` (default) compresses payloads; `serde` lets handles, positions and times travel; `object` brings logs on
//! object stores that are handed in, and `s3`, `gcs` and `azure` those of the clouds by URL; `sim` brings the simulated
//! device, the conformance suite for media, and the stepped log, for tests.

mod clock;
mod error;
pub mod format;
mod group;
mod log;
pub mod receiver;
pub mod store;

pub use clock::{Clock, SystemClock, Time};
pub use error::{Error, Kind, Result, Site};
pub use format::{Durability, Handle, Identity, Position, Unsettled};
pub use group::{Appending, Log, Opened, Pinned, Retired, Ticket};
pub use log::{
    Aside, Because, Chain, Compression, Damage, Depth, Follow, Options, Reader, Record, Replay, Segment,
    Survey, Torn, look,
};
