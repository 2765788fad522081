//! Tests of the checks and of `wal-inspect`, on real logs and checkpoints that were damaged in named ways.

mod check;
#[cfg(unix)]
mod checkpoints;
#[cfg(all(unix, feature = "cli"))]
mod checkpoints_program;
#[cfg(unix)]
mod damage;
#[cfg(unix)]
mod folder;
#[cfg(feature = "cli")]
mod hostile;
#[cfg(unix)]
mod journal;
#[cfg(all(unix, feature = "cli"))]
mod journal_program;
#[cfg(unix)]
mod journal_root;
#[cfg(unix)]
mod load;
#[cfg(unix)]
mod mended;
#[cfg(all(unix, feature = "cli"))]
mod probe;
#[cfg(feature = "cli")]
mod program;
mod repair;
mod specimen;
#[cfg(unix)]
mod swept;
