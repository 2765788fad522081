//! What goes over a connection: frames of a header and, in some kinds, a payload.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of the 28 bytes that follow |
//! | 4 | 2 | magic `HR` |
//! | 6 | 1 | version, 1 |
//! | 7 | 1 | kind |
//! | 8 | 8 | owner |
//! | 16 | 8 | number of a block |
//! | 24 | 4 | bytes of the payload |
//! | 28 | 4 | CRC-32C of the payload |
//!
//! Little-endian. A header is valid if
//! 1. its checksum is right,
//! 2. magic and version are these,
//! 3. the kind is one of [`Kind`],
//! 4. the payload is at most [`PAYLOAD_BYTES_MAX`] long, and empty but for a block.
//!
//! A block is valid if, besides, 5. its payload's checksum is right. After a frame that is not valid nothing more of the
//! connection is believed.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::TcpStream;

use bytes::Bytes;
use headwater_wal::{Error, Kind as Of, Result};

use super::memory::Block;

pub(super) const HEADER_BYTES: usize = 32;

/// The longest payload.
pub(super) const PAYLOAD_BYTES_MAX: usize = 256 << 20;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A block: to keep, or one of those that were asked for.
    Block = 1,
    /// The block is kept.
    Kept = 2,
    /// There is no room for the block.
    Full = 3,
    /// What was sent is not valid; the connection ends.
    Refused = 4,
    /// Blocks of the owner below the number are not needed any more.
    Forget = 5,
    /// They are gone.
    Forgotten = 6,
    /// All blocks of the owner are asked for.
    Read = 7,
    /// There are no more; the number says how many there were.
    End = 8,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) owner: u64,
    pub(super) number: u64,
    pub(super) payload_bytes: u32,
    pub(super) payload_crc: u32,
}

impl Header {
    /// The header of a frame without a payload.
    pub(super) fn bare(kind: Kind, owner: u64, number: u64) -> Header {
        Header { kind, owner, number, payload_bytes: 0, payload_crc: 0 }
    }

    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[4..6].copy_from_slice(b"HR");
        bytes[6] = 1;
        bytes[7] = self.kind as u8;
        bytes[8..16].copy_from_slice(&self.owner.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Header> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(0) != crc32c::crc32c(&bytes[4..]) {
            return Err(damaged("a frame's header fails its checksum")); // 1
        }
        if bytes[4..6] != *b"HR" || bytes[6] != 1 {
            let message = format!("a frame of another protocol version={}", bytes[6]); // 2
            return Err(Error::new(Of::Unsupported, message));
        }
        let kind = match bytes[7] {
            1 => Kind::Block,
            2 => Kind::Kept,
            3 => Kind::Full,
            4 => Kind::Refused,
            5 => Kind::Forget,
            6 => Kind::Forgotten,
            7 => Kind::Read,
            8 => Kind::End,
            other => return Err(damaged(format!("a frame of no known kind kind={other}"))), // 3
        };
        let payload_bytes = word(24);
        if payload_bytes as usize > PAYLOAD_BYTES_MAX || (kind != Kind::Block && payload_bytes != 0) {
            return Err(damaged(format!("a frame of no possible length bytes={payload_bytes}"))); // 4
        }
        Ok(Header { kind, owner: long(8), number: long(16), payload_bytes, payload_crc: word(28) })
    }

    /// Refuses a payload that is not the one that was sent.
    pub(super) fn verify(&self, payload: &[u8]) -> Result<()> {
        if crc32c::crc32c(payload) == self.payload_crc {
            return Ok(()); // 5
        }
        Err(damaged(format!("a block fails its checksum owner={} number={}", self.owner, self.number)))
    }
}

pub(super) fn damaged(message: impl Into<String>) -> Error {
    Error::new(Of::Damaged, message)
}

/// A frame on its way out. Its payload is shared, not copied.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    header: [u8; HEADER_BYTES],
    payload: Bytes,
}

impl Frame {
    /// The frame that carries a block.
    pub(super) fn block(owner: u64, number: u64, block: &Block) -> Frame {
        let payload_bytes = u32::try_from(block.bytes.len()).expect("a block is at most that long");
        let header = Header { kind: Kind::Block, owner, number, payload_bytes, payload_crc: block.crc };
        Frame { header: header.encode(), payload: block.bytes.clone() }
    }

    pub(super) fn bare(kind: Kind, owner: u64, number: u64) -> Frame {
        Frame { header: Header::bare(kind, owner, number).encode(), payload: Bytes::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }
}

/// Writes frames, as many at once as the kernel takes.
pub(super) fn send(mut stream: &TcpStream, frames: &[Frame]) -> io::Result<()> {
    let parts = frames.iter().flat_map(|frame| [IoSlice::new(&frame.header), IoSlice::new(&frame.payload)]);
    let mut slices: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match stream.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The error of a connection that has ended or does not move.
pub(super) fn gone(error: io::Error) -> Error {
    Error::new(Of::Unavailable, "the connection has failed").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_any_bit_flipped_is_refused() {
        let header = Header {
            kind: Kind::Block,
            owner: 7,
            number: 1 << 40,
            payload_bytes: 9,
            payload_crc: 0xDEAD_BEEF,
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes).unwrap(), header);
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_header_that_its_checksum_matches_may_still_be_refused() {
        let with = |at: usize, byte: u8| {
            let mut bytes = Header::bare(Kind::Kept, 1, 2).encode();
            bytes[at] = byte;
            let crc = crc32c::crc32c(&bytes[4..]);
            bytes[..4].copy_from_slice(&crc.to_le_bytes());
            Header::decode(&bytes).map_err(|error| error.kind())
        };
        assert!(with(7, Kind::Full as u8).is_ok());
        assert_eq!(with(6, 2), Err(Of::Unsupported));
        assert_eq!(with(7, 0), Err(Of::Damaged));
        assert_eq!(with(7, 9), Err(Of::Damaged));
        assert_eq!(with(24, 1), Err(Of::Damaged), "only a block has a payload");
        assert_eq!(with(27, 0xFF), Err(Of::Damaged));
    }
}
