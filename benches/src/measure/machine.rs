//! What a figure says nothing without.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity};

use super::device::Device;

/// The machine and the disk below a folder, a line a fact, for the head of a report.
pub fn describe(device: &Device) -> Vec<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let system = rustix::system::uname();
    vec![
        format!("CPU: {model}, {} cores", cores().len()),
        format!("memory: {} GiB; load when it began: {load}", memory_kib.unwrap_or(0) / (1024 * 1024)),
        format!(
            "kernel: {} {} {}",
            system.sysname().to_string_lossy(),
            system.release().to_string_lossy(),
            system.machine().to_string_lossy()
        ),
        format!("file system: {} ({})", device.file_system, device.mount_options),
        format!("device: {}", device.describe()),
    ]
}

/// The cores that this process may use.
pub fn cores() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}
