//! Received blocks kept in the memory of several processes instead of in a log: the other side of the guarantee table,
//! and what the log is measured against.
//!
//! It does what block replication does inside Spark, and keeps to what is good for it: a process keeps blocks in a
//! bounded [`Memory`] and serves it to others as a [`Peer`]; a receiver hands its blocks to [`Blocks`], which keeps one
//! copy in the memory of its own process and sends the others to peers, and a [`Ticket`] answers when the copies are
//! there. The factor counts all copies: with 1 a block lies in the receiver's own memory only, with 2 on one peer too.
//!
//! - Many blocks are on their way at once; a connection's answers come in order, and so do those of the tickets,
//!   whatever became of single peers.
//! - A peer that is gone, says nonsense or does not answer in time is not asked again, and blocks that it had not
//!   answered go to the next one of the list. One that is full is passed over for that block. Where no peer is left,
//!   [`Need`] says whether fewer copies are an error or only stated.
//! - Copies that went with a peer are not made again from those that are left.
//! - A block that was not acknowledged may be found all the same: with whom it had reached.
//! - All copies are memory. With the last process that has one the block is lost, and nothing that is left knows that it
//!   was: reading says that a peer is gone, or gives what the others have. That is the point of comparing.
//! - Nobody is fenced: an `owner` that comes back must come under another number.

mod blocks;
mod incoming;
mod link;
mod memory;
mod peer;
mod placing;
mod reading;
mod spare;
mod ticket;
mod wire;

pub use blocks::{Blocks, Need, Options};
pub use memory::Memory;
pub use peer::Peer;
pub use reading::{Read, forget, read};
pub use ticket::{Copies, Ticket};
