//! Why a segment is still there, in words.

use headwater_wal::{Chain, Position, Segment, Time};

use super::Driver;
use crate::journal::ReceiverLog;

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

impl Driver {
    /// What holds the journal (`None`), or a receiver's log.
    pub fn holds(&self, log: Option<ReceiverLog>) -> headwater_wal::Result<Vec<Hold>> {
        let mut holds = Vec::new();
        let kept = self.kept_needs()?;
        if kept.is_empty() {
            let who = "there is no checkpoint yet".to_owned();
            holds.push(Hold { from: Position::START, who });
        }
        for (id, needed) in kept {
            let from = match log {
                None => needed.journal,
                Some(log) => needed.received.from(log),
            };
            holds.push(Hold { from, who: format!("checkpoint {id}") });
        }
        let Some(log) = log else { return Ok(holds) };
        let state = self.journal().ahead();
        let tracker = state.tracker();
        for allotment in tracker.unfinished() {
            for run in allotment.runs().filter(|run| run.log == log) {
                holds.push(Hold {
                    from: run.first,
                    who: format!("the unfinished batch {}", allotment.batch()),
                });
            }
        }
        if let Some(from) = tracker.oldest_waiting(log) {
            holds.push(Hold { from, who: "blocks that no batch has".to_owned() });
        }
        let settled = tracker.settled(log);
        let from = settled.map_or(Position::START, |settled| settled.plus(1));
        holds.push(Hold { from, who: "what is not reported yet".to_owned() });
        Ok(holds)
    }
}
