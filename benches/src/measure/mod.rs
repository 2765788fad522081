//! What every harness needs to measure with, those of packages of their own too.

pub mod device;
pub mod histogram;
pub mod machine;
pub mod random;
pub mod statistics;
