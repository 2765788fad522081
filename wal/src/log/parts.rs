//! A long chain, a part at a time: what summaries list, then what is held.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chain::{Chain, Segment};
use super::look::{Depth, look_near, stretch};
use super::source::Reads;
use super::summaries;
use super::survey::Survey;
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::format::summary::Summary;
use crate::store::{Fetch, Store};

/// So many summaries are read ahead.
const AHEAD: usize = 8;

/// Some segments of a chain that follow one another.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) chain: Arc<Chain>,
    /// What is damaged among them, if no summary lists them.
    pub(crate) found: Option<Survey>,
}

impl Part {
    /// What is damaged in it and reaches behind `from`: where it begins, and what to say of it.
    pub(crate) fn damages(&self, from: Position) -> Vec<(Position, Error)> {
        let Some(found) = &self.found else { return Vec::new() };
        let wanted = found.damages().iter().filter(|damage| damage.range.end > from);
        wanted.map(|damage| (damage.range.start, found.refusal_for(damage))).collect()
    }
}

/// The parts of a chain from some position on.
#[derive(Debug)]
pub(crate) struct Parts<R> {
    reads: R,
    /// What is held, until it was told.
    held: Option<Arc<Chain>>,
    /// Where the next part begins.
    at: Position,
    /// Where the held segments begin.
    to: Position,
    /// Where the summaries end that are to come, the newest first.
    ends: Vec<Position>,
    begun: VecDeque<(Position, Option<Fetch>)>,
    /// What is behind a stretch that no summary lists.
    next: Option<Summary>,
}

impl<R: Reads> Parts<R> {
    /// The parts of `chain` that reach behind `from`.
    pub(crate) fn new(reads: R, chain: Arc<Chain>, from: Position) -> Result<Self> {
        let from = from.max(chain.begins);
        let (mut at, mut ends) = (chain.begins, Vec::new());
        let to = chain.older.filter(|&older| from < older);
        if let Some(to) = to {
            for end in summaries::ends(reads.store(), Some(to))? {
                let end = end?;
                if end <= from {
                    // A part of the chain ends here, so another one begins.
                    at = at.max(end);
                    break;
                }
                ends.push(end);
            }
        }
        let to = to.unwrap_or(at);
        Ok(Parts { reads, held: Some(chain), at, to, ends, begun: VecDeque::new(), next: None })
    }

    /// The next part.
    pub(crate) fn next(&mut self) -> Result<Option<Part>> {
        let Some(held) = &self.held else { return Ok(None) };
        if self.at >= self.to {
            return Ok(self.held.take().map(|chain| Part { chain, found: None }));
        }
        let identity = held.identity;
        let next = match self.next.take() {
            Some(next) => Some(next),
            None => self.summary(identity)?,
        };
        let listed_from = next.as_ref().map_or(self.to, |next| next.from().min(self.to));
        let Some(listed) = next else { return self.unlisted(self.to).map(Some) };
        if listed_from > self.at {
            self.next = Some(listed);
            return self.unlisted(listed_from).map(Some);
        }
        let segments: Vec<Segment> = listed.segments.iter().map(Segment::from).collect();
        Ok(Some(self.part(segments, listed.end, None)))
    }

    /// Whether there is none to come.
    pub(crate) fn is_over(&self) -> bool {
        self.held.is_none()
    }

    /// The next summary that is good and lists anything new.
    fn summary(&mut self, identity: u64) -> Result<Option<Summary>> {
        loop {
            while let Some(end) = self.ends.pop_if(|_| self.begun.len() < AHEAD) {
                self.begun.push_back((end, summaries::fetch(self.reads.store(), end)));
            }
            let Some((end, begun)) = self.begun.pop_front() else { return Ok(None) };
            if end > self.at
                && let Some(summary) = summaries::read(self.reads.store(), end, begun)?
                && summary.identity.short() == identity
            {
                return Ok(Some(summary));
            }
        }
    }

