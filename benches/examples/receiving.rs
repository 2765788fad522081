//! A receiver beside plain appends of the same blocks, in interleaved rounds, and how long a record waits for its
//! acknowledgement: `cargo run --release --example receiving -p headwater-benches -- ROUNDS MIB` below the folder that
//! `HEADWATER_BENCH_DIR` names. The driver takes everything at once, so what is measured is the receiver and its log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use std::sync::{Condvar, Mutex};

use headwater_benches::folder;
use headwater_wal::receiver::{
    Acknowledge, Answer, Driver, End, Options, Receiver, ReceiverLog, Reliable, Report, blocks,
};
use headwater_wal::store::Local;
use headwater_wal::{Compression, Log, Opened, Position, Result, Time};

const RECORD_BYTES: usize = 1000;
const BLOCK_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct TakesAll;

impl Driver for TakesAll {
    fn settled(&self, _: ReceiverLog) -> Result<Option<Position>> {
        Ok(None)
    }
    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        Ok(vec![Answer::Taken; blocks.len()])
    }
    fn pass_over(&self, _: &Report) -> Result<Answer> {
        Ok(Answer::PassedOver)
    }
}

/// What was acknowledged when, of partition 0.
#[derive(Debug, Default)]
struct Told {
    safe: Mutex<(u64, BTreeMap<u64, Instant>)>,
    more: Condvar,
}

impl Acknowledge for Told {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let mut safe = self.safe.lock().expect("no panic");
        for end in ends {
            safe.0 = end.end;
            safe.1.insert(end.end, Instant::now());
        }
        self.more.notify_all();
        Ok(())
    }
}

impl Told {
    fn wait_for(&self, end: u64) {
        let mut safe = self.safe.lock().expect("no panic");
        while safe.0 < end {
            safe = self.more.wait(safe).expect("no panic");
        }
    }
}

fn opened(place: &std::path::Path) -> Result<Opened> {
    let options = headwater_wal::Options::default().compression(Compression::Off);
    Log::open(Arc::new(Local::open(place.join("log"))?), options)
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir_in(folder(env!("CARGO_MANIFEST_DIR"))).expect("a folder to bench in")
}

fn start(place: &std::path::Path, told: &Arc<Told>) -> Result<Receiver<Reliable>> {
    let options = Options::default().block_bytes(BLOCK_BYTES);
    Receiver::start(opened(place)?, Arc::new(TakesAll), Reliable::new(told.clone()), options)
}

/// Bytes a second through a receiver, and the payloads of the blocks that it cut.
fn receive(records: u64) -> Result<(f64, Vec<bytes::Bytes>)> {
    let (place, told) = (dir(), Arc::new(Told::default()));
    let receiver = start(place.path(), &told)?;
    let record = vec![0x5A; RECORD_BYTES];
    let _ = receiver.push(0, 0, &record)?; // it has caught up
    let began = Instant::now();
    for position in 1..records {
        let _ = receiver.push(0, position, &record)?;
    }
    told.wait_for(records - records % (BLOCK_BYTES / RECORD_BYTES) as u64 - 2000);
    let time = began.elapsed();
    let done = told.safe.lock().expect("no panic").0;
    let rate = (done * RECORD_BYTES as u64) as f64 / time.as_secs_f64();
    receiver.stop(Duration::from_secs(30))?;
    let log = opened(place.path())?;
    let blocks = log.replay(Position::START)?.map(|record| record.map(|record| record.payload));
    Ok((rate, blocks.collect::<Result<_>>()?))
}

/// Bytes a second of the same payloads, appended plainly, as many on their way as a receiver has.
fn append(payloads: &[bytes::Bytes]) -> Result<f64> {
    let place = dir();
    let log = opened(place.path())?.start(Position::START)?;
    log.append(Time(0), "it is warm")?.wait()?;
    let records: u64 = payloads
        .iter()
        .map(|block| blocks::header(block).map(|h| u64::from(h.records)))
        .sum::<Result<_>>()?;
    let began = Instant::now();
    let mut tickets = std::collections::VecDeque::new();
    for payload in payloads {
        if tickets.len() == 32 {
            tickets.pop_front().map(|ticket: headwater_wal::Ticket| ticket.wait()).transpose()?;
        }
        // A receiver copies what comes, too: a record is not its caller's to keep.
        tickets.push_back(log.append(log.now(), bytes::Bytes::copy_from_slice(payload))?);
    }
    tickets.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    let rate = (records * RECORD_BYTES as u64) as f64 / began.elapsed().as_secs_f64();
    log.close()?;
    Ok(rate)
}

/// How long each of so many records waits, one every two milliseconds.
fn latencies(records: u64) -> Result<Vec<Duration>> {
    let (place, told) = (dir(), Arc::new(Told::default()));
    let receiver = start(place.path(), &told)?;
    let record = vec![0x5A; RECORD_BYTES];
    let mut handed_in = Vec::new();
    for position in 0..records {
        let _ = receiver.push(0, position, &record)?;
        handed_in.push(Instant::now());
        sleep(Duration::from_millis(2));
    }
    receiver.stop(Duration::from_secs(30))?;
    let safe = told.safe.lock().expect("no panic");
    let wait = |(position, then): (u64, &Instant)| {
        safe.1.range(position + 1..).next().map(|(_, at)| at.duration_since(*then))
    };
    let mut waits: Vec<_> = (0..).zip(&handed_in).filter_map(wait).collect();
    waits.sort();
    Ok(waits)
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let (rounds, mib) = (args.next().unwrap_or(5), args.next().unwrap_or(256));
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let (received, blocks) = receive((mib << 20) / RECORD_BYTES as u64)?;
        let appended = append(&blocks)?;
        ratios.push(received / appended);
        println!("received {:6.0} MB/s  appended {:6.0} MB/s", received / 1e6, appended / 1e6);
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio {:.2} ({:.2} to {:.2})", ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1]);
    let waits = latencies(2000)?;
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
    println!("acknowledged after p50={:?} p99={:?} max={:?}, interval 200 ms", at(0.5), at(0.99), at(1.0));
    Ok(())
}
