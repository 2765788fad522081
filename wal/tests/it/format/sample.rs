//! Segments as bytes, with a list of what was put where; and what must be found again after bytes of them were hit. The
//! list shares nothing with the walk.

use std::collections::BTreeSet;
use std::ops::Range;

use headwater_wal::Time;
use headwater_wal::format::footer::Footer;
use headwater_wal::format::frame::{Codec, FrameHeader, frame_len, own};
use headwater_wal::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use headwater_wal::format::header::Header;
use headwater_wal::format::outline::Outline;
use headwater_wal::format::scan::{Bad, Frame, Seen, Walk};
use headwater_wal::format::totals::Totals;
use headwater_wal::format::{Durability, Identity, Position};

/// A record as it is handed to a sample.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) time: u64,
    pub(crate) own: bool,
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn record(time: u64, payload: impl Into<Vec<u8>>) -> Record {
    Record { time, own: false, kind: 1, payload: payload.into() }
}

pub(crate) fn retire(begins: u64) -> Record {
    Record { time: 0, own: true, kind: own::RETIRE, payload: own::encode_retire(Position(begins)).to_vec() }
}

/// A frame that was laid, and where.
#[derive(Clone, Debug)]
pub(crate) struct LaidFrame {
    pub(crate) range: Range<u64>,
    pub(crate) header: FrameHeader,
    pub(crate) check: u32,
    pub(crate) payload: Vec<u8>,
}

/// A group that was laid, and where.
#[derive(Clone, Debug)]
pub(crate) struct LaidGroup {
    pub(crate) range: Range<u64>,
    pub(crate) header: GroupHeader,
    pub(crate) frames: Vec<LaidFrame>,
}

/// A segment as bytes, and the list of what lies in it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
    pub(crate) groups: Vec<LaidGroup>,
    pub(crate) footer: Option<(Range<u64>, Footer)>,
    pub(crate) totals: Totals,
}

pub(crate) fn header(base: u64, block_bytes: u32) -> Header {
    Header {
        identity: Identity(*b"headwater sample"),
        durability: Durability::Power,
        begins_epoch: false,
        clock_in_doubt: false,
        whole: false,
        token: [0xA5; 16],
        epoch: 7,
        base: Position(base),
        time: Time(1_700_000_000_000),
        acked: Position(base),
        previous: None,
        block_bytes,
        begins: Position(0),
        in_flight_bytes_max: 1 << 20,
        lost: Vec::new(),
    }
}

impl Sample {
    pub(crate) fn new(header: Header) -> Self {
        let mut bytes = header.encode().to_vec();
        bytes.resize(header.body() as usize, 0);
        let totals = Totals::new(header.check());
        Sample { header, bytes, groups: Vec::new(), footer: None, totals }
    }

    /// The segment that most tests use: idle and busy groups, a retire mark, all lengths of padding.
    pub(crate) fn growing() -> Self {
        let mut sample = Sample::new(header(1 << 20, 512));
        sample.group(&[record(50, "first"), record(40, ""), record(60, vec![0; 16])]);
        sample.group(&[retire(4096), record(70, vec![0xF7; 41])]);
        sample.group(&[]);
        sample.group(&[record(80, *b"HGRPHFTR"), record(90, vec![9; 700]), record(85, "last")]);
        sample
    }

