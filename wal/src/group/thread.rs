//! Threads, and the clock by which callers wait: the machine's, or those of a scheduler that tries every order (`races`).

#[cfg(shuttle)]
pub(super) use parking_lot::thread::{Builder, Instant, JoinHandle, Thread, current, park, park_timeout};
#[cfg(not(shuttle))]
pub(super) use std::thread::{Builder, JoinHandle, Thread, current, park, park_timeout};
#[cfg(not(shuttle))]
pub(super) use std::time::Instant;
