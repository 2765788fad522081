//! Summaries, on media without growing files: off everybody's path, and of what was acknowledged only. Nothing depends on
//! one; what could not be put goes into the next.

use super::Core;
use crate::format::Position;
use crate::format::summary::{SEGMENTS_MAX, Summary};
use crate::log::put_summary;

/// What has been summarised.
#[derive(Debug)]
pub(super) struct Summing {
    /// All segments below are listed in summaries.
    to: Position,
    /// How many segments the next one lists.
    count: usize,
    /// One is being put.
    out: bool,
}

impl Summing {
    pub(super) fn new(to: Position, count: usize) -> Self {
        Summing { to, count, out: false }
    }
}

impl Core {
    /// The next summary, if there is enough for one and none is on its way. Whoever takes it puts it.
    pub(in crate::group) fn due_summary(&self) -> Option<Summary> {
        if self.store.append().is_some() {
            return None;
        }
        // What readers see is what was acknowledged, and its beginning is that of every mark in it.
        let view = self.view.read();
        let mut summing = self.summing.lock();
        let from = view.segments.partition_point(|segment| segment.base < summing.to);
        let segments = view.segments.get(from..from + summing.count).filter(|_| !summing.out)?;
        let summary = self.facts.summary(segments, view.begins, *self.swept.lock());
        summing.out = summary.is_some();
        if summary.is_none() {
            summing.another(self.options.summary_segments);
        }
        summary
    }

    /// Puts a summary. What it lists, readers of this process no longer hold, but for the newest.
    pub(in crate::group) fn put_summary(&self, summary: &Summary) {
        let put = put_summary(&*self.store, summary);
        let mut view = self.view.write();
        let mut summing = self.summing.lock();
        summing.out = false;
        if put.is_err() {
            // Its name may be taken, now or later, by whatever landed: the next one ends elsewhere and says it too.
            summing.another(self.options.summary_segments);
            return;
        }
        summing.to = summary.end;
        summing.count = self.options.summary_segments;
        let older = view.segments.partition_point(|segment| segment.base < summary.from());
        if older > 0 {
            view.segments.drain(..older);
            view.older = Some(summary.from());
        }
    }
}

impl Summing {
    /// The next summary lists some more.
    fn another(&mut self, step: usize) {
        self.count = (self.count + step.div_ceil(8)).min(SEGMENTS_MAX);
    }
}
