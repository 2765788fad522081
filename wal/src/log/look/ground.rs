//! What a look rests on: the newest summary that the segment it ends with bears out; then only what lies behind is read.
//!
//! The walk sets out at that last segment, read like any other, with what the summary says of the one before it. Nothing
//! below can change what is found from there on. An epoch's first segment kills only up to where it says that the next one
//! begins, and a chain that has gone on has gone on behind that. What a starter put that slept, under a name that retiring
//! had given free, lies below and is not even seen. Every writer states at least as great a time and epoch as those before
//! it, and the summary says the greatest of each, and of what may have been in flight. All below its end was acknowledged.

use std::ops::Range;

use super::walk::Before;
use super::{Depth, Looking, NAMED_MAX, TRIES, restless};
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::format::footer::Footer;
use crate::format::name;
use crate::format::summary::{Entry, Summary};
use crate::log::chain::{Chain, Segment};
use crate::log::source::segment_name;
use crate::log::summaries;
use crate::log::survey::Survey;
use crate::store::{Name, Store};

/// How many summaries are tried before everything is read.
const TRIED_MAX: usize = 8;

/// Looks at the part of a chain that lies in a range which begins and ends where segments do, name by name. It is looked
/// at again while files go, and while a listing leaves out what is there.
pub(crate) fn stretch(store: &dyn Store, chain: &Chain, range: Range<Position>) -> Result<Survey> {
    for _ in 0..TRIES {
        match stretch_once(store, chain, range.clone()) {
            Err(gone) if gone.kind() == Kind::NotThere => {}
            other => return other,
        }
    }
    Err(restless(store))
}

fn stretch_once(store: &dyn Store, chain: &Chain, range: Range<Position>) -> Result<Survey> {
    let mut looking = Looking::new(store, range.end, Depth::Quick, None);
    looking.begins = range.start;
    looking.acked = range.end;
    looking.to = Some(range.end);
    looking.lost_elsewhere = chain.lost.clone();
    let mut looking = looking.read()?.expect("it rests on no summary");
    // Whatever has been retired since, what was to be looked at is this range.
    looking.begins = range.start;
    looking.sort();
    let found = looking.walk()?;
    if found.identity.is_some_and(|identity| identity.short() != chain.identity) {
        return Err(Error::new(
            Kind::Damaged,
            "the segments of another log lie here; run `wal-inspect check`",
        ));
    }
    looking.nothing_left_out(found)
}

impl<'a> Looking<'a> {
    /// Reads what lies behind a summary, or everything.
    pub(super) fn somewhere(store: &'a dyn Store, at_least: Position, depth: Depth) -> Result<Self> {
        if depth == Depth::Quick && store.append().is_none() {
            for end in summaries::ends(store, None)?.take(TRIED_MAX) {
                let end = end?;
                let begun = summaries::fetch(store, end);
                let Some(ground) = summaries::read(store, end, begun)? else { continue };
                let looking = Looking::new(store, at_least, depth, Some(ground));
                if let Some(looking) = looking.read()? {
                    return Ok(looking);
                }
            }
        }
        let looking = Looking::new(store, at_least, depth, None).read()?;
        Ok(looking.expect("it rests on no summary"))
    }

    /// Whether the first file found is the last segment that the summary lists.
    pub(super) fn is_grounded(&self) -> bool {
        let Some(ground) = &self.ground else { return true };
        let (Some(last), Some(found)) = (ground.segments.last(), self.found.first()) else { return false };
        let header = found.header().is_some_and(|header| {
            header.identity == ground.identity
                && (header.base, header.epoch, header.begins_epoch, header.body())
                    == (last.base, last.epoch, last.begins_epoch, u64::from(last.body))
        });
        let footer = |(at, footer): (Position, Footer)| at == last.end && Some(footer.seal) == last.seal;
        // Where a loss was accepted behind it, a later epoch may have closed it, or the chain goes on behind the loss.
        let ends = found.footer.is_some_and(|(_, footer)| footer.next == ground.end)
            || self.found.iter().any(|found| found.base == ground.end && found.header.is_ok());
        header && ends && found.len == last.file_len && (!last.sealed || found.footer.is_some_and(footer))
    }

