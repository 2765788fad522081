//! The log on real file systems, with real kills and real failures.
//!
//! A child ([`child`]) appends and says on its standard error what it does and what it was told. Whatever becomes of
//! it, what it said ([`said`]) is then held against what lies on the disk: every acknowledged record is there, by its
//! handle and in the replay, in order, and behind them nothing but what was handed in and not acknowledged.
//!
//! Some of this needs `strace`, some needs root for mounts. As root where `CI` is `true`, something that is missing is
//! a failure; elsewhere the test says in one line what it lacks, and passes.

mod child;
mod failing;
mod full;
mod image;
mod killed;
mod power;
mod running;
mod said;
mod traced;
mod two;

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hung.
const AT_MOST: Duration = Duration::from_secs(60);

/// Whether a test that needs these programs, and root for mounts, can run here; says why not.
pub(crate) fn can(programs: &[&str], mounts: bool) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let path = env::var_os("PATH").unwrap_or_default();
    let is_here = |program: &str| {
        env::split_paths(&path)
            .chain(["/sbin".into(), "/usr/sbin".into()])
            .any(|dir| dir.join(program).is_file())
    };
    let lacking = programs.iter().find(|program| !is_here(program));
    let why = match lacking {
        Some(program) => format!("{program} is not here"),
        None if mounts && !root => "only root may mount".to_owned(),
        None => return true,
    };
    assert!(!root || env::var("CI").as_deref() != Ok("true"), "in CI nothing is skipped: {why}");
    eprintln!("skipped: {why}");
    false
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < AT_MOST, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
