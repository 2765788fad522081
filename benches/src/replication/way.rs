//! What a receiver hands its blocks to: memory here, memory elsewhere, a log, or several of these.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use headwater_wal::receiver::{
    Acknowledge, Answer, Driver, End, Options as ReceiverOptions, Receiver, ReceiverLog, Reliable, Report,
};
use headwater_wal::store::Store;
use headwater_wal::{Compression, Durability, Error, Handle, Log, Options, Position, Time};

use super::Result;
use super::told::Hears;
use crate::replica::{self, Blocks, Memory, Ticket};

/// So many bytes of a receiver's blocks are kept in memory, before the oldest are forgotten as a runtime does whose
/// batches are done.
pub(super) const KEPT_BYTES: usize = 32 << 20;
/// So many may wait for their copies, and be held by a receiver with a log.
const ON_THE_WAY_BYTES: usize = 16 << 20;
/// So often a log lets go of what is done.
const RELEASED_EVERY: Duration = Duration::from_millis(20);
/// So long an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the blocks of one receiver safe, in order; who hears of it was told when it was made.
pub(super) trait Way: Send {
    /// Hands a block in, whose bytes are its caller's to use again. Waits for room.
    fn put(&mut self, number: u64, block: &[u8]) -> Result<()>;
    /// What knows how many bytes went over sockets, if any do.
    fn copies(&self) -> Option<Arc<Blocks>> {
        None
    }
    /// Waits until everything is acknowledged, and ends.
    fn end(self: Box<Self>) -> Result<()>;
}

/// Copies in memory.
pub(super) struct Copies {
    blocks: Arc<Blocks>,
    hears: Arc<dyn Hears>,
    /// So many are kept at least; none are forgotten if there is no number.
    kept: Option<u64>,
    /// Waits for tickets, as the thread of a receiver does that acknowledges its source.
    waits: Option<Waits>,
}

/// A thread, and what it waits for next.
type Waits = (Sender<(u64, Ticket)>, JoinHandle<()>);

impl Copies {
    pub(super) fn begin(
        owner: u64,
        memory: Arc<Memory>,
        peers: &[SocketAddr],
        kept: Option<u64>,
        hears: Arc<dyn Hears>,
    ) -> Result<Copies> {
        let options = replica::Options::default().factor(1 + peers.len()).in_flight_bytes(ON_THE_WAY_BYTES);
        let blocks = Arc::new(Blocks::connect(owner, memory, peers, options)?);
        // With no peers a ticket is answered when it is given.
        let waits = (!peers.is_empty()).then(|| {
            let (send, tickets) = channel::<(u64, Ticket)>();
            let hears = hears.clone();
            let waits =
                move || tickets.into_iter().for_each(|(number, ticket)| told(&*hears, number, ticket));
            (send, std::thread::spawn(waits))
        });
        Ok(Copies { blocks, hears, kept, waits })
    }
}

fn told(hears: &dyn Hears, number: u64, ticket: Ticket) {
    match ticket.wait() {
        Ok(_) => hears.acknowledged(number + 1),
        Err(error) => hears.failed(error.to_string()),
    }
}

impl Way for Copies {
    fn put(&mut self, number: u64, block: &[u8]) -> Result<()> {
        if let Some(kept) = self.kept
            && number > kept
            && number.is_multiple_of(16)
        {
            self.blocks.forget(number - kept);
        }
        let ticket = self.blocks.put(number, Bytes::copy_from_slice(block))?;
        match &self.waits {
            Some((send, _)) => send.send((number, ticket)).map_err(|_| "nobody waits for tickets")?,
            None => told(&*self.hears, number, ticket),
        }
        Ok(())
    }

    fn copies(&self) -> Option<Arc<Blocks>> {
        Some(self.blocks.clone())
    }

    fn end(self: Box<Self>) -> Result<()> {
        if let Some((send, waits)) = self.waits {
            drop(send);
            waits.join().map_err(|_| "the thread that waits for tickets has panicked")?;
        }
        Ok(())
    }
}

/// A log, by way of a receiver of the engine.
pub(super) struct Logged {
    receiver: Arc<Receiver<Reliable>>,
    /// Removes what is not needed any more, now and then, until the sender goes.
    releases: (Sender<()>, JoinHandle<std::result::Result<(), Error>>),
}

impl Logged {
    pub(super) fn begin(
        number: u64,
        store: Arc<dyn Store>,
        durability: Durability,
        block_bytes: u64,
        kept: Option<u64>,
        hears: Arc<dyn Hears>,
    ) -> Result<Logged> {
        let options = Options::default().compression(Compression::Off).durability(durability);
        let receives = ReceiverOptions::default()
            .of(0, number as u32)
            .block_bytes(block_bytes as usize)
            .held_bytes_max(2 * ON_THE_WAY_BYTES);
        let (driver, source) =
            (Arc::new(TakesAll { kept, newest: Mutex::default() }), Reliable::new(Arc::new(Tells(hears))));
        let receiver = Arc::new(Receiver::start(Log::open(store, options)?, driver, source, receives)?);
        let (end, ended) = channel();
        let of = receiver.clone();
        let releases = std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(RELEASED_EVERY) {
                of.release(Time::MAX)?;
            }
            Ok(())
        });
        Ok(Logged { receiver, releases: (end, releases) })
    }
}

