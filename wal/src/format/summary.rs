//! A summary: what is known for ever of a stretch of the chain, in one small object, so that a look at a long log need not
//! read its segments one by one. Only media without growing files have them.
//!
//! A summary is a cache and nothing else: a log without any is whole, and whoever finds one that does not verify, or that
//! the segment it ends with does not bear out, passes it over. What it says can be late, never untrue:
//!
//! - It lists segments that were *acknowledged* by its writer, or that the writer's own epoch stands on. Both are in the
//!   chain for ever: a group is acknowledged only when all before it have landed, each under a name that an epoch's first
//!   segment could have taken instead, so no epoch begins below it; and no name is given twice. So it does not matter who
//!   puts it and when: a replaced writer that wakes, or a put that was on its way when its writer died, adds a true thing.
//! - It says where the log began when it was made, no more: the beginning is the greatest that it or anything behind it
//!   states. What it lists below that was retired, and whoever looks leaves it out. A name that retiring has given free can
//!   be taken again by a summary that comes late; it lies below the beginning, and the next retirement removes it.
//! - Loss is accepted only by a start that finds it, and a look that uses a summary finds none below it. Where the summaries
//!   are gone or passed over, and a loss is accepted among segments that one of them lists, the epoch begins behind them
//!   all, and every newer summary lists the chain as it goes around the loss.
//! - Rot below it is not seen by a quick look, as it is not seen in any segment whose header and footer verify. A full look
//!   reads everything, uses no summary, and checks each against what it read. A handle verifies its record itself.
//!
//! # Layout
//!
//! The name is that of the place where the summary ends, in the folder [`SUMMARIES`](super::name::SUMMARIES): 2^62 - 1 less
//! that position, in twenty digits, so that the newest comes first in a listing.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | magic | `89 48 57 53 55 4D 0D 0A` |
//! | 8 | 4 | check | of the bytes from 12 on to the end, seeded with the identity, epoch and end stated here |
//! | 12 | 2 | version | 1 |
//! | 14 | 2 | reserved | |
//! | 16 | 16 | identity | of the log |
//! | 32 | 8 | epoch | of the writer |
//! | 40 | 8 | end | where the segment behind the last one listed begins |
//! | 48 | 8 | begins | where the log begins, by everything below the end |
//! | 56 | 8 | swept | everything below that is to be removed had been removed |
//! | 64 | 8 | time | the engine's, when it was made |
//! | 72 | 8 | in flight | the most that any writer up to here may have had in flight |
//! | 80 | 8 | written max | the greatest epoch that was seen |
//! | 88 | 4 | count | how many segments it lists |
//! | 92 | 4 | lost count | how many ranges were lost and accepted, of those behind the beginning |
//! | 96 | 16 each | lost | start and end of each |
//! | behind | 96 each | segments | in the order of their bases |
//!
//! | offset | bytes | field of a segment | |
//! |---|---|---|---|
//! | 0 | 8 | base | |
//! | 8 | 8 | end | where its groups end |
//! | 16 | 8 | next | where the next one begins |
//! | 24 | 8 | file bytes | the length of its file |
//! | 32 | 8 | epoch | of its writer |
//! | 40 | 4 | body | the offset of its first group |
//! | 44 | 4 | flags | 1: begins an epoch; 2: ends with its footer; 4: the seal is known; 8: it was closed; 16: it has times; 32: its records are known |
//! | 48 | 4 | seal | its digest |
//! | 52 | 4 | reserved | |
//! | 56 | 8 | made at | |
//! | 64 | 8 | closed at | |
//! | 72 | 8 | least | time of its records |
//! | 80 | 8 | greatest | |
//! | 88 | 8 | records | |
//!
//! It is valid if
//! - S1: there are 96 bytes;
//! - S2: the magic is right;
//! - S3: the version is 1 (a greater one is "unsupported");
//! - S4: it has exactly as many bytes as its counts say; it lists 1 to 2^16 segments and at most 1024 lost ranges;
//! - S5: the checksum is right;
//! - S6: the end is the one in its name;
//! - S7: epochs and positions are below 2^62; begins is at most the end, swept at most begins; in flight is at most 2^40;
//!   reserved bytes, unknown flags, and fields whose flag is not set, are zero;
//! - S8: each segment's body ends at or below its end, that at or below its next, and there the one behind it begins; the
//!   last one's next is the end; epochs do not go down, and none is above those stated; least is at most greatest;
//! - S9: no lost range is empty.

