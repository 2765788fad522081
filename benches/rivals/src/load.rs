//! How blocks come, and how long each took.

use std::time::{Duration, Instant};

use headwater_benches::replication::line::Latency;

use crate::Result;

/// What a system is asked to take. Loops are closed: a block is handed in when an earlier one was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Each has a log, a connection or a job of its own.
    pub(crate) receivers: u64,
    pub(crate) block_bytes: u64,
    /// Of each receiver.
    pub(crate) outstanding: u64,
}

/// So many bytes of blocks a receiver keeps, before its oldest are written over or retired, as a runtime does whose batches
/// are done; `headwater-benches replication` keeps the same.
pub(crate) const KEPT_BYTES: u64 = 32 << 20;

/// As many as `headwater-benches replication` has outstanding by its `full`.
pub(crate) fn full(block_bytes: u64) -> u64 {
    ((8 << 20) / block_bytes).clamp(2, 1024)
}

/// What came of a shape.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) blocks: u64,
    pub(crate) seconds: f64,
    pub(crate) latency: Latency,
}

/// Runs a body in so many threads until the same moment. Each is given its number, that moment, and where it notes how
/// long each block took.
pub(crate) fn in_threads(
    threads: u64,
    lasts: Duration,
    body: impl Fn(u64, Instant, &mut Vec<Duration>) -> Result<()> + Sync,
) -> Result<Outcome> {
    let began = Instant::now();
    let end = began + lasts;
    let mut took = std::thread::scope(|scope| {
        let one = |number| {
            let mut took = Vec::with_capacity(1 << 16);
            body(number, end, &mut took).map(|()| took)
        };
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || one(number))).collect();
        let joined = running.into_iter().map(|thread| thread.join().map_err(|_| "a thread has panicked")?);
        joined.collect::<Result<Vec<_>>>().map(|took| took.concat())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |quantile: f64| {
        let rank = (quantile * took.len() as f64).ceil() as usize;
        took.get(rank.saturating_sub(1)).map_or(0.0, |took| took.as_secs_f64() * 1e6)
    };
    let latency = Latency { p50: at(0.5), p99: at(0.99), p99_9: at(0.999) };
    Ok(Outcome { blocks: took.len() as u64, seconds, latency })
}

/// Bytes that nothing makes shorter, always the same.
pub(crate) fn noise(bytes: u64) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_run_until_the_same_moment_and_every_block_counts() {
        let outcome = in_threads(3, Duration::from_millis(30), |number, end, took| {
            while Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
                took.push(Duration::from_millis(1 + number));
            }
            Ok(())
        })
        .unwrap();
        assert!(outcome.blocks >= 6 && outcome.seconds >= 0.03);
        assert!(outcome.latency.p50 >= 1000.0 && (outcome.latency.p99_9 - 3000.0).abs() < 1.0);
        assert!(in_threads(1, Duration::ZERO, |_, _, _| Err("no".into())).is_err());
    }

    #[test]
    fn eight_mebibytes_are_outstanding_from_2_to_1024_blocks() {
        assert_eq!([1 << 10, 64 << 10, 1 << 20, 16 << 20].map(full), [1024, 128, 8, 2]);
    }
}
