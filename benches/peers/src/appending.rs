//! Cases that append, and whether what they appended can be as durable as they say.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::case::Figures;
use crate::contestant::{self, Appends, Setup};
use crate::memory::Watch;
use crate::run::Job;
use crate::window::{Window, remembered, timed};
use crate::worker::{Done, Worker};
use crate::workload::{Durability, Kind, Workload};
use crate::{Result, pin};
use headwater_benches::measure::histogram::Histogram;

/// What one case may write: what comes faster than that ends early, and the rate is as good.
const BYTES_MAX: u64 = 3 * 1024 * 1024 * 1024;

/// Every thread appends until it is time to stop. What a log only makes when it is first used belongs to its opening.
pub(crate) fn append(job: &Job, workload: &Workload, setup: &Setup) -> Result<Figures> {
    let watch = Watch::begin()?;
    let opening = Instant::now();
    let appends = contestant::appends(&job.contestant, setup)?;
    appends.append(0, setup.payloads.of(0))?;
    let open_seconds = opening.elapsed().as_secs_f64();
    let syncs_before = appends.syncs().unwrap_or(0);
    let barrier = Barrier::new(setup.threads + 1);
    let (done, figures) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..setup.threads)
            .map(|thread| {
                let (appends, barrier) = (&*appends, &barrier);
                scope.spawn(move || one_thread(job, workload, setup, appends, barrier, thread))
            })
            .collect();
        let window = Window::open(&job.dir);
        barrier.wait();
        let done: Result<Vec<Done>> = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| "an appending thread panicked")?)
            .collect();
        window.map(|window| (done, window.close()))
    })?;
    let mut latencies = Histogram::new();
    let mut operations = 0;
    for done in done? {
        operations += done.operations;
        latencies.add(&done.latencies);
    }
    let syncs = appends.syncs().map(|syncs| syncs - syncs_before);
    let mut figures = timed(figures, &latencies);
    figures.syncs = syncs;
    figures.open_seconds = open_seconds;
    figures.operations = operations;
    figures.bytes = operations * setup.record_bytes as u64;
    if workload.kind == Kind::Append(Durability::Power) {
        let outstanding = workload.outstanding(&job.contestant) as u64;
        figures.flags.extend(too_few(operations, syncs, outstanding, "syncs"));
        figures.flags.extend(too_few(operations, figures.flushes, outstanding, "device flushes"));
        figures.flags.extend(too_little(figures.bytes, figures.device_written_bytes));
    }
    Ok(remembered(figures, watch))
}

fn one_thread(
    job: &Job,
    workload: &Workload,
    setup: &Setup,
    appends: &dyn Appends,
    barrier: &Barrier,
    thread: usize,
) -> Result<Done> {
    let pinned = if job.pin { pin::leave_a_core() } else { Ok(()) };
    // Whatever went wrong, the others wait here.
    barrier.wait();
    pinned?;
    let records_max = BYTES_MAX / setup.record_bytes as u64 / setup.threads as u64;
    let timed_every = if workload.kind == Kind::Append(Durability::Power) { 1 } else { 16 };
    let during = Duration::from_secs_f64(job.seconds);
    let mut worker = Worker::new(thread, &setup.payloads, during, records_max, timed_every);
    appends.run(&mut worker)?;
    Ok(worker.done())
}

/// A sync or a flush makes durable what is outstanding, at most one record a thread: more records than that are not
/// durable, whatever anybody says. A twentieth is for what ends outside the window.
fn too_few(operations: u64, count: Option<u64>, outstanding: u64, what: &str) -> Option<String> {
    let count = count?;
    let possible = (count + 1) * outstanding;
    (operations > possible + possible / 20)
        .then(|| format!("NOT DURABLE: {count} {what} for {operations} records"))
}

/// What the device was not given, it cannot have kept. Others who write meanwhile can hide it, but not make it up.
fn too_little(bytes: u64, written: Option<u64>) -> Option<String> {
    let written = written?;
    (written < bytes / 20 * 19)
        .then(|| format!("NOT DURABLE: the device was given {written} of {bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_records_than_syncs_and_threads_can_make_durable_are_not_durable() {
        assert_eq!(too_few(1000, None, 1, "syncs"), None);
        assert_eq!(too_few(1000, Some(1000), 1, "syncs"), None);
        assert_eq!(too_few(64_000, Some(1000), 64, "syncs"), None);
        assert!(too_few(1000, Some(900), 1, "syncs").is_some());
        assert!(too_few(64_000, Some(900), 64, "syncs").is_some());
        assert!(too_few(1000, Some(0), 16, "device flushes").is_some());
        assert_eq!(too_little(1000, Some(1000)), None);
        assert!(too_little(1000, Some(900)).is_some());
    }
}