use std::fmt;
use std::ops::Range;

use super::handle::{Identity, Position};
use super::header::{EPOCH_LIMIT, HEADER_BYTES, IN_FLIGHT_BYTES_LIMIT};
use super::seed::{Life, all_zero, set_u32, set_u64, u16_at, u32_at, u64_at};
use crate::clock::Time;

/// The most segments that a summary lists.
pub const SEGMENTS_MAX: usize = 1 << 16;

/// The most lost ranges that it lists.
pub const LOST_MAX: usize = 1024;

/// How long the longest summary is.
pub const SUMMARY_BYTES_MAX: u64 = (HEAD_LEN + LOST_LEN * LOST_MAX + ENTRY_LEN * SEGMENTS_MAX) as u64;

const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"\x89HWSUM\r\n";
const HEAD_LEN: usize = 96;
const LOST_LEN: usize = 16;
const ENTRY_LEN: usize = 96;
const AT_CHECK: usize = 8;
const AT_VERSION: usize = 12;
const AT_RESERVED: usize = 14;
const AT_IDENTITY: usize = 16;
const AT_EPOCH: usize = 32;
const AT_END: usize = 40;
const AT_BEGINS: usize = 48;
const AT_SWEPT: usize = 56;
const AT_TIME: usize = 64;
const AT_IN_FLIGHT: usize = 72;
const AT_WRITTEN_MAX: usize = 80;
const AT_COUNT: usize = 88;
const AT_LOST_COUNT: usize = 92;

const ENTRY_FLAGS: usize = 44;
const FLAG_EPOCH: u32 = 1;
const FLAG_SEALED: u32 = 2;
const FLAG_SEAL: u32 = 4;
const FLAG_CLOSED: u32 = 8;
const FLAG_TIMES: u32 = 16;
const FLAG_RECORDS: u32 = 32;

/// A summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The identity of the log.
    pub identity: Identity,
    /// The epoch of its writer.
    pub epoch: u64,
    /// Where the segment behind the last one listed begins.
    pub end: Position,
    /// Where the log begins, by everything below the end.
    pub begins: Position,
    /// What was to be removed below has been removed.
    pub swept: Position,
    /// The engine's time when it was made.
    pub time: Time,
    /// The most that any writer up to here may have had in flight.
    pub in_flight: u64,
    /// The greatest epoch that was seen.
    pub written_max: u64,
    /// What was lost and accepted.
    pub lost: Vec<Range<Position>>,
    /// The segments, in the order of their bases.
    pub segments: Vec<Entry>,
}

/// What a summary says of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it begins.
    pub base: Position,
    /// Where its groups end.
    pub end: Position,
    /// Where the next one begins.
    pub next: Position,
    /// The length of its file.
    pub file_len: u64,
    /// The epoch of its writer.
    pub epoch: u64,
    /// The offset of its first group.
    pub body: u32,
    /// Whether it begins an epoch.
    pub begins_epoch: bool,
    /// Whether it ends with its footer.
    pub sealed: bool,
    /// Its digest, if it is known.
    pub seal: Option<u32>,
    /// When it was made.
    pub made_at: Time,
    /// When it was sealed or closed by a later epoch.
    pub closed_at: Option<Time>,
    /// The least and greatest time of its records, if they are known and there are any.
    pub times: Option<(Time, Time)>,
    /// How many records of callers it holds, if that is known.
    pub records: Option<u64>,
}

/// Why bytes are not a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryFault {
    /// It does not verify.
    Check,
    /// It verifies, and belongs to another place.
    Elsewhere,
    /// It was written by a newer release.
    Newer(u16),
}

impl Summary {
    /// Where the first segment begins that it lists.
    pub fn from(&self) -> Position {
        self.segments.first().map_or(self.end, |first| first.base)
    }

