//! Checkpoints of a driver's state: what it knew, and the position of its journal from which to replay.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::Checkpoints;
//! use headwater_wal::Position;
//! use headwater_wal::store::Memory;
//!
//! let store = Arc::new(Memory::objects());
//! let mut checkpoints = Checkpoints::open(store.clone(), 1)?;
//! checkpoints.write("state".into(), Position(4096))?;
//!
//! let latest = Checkpoints::open(store, 2)?.latest()?.checkpoint.expect("it was written");
//! assert_eq!((&latest.state[..], latest.journal), (&b"state"[..], Position(4096)));
//! # Ok::<(), headwater_wal::Error>(())
//! ```
//!
//! # Design
//!
//! A checkpoint is one small object, its *head*, put if absent: it is there whole or not at all, and a name is never
//! written twice. Its name is its writer's epoch and a number, so the greatest name is the newest checkpoint, whatever
//! clocks did. Its checksums are seeded with its name, so that a head in a wrong place never verifies. One that does not
//! verify is reported and passed over; what it would have told is in the journal behind the one before it.
//!
//! The state lies in the head. The heads of this version have room for what larger and slower states ask for, which is
//! to follow on this ground:
//!
//! - Sections: large ones in parts beside the head, under names unique to writer and epoch, and sections that have not
//!   changed shared with the checkpoint before.
//! - Following: a head names the one it follows, so that a late head of a replaced writer is told from its heir's.
//! - Keeping the last so many, and removing the others once nothing needs them.
//! - The journal itself (tracker and ledger), and resuming from both.

mod checkpoints;
mod head;
pub mod journal;

pub use checkpoints::{Checkpoint, Checkpoints, Id, Latest};
pub use head::STATE_BYTES_MAX;
