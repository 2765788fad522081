//! Blocks in the memory of several processes, as replication without a log has them, or beside a log.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use headwater::checkpoint::receive::Remote;
use headwater::receiver::{Answer, Driver, ReceiverLog, Report};
use headwater::store::Store;
use headwater::{Position, Reader};
use headwater_benches::replica::{Blocks, Memory, Need, Options as Choices, Peer};

use crate::children::Who;
use crate::options::Options;
use crate::place::Place;
use crate::{Result, tell};

/// How many bytes of blocks a process keeps.
const BYTES_MAX: usize = 1 << 30;

/// A driver that hears of blocks only once their copies are there.
#[derive(Debug)]
pub(crate) struct Copying {
    driver: Remote,
    copies: Option<Copies>,
}

/// The blocks of one receiver's log: in its own memory, and in that of others.
#[derive(Debug)]
struct Copies {
    reader: Reader,
    place: Place,
    factor: usize,
    memory: Arc<Memory>,
    /// Lets the driver read what this process has.
    _serves: Peer,
    sending: Mutex<Option<Sending>>,
}

/// To whom the blocks of a log go.
#[derive(Debug)]
struct Sending {
    log: u64,
    blocks: Blocks,
    to: Vec<SocketAddr>,
}

impl Copying {
    pub(crate) fn new(
        driver: Remote,
        of: &Options,
        place: &Place,
        log: Arc<dyn Store>,
        number: u32,
    ) -> Result<Copying> {
        if !of.keeps_copies() {
            return Ok(Copying { driver, copies: None });
        }
        let memory = Memory::new(BYTES_MAX);
        let copies = Copies {
            reader: Reader::open(log)?,
            place: place.clone(),
            factor: of.replicas,
            _serves: serve(Who("receiver", number), place, memory.clone())?,
            memory,
            sending: Mutex::default(),
        };
        Ok(Copying { driver, copies: Some(copies) })
    }
}

impl Copying {
    /// Waits until the driver has worked off what this process has and perhaps nobody else, but not for ever.
    pub(crate) fn is_needed_until(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        while self.copies.as_ref().is_some_and(|copies| copies.memory.bytes() > 0) && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Driver for Copying {
    fn settled(&self, log: ReceiverLog) -> headwater::Result<Option<Position>> {
        self.driver.settled(log)
    }

    fn report(&self, blocks: &[Report]) -> headwater::Result<Vec<Answer>> {
        if let Some(copies) = &self.copies {
            copies.make(blocks)?;
        }
        self.driver.report(blocks)
    }

    fn pass_over(&self, block: &Report) -> headwater::Result<Answer> {
        self.driver.pass_over(block)
    }

    fn released(&self, log: ReceiverLog) -> headwater::Result<Position> {
        self.driver.released(log)
    }
}

impl Copies {
    /// Returns when there are as many copies as can be, as Spark does.
    fn make(&self, blocks: &[Report]) -> headwater::Result<()> {
        let Some(first) = blocks.first() else { return Ok(()) };
        let mut sending = self.sending(first.handle.identity())?;
        let sending = sending.as_mut().expect("it was just made");
        let mut tickets = Vec::with_capacity(blocks.len());
        for block in blocks {
            let payload = self.reader.read(&block.handle)?.payload;
            tickets.push(sending.blocks.put(block.handle.position().0, payload)?);
        }
        let mut is_short = false;
        for ticket in tickets {
            is_short |= ticket.wait()?.is_short();
        }
        if is_short {
            tell("short-of-copies");
            self.look_again(sending)?;
        }
        Ok(())
    }

    fn sending(&self, log: u64) -> headwater::Result<MutexGuard<'_, Option<Sending>>> {
        let mut sending = self.sending.lock().expect("nobody panics with it");
        if sending.as_ref().is_none_or(|sending| sending.log != log) {
            let choices = Choices::default().factor(self.factor).need(Need::BestEffort);
            let to = self.others();
            let blocks = Blocks::connect(log, self.memory.clone(), &to, choices)?;
            *sending = Some(Sending { log, blocks, to });
        }
        Ok(sending)
    }

    /// Somebody who died may have come back at another place.
    fn look_again(&self, sending: &mut Sending) -> headwater::Result<()> {
        for address in self.others() {
            if !sending.to.contains(&address) {
                sending.blocks.add_peer(address)?;
                sending.to.push(address);
            }
        }
        Ok(())
    }

    fn others(&self) -> Vec<SocketAddr> {
        let names = (0..self.factor as u32 - 1).map(|number| Who("copy", number).to_string());
        names.filter_map(|name| self.place.find(&name).ok()).collect()
    }
}

/// Keeps copies for others, until it is told to stop.
pub(crate) fn keep(place: &Place, number: u32) -> Result<()> {
    let _serves = serve(Who("copy", number), place, Memory::new(BYTES_MAX))?;
    tell("ready");
    let (stop, stopped) = std::sync::mpsc::channel();
    crate::when_told_to_stop(move || stop.send(()).unwrap_or_default());
    Ok(stopped.recv()?)
}

fn serve(who: Who, place: &Place, memory: Arc<Memory>) -> Result<Peer> {
    let peer = Peer::serve(TcpListener::bind("127.0.0.1:0")?, memory)?;
    place.tell(&who.to_string(), peer.address())?;
    Ok(peer)
}
