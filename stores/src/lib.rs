//! Headwater's log on servers that people run, and what is needed to try it: a proxy that does to requests what networks
//! do, a plain server in memory, and where the servers of this machine are.

pub mod cluster;
pub mod http;
pub mod plain;
pub mod proxy;
pub mod servers;

pub use headwater_wal::store::open;
