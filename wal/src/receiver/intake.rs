//! What was handed in and is not done with: from the open block to those at the device and at the driver.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::blocks::{Building, Place, SourceRange};
use super::options::Options;
use super::pace::Pace;
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position};
use crate::group::Ticket;

/// What a record counts for beside its bytes: its varints.
const RECORD_OVERHEAD: usize = 16;

/// What a block counts for beside its records: its header and range, its place among those under way, its ticket, its
/// place in the log's queue.
const BLOCK_OVERHEAD: usize = 768;

/// What a partition counts for in a block: its range, as it lies there, is found, is kept and is reported.
const RANGE_OVERHEAD: usize = 128;

/// What became of a record that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It was taken in. A reliable source is told when it is safe.
    Taken,
    /// It was handed in before: its source is told, or has been, when it is safe.
    Known,
    /// It was not taken in: there is no room now, or it would come too fast; offer it again.
    NotNow,
}

/// Whether a receiver goes on.
#[derive(Clone, Debug)]
pub(super) enum Life {
    Running,
    /// Nothing more is taken in, and the rest is brought to its end.
    Stopping,
    Over(Error),
}

/// What a receiver has to catch up with before it cuts anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Blocks of the log are reported that the driver does not know.
    CatchingUp,
    /// Blocks are cut, appended, reported.
    Cutting,
    /// A block was refused: it and those behind it are passed over and cut anew.
    CuttingAnew,
}

/// A partition of a source that numbers its records.
#[derive(Clone, Copy, Debug)]
struct Partition {
    /// The position behind the last record that was taken in.
    end: u64,
    /// The position that comes next: further on, if the source's numbers have a hole.
    next: u64,
    /// Everything below is safe at the driver.
    safe: u64,
    /// Nothing of it came yet, and its end is only what was skipped to first: what the log holds may tell otherwise.
    assumed: bool,
}

/// A block that is cut, and not handed to the log yet.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) building: Building,
    /// When its oldest record came.
    pub(super) since: Duration,
    pub(super) weight: usize,
}

/// A block that was handed to the log, and is not settled.
#[derive(Debug)]
pub(super) struct Flying {
    pub(super) ticket: Option<Ticket>,
    /// Where it lies, once it is durable; and where the one before it does.
    pub(super) handle: Option<Handle>,
    pub(super) previous: Option<Position>,
    pub(super) number: u64,
    pub(super) records: u32,
    pub(super) ranges: Vec<SourceRange>,
    pub(super) payload: Bytes,
    pub(super) since: Duration,
    pub(super) weight: usize,
}

/// How far a receiver is behind: what was handed in and is not settled yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Records.
    pub records: u64,
    /// What they take of `held_bytes_max`.
    pub bytes: usize,
    /// Blocks that are cut and not settled.
    pub blocks: usize,
    /// How long the oldest of the records has been waiting.
    pub age: Duration,
}

#[derive(Debug)]
pub(super) struct Intake {
    pub(super) life: Life,
    pub(super) phase: Phase,
    /// How many threads work for the receiver.
    pub(super) working: usize,
    open: Cut,
    pub(super) cut: VecDeque<Cut>,
    pub(super) flying: VecDeque<Flying>,
    /// A block is between `cut` and `flying`.
    pub(super) appending: bool,
    held_bytes: usize,
    held_records: u64,
    partitions: BTreeMap<u32, Partition>,
    /// Partitions of which records came again that are safe: their source has not heard of it.
    pub(super) resent: BTreeSet<u32>,
    pub(super) number: u64,
    pub(super) settled: Option<Position>,
    pub(super) pace: Pace,
}

impl Intake {
    pub(super) fn new(options: &Options, settled: Option<Position>) -> Self {
        Intake {
            life: Life::Running,
            phase: Phase::CatchingUp,
            working: 0,
            open: Cut::new(0),
            cut: VecDeque::new(),
            flying: VecDeque::new(),
            appending: false,
            held_bytes: 0,
            held_records: 0,
            partitions: BTreeMap::new(),
            resent: BTreeSet::new(),
            number: 0,
            settled,
            pace: Pace::new(options.rate),
        }
    }

    /// Whether records are taken in, or why not.
    pub(super) fn is_open(&self) -> Result<()> {
        match &self.life {
            Life::Running => Ok(()),
            Life::Stopping => Err(Error::new(Kind::Closed, "the receiver was stopped")),
            Life::Over(error) => Err(error.clone()),
        }
    }