    /// A part that no good summary lists: its segments are read one by one.
    fn unlisted(&mut self, to: Position) -> Result<Part> {
        let held = self.held.as_ref().expect("the held part comes last");
        let found = stretch(self.reads.store(), held, self.at..to)?;
        if found.damage_count > 0
            && look_near(self.reads.store(), Position::START, Depth::Quick)?.begins() > self.at
        {
            return Err(Error::new(Kind::NotThere, "a part of the log was retired while it was looked at"));
        }
        Ok(self.part(found.chain.segments.clone(), to, Some(found)))
    }

    fn part(&mut self, mut segments: Vec<Segment>, end: Position, found: Option<Survey>) -> Part {
        let held = self.held.as_ref().expect("the held part comes last");
        segments.retain(|segment| (self.at..self.to).contains(&segment.base));
        self.at = end;
        let chain = Chain { older: None, segments, ..(**held).clone_without_segments() };
        Part { chain: Arc::new(chain), found }
    }
}

/// What lies first at or behind a position.
pub(crate) enum Reached {
    Segment(Segment),
    /// Damage that no summary lists: where it ends, and what to say of it.
    Damage(Position, Error),
    Nothing,
}

impl Part {
    /// What of this part ends first behind `position`.
    fn reached(&self, position: Position) -> Reached {
        let segment = self.chain.segments.get(self.chain.first_reaching(position));
        let found =
            self.found.iter().flat_map(|found| found.damages().iter().map(move |damage| (found, damage)));
        let mut before = found.filter(|(_, damage)| {
            damage.range.end > position && segment.is_none_or(|segment| damage.range.start < segment.base)
        });
        match (before.next(), segment) {
            (Some((found, damage)), _) => Reached::Damage(damage.range.end, found.refusal_for(damage)),
            (None, Some(segment)) => Reached::Segment(segment.clone()),
            (None, None) => Reached::Nothing,
        }
    }
}

impl Chain {
    /// The segment that has `position` among its groups, if one has. Reads the summary that knows.
    pub(crate) fn find(
        self: Arc<Self>,
        store: &Arc<dyn Store>,
        position: Position,
    ) -> Result<Option<Segment>> {
        let segment = self.reaching(store, position)?;
        Ok(segment.filter(|segment| (segment.start()..segment.end).contains(&position)))
    }

    /// The segment that begins at `base`, if one does.
    pub(crate) fn find_base(
        self: Arc<Self>,
        store: &Arc<dyn Store>,
        base: Position,
    ) -> Result<Option<Segment>> {
        let segment = self.reaching(store, base)?;
        Ok(segment.filter(|segment| segment.base == base))
    }

    /// What ends first behind `position`, if it is not held.
    pub(crate) fn find_older(self: Arc<Self>, store: &Arc<dyn Store>, position: Position) -> Result<Reached> {
        let older = self.older.filter(|&older| position < older);
        let Some(older) = older else { return Ok(Reached::Nothing) };
        Ok(match self.reached(store, position)? {
            Reached::Segment(segment) if segment.base >= older => Reached::Nothing,
            reached => reached,
        })
    }

    /// The first segment that ends behind `position`; what is damaged there is an error.
    fn reaching(self: Arc<Self>, store: &Arc<dyn Store>, position: Position) -> Result<Option<Segment>> {
        match self.reached(store, position)? {
            Reached::Segment(segment) => Ok(Some(segment)),
            Reached::Damage(_, error) => Err(error),
            Reached::Nothing => Ok(None),
        }
    }

    fn reached(self: Arc<Self>, store: &Arc<dyn Store>, position: Position) -> Result<Reached> {
        let mut parts = Parts::new(store.clone(), self, position)?;
        while let Some(part) = parts.next()? {
            match part.reached(position) {
                Reached::Nothing => {}
                reached => return Ok(reached),
            }
        }
        Ok(Reached::Nothing)
    }
}
