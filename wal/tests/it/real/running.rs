//! A process that a test has begun, and that does not outlive it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::said::Said;
use super::wait_until;

/// A child that lives until it ends, is killed, or its test ends in whatever way.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    said: PathBuf,
}

impl Running {
    pub(super) fn begin(mut command: Command, said: &Path) -> Running {
        Running { child: command.spawn().expect("a child"), said: said.into() }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far, in all its runs.
    pub(super) fn said(&self) -> Said {
        Said::read(&self.said)
    }

    /// Waits until what it has said is so.
    pub(super) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&Said) -> bool) {
        wait_until(what, || {
            let ended = self.child.try_wait().expect("a child").is_some();
            let is_so = is_so(&self.said());
            assert!(is_so || !ended, "the child ended before: {what}: {}", self.said().text);
            is_so
        });
    }

    /// Sends it a signal by name.
    pub(super) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "the signal was sent: {name}");
    }

    pub(super) fn kill(mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    /// Waits until it ends by itself or is killed from elsewhere; whether that was well.
    pub(super) fn end(mut self) -> bool {
        let mut ended = None;
        wait_until("the child ends", || {
            ended = self.child.try_wait().expect("a child");
            ended.is_some()
        });
        ended.is_some_and(|status| status.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A tracer that is killed lets what it traced go on.
        let children = format!("/proc/{pid}/task/{pid}/children", pid = self.pid());
        for traced in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
            let _ = Command::new("kill").args(["-s", "KILL", traced]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
