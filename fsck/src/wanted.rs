//! Which records somebody asks for.

use headwater_wal::format::scan::Frame;
use headwater_wal::{Position, Segment, Time};

/// Which records somebody asks for: all that lie in a range of positions and of times, and are of certain kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The first position of interest.
    pub from: Position,
    /// The first position of no interest any more.
    pub to: Position,
    /// The first time of interest.
    pub since: Time,
    /// The first time of no interest any more; the greatest time there is, if none is.
    pub until: Time,
    /// The kinds of interest; none named: all.
    pub kinds: Vec<u8>,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted {
            from: Position::START,
            to: Position(u64::MAX),
            since: Time(0),
            until: Time::MAX,
            kinds: Vec::new(),
        }
    }
}

impl Wanted {
    /// Whether it asks for a time or a kind, and not for positions alone.
    pub fn picks(&self) -> bool {
        self.since > Time(0) || self.until < Time::MAX || !self.kinds.is_empty()
    }

    /// Whether a record of a caller is asked for.
    pub fn takes(&self, frame: &Frame) -> bool {
        !frame.header.own
            && (self.from..self.to).contains(&frame.at)
            && self.takes_time(frame.header.time)
            && (self.kinds.is_empty() || self.kinds.contains(&frame.header.kind))
    }

    fn takes_time(&self, time: Time) -> bool {
        time >= self.since && (time < self.until || self.until == Time::MAX)
    }

    /// Whether a segment may hold anything that is asked for, as far as is known without reading it.
    pub fn may_lie_in(&self, segment: &Segment) -> bool {
        let times = segment.times.is_none_or(|(least, greatest)| {
            greatest >= self.since && (least < self.until || self.until == Time::MAX)
        });
        segment.end > self.from && segment.base < self.to && times
    }
}
