//! The summaries of a log on a medium without growing files: what a writer says in them, putting, finding and reading
//! them. Why they can be trusted stands with [their bytes](crate::format::summary).

use std::ops::Range;

use bytes::Bytes;

use super::chain::Segment;
use crate::clock::Time;
use crate::error::{Kind, Result};
use crate::format::name::{self, SUMMARIES};
use crate::format::summary::{Entry, SUMMARY_BYTES_MAX, Summary, SummaryFault};
use crate::format::{Identity, Position};
use crate::store::{Fetch, Name, Store, What};

/// What a writer knows all its life that its summaries have to say.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) identity: Identity,
    pub(crate) epoch: u64,
    pub(crate) written_max: u64,
    pub(crate) in_flight: u64,
    /// The engine's time that the log had reached when the writer started.
    pub(crate) time: Time,
    pub(crate) lost: Vec<Range<Position>>,
}

impl Facts {
    /// The summary of segments that were acknowledged and follow one another; none if it cannot be said in one.
    pub(crate) fn summary(&self, segments: &[Segment], begins: Position, swept: Position) -> Option<Summary> {
        let last = segments.last()?;
        let end = last.next;
        let summary = Summary {
            identity: self.identity,
            epoch: self.epoch,
            end,
            begins: begins.min(end),
            swept: swept.min(begins).min(end),
            time: self.time.max(last.made_at).max(last.closed_at.unwrap_or_default()),
            in_flight: self.in_flight,
            written_max: self.written_max,
            lost: self.lost.iter().filter(|lost| lost.end > begins).cloned().collect(),
            segments: segments.iter().map(Entry::from).collect(),
        };
        summary.is_sound().then_some(summary)
    }
}

impl From<&Segment> for Entry {
    fn from(segment: &Segment) -> Self {
        Entry {
            base: segment.base,
            end: segment.end,
            next: segment.next,
            file_len: segment.file_len,
            epoch: segment.epoch,
            // A header's body is at most 2^24; what is more is not sound, and is not put.
            body: u32::try_from(segment.body).unwrap_or(0),
            begins_epoch: segment.begins_epoch,
            sealed: segment.sealed,
            seal: segment.seal,
            made_at: segment.made_at,
            closed_at: segment.closed_at,
            times: segment.times,
            records: segment.records,
        }
    }
}

impl From<&Entry> for Segment {
    fn from(entry: &Entry) -> Self {
        Segment {
            base: entry.base,
            end: entry.end,
            next: entry.next,
            file_len: entry.file_len,
            epoch: entry.epoch,
            body: u64::from(entry.body),
            begins_epoch: entry.begins_epoch,
            sealed: entry.sealed,
            seal: entry.seal,
            made_at: entry.made_at,
            closed_at: entry.closed_at,
            times: entry.times,
            records: entry.records,
        }
    }
}

fn folder() -> Name {
    Name::new(SUMMARIES).expect("the folder's name is a name")
}

/// The name of the summary that ends at `end`.
pub(crate) fn summary_name(end: Position) -> Name {
    folder().join(&name::summary(end)).expect("a summary's name is a name")
}

/// Puts a summary. It is there on return, by this put or by an earlier one of the same bytes.
pub(crate) fn put(store: &dyn Store, summary: &Summary) -> Result<()> {
    let (name, bytes) = (summary_name(summary.end), Bytes::from(summary.encode()));
    match store.put(&name, bytes.clone()) {
        Err(error) if matches!(error.kind(), Kind::Exists | Kind::Unknown) => {
            let there = store.read(&name, 0..bytes.len() as u64 + 1)?;
            if there == bytes { Ok(()) } else { Err(error) }
        }
        other => other,
    }
}

/// Where summaries end, the newest first: all, or those that end at or below a position.
pub(crate) fn ends<'a>(
    store: &'a dyn Store,
    at_most: Option<Position>,
) -> Result<impl Iterator<Item = Result<Position>> + 'a> {
    let folder = folder();
    let pages = match at_most.filter(|&at_most| at_most < Position(Position::LIMIT.0 - 1)) {
        Some(at_most) => store.list_after(&folder, &name::summary(at_most.plus(1)))?,
        None => store.list(&folder)?,
    };
    let ends = |page: Result<Vec<crate::store::Entry>>| match page {
        Ok(page) => {
            let ends = page.into_iter().filter(|entry| matches!(entry.what, What::File(_)));
            ends.filter_map(|entry| name::parse_summary(&entry.name)).map(Ok).collect()
        }
        Err(error) => vec![Err(error)],
    };
    Ok(pages.flat_map(ends))
}

/// Begins to read a summary, where the medium can.
pub(crate) fn fetch(store: &dyn Store, end: Position) -> Option<Fetch> {
    store.fetch(&summary_name(end), 0..SUMMARY_BYTES_MAX + 1)
}

/// The summary that ends at `end`: none if it has gone, or does not verify, or a newer release has written it.
pub(crate) fn read(store: &dyn Store, end: Position, begun: Option<Fetch>) -> Result<Option<Summary>> {
    // What did not come is read by its name, and that answer counts.
    let read = match begun.map(Fetch::wait) {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(_)) | None => store.read(&summary_name(end), 0..SUMMARY_BYTES_MAX + 1),
    };
    match read.map(|bytes| Summary::decode(end, &bytes)) {
        Ok(Ok(summary)) => Ok(Some(summary)),
        Ok(Err(SummaryFault::Check | SummaryFault::Elsewhere | SummaryFault::Newer(_))) => Ok(None),
        Err(gone) if gone.kind() == Kind::NotThere => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the summaries that list only segments below `begins`.
pub(crate) fn remove_below(store: &dyn Store, begins: Position) -> Result<()> {
    const AT_ONCE: usize = 1000;
    let ends: Vec<Position> = ends(store, Some(begins))?.collect::<Result<_>>()?;
    for some in ends.chunks(AT_ONCE) {
        let names: Vec<Name> = some.iter().map(|&end| summary_name(end)).collect();
        store.remove_all(&names).into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}
