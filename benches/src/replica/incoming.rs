//! The frames that come in on a connection.

use std::io::{self, ErrorKind, IoSliceMut, Read};
use std::net::TcpStream;

use headwater_wal::Result;

use super::wire::{HEADER_BYTES, Header, gone};

/// So much is read ahead of a header: many answers in one read, and little of a block that has to be copied once more.
const AHEAD_BYTES: usize = 4096;

/// What came of a connection.
#[derive(Debug)]
pub(super) enum Came {
    Header(Header),
    /// Nothing whole within the connection's read timeout.
    Nothing,
    /// The other side has closed it, between two frames.
    Close,
}

/// The frames that come in on a connection.
///
/// One read takes a payload straight to where it will stay, and with it the header that follows.
#[derive(Debug)]
pub(super) struct Incoming {
    ahead: Box<[u8; AHEAD_BYTES]>,
    /// What of `ahead` was read and not yet used.
    begin: usize,
    end: usize,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Incoming { ahead: Box::new([0; AHEAD_BYTES]), begin: 0, end: 0 }
    }

    /// The next frame's header. Its payload, if it has one, must be taken before the next call.
    pub(super) fn header(&mut self, mut stream: &TcpStream) -> Result<Came> {
        while !self.is_at_hand() {
            self.ahead.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            match stream.read(&mut self.ahead[self.end..]) {
                Ok(0) if self.end == 0 => return Ok(Came::Close),
                Ok(0) => return Err(gone(ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.end += read,
                Err(error) if is_timeout(&error) => return Ok(Came::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(error)),
            }
        }
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(&self.ahead[self.begin..][..HEADER_BYTES]);
        self.begin += HEADER_BYTES;
        Header::decode(&bytes).map(Came::Header)
    }

    /// Fills a payload's place.
    pub(super) fn payload(&mut self, mut stream: &TcpStream, mut place: &mut [u8]) -> Result<()> {
        let copied = place.len().min(self.end - self.begin);
        place[..copied].copy_from_slice(&self.ahead[self.begin..][..copied]);
        self.begin += copied;
        place = &mut place[copied..];
        while !place.is_empty() {
            // The place was not filled from `ahead`, so that is used up.
            (self.begin, self.end) = (0, 0);
            let mut slices = [IoSliceMut::new(place), IoSliceMut::new(&mut self.ahead[..])];
            match stream.read_vectored(&mut slices) {
                Ok(0) => return Err(gone(ErrorKind::UnexpectedEof.into())),
                Ok(read) => {
                    let filled = read.min(place.len());
                    self.end = read - filled;
                    place = &mut place[filled..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(error)),
            }
        }
        Ok(())
    }

    /// Passes over a payload, without room for it.
    pub(super) fn skip(&mut self, stream: &TcpStream, mut bytes: usize) -> Result<()> {
        let mut place = vec![0; bytes.min(64 << 10)];
        while bytes > 0 {
            let part = bytes.min(place.len());
            self.payload(stream, &mut place[..part])?;
            bytes -= part;
        }
        Ok(())
    }

    /// Whether the next header has come already.
    pub(super) fn is_at_hand(&self) -> bool {
        self.end - self.begin >= HEADER_BYTES
    }

    /// Whether a part of the next header has come.
    pub(super) fn is_within(&self) -> bool {
        self.end > self.begin
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
