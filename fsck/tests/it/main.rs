//! Tests of the checks and of `wal-inspect`, on real logs and checkpoints that were damaged in named ways.

mod check;
#[cfg(unix)]
mod checkpoints;
#[cfg(all(unix, feature = "cli"))]
mod checkpoints_program;
#[cfg(unix)]
mod folder;
#[cfg(feature = "cli")]
mod hostile;
#[cfg(feature = "cli")]
mod program;
mod specimen;
