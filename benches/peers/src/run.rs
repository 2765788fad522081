//! A child process: one case, from an empty folder (or a filled log) to a line of figures on standard output.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::case::Figures;
use crate::contestant::{self, Appends, Seen, Setup};
use crate::device::{Counts, Device};
use crate::histogram::Histogram;
use crate::memory::Watch;
use crate::payload::Payloads;
use crate::random::Random;
use crate::worker::{Done, Worker};
use crate::workload::{self, Durability, Kind, Workload};
use crate::{Result, pin};

/// What one case may write: what comes faster than that ends early, and the rate is as good.
const BYTES_MAX: u64 = 3 * 1024 * 1024 * 1024;

/// What a parent tells its child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) workload: String,
    pub(crate) contestant: String,
    pub(crate) dir: PathBuf,
    pub(crate) seconds: f64,
    /// How many records the logs have that are replayed and read.
    pub(crate) log_records: u64,
    pub(crate) seed: u64,
    pub(crate) pin: bool,
    pub(crate) small: bool,
    /// Only make the log that the contestant is to replay or read.
    pub(crate) fill: bool,
}

/// Does what the parent asks for, and ends with it.
pub(crate) fn child(words: &[String]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let [job] = words else { return Err("a case is one word of JSON".into()) };
    let job: Job = serde_json::from_str(job)?;
    let workload = workload::named(&job.workload)?;
    let setup = setup(&job, &workload);
    if job.fill {
        return contestant::fill(contestant::family(&job.contestant), &setup, job.log_records);
    }
    let figures = match workload.kind {
        Kind::Append(_) => append(&job, &workload, &setup)?,
        Kind::Replay { cold } => replay(&job, &setup, cold)?,
        Kind::Read => read(&job, &setup)?,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn setup(job: &Job, workload: &Workload) -> Setup {
    let large = workload.record_bytes >= 64 * 1024;
    let ring_mib = match (job.small, large) {
        (true, _) => 8,
        (false, true) => 256,
        (false, false) => 64,
    };
    Setup {
        dir: job.dir.clone(),
        payloads: Arc::new(Payloads::new(workload.record_bytes)),
        record_bytes: workload.record_bytes,
        threads: workload.threads_of(&job.contestant),
        durability: match workload.kind {
            Kind::Append(durability) => durability,
            Kind::Replay { .. } | Kind::Read => Durability::Power,
        },
        ring_bytes: ring_mib * 1024 * 1024,
    }
}

/// What is counted while operations run.
struct Window {
    device: Device,
    before: Option<Counts>,
    cpu: Duration,
    began: Instant,
}

impl Window {
    fn open(dir: &Path) -> Result<Window> {
        let device = Device::of(dir)?;
        let before = device.counts();
        Ok(Window { device, before, cpu: cpu(), began: Instant::now() })
    }

    fn close(self) -> Figures {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu_seconds = cpu().saturating_sub(self.cpu).as_secs_f64();
        let counts = self.device.counts().zip(self.before).map(|(after, before)| after.since(before));
        Figures {
            seconds,
            cpu_seconds,
            // A device that can force single writes to its medium is not asked to flush for them.
            flushes: counts.map(|counts| counts.flushes).filter(|_| !self.device.forces_unit_access()),
            device_written_bytes: counts.map(|counts| counts.written_bytes),
            device_read_bytes: counts.map(|counts| counts.read_bytes),
            ..Figures::default()
        }
    }
}

/// What this process has used so far, all threads together.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn append(job: &Job, workload: &Workload, setup: &Setup) -> Result<Figures> {
    let watch = Watch::begin()?;
    let opening = Instant::now();
    let appends = contestant::appends(&job.contestant, setup)?;
    // What a log only makes when it is first used belongs to its opening.
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

/// Replays the whole log over and over until it is time to stop; once, if it is cold. The log is open before; who reads
/// its log to open it opens it every time.
fn replay(job: &Job, setup: &Setup, cold: bool) -> Result<Figures> {
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
    let mut latencies = Histogram::new();
    let deadline = Instant::now() + Duration::from_secs_f64(job.seconds);
    while passes == 0 || (!cold && Instant::now() < deadline) {
        let began = Instant::now();
        let seen = replays.replay(Seen::new(&setup.payloads))?;
        latencies.record(began.elapsed());
        if seen.records != job.log_records {
            return Err(format!("replayed {} records of {}", seen.records, job.log_records).into());
        }
        passes += 1;
    }
    let mut figures = timed(window.close(), &latencies);
    figures.operations = passes * job.log_records;
    figures.bytes = passes * log_bytes;
    figures.open_seconds = open_seconds;
    if let Some(read) = figures.device_read_bytes.filter(|read| cold && *read < log_bytes / 10 * 9) {
        figures.flags.push(format!("NOT COLD: the device read {} of {} KiB", read / 1024, log_bytes / 1024));
    }
    Ok(remembered(figures, watch))
}

/// Reads at random until it is time to stop.
fn read(job: &Job, setup: &Setup) -> Result<Figures> {
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

fn timed(figures: Figures, latencies: &Histogram) -> Figures {
    let quantile = |share| latencies.quantile_us(share);
    Figures { p50_us: quantile(0.5), p99_us: quantile(0.99), p999_us: quantile(0.999), ..figures }
}

fn remembered(figures: Figures, watch: Watch) -> Figures {
    let peak = watch.end();
    Figures { resident_peak_bytes: peak.resident, anonymous_peak_bytes: peak.anonymous, ..figures }
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
