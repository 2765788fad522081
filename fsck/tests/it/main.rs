//! Tests of the checks and of `wal-inspect`, on real logs that were damaged in named ways.

mod check;
#[cfg(feature = "cli")]
mod hostile;
#[cfg(feature = "cli")]
mod program;
mod specimen;
