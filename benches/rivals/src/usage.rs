//! What this process and those that it started have used, by the kernel's own count.

use std::fs;

/// A process, which its number alone does not name for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    parent: u32,
    began: u64,
    /// Ticks of the processors, also of children that have ended.
    ticks: u64,
}

/// So many make a second, on every Linux that there is.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// None if it is gone.
    fn of(pid: u32) -> Option<Process> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number)?.parse::<u64>().ok();
        let ticks = field(11)? + field(12)? + field(13)? + field(14)?;
        Some(Process { pid, parent: field(1)? as u32, began: field(19)?, ticks })
    }

    /// Whether it lives.
    pub(crate) fn lives(&self) -> bool {
        Process::of(self.pid).is_some_and(|now| now.began == self.began)
    }
}

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<Process> {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<Process> = pids.filter_map(Process::of).collect();
    let mut tree: Vec<Process> = all.iter().filter(|process| process.pid == root).copied().collect();
    let mut at = 0;
    while let Some(parent) = tree.get(at).map(|process| process.pid) {
        tree.extend(all.iter().filter(|process| process.parent == parent));
        at += 1;
    }
    tree
}

/// What a tree has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) disk_bytes: u64,
    pub(crate) memory_bytes_max: u64,
    /// What went over loopback, with all headers, of whomever it was.
    pub(crate) loopback_bytes: u64,
}

impl Usage {
    /// Of this process and all below it.
    pub(crate) fn now() -> Usage {
        let tree = tree(std::process::id());
        let sum = |file: &str, name: &str| -> u64 {
            tree.iter().filter_map(|process| field(&format!("/proc/{}/{file}", process.pid), name)).sum()
        };
        Usage {
            cpu_seconds: tree.iter().map(|process| process.ticks).sum::<u64>() as f64 / TICKS_PER_SECOND,
            disk_bytes: sum("io", "write_bytes:"),
            memory_bytes_max: sum("status", "VmHWM:") * 1024,
            loopback_bytes: loopback_bytes().unwrap_or(0),
        }
    }

    /// What came since; what was resident at most stays what it is now.
    pub(crate) fn since(self, before: Usage) -> Usage {
        Usage {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            disk_bytes: self.disk_bytes.saturating_sub(before.disk_bytes),
            memory_bytes_max: self.memory_bytes_max,
            loopback_bytes: self.loopback_bytes.saturating_sub(before.loopback_bytes),
        }
    }
}

/// What was most until now is forgotten, so that a shape does not pay for those before.
pub(crate) fn forget_most_memory() {
    for process in tree(std::process::id()) {
        // A kernel without this keeps what was most before, which is too much and not too little.
        let _ = fs::write(format!("/proc/{}/clear_refs", process.pid), "5");
    }
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn loopback_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/dev").ok()?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_counts_as_long_as_it_lives_and_after() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let seen = tree(std::process::id());
        let process = *seen.iter().find(|process| process.pid == child.id()).unwrap();
        assert!(process.lives());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.lives());
        let before = Usage::now();
        std::hint::black_box((0..20_000_000_u64).map(std::hint::black_box).sum::<u64>());
        let used = Usage::now().since(before);
        assert!(used.cpu_seconds > 0.0 && used.memory_bytes_max > 1 << 20);
    }
}
