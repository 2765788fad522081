//! The memory that is no file's.

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