    pub(crate) fn position(&self, offset: u64) -> Position {
        self.header.base.plus(offset)
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Lays a group that says that everything before it was acknowledged.
    pub(crate) fn group(&mut self, records: &[Record]) -> &mut Self {
        let acked = self.position(self.len());
        self.group_saying(records, acked)
    }

    pub(crate) fn group_saying(&mut self, records: &[Record], acked: Position) -> &mut Self {
        let stored =
            records.iter().map(|record| (record.clone(), Codec::Raw, record.payload.len())).collect();
        self.stored_group(stored, acked)
    }

    /// Lays a group of records as they are stored, with their codecs and raw lengths.
    pub(crate) fn stored_group(
        &mut self,
        records: Vec<(Record, Codec, usize)>,
        acked: Position,
    ) -> &mut Self {
        let (at, life) = (self.len(), self.header.life());
        let frames_bytes: u64 =
            records.iter().map(|(record, ..)| frame_len(record.payload.len() as u32)).sum();
        let end =
            (at + GROUP_HEADER_BYTES + frames_bytes).next_multiple_of(u64::from(self.header.block_bytes));
        let times = || records.iter().filter(|(record, ..)| !record.own).map(|(record, ..)| record.time);
        let group = GroupHeader {
            group_bytes: (end - at) as u32,
            count: records.len() as u32,
            frames_bytes: frames_bytes as u32,
            least: Time(times().min().unwrap_or(u64::MAX)),
            greatest: Time(times().max().unwrap_or(0)),
            acked,
        };
        let bytes = group.encode(life, self.position(at));
        self.totals.group(self.position(at), &group, u32_at(&bytes, 4));
        self.bytes.extend_from_slice(&bytes);
        let mut frames = Vec::new();
        for (index, (record, codec, raw_len)) in records.into_iter().enumerate() {
            let from = self.len();
            let header = FrameHeader {
                codec,
                own: record.own,
                kind: record.kind,
                stored_len: record.payload.len() as u32,
                raw_len: raw_len as u32,
                payload_check: crc32c::crc32c(&record.payload),
                index: index as u32,
                time: Time(record.time),
            };
            let bytes = header.encode(life, self.position(from));
            let check = u32_at(&bytes, 0);
            self.totals.frame(&header, check);
            self.bytes.extend_from_slice(&bytes);
            self.bytes.extend_from_slice(&record.payload);
            self.bytes.resize((from + header.frame_len()) as usize, 0);
            frames.push(LaidFrame { range: from..self.len(), header, check, payload: record.payload });
        }
        self.bytes.resize(end as usize, 0);
        self.groups.push(LaidGroup { range: at..end, header: group, frames });
        self
    }

    /// Lays the footer. Without `next` the next segment begins right behind it.
    pub(crate) fn seal(&mut self, next: Option<u64>) -> &mut Self {
        let at = self.len();
        let position = self.position(at);
        let footer = self.totals.footer(
            position,
            next.map(Position),
            position,
            self.header.begins,
            Time(self.header.time.0 + 500),
        );
        self.bytes.extend_from_slice(&footer.encode(self.header.life(), position, &self.totals.index));
        self.footer = Some((at..self.len(), footer));
        self
    }

    /// What these groups, the first ones, add up to.
    fn totals_of(&self, groups: &[&LaidGroup]) -> Totals {
        let mut totals = Totals::new(self.header.check());
        for group in groups {
            let at = group.range.start;
            totals.group(self.position(at), &group.header, u32_at(&self.bytes, at as usize + 4));
            group.frames.iter().for_each(|frame| totals.frame(&frame.header, frame.check));
        }
        totals
    }

    pub(crate) fn zeros(&mut self, len: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + len, 0);
        self
    }

    /// Everything that a walk over `bytes`, which may be damaged, comes upon.
    pub(crate) fn walk(&self, bytes: &[u8]) -> Vec<Seen> {
        let mut walk = Walk::new(bytes, &self.header);
        let mut all = Vec::new();
        while let Ok(Some(seen)) = walk.next() {
            all.push(seen);
            assert!(all.len() <= bytes.len(), "the walk does not end");
        }
        all
    }

    /// The same, taking frames in turn wherever they come so.
    pub(crate) fn walk_in_turn(&self, bytes: &[u8]) -> Vec<Seen> {
        in_turn(Walk::new(bytes, &self.header))
    }

    pub(crate) fn outline(&self, bytes: &[u8]) -> Outline {
        Outline::of(bytes, &self.header, self.header.check()).expect("memory can be read")
    }

