//! A child under `strace`, which kills it before one of its system calls, or answers one with an error.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use tempfile::TempDir;

use super::child::{self, BEGINS, Part};
use super::running::Running;

/// Calls before which a kill is a kill before the next call that changes something: they only look, or concern memory,
/// threads, time, or what the child says.
const CHANGE_NOTHING: &[&str] = &[
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "dup",
    "exit",
    "exit_group",
    "fcntl",
    "fstat",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getrandom",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "newfstatat",
    "poll",
    "pread64",
    "read",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "sched_yield",
    "sigaltstack",
    "stat",
    "statx",
    "write",
];

/// One system call of a part: its name, and the how-manieth of that name in its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) nth: u64,
}

impl Call {
    /// The words that tell `strace` to meddle with it.
    pub(super) fn with(&self, fault: &str) -> String {
        format!("{}:{fault}:when={}", self.name, self.nth)
    }

    pub(super) fn and_all_later(&self, fault: &str) -> String {
        format!("{}:{fault}:when={}+", self.name, self.nth)
    }
}

/// Every system call by which a part changes something, in order; the part is played once at `place` to see.
pub(super) fn calls(part: Part, place: &Path) -> Vec<Call> {
    let folder = TempDir::new().expect("a folder");
    let (trace, said) = (folder.path().join("trace"), folder.path().join("said"));
    let wrapper = ["strace", "-f", "-qq", "-e", "signal=none", "-o"].map(str::to_owned);
    let wrapper: Vec<String> = wrapper.into_iter().chain([trace.display().to_string()]).collect();
    assert!(Running::begin(child::command(part, place, &said, &wrapper), &said).end(), "it ends well");
    let trace = fs::read_to_string(trace).expect("a trace");
    // `PID NAME(ARGUMENTS...`
    let lines =
        || trace.lines().filter_map(|line| line.split_once(' ')).map(|(pid, call)| (pid, call.trim_start()));
    let player = lines().find(|(_, call)| call.contains(BEGINS)).expect("the part begins").0;
    let (mut begun, mut counts, mut calls) = (false, HashMap::new(), Vec::new());
    for (pid, call) in lines() {
        let Some((name, arguments)) = call.split_once('(') else { continue };
        let nth = counts.entry((pid, name)).or_insert(0);
        *nth += 1;
        if pid != player {
            continue;
        }
        let opens = ["open", "openat"].contains(&name) && !arguments.contains("O_CREAT");
        let looks = opens || CHANGE_NOTHING.contains(&name);
        if begun && !looks {
            calls.push(Call { name: name.to_owned(), nth: *nth });
        }
        begun |= call.contains(BEGINS);
    }
    assert!(calls.len() > 20, "a part does something: {calls:?}");
    // Calls are counted in each thread apart: the test harness's own must not get so far first.
    for call in &calls {
        let others = counts.iter().filter(|((pid, name), _)| *pid != player && *name == call.name);
        others.for_each(|(_, count)| assert!(*count < call.nth, "{call:?} is met in the harness"));
    }
    calls
}

/// Plays a part with one fault; whether the child ended by itself.
pub(super) fn play(part: Part, place: &Path, said: &Path, fault: &str) -> bool {
    let name = fault.split(':').next().unwrap_or_default();
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none"];
    let faults = ["-e".to_owned(), format!("trace={name}"), "-e".to_owned(), format!("inject={fault}")];
    let wrapper: Vec<String> = words.into_iter().map(str::to_owned).chain(faults).collect();
    Running::begin(child::command(part, place, said, &wrapper), said).end()
}

/// Calls `visit` with each item, a few at once: most of the time goes by in waiting.
pub(super) fn each<T: Sync>(items: &[T], visit: impl Fn(&T) + Sync) {
    let next = Mutex::new(items.iter());
    let take = || next.lock().expect("nobody panics with it").next();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(item) = take() {
                    visit(item);
                }
            });
        }
    });
}