impl Way for Logged {
    fn put(&mut self, number: u64, block: &[u8]) -> Result<()> {
        // A record as long as a block fills one, which is cut at once.
        let _ = self.receiver.push(0, number, block)?;
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<()> {
        let (end, releases) = self.releases;
        drop(end);
        releases.join().map_err(|_| "the thread that releases has panicked")??;
        Ok(self.receiver.stop(PATIENCE)?)
    }
}

/// A driver that takes everything at once, so that what is measured is the receiver and its log. Its newest batches are not
/// done, and hold as many blocks as copies are kept of.
#[derive(Debug)]
struct TakesAll {
    kept: Option<u64>,
    newest: Mutex<VecDeque<Handle>>,
}

impl TakesAll {
    fn newest(&self) -> MutexGuard<'_, VecDeque<Handle>> {
        self.newest.lock().expect("nobody panics with it")
    }
}

impl Driver for TakesAll {
    fn settled(&self, _: ReceiverLog) -> Result<Option<Position>, Error> {
        Ok(self.newest().back().map(Handle::end))
    }
    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>, Error> {
        if let Some(kept) = self.kept {
            let mut newest = self.newest();
            newest.extend(blocks.iter().map(|block| block.handle));
            let done = newest.len().saturating_sub(kept as usize);
            newest.drain(..done);
        }
        Ok(vec![Answer::Taken; blocks.len()])
    }
    fn pass_over(&self, _: &Report) -> Result<Answer, Error> {
        Ok(Answer::PassedOver)
    }
    fn released(&self, _: ReceiverLog) -> Result<Position, Error> {
        Ok(self.newest().front().map_or(Position::START, Handle::position))
    }
}

/// A source that passes on what it is told.
struct Tells(Arc<dyn Hears>);

impl std::fmt::Debug for Tells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tells")
    }
}

impl Acknowledge for Tells {
    fn acknowledge(&self, ends: &[End]) -> Result<(), Error> {
        ends.iter().for_each(|end| self.0.acknowledged(end.end));
        Ok(())
    }
}

/// Two ways at once: a block is acknowledged when both have it.
pub(super) struct Both(pub(super) Box<dyn Way>, pub(super) Box<dyn Way>);

impl Way for Both {
    fn put(&mut self, number: u64, block: &[u8]) -> Result<()> {
        self.0.put(number, block)?;
        self.1.put(number, block)
    }

    fn copies(&self) -> Option<Arc<Blocks>> {
        self.0.copies().or_else(|| self.1.copies())
    }

    fn end(self: Box<Self>) -> Result<()> {
        self.0.end()?;
        self.1.end()
    }
}

/// Hears of two ways, and passes on what both have.
pub(super) fn joined(hears: &Arc<dyn Hears>) -> [Arc<dyn Hears>; 2] {
    let ends = Arc::new(Mutex::new([0; 2]));
    [0, 1].map(|way| Arc::new(Half { way, ends: ends.clone(), hears: hears.clone() }) as Arc<dyn Hears>)
}

struct Half {
    way: usize,
    ends: Arc<Mutex<[u64; 2]>>,
    hears: Arc<dyn Hears>,
}

impl Hears for Half {
    fn acknowledged(&self, below: u64) {
        // Told with the lock held: ends go up.
        let mut ends = self.ends.lock().expect("nobody panics with it");
        let before = ends[0].min(ends[1]);
        ends[self.way] = below;
        let both = ends[0].min(ends[1]);
        if both > before {
            self.hears.acknowledged(both);
        }
    }

    fn failed(&self, why: String) {
        self.hears.failed(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Last(Mutex<u64>);

    impl Hears for Last {
        fn acknowledged(&self, below: u64) {
            *self.0.lock().unwrap() = below;
        }
        fn failed(&self, _: String) {}
    }

    #[test]
    fn of_two_ways_a_block_is_acknowledged_when_both_have_it() {
        let last = Arc::new(Last(Mutex::new(0)));
        let hears: Arc<dyn Hears> = last.clone();
        let [one, other] = joined(&hears);
        let said = |way: &Arc<dyn Hears>, below| {
            way.acknowledged(below);
            *last.0.lock().unwrap()
        };
        assert_eq!([said(&one, 5), said(&other, 3), said(&one, 6), said(&other, 9)], [0, 3, 3, 6]);
    }
}
