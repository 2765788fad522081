//! Sweeping: what lies below the beginning of a log goes, many names at once. The mark that says so was acknowledged
//! before, so it can be done at any time, by anybody, off every path, and again.
//!
//! On media without a lock an epoch's first segment stays, part of the chain or not: it keeps the next name of a replaced
//! writer taken for ever. A summary knows which ones these are; a name that none knows is read. Summaries go last, when
//! all that they list has gone, so that whoever takes up what was left has them too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::source::segment_name;
use super::summaries;
use crate::error::{Kind, Result};
use crate::format::header::{HEADER_BYTES, Header};
use crate::format::{Position, name};
use crate::store::{Fetch, Name, Store, What};

/// So many names are removed at once: what object stores take.
const AT_ONCE: usize = 1000;

/// So many headers are read at once.
const AHEAD: usize = 64;

/// What a sweep came to.
#[derive(Debug)]
pub(crate) struct Swept {
    pub(crate) removed: u64,
    /// Names that could not be removed, or are not known to be gone.
    pub(crate) left: u64,
    /// Nothing is left below.
    pub(crate) to: Position,
}

/// A sweep from one position to another, on media without a lock.
pub(crate) struct Sweep<'a> {
    pub(crate) store: &'a Arc<dyn Store>,
    /// The short identity of the log.
    pub(crate) identity: u64,
    /// What was to be removed below has been removed.
    pub(crate) from: Position,
    /// Where the log begins.
    pub(crate) begins: Position,
    /// Segments of which it is known whether they begin an epoch.
    pub(crate) known: BTreeMap<Position, bool>,
    /// What summaries know up to here is known.
    pub(crate) learned: Position,
}

impl Sweep<'_> {
    /// Removes what lies in the range, and the summaries that list nothing else.
    pub(crate) fn run(mut self) -> Swept {
        let mut swept = Swept { removed: 0, left: 0, to: self.from };
        // What fails is tried again by the next sweep, from where nothing is left below.
        let done = self.segments(&mut swept);
        if done.and_then(|()| summaries::remove_below(&**self.store, swept.to)).is_err() {
            swept.left = swept.left.max(1);
        }
        swept
    }

    fn segments(&mut self, swept: &mut Swept) -> Result<()> {
        let mut ends = self.ends()?;
        let after = name::segment(Position(self.from.0.saturating_sub(1)));
        let pages = match self.from {
            Position::START => self.store.list(&Name::ROOT)?,
            _ => self.store.list_after(&Name::ROOT, &after)?,
        };
        let mut bases = Vec::new();
        let mut more = true;
        for page in pages {
            for entry in page? {
                let Some(base) = name::parse_segment(&entry.name) else { continue };
                more = base < self.begins;
                if more && matches!(entry.what, What::File(_)) {
                    bases.push(base);
                }
            }
            if bases.len() >= AT_ONCE || !more {
                self.remove(&bases, &mut ends, swept)?;
                bases.clear();
            }
            if !more {
                break;
            }
        }
        self.remove(&bases, &mut ends, swept)?;
        if swept.left == 0 {
            swept.to = self.begins;
        }
        Ok(())
    }

    /// Where the summaries end that list anything here, the newest first.
    fn ends(&self) -> Result<Vec<Position>> {
        let mut ends = Vec::new();
        for end in summaries::ends(&**self.store, None)? {
            let end = end?;
            if end <= self.from {
                break;
            }
            // Of those that reach behind, only the first one does so with anything that goes.
            if end >= self.begins {
                ends.clear();
            }
            ends.push(end);
        }
        Ok(ends)
    }

    fn remove(&mut self, bases: &[Position], ends: &mut Vec<Position>, swept: &mut Swept) -> Result<()> {
        for some in bases.chunks(AT_ONCE) {
            let Some(&last) = some.last() else { return Ok(()) };
            self.learn(last, ends)?;
            let stays = self.read_unknown(some)?;
            let goes = |base: &&Position| !self.known.get(base).copied().unwrap_or(stays.contains(base));
            let names: Vec<Name> = some.iter().filter(goes).map(|&base| segment_name(base)).collect();
            for outcome in self.store.remove_all(&names) {
                match outcome {
                    Ok(()) => swept.removed += 1,
                    Err(_) => swept.left += 1,
                }
            }
            if swept.left == 0 {
                swept.to = last.plus(1);
            }
            self.known = self.known.split_off(&last.plus(1));
        }
        Ok(())
    }

    /// Reads the summaries that list segments up to `last`.
    fn learn(&mut self, last: Position, ends: &mut Vec<Position>) -> Result<()> {
        let mut begun: VecDeque<(Position, Option<Fetch>)> = VecDeque::new();
        while self.learned <= last {
            while begun.len() < AHEAD
                && begun.back().is_none_or(|&(end, _)| end <= last)
                && let Some(end) = ends.pop()
            {
                begun.push_back((end, summaries::fetch(&**self.store, end)));
            }
            let Some((end, fetch)) = begun.pop_front() else { break };
            if let Some(summary) = summaries::read(&**self.store, end, fetch)?
                && summary.identity.short() == self.identity
            {
                self.known.extend(summary.segments.iter().map(|entry| (entry.base, entry.begins_epoch)));
            }
            self.learned = end;
        }
        // What was begun and not needed yet comes again.
        ends.extend(begun.into_iter().rev().map(|(end, _)| end));
        Ok(())
    }

    /// Which of the names that nobody knows begin an epoch, or cannot be told.
    fn read_unknown(&self, bases: &[Position]) -> Result<Vec<Position>> {
        let mut unknown = bases.iter().filter(|base| !self.known.contains_key(base));
        let (mut stays, mut begun) = (Vec::new(), VecDeque::new());
        loop {
            while begun.len() < AHEAD
                && let Some(&base) = unknown.next()
            {
                begun.push_back((base, self.store.fetch(&segment_name(base), 0..HEADER_BYTES)));
            }
            let Some((base, fetch)) = begun.pop_front() else { return Ok(stays) };
            let head = match fetch.map(Fetch::wait) {
                Some(Ok(head)) => Ok(head),
                Some(Err(_)) | None => self.store.read(&segment_name(base), 0..HEADER_BYTES),
            };
            match head {
                Ok(head) if Header::decode(base, &head).is_ok_and(|header| header.begins_epoch) => {
                    stays.push(base)
                }
                Ok(_) => {}
                Err(gone) if gone.kind() == Kind::NotThere => {}
                Err(error) => return Err(error),
            }
        }
    }
}