    /// Whether a summary can say this: conditions S4 and S7 to S9.
    pub fn is_sound(&self) -> bool {
        let counts = (1..=SEGMENTS_MAX).contains(&self.segments.len()) && self.lost.len() <= LOST_MAX; // S4
        let limits = self.epoch < EPOCH_LIMIT
            && self.written_max < EPOCH_LIMIT
            && self.end < Position::LIMIT
            && self.begins <= self.end
            && self.swept <= self.begins
            && self.in_flight <= IN_FLIGHT_BYTES_LIMIT; // S7
        let mut next = self.from();
        let mut epoch = 0;
        let chained = self.segments.iter().all(|entry| {
            let fits = entry.base == next
                && u64::from(entry.body) >= HEADER_BYTES
                && entry.base.0.saturating_add(u64::from(entry.body)) <= entry.end.0
                && entry.end <= entry.next
                && entry.epoch >= epoch
                && entry.times.is_none_or(|(least, greatest)| least <= greatest);
            (next, epoch) = (entry.next, entry.epoch);
            fits
        });
        let ends = next == self.end && epoch <= self.epoch && epoch <= self.written_max; // S8
        let lost = self.lost.iter().all(|lost| lost.start < lost.end && lost.end <= Position::LIMIT); // S9
        counts && limits && chained && ends && lost
    }

    /// The bytes of the summary, which must be sound.
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.is_sound(), "a summary that nobody could read back: end={}", self.end);
        let entries_at = HEAD_LEN + LOST_LEN * self.lost.len();
        let mut bytes = vec![0; entries_at + ENTRY_LEN * self.segments.len()];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[AT_VERSION..AT_VERSION + 2].copy_from_slice(&VERSION.to_le_bytes());
        bytes[AT_IDENTITY..AT_IDENTITY + 16].copy_from_slice(&self.identity.0);
        for (at, value) in [
            (AT_EPOCH, self.epoch),
            (AT_END, self.end.0),
            (AT_BEGINS, self.begins.0),
            (AT_SWEPT, self.swept.0),
            (AT_TIME, self.time.0),
            (AT_IN_FLIGHT, self.in_flight),
            (AT_WRITTEN_MAX, self.written_max),
        ] {
            set_u64(&mut bytes, at, value);
        }
        set_u32(&mut bytes, AT_COUNT, self.segments.len() as u32);
        set_u32(&mut bytes, AT_LOST_COUNT, self.lost.len() as u32);
        for (index, range) in self.lost.iter().enumerate() {
            set_u64(&mut bytes, HEAD_LEN + LOST_LEN * index, range.start.0);
            set_u64(&mut bytes, HEAD_LEN + LOST_LEN * index + 8, range.end.0);
        }
        let (entries, _) = bytes[entries_at..].as_chunks_mut::<ENTRY_LEN>();
        for (bytes, entry) in entries.iter_mut().zip(&self.segments) {
            entry.encode(bytes);
        }
        let check = self.life().check(self.end, &bytes[AT_VERSION..]);
        set_u32(&mut bytes, AT_CHECK, check);
        bytes
    }

    fn life(&self) -> Life {
        Life { identity: self.identity.short(), epoch: self.epoch }
    }

    /// Reads the summary whose name says that it ends at `end`. Conditions S1 to S9.
    pub fn decode(end: Position, bytes: &[u8]) -> Result<Self, SummaryFault> {
        if bytes.len() < HEAD_LEN || bytes[..8] != MAGIC {
            return Err(SummaryFault::Check); // S1, S2
        }
        match u16_at(bytes, AT_VERSION) {
            VERSION => {}
            0 => return Err(SummaryFault::Check),            // S3
            newer => return Err(SummaryFault::Newer(newer)), // S3: before the checksum, which may have moved
        }
        let (count, lost_count) = (u32_at(bytes, AT_COUNT) as usize, u32_at(bytes, AT_LOST_COUNT) as usize);
        let fits = (1..=SEGMENTS_MAX).contains(&count)
            && lost_count <= LOST_MAX
            && bytes.len() == HEAD_LEN + LOST_LEN * lost_count + ENTRY_LEN * count; // S4
        if !fits {
            return Err(SummaryFault::Check);
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&bytes[AT_IDENTITY..AT_IDENTITY + 16]);
        let (lost, entries) = bytes[HEAD_LEN..].split_at(LOST_LEN * lost_count);
        let (entries, _) = entries.as_chunks::<ENTRY_LEN>();
        let (lost, _) = lost.as_chunks::<LOST_LEN>();
        let position = |at| Position(u64_at(bytes, at));
        let stated = position(AT_END);
        let life = Life { identity: Identity(identity).short(), epoch: u64_at(bytes, AT_EPOCH) };
        if u32_at(bytes, AT_CHECK) != life.check(stated, &bytes[AT_VERSION..]) {
            return Err(SummaryFault::Check); // S5
        }
        if stated != end {
            return Err(SummaryFault::Elsewhere); // S6
        }
        let segments: Option<Vec<Entry>> = entries.iter().map(Entry::decode).collect(); // S7
        let summary = Summary {
            identity: Identity(identity),
            epoch: life.epoch,
            end,
            begins: position(AT_BEGINS),
            swept: position(AT_SWEPT),
            time: Time(u64_at(bytes, AT_TIME)),
            in_flight: u64_at(bytes, AT_IN_FLIGHT),
            written_max: u64_at(bytes, AT_WRITTEN_MAX),
            lost: lost.iter().map(|lost| Position(u64_at(lost, 0))..Position(u64_at(lost, 8))).collect(),
            segments: segments.ok_or(SummaryFault::Check)?,
        };
        let sound = all_zero(&bytes[AT_RESERVED..AT_IDENTITY]) && summary.is_sound(); // S7 to S9
        if sound { Ok(summary) } else { Err(SummaryFault::Check) }
    }
}

