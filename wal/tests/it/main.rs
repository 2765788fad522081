//! The package's integration tests, in one binary.

mod ahead;
mod every_byte;
mod fetching;
mod floors;
mod format;
mod histories;
mod incidents;
mod log;
mod object;
mod real;
mod receiver;
mod recycled;
mod reserve;
mod rules;
mod settled;
mod simulation;
mod store_local;
mod store_local_faults;
mod store_sim;
mod summaries;
mod tickets;
