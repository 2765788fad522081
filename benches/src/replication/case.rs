//! One case, in a process of its own: so many receivers, each with a thread that hands blocks in.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use headwater_wal::Durability;
use headwater_wal::store::Store;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::set_current_timer_slack;
use serde::{Deserialize, Serialize};

use super::line::{Latency, Line, Load, Version};
use super::peer::Process;
use super::system::{At, System, named};
use super::told::{Counts, Hears, Told};
use super::usage::Usage;
use super::way::{Both, Copies, KEPT_BYTES, Logged, Way, joined};
use super::{Result, place};
use crate::measure::histogram::Histogram;
use crate::measure::random::Random;
use crate::replica::Memory;

/// So long an open loop goes on that is behind, and so long it waits for its last blocks; what is left then counts as it is.
const LATE: Duration = Duration::from_secs(2);

/// A log that has taken so much goes round in the room of its retired segments: it has filled four.
pub const SETTLED_BYTES: u64 = 4 * (64 << 20);
/// So long it may take until logs are there.
pub const SETTLES_AT_MOST: Duration = Duration::from_secs(2);

/// A case, as a parent tells it its child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The name of the [`System`].
    pub system: String,
    /// How many receivers there are.
    pub receivers: u64,
    /// How long a block is.
    pub block_bytes: u64,
    /// How blocks come.
    pub load: Load,
    /// Of which round the line is.
    pub round: u64,
    /// For how long it is measured.
    pub seconds: f64,
    /// Before that nothing is counted.
    pub warm_up_seconds: f64,
    /// Whether blocks come one behind the other, uncounted, until every log on local disk has taken [`SETTLED_BYTES`], or
    /// [`SETTLES_AT_MOST`] are over.
    pub settles: bool,
    /// For logs on local disk: a folder that is not there yet, and is not afterwards.
    pub dir: PathBuf,
    /// For logs on an object store.
    pub object: Option<String>,
    /// What was counted when processes of this system were killed.
    pub counted: [String; 2],
}

/// Runs a case in a child to its end.
pub(super) fn run(job: &Job) -> Result<Line> {
    std::fs::create_dir(&job.dir)?;
    let said = said(job);
    std::fs::remove_dir_all(&job.dir)?;
    // What is left to be written of this one is not to be a part of the next.
    if let Some(parent) = job.dir.parent() {
        rustix::fs::syncfs(std::fs::File::open(parent)?)?;
    }
    Ok(serde_json::from_str(&said?)?)
}

fn said(job: &Job) -> Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["replication", "case", &serde_json::to_string(job)?]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().ok_or("a case without an output")?;
    let reads = std::thread::spawn(move || {
        let mut said = String::new();
        output.read_to_string(&mut said).map(|_| said)
    });
    let output = child.wait_with_output()?;
    let said = reads.join().map_err(|_| "the reader of a case has panicked")??;
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()).into())
}

/// Runs the case that a parent asks for, prints its line, and ends with the parent.
pub(super) fn child(job: &str) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let job: Job = serde_json::from_str(job)?;
    let system = named(&job.system).ok_or_else(|| format!("no system system={}", job.system))?;
    let peers = (1..system.copies).map(|_| Process::begin(memory_bytes(&job))).collect::<Result<Vec<_>>>()?;
    let stores = job.stores(system)?;
    let line = measure(&job, system, peers, &stores);
    if system.is_object() {
        stores.iter().try_for_each(|store| place::clear(&**store))?;
    }
    println!("{}", line?.to_json());
    Ok(())
}

/// More than is ever kept, and on its way.
fn memory_bytes(job: &Job) -> usize {
    (job.receivers as usize + 1) * 4 * KEPT_BYTES
}

