//! A stream of bytes in checked pieces, written and read in bounded memory; the bytes are stated in [`save`](super::save).

use std::io::{self, Read, Write};

use headwater_wal::{Error, Kind, Result};

use super::fields::Fields;

/// The most bytes that a piece holds.
const PIECE_BYTES: usize = 64 * 1024;

const HEAD_BYTES: usize = 8;

/// Writes pieces.
pub(super) struct Sealing<'a> {
    to: &'a mut dyn Write,
    piece: Vec<u8>,
    check: u32,
}

impl<'a> Sealing<'a> {
    pub(super) fn new(to: &'a mut dyn Write) -> Self {
        Sealing { to, piece: Vec::with_capacity(PIECE_BYTES), check: 0 }
    }

    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            let room = PIECE_BYTES - self.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if bytes.is_empty() {
                return Ok(());
            }
            self.write_piece()?;
        }
    }

    /// Writes what is left, and the end.
    pub(super) fn end(mut self) -> Result<()> {
        if !self.piece.is_empty() {
            self.write_piece()?;
        }
        self.write_piece()?;
        self.to.flush().map_err(unavailable)
    }

    fn write_piece(&mut self) -> Result<()> {
        let len = (self.piece.len() as u32).to_le_bytes();
        self.check = check(self.check, len, &self.piece);
        for bytes in [&self.check.to_le_bytes()[..], &len, &self.piece] {
            self.to.write_all(bytes).map_err(unavailable)?;
        }
        self.piece.clear();
        Ok(())
    }
}

/// Reads pieces.
pub(super) struct Unsealing<'a> {
    from: &'a mut dyn Read,
    piece: Vec<u8>,
    at: usize,
    check: u32,
    taken: Vec<u8>,
}

impl<'a> Unsealing<'a> {
    pub(super) fn new(from: &'a mut dyn Read) -> Self {
        Unsealing { from, piece: Vec::new(), at: 0, check: 0, taken: Vec::new() }
    }

    /// The next so many bytes, all of them verified. Whoever asks knows that so many are not too many.
    pub(super) fn take(&mut self, len: usize) -> Result<Fields<'_>> {
        self.taken.clear();
        self.take_more(len)
    }

    /// As `take`, but what was taken last stays before it.
    pub(super) fn take_more(&mut self, len: usize) -> Result<Fields<'_>> {
        let mut missing = len;
        while missing > 0 {
            if self.at == self.piece.len() && self.read_piece()? == 0 {
                return Err(damaged("a saved state ends before all of it was there"));
            }
            let now = missing.min(self.piece.len() - self.at);
            self.taken.extend_from_slice(&self.piece[self.at..self.at + now]);
            self.at += now;
            missing -= now;
        }
        Ok(Fields(&self.taken))
    }

    /// Makes sure that this is the end.
    pub(super) fn end(mut self) -> Result<()> {
        let nothing_left = self.at == self.piece.len() && self.read_piece()? == 0;
        let mut behind = [0];
        if nothing_left && self.from.read(&mut behind).map_err(unavailable)? == 0 {
            return Ok(());
        }
        Err(damaged("a saved state goes on behind its end"))
    }

    fn read_piece(&mut self) -> Result<usize> {
        let mut head = [0; HEAD_BYTES];
        self.read(&mut head)?;
        let fields = &mut Fields(&head);
        let (stated, len) = (fields.u32().unwrap_or(0), fields.u32().unwrap_or(u32::MAX) as usize);
        if len > PIECE_BYTES {
            return Err(damaged("a piece of a saved state is longer than any")); // S2
        }
        let mut piece = std::mem::take(&mut self.piece);
        piece.resize(len, 0);
        self.read(&mut piece)?;
        self.check = check(self.check, (len as u32).to_le_bytes(), &piece);
        if self.check != stated {
            return Err(damaged("a piece of a saved state does not verify")); // S3
        }
        (self.piece, self.at) = (piece, 0);
        Ok(len)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("a saved state ends in the middle"), // S1
            _ => unavailable(error),
        })
    }
}

fn check(before: u32, len: [u8; 4], piece: &[u8]) -> u32 {
    let check = crc32c::crc32c_append(crc32c::crc32c(&before.to_le_bytes()), &len);
    crc32c::crc32c_append(check, piece)
}

fn unavailable(error: io::Error) -> Error {
    Error::new(Kind::Unavailable, "a saved state could not be read or written").because(error)
}

pub(super) fn damaged(message: &str) -> Error {
    Error::new(Kind::Damaged, message)
}