    /// What must be found in `bytes`, which are this sample's but for what was hit.
    pub(crate) fn oracle(&self, bytes: &[u8]) -> Oracle<'_> {
        let len = bytes.len() as u64;
        let changed = (0..len.min(self.len())).filter(|&at| bytes[at as usize] != self.bytes[at as usize]);
        let grown = (self.len()..len).filter(|&at| bytes[at as usize] != 0);
        let hits =
            changed.chain(grown).chain(len..self.len()).filter(|&at| at >= self.header.body()).collect();
        let zeros_from = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at as u64 + 1);
        Oracle { sample: self, hits, zeros_from, len }
    }
}

/// What is left of a sample whose bytes were hit.
pub(crate) struct Oracle<'a> {
    sample: &'a Sample,
    hits: BTreeSet<u64>,
    zeros_from: u64,
    len: u64,
}

impl Oracle<'_> {
    fn is_hit(&self, range: &Range<u64>) -> bool {
        self.hits.range(range.clone()).next().is_some()
    }

    fn frames(&self) -> impl Iterator<Item = (&LaidGroup, &LaidFrame)> {
        let all =
            self.sample.groups.iter().flat_map(|group| group.frames.iter().map(move |frame| (group, frame)));
        all.filter(|(_, frame)| !self.is_hit(&frame.range))
    }

    fn heads(&self, group: &LaidGroup) -> bool {
        !self.is_hit(&head_of(group))
    }

    /// Checks everything that a walk told: exactly the frames, groups and footers that were not hit, in order, each
    /// byte at most once, and every byte that was hit as bad, unless nothing but zeros follows it.
    pub(crate) fn check_walk(&self, all: &[Seen]) {
        let sample = self.sample;
        let frames: Vec<Frame> = all
            .iter()
            .filter_map(|seen| if let Seen::Frame(frame) = seen { Some(*frame) } else { None })
            .collect();
        let laid: Vec<Frame> = self
            .frames()
            .map(|(group, frame)| Frame {
                at: sample.position(frame.range.start),
                header: frame.header,
                check: frame.check,
                in_group: self.heads(group),
            })
            .collect();
        assert_eq!(frames, laid, "frames");

        let groups: Vec<Position> = all
            .iter()
            .filter_map(|seen| if let Seen::Group { at, .. } = seen { Some(*at) } else { None })
            .collect();
        let laid = sample.groups.iter().filter(|group| self.heads(group));
        assert_eq!(
            groups,
            laid.map(|group| sample.position(group.range.start)).collect::<Vec<_>>(),
            "groups"
        );

        let whole: Vec<Range<Position>> = all
            .iter()
            .filter_map(|seen| if let Seen::Whole { at, end } = seen { Some(*at..*end) } else { None })
            .collect();
        let laid = sample.groups.iter().filter(|group| !self.is_hit(&group.range));
        assert_eq!(whole, laid.map(|group| self.positions(&group.range)).collect::<Vec<_>>(), "whole groups");

        let footers: Vec<Footer> = all
            .iter()
            .filter_map(|seen| if let Seen::Footer { footer, .. } = seen { Some(*footer) } else { None })
            .collect();
        let laid = sample.footer.iter().filter(|(range, _)| !self.is_hit(range));
        assert_eq!(footers, laid.map(|(_, footer)| *footer).collect::<Vec<_>>(), "footers");

        check_order(all);
        let bad: Vec<&Bad> =
            all.iter().filter_map(|seen| if let Seen::Bad(bad) = seen { Some(bad) } else { None }).collect();
        for &hit in self.hits.range(..self.zeros_from.min(self.len)) {
            let position = sample.position(hit);
            assert!(bad.iter().any(|bad| bad.range.contains(&position)), "nothing bad at {hit}: {bad:?}");
        }
    }

    /// Checks an outline: how far all is whole, what that adds up to, and what is said beyond.
    pub(crate) fn check_outline(&self, outline: &Outline) {
        let sample = self.sample;
        let whole: Vec<&LaidGroup> =
            sample.groups.iter().take_while(|group| !self.is_hit(&group.range)).collect();
        let end = whole.last().map_or(sample.header.body(), |group| group.range.end);
        assert_eq!(outline.end, sample.position(end), "end");

        let acked = whole.iter().map(|group| group.header.acked).max();
        assert_eq!(outline.acked, acked.unwrap_or_default().max(sample.header.acked), "acked");
        let frames = || whole.iter().flat_map(|group| &group.frames);
        let begins =
            frames().filter(|frame| frame.header.own).map(|frame| own::decode_retire(&frame.payload)).max();
        assert_eq!(outline.begins, begins.flatten(), "begins");
        assert_eq!(outline.totals, sample.totals_of(&whole), "totals");

        // Whatever lies behind what is whole is bad, but for a footer with only zeros behind it.
        let sealed_here = |(range, _): &&(Range<u64>, Footer)| {
            range.start == end && !self.is_hit(range) && self.zeros_from <= range.end
        };
        let bad = self.zeros_from > end && sample.footer.as_ref().filter(sealed_here).is_none();
        assert_eq!(outline.bad_count > 0, bad, "bad: {:?}", outline.bad);
        assert_eq!(outline.bad.len() as u64, outline.bad_count);
        let footer = sample.footer.as_ref().filter(|(range, _)| !self.is_hit(range));
        assert_eq!(outline.footer, footer.map(|(range, footer)| (sample.position(range.start), *footer)));

        // Beyond: everything whose header is as it was, behind the first byte that was hit.
        let first_hit = self.hits.first().copied().unwrap_or(u64::MAX);
        let mut acked = Vec::new();
        let mut ends = Vec::new();
        for group in sample.groups.iter().filter(|group| group.range.start > first_hit && self.heads(group)) {
            acked.push(group.header.acked);
            ends.push(head_of(group).end);
        }
        ends.extend(
            self.frames()
                .filter(|(_, frame)| frame.range.start > first_hit)
                .map(|(_, frame)| frame.range.end),
        );
        if let Some((range, footer)) = sample.footer.as_ref().filter(|(range, _)| range.start > first_hit) {
            let head = range.start..range.start + 96;
            if !self.is_hit(&head) {
                acked.push(footer.acked);
                ends.push(if self.is_hit(range) { head.end } else { range.end });
            }
        }
        assert_eq!(outline.beyond.acked, acked.into_iter().max(), "acked beyond");
        assert_eq!(outline.beyond.end, ends.into_iter().max().map(|end| sample.position(end)), "end beyond");
    }

    fn positions(&self, range: &Range<u64>) -> Range<Position> {
        self.sample.position(range.start)..self.sample.position(range.end)
    }
}

