//! The coming segments of a replay, read ahead where the medium can: whole, or a piece at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::ahead::Ahead;
use super::chain::{Chain, Segment};
use super::source::{Reads, segment_name};
use super::window::Window;
use crate::clock::Time;
use crate::store::Store;

/// A longer segment comes in pieces of so many bytes.
const PIECE_BYTES: u64 = 8 << 20;

/// What a replay reads: it is handed on from the file of one segment to that of the next.
#[derive(Debug)]
pub(crate) struct Feed {
    store: Arc<dyn Store>,
    chain: Arc<Chain>,
    since: Time,
    /// The segment that is being read.
    index: usize,
    /// The piece that is begun next: the index of its segment and its offset, if it is known yet.
    next: (usize, Option<u64>),
    /// None where the medium begins no reads.
    ahead: Option<Ahead<Piece>>,
}

/// A part of a segment.
#[derive(Debug)]
struct Piece {
    index: usize,
    at: u64,
}

impl Feed {
    pub(crate) fn new(store: Arc<dyn Store>, chain: Arc<Chain>, since: Time) -> Self {
        let ahead = Some(Ahead::new());
        Feed { store, chain, since, index: 0, next: (0, None), ahead }
    }

    /// Whether a segment may hold anything that the replay is to tell.
    pub(crate) fn wants(&self, segment: &Segment) -> bool {
        let too_old = segment.times.is_some_and(|(_, greatest)| greatest < self.since);
        segment.records != Some(0) && !too_old && segment.start() < self.chain.shown
    }

    /// The segment with this index is read now, from an offset on.
    pub(crate) fn enter(&mut self, index: usize, offset: u64) {
        self.index = index;
        if self.next <= (index, None) {
            self.next = (index, Some(offset));
        }
        if let Some(ahead) = &mut self.ahead {
            // What is left of segments that were left early is given up.
            while ahead.front().is_some_and(|piece| piece.index < index) {
                drop(ahead.take());
            }
        }
        self.begin();
    }

    /// Begins as many reads as there is room for.
    fn begin(&mut self) {
        if self.ahead.is_none() {
            return;
        }
        let chain = self.chain.clone();
        while let Some(segment) = chain.segments.get(self.next.0) {
            let at = self.next.1.unwrap_or(segment.body);
            let end = segment.end.min(chain.shown).since(segment.base);
            if !self.wants(segment) || at >= end {
                self.next = (self.next.0 + 1, None);
                continue;
            }
            let to = end.min(at.saturating_add(PIECE_BYTES));
            let Some(ahead) = self.ahead.as_mut().filter(|ahead| ahead.has_room(to - at)) else { return };
            let Some(fetch) = self.store.fetch(&segment_name(segment.base), at..to) else {
                self.ahead = None;
                return;
            };
            ahead.push(Piece { index: self.next.0, at }, to - at, fetch);
            self.next.1 = Some(to);
        }
    }

    /// The next piece of the segment that is being read, if it does not begin behind `offset`.
    fn piece(&mut self, offset: u64) -> Option<Window> {
        let ahead = self.ahead.as_mut()?;
        let at = ahead.front().filter(|piece| piece.index == self.index && piece.at <= offset)?.at;
        let read = ahead.wait()?;
        self.begin();
        // What did not come is read by its name when it is wanted, and that answer counts.
        Some(Window::new(at, read.unwrap_or_default()))
    }
}

impl Reads for Feed {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    fn begun(&mut self, window: &Window, offset: u64, end: u64) -> Option<Window> {
        let mut bytes = window.behind(offset);
        loop {
            let have = offset + bytes.len() as u64;
            if have >= end {
                return Some(Window::new(offset, bytes));
            }
            bytes = joined(bytes, self.piece(have)?.behind(have));
        }
    }
}

/// One behind the other. Only what lies across the end of a piece is copied, and what follows it in the next one.
fn joined(bytes: Bytes, more: Bytes) -> Bytes {
    if bytes.is_empty() {
        return more;
    }
    let mut both = BytesMut::with_capacity(bytes.len() + more.len());
    both.extend_from_slice(&bytes);
    both.extend_from_slice(&more);
    both.freeze()
}
