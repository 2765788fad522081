//! The bodies of the benches of a receiver: its throughput beside plain appends of the same blocks, and how long a record
//! waits for its acknowledgement.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::receiver::{
    Acknowledge, Answer, Driver, End, Options, Receiver, ReceiverLog, Reliable, Report, blocks,
};
use headwater_wal::store::Local;
use headwater_wal::{Compression, Log, Opened, Position, Result, Ticket, Time};

use crate::place;

/// How many blocks are on their way at once: as many as a receiver holds by its default options.
const OUTSTANDING: usize = 32;

/// So often the sender of an open loop looks at the clock.
const TICK: Duration = Duration::from_micros(500);

/// A driver that takes everything at once, so that what is measured is the receiver and its log.
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

    fn released(&self, _: ReceiverLog) -> Result<Position> {
        Ok(Position::START)
    }
}

/// Which end of partition 0 was acknowledged when.
#[derive(Debug, Default)]
struct Told {
    ends: Mutex<Vec<(u64, Instant)>>,
    more: Condvar,
}

impl Acknowledge for Told {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let now = Instant::now();
        self.ends().extend(ends.iter().map(|end| (end.end, now)));
        self.more.notify_all();
        Ok(())
    }
}

impl Told {
    fn ends(&self) -> MutexGuard<'_, Vec<(u64, Instant)>> {
        self.ends.lock().expect("no panic")
    }

    /// Waits until so many records are acknowledged; how many are.
    fn wait_for(&self, records: u64) -> u64 {
        let mut ends = self.ends();
        loop {
            match ends.last() {
                Some(&(end, _)) if end >= records => return end,
                _ => ends = self.more.wait(ends).expect("no panic"),
            }
        }
    }
}

fn open(place: &Path) -> Result<Opened> {
    let options = headwater_wal::Options::default().compression(Compression::Off);
    Log::open(Arc::new(Local::open(place.join("log"))?), options)
}

/// A receiver that takes records, and has one.
fn start(place: &Path, told: &Arc<Told>, options: Options, record: &[u8]) -> Result<Receiver<Reliable>> {
    let receiver = Receiver::start(open(place)?, Arc::new(TakesAll), Reliable::new(told.clone()), options)?;
    let _ = receiver.push(0, 0, record)?;
    Ok(receiver)
}

/// Bytes a second.
fn rate(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64()
}

/// Hands so many records in as fast as they are taken. Bytes of records a second; and the blocks that were cut, if they
/// are wanted.
pub fn receive(
    folder: &Path,
    records: u64,
    record_bytes: usize,
    wants_blocks: bool,
) -> Result<(f64, Vec<Bytes>)> {
    let (place, told) = (place(folder), Arc::new(Told::default()));
    let (options, record) = (Options::default(), vec![0x5A; record_bytes]);
    let in_a_block = (1 << 20) / record_bytes as u64 + 1;
    let receiver = start(place.path(), &told, options, &record)?;
    let began = Instant::now();
    for position in 1..records {
        let _ = receiver.push(0, position, &record)?;
    }
    // The last block waits for its interval.
    let done = told.wait_for(records.saturating_sub(in_a_block).max(1));
    let rate = rate(done * record_bytes as u64, began.elapsed());
    receiver.stop(Duration::from_secs(30))?;
    if !wants_blocks {
        return Ok((rate, Vec::new()));
    }
    let blocks = open(place.path())?.replay(Position::START)?.map(|record| record.map(|block| block.payload));
    Ok((rate, blocks.collect::<Result<_>>()?))
}

/// Appends the same blocks plainly, as many on their way as a receiver has; each is copied, as a receiver copies what
/// comes: a record is not its caller's to keep. Bytes of records a second.
pub fn append(folder: &Path, payloads: &[Bytes], record_bytes: usize) -> Result<f64> {
    let place = place(folder);
    let log = open(place.path())?.start(Position::START)?;
    log.append(Time(0), "it is warm")?.wait()?;
    let records = payloads.iter().map(|block| blocks::header(block).map(|header| u64::from(header.records)));
    let records: u64 = records.sum::<Result<_>>()?;
    let began = Instant::now();
    let mut tickets: VecDeque<Ticket> = VecDeque::new();
    for payload in payloads {
        if tickets.len() == OUTSTANDING
            && let Some(oldest) = tickets.pop_front()
        {
            oldest.wait()?;
        }
        tickets.push_back(log.append(log.now(), Bytes::copy_from_slice(payload))?);
    }
    tickets.into_iter().try_for_each(|ticket| ticket.wait().map(drop))?;
    let rate = rate(records * record_bytes as u64, began.elapsed());
    log.close()?;
    Ok(rate)
}