fn head_of(group: &LaidGroup) -> Range<u64> {
    group.range.start..group.range.start + GROUP_HEADER_BYTES
}

/// Each byte is told at most once, and in order.
pub(crate) fn check_order(all: &[Seen]) {
    let mut end = Position(0);
    for seen in all {
        let range = match seen {
            Seen::Group { at, .. } => *at..at.plus(GROUP_HEADER_BYTES),
            Seen::Frame(frame) => frame.at..frame.end(),
            Seen::FooterHead { at, .. } => *at..at.plus(96),
            Seen::Footer { at, footer } => *at..at.plus(footer.footer_len()),
            Seen::Bad(bad) => bad.range.clone(),
            Seen::Whole { .. } => continue, // sums up what was told
        };
        assert!(end <= range.start && range.start < range.end, "{seen:?} after {end} in {all:?}");
        end = range.end;
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// All that a walk comes upon that is asked for frames in turn first.
pub(crate) fn in_turn(mut walk: Walk<&[u8]>) -> Vec<Seen> {
    let mut all = Vec::new();
    loop {
        let quick = walk.next_in_turn().map(Seen::Frame);
        match quick.or_else(|| walk.next().unwrap_or_else(|never| match never {})) {
            Some(seen) => all.push(seen),
            None => return all,
        }
    }
}
