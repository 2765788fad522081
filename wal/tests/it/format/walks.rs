//! Walks and outlines over segments that were damaged, cut, and made up.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::convert::Infallible;

use headwater_wal::Time;
use headwater_wal::format::Position;
use headwater_wal::format::footer::{Footer, IndexEntry};
use headwater_wal::format::group::GroupHeader;
use headwater_wal::format::outline::Outline;
use headwater_wal::format::scan::{Bad, Fault, Seen, Source, WINDOW_BYTES, Walk};
use headwater_wal::format::totals::Totals;
use proptest::prelude::*;

use super::forge::{self, Piece};
use super::sample::{Record, Sample, check_order, header, in_turn, record, retire};

fn samples() -> Vec<(&'static str, Sample)> {
    let mut sealed = Sample::growing();
    sealed.seal(None);
    let mut sealed_untrimmed = sealed.clone();
    sealed_untrimmed.zeros(700);
    let mut active = Sample::growing();
    active.zeros(1500);
    let mut object = Sample::new(header(4096, 8));
    object.group(&[record(5, "an object"), record(6, "is put whole")]).seal(None);
    let mut first = Sample::new(header(8192, 8));
    first.seal(Some(1 << 20));
    vec![
        ("active", active),
        ("trimmed", Sample::growing()),
        ("sealed", sealed),
        ("sealed, not trimmed", sealed_untrimmed),
        ("object", object),
        ("an epoch's first", first),
        ("empty", Sample::new(header(0, 4096))),
    ]
}

fn check(sample: &Sample, bytes: &[u8]) {
    let oracle = sample.oracle(bytes);
    oracle.check_walk(&sample.walk(bytes));
    assert_eq!(sample.walk_in_turn(bytes), sample.walk(bytes));
    oracle.check_outline(&sample.outline(bytes));
}

#[test]
fn what_was_laid_is_found() {
    for (name, sample) in samples() {
        println!("{name}");
        check(&sample, &sample.bytes);
        let outline = sample.outline(&sample.bytes);
        assert_eq!(outline.totals, sample.totals);
        assert_eq!(outline.bad, vec![]);
    }
}

