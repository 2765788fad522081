//! What a peer holds: for who comes after a receiver has died.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use headwater_wal::{Error, Kind as ErrorKind, Result};

use super::incoming::{Came, Incoming};
use super::wire::{Frame, Header, Kind, damaged, gone, send};

/// So long a peer may take to be reached, and to go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads all blocks of an owner that a peer holds, in order of their numbers, one at a time.
///
/// An error means that this peer is of no help: gone ([`Unavailable`](ErrorKind::Unavailable)) or not to be believed.
/// What was read before it is good, but not all. Blocks that no peer holds any more are lost, and no peer can say that
/// they were.
pub fn read(address: SocketAddr, owner: u64) -> Result<Read> {
    Ok(Read { asked: Asked::new(address, Kind::Read, owner, 0)?, owner, given: 0, is_ended: false })
}

/// Tells a peer that blocks of an owner below a number are not needed any more: what an owner that died did not tell.
pub fn forget(address: SocketAddr, owner: u64, below: u64) -> Result<()> {
    let mut asked = Asked::new(address, Kind::Forget, owner, below)?;
    match asked.next()? {
        header if header == Header::bare(Kind::Forgotten, owner, below) => Ok(()),
        header => Err(asked.nonsense(header)),
    }
}

/// The blocks that a peer sends, each with its number. It ends with the last one, or with an error.
#[derive(Debug)]
pub struct Read {
    asked: Asked,
    owner: u64,
    given: u64,
    is_ended: bool,
}

impl Iterator for Read {
    type Item = Result<(u64, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_ended {
            return None;
        }
        let next = self.take();
        self.is_ended = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl Read {
    fn take(&mut self) -> Result<Option<(u64, Bytes)>> {
        let header = self.asked.next()?;
        match header.kind {
            Kind::Block if header.owner == self.owner => {
                let mut payload = vec![0; header.payload_bytes as usize];
                self.asked.incoming.payload(&self.asked.stream, &mut payload)?;
                header.verify(&payload)?;
                self.given += 1;
                Ok(Some((header.number, payload.into())))
            }
            Kind::End if header.number == self.given => Ok(None),
            _ => Err(self.asked.nonsense(header)),
        }
    }
}

/// A connection on which a peer was asked something.
#[derive(Debug)]
struct Asked {
    address: SocketAddr,
    stream: TcpStream,
    incoming: Incoming,
}

impl Asked {
    fn new(address: SocketAddr, kind: Kind, owner: u64, number: u64) -> Result<Asked> {
        let ask = || {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            send(&stream, &[Frame::bare(kind, owner, number)])?;
            Ok(stream)
        };
        let stream = ask().map_err(|error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("a peer is not reached peer={address}")).because(error)
        })?;
        Ok(Asked { address, stream, incoming: Incoming::new() })
    }

    fn next(&mut self) -> Result<Header> {
        match self.incoming.header(&self.stream)? {
            Came::Header(header) => Ok(header),
            Came::Nothing => Err(gone(std::io::ErrorKind::TimedOut.into())),
            Came::Close => Err(gone(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn nonsense(&self, header: Header) -> Error {
        damaged(format!("an answer to another question peer={} kind={:?}", self.address, header.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_end_that_counts_other_blocks_than_came_is_none() {
        for (count, is_good) in [(0, true), (1, false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let read = read(listener.local_addr().unwrap(), 7).unwrap();
            let (stream, _) = listener.accept().unwrap();
            send(&stream, &[Frame::bare(Kind::End, 7, count)]).unwrap();
            assert_eq!(
                read.map(|block| block.is_ok()).collect::<Vec<_>>(),
                vec![false; usize::from(!is_good)]
            );
        }
    }
}
