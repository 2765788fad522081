//! Looks into a driver's journal, and checks it against the receivers' logs and the checkpoints of its root.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::journal::{BatchId, Journal, State, Wanted};
//! use headwater_fsck::journal::{self, Seen};
//! use headwater_wal::store::{Memory, Store};
//! use headwater_wal::{Log, Options, Position};
//!
//! # fn main() -> headwater_wal::Result<()> {
//! let store: Arc<dyn Store> = Arc::new(Memory::growing());
//! let log = Log::open(store.clone(), Options::default())?.start(Position::START)?;
//! let driver = Journal::start(log, State::default(), Position::START)?;
//! let _ = driver.allot(Wanted::all(BatchId(1)))?;
//!
//! let journal = journal::Journal::alone(store)?;
//! let mut reading = journal.read(Position::START)?;
//! let Some(Seen::Event(entry)) = reading.next().transpose()? else { panic!("it has one event") };
//! assert_eq!(entry.number, 0);
//! assert!(reading.next().is_none());
//! assert_eq!(reading.state().expect("from the beginning").events(), 1);
//! # Ok(())
//! # }
//! ```

mod check;
mod explain;
mod find;
mod findings;
mod kept;
mod reading;
mod received;
mod report;

pub use check::check;
pub use explain::{Explanation, explain};
pub use find::{FOLDER, Holds, is_below, none, what_is_here};
pub use kept::{Kept, Said};
pub use reading::{Entry, Journal, Reading, Seen};
pub use report::{CheckedLog, Report};
