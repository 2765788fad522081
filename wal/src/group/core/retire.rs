//! Retiring: what goes, the mark that says so, and only then the files.

use super::super::queue::Retired;
use super::Core;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::log::{Failed, Segment, Writer, sweep};

impl Core {
    /// Retires the longest run of closed segments from the beginning that are older than `before` and that no pin
    /// needs. The mark is acknowledged before anything is removed.
    pub(super) fn retire(&self, writer: &mut Writer, before: Time) -> Result<Result<Retired>, Failed> {
        if let Some(doubt) = &*self.clock_doubt.lock() {
            return Ok(Err(Error::new(Kind::Unavailable, doubt.clone())));
        }
        let (retired, begins) = {
            // A pin that is asked for from here on finds what is about to go.
            let mut queue = self.queue.lock();
            let needed = queue.pins.keys().next().copied().unwrap_or(Position(u64::MAX));
            let view = self.view.read();
            let goes = |segment: &&Segment| {
                segment.closed_at.is_some_and(|closed_at| closed_at < before) && segment.next <= needed
            };
            // The last one stays: a log begins somewhere.
            let last = view.segments.len().saturating_sub(1);
            let count = view.segments[..last].iter().take_while(goes).count();
            let retired: Vec<_> =
                view.segments[..count].iter().map(|segment| (segment.base, segment.begins_epoch)).collect();
            let begins = view.segments.get(count).map_or(view.begins, |first| first.base);
            queue.begins = queue.begins.max(begins);
            (retired, begins)
        };
        if !retired.is_empty() {
            if let Err(failed) = writer.mark(begins, self.now()) {
                // Nothing was removed, so pins there are as good as before.
                let begins = self.view.read().begins;
                self.queue.lock().begins = begins;
                return Err(failed);
            }
            self.show(writer);
        }
        let mut left = self.left.lock();
        left.extend(retired);
        let mut removed = 0;
        left.retain(|&(base, begins_epoch)| {
            match sweep(&*self.store, std::iter::once(base), |_| begins_epoch) {
                Ok(count) => {
                    removed += count;
                    false
                }
                Err(_) => true, // said in the answer, and tried again
            }
        });
        drop(left);
        writer.restore_reserve()?;
        let begins = self.view.read().begins;
        let left = self.left.lock().len() as u64;
        Ok(Ok(Retired { begins, removed, left }))
    }
}