#[test]
fn every_flipped_bit_costs_what_it_hit_and_nothing_else() {
    // The longest of each kind will do: the others are its beginnings.
    let longest = ["sealed, not trimmed", "object", "an epoch's first"];
    for (name, sample) in samples().into_iter().filter(|(name, _)| longest.contains(name)) {
        for at in sample.header.body()..sample.len() {
            for bit in 0..8 {
                println!("{name}: bit {bit} of byte {at}");
                let mut bytes = sample.bytes.clone();
                bytes[at as usize] ^= 1 << bit;
                check(&sample, &bytes);
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_keeps_what_lies_before() {
    for (name, sample) in samples() {
        for len in 0..=sample.len() {
            println!("{name}: cut at {len}");
            check(&sample, &sample.bytes[..len as usize]);
        }
    }
}

#[test]
fn every_sector_that_did_not_land_costs_what_it_held() {
    for (name, sample) in samples() {
        let sectors = sample.len().div_ceil(512);
        for sector in 1..sectors {
            for kept in [0, 1] {
                println!("{name}: sector {sector}, and those behind it in steps of {}", kept + 1);
                let mut bytes = sample.bytes.clone();
                for lost in (sector..sectors).step_by(kept + 1) {
                    let end = bytes.len().min(512 * (lost as usize + 1));
                    bytes[512 * lost as usize..end].fill(0);
                }
                check(&sample, &bytes);
            }
        }
    }
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let payload = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..90),
        1 => (any::<u8>(), 0..200_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    let one = prop_oneof![
        9 => (1..1000_u64, payload).prop_map(|(time, payload)| record(time, payload)),
        1 => (0..5000_u64).prop_map(retire),
    ];
    prop::collection::vec(one, 0..6)
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let end = prop_oneof![Just(None), (0..5000_usize).prop_map(Some)];
    (
        prop::sample::select(vec![8_u32, 512, 4096]),
        0..1_u64 << 62,
        prop::collection::vec(records(), 0..8),
        any::<bool>(),
        end,
    )
        .prop_map(|(block_bytes, base, groups, seals, zeros)| {
            let mut sample = Sample::new(header(base, block_bytes));
            for records in groups {
                sample.group(&records);
            }
            if seals && base < 1 << 61 {
                sample.seal(None);
            }
            sample.zeros(zeros.unwrap_or(0));
            sample
        })
}

/// Something that happens to a stretch of bytes: where it lies and how long it is, in parts of the file, and how.
type Blow = (prop::sample::Index, usize, Option<u8>);

fn strike(bytes: &mut [u8], from: usize, blows: &[Blow]) {
    for (at, len, value) in blows {
        let body = &mut bytes[from..];
        if body.is_empty() {
            return;
        }
        let start = at.index(body.len());
        let end = body.len().min(start + len);
        for byte in &mut body[start..end] {
            *byte = value.unwrap_or(byte.wrapping_mul(3) ^ 0x5A);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_hit_the_rest_is_found(
        sample in any_sample(),
        blows in prop::collection::vec((any::<prop::sample::Index>(), 1..600_usize, prop::option::of(prop_oneof![Just(0), any::<u8>()])), 0..5),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample.bytes.clone();
        strike(&mut bytes, sample.header.body() as usize, &blows);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        check(&sample, &bytes);
    }

    #[test]
    fn bytes_behind_the_end_are_told(sample in any_sample(), garbage in prop::collection::vec(any::<u8>(), 1..200)) {
        let bytes = [&sample.bytes[..], &garbage].concat();
        check(&sample, &bytes);
    }

    #[test]
    fn no_bytes_make_a_walk_fail_or_run_on(pieces in prop::collection::vec(forge::piece(), 0..24)) {
        let (header, bytes, frames) = forge::lay(&pieces);
        let source = Counted { bytes: &bytes, asked: Cell::new(0), greatest: Cell::new(0) };
        let mut walk = Walk::new(&source, &header);
        let mut all = Vec::new();
        while let Ok(Some(seen)) = walk.next() {
            all.push(seen);
            prop_assert!(all.len() <= bytes.len() / 8 + 2, "the walk does not end: {all:?}");
        }
        check_order(&all);
        prop_assert_eq!(&in_turn(Walk::new(&bytes[..], &header)), &all);
        for seen in &all {
            if let Seen::Frame(frame) = seen {
                prop_assert!(frames.contains(&frame.at.since(header.base)), "never laid: {frame:?}");
            }
        }
        source.check(24);
        let _ = Outline::of(&source, &header, header.check());
        source.check(48);
    }
}

/// Memory that counts what it is asked for.
struct Counted<'a> {
    bytes: &'a [u8],
    asked: Cell<u64>,
    greatest: Cell<usize>,
}

impl Source for &Counted<'_> {
    type Error = Infallible;

    fn file_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Infallible> {
        self.asked.set(self.asked.get() + len as u64);
        self.greatest.set(self.greatest.get().max(len));
        Ok(read(self.bytes, offset, len))
    }
}

fn read(bytes: &[u8], offset: u64, len: usize) -> &[u8] {
    let from = bytes.len().min(offset as usize);
    &bytes[from..bytes.len().min(from + len)]
}

impl Counted<'_> {
    /// Linear: each byte is read so many times at most.
    fn check(&self, times: u64) {
        let len = self.bytes.len() as u64;
        assert!(self.asked.get() <= times * len + 4096, "asked={} len={len}", self.asked.get());
        assert!(self.greatest.get() <= WINDOW_BYTES, "greatest={}", self.greatest.get());
    }
}

#[test]
fn time_and_memory_are_bounded_whatever_a_file_is_full_of() {
    for (name, pieces) in [
        ("zeros", vec![Piece::Fill(0, 4 << 20)]),
        ("marks of frames", vec![Piece::Fill(0xF7, 1 << 20)]),
        ("stray frames", (0..20_000).map(|_| Piece::Frame { payload_len: 0, index: 0, rest: 0 }).collect()),
        (
            "stray frames between rot",
            (0..20_000)
                .flat_map(|_| [Piece::Fill(0xF7, 8), Piece::Frame { payload_len: 0, index: 0, rest: 0 }])
                .collect(),
        ),
        (
            "groups that count too much",
            (0..20_000)
                .map(|_| Piece::Group { group_bytes: 48, frames_bytes: 0, count: 0, acked: 0 })
                .collect(),
        ),
        (
            "groups that reach over all behind them",
            (0..5_000)
                .map(|_| Piece::Group {
                    group_bytes: 1 << 20,
                    frames_bytes: 1 << 19,
                    count: 1 << 10,
                    acked: 0,
                })
                .collect(),
        ),
        (
            "footers that claim a large index",
            (0..5_000).map(|_| Piece::Footer { index_count: u32::MAX, next: 1 << 61 }).collect(),
        ),
        ("one long payload", vec![Piece::Frame { payload_len: 3 << 20, index: 0, rest: 0 }]),
    ] {
        println!("{name}");
        let (header, bytes, _) = forge::lay(&pieces);
        let source = Counted { bytes: &bytes, asked: Cell::new(0), greatest: Cell::new(0) };
        let mut walk = Walk::new(&source, &header);
        let mut all = Vec::new();
        while let Ok(Some(seen)) = walk.next() {
            all.push(seen);
        }
        check_order(&all);
        source.check(24);
    }
}

#[test]
fn a_file_that_is_said_to_be_endless_ends() {
    struct Endless(Vec<u8>);
    impl Source for Endless {
        type Error = Infallible;
        fn file_len(&self) -> u64 {
            u64::MAX
        }
        fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Infallible> {
            Ok(read(&self.0, offset, len))
        }
    }
    for (name, sample) in samples() {
        println!("{name}");
        let mut walk = Walk::new(Endless(sample.bytes.clone()), &sample.header);
        let mut all = Vec::new();
        while let Ok(Some(seen)) = walk.next() {
            all.push(seen);
        }
        assert_eq!(all, sample.walk(&sample.bytes));
    }
}

#[test]
fn reads_that_fail_once_change_nothing() {
    /// Fails every read the first time.
    struct Flaky<'a> {
        bytes: &'a [u8],
        failed: BTreeSet<(u64, usize)>,
    }
    impl Source for Flaky<'_> {
        type Error = &'static str;
        fn file_len(&self) -> u64 {
            self.bytes.len() as u64
        }
        fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], &'static str> {
            if self.failed.insert((offset, len)) {
                Err("try again")
            } else {
                Ok(read(self.bytes, offset, len))
            }
        }
    }
    for (name, sample) in samples() {
        println!("{name}");
        let mut bytes = sample.bytes.clone();
        if let Some(last) = bytes.get_mut(600..).and_then(<[u8]>::last_mut) {
            *last ^= 1;
        }
        let mut walk = Walk::new(Flaky { bytes: &bytes, failed: BTreeSet::new() }, &sample.header);
        let mut all = Vec::new();
        loop {
            match walk.next() {
                Ok(Some(seen)) => all.push(seen),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        assert_eq!(all, sample.walk(&bytes));
    }
}

#[test]
fn lies_that_verify_are_told_as_what_they_are() {
    use Piece::{Fill, Footer, Frame, Group};
    let frame = |index| Frame { payload_len: 8, index, rest: 0 };
    for (name, pieces, want) in [
        ("a frame without a group", vec![frame(0)], vec!["frame alone"]),
        (
            "a group as it should be",
            vec![Group { group_bytes: 128, frames_bytes: 80, count: 2, acked: 0 }, frame(0), frame(1)],
            vec!["group", "frame", "frame", "whole"],
        ),
        (
            "frames in the wrong order",
            vec![Group { group_bytes: 128, frames_bytes: 80, count: 2, acked: 0 }, frame(1), frame(0)],
            vec!["group", "bad Frame", "bad Frame"],
        ),
        (
            "the same frame twice",
            vec![Group { group_bytes: 128, frames_bytes: 80, count: 2, acked: 0 }, frame(0), frame(0)],
            vec!["group", "frame", "bad Frame"],
        ),
        (
            "a frame too many",
            vec![Group { group_bytes: 128, frames_bytes: 80, count: 1, acked: 0 }, frame(0), frame(1)],
            vec!["group", "bad Frame", "bad Frame"],
        ),
        (
            "a frame too few",
            vec![Group { group_bytes: 128, frames_bytes: 72, count: 2, acked: 0 }, frame(0), frame(1)],
            vec!["group", "frame", "bad Frame", "bad Layout"],
        ),
        (
            "an index that no group has",
            vec![Group { group_bytes: 88, frames_bytes: 40, count: 1, acked: 0 }, frame(u32::MAX)],
            vec!["group", "bad Frame"],
        ),
        (
            "a frame longer than its group",
            vec![
                Group { group_bytes: 88, frames_bytes: 40, count: 1, acked: 0 },
                Frame { payload_len: 9, index: 0, rest: 0 },
            ],
            vec!["group", "bad Frame", "bad Group"],
        ),
        (
            "a group longer than the file",
            vec![Group { group_bytes: u32::MAX - 7, frames_bytes: 40, count: 1, acked: 0 }, frame(0)],
            vec!["group", "frame", "bad Layout"],
        ),
        (
            "a group with something behind its frames",
            vec![Group { group_bytes: 128, frames_bytes: 40, count: 1, acked: 0 }, frame(0), Fill(1, 8)],
            vec!["group", "frame", "bad Layout"],
        ),
        (
            "a group that ends where nothing does",
            vec![Group { group_bytes: u32::MAX, frames_bytes: 40, count: 1, acked: 0 }, frame(0)],
            vec!["bad Group", "frame alone"],
        ),
        (
            "a group that counts more frames than fit",
            vec![Group { group_bytes: 128, frames_bytes: 80, count: u32::MAX, acked: 0 }, frame(0)],
            vec!["bad Group", "frame alone"],
        ),
        (
            "a group that was acknowledged before it was written",
            vec![Group { group_bytes: 88, frames_bytes: 40, count: 1, acked: u64::MAX }, frame(0)],
            vec!["bad Group", "frame alone"],
        ),
        (
            "a payload that is too long for the format",
            vec![Frame { payload_len: (1 << 30) + 1, index: 0, rest: 0 }],
            vec!["bad Group"],
        ),
        (
            "a payload that is not there",
            vec![Frame { payload_len: 1 << 30, index: 0, rest: 1 << 30 }],
            vec!["bad Payload"],
        ),
        (
            "a footer with an index that is not there",
            vec![Footer { index_count: u32::MAX, next: 1 << 61 }],
            vec!["footer head", "bad Footer"],
        ),
        ("a next segment inside this one", vec![Footer { index_count: 0, next: 0 }], vec!["bad Group"]),
        ("a next segment beyond all", vec![Footer { index_count: 0, next: u64::MAX }], vec!["bad Group"]),
        (
            "something behind a footer",
            vec![Footer { index_count: 0, next: 1 << 61 }, frame(0)],
            vec!["footer", "bad Behind"],
        ),
    ] {
        let (header, bytes, _) = forge::lay(&pieces);
        let mut walk = Walk::new(&bytes[..], &header);
        let mut told = Vec::new();
        let mut all = Vec::new();
        while let Ok(Some(seen)) = walk.next() {
            told.push(match &seen {
                Seen::Group { .. } => "group".to_string(),
                Seen::Frame(frame) if frame.in_group => "frame".to_string(),
                Seen::Frame(_) => "frame alone".to_string(),
                Seen::Whole { .. } => "whole".to_string(),
                Seen::FooterHead { .. } => "footer head".to_string(),
                Seen::Footer { .. } => "footer".to_string(),
                Seen::Bad(bad) => format!("bad {:?}", bad.what),
            });
            all.push(seen);
        }
        assert_eq!(told, want, "{name}");
        check_order(&all);
    }
}

#[test]
fn a_group_counts_only_when_all_of_it_verifies() {
    let mut sample = Sample::new(header(0, 512));
    sample.group(&[record(10, "kept")]).group(&[retire(77), record(20, "hit")]);
    let hit = sample.groups[1].frames[1].range.start as usize + 33;
    sample.bytes[hit] ^= 1;
    let outline = sample.outline(&sample.bytes);
    assert_eq!(outline.begins, None);
    assert_eq!(outline.totals.records, 1);
    assert_eq!(outline.totals.greatest.0, 10);
    assert_eq!(outline.totals.index.len(), 1);
}

#[test]
fn what_a_footer_says_counts_when_only_its_head_is_left() {
    let mut sample = Sample::growing();
    sample.seal(None);
    let (range, footer) = sample.footer.clone().expect("sealed");
    let mut bytes = sample.bytes.clone();
    bytes[sample.groups[1].range.start as usize] ^= 1;
    bytes[range.end as usize - 20] ^= 1;
    let outline = sample.outline(&bytes);
    assert_eq!(outline.end, sample.position(sample.groups[1].range.start));
    assert_eq!(outline.beyond.acked, Some(footer.acked));
    assert_eq!(outline.beyond.end, Some(sample.position(range.start + 96)));
    assert_eq!(outline.footer, None);
}

#[test]
fn a_footer_with_more_of_an_index_than_its_groups_can_have_is_bad() {
    let sample = Sample::new(header(1 << 20, 512));
    let entry = |position| IndexEntry { position: Position(position), least: Time(0), greatest: Time(0) };
    let index = [entry(0), entry(1 << 16)];
    let at = sample.position(sample.len());
    let footer =
        Footer { index_count: 2, next: at.plus(1000), ..sample.totals.footer(at, None, at, at, Time(0)) };
    let bytes = [&sample.bytes[..], &footer.encode(sample.header.life(), at, &index)].concat();
    let all = sample.walk(&bytes);
    assert!(
        matches!(all[..], [Seen::FooterHead { .. }, Seen::Bad(Bad { what: Fault::Footer, .. })]),
        "{all:?}"
    );
}

#[test]
fn a_retire_mark_that_changes_after_it_was_verified_is_not_believed() {
    /// A file of which a byte reads otherwise from the second time on.
    struct Turning<'a> {
        bytes: Cow<'a, [u8]>,
        at: usize,
        reads: usize,
    }
    impl Source for Turning<'_> {
        type Error = Infallible;
        fn file_len(&self) -> u64 {
            self.bytes.len() as u64
        }
        fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Infallible> {
            if (offset as usize..offset as usize + len).contains(&self.at) && len == 8 {
                self.reads += 1;
                if self.reads == 2 {
                    self.bytes.to_mut()[self.at] ^= 1;
                }
            }
            Ok(read(&self.bytes, offset, len))
        }
    }
    let mut sample = Sample::new(header(1 << 20, 512));
    sample.group(&[retire(4096)]);
    assert_eq!(sample.outline(&sample.bytes).begins, Some(Position(4096)));
    let at = sample.groups[0].frames[0].range.start as usize + 32;
    let turning = Turning { bytes: Cow::Borrowed(&sample.bytes), at, reads: 0 };
    let outline = Outline::of(turning, &sample.header, sample.header.check()).expect("memory");
    assert_eq!(outline.begins, None);
}

