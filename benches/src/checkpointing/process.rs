//! What this process takes of memory that is no file's, and of processors.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the body answers, and how much anonymous memory this process had at most while it ran: looked at every
/// millisecond.
pub fn anonymous_peak<T>(body: impl FnOnce() -> T) -> (T, u64) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = anonymous_bytes();
            while !done.load(Ordering::Acquire) {
                most = most.max(anonymous_bytes());
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        });
        let answer = body();
        done.store(true, Ordering::Release);
        (answer, watch.join().expect("a thread that watches"))
    })
}

/// How much there is now, as `/proc` states it; nothing on systems that have none.
pub fn anonymous_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// How much processor time all threads of this process have had so far, as `/proc` states it.
pub fn processor_time() -> Duration {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return Duration::ZERO };
    // Behind the program's name, which may hold anything, user and system time are the 12th and 13th.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let ticks = behind.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    // Hundredths of a second, whatever the kernel counts by.
    Duration::from_millis(10 * ticks.sum::<u64>())
}