/// What comes to a receiver.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How long a record waits for its block to be cut, at most.
    pub interval: Duration,
    /// How many bytes a block has.
    pub block_bytes: usize,
    /// How long a record is.
    pub record_bytes: usize,
    /// How many come in a second; as many as are taken, if it is not said.
    pub a_second: Option<f64>,
    /// For how long.
    pub lasts: Duration,
}

/// How long records waited, from when they were to be handed in until their source was told.
#[derive(Clone, Debug)]
pub struct Waits {
    sorted: Vec<Duration>,
    /// How many a second were handed in.
    pub a_second: f64,
}

impl Waits {
    /// The wait that this part of the records did not exceed.
    pub fn at(&self, part: f64) -> Duration {
        self.sorted[((self.sorted.len() - 1) as f64 * part).round() as usize]
    }
}

/// How long each record waits for its acknowledgement.
///
/// An open loop: each record has its time, and waits from then on, whether or not the receiver had room for it. What is
/// late because of what came before is not left out. With no rate it waits from when it is handed in, before there is
/// room.
pub fn wait(folder: &Path, load: &Load) -> Result<Waits> {
    let (place, told) = (place(folder), Arc::new(Told::default()));
    let options = Options::default().interval(load.interval).block_bytes(load.block_bytes);
    let record = vec![0x5A; load.record_bytes];
    let receiver = start(place.path(), &told, options, &record)?;
    told.wait_for(1);
    let began = Instant::now();
    let mut due = vec![began];
    let mut took = Duration::ZERO;
    while took < load.lasts {
        let now = Instant::now();
        match load.a_second {
            None => {
                let _ = receiver.push(0, due.len() as u64, &record)?;
                due.push(now);
            }
            Some(a_second) => {
                let sent = (due.len() - 1) as f64;
                let at = began + Duration::from_secs_f64(sent / a_second);
                if at > now {
                    sleep((at - now).min(TICK));
                } else {
                    let _ = receiver.push(0, due.len() as u64, &record)?;
                    due.push(at);
                }
            }
        }
        took = began.elapsed();
    }
    receiver.stop(Duration::from_secs(30))?;
    let (mut waits, mut told) = (Vec::with_capacity(due.len()), told.ends().clone().into_iter().peekable());
    for (position, due) in (0..).zip(&due).skip(1) {
        while told.next_if(|&(end, _)| end <= position).is_some() {}
        let &(_, at) = told.peek().expect("a stop has told of all");
        waits.push(at.duration_since(*due));
    }
    waits.sort_unstable();
    let a_second = waits.len() as f64 / took.as_secs_f64();
    Ok(Waits { sorted: waits, a_second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_of_the_benches_of_a_receiver_do_what_they_say() {
        let folder = std::env::temp_dir();
        let (received, blocks) = receive(&folder, 5000, 1000, true).unwrap();
        let records: u32 = blocks.iter().map(|block| blocks::header(block).unwrap().records).sum();
        assert_eq!(records, 5000);
        assert!(received > 0.0 && append(&folder, &blocks, 1000).unwrap() > 0.0);
        assert!(receive(&folder, 100, 1000, false).unwrap().1.is_empty());
    }

    #[test]
    fn a_record_waits_for_the_interval_at_most_when_little_comes() {
        let load = Load {
            interval: Duration::from_millis(20),
            block_bytes: 1 << 20,
            record_bytes: 100,
            a_second: Some(2000.0),
            lasts: Duration::from_millis(300),
        };
        let waits = wait(&std::env::temp_dir(), &load).unwrap();
        assert!(waits.sorted.len() > 500 && waits.a_second > 1600.0, "{}", waits.a_second);
        assert!(waits.at(0.5) >= Duration::from_millis(5), "{:?}", waits.at(0.5));
        assert!(waits.at(0.0) <= waits.at(1.0));
        let full = wait(&std::env::temp_dir(), &Load { a_second: None, ..load }).unwrap();
        assert!(full.a_second > 2000.0);
    }
}
