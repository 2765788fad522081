//! Cases that replay and read logs which an earlier process has filled.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Result;
use crate::case::Figures;
use crate::contestant::{self, Seen, Setup};
use crate::memory::Watch;
use crate::run::Job;
use crate::window::{Window, remembered, timed};
use headwater_benches::measure::histogram::Histogram;
use headwater_benches::measure::random::Random;

/// Replays the whole log over and over until it is time to stop; once, if it is cold. The log is open before; who reads
/// its log to open it opens it every time.
pub(crate) fn replay(job: &Job, setup: &Setup, cold: bool) -> Result<Figures> {
    let log_bytes = job.log_records * setup.record_bytes as u64;
    files(&job.dir, &mut warm)?;
    let watch = Watch::begin()?;
    let opening = Instant::now();
    let mut replays = contestant::replays(&job.contestant, setup)?;
    let open_seconds = opening.elapsed().as_secs_f64();
    if cold {
        files(&job.dir, &mut drop_from_cache)?;
    }
    let window = Window::open(&job.dir)?;
    let mut passes = 0;
    let deadline = Instant::now() + Duration::from_secs_f64(job.seconds);
    while passes == 0 || (!cold && Instant::now() < deadline) {
        let seen = replays.replay(Seen::new(&setup.payloads))?;
        if seen.records != job.log_records {
            return Err(format!("replayed {} records of {}", seen.records, job.log_records).into());
        }
        passes += 1;
    }
    let mut figures = window.close();
    figures.operations = passes * job.log_records;
    figures.bytes = passes * log_bytes;
    figures.open_seconds = open_seconds;
    if let Some(read) = figures.device_read_bytes.filter(|read| cold && *read < log_bytes / 10 * 9) {
        figures.flags.push(format!("NOT COLD: the device read {} of {} KiB", read / 1024, log_bytes / 1024));
    }
    Ok(remembered(figures, watch))
}

/// Reads at random until it is time to stop.
pub(crate) fn read(job: &Job, setup: &Setup) -> Result<Figures> {
    files(&job.dir, &mut warm)?;
    let watch = Watch::begin()?;
    let opening = Instant::now();
    let mut reads = contestant::reads(&job.contestant, setup)?;
    let open_seconds = opening.elapsed().as_secs_f64();
    let mut random = Random::new(job.seed);
    let mut numbers = vec![0; reads.at_once()];
    let mut latencies = Histogram::new();
    let mut operations = 0;
    let window = Window::open(&job.dir)?;
    let deadline = Instant::now() + Duration::from_secs_f64(job.seconds);
    loop {
        let began = Instant::now();
        if began >= deadline {
            break;
        }
        // The clock is looked at every so many reads only.
        for turn in 0..(64 / numbers.len()).max(1) {
            numbers.fill_with(|| random.below(job.log_records));
            let mut asked = numbers.iter();
            reads.read(&numbers, &mut |record| {
                let right = asked.next().is_some_and(|number| setup.payloads.is(*number, record));
                right.then_some(()).ok_or_else(|| "a read gave another record".into())
            })?;
            if asked.next().is_some() {
                return Err("a read gave too few records".into());
            }
            if turn == 0 {
                latencies.record(began.elapsed());
            }
        }
        operations += numbers.len().max(64) as u64;
    }
    let mut figures = timed(window.close(), &latencies);
    figures.operations = operations;
    figures.bytes = operations * setup.record_bytes as u64;
    figures.open_seconds = open_seconds;
    Ok(remembered(figures, watch))
}

/// Calls with every file below a folder.
fn files(dir: &Path, call: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files(&entry.path(), call)?;
        } else {
            call(&entry.path())?;
        }
    }
    Ok(())
}

/// Brings a file into the page cache.
fn warm(path: &Path) -> Result<()> {
    let mut file = std::io::BufReader::with_capacity(1024 * 1024, std::fs::File::open(path)?);
    std::io::copy(&mut file, &mut std::io::sink())?;
    Ok(())
}

/// Takes a file out of the page cache, once nothing of it is still to be written.
fn drop_from_cache(path: &Path) -> Result<()> {
    let file = std::fs::File::open(path)?;
    file.sync_data()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}
