//! What a log holds, in numbers: records, bytes, compression, sizes of groups, gaps in time; by kind and by hour.

mod sizes;

use std::collections::BTreeMap;

use headwater_wal::format::frame::{Codec, FrameHeader};
use headwater_wal::format::scan::Seen;
use headwater_wal::store::Store;
use headwater_wal::{Kind, Position, Result, Segment, Survey, Time};

pub use sizes::Sizes;

use crate::Wanted;
use crate::walk::Walks;

const HOUR_MS: u64 = 3_600_000;

/// So many hours are told apart, more than a year. What lies in others is added up.
pub const HOURS_MAX: usize = 10_000;

/// So many gaps are named, the longest.
pub const GAPS_MAX: usize = 10;

/// Records added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub records: u64,
    /// Their payloads, as they were appended.
    pub raw_bytes: u64,
    /// The same, as they are stored.
    pub stored_bytes: u64,
}

impl Sum {
    fn add(&mut self, header: &FrameHeader) {
        self.records += 1;
        self.raw_bytes = self.raw_bytes.saturating_add(u64::from(header.raw_len));
        self.stored_bytes = self.stored_bytes.saturating_add(u64::from(header.stored_len));
    }

    /// Raw bytes for each stored one; none, if nothing is stored.
    pub fn ratio(&self) -> Option<f64> {
        (self.stored_bytes > 0).then(|| self.raw_bytes as f64 / self.stored_bytes as f64)
    }
}

/// A stretch of time without records, between one record and the next one in the order of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// How long it is, in milliseconds.
    pub millis: u64,
    /// The time of the record before.
    pub after: Time,
    /// The record that ends it.
    pub at: Position,
}

/// What a log holds, as far as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// All records.
    pub total: Sum,
    /// Those that are stored compressed.
    pub compressed: Sum,
    /// Of each kind.
    pub kinds: BTreeMap<u8, Sum>,
    /// Of each hour of the records' own times, by when it begins; the first ones met, at most [`HOURS_MAX`].
    pub hours: BTreeMap<Time, Sum>,
    /// Of all other hours.
    pub other_hours: Sum,
    /// The least and greatest time.
    pub times: Option<(Time, Time)>,
    /// Payloads as they were appended.
    pub record_bytes: Sizes,
    /// Groups that hold any of the records, whole with headers and padding.
    pub group_bytes: Sizes,
    /// How many of the records each of these holds.
    pub group_records: Sizes,
    /// The longest gaps, the longest first.
    pub gaps: Vec<Gap>,
    /// How many records are older than the one before.
    pub backwards: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Their files.
    pub file_bytes: u64,
    /// Places that do not verify and so are not counted.
    pub bad: u64,
    /// Segments that went while this was read: they were retired.
    pub went: u64,
}

/// Reads what is asked for and adds it up, in a fixed amount of memory.
pub fn stats(store: &dyn Store, survey: &Survey, wanted: &Wanted) -> Result<Stats> {
    let walks = Walks { store, survey };
    let mut adding = Adding { stats: Stats::default(), last: None, group: None };
    for segment in survey.chain().segments().iter().filter(|segment| wanted.may_lie_in(segment)) {
        match adding.segment(walks, wanted, segment) {
            Err(gone) if gone.kind() == Kind::NotThere => adding.stats.went += 1,
            other => other?,
        }
    }
    let mut stats = adding.stats;
    // What the walk does not come upon, since no segment shows it.
    let between =
        |at| !survey.chain().segments().iter().any(|segment| (segment.base..segment.end).contains(&at));
    let damages = survey.damages().iter().map(|damage| &damage.range);
    let asked = damages.filter(|range| range.end > wanted.from && range.start < wanted.to);
    stats.bad += asked.filter(|range| between(range.start)).count() as u64;
    stats.gaps.sort_by(|one, other| other.cmp(one));
    Ok(stats)
}

struct Adding {
    stats: Stats,
    last: Option<Time>,
    /// The group that is being read: its bytes, and how many records of it were asked for.
    group: Option<(u64, u64)>,
}

impl Adding {
    fn segment(&mut self, walks: Walks<'_>, wanted: &Wanted, segment: &Segment) -> Result<()> {
        let starts = walks.starts(segment)?;
        let from = starts.iter().rfind(|entry| entry.position <= wanted.from).map(|entry| entry.position);
        let mut walk = walks.between(segment, from.unwrap_or(segment.start()), segment.end)?;
        self.stats.segments += 1;
        self.stats.file_bytes = self.stats.file_bytes.saturating_add(segment.file_len);
        while let Some(seen) = walk.next()? {
            match seen {
                Seen::Group { at, .. } if at >= wanted.to => break,
                Seen::Group { header, .. } => {
                    self.end_group();
                    self.group = Some((u64::from(header.group_bytes), 0));
                }
                Seen::Frame(frame) if wanted.takes(&frame) => self.record(frame.at, &frame.header),
                Seen::Bad(bad) => {
                    let asked = bad.range.end > wanted.from && bad.range.start < wanted.to;
                    self.stats.bad += u64::from(asked);
                }
                _ => {}
            }
        }
        self.end_group();
        Ok(())
    }

    fn end_group(&mut self) {
        if let Some((bytes, records)) = self.group.take().filter(|(_, records)| *records > 0) {
            self.stats.group_bytes.add(bytes);
            self.stats.group_records.add(records);
        }
    }

    fn record(&mut self, at: Position, header: &FrameHeader) {
        let stats = &mut self.stats;
        stats.total.add(header);
        if header.codec != Codec::Raw {
            stats.compressed.add(header);
        }
        stats.kinds.entry(header.kind).or_default().add(header);
        stats.record_bytes.add(u64::from(header.raw_len));
        let time = header.time;
        let hour = Time(time.0 - time.0 % HOUR_MS);
        let room = stats.hours.len() < HOURS_MAX || stats.hours.contains_key(&hour);
        match room {
            true => stats.hours.entry(hour).or_default().add(header),
            false => stats.other_hours.add(header),
        }
        stats.times =
            Some(stats.times.map_or((time, time), |(least, greatest)| (least.min(time), greatest.max(time))));
        if let Some(last) = self.last {
            stats.backwards += u64::from(time < last);
            gap(&mut stats.gaps, Gap { millis: time.0.saturating_sub(last.0), after: last, at });
        }
        self.last = Some(time);
        if let Some((_, records)) = &mut self.group {
            *records += 1;
        }
    }
}

/// Keeps the longest.
fn gap(gaps: &mut Vec<Gap>, gap: Gap) {
    if gap.millis == 0 {
        return;
    }
    if gaps.len() < GAPS_MAX {
        gaps.push(gap);
    } else if let Some(shortest) = gaps.iter_mut().min()
        && *shortest < gap
    {
        *shortest = gap;
    }
}
