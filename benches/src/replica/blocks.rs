//! What a receiver hands its blocks to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use headwater_wal::{Error, Kind, Result};

use super::link::{Hears, Link};
use super::memory::{Block, Memory};
use super::placing::Placing;
use super::ticket::Ticket;
use super::wire::PAYLOAD_BYTES_MAX;

/// What becomes of a block that fewer copies can be made of than the factor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its ticket answers with an error.
    AllCopies,
    /// Its ticket answers how many there are, as Spark does, which warns and goes on.
    BestEffort,
}

/// How [`Blocks`] are kept.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) factor: usize,
    pub(super) need: Need,
    pub(super) in_flight_bytes: usize,
    pub(super) answer_within: Duration,
}

impl Default for Options {
    /// Two copies, both needed; 32 MiB on their way; an answer within five seconds.
    fn default() -> Self {
        Options {
            factor: 2,
            need: Need::AllCopies,
            in_flight_bytes: 32 << 20,
            answer_within: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// How many copies there are of a block, the one in the receiver's own memory counted.
    #[must_use]
    pub fn factor(self, factor: usize) -> Self {
        Options { factor, ..self }
    }

    /// What becomes of a block that fewer can be made of.
    #[must_use]
    pub fn need(self, need: Need) -> Self {
        Options { need, ..self }
    }

    /// How many bytes of blocks may wait for their copies; a put waits for room.
    #[must_use]
    pub fn in_flight_bytes(self, in_flight_bytes: usize) -> Self {
        Options { in_flight_bytes, ..self }
    }

    /// How long a peer may take to be connected to, and to answer a block; one that takes longer is not asked again.
    /// It is looked at eight times in that while.
    #[must_use]
    pub fn answer_within(self, answer_within: Duration) -> Self {
        Options { answer_within, ..self }
    }
}

/// The blocks of one receiver, in its own memory and in that of peers. Dropping it waits for what is on its way; the
/// copies stay, here and there.
#[derive(Debug)]
pub struct Blocks {
    owner: u64,
    memory: Arc<Memory>,
    placing: Arc<Placing>,
    options: Options,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Blocks {
    /// Connects to every peer of a list. The first ones of it get the copies; the others take over from those that end
    /// or are full. One that is not reached counts as ended.
    pub fn connect(
        owner: u64,
        memory: Arc<Memory>,
        peers: &[SocketAddr],
        options: Options,
    ) -> Result<Blocks> {
        if options.factor == 0 || options.answer_within.is_zero() {
            let message = format!(
                "a factor or a time of nothing factor={} within={:?}",
                options.factor, options.answer_within
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        if options.need == Need::AllCopies && options.factor > 1 + peers.len() {
            let message =
                format!("fewer processes than copies factor={} peers={}", options.factor, peers.len());
            return Err(Error::new(Kind::Invalid, message));
        }
        let placing = Arc::new(Placing::new(owner, options.clone()));
        let blocks = Blocks { owner, memory, placing, options, threads: Mutex::default() };
        peers.iter().try_for_each(|&peer| blocks.add_peer(peer))?;
        Ok(blocks)
    }

    /// Connects to one more peer, which is asked behind the others: for one that came back, with nothing in its memory.
    pub fn add_peer(&self, address: SocketAddr) -> Result<()> {
        let reached = Link::reach(address, &self.options);
        let link = self.placing.add(|peer| Link::new(peer, address, reached, &self.options))?;
        let hears: Arc<dyn Hears> = self.placing.clone();
        self.threads.lock().expect("nobody panics with it").extend(link.start(&hears));
        Ok(())
    }

    /// Keeps a block in the own memory and sends it to peers. The bytes are shared, not copied. Waits only for room on
    /// the way; where the own memory has none the answer is [`Kind::Full`], and nothing was done.
    ///
    /// A number that is put again takes the place of the first.
    pub fn put(&self, number: u64, bytes: Bytes) -> Result<Ticket> {
        if bytes.len() > PAYLOAD_BYTES_MAX {
            let message = format!("a block is too long bytes={} bytes_max={PAYLOAD_BYTES_MAX}", bytes.len());
            return Err(Error::new(Kind::Invalid, message));
        }
        let block = Block::new(bytes);
        let room = self.memory.room(&block)?;
        room.keep(self.owner, number, block.clone());
        Ok(Ticket(self.placing.put(number, block)))
    }

    /// Removes all blocks below a number, here at once and on the peers soon. Blocks that are still on their way may
    /// stay with a peer that takes over until the next time.
    pub fn forget(&self, below: u64) {
        self.memory.forget(self.owner, below);
        self.placing.forget(below);
    }

    /// How many bytes were sent to peers and came back as answers.
    pub fn carried_bytes(&self) -> u64 {
        self.placing.links().iter().map(|link| link.carried_bytes()).sum()
    }

    /// The peers that are not asked any more, each with the reason.
    pub fn lost(&self) -> Vec<(SocketAddr, Error)> {
        let links = self.placing.links();
        links.iter().filter_map(|link| Some((link.address(), link.why_ended()?))).collect()
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.placing.drain();
        self.placing.links().iter().for_each(|link| link.close());
        for thread in self.threads.lock().expect("nobody panics with it").drain(..) {
            let _ = thread.join();
        }
    }
}
