//! Reading many handles in their order: those that lie close together with one read, and several reads at once where the
//! medium can.

use std::ops::Range;

use super::ahead::Ahead;
use super::kept::Kept;
use super::read::{Record, decode, range};
use super::source::segment_name;
use super::window::{WINDOW_BYTES, Window};
use crate::error::Result;
use crate::format::{Handle, Position};
use crate::store::Store;

/// So much that nobody asked for is read with its neighbours: it costs less than a read of its own.
const GAP_BYTES_MAX: u64 = 8 * 1024;

/// The same where each read is a request.
const GAP_BYTES_AHEAD_MAX: u64 = 64 * 1024;

/// The most bytes that handles which lie together are read with there, unless one of them has more.
const RUN_BYTES_MAX: u64 = 1 << 20;

/// Handles on their way.
#[derive(Debug)]
pub(crate) struct Many<'a> {
    store: &'a dyn Store,
    kept: &'a Kept,
    handles: &'a [Handle],
    /// Which of them is next.
    at: usize,
    limit: u32,
    /// Of the segment at the base.
    window: (Position, Window),
    /// None where the medium begins no reads.
    ahead: Option<Ahead<Run>>,
    /// The next one to begin, if there was no room for it.
    waits: Option<Run>,
    /// Those before it have been taken into a run, or are read alone.
    planned: usize,
}

/// Handles that follow one another, in whatever order they lie, and are read at once.
#[derive(Clone, Debug)]
struct Run {
    handles: Range<usize>,
    base: Position,
    bytes: Range<u64>,
}

impl Run {
    fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    /// Both ranges, if they lie close together.
    fn with(&self, more: &Range<u64>) -> Option<Range<u64>> {
        let both = self.bytes.start.min(more.start)..self.bytes.end.max(more.end);
        let near = more.start <= self.bytes.end.saturating_add(GAP_BYTES_AHEAD_MAX)
            && self.bytes.start <= more.end.saturating_add(GAP_BYTES_AHEAD_MAX);
        (near && both.end - both.start <= RUN_BYTES_MAX).then_some(both)
    }
}

impl<'a> Many<'a> {
    pub(crate) fn new(store: &'a dyn Store, kept: &'a Kept, handles: &'a [Handle], limit: u32) -> Self {
        let (window, ahead) = (Default::default(), Some(Ahead::new()));
        Many { store, kept, handles, at: 0, limit, window, ahead, waits: None, planned: 0 }
    }

    /// The record of the next handle. `locate` finds its segment, if it is to be read at all. Whatever is not plain is
    /// left to `alone`, which reads one handle and says what is wrong with it.
    pub(crate) fn next(
        &mut self,
        locate: impl Fn(&Handle) -> Result<Position>,
        alone: impl Fn(&Handle) -> Result<Record>,
    ) -> Option<Result<Record>> {
        let handle = self.handles.get(self.at)?;
        self.begin(&locate);
        let together = |base| if self.ahead.is_some() { self.arrived(base) } else { self.together(base) };
        let record = locate(handle).ok().and_then(together);
        self.at += 1;
        Some(record.map_or_else(|| alone(handle), Ok))
    }

    /// Begins as many reads as there is room for.
    fn begin(&mut self, locate: &impl Fn(&Handle) -> Result<Position>) {
        loop {
            let Some(ahead) = self.ahead.as_mut().filter(|ahead| ahead.has_room(0)) else { return };
            let Some(run) =
                self.waits.take().or_else(|| run(self.handles, &mut self.planned, self.limit, locate))
            else {
                return;
            };
            if !ahead.has_room(run.len()) {
                self.waits = Some(run);
                return;
            }
            match self.store.fetch(&segment_name(run.base), run.bytes.clone()) {
                Some(fetch) => ahead.push(run.clone(), run.len(), fetch),
                None => self.ahead = None,
            }
        }
    }

    /// The record, if it comes with what was begun.
    fn arrived(&mut self, base: Position) -> Option<Record> {
        let ahead = self.ahead.as_mut()?;
        while ahead.front().is_some_and(|run| run.handles.end <= self.at) {
            drop(ahead.take());
        }
        if ahead.front().is_some_and(|run| run.handles.start <= self.at) {
            let (run, fetch) = ahead.take()?;
            // What fails here is told by who reads the handle alone.
            self.window = (run.base, Window::new(run.bytes.start, fetch.wait().unwrap_or_default()));
        }
        self.in_window(base)
    }

    /// The record, if it lies in the window, or in one that is worth reading for those behind it too.
    fn together(&mut self, base: Position) -> Option<Record> {
        let (handle, behind) = self.handles[self.at..].split_first()?;
        let wanted = range(handle, base, self.limit).ok()?;
        if self.window.0 == base && self.window.1.holds(wanted.start, wanted.end) {
            return self.in_window(base);
        }
        let end = end_of_run(handle, behind);
        if end == handle.end() {
            return None;
        }
        // What fails here is told by who reads the handle alone.
        let object = match self.kept.get(base) {
            Some(object) => object,
            None => {
                let object = self.store.open(&segment_name(base)).ok()??;
                self.kept.keep(base, object.clone());
                object
            }
        };
        self.window.0 = base;
        self.window.1.load(&*object, wanted.start..end.since(base)).ok()?;
        self.in_window(base)
    }

    fn in_window(&self, base: Position) -> Option<Record> {
        let handle = &self.handles[self.at];
        let wanted = range(handle, base, self.limit).ok()?;
        if self.window.0 != base {
            return None;
        }
        let bytes = self.window.1.take(wanted.start, (wanted.end - wanted.start) as usize)?;
        decode(self.store, handle, base, bytes, self.limit).ok()
    }
}

/// The next handles to be read at once; those that cannot be located are passed over.
fn run(
    handles: &[Handle],
    planned: &mut usize,
    limit: u32,
    locate: &impl Fn(&Handle) -> Result<Position>,
) -> Option<Run> {
    let lies = |handle: &Handle| {
        let base = locate(handle).ok()?;
        Some((base, range(handle, base, limit).ok()?))
    };
    let mut run: Option<Run> = None;
    while let Some(handle) = handles.get(*planned) {
        match (lies(handle), &mut run) {
            (Some((base, bytes)), None) => run = Some(Run { handles: *planned..*planned, base, bytes }),
            (Some((base, bytes)), Some(run)) if base == run.base && run.with(&bytes).is_some() => {
                run.bytes = run.with(&bytes)?;
            }
            (_, Some(_)) => break,
            (None, None) => {}
        }
        *planned += 1;
        if let Some(run) = &mut run {
            run.handles.end = *planned;
        }
    }
    run
}

/// Where those end that follow `handle` closely in its segment, within one window.
fn end_of_run(handle: &Handle, behind: &[Handle]) -> Position {
    let mut end = handle.end();
    for next in behind {
        let near = next.position >= end && next.position.since(end) <= GAP_BYTES_MAX;
        let same = (next.base, next.epoch) == (handle.base, handle.epoch);
        if !near || !same || next.end().since(handle.position) > WINDOW_BYTES {
            break;
        }
        end = next.end();
    }
    end
}
