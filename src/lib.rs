//! Headwater: the place where a stream can always start again.
//!
//! A storage engine that a streaming runtime embeds so that no input is lost. This package is its face: one dependency
//! gives a runtime everything. See the README for what there is today, what it promises, and where its promises end.
//!
//! # Where to begin
//!
//! 1. [`Log::open`] looks at a log in a [store](store::Store) and changes nothing; [`Opened::survey`] says what it found.
//! 2. [`Opened::start`] takes the log over, decides where it ends, and begins an epoch.
//! 3. [`Log::append`] returns a [`Ticket`]; once that answers `Ok`, the record is durable and its [`Handle`] finds it
//!    for as long as it is not retired: through [`Log::read`], or in any other process through a [`Reader`].
//! 4. [`Log::replay`] gives back everything that is kept, oldest first.
//! 5. [`Log::retire_before`] removes whole old segments, never past a [pin](Log::pin).
//! 6. [`Log::close`] drains, seals, and gives the place up.
//!
//! A driver stands on that: [`resume::get_or_create`](checkpoint::resume::get_or_create) starts it on its root, wherever
//! the one before it ended; [`checkpoint`] writes and finds checkpoints, and [`checkpoint::journal`] is its memory. A
//! [`Receiver`](receiver::Receiver) cuts and logs blocks, and reports them to the driver, in its process or from another
//! one: [`checkpoint::receive`]. Batches publish to a [`checkpoint::sink`]. The README has all of that in one program.
//!
//! Every [`Error`] has a [`Kind`] that says what the caller can do about it.
//!
//! `cargo run --release --example zero_loss` kills receivers and driver for half a minute, and proves that nothing is
//! missing. `cargo run --release --example quickstart` shows a log alone, a `kill -9` included.

#[doc(inline)]
pub use headwater_wal::*;

pub use headwater_checkpoint as checkpoint;
pub use headwater_fsck as fsck;

/// The README's code, compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
