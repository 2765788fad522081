//! A connection on which frames go to and fro, each within a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use headwater_wal::Result;

use super::wire;

/// So much room is made at once for what a frame's head has announced, before any of it has come.
const ROOM_BYTES: usize = 64 << 10;

/// What came of waiting for a frame.
pub(super) enum Heard {
    /// A frame, whole; nothing else about it is known.
    Frame(Vec<u8>),
    /// The other side has ended the connection, in due form: between two frames.
    Over,
}

/// Why there is no frame.
pub(super) enum Deaf {
    /// The connection broke, or it took too long.
    Io(io::Error),
    /// What came is no frame, and nobody knows where the next one would begin.
    Wrong(headwater_wal::Error),
}

impl From<io::Error> for Deaf {
    fn from(error: io::Error) -> Self {
        Deaf::Io(error)
    }
}

/// Sends a frame. After an error part of it may have gone out: the connection is of no more use.
pub(super) fn send(stream: &TcpStream, frame: &[u8], until: Instant) -> io::Result<()> {
    let mut rest = frame;
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match (&mut &*stream).write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for the first byte of a frame until `begun`, and, once that is there, for the rest until `whole`.
pub(super) fn hear(
    stream: &TcpStream,
    begun: Instant,
    whole: impl FnOnce() -> Instant,
) -> Result<Heard, Deaf> {
    let mut head = [0; wire::HEAD_BYTES];
    if read(stream, &mut head[..1], begun)? == 0 {
        return Ok(Heard::Over);
    }
    let until = whole();
    fill(stream, &mut head[1..], until)?;
    let len = wire::body_len(head).map_err(Deaf::Wrong)?;
    let mut frame = head.to_vec();
    // What is announced is bounded, but room is made for it only as it comes.
    while frame.len() < wire::HEAD_BYTES + len {
        let at = frame.len();
        frame.resize(at + ROOM_BYTES.min(wire::HEAD_BYTES + len - at), 0);
        fill(stream, &mut frame[at..], until)?;
    }
    Ok(Heard::Frame(frame))
}

fn fill(stream: &TcpStream, mut room: &mut [u8], until: Instant) -> io::Result<()> {
    while !room.is_empty() {
        match read(stream, room, until)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => room = &mut room[read..],
        }
    }
    Ok(())
}

fn read(stream: &TcpStream, room: &mut [u8], until: Instant) -> io::Result<usize> {
    loop {
        stream.set_read_timeout(Some(left(until)?))?;
        match (&mut &*stream).read(room) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A socket's time-out is never zero, which would mean for ever.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}
