//! The segments of a log as they follow one another.

use std::ops::Range;
use std::sync::Arc;

use super::parts::Parts;
use super::survey::Survey;
use crate::clock::Time;
use crate::error::Result;
use crate::format::Position;
use crate::format::header::Previous;
use crate::format::seed::Life;
use crate::store::Store;

/// A segment of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub base: Position,
    /// Where its groups end: at its footer, at the cut that a later epoch states, or, of the active one, where the
    /// survey ended.
    pub end: Position,
    /// Where the next one begins.
    pub next: Position,
    /// The length of its file.
    pub file_len: u64,
    /// The epoch of its writer.
    pub epoch: u64,
    /// The offset of its first group.
    pub body: u64,
    /// Whether it begins an epoch, and so holds no groups.
    pub begins_epoch: bool,
    /// Whether it ends with its footer.
    pub sealed: bool,
    /// Its digest, if it is known without scanning.
    pub seal: Option<u32>,
    /// The engine's time when it was made.
    pub made_at: Time,
    /// The engine's time when it was sealed or closed by a later epoch; none while it is active.
    pub closed_at: Option<Time>,
    /// The least and greatest time of its records, if they are known without scanning and there are any.
    pub times: Option<(Time, Time)>,
    /// How many records of callers it holds, if that is known without scanning.
    pub records: Option<u64>,
}

impl Segment {
    /// Where its first group begins.
    pub fn start(&self) -> Position {
        self.base.plus(self.body)
    }

    /// What the next segment's header says of this one. The digest must be known.
    pub(crate) fn as_previous(&self) -> Previous {
        Previous { base: self.base, end: self.end, seal: self.seal.unwrap_or(0) }
    }
}

/// The chain of a log, from its beginning to its end.
///
/// Of a long log on an object store it holds the newest segments only; those before are known by summaries, and
/// [`whole`](Chain::whole) reads these.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The short identity of the log.
    pub(crate) identity: u64,
    /// Segments that begin below this are not held.
    pub(crate) older: Option<Position>,
    /// In the order of their bases.
    pub(crate) segments: Vec<Segment>,
    /// Where the log begins.
    pub(crate) begins: Position,
    /// What is shown to readers ends here.
    pub(crate) shown: Position,
    /// What was lost and accepted: who goes along the chain passes over it.
    pub(crate) lost: Arc<[Range<Position>]>,
}

/// Whether all of a range was lost and accepted.
pub(crate) fn is_lost(lost: &[Range<Position>], range: &Range<Position>) -> bool {
    lost.iter().any(|lost| lost.start <= range.start && range.end <= lost.end)
}

/// What lies at a position of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies<'a> {
    /// Among the groups of this segment.
    In(&'a Segment),
    /// Below the beginning.
    Retired,
    /// Among segments that are known by summaries.
    Older,
    /// In no segment: cut, in the gap before an epoch, or not yet written.
    Nowhere,
}

impl Chain {
    /// The segments that are held, in the order of their bases.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Where the segments begin that are held, if there are others before.
    pub fn older(&self) -> Option<Position> {
        self.older
    }

    /// The chain with all its segments. That of a month can be tens of millions.
    pub fn whole(&self, store: &Arc<dyn Store>) -> Result<Chain> {
        self.whole_by(&**store, |_| {})
    }

    /// The chain with all its segments; `found` is told of parts that no summary lists.
    pub(super) fn whole_by(&self, store: &dyn Store, mut found: impl FnMut(Survey)) -> Result<Chain> {
        let mut whole = Chain { older: None, ..self.clone_without_segments() };
        let mut parts = Parts::new(store, Arc::new(self.clone()), self.begins)?;
        while let Some(part) = parts.next()? {
            whole.segments.extend_from_slice(&part.chain.segments);
            part.found.into_iter().for_each(&mut found);
        }
        Ok(whole)
    }

    /// The chain without its segments, which can be many.
    pub(crate) fn clone_without_segments(&self) -> Chain {
        let Chain { identity, begins, shown, older, ref lost, .. } = *self;
        Chain { identity, begins, shown, older, lost: Arc::clone(lost), segments: Vec::new() }
    }

    pub(crate) fn life(&self, segment: &Segment) -> Life {
        Life { identity: self.identity, epoch: segment.epoch }
    }

    /// Whether all of a range was lost and accepted.
    pub(crate) fn is_lost(&self, range: &Range<Position>) -> bool {
        is_lost(&self.lost, range)
    }

    /// The index of the first segment that holds anything at or behind `position`.
    pub(crate) fn first_reaching(&self, position: Position) -> usize {
        self.segments.partition_point(|segment| segment.end <= position)
    }

    pub(crate) fn at(&self, position: Position) -> Lies<'_> {
        if position < self.begins {
            return Lies::Retired;
        }
        if self.older.is_some_and(|older| position < older) {
            return Lies::Older;
        }
        match self.segments.get(self.first_reaching(position)) {
            Some(segment) if position >= segment.start() => Lies::In(segment),
            _ => Lies::Nowhere,
        }
    }

    /// The positions that an epoch's records may have: from the end of its first segment to the next epoch.
    pub(crate) fn epoch_range(&self, epoch: u64) -> Option<Range<Position>> {
        let mut of = self.segments.iter().filter(|segment| segment.epoch == epoch);
        let first = of.next()?;
        let last = of.next_back().unwrap_or(first);
        Some(first.base..last.end)
    }
}
