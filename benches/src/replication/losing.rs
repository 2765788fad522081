//! What is lost when processes die, counted: a receiver is killed while it works, then those that keep its copies.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use headwater_wal::receiver::blocks;
use headwater_wal::store::Store;
use headwater_wal::{Log, Options, Position};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use super::Result;
use super::case::{Job, Media};
use super::line::Load;
use super::peer::Process;
use super::place;
use super::system::{System, named};
use super::told::Hears;
use crate::replica::{self, Memory};

const BLOCK_BYTES: u64 = 64 << 10;
/// As many as are put at most: none is forgotten, so that all can be counted.
const BLOCKS: u64 = 2000;
const MEMORY_BYTES: usize = 2 * (BLOCKS * BLOCK_BYTES) as usize;
/// The kill comes so long after the first acknowledgement.
const LIVES: Duration = Duration::from_millis(20);

/// What is told to the process that will be killed.
#[derive(Serialize, Deserialize)]
struct Victim {
    job: Job,
    peers: Vec<SocketAddr>,
}

/// Kills the receiver of a system, and then whoever keeps its copies. What is left of what was acknowledged, in words:
/// after the one, and after all. Empty where nothing can be counted: the memory of this very process is no object store.
pub(super) fn count(system: &System, dir: &Path, object: Option<&str>) -> Result<[String; 2]> {
    if system.is_object() && object.is_none_or(|url| url.starts_with("memory:")) {
        return Ok([String::new(), String::new()]);
    }
    std::fs::create_dir(dir)?;
    let counted = killed(system, dir, object);
    std::fs::remove_dir_all(dir)?;
    counted
}

fn killed(system: &System, dir: &Path, object: Option<&str>) -> Result<[String; 2]> {
    let peers = (1..system.copies).map(|_| Process::begin(MEMORY_BYTES)).collect::<Result<Vec<_>>>()?;
    let addresses: Vec<_> = peers.iter().map(Process::address).collect();
    let job = job(system, dir.to_path_buf(), object);
    let acknowledged = kill_at_work(&Victim { job: job.clone(), peers: addresses.clone() })?;
    let stores = job.stores(system)?;
    let after_one = left(&addresses, &stores, acknowledged);
    peers.into_iter().try_for_each(Process::kill)?;
    let after_all = left(&addresses, &stores, acknowledged);
    if system.is_object() {
        stores.iter().try_for_each(|store| place::clear(&**store))?;
    }
    let say = |left: u64| format!("killed here: {acknowledged} acknowledged, {} lost", acknowledged - left);
    Ok([say(after_one?), say(after_all?)])
}

fn job(system: &System, dir: PathBuf, object: Option<&str>) -> Job {
    Job {
        system: system.name.into(),
        receivers: 1,
        block_bytes: BLOCK_BYTES,
        load: Load::Closed { outstanding: 16 },
        round: 0,
        seconds: 0.0,
        warm_up_seconds: 0.0,
        settles: false,
        dir,
        object: object.map(Into::into),
        counted: Default::default(),
    }
}

/// How many blocks a process had acknowledged when it was killed.
fn kill_at_work(victim: &Victim) -> Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["replication", "victim", &serde_json::to_string(victim)?]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().ok_or("a process without an output")?;
    let mut said = vec![0; 8];
    output.read_exact(&mut said).map_err(|_| "a process has ended before it acknowledged anything")?;
    sleep(LIVES);
    child.kill()?;
    output.read_to_end(&mut said)?;
    child.wait()?;
    let whole = said.chunks_exact(8).last().ok_or("nothing was acknowledged")?;
    Ok(u64::from_le_bytes(whole.try_into()?))
}

/// Puts blocks until it is killed, and says after each how many are acknowledged.
pub(super) fn victim(victim: &str) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let victim: Victim = serde_json::from_str(victim)?;
    let system = named(&victim.job.system).ok_or("no system")?;
    let says = Arc::new(Says(Mutex::new(0)));
    let stores = victim.job.stores(system)?;
    let memory = Memory::new(MEMORY_BYTES);
    let media = Media { memory, peers: &victim.peers, stores: &stores, kept: None };
    let mut way = victim.job.way(system, 0, &media, says.clone())?;
    let block = vec![0x5A; BLOCK_BYTES as usize];
    for number in 0..BLOCKS {
        // About as many on their way as a receiver has.
        while *says.0.lock().map_err(|_| "a panic")? + 16 <= number {
            std::thread::yield_now();
        }
        way.put(number, &block)?;
    }
    sleep(Duration::from_secs(60));
    Err("nobody has killed it".into())
}

struct Says(Mutex<u64>);

impl Hears for Says {
    fn acknowledged(&self, below: u64) {
        let mut last = self.0.lock().expect("nobody panics with it");
        *last = below;
        let mut output = std::io::stdout();
        let _ = output.write_all(&below.to_le_bytes()).and_then(|()| output.flush());
    }

    fn failed(&self, why: String) {
        eprintln!("{why}");
        std::process::exit(1);
    }
}

/// How many of the acknowledged blocks somebody still has.
fn left(peers: &[SocketAddr], stores: &[Arc<dyn Store>], acknowledged: u64) -> Result<u64> {
    let mut found = vec![false; acknowledged as usize];
    let mut see = |number: u64| {
        if let Some(found) = found.get_mut(number as usize) {
            *found = true;
        }
    };
    for peer in peers {
        // One that is gone has nothing.
        let Ok(blocks) = replica::read(*peer, 0) else { continue };
        for block in blocks {
            see(block?.0);
        }
    }
    for store in stores {
        for record in log(store)?.replay(Position::START)? {
            blocks::header(&record?.payload)?
                .ranges
                .iter()
                .for_each(|range| (range.from..range.to).for_each(&mut see));
        }
    }
    Ok(found.into_iter().filter(|found| *found).count() as u64)
}

/// A log that may still be held by a process whose end is being cleared up.
fn log(store: &Arc<dyn Store>) -> Result<headwater_wal::Opened> {
    let began = Instant::now();
    loop {
        match Log::open(store.clone(), Options::default()) {
            Err(_) if began.elapsed() < Duration::from_secs(2) => sleep(Duration::from_millis(20)),
            opened => return Ok(opened?),
        }
    }
}
