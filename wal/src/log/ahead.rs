//! Reads that were begun before they are wanted: several at once where a medium can, bounded by their number and by
//! their bytes.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::Result;
use crate::store::Fetch;

/// The most bytes that are under way for one replay or one `read_many`, unless a single read has more.
pub(crate) const AHEAD_BYTES_MAX: u64 = 64 << 20;

/// The most reads that are. Objects of a log that is written to all the time are small, and then it is not bytes that
/// take the time but the way there and back.
pub(crate) const AHEAD_READS_MAX: usize = 64;

/// How many at first. With each one that is taken one more is allowed: who wants a few records causes a few reads, and
/// who goes on has all of them under way after a few ways there and back.
const AHEAD_READS_LEAST: usize = 4;

/// Reads under way, in the order in which they will be wanted, and what each is for. Dropped, they are given up.
#[derive(Debug)]
pub(crate) struct Ahead<T> {
    under_way: VecDeque<Begun<T>>,
    bytes: u64,
    most: usize,
}

#[derive(Debug)]
struct Begun<T> {
    what: T,
    bytes: u64,
    fetch: Fetch,
}

impl<T> Ahead<T> {
    pub(crate) fn new() -> Self {
        Ahead { under_way: VecDeque::new(), bytes: 0, most: AHEAD_READS_LEAST }
    }

    /// Whether a read of so many bytes may be begun. One always may, whatever its size.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        let fits = self.bytes.saturating_add(bytes) <= AHEAD_BYTES_MAX && self.under_way.len() < self.most;
        self.under_way.is_empty() || fits
    }

    /// Takes in a read that was begun, of so many bytes.
    pub(crate) fn push(&mut self, what: T, bytes: u64, fetch: Fetch) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.under_way.push_back(Begun { what, bytes, fetch });
    }

    /// What the next one is for.
    pub(crate) fn front(&self) -> Option<&T> {
        self.under_way.front().map(|begun| &begun.what)
    }

    /// What the last one is for.
    pub(crate) fn back(&self) -> Option<&T> {
        self.under_way.back().map(|begun| &begun.what)
    }

    /// The next one, to be waited for.
    pub(crate) fn take(&mut self) -> Option<(T, Fetch)> {
        let Begun { what, bytes, fetch } = self.under_way.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.most = (self.most + 1).min(AHEAD_READS_MAX);
        Some((what, fetch))
    }

    /// Waits for the next one.
    pub(crate) fn wait(&mut self) -> Option<Result<Bytes>> {
        self.take().map(|(_, fetch)| fetch.wait())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(ahead: &mut Ahead<u64>, bytes: u64) {
        ahead.push(bytes, bytes, Fetch::new(|| Ok(Bytes::new())));
    }

    #[test]
    fn it_is_bounded_by_number_and_the_bound_grows_with_what_is_taken() {
        let mut ahead = Ahead::new();
        let mut most = Vec::new();
        for _ in 0..100 {
            while ahead.has_room(1) {
                begin(&mut ahead, 1);
            }
            most.push(ahead.under_way.len());
            drop(ahead.take().unwrap());
        }
        assert_eq!(most[..4], [4, 5, 6, 7]);
        assert_eq!(most.last(), Some(&AHEAD_READS_MAX));
    }

    #[test]
    fn it_is_bounded_by_bytes_but_one_is_always_under_way() {
        let mut ahead = Ahead::new();
        begin(&mut ahead, AHEAD_BYTES_MAX - 10);
        assert!(ahead.has_room(10) && !ahead.has_room(11) && !ahead.has_room(u64::MAX));
        begin(&mut ahead, 10);
        assert!(!ahead.has_room(1));
        assert_eq!(ahead.front(), Some(&(AHEAD_BYTES_MAX - 10)));
        ahead.wait().unwrap().unwrap();
        ahead.wait().unwrap().unwrap();
        assert!(ahead.wait().is_none() && ahead.has_room(u64::MAX), "nothing else is");
    }
}
