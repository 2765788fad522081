//! The blocks of one receiver's log that are not done with, in the order of their positions.
//!
//! They lie one behind the other, as bytes, in parts of about 32 KiB that are shared and copied only when written to:
//! a million blocks are a few thousand parts, and a copy of the queue is a copy of that many pointers. Batches take
//! blocks from the front; a part goes when the last of its blocks is done with, whichever batch had it, so a batch
//! that stays pending keeps its own blocks in memory and hardly any others.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wal::Position;

use super::block::{Block, ReceiverLog, body_len, body_position};
use super::fields::Fields;

/// A part takes no further block beyond this.
const PART_BYTES: usize = 32 * 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// By the ordinal of their first blocks. Ordinals count the blocks that this log ever had here.
    parts: BTreeMap<u64, Part>,
    /// The ordinal of the first block that no batch has.
    taken: u64,
    /// The ordinal that the next block gets.
    next: u64,
    /// How many bytes the parts hold.
    bytes: u64,
    /// Where the newest block lies.
    newest: Position,
}

#[derive(Clone, Debug)]
struct Part {
    blocks: u64,
    /// How many of them are not done with.
    live: u64,
    bytes: Arc<Vec<u8>>,
}

/// Blocks of a queue that follow one another, shared with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretch {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    bytes: Arc<Vec<u8>>,
    from: usize,
    blocks: u64,
}

impl Queue {
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many blocks no batch has.
    pub(super) fn waiting(&self) -> u64 {
        self.next - self.taken
    }

    pub(super) fn push(&mut self, block: &Block) {
        let len = block.body_len();
        let room = |part: &Part| part.bytes.len() + len <= PART_BYTES;
        let next = self.next;
        match self.parts.last_entry() {
            Some(mut last) if last.key() + last.get().blocks == next && room(last.get()) => {
                let part = last.get_mut();
                block.put(Arc::make_mut(&mut part.bytes));
                part.blocks += 1;
                part.live += 1;
            }
            _ => {
                let mut bytes = Vec::new();
                block.put(&mut bytes);
                self.parts.insert(next, Part { blocks: 1, live: 1, bytes: Arc::new(bytes) });
            }
        }
        self.bytes += len as u64;
        self.newest = block.position();
        self.next += 1;
    }

    /// The positions of the first of those that no batch has and of the `blocks`-th of them.
    pub(super) fn ends_of_front(&self, blocks: u64) -> (Position, Position) {
        debug_assert!(blocks > 0 && blocks <= self.waiting(), "only what waits can be taken");
        let last =
            if blocks == self.waiting() { self.newest } else { self.position_at(self.taken + blocks - 1) };
        (self.position_at(self.taken), last)
    }

    /// The positions of the first and the last of so many blocks, of which none is done with.
    pub(super) fn ends_of(&self, from: u64, blocks: u64) -> (Position, Position) {
        (self.position_at(from), self.position_at(from + blocks - 1))
    }

    /// Where the first block lies that no batch has.
    pub(super) fn front(&self) -> Option<Position> {
        (self.waiting() > 0).then(|| self.position_at(self.taken))
    }

    /// A batch takes so many; the ordinal of the first.
    pub(super) fn take(&mut self, blocks: u64) -> u64 {
        let from = self.taken;
        self.taken += blocks;
        debug_assert!(self.taken <= self.next, "only what waits can be taken");
        from
    }

    /// Blocks that a batch had are done with. Returns how many bytes went.
    pub(super) fn release(&mut self, from: u64, blocks: u64) -> u64 {
        let end = from + blocks;
        let mut gone = Vec::new();
        for (&first, part) in self.reaching(from).take_while(|(first, _)| **first < end) {
            part.live -= end.min(first + part.blocks) - from.max(first);
            if part.live == 0 {
                gone.push(first);
            }
        }
        let len = |part: Option<Part>| part.map_or(0, |part| part.bytes.len() as u64);
        let bytes = gone.into_iter().map(|first| len(self.parts.remove(&first))).sum();
        self.bytes -= bytes;
        bytes
    }

    /// The blocks from this ordinal on, so many of them, of which none is done with.
    pub(super) fn stretch(&self, from: u64, blocks: u64) -> Stretch {
        let end = from + blocks;
        let first = self.first_reaching(from);
        let parts = self.parts.range(first..end).filter(|&(&first, part)| first + part.blocks > from);
        let piece = |(&first, part): (&u64, &Part)| Piece {
            from: part.offset(from.saturating_sub(first)),
            blocks: end.min(first + part.blocks) - from.max(first),
            bytes: part.bytes.clone(),
        };
        Stretch { pieces: parts.map(piece).collect() }
    }

    /// The next block that is put back gets this ordinal, which is behind all that is there.
    pub(super) fn skip_to(&mut self, next: u64) {
        debug_assert!(next >= self.next, "ordinals go up");
        self.next = next;
    }

    /// Says which of the restored blocks no batch has.
    pub(super) fn set_taken(&mut self, taken: u64) {
        debug_assert!(taken <= self.next, "only what is there can be taken");
        self.taken = taken;
    }

    fn position_at(&self, ordinal: u64) -> Position {
        let (first, part) = self.parts.range(..=ordinal).next_back().expect("a block that is not done with");
        let at = part.offset(ordinal - first);
        body_position(&part.bytes[at..]).expect("a whole block")
    }

    fn first_reaching(&self, ordinal: u64) -> u64 {
        self.parts.range(..=ordinal).next_back().map_or(ordinal, |(&first, _)| first)
    }

    fn reaching(&mut self, ordinal: u64) -> impl Iterator<Item = (&u64, &mut Part)> {
        let first = self.first_reaching(ordinal);
        self.parts.range_mut(first..).filter(move |(first, part)| **first + part.blocks > ordinal)
    }
}

impl Part {
    /// Where its n-th block begins.
    fn offset(&self, n: u64) -> usize {
        let mut at = 0;
        for _ in 0..n {
            at += body_len(&self.bytes[at..]).expect("a whole block");
        }
        at
    }
}

impl Stretch {
    /// The bodies of its blocks.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().flat_map(|piece| {
            let mut rest = &piece.bytes[piece.from..];
            (0..piece.blocks).map(move |_| {
                let (body, behind) = rest.split_at(body_len(rest).expect("a whole block"));
                rest = behind;
                body
            })
        })
    }
}

/// The blocks of a stretch.
pub(super) struct Blocks;

impl Blocks {
    pub(super) fn of(log: ReceiverLog, stretch: &Stretch) -> impl Iterator<Item = Block> {
        stretch.bodies().map(move |body| {
            let block = Block::take(log.stream, log.receiver, &mut Fields(body));
            block.expect("what was put in is a block")
        })
    }

    /// The same of a stretch that goes with them.
    pub(super) fn of_own(log: ReceiverLog, stretch: Stretch) -> impl Iterator<Item = Block> {
        stretch.pieces.into_iter().flat_map(move |Piece { bytes, mut from, blocks }| {
            (0..blocks).map(move |_| {
                let body = &bytes[from..];
                from += body_len(body).expect("a whole block");
                let block = Block::take(log.stream, log.receiver, &mut Fields(body));
                block.expect("what was put in is a block")
            })
        })
    }
}
