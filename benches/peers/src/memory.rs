//! What this process has in memory, by the kernel's own count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Result;

const PAUSE: Duration = Duration::from_millis(10);

/// A field of `/proc/self/status` that is given in KiB, in bytes.
fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Watches from now until it is told to stop. The kernel keeps the greatest resident set, but not the greatest anonymous
/// part of it, which is therefore looked at every 10 ms.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    anonymous: Arc<AtomicU64>,
    thread: JoinHandle<()>,
    resident_before: u64,
    anonymous_before: u64,
}

/// Bytes above those that the harness itself had before the contestant was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peak {
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
}

impl Watch {
    pub(crate) fn begin() -> Result<Watch> {
        // What was freed since counts no more. Not every system lets a process say so; then the peak includes it.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let resident_before = status("VmRSS").ok_or("/proc/self/status says no VmRSS")?;
        let anonymous_before = status("RssAnon").ok_or("/proc/self/status says no RssAnon")?;
        let stop = Arc::new(AtomicBool::new(false));
        let anonymous = Arc::new(AtomicU64::new(anonymous_before));
        let thread = std::thread::spawn({
            let (stop, anonymous) = (Arc::clone(&stop), Arc::clone(&anonymous));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    anonymous.fetch_max(status("RssAnon").unwrap_or(0), Ordering::Relaxed);
                    std::thread::park_timeout(PAUSE);
                }
            }
        });
        Ok(Watch { stop, anonymous, thread, resident_before, anonymous_before })
    }

    pub(crate) fn end(self) -> Peak {
        self.anonymous.fetch_max(status("RssAnon").unwrap_or(0), Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let _ = self.thread.join();
        Peak {
            resident: status("VmHWM").unwrap_or(0).saturating_sub(self.resident_before),
            anonymous: self.anonymous.load(Ordering::Relaxed).saturating_sub(self.anonymous_before),
        }
    }
}
