//! Segments that stay open, so that a read by handle is one read of the medium and nothing else.
//!
//! A file that is open can be read although its name is gone, or stands for another file since repair put one there. So
//! nothing is concluded from a kept one but that the bytes of a record verify: after anything else the segment is opened
//! anew before an answer is given. Who knows the chain asks it first, and forgets what was retired; its room on the disk
//! is free only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::RwLock;

use crate::format::Position;
use crate::store::Object;

/// The segments that were read last, by their bases.
#[derive(Debug)]
pub(crate) struct Kept {
    segments_max: usize,
    uses_max: u32,
    files: RwLock<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// Nothing below is kept.
    from: Position,
    /// In the order of their bases.
    open: Vec<(Position, Open)>,
    /// Where the search for one that goes begins.
    hand: usize,
}

#[derive(Debug)]
struct Open {
    object: Arc<dyn Object>,
    /// Read since the hand last came by.
    used: AtomicBool,
    uses: AtomicU32,
}

impl Kept {
    /// Up to so many segments, until they are forgotten.
    pub(crate) fn new(segments_max: usize) -> Self {
        Kept { segments_max, uses_max: u32::MAX, files: RwLock::default() }
    }

    /// Opened anew after so many reads, for who is not told what was retired.
    pub(crate) fn renewed_after(self, uses_max: u32) -> Self {
        Kept { uses_max, ..self }
    }

    /// The segment at `base`, if it is open.
    pub(crate) fn get(&self, base: Position) -> Option<Arc<dyn Object>> {
        let files = self.files.read();
        let at = files.find(base).ok()?;
        let open = &files.open[at].1;
        if self.uses_max < u32::MAX && open.uses.fetch_add(1, Ordering::Relaxed) >= self.uses_max {
            return None;
        }
        // Written only when it changes, so that readers on several cores do not fight over it.
        if !open.used.load(Ordering::Relaxed) {
            open.used.store(true, Ordering::Relaxed);
        }
        Some(open.object.clone())
    }

    /// Keeps the segment at `base`, opened a moment ago, in the place of any other.
    pub(crate) fn keep(&self, base: Position, object: Arc<dyn Object>) {
        let open = Open { object, used: AtomicBool::new(false), uses: AtomicU32::new(0) };
        let mut files = self.files.write();
        if base < files.from || self.segments_max == 0 {
            return;
        }
        match files.find(base) {
            Ok(at) => files.open[at].1 = open,
            Err(_) => {
                if files.open.len() >= self.segments_max {
                    files.drop_one();
                }
                let at = files.find(base).unwrap_or_else(|at| at);
                files.open.insert(at, (base, open));
            }
        }
    }

    /// Forgets the segment at `base`.
    pub(crate) fn forget(&self, base: Position) {
        let mut files = self.files.write();
        if let Ok(at) = files.find(base) {
            files.open.remove(at);
        }
    }

    /// Forgets what lies below, and keeps nothing there any more: it was retired.
    pub(crate) fn forget_below(&self, from: Position) {
        let mut files = self.files.write();
        files.from = files.from.max(from);
        files.open.retain(|&(base, _)| base >= from);
    }
}

impl Files {
    fn find(&self, base: Position) -> Result<usize, usize> {
        self.open.binary_search_by_key(&base, |&(base, _)| base)
    }

    /// Drops one that was not read since the hand last came by.
    fn drop_one(&mut self) {
        for _ in 0..2 * self.open.len() {
            self.hand = (self.hand + 1) % self.open.len();
            if !self.open[self.hand].1.used.swap(false, Ordering::Relaxed) {
                break;
            }
        }
        self.open.remove(self.hand.min(self.open.len() - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Memory, Name, Store};

    fn object() -> Arc<dyn Object> {
        let (store, name) = (Memory::growing(), Name::new("a").unwrap());
        store.put(&name, "x".into()).unwrap();
        store.open(&name).unwrap().unwrap()
    }

    fn kept(kept: &Kept) -> Vec<u64> {
        (0..100).filter(|&base| kept.files.read().find(Position(base)).is_ok()).collect()
    }

    #[test]
    fn it_is_bounded_and_what_is_read_stays() {
        let files = Kept::new(3);
        for base in 0..50 {
            files.keep(Position(base), object());
            assert!(files.get(Position(0)).is_some(), "read all the time");
            assert!(kept(&files).len() <= 3);
            assert!(files.get(Position(base)).is_some(), "the newest");
        }
        files.forget(Position(0));
        assert!(files.get(Position(0)).is_none());
    }

    #[test]
    fn what_was_retired_is_not_kept_again() {
        let files = Kept::new(8);
        (0..6).for_each(|base| files.keep(Position(base), object()));
        files.forget_below(Position(4));
        files.keep(Position(3), object());
        assert_eq!(kept(&files), [4, 5]);
    }

    #[test]
    fn it_is_opened_anew_after_so_many_reads() {
        let files = Kept::new(8).renewed_after(2);
        files.keep(Position(1), object());
        assert_eq!([0; 4].map(|_| files.get(Position(1)).is_some()), [true, true, false, false]);
        files.keep(Position(1), object());
        assert!(files.get(Position(1)).is_some());
    }
}