#[test]
fn a_record_outside_the_times_of_its_group_makes_the_group_bad() {
    let mut sample = Sample::new(header(0, 512));
    sample.group(&[record(10, "kept")]);
    let at = sample.groups[0].range.start;
    let lying = GroupHeader { greatest: Time(9), ..sample.groups[0].header };
    let bytes = lying.encode(sample.header.life(), sample.position(at));
    sample.bytes[at as usize..at as usize + 48].copy_from_slice(&bytes);
    let outline = sample.outline(&sample.bytes);
    assert_eq!(outline.end, sample.position(at));
    assert_eq!(outline.totals.groups, 0);
    assert_eq!(outline.bad[0].what, Fault::Layout);
}

#[test]
fn a_footer_must_state_what_the_groups_add_up_to() {
    let mut sample = Sample::growing();
    sample.seal(None);
    let (range, footer) = sample.footer.clone().expect("sealed");
    let index = sample.totals.index.clone();
    let lies: [(&str, Footer, Vec<IndexEntry>); 6] = [
        ("seal", Footer { seal: footer.seal ^ 1, ..footer }, index.clone()),
        ("records", Footer { records: footer.records + 1, ..footer }, index.clone()),
        ("groups", Footer { groups: 0, ..footer }, index.clone()),
        ("times", Footer { least: footer.greatest, ..footer }, index.clone()),
        ("payload bytes", Footer { payload_bytes: 0, ..footer }, index.clone()),
        ("index", footer, vec![IndexEntry { position: sample.position(1024), ..index[0] }]),
    ];
    for (name, lie, index) in lies {
        let mut bytes = sample.bytes[..range.start as usize].to_vec();
        bytes.extend(lie.encode(sample.header.life(), sample.position(range.start), &index));
        assert!(
            matches!(sample.walk(&bytes).last(), Some(Seen::Footer { .. })),
            "{name}: it verifies by itself"
        );
        let outline = sample.outline(&bytes);
        assert_eq!((outline.footer, outline.bad_count), (None, 1), "{name}");
        assert_eq!(outline.bad[0].what, Fault::Footer, "{name}");
        assert_eq!(outline.end, Position(sample.header.base.0 + range.start), "{name}");
    }
}