    /// Takes a record in, if it can be now. The second one says how long to wait, if it is only too fast.
    pub(super) fn push(
        &mut self,
        options: &Options,
        now: Duration,
        place: Option<Place>,
        record: &[u8],
    ) -> Result<(Pushed, Option<Duration>)> {
        self.is_open()?;
        if record.len() > options.record_bytes_max {
            let message = format!(
                "a record is longer than record_bytes_max: bytes={} record_bytes_max={}",
                record.len(),
                options.record_bytes_max
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        if self.phase == Phase::CatchingUp {
            return Ok((Pushed::NotNow, None));
        }
        if let Some(place) = place
            && self.is_known(place)?
        {
            return Ok((Pushed::Known, None));
        }
        let opens = !self.fits(options, place, record);
        let ranges =
            usize::from(place.is_some_and(|place| opens || self.open.building.is_new(place.partition)));
        let weight =
            record.len() + RECORD_OVERHEAD + ranges * RANGE_OVERHEAD + usize::from(opens) * BLOCK_OVERHEAD;
        if self.held_bytes > 0 && self.held_bytes + weight > options.held_bytes_max {
            return Ok((Pushed::NotNow, None));
        }
        if let Some(wait) = self.pace.wait(now) {
            return Ok((Pushed::NotNow, Some(wait)));
        }
        self.pace.take(now, record.len());
        if opens {
            self.cut();
        }
        self.take(options, now, place, record, weight);
        Ok((Pushed::Taken, None))
    }

    /// Whether a record was handed in before.
    fn is_known(&mut self, place: Place) -> Result<bool> {
        let Place { partition, position } = place;
        let invalid = |message: String| Err(Error::new(Kind::Invalid, message));
        match self.partitions.get(&partition) {
            _ if position == u64::MAX => invalid("a position has one behind it".into()),
            Some(known) if position < known.safe => {
                self.resent.insert(partition);
                Ok(true)
            }
            // What was skipped is handed in after all. Only the driver knows whether it is safe, and says so by refusing.
            Some(known) if position < known.next => Ok(!known.assumed && position < known.end),
            Some(known) if position > known.next => invalid(format!(
                "a record does not follow the one before it; if the source has none between, say so with skip: \
                 partition={partition} position={position} expected={}",
                known.next
            )),
            _ => Ok(false),
        }
    }

    /// Whether a record goes into the open block; else another one begins with it.
    fn fits(&self, options: &Options, place: Option<Place>, record: &[u8]) -> bool {
        let open = &self.open.building;
        !open.is_empty()
            && open.len() + record.len() <= options.block_bytes
            && place.is_none_or(|place| open.has_range(place.partition))
    }

    fn take(&mut self, options: &Options, now: Duration, place: Option<Place>, record: &[u8], weight: usize) {
        if self.open.building.is_empty() {
            self.open.since = now;
        }
        match place {
            None => self.open.building.push(record),
            Some(place) => {
                let position = place.position;
                let new = Partition { end: position, next: position, safe: 0, assumed: false };
                let partition = self.partitions.entry(place.partition).or_insert(new);
                if partition.assumed {
                    partition.end = partition.end.min(position);
                }
                self.open.building.push_numbered(place, partition.end, record);
                (partition.end, partition.next) = (position + 1, position + 1);
                partition.assumed = false;
            }
        }
        self.open.weight += weight;
        self.held_bytes += weight;
        self.held_records += 1;
        if self.open.building.len() >= options.block_bytes {
            self.cut();
        }
    }

    /// The source has no record of this partition below `to` that was not handed in. One that is new begins there.
    pub(super) fn skip(&mut self, partition: u32, to: u64) {
        let begins = Partition { end: to, next: to, safe: 0, assumed: true };
        let known = self.partitions.entry(partition).or_insert(begins);
        known.next = known.next.max(to);
    }

    /// Closes the open block, if there is anything in it.
    pub(super) fn cut(&mut self) {
        if !self.open.building.is_empty() {
            // The next one will be about as long: it need not be moved as it grows.
            let len = self.open.building.len();
            let open = std::mem::replace(&mut self.open, Cut::new(len + len / 64 + 256));
            self.cut.push_back(open);
        }
    }

    /// How long until the open block is to be cut; nothing if it is empty.
    pub(super) fn due(&self, options: &Options, now: Duration) -> Option<Duration> {
        if self.open.building.is_empty() {
            return None;
        }
        let at_once = matches!(self.life, Life::Stopping);
        let due = self.open.since.saturating_add(options.interval);
        Some(if at_once { Duration::ZERO } else { due.saturating_sub(now) })
    }

    /// Whether this is the first record of an open block: from now on there is something to wait for.
    pub(super) fn just_opened(&self) -> bool {
        self.open.building.records() == 1
    }

    /// Everything that was handed in is settled.
    pub(super) fn is_drained(&self) -> bool {
        let none = self.open.building.is_empty() && self.cut.is_empty() && self.flying.is_empty();
        none && !self.appending && self.phase == Phase::Cutting
    }

    /// These records are settled, or held in another way: they give their room back.
    pub(super) fn give_room(&mut self, weight: usize, records: u32) {
        self.held_bytes -= weight;
        self.held_records -= u64::from(records);
    }

    /// The driver has everything below this end.
    pub(super) fn is_safe(&mut self, partition: u32, end: u64) {
        let new = Partition { end, next: end, safe: end, assumed: false };
        let known = self.partitions.entry(partition).or_insert(new);
        known.safe = known.safe.max(end);
        known.end = if known.assumed { end } else { known.end.max(end) };
        known.assumed = false;
        known.next = known.next.max(end);
    }

    pub(super) fn safe(&self, partition: u32) -> Option<u64> {
        self.partitions.get(&partition).map(|known| known.safe)
    }

    /// The position that comes next of a partition.
    pub(super) fn next(&self, partition: u32) -> Option<u64> {
        self.partitions.get(&partition).map(|known| known.next)
    }

    pub(super) fn lag(&self, now: Duration) -> Lag {
        let oldest = self.flying.front().map(|flying| flying.since);
        let oldest = oldest.or_else(|| self.cut.front().map(|cut| cut.since));
        let oldest = oldest.or_else(|| (!self.open.building.is_empty()).then_some(self.open.since));
        Lag {
            records: self.held_records,
            bytes: self.held_bytes,
            blocks: self.cut.len() + self.flying.len() + usize::from(self.appending),
            age: oldest.map_or(Duration::ZERO, |oldest| now.saturating_sub(oldest)),
        }
    }
}

impl Cut {
    fn new(len: usize) -> Self {
        Cut { building: Building::new(len), since: Duration::ZERO, weight: 0 }
    }
}
