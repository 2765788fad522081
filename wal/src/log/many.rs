//! Reading many handles in their order: those that lie close together with one read.

use super::kept::Kept;
use super::read::{Record, decode, range};
use super::source::segment_name;
use super::window::{WINDOW_BYTES, Window};
use crate::error::Result;
use crate::format::{Handle, Position};
use crate::store::Store;

/// So much that nobody asked for is read with its neighbours: it costs less than a read of its own.
const GAP_BYTES_MAX: u64 = 8 * 1024;

/// Handles on their way.
#[derive(Debug)]
pub(crate) struct Many<'a> {
    store: &'a dyn Store,
    kept: &'a Kept,
    handles: &'a [Handle],
    limit: u32,
    /// Of the segment at the base.
    window: (Position, Window),
}

impl<'a> Many<'a> {
    pub(crate) fn new(store: &'a dyn Store, kept: &'a Kept, handles: &'a [Handle], limit: u32) -> Self {
        Many { store, kept, handles, limit, window: Default::default() }
    }

    /// The record of the next handle. `locate` finds its segment, if it is to be read at all. Whatever is not plain is
    /// left to `alone`, which reads one handle and says what is wrong with it.
    pub(crate) fn next(
        &mut self,
        locate: impl Fn(&Handle) -> Result<Position>,
        alone: impl Fn(&Handle) -> Result<Record>,
    ) -> Option<Result<Record>> {
        let (handle, behind) = self.handles.split_first()?;
        let record = locate(handle).ok().and_then(|base| self.together(handle, behind, base));
        self.handles = behind;
        Some(record.map_or_else(|| alone(handle), Ok))
    }

    /// The record, if it lies in the window, or in one that is worth reading for those behind it too.
    fn together(&mut self, handle: &Handle, behind: &[Handle], base: Position) -> Option<Record> {
        let wanted = range(handle, base, self.limit).ok()?;
        let len = (wanted.end - wanted.start) as usize;
        if self.window.0 != base || self.window.1.get(wanted.start, len).is_none() {
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
        }
        let bytes = self.window.1.take(wanted.start, len)?;
        decode(self.store, handle, base, bytes, self.limit).ok()
    }
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