#[test]
fn a_long_segment_has_an_index_that_leads_to_its_groups() {
    let mut sample = Sample::new(header(1 << 30, 512));
    for round in 0..200 {
        sample.group(&[record(round, vec![round as u8; 5000]), record(1000 - round, "x")]);
        sample.group(&[]);
    }
    sample.seal(None);
    check(&sample, &sample.bytes);
    for group in sample.groups.iter().step_by(7) {
        let mut bytes = sample.bytes.clone();
        bytes[group.range.end as usize - 1] ^= 1;
        check(&sample, &bytes);
    }
    let index = &sample.totals.index;
    assert!(index.len() > 10, "{}", index.len());
    for entry in index {
        let offset = entry.position.since(sample.header.base);
        assert!(sample.groups.iter().any(|group| group.range.start == offset && !group.frames.is_empty()));
    }
    for group in sample.groups.iter().filter(|group| !group.frames.is_empty()) {
        let position = sample.position(group.range.start);
        let entry =
            index.iter().rfind(|entry| entry.position <= position).expect("an entry before each group");
        assert!(entry.least <= group.header.least && group.header.greatest <= entry.greatest);
    }
    let footer_bytes = sample.footer.as_ref().expect("sealed").1.footer_len();
    let groups_bytes = sample.len() - footer_bytes - sample.header.body();
    assert!(footer_bytes <= Totals::footer_bytes_max(groups_bytes));
}
