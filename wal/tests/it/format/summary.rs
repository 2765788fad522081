//! Summaries: what was encoded is decoded, and nothing else is.

use headwater_wal::Time;
use headwater_wal::format::seed::Life;
use headwater_wal::format::summary::{Entry, Summary, SummaryFault};
use headwater_wal::format::{Identity, Position};
use proptest::prelude::*;

fn sample() -> Summary {
    let first = Entry {
        base: Position(0),
        end: Position(512),
        next: Position(4096),
        file_len: 624,
        epoch: 1,
        body: 512,
        begins_epoch: true,
        sealed: true,
        seal: Some(0x0102_0304),
        made_at: Time(1000),
        closed_at: Some(Time(1000)),
        times: None,
        records: Some(0),
    };
    let second = Entry {
        base: Position(4096),
        end: Position(4736),
        next: Position(4872),
        file_len: 776,
        begins_epoch: false,
        seal: Some(0x0506_0708),
        made_at: Time(2000),
        closed_at: Some(Time(2000)),
        times: Some((Time(7), Time(9))),
        records: Some(3),
        ..first.clone()
    };
    Summary {
        identity: Identity(*b"identity of log "),
        epoch: 2,
        end: Position(4872),
        begins: Position(64),
        swept: Position(32),
        time: Time(3000),
        in_flight: 1 << 20,
        written_max: 5,
        lost: vec![Position(8)..Position(16)],
        segments: vec![first, second],
    }
}

/// The sample as version 1 of the format has it, kept for ever.
const GOLDEN: &str = "
    89485753554d0d0a725f5317010000006964656e74697479206f66206c6f672002000000000000000813000000000000
    40000000000000002000000000000000b80b000000000000000010000000000005000000000000000200000001000000
    080000000000000010000000000000000000000000000000000200000000000000100000000000007002000000000000
    0100000000000000000200002f0000000403020100000000e803000000000000e8030000000000000000000000000000
    000000000000000000000000000000000010000000000000801200000000000008130000000000000803000000000000
    0100000000000000000200003e0000000807060500000000d007000000000000d0070000000000000700000000000000
    09000000000000000300000000000000
";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_summary_of_version_1_is_read_and_written_as_it_always_was() {
    let summary = sample();
    assert_eq!(hex(&summary.encode()), GOLDEN.replace(char::is_whitespace, ""));
    assert_eq!(Summary::decode(summary.end, &summary.encode()), Ok(summary));
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_summary_shows() {
    let (summary, bytes) = (sample(), sample().encode());
    for len in 0..bytes.len() {
        assert_eq!(Summary::decode(summary.end, &bytes[..len]), Err(SummaryFault::Check), "cut to {len}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Summary::decode(summary.end, &longer), Err(SummaryFault::Check));
    for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << bit;
        let fault = Summary::decode(summary.end, &bytes).unwrap_err();
        let newer = at == 12 && bit > 0 || at == 13;
        assert_eq!(matches!(fault, SummaryFault::Newer(_)), newer, "byte {at} bit {bit}: {fault}");
    }
    assert_eq!(Summary::decode(summary.end.plus(8), &bytes), Err(SummaryFault::Elsewhere));
}

/// The bytes of a summary that nobody would write, with a right checksum.
fn forge(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let summary = sample();
    let mut bytes = summary.encode();
    change(&mut bytes);
    let life = Life { identity: summary.identity.short(), epoch: summary.epoch };
    let check = life.check(summary.end, &bytes[12..]);
    bytes[8..12].copy_from_slice(&check.to_le_bytes());
    bytes
}

#[test]
fn each_condition_of_a_summary_is_checked() {
    let (first, second) = (112, 208);
    let cases: [(&str, usize, &[u8]); 19] = [
        ("S7: reserved", 14, &[1]),
        ("S7: begins behind the end", 48, &[0xFF; 7]),
        ("S7: swept behind the beginning", 56, &[0xFF]),
        ("S7: in flight", 72, &[0xFF; 8]),
        ("S7: written max", 80, &[0xFF; 8]),
        ("S8: an epoch above the greatest", 80, &[0; 8]),
        ("S9: an empty range", 104, &[8]),
        ("S8: a base that is not the next of the one before", second, &[8]),
        ("S8: an end before the body", second + 8, &[8, 0x10]),
        ("S8: a next before the end", second + 16, &[8, 0x10]),
        ("S8: the last one's next is not the end", second + 16, &[9]),
        ("S8: an epoch that goes down", first + 32, &[2]),
        ("S8: an epoch above the writer's", second + 32, &[3]),
        ("S8: no header", first + 40, &[0, 1]),
        ("S7: unknown flags", first + 44, &[0x57]),
        ("S7: a reserved field", first + 52, &[1]),
        ("S7: times that are not there", first + 72, &[1]),
        ("S7: a seal that is not known", second + 44, &[0x3A]),
        ("S8: least above greatest", second + 72, &[10]),
    ];
    for (what, at, change) in cases {
        let bytes = forge(|bytes| bytes[at..at + change.len()].copy_from_slice(change));
        assert_eq!(Summary::decode(sample().end, &bytes), Err(SummaryFault::Check), "{what}");
    }
    assert!(Summary::decode(sample().end, &forge(|_| {})).is_ok());
}

fn any_summary() -> impl Strategy<Value = Summary> {
    let entry =
        (any::<[u64; 6]>(), any::<(bool, bool)>(), 512..4096_u32, 0..3_u64, any::<[Option<u32>; 4]>());
    let entries = prop::collection::vec(entry, 1..20);
    let lost = prop::collection::vec((0..99_u64, 1..99_u64), 0..9);
    (entries, lost, any::<([u8; 16], u64, u64, u64)>(), 0..1_u64 << 40, 0..=1_u64 << 40).prop_map(
        |(entries, lost, (identity, begins, swept, time), from, in_flight)| {
            let (mut next, mut epoch) = (Position(from), 1);
            let segments: Vec<Entry> = entries
                .into_iter()
                .map(|([more, gap, file_len, made_at, time, longer], flags, body, newer, known)| {
                    let base = next;
                    let end = base.plus(u64::from(body) + more % 9999);
                    next = end.plus(gap % 9999);
                    epoch += newer;
                    let [seal, closed_at, times, records] = known;
                    Entry {
                        base,
                        end,
                        next,
                        file_len,
                        epoch,
                        body,
                        begins_epoch: flags.0,
                        sealed: flags.1,
                        seal,
                        made_at: Time(made_at),
                        closed_at: closed_at.map(|at| Time(u64::from(at))),
                        times: times.map(|_| (Time(time), Time(time.saturating_add(longer)))),
                        records: records.map(u64::from),
                    }
                })
                .collect();
            let begins = begins % (next.0 + 1);
            Summary {
                identity: Identity(identity),
                epoch,
                end: next,
                begins: Position(begins),
                swept: Position(swept % (begins + 1)),
                time: Time(time),
                in_flight,
                written_max: epoch + 1,
                lost: lost.into_iter().map(|(at, len)| Position(at)..Position(at + len)).collect(),
                segments,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_a_summary_says_is_read_back(summary in any_summary()) {
        prop_assert!(summary.is_sound());
        prop_assert_eq!(Summary::decode(summary.end, &summary.encode()), Ok(summary));
    }
}
