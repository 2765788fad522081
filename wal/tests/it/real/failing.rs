//! System calls that fail, once and for good: nothing more is acknowledged, every ticket answers, and the next started
//! log settles what is in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

use tempfile::TempDir;

use super::can;
use super::child::Part;
use super::said::Said;
use super::traced;

/// Plays a part with a fault, holds it against the promises, and counts what was answered.
fn fail(part: Part, fault: &str, answers: &Mutex<BTreeMap<String, usize>>) {
    let folder = TempDir::new().expect("a folder");
    let (place, said) = (folder.path().join("log"), folder.path().join("said"));
    let ended = traced::play(part, &place, &said, fault);
    let said = Said::read(&said);
    let held = catch_unwind(AssertUnwindSafe(|| {
        assert!(ended && said.count("end") == 1 && !said.panicked(), "it lives on");
        nothing_is_acknowledged_after_a_failure(&said);
        for line in said.text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let answer = match words[0] {
                // A log that was hurt is never called damaged, full, or somebody else's.
                "refused" | "after" => {
                    assert!(["Closed", "Unavailable", "Unknown"].contains(&words[1]), "{line}");
                    words[..2].join(" ")
                }
                "unknown" | "settled" | "gone" => words[0].to_owned(),
                _ => continue,
            };
            *answers.lock().expect("a count").entry(answer).or_default() += 1;
        }
        said.agrees_with_log(&place);
    }));
    held.unwrap_or_else(|panic| {
        eprintln!("at {fault}: {}", said.text);
        resume_unwind(panic)
    });
}

/// Of each thread in each life: once an append has failed, no later one is acknowledged.
fn nothing_is_acknowledged_after_a_failure(said: &Said) {
    let mut failed = BTreeSet::new();
    for line in said.text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "started" => failed.clear(),
            "unknown" => {
                failed.insert(words[1]);
            }
            "ack" => assert!(!failed.contains(words[1]), "acknowledged after a failure: {line}"),
            _ => {}
        }
    }
}

#[test]
fn after_a_call_that_fails_nothing_more_is_acknowledged_and_reopening_settles() {
    if !can(&["strace"], false) {
        return;
    }
    let part = Part { threads: 0, lives: 3, rounds: 4, retires: true, times: 1 };
    let folder = TempDir::new().expect("a folder");
    let calls = traced::calls(part, &folder.path().join("log"));
    let answers = Mutex::default();
    let faults: Vec<String> =
        calls.iter().flat_map(|call| [call.with("error=EIO"), call.and_all_later("error=EIO")]).collect();
    traced::each(&faults, |fault| fail(part, fault, &answers));
    let answers = answers.into_inner().expect("counts");
    eprintln!("{} faults: {answers:?}", faults.len());
    let count = |answer: &str| answers.get(answer).copied().unwrap_or(0);
    // Past the page cache a write that fails leaves nothing; through it, its bytes are there.
    for counted in [count("unknown"), count("settled") + count("gone"), count("after Closed")] {
        assert!(counted > 5, "{answers:?}");
    }
}

#[test]
fn threads_that_append_while_a_call_fails_are_all_answered() {
    if !can(&["strace"], false) {
        return;
    }
    let part = Part { threads: 3, lives: 3, rounds: 5, retires: true, times: 1 };
    let mut faults = Vec::new();
    for name in ["fdatasync", "pwritev", "pwritev2", "fsync", "pwrite64", "renameat2"] {
        for nth in [1, 2, 3, 5, 8, 12] {
            faults.extend(["", "+"].map(|later| format!("{name}:error=EIO:when={nth}{later}")));
        }
    }
    let answers = Mutex::default();
    traced::each(&faults, |fault| fail(part, fault, &answers));
    let answers = answers.into_inner().expect("counts");
    eprintln!("{} faults among threads: {answers:?}", faults.len());
    assert!(answers.get("unknown").is_some_and(|&count| count > 5), "{answers:?}");
}
