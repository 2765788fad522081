//! Finding a place in a log: by position, by time, or so many records from its end.

use headwater_wal::format::frame::FrameHeader;
use headwater_wal::format::scan::Seen;
use headwater_wal::store::Store;
use headwater_wal::{Handle, Position, Result, Segment, Survey, Time};

use crate::Wanted;
use crate::walk::Walks;

/// What somebody looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The record that lies at a position, or the first one behind it.
    Position(Position),
    /// The first record, in the order of positions, of this time or a later one.
    Time(Time),
}

/// A record that was found, and where.
#[derive(Clone, Debug)]
pub struct Place {
    /// The segment that it lies in.
    pub segment: Segment,
    /// Its handle.
    pub handle: Handle,
    /// What its frame says.
    pub header: FrameHeader,
}

/// Finds a record; none if the log ends before it. What does not verify is passed over, as a replay would pass over it
/// after it has said so.
pub fn seek(store: &dyn Store, survey: &Survey, goal: Goal) -> Result<Option<Place>> {
    let walks = Walks { store, survey };
    let reaches = |segment: &&Segment| match goal {
        Goal::Position(at) => segment.end > at,
        Goal::Time(since) => segment.times.is_none_or(|(_, greatest)| greatest >= since),
    };
    for segment in survey.chain().segments().iter().filter(reaches) {
        let starts = walks.starts(segment)?;
        let start = match goal {
            Goal::Position(at) => starts.iter().rfind(|entry| entry.position <= at),
            Goal::Time(since) => starts.iter().find(|entry| entry.greatest >= since),
        };
        let from = start.map_or(segment.start(), |entry| entry.position);
        let mut walk = walks.between(segment, from, segment.end)?;
        while let Some(seen) = walk.next()? {
            let Seen::Frame(frame) = seen else { continue };
            let is_it = match goal {
                Goal::Position(at) => frame.end() > at,
                Goal::Time(since) => frame.header.time >= since,
            };
            if is_it && !frame.header.own {
                let handle = frame.handle(walks.life(segment), segment.base);
                return Ok(Some(Place { segment: segment.clone(), handle, header: frame.header }));
            }
        }
    }
    Ok(None)
}

/// A position behind which at least the last `count` records lie that are asked for, if there are so many. Read from the
/// end, a stretch of the index at a time, and no further than need be.
pub fn before_last(store: &dyn Store, survey: &Survey, wanted: &Wanted, count: u64) -> Result<Position> {
    let walks = Walks { store, survey };
    let mut held = 0;
    let segments = survey.chain().segments();
    for segment in segments.iter().rev().filter(|segment| wanted.may_lie_in(segment)) {
        if held >= count {
            return Ok(segment.end);
        }
        // Where all of it is asked for, its footer has counted.
        let whole = !wanted.picks() && segment.base >= wanted.from && segment.end <= wanted.to;
        if let Some(records) = segment.records.filter(|records| whole && held + records <= count) {
            held += records;
            continue;
        }
        let mut to = segment.end;
        for entry in walks.starts(segment)?.iter().rev() {
            let mut walk = walks.between(segment, entry.position, to)?;
            while let Some(seen) = walk.next()? {
                held += u64::from(matches!(&seen, Seen::Frame(frame) if wanted.takes(frame)));
            }
            if held >= count {
                return Ok(entry.position);
            }
            to = entry.position;
        }
    }
    Ok(Position::START)
}