    /// Where the walk begins, and what is known of the segment before.
    pub(super) fn setting_out(&mut self) -> (Position, Option<Before>) {
        let Some(ground) = &self.ground else { return (self.begins, None) };
        let Some((last, before)) = ground.segments.split_last() else { return (self.begins, None) };
        if self.begins > last.base {
            return (self.begins, None);
        }
        let kept = before.iter().filter(|entry| entry.base >= self.begins);
        self.segments.extend(kept.map(Segment::from));
        let before = before.last().map(|entry: &Entry| Before {
            base: entry.base,
            end: entry.end,
            seal: entry.seal,
            epoch: entry.epoch,
        });
        (last.base, before)
    }

    /// Where the segments begin that the survey holds, if there are others before.
    pub(super) fn older(&self) -> Option<Position> {
        let ground = self.ground.as_ref()?;
        let last = ground.segments.last()?;
        (self.begins <= last.base && self.begins < ground.from()).then(|| ground.from())
    }

    /// Compares every summary with what a full look has found.
    pub(super) fn checked(&self, mut survey: Survey) -> Result<Survey> {
        if self.depth != Depth::Full || self.store.append().is_some() {
            return Ok(survey);
        }
        for end in summaries::ends(self.store, None)? {
            let end = end?;
            let summary = summaries::read(self.store, end, None)?;
            let good = summary.is_some_and(|summary| self.says(&survey, &summary));
            if !good && survey.misleading.len() < NAMED_MAX && !self.moved_on(&survey, end)? {
                survey.misleading.push(name::summary(end));
            }
        }
        Ok(survey)
    }

    /// Whether a summary cannot be compared with what was found, because the log has gone on since: it ends behind that,
    /// or has gone.
    fn moved_on(&self, survey: &Survey, end: Position) -> Result<bool> {
        let is_there = |name: &Name| match self.store.read(name, 0..1) {
            Ok(_) => Ok(true),
            Err(gone) if gone.kind() == Kind::NotThere => Ok(false),
            Err(error) => Err(error),
        };
        Ok((end > survey.end && is_there(&segment_name(survey.end))?)
            || !is_there(&summaries::summary_name(end))?)
    }

    /// Whether a summary says what the segments say, as far as they are still there and neither damaged nor lost.
    fn says(&self, survey: &Survey, summary: &Summary) -> bool {
        let spoilt = |entry: &Entry| {
            survey
                .damages
                .iter()
                .map(|damage| &damage.range)
                .chain(&survey.lost)
                .any(|range| range.start < entry.next && entry.base < range.end)
        };
        // A segment that the chain does not come to is one that a quick look must not believe in either.
        let is_there = |entry: &Entry| {
            survey.chain.segments.binary_search_by_key(&entry.base, |segment| segment.base).is_ok()
        };
        let same = |entry: &Entry| {
            let chain = &survey.chain.segments;
            let at = chain.binary_search_by_key(&entry.base, |segment| segment.base);
            at.is_ok_and(|at| {
                let segment = &chain[at];
                // Behind what is damaged, or was lost and accepted since, the chain goes on elsewhere.
                let next = segment.next == entry.next
                    || survey.lost.iter().any(|lost| lost.contains(&entry.next))
                    || survey.damages.iter().any(|damage| damage.range.contains(&entry.next));
                let ends =
                    (segment.end, segment.file_len, segment.epoch, segment.begins_epoch, segment.sealed)
                        == (entry.end, entry.file_len, entry.epoch, entry.begins_epoch, entry.sealed);
                next && ends
                    && (segment.seal, segment.records, segment.times)
                        == (entry.seal, entry.records, entry.times)
                    && (segment.made_at, segment.closed_at) == (entry.made_at, entry.closed_at)
            })
        };
        let kept = summary.segments.iter().filter(|entry| entry.base >= survey.begins());
        Some(summary.identity) == survey.identity
            && summary.begins <= survey.begins()
            && kept.clone().all(|entry| same(entry) || (is_there(entry) && spoilt(entry)))
    }
}
