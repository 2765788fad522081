//! Retiring: what goes, the mark that says so, and only then the files.
//!
//! On an object store only the mark is the writer's work. Which segments go, where only summaries know them, is found out
//! before, and what went is removed after it: both by whoever asked, beside the appends.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::super::queue::Retired;
use super::Core;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::log::{Failed, Parts, Segment, Sweep, Writer, sweep};

/// The most retired segments of which it is remembered whether they begin an epoch; of others it is read again.
const KNOWN_MAX: usize = 1 << 14;

/// Of what only summaries know: what was closed early enough.
#[derive(Debug, Default)]
pub(super) struct Ripe {
    before: Time,
    /// All below was closed before that, and a segment begins here.
    to: Position,
}

impl Core {
    /// Retires on an object store. `mark` has the writer do its part.
    pub(in crate::group) fn retire_around(
        &self,
        before: Time,
        mark: impl FnOnce() -> Result<Retired>,
    ) -> Result<Retired> {
        let _alone = self.alone();
        let ripe = Ripe { before, to: self.ripe_to(before)? };
        *self.ripe.lock() = ripe;
        let marked = mark()?;
        let (from, known) = (*self.swept.lock(), std::mem::take(&mut *self.left.lock()));
        if from >= marked.begins {
            return Ok(marked);
        }
        let identity = self.facts.identity.short();
        let sweep = Sweep {
            store: &self.store,
            identity,
            from,
            begins: marked.begins,
            known: known.iter().copied().collect(),
            learned: from,
        };
        let swept = sweep.run();
        *self.swept.lock() = swept.to;
        let mut left = self.left.lock();
        left.extend(known.into_iter().filter(|&(base, _)| base >= swept.to));
        left.truncate(KNOWN_MAX);
        Ok(Retired { begins: marked.begins, removed: swept.removed, left: swept.left })
    }

    /// Nobody else retires meanwhile. In a stepped log who does has to get its turn.
    fn alone(&self) -> MutexGuard<'_, ()> {
        loop {
            match self.retiring.try_lock() {
                Some(alone) => return alone,
                None if self.stepped && self.clock.wait_for_others() => {}
                None => return self.retiring.lock(),
            }
        }
    }

    /// How far a retirement can go in what is not held: it reads the summaries of what goes, and of no more.
    fn ripe_to(&self, before: Time) -> Result<Position> {
        let chain = Arc::new(self.view.read().clone());
        let mut to = chain.begins;
        if chain.older.is_none() {
            return Ok(to);
        }
        let needed = self.needed();
        let mut parts = Parts::new(self.store.clone(), chain.clone(), to)?;
        while let Some(part) = parts.next()? {
            if parts.is_over() {
                break;
            }
            for segment in &part.chain.segments {
                if !goes(segment, before, needed) || (segment.base != to && to != chain.begins) {
                    return Ok(to);
                }
                to = segment.next;
            }
        }
        Ok(to)
    }

    fn needed(&self) -> Position {
        self.queue.lock().pins.keys().next().copied().unwrap_or(Position(u64::MAX))
    }

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
            let ripe = self.ripe.lock();
            let fits = ripe.before <= before && ripe.to <= needed;
            let ripe = if fits { ripe.to.max(view.begins) } else { view.begins };
            let (count, begins) = match view.older {
                // A pin that has come since may be in the way: then nothing goes this time.
                Some(older) if ripe < older => (0, ripe),
                _ => {
                    // The last one stays: a log begins somewhere.
                    let last = view.segments.len().saturating_sub(1);
                    let goes = |segment: &&Segment| goes(segment, before, needed);
                    let count = view.segments[..last].iter().take_while(goes).count();
                    let first = view.segments.get(count).filter(|_| count > 0 || view.older.is_some());
                    (count, first.map_or(view.begins, |first| first.base))
                }
            };
            let retired: Vec<_> =
                view.segments[..count].iter().map(|segment| (segment.base, segment.begins_epoch)).collect();
            queue.begins = queue.begins.max(begins);
            (retired, begins)
        };
        if begins > self.view.read().begins {
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
        let begins = self.view.read().begins;
        if self.store.append().is_none() {
            // What is to be removed goes when the appends no longer wait.
            return Ok(Ok(Retired { begins, removed: 0, left: 0 }));
        }
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
        let left = left.len() as u64;
        writer.restore_reserve()?;
        Ok(Ok(Retired { begins, removed, left }))
    }
}

fn goes(segment: &Segment, before: Time, needed: Position) -> bool {
    segment.closed_at.is_some_and(|closed_at| closed_at < before) && segment.next <= needed
}
