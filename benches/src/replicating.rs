//! Blocks made safe in the memory of other processes, beside blocks in a log on local disk, beside bytes that are only
//! carried to other processes and dropped there.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::store::Local;
use headwater_wal::{Compression, Durability, Error, Kind, Log, Options, Position, Result};

use crate::replica::{self, Blocks, Memory};

/// So many bytes may wait for their acknowledgement at full speed, in every way.
const ON_THE_WAY_BYTES: usize = 8 << 20;
/// So much is kept in memory, before the oldest are forgotten as a runtime does whose batches are done.
const KEPT_BYTES: usize = 64 << 20;

/// How a block is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// So many copies in memory, one of them in the own process.
    Copies(usize),
    /// Appended to a log on local disk.
    Log(Durability),
    /// Not at all: carried to so many processes as bare bytes, which drop them. Nothing over TCP can be faster.
    Raw(usize),
}

/// What a way came to.
#[derive(Debug)]
pub struct Figures {
    /// Bytes of blocks a second, many on their way.
    pub bytes_per_second: f64,
    /// How long each block took whose acknowledgement was waited for before the next was put, sorted.
    pub alone: Vec<Duration>,
}

/// Where blocks go.
#[derive(Debug)]
pub struct Replicating {
    /// The folder for logs.
    pub folder: PathBuf,
    /// Processes that keep blocks, with at least 128 MiB for each owner.
    pub peers: Vec<SocketAddr>,
    /// Processes that [`swallow`] bytes.
    pub sinks: Vec<SocketAddr>,
}

impl Replicating {
    /// Blocks of one size, at full speed and then one at a time. An owner's number is used once.
    pub fn run(&self, owner: u64, way: Way, bytes: usize, blocks: u64, alone: u64) -> Result<Figures> {
        match way {
            Way::Copies(factor) => self.copies(owner, factor, bytes, blocks, alone),
            Way::Log(durability) => self.log(durability, bytes, blocks, alone),
            Way::Raw(sinks) => {
                let took = carry(&self.sinks[..sinks], bytes, blocks).map_err(|error| {
                    Error::new(Kind::Unavailable, "bytes were not carried").because(error)
                })?;
                Ok(Figures {
                    bytes_per_second: (bytes as u64 * blocks) as f64 / took.as_secs_f64(),
                    alone: vec![],
                })
            }
        }
    }

    fn copies(&self, owner: u64, factor: usize, bytes: usize, blocks: u64, alone: u64) -> Result<Figures> {
        let options = replica::Options::default().factor(factor).in_flight_bytes(2 * ON_THE_WAY_BYTES);
        let memory = Memory::new(4 * KEPT_BYTES);
        let to = Blocks::connect(owner, memory, &self.peers[..factor - 1], options)?;
        let kept = (KEPT_BYTES / bytes) as u64;
        let put = |number: u64, block: Bytes| {
            if number > kept && number.is_multiple_of(16) {
                to.forget(number - kept);
            }
            to.put(number, block)
        };
        let figures = figures(bytes, blocks, alone, put, |ticket| ticket.wait().map(drop))?;
        to.forget(u64::MAX);
        Ok(figures)
    }

    fn log(&self, durability: Durability, bytes: usize, blocks: u64, alone: u64) -> Result<Figures> {
        let place = crate::place(&self.folder);
        let options = Options::default().compression(Compression::Off).durability(durability);
        let store = Arc::new(Local::open(place.path().join("log"))?);
        let log = Log::open(store, options)?.start(Position::START)?;
        let put = |_, block| log.append(log.now(), block);
        let figures = figures(bytes, blocks, alone, put, |ticket| ticket.wait().map(drop))?;
        log.close()?;
        Ok(figures)
    }
}

fn figures<T>(
    bytes: usize,
    blocks: u64,
    alone: u64,
    mut put: impl FnMut(u64, Bytes) -> Result<T>,
    mut wait: impl FnMut(T) -> Result<()>,
) -> Result<Figures> {
    let input = vec![0x5A; bytes];
    // A receiver makes a block of records that are not its to keep: so each is new memory, in every way.
    let mut put = |number| put(number, Bytes::copy_from_slice(&input));
    for number in 0..8 {
        let ticket = put(number)?; // it is warm
        wait(ticket)?;
    }
    let (mut tickets, at_once) = (VecDeque::new(), (ON_THE_WAY_BYTES / bytes).max(2));
    let began = Instant::now();
    for number in 8..8 + blocks {
        if tickets.len() == at_once {
            tickets.pop_front().map_or(Ok(()), &mut wait)?;
        }
        tickets.push_back(put(number)?);
    }
    tickets.into_iter().try_for_each(&mut wait)?;
    let bytes_per_second = (bytes as u64 * blocks) as f64 / began.elapsed().as_secs_f64();
    let mut waits = Vec::new();
    for number in 8 + blocks..8 + blocks + alone {
        let began = Instant::now();
        let ticket = put(number)?;
        wait(ticket)?;
        waits.push(began.elapsed());
    }
    waits.sort();
    Ok(Figures { bytes_per_second, alone: waits })
}

/// How long it takes to carry blocks to each of some processes, a connection and a thread for each: until all say that
/// they have had everything.
fn carry(sinks: &[SocketAddr], bytes: usize, blocks: u64) -> std::io::Result<Duration> {
    let streams = sinks.iter().map(TcpStream::connect).collect::<std::io::Result<Vec<_>>>()?;
    let block = vec![0x5A; bytes];
    let began = Instant::now();
    std::thread::scope(|scope| {
        let carry = |mut stream: TcpStream| {
            for _ in 0..blocks {
                stream.write_all(&block)?;
            }
            stream.shutdown(Shutdown::Write)?;
            stream.read_exact(&mut [0])
        };
        let threads: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || carry(stream))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that writes"))
    })?;
    Ok(began.elapsed())
}

/// Reads what comes on each connection into the same memory again and again, and says so at its end.
pub fn swallow(listener: &TcpListener) -> std::io::Result<()> {
    for stream in listener.incoming() {
        let mut stream = stream?;
        std::thread::spawn(move || {
            let mut buffer = vec![0; 256 << 10];
            while let Ok(1..) = stream.read(&mut buffer) {}
            stream.write_all(&[1])
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Peer;

    #[test]
    fn every_way_carries_blocks() {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let peers = [(); 2].map(|()| Peer::serve(listen(), Memory::new(256 << 20)).unwrap());
        let sink = listen();
        let sinks = vec![sink.local_addr().unwrap(); 2];
        std::thread::spawn(move || swallow(&sink));
        let folder = std::env::temp_dir();
        let to = Replicating { folder, peers: peers.iter().map(Peer::address).collect(), sinks };
        let logs = [Durability::Power, Durability::Process].map(Way::Log);
        let ways =
            [Way::Copies(1), Way::Copies(2), Way::Copies(3), logs[0], logs[1], Way::Raw(1), Way::Raw(2)];
        for (owner, way) in (0..).zip(ways) {
            let figures = to.run(owner, way, 16 << 10, 20, 5).unwrap();
            assert!(figures.bytes_per_second > 0.0);
            assert_eq!(figures.alone.len(), if matches!(way, Way::Raw(_)) { 0 } else { 5 });
        }
    }
}