fn measure(job: &Job, system: &System, mut peers: Vec<Process>, stores: &[Arc<dyn Store>]) -> Result<Line> {
    let addresses: Vec<SocketAddr> = peers.iter().map(Process::address).collect();
    let media = Media {
        memory: Memory::new(memory_bytes(job)),
        peers: &addresses,
        stores,
        kept: Some(KEPT_BYTES as u64 / job.block_bytes),
    };
    let told: Vec<Arc<Told>> = (0..job.receivers).map(|_| Arc::new(Told::new(Counts::None))).collect();
    let ways = (0..).zip(&told).map(|(number, told)| job.way(system, number, &media, told.clone()));
    let ways = ways.collect::<Result<Vec<_>>>()?;
    let used = |peers: &mut [Process]| {
        peers.iter_mut().try_fold(Usage::now(), |sum, peer| Ok::<_, super::Error>(sum + peer.usage()?))
    };
    let copies: Vec<_> = ways.iter().filter_map(|way| way.copies()).collect();
    let carried = || copies.iter().map(|blocks| blocks.carried_bytes()).sum::<u64>();
    let stop = AtomicBool::new(false);
    let (warm_up, lasts) =
        (Duration::from_secs_f64(job.warm_up_seconds), Duration::from_secs_f64(job.seconds));
    let is_closed = matches!(job.load, Load::Closed { .. });
    let settles = job.settles && matches!(system.log, Some(At::Disk(_)));
    std::thread::scope(|scope| {
        // An open loop has its times when logs have settled.
        let before = if settles && !is_closed { SETTLES_AT_MOST } else { Duration::ZERO };
        let began = Instant::now() + before;
        let (from, to) = (began + warm_up, began + warm_up + lasts);
        let threads: Vec<_> = ways
            .into_iter()
            .zip(&told)
            .zip(0..)
            .map(|((way, told), number)| {
                let hands = Hands { job, way, told, stop: &stop, number };
                scope.spawn(move || hands.run(began, from, to, settles))
            })
            .collect();
        let measured = (|| {
            sleep(from.saturating_duration_since(Instant::now()));
            if is_closed {
                // A log that is slow to begin is waited for.
                told.iter().try_for_each(|told| told.wait_for_one())?;
                if settles {
                    settle(job.block_bytes, &told, began + SETTLES_AT_MOST);
                }
                told.iter().for_each(|told| told.count(Counts::Acknowledged));
            }
            let (before, sent, since) = (used(&mut peers)?, carried(), Instant::now());
            sleep(if is_closed { lasts } else { to.saturating_duration_since(since) });
            if is_closed {
                told.iter().try_for_each(|told| told.wait_for_one())?;
                told.iter().for_each(|told| told.count(Counts::None));
            }
            let took = since.elapsed();
            let sent = carried() - sent;
            Ok::<_, super::Error>((used(&mut peers)? - before, sent, took))
        })();
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a receiver's thread has panicked")??;
        }
        let (usage, sent, took) = measured?;
        Ok(job.line(system, &told, usage, sent, took))
    })
}

/// Waits until every log has taken so much that it is settled, but no longer than that.
fn settle(block_bytes: u64, told: &[Arc<Told>], until: Instant) {
    let blocks = SETTLED_BYTES.div_ceil(block_bytes);
    while Instant::now() < until && told.iter().any(|told| told.taken() < blocks) {
        sleep(Duration::from_millis(5));
    }
}

/// What the receivers of a case share.
pub(super) struct Media<'a> {
    pub(super) memory: Arc<Memory>,
    pub(super) peers: &'a [SocketAddr],
    /// A log's for each receiver.
    pub(super) stores: &'a [Arc<dyn Store>],
    /// How many blocks of a receiver are kept in memory; all, if there is no number.
    pub(super) kept: Option<u64>,
}

impl Job {
    pub(super) fn stores(&self, system: &System) -> Result<Vec<Arc<dyn Store>>> {
        match (system.log, &self.object) {
            (None, _) => Ok(Vec::new()),
            (Some(At::Disk(_)), _) => place::on_disk(&self.dir, self.receivers),
            (Some(At::Object), Some(url)) => place::at_url(url, self.receivers),
            (Some(At::Object), None) => Err("an object store needs its URL: --object URL".into()),
        }
    }

    /// The way of one receiver.
    pub(super) fn way(
        &self,
        system: &System,
        number: u64,
        media: &Media,
        hears: Arc<dyn Hears>,
    ) -> Result<Box<dyn Way>> {
        let copies = |hears| Copies::begin(number, media.memory.clone(), media.peers, media.kept, hears);
        let log = |at, hears| {
            let durability = if let At::Disk(durability) = at { durability } else { Durability::Power };
            let store = media.stores.get(number as usize).ok_or("a receiver without a log")?.clone();
            Logged::begin(number, store, durability, self.block_bytes, media.kept, hears)
        };
        Ok(match (system.copies, system.log) {
            (0, Some(at)) => Box::new(log(at, hears)?),
            (_, None) => Box::new(copies(hears)?),
            (_, Some(at)) => {
                let [one, other] = joined(&hears);
                Box::new(Both(Box::new(copies(one)?), Box::new(log(at, other)?)))
            }
        })
    }

