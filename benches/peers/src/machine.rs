//! What a figure says nothing without.

use std::fs;

use crate::Result;
use crate::args::Args;
use crate::device::Device;
use crate::pin;

/// The head of a report, a line a fact.
pub(crate) fn describe(args: &Args, device: &Device) -> Result<Vec<String>> {
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
    let cores = pin::allowed()?;
    let producers = if args.pin && cores.len() > 1 {
        format!(
            "producers on cores {:?}, core {} left to writers",
            &cores[..cores.len() - 1],
            cores[cores.len() - 1]
        )
    } else {
        "producers on every core".into()
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    Ok(vec![
        format!("CPU: {model}, {} cores; {producers}", cores.len()),
        format!("memory: {} GiB; load when it began: {load}", memory_kib.unwrap_or(0) / (1024 * 1024)),
        format!(
            "kernel: {} {} {}",
            system.sysname().to_string_lossy(),
            system.release().to_string_lossy(),
            system.machine().to_string_lossy()
        ),
        format!("file system: {} ({})", device.file_system, device.mount_options),
        format!("device: {}", device.describe()),
        format!("command: headwater-peers {}", words.join(" ")),
        format!(
            "rounds {}, seconds {}, replayed logs {} MiB, order by seed {}",
            args.rounds, args.seconds, args.log_mib, args.seed
        ),
    ])
}
