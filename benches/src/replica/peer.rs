//! A process that keeps others' blocks: what it takes over TCP it answers when it has it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use headwater_wal::{Kind as ErrorKind, Result};

use super::incoming::{Came, Incoming};
use super::memory::Memory;
use super::wire::{Frame, HEADER_BYTES, Header, Kind, damaged, gone, send};

/// So long the rest of a frame may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers wait while more blocks are at hand, until so many bytes of blocks were kept since the last ones.
const ANSWER_BYTES: usize = 256 << 10;

const CONNECTIONS_MAX: usize = 256;

/// A [`Memory`] that others keep blocks in and read them from. Dropping it ends it and all its connections; the blocks
/// stay in the memory.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    connections: Arc<Mutex<Connections>>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Connections {
    is_ended: bool,
    next: u64,
    streams: HashMap<u64, TcpStream>,
}

impl Peer {
    /// Serves a memory to whoever connects. There is no authentication: listen where only friends can connect.
    pub fn serve(listener: TcpListener, memory: Arc<Memory>) -> Result<Peer> {
        let address = listener.local_addr().map_err(gone)?;
        let connections = Arc::new(Mutex::new(Connections::default()));
        let accepting = thread::Builder::new().name("replica-accept".into()).spawn({
            let connections = connections.clone();
            move || accept(&listener, &memory, &connections)
        });
        Ok(Peer { address, connections, accepting: Some(accepting.map_err(gone)?) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        lock(&self.connections).is_ended = true;
        // The thread waits for connections: one more lets it see that it is over.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().expect("nobody panics with it")
}

/// Takes connections until the peer is ended, then ends them.
fn accept(listener: &TcpListener, memory: &Arc<Memory>, connections: &Arc<Mutex<Connections>>) {
    let mut serving: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if lock(connections).is_ended {
            break;
        }
        serving.retain(|thread| !thread.is_finished());
        let Ok(stream) = stream else {
            // Most likely there are no more file descriptors; some may come back.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        if serving.len() < CONNECTIONS_MAX {
            serving.extend(begin(stream, memory, connections));
        }
    }
    for stream in lock(connections).streams.values() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in serving {
        let _ = thread.join();
    }
}

/// Serves a connection in a thread of its own; drops it if there can be none.
fn begin(
    stream: TcpStream,
    memory: &Arc<Memory>,
    connections: &Arc<Mutex<Connections>>,
) -> Option<JoinHandle<()>> {
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let clone = stream.try_clone().ok()?;
    let number = {
        let mut connections = lock(connections);
        connections.next += 1;
        let number = connections.next;
        connections.streams.insert(number, clone);
        number
    };
    let (memory, ended) = (memory.clone(), connections.clone());
    let thread = thread::Builder::new().name("replica-keep".into()).spawn(move || {
        let mut connection =
            Connection { stream: &stream, memory: &memory, answers: Vec::new(), kept_bytes: 0 };
        if connection.serve().is_err_and(|error| error.kind() != ErrorKind::Unavailable) {
            connection.refuse();
        }
        let _ = stream.shutdown(Shutdown::Both);
        lock(&ended).streams.remove(&number);
    });
    if thread.is_err() {
        lock(connections).streams.remove(&number);
    }
    thread.ok()
}

struct Connection<'a> {
    stream: &'a TcpStream,
    memory: &'a Memory,
    /// Answers that are not written yet: one write for many.
    answers: Vec<u8>,
    /// The bytes of the blocks that they answer.
    kept_bytes: usize,
}

impl Connection<'_> {
    fn serve(&mut self) -> Result<()> {
        let mut incoming = Incoming::new();
        loop {
            let header = match incoming.header(self.stream)? {
                Came::Header(header) => header,
                // An owner may have nothing to say for long, but it ends what it has begun.
                Came::Nothing if !incoming.is_within() => continue,
                Came::Nothing => return Err(damaged("a frame that does not go on")),
                Came::Close => return Ok(()),
            };
            let answer = match header.kind {
                Kind::Block => self.keep(&mut incoming, &header)?,
                Kind::Forget => {
                    self.memory.forget(header.owner, header.number);
                    Header::bare(Kind::Forgotten, header.owner, header.number)
                }
                Kind::Read => {
                    self.answer()?;
                    self.send_all(header.owner)?
                }
                kind => return Err(damaged(format!("a frame that asks nothing of a peer kind={kind:?}"))),
            };
            self.answers.extend_from_slice(&answer.encode());
            if !incoming.is_at_hand() || self.kept_bytes >= ANSWER_BYTES {
                self.answer()?;
            }
        }
    }

    /// Keeps a block if there is room; nothing is allotted for one that there is no room for.
    fn keep(&mut self, incoming: &mut Incoming, header: &Header) -> Result<Header> {
        let bytes = header.payload_bytes as usize;
        let Ok((room, mut buffer)) = self.memory.buffer(bytes) else {
            incoming.skip(self.stream, bytes)?;
            return Ok(Header::bare(Kind::Full, header.owner, header.number));
        };
        incoming.payload(self.stream, &mut buffer[..bytes])?;
        header.verify(&buffer[..bytes])?;
        room.keep_received(header.owner, header.number, buffer, bytes, header.payload_crc);
        self.kept_bytes += bytes;
        Ok(Header::bare(Kind::Kept, header.owner, header.number))
    }

    fn answer(&mut self) -> Result<()> {
        let mut stream = self.stream;
        stream.write_all(&self.answers).map_err(gone)?;
        self.answers.clear();
        self.kept_bytes = 0;
        Ok(())
    }

    /// Sends all blocks of an owner, and returns what ends them. Those that are forgotten meanwhile are sent too, and
    /// their memory is free when they were.
    fn send_all(&mut self, owner: u64) -> Result<Header> {
        let blocks = self.memory.blocks(owner);
        let count = blocks.len() as u64;
        for some in blocks.chunks(16) {
            let frames: Vec<_> =
                some.iter().map(|(number, block)| Frame::block(owner, *number, block)).collect();
            send(self.stream, &frames).map_err(gone)?;
        }
        Ok(Header::bare(Kind::End, owner, count))
    }

    /// Says that what came was not valid. What is still coming is read and dropped for a while: a connection that is
    /// closed with something unread loses what was written last, which is the reason.
    fn refuse(&mut self) {
        self.answers.extend_from_slice(&Header::bare(Kind::Refused, 0, 0).encode());
        if self.answer().is_err() || self.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let _ = self.stream.set_read_timeout(Some(Duration::from_secs(1)));
        let (mut stream, mut dropped) = (self.stream, [0; HEADER_BYTES * 1024]);
        for _ in 0..1024 {
            if !matches!(stream.read(&mut dropped), Ok(1..)) {
                return;
            }
        }
    }
}
