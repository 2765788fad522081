//! Blocks in the memory of one process, by owner and number, up to so many bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use headwater_wal::{Error, Kind, Result};

use super::spare::Spare;

/// Counted for each block besides its bytes, so that empty ones are bounded too.
const BESIDES_BYTES: usize = 128;

/// What one process keeps: of its own receivers, and as a [`Peer`](super::Peer) of others'. Blocks go only when they are
/// forgotten; there is no room for more than `bytes_max`. What blocks leave of it is kept as buffers for others.
#[derive(Debug)]
pub struct Memory {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What blocks take, and what is promised to some on their way in.
    bytes: usize,
    /// Never more than blocks leave room for.
    spare: Spare,
    owners: HashMap<u64, BTreeMap<u64, Block>>,
}

/// A block with the checksum that its owner has made.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) bytes: Bytes,
    pub(super) crc: u32,
    /// Of one that was received: the length of its buffer.
    buffer_bytes: Option<usize>,
}

impl Block {
    /// A block whose bytes are its owner's.
    pub(super) fn new(bytes: Bytes) -> Block {
        Block { crc: crc32c::crc32c(&bytes), bytes, buffer_bytes: None }
    }

    fn takes(&self) -> usize {
        self.buffer_bytes.unwrap_or(self.bytes.len()) + BESIDES_BYTES
    }
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

    /// Room for a block, taken at once and given back unless the block is kept in it.
    pub(super) fn room(&self, block: &Block) -> Result<Room<'_>> {
        Ok(self.take_room(block.takes(), None)?.0)
    }

    /// Room for a block of so many bytes, and a buffer for it that may be longer.
    pub(super) fn buffer(&self, block_bytes: usize) -> Result<(Room<'_>, Vec<u8>)> {
        let buffer_bytes = Spare::buffer_bytes(block_bytes);
        let (room, buffer) = self.take_room(buffer_bytes + BESIDES_BYTES, Some(buffer_bytes))?;
        Ok((room, buffer.unwrap_or_else(|| vec![0; buffer_bytes])))
    }

    fn take_room(&self, takes: usize, buffer_bytes: Option<usize>) -> Result<(Room<'_>, Option<Vec<u8>>)> {
        // Freed outside the lock.
        let mut _too_many = Vec::new();
        let mut kept = self.kept();
        if kept.bytes + takes > self.bytes_max {
            let message = format!(
                "no room for a block: forget some needs={takes} taken={} bytes_max={}",
                kept.bytes, self.bytes_max
            );
            return Err(Error::new(Kind::Full, message));
        }
        let buffer = buffer_bytes.and_then(|bytes| kept.spare.take(bytes));
        kept.bytes += takes;
        while kept.bytes + kept.spare.bytes() > self.bytes_max {
            _too_many.extend(kept.spare.take_longest());
        }
        drop(kept);
        Ok((Room { memory: self, takes }, buffer))
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
        let gone = {
            let mut kept = self.kept();
            let Some(blocks) = kept.owners.get_mut(&owner) else { return };
            let stay = blocks.split_off(&below);
            let is_empty = stay.is_empty();
            let gone = std::mem::replace(blocks, stay);
            if is_empty {
                kept.owners.remove(&owner);
            }
            kept.bytes -= gone.values().map(Block::takes).sum::<usize>();
            gone
        };
        for block in gone.into_values() {
            let Some(buffer) = block.buffer_bytes.and_then(|bytes| Spare::of(block.bytes, bytes)) else {
                continue;
            };
            let mut kept = self.kept();
            if kept.bytes + kept.spare.bytes() + buffer.len() <= self.bytes_max {
                kept.spare.put(buffer);
            }
        }
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
    /// Keeps the block that the room was taken for, in place of one that has the same number.
    pub(super) fn keep(mut self, owner: u64, number: u64, block: Block) {
        assert_eq!(self.takes, block.takes(), "a block fills its room");
        self.takes = 0; // it is the block's from now on
        let _replaced = {
            let mut kept = self.memory.kept();
            let replaced = kept.owners.entry(owner).or_default().insert(number, block);
            kept.bytes -= replaced.as_ref().map_or(0, Block::takes);
            replaced
        };
    }

    /// Keeps the block that the beginning of a buffer was filled with.
    pub(super) fn keep_received(
        self,
        owner: u64,
        number: u64,
        buffer: Vec<u8>,
        block_bytes: usize,
        crc: u32,
    ) {
        let buffer_bytes = Some(buffer.len());
        let mut bytes = Bytes::from(buffer);
        bytes.truncate(block_bytes);
        self.keep(owner, number, Block { bytes, crc, buffer_bytes });
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
        let block = Block::new(bytes.into());
        memory.room(&block)?.keep(owner, number, block);
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
        drop(memory.room(&Block::new(Bytes::from_static(b"four"))).unwrap());
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

    #[test]
    fn a_buffer_is_used_again_once_nobody_has_its_block() {
        let memory = Memory::new(10 * (BESIDES_BYTES + 1024));
        let receive = |number: u64, bytes: usize| {
            let (room, mut buffer) = memory.buffer(bytes).unwrap();
            let was_used = buffer.contains(&7);
            buffer.fill(7);
            room.keep_received(1, number, buffer, bytes, 0);
            was_used
        };
        assert!(!receive(0, 1000));
        let read = memory.blocks(1);
        memory.forget(1, 1);
        assert!(!receive(1, 1000), "somebody reads it still");
        assert_eq!(read[0].1.bytes, vec![7; 1000]);
        memory.forget(1, 2);
        assert!(receive(2, 1020), "one of about the same length");
        assert_eq!(memory.blocks(1)[0].1.bytes, vec![7; 1020]);
        memory.forget(1, 3);
        // Blocks of another length need all the room: the spare one makes it.
        for number in 3..8 {
            receive(number, 2048 - BESIDES_BYTES);
        }
        assert_eq!(memory.kept().spare.bytes(), 1024);
        receive(8, 1100);
        let kept = memory.kept();
        assert!(kept.bytes + kept.spare.bytes() <= memory.bytes_max);
        assert_eq!(kept.spare.bytes(), 0);
    }
}
