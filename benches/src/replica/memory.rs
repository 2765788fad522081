//! Blocks in the memory of one process, by owner and number, up to so many bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use headwater_wal::{Error, Kind, Result};

/// Counted for each block besides its bytes, so that empty ones are bounded too.
const BESIDES_BYTES: usize = 128;

/// What one process keeps: of its own receivers, and as a [`Peer`](super::Peer) of others'. Blocks go only when they are
/// forgotten; there is no room for more than `bytes_max`.
#[derive(Debug)]
pub struct Memory {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What blocks take, and what is promised to some on their way in.
    bytes: usize,
    owners: HashMap<u64, BTreeMap<u64, Block>>,
}

/// A block with the checksum that its owner has made.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) bytes: Bytes,
    pub(super) crc: u32,
}

impl Memory {
    /// Room for blocks of so many bytes; 128 are counted for each besides its own.
    pub fn new(bytes_max: usize) -> Arc<Memory> {
        Arc::new(Memory { bytes_max, kept: Mutex::default() })
    }

    /// How many bytes are taken.
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// Which blocks of an owner there are.
    pub fn numbers(&self, owner: u64) -> Vec<u64> {
        self.kept().owners.get(&owner).map_or_else(Vec::new, |blocks| blocks.keys().copied().collect())
    }

    /// Room for a block of so many bytes, taken at once and given back unless a block is kept in it.
    pub(super) fn room(&self, bytes: usize) -> Result<Room<'_>> {
        let takes = bytes + BESIDES_BYTES;
        let mut kept = self.kept();
        if kept.bytes + takes > self.bytes_max {
            let message = format!(
                "no room for a block: forget some bytes={bytes} taken={} bytes_max={}",
                kept.bytes, self.bytes_max
            );
            return Err(Error::new(Kind::Full, message));
        }
        kept.bytes += takes;
        Ok(Room { memory: self, takes })
    }

    /// All blocks of an owner, in order: not copied, and still there when they are forgotten meanwhile.
    pub(super) fn blocks(&self, owner: u64) -> Vec<(u64, Block)> {
        let kept = self.kept();
        let blocks = kept.owners.get(&owner);
        blocks.map_or_else(Vec::new, |blocks| {
            blocks.iter().map(|(number, block)| (*number, block.clone())).collect()
        })
    }

    /// Removes all blocks of an owner below a number.
    pub fn forget(&self, owner: u64, below: u64) {
        // Freed outside the lock: it takes the longer the more there is.
        let _gone = {
            let mut kept = self.kept();
            let Some(blocks) = kept.owners.get_mut(&owner) else { return };
            let stay = blocks.split_off(&below);
            let is_empty = stay.is_empty();
            let gone = std::mem::replace(blocks, stay);
            if is_empty {
                kept.owners.remove(&owner);
            }
            kept.bytes -= gone.values().map(|block| block.bytes.len() + BESIDES_BYTES).sum::<usize>();
            gone
        };
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panics with it")
    }
}

/// Room that is taken in a [`Memory`].
#[derive(Debug)]
pub(super) struct Room<'a> {
    memory: &'a Memory,
    takes: usize,
}

impl Room<'_> {
    /// Keeps a block of the size that the room was taken for, in place of one that has the same number.
    pub(super) fn keep(mut self, owner: u64, number: u64, block: Block) {
        assert_eq!(self.takes, block.bytes.len() + BESIDES_BYTES, "a block fills its room");
        self.takes = 0; // it is the block's from now on
        let _replaced = {
            let mut kept = self.memory.kept();
            let replaced = kept.owners.entry(owner).or_default().insert(number, block);
            kept.bytes -= replaced.as_ref().map_or(0, |block| block.bytes.len() + BESIDES_BYTES);
            replaced
        };
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.takes > 0 {
            self.memory.kept().bytes -= self.takes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(memory: &Memory, owner: u64, number: u64, bytes: &'static [u8]) -> Result<()> {
        let room = memory.room(bytes.len())?;
        room.keep(owner, number, Block { bytes: bytes.into(), crc: 0 });
        Ok(())
    }

    #[test]
    fn what_is_forgotten_makes_room() {
        let memory = Memory::new(3 * (BESIDES_BYTES + 4));
        for number in 0..3 {
            keep(&memory, 1, number, b"four").unwrap();
        }
        assert_eq!(keep(&memory, 2, 0, b"").unwrap_err().kind(), Kind::Full);
        memory.forget(1, 2);
        assert_eq!(memory.numbers(1), [2]);
        keep(&memory, 2, 0, b"four").unwrap();
        drop(memory.room(4).unwrap());
        assert_eq!(memory.bytes(), 2 * (BESIDES_BYTES + 4));
        memory.forget(1, u64::MAX);
        memory.forget(2, u64::MAX);
        memory.forget(3, u64::MAX);
        assert_eq!(memory.bytes(), 0);
        assert!(memory.kept().owners.is_empty());
    }

    #[test]
    fn a_block_takes_the_place_of_one_of_the_same_number() {
        let memory = Memory::new(1000);
        keep(&memory, 1, 5, b"longer than this").unwrap();
        keep(&memory, 1, 5, b"this").unwrap();
        assert_eq!(memory.bytes(), BESIDES_BYTES + 4);
        assert_eq!(memory.blocks(1)[0].1.bytes, &b"this"[..]);
    }
}
