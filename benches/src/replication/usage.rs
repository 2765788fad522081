//! What a process has used, by the kernel's own count.

use std::fs;
use std::ops::{Add, Sub};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What a process has used so far; or several, added up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Usage {
    /// User and kernel, all threads together.
    pub(super) cpu: Duration,
    /// What it had the kernel write to files.
    pub(super) disk_bytes: u64,
    /// What was resident at most.
    pub(super) memory_bytes_max: u64,
}

impl Usage {
    /// Of this process.
    pub(super) fn now() -> Usage {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Usage {
            cpu: Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
            disk_bytes: field("/proc/self/io", "write_bytes:").unwrap_or(0),
            memory_bytes_max: field("/proc/self/status", "VmHWM:").unwrap_or(0) * 1024,
        }
    }
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        Usage {
            cpu: self.cpu + other.cpu,
            disk_bytes: self.disk_bytes + other.disk_bytes,
            memory_bytes_max: self.memory_bytes_max + other.memory_bytes_max,
        }
    }
}

/// What came since; what was resident at most stays what it is now.
impl Sub for Usage {
    type Output = Usage;

    fn sub(self, before: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(before.cpu),
            disk_bytes: self.disk_bytes.saturating_sub(before.disk_bytes),
            memory_bytes_max: self.memory_bytes_max,
        }
    }
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_uses_is_seen() {
        let before = Usage::now();
        let memory = vec![1_u8; 32 << 20];
        let sum: u64 = memory.iter().map(|byte| u64::from(*byte)).sum();
        let used = Usage::now() - before;
        assert!(sum > 0 && used.cpu > Duration::ZERO);
        assert!(Usage::now().memory_bytes_max >= 32 << 20);
    }
}
