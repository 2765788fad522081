//! Why a segment is still there, in words.

use std::time::Duration;

use headwater_wal::{Chain, Error, Kind, Position, Result, Segment, Time};

use super::Driver;
use crate::checkpoint::Id;
use crate::journal::{ReceiverLog, State};

/// For so long a state is asked for that somebody may keep who waits for room.
const LOOK_FOR: Duration = Duration::from_secs(1);

/// Something that needs a log from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// From here on.
    pub from: Position,
    /// What it is, in words.
    pub who: String,
}

/// A segment, and what holds it; nothing does if it goes with the next cleaning.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The segment.
    pub segment: Segment,
    /// What holds it, in words.
    pub held_by: Vec<String>,
}

/// What holds each segment of a log, if everything older than `before` is to go.
pub fn explain(chain: &Chain, holds: &[Hold], before: Time) -> Vec<Explained> {
    let segments = chain.segments();
    let mut older_is_held = false;
    let mut explained = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let needed = holds.iter().filter(|hold| hold.from < segment.next);
        let mut held_by: Vec<String> =
            needed.map(|hold| format!("{}, from {} on", hold.who, hold.from)).collect();
        match segment.closed_at {
            _ if index + 1 == segments.len() => held_by.push("it is the last one".to_owned()),
            None => held_by.push("it is being written".to_owned()),
            Some(closed) if closed >= before => {
                held_by.push(format!("it was sealed at {closed}, not before {before}"))
            }
            Some(_) => {}
        }
        if held_by.is_empty() && older_is_held {
            held_by.push("an older one is held, and segments go oldest first".to_owned());
        }
        older_is_held |= !held_by.is_empty();
        explained.push(Explained { segment: segment.clone(), held_by });
    }
    explained
}

/// What holds the journal (`None`), or a receiver's log: each kept checkpoint, from where it needs that log, and what of
/// it the present state needs.
pub fn holds(
    kept: impl IntoIterator<Item = (Id, Position)>,
    state: &State,
    log: Option<ReceiverLog>,
) -> Vec<Hold> {
    let checkpoint = |(id, from)| Hold { from, who: format!("checkpoint {id}") };
    let mut holds: Vec<Hold> = kept.into_iter().map(checkpoint).collect();
    if holds.is_empty() {
        let who = "there is no checkpoint yet".to_owned();
        holds.push(Hold { from: Position::START, who });
    }
    let Some(log) = log else { return holds };
    let tracker = state.tracker();
    for allotment in tracker.unfinished() {
        for run in allotment.runs().filter(|run| run.log == log) {
            holds.push(Hold { from: run.first, who: format!("the unfinished batch {}", allotment.batch()) });
        }
    }
    if let Some(from) = tracker.oldest_waiting(log) {
        holds.push(Hold { from, who: "blocks that no batch has".to_owned() });
    }
    let settled = tracker.settled(log);
    let from = settled.map_or(Position::START, |settled| settled.plus(1));
    holds.push(Hold { from, who: "what is not reported yet".to_owned() });
    holds
}

impl Driver {
    /// What holds the journal (`None`), or a receiver's log. `Unavailable`: its events fill their queue, since the disk is
    /// full.
    pub fn holds(&self, log: Option<ReceiverLog>) -> Result<Vec<Hold>> {
        let kept = self.kept_needs()?.into_iter().map(|(id, needed)| match log {
            None => (id, needed.journal),
            Some(log) => (id, needed.received.from(log)),
        });
        match self.journal().ahead_within(LOOK_FOR) {
            Some(state) => Ok(holds(kept, &state, log)),
            None => {
                let message =
                    "the journal waits for room: free some, or clean; until then its state is not told";
                Err(Error::new(Kind::Unavailable, message))
            }
        }
    }
}
