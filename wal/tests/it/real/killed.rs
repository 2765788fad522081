//! Killed before every system call in turn, killed again while it recovers, and killed at random.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::can;
use super::child::{self, Part};
use super::running::Running;
use super::said::Said;
use super::traced::{self, Call};

/// A whole life and the beginning of the next: several segments, a seal, a retirement, a close.
const LIVES: Part = Part { threads: 0, lives: 2, rounds: 6, retires: true, times: 1 };

/// A short life, for a log that an earlier kill left.
const AGAIN: Part = Part { threads: 0, lives: 1, rounds: 2, retires: true, times: 1 };

/// Names what was going on when a check failed.
fn naming<T>(what: &dyn std::fmt::Debug, check: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        eprintln!("at {what:?}");
        resume_unwind(panic)
    })
}

/// A folder with a place for a log and a file for what is said.
fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn kill_before(call: &Call, part: Part, folder: &Path) -> Said {
    let (place, said) = (folder.join("log"), folder.join("said"));
    let ended = traced::play(part, &place, &said, &call.with("signal=SIGKILL"));
    let said = Said::read(&said);
    assert!(!ended && said.count("end") == 0, "it was killed: {}", said.text);
    said
}

#[test]
fn a_kill_before_any_system_call_loses_nothing_that_was_acknowledged() {
    if !can(&["strace"], false) {
        return;
    }
    let calls = traced::calls(LIVES, &folder().path().join("log"));
    let acked = AtomicU64::new(0);
    traced::each(&calls, |call| {
        naming(call, || {
            let folder = folder();
            let said = kill_before(call, LIVES, folder.path());
            said.agrees_with_log(&folder.path().join("log"));
            acked.fetch_add(said.acked.len() as u64, Ordering::Relaxed);
        });
    });
    let acked = acked.into_inner();
    eprintln!("{} kills, {acked} acknowledged records found again", calls.len());
    assert!(acked > calls.len() as u64, "most kills come after some acknowledgement");
}

#[test]
fn a_kill_before_any_system_call_of_a_recovery_loses_nothing_either() {
    if !can(&["strace"], false) {
        return;
    }
    let firsts = traced::calls(LIVES, &folder().path().join("log"));
    // Spread over the life; what lies between two neighbours is much the same log.
    let spread = firsts.len() / if env::var_os("CI").is_some() { 12 } else { 6 };
    let mut kills = 0;
    for first in firsts.iter().skip(spread / 2).step_by(spread) {
        let killed = folder();
        kill_before(first, LIVES, killed.path());
        let copy = || {
            let copy = folder();
            copy_all(killed.path(), copy.path());
            copy
        };
        let seconds = traced::calls(AGAIN, &copy().path().join("log"));
        traced::each(&seconds, |second| {
            naming(&(first, second), || {
                let copy = copy();
                let said = kill_before(second, AGAIN, copy.path());
                said.agrees_with_log(&copy.path().join("log"));
            });
        });
        kills += seconds.len();
    }
    eprintln!("{kills} second kills");
    assert!(kills > 200, "a recovery has many calls: {kills}");
}

#[test]
fn kills_in_one_recovery_after_the_other_lose_nothing() {
    if !can(&["strace"], false) {
        return;
    }
    let first = traced::calls(LIVES, &folder().path().join("log"));
    let folder = folder();
    kill_before(&first[first.len() * 2 / 5], LIVES, folder.path());
    // Each by its own count, so that the kill falls ever later in the recovery; which is longer each time, since every
    // life leaves a segment or two.
    let names =
        ["pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync", "renameat2", "unlinkat", "ftruncate"];
    let mut kills = 0;
    for name in names {
        for nth in 1..=12 {
            let call = Call { name: name.to_owned(), nth };
            let (place, said) = (folder.path().join("log"), folder.path().join("said"));
            if traced::play(AGAIN, &place, &said, &call.with("signal=SIGKILL")) {
                break;
            }
            kills += 1;
            naming(&call, || Said::read(&said).agrees_with_a_look(&place));
        }
    }
    eprintln!("{kills} kills in a row");
    assert!(kills > 20, "every recovery was killed: {kills}");
    Said::read(&folder.path().join("said")).agrees_with_log(&folder.path().join("log"));
}

/// Threads that append, seal and retire are killed after random times. `HEADWATER_KILLS` says how often,
/// `HEADWATER_SEED` from which seed the times come; when a kill falls between two calls is up to the machine.
#[test]
fn kills_at_random_lose_nothing_that_was_acknowledged() {
    let number = |name: &str, or: u64| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or);
    let kills = number("HEADWATER_KILLS", if env::var_os("CI").is_some() { 300 } else { 60 });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let seed = number("HEADWATER_SEED", u64::from(now));
    let part = Part { threads: 3, lives: 1000, rounds: 12, retires: true, times: 1 };
    let (mut random, mut acked) = (seed, 0);
    let mut folder = folder();
    naming(&format!("HEADWATER_SEED={seed}"), || {
        for kill in 1..=kills {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let delay = Duration::from_micros(5_000 + (random >> 33) % 80_000);
            let (place, said) = (folder.path().join("log"), folder.path().join("said"));
            let running = Running::begin(child::command(part, &place, &said, &[]), &said);
            thread::sleep(delay);
            running.kill();
            let said = Said::read(&said);
            naming(&said.text, || {
                assert!(!said.panicked() && said.count("refused") == 0, "all goes well until it is killed");
                said.agrees_with_a_look(&place);
            });
            if kill % 20 == 0 || kill == kills {
                said.agrees_with_log(&place);
                acked += said.acked.len();
                folder = self::folder();
            }
        }
    });
    eprintln!("{kills} kills at random, {acked} acknowledged records, seed {seed}");
    assert!(acked as u64 > kills, "there was something to lose: {acked}");
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&to).expect("a folder");
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
