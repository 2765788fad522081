//! Checksums that know where they belong, and the little-endian words that everything is made of.

use super::handle::Position;

/// What a checksum is seeded with besides its place: which log, and which life of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Life {
    /// The short identity of the log.
    pub identity: u64,
    /// The writer's epoch.
    pub epoch: u64,
}

impl Life {
    /// The checksum of `bytes` that lie at `position` in this life of the log.
    ///
    /// It is CRC-32C, continued from the CRC-32C of identity, epoch and position (eight bytes each): a right thing in
    /// a wrong place does not verify.
    pub fn check(self, position: Position, bytes: &[u8]) -> u32 {
        self.seed().check(position, bytes)
    }

    /// What every checksum of this life begins with, worked out once.
    pub fn seed(self) -> Seed {
        let mut bytes = [0; 16];
        bytes[0..8].copy_from_slice(&self.identity.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.to_le_bytes());
        Seed(crc32c::crc32c(&bytes))
    }
}

const PIECE_BYTES: usize = 48; // a position, and a group header from its length on

#[repr(align(8))]
struct Piece([u8; PIECE_BYTES]);

/// The beginning of every checksum of one [`Life`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u32);

impl Seed {
    /// The checksum of `bytes` that lie at `position`: see [`Life::check`].
    #[inline]
    pub fn check(self, position: Position, bytes: &[u8]) -> u32 {
        // Headers are short: in one piece that begins on a word they take one call and half the time.
        let mut piece = Piece([0; PIECE_BYTES]);
        let Some(room) = piece.0.get_mut(8..8 + bytes.len()) else {
            return crc32c::crc32c_append(crc32c::crc32c_append(self.0, &position.0.to_le_bytes()), bytes);
        };
        room.copy_from_slice(bytes);
        piece.0[..8].copy_from_slice(&position.0.to_le_bytes());
        crc32c::crc32c_append(self.0, &piece.0[..8 + bytes.len()])
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

pub(super) fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn set_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn all_zero(bytes: &[u8]) -> bool {
    last_nonzero(bytes).is_none()
}

/// Where the last byte lies that is not zero.
pub(super) fn last_nonzero(bytes: &[u8]) -> Option<usize> {
    // Eight bytes at a time: the zeros behind the last group can be tens of megabytes.
    let (words, tail) = bytes.as_chunks::<8>();
    if let Some(at) = tail.iter().rposition(|&byte| byte != 0) {
        return Some(8 * words.len() + at);
    }
    let word = words.iter().rposition(|word| u64::from_le_bytes(*word) != 0)?;
    words[word].iter().rposition(|&byte| byte != 0).map(|at| 8 * word + at)
}