    fn line(&self, system: &System, told: &[Arc<Told>], usage: Usage, sent: u64, took: Duration) -> Line {
        let (mut blocks, mut all) = (0, Histogram::new());
        for told in told {
            let (counted, took) = told.counted();
            blocks += counted;
            all.add(&took);
        }
        // Blocks of an open loop are those that were due in the time, however late they came.
        let seconds = if let Load::Open { .. } = self.load { self.seconds } else { took.as_secs_f64() };
        let at = |share| all.quantile_us(share).unwrap_or(0.0);
        Line {
            version: Version,
            system: system.name.into(),
            is: system.is.into(),
            survives: system.survives,
            receivers: self.receivers,
            block_bytes: self.block_bytes,
            load: self.load,
            round: self.round,
            seconds,
            blocks,
            blocks_per_second: blocks as f64 / seconds,
            bytes_per_second: (blocks * self.block_bytes) as f64 / seconds,
            latency_us: Latency { p50: at(0.5), p99: at(0.99), p99_9: at(0.999) },
            cpu_seconds: usage.cpu.as_secs_f64(),
            // What goes to an object store is not counted.
            network_bytes: (!system.is_object()).then_some(sent),
            disk_bytes: (!system.is_object()).then_some(usage.disk_bytes),
            memory_bytes_max: Some(usage.memory_bytes_max),
            lost: system.lost(&self.counted),
        }
    }
}

/// The thread that hands the blocks of one receiver in.
struct Hands<'a> {
    job: &'a Job,
    way: Box<dyn Way>,
    told: &'a Told,
    stop: &'a AtomicBool,
    number: u64,
}

impl Hands<'_> {
    fn run(mut self, began: Instant, from: Instant, to: Instant, settles: bool) -> Result<()> {
        let mut block = vec![0; self.job.block_bytes as usize];
        let mut random = Random::new(self.number);
        block.chunks_mut(8).for_each(|part| part.copy_from_slice(&random.next().to_le_bytes()[..part.len()]));
        let ended = match self.job.load {
            Load::Closed { outstanding } => self.closed(&block, outstanding),
            Load::Open { blocks_per_second } => {
                self.told.count(Counts::Due(from, to));
                let first = if settles { self.flood(&block, began - SETTLES_AT_MOST / 10) } else { Ok(0) };
                let a_second = blocks_per_second / self.job.receivers as f64;
                first.and_then(|first| self.open(&block, first, a_second, began, to))
            }
        };
        ended.and(self.way.end())
    }

    fn closed(&mut self, block: &[u8], outstanding: u64) -> Result<()> {
        for number in 0.. {
            self.told.wait_below(outstanding)?;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.put(number, Instant::now(), block)?;
        }
        self.told.wait_below(0)
    }

    /// Hands in what settles a log, as far as there is time, and waits for it; how many blocks that was.
    fn flood(&mut self, block: &[u8], until: Instant) -> Result<u64> {
        let mut number = 0;
        while number < SETTLED_BYTES.div_ceil(block.len() as u64) && Instant::now() < until {
            self.told.wait_below((KEPT_BYTES / 4 / block.len()) as u64)?;
            self.put(number, Instant::now(), block)?;
            number += 1;
        }
        self.told.wait_below(0).map(|()| number)
    }

    /// Each block at its time, and those of several receivers between one another. One that is too far behind to go on
    /// has its other blocks counted as not acknowledged by then.
    fn open(&mut self, block: &[u8], first: u64, a_second: f64, began: Instant, to: Instant) -> Result<()> {
        // A sleep would otherwise be 50 µs too long.
        set_current_timer_slack(std::num::NonZeroU64::new(1))?;
        let apart = self.number as f64 / self.job.receivers as f64;
        for number in 0.. {
            let at = began + Duration::from_secs_f64((number as f64 + apart) / a_second);
            if at >= to {
                break;
            }
            let now = Instant::now();
            if now > to + LATE {
                self.told.due(at);
                continue;
            }
            sleep(at.saturating_duration_since(now));
            self.put(first + number, at, block)?;
        }
        self.told.wait_until(to.max(Instant::now()) + LATE).map(drop)
    }

    fn put(&mut self, number: u64, due: Instant, block: &[u8]) -> Result<()> {
        self.told.due(due);
        self.way.put(number, block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_settle_when_each_has_taken_enough_or_time_is_up() {
        let block_bytes = SETTLED_BYTES / 2;
        let told = [1, 2].map(|taken| {
            let told = Arc::new(Told::new(Counts::None));
            (0..2).for_each(|_| told.due(Instant::now()));
            told.acknowledged(taken);
            told
        });
        let began = Instant::now();
        settle(block_bytes, &told, began + Duration::from_millis(30));
        assert!(began.elapsed() >= Duration::from_millis(30), "one has half of it");
        told[0].acknowledged(2);
        settle(block_bytes, &told, began + Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
