//! A part of a test that runs in a process of its own: to be measured, or killed.

use std::env;
use std::process::{Child, Command, Stdio};

const PART: &str = "HEADWATER_STORES_PART";

/// Begins an ignored test of this binary in a process of its own, with what it is to know.
pub(crate) fn begin(test: &str, part: &str) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]).env(PART, part);
    command.stdin(Stdio::null()).spawn().expect("it starts")
}

/// Runs it to its end.
pub(crate) fn run(test: &str, part: &str) {
    assert!(begin(test, part).wait().expect("it ends").success(), "the part in a process of its own failed");
}

/// In such a process: what it is to know.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}
