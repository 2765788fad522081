//! From where on the receivers' logs are still needed.

use std::collections::BTreeMap;

use headwater_wal::Position;

use super::block::ReceiverLog;
use super::tracker::Tracker;

/// From where on each receiver's log is needed by a state: its oldest block that no batch has or that an unfinished
/// batch has, and everything behind the last block that it knows of, for that is still to be reported, or was added
/// later. Of a log that it does not know all is needed.
///
/// Needs only go up in the life of a journal: what a state needs, every earlier one needs too. So the need of the oldest
/// checkpoint that is kept is enough to retire by, also while the journal itself waits for room; where checkpoints are
/// kept that do not follow one another, [`and`](Need::and) is the need of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need(pub(super) BTreeMap<ReceiverLog, Position>);

impl Need {
    pub(super) fn of(tracker: &Tracker) -> Need {
        let behind = |settled: Option<Position>| settled.map_or(Position::START, |settled| settled.plus(1));
        let logs = tracker.logs.iter();
        let mut need: BTreeMap<_, _> = logs
            .map(|(&log, received)| (log, received.queue.front().unwrap_or(behind(received.settled))))
            .collect();
        for (run, _) in tracker.batches.values().flat_map(|taken| &taken.runs) {
            need.entry(run.log).and_modify(|least| *least = run.first.min(*least));
        }
        Need(need)
    }

    /// From where on a log is needed.
    pub fn from(&self, log: ReceiverLog) -> Position {
        self.0.get(&log).copied().unwrap_or(Position::START)
    }

    /// The logs of which anything may go.
    pub fn logs(&self) -> impl Iterator<Item = (ReceiverLog, Position)> {
        self.0.iter().map(|(&log, &from)| (log, from))
    }

    /// What both need.
    #[must_use]
    pub fn and(mut self, other: &Need) -> Need {
        self.0.retain(|log, from| match other.0.get(log) {
            Some(theirs) => {
                *from = (*from).min(*theirs);
                true
            }
            None => false,
        });
        self
    }
}