impl Entry {
    fn encode(&self, bytes: &mut [u8; ENTRY_LEN]) {
        let flag = |flag: u32, set: bool| if set { flag } else { 0 };
        let flags = flag(FLAG_EPOCH, self.begins_epoch)
            | flag(FLAG_SEALED, self.sealed)
            | flag(FLAG_SEAL, self.seal.is_some())
            | flag(FLAG_CLOSED, self.closed_at.is_some())
            | flag(FLAG_TIMES, self.times.is_some())
            | flag(FLAG_RECORDS, self.records.is_some());
        let (least, greatest) = self.times.unwrap_or_default();
        for (at, value) in [
            (0, self.base.0),
            (8, self.end.0),
            (16, self.next.0),
            (24, self.file_len),
            (32, self.epoch),
            (56, self.made_at.0),
            (64, self.closed_at.unwrap_or_default().0),
            (72, least.0),
            (80, greatest.0),
            (88, self.records.unwrap_or_default()),
        ] {
            set_u64(bytes, at, value);
        }
        set_u32(bytes, 40, self.body);
        set_u32(bytes, ENTRY_FLAGS, flags);
        set_u32(bytes, 48, self.seal.unwrap_or_default());
    }

    fn decode(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        let flags = u32_at(bytes, ENTRY_FLAGS);
        let is = |flag| flags & flag != 0;
        let time = |at| Time(u64_at(bytes, at));
        let entry = Entry {
            base: Position(u64_at(bytes, 0)),
            end: Position(u64_at(bytes, 8)),
            next: Position(u64_at(bytes, 16)),
            file_len: u64_at(bytes, 24),
            epoch: u64_at(bytes, 32),
            body: u32_at(bytes, 40),
            begins_epoch: is(FLAG_EPOCH),
            sealed: is(FLAG_SEALED),
            seal: is(FLAG_SEAL).then(|| u32_at(bytes, 48)),
            made_at: time(56),
            closed_at: is(FLAG_CLOSED).then(|| time(64)),
            times: is(FLAG_TIMES).then(|| (time(72), time(80))),
            records: is(FLAG_RECORDS).then(|| u64_at(bytes, 88)),
        };
        // One spelling only: what would be written otherwise is not a segment of a summary.
        let mut again = [0; ENTRY_LEN];
        entry.encode(&mut again);
        (again == *bytes).then_some(entry)
    }
}

impl fmt::Display for SummaryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SummaryFault::Check => f.write_str("a summary that does not verify"),
            SummaryFault::Elsewhere => f.write_str("the summary of another place"),
            SummaryFault::Newer(version) => write!(f, "written by a newer release: version={version}"),
        }
    }
}
