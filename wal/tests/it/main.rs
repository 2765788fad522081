//! The package's integration tests, in one binary.

mod format;
mod log;
mod simulation;
mod store_local;
mod store_local_faults;
mod store_sim;
