//! Tests of the checks and of `wal-inspect`, on real logs and checkpoints that were damaged in named ways.

mod check;
#[cfg(unix)]
mod checkpoints;
#[cfg(all(unix, feature = "cli"))]
mod checkpoints_program;
#[cfg(all(unix, feature = "cli"))]
mod counted;
#[cfg(unix)]
mod damage;
#[cfg(unix)]
mod damage_checkpoints;
#[cfg(unix)]
mod damage_names;
#[cfg(unix)]
mod damage_roots;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod golden;
#[cfg(all(unix, feature = "cli"))]
mod hostile;
#[cfg(unix)]
mod journal;
#[cfg(all(unix, feature = "cli"))]
mod journal_program;
#[cfg(unix)]
mod journal_root;
#[cfg(all(unix, feature = "cli"))]
mod listing;
#[cfg(unix)]
mod load;
#[cfg(unix)]
mod mended;
#[cfg(all(unix, feature = "cli"))]
mod pages;
#[cfg(all(unix, feature = "cli"))]
mod probe;
#[cfg(feature = "cli")]
mod program;
#[cfg(all(unix, feature = "cli"))]
mod read_only;
mod repair;
#[cfg(unix)]
mod root;
mod specimen;
#[cfg(unix)]
mod swept;
#[cfg(all(unix, feature = "cli"))]
mod terminal;
#[cfg(all(unix, feature = "cli"))]
mod timeline;
#[cfg(all(unix, feature = "cli"))]
mod verbs;
