//! The bytes of events: golden, and whatever anybody may offer instead.

use bytes::Bytes;
use headwater_checkpoint::journal::event::{DIRECT_RANGES_MAX, RUNS_MAX};
use headwater_checkpoint::journal::{
    BLOCK_RANGES_MAX, BatchId, Block, Event, OWN_BYTES_MAX, OutputId, ReceiverLog, Run,
};
use headwater_wal::{Kind, Position};
use proptest::prelude::*;

use super::driver::{Receiver, direct, handle, range};

const LOG: ReceiverLog = ReceiverLog { stream: 1, receiver: 2, identity: 0x0807_0605_0403_0201 };

fn block() -> Block {
    Block {
        stream: 1,
        receiver: 2,
        handle: handle(LOG.identity, Position(0x600)),
        previous: Some(Position(0x400)),
        id: 7,
        records: 12,
        ranges: vec![range(3, 100, 110), range(4, 0, 2)],
        own: Bytes::from_static(b"own"),
    }
}

fn samples() -> Vec<(Event, &'static str)> {
    let first = Block { previous: None, ranges: Vec::new(), own: Bytes::new(), ..block() };
    let run = |receiver, first, last, blocks| Run {
        log: ReceiverLog { receiver, ..LOG },
        first: Position(first),
        last: Position(last),
        blocks,
    };
    vec![
        (
            Event::Added(block()),
            "0101000000000000 2a00000000000000 01000000 02000000 0102030405060708 0100000000000000 \
             0006000000000000 0000000000000000 90010000 ecc40000 0004000000000000 0700000000000000 \
             0c00000000000000 0200 0300 00000000 03000000 6400000000000000 6e00000000000000 04000000 \
             0000000000000000 0200000000000000 6f776e",
        ),
        (
            Event::Added(first),
            "0101000000000000 2a00000000000000 01000000 02000000 0102030405060708 0100000000000000 \
             0006000000000000 0000000000000000 90010000 ecc40000 ffffffffffffffff 0700000000000000 \
             0c00000000000000 0000 0000 00000000",
        ),
        (
            Event::PassedOver { log: LOG, position: Position(0x600), previous: None, begins: vec![(3, 100)] },
            "0102000000000000 2a00000000000000 01000000 02000000 0102030405060708 0006000000000000 \
             ffffffffffffffff 01000000 00000000 03000000 6400000000000000",
        ),
        (
            Event::EndMoved { stream: 1, lost: range(3, 110, 200) },
            "0103000000000000 2a00000000000000 01000000 03000000 6e00000000000000 c800000000000000",
        ),
        (
            Event::Allotted {
                batch: BatchId(1000),
                since: BatchId(900),
                runs: vec![run(2, 0x400, 0x600, 2), run(3, 0x200, 0x200, 1)],
                direct: vec![direct(5, 0, 10, 20)],
            },
            "0104000000000000 2a00000000000000 e803000000000000 8403000000000000 02000000 01000000 \
             01000000 02000000 0102030405060708 0004000000000000 0006000000000000 0200000000000000 \
             01000000 03000000 0102030405060708 0002000000000000 0002000000000000 0100000000000000 \
             05000000 00000000 0a00000000000000 1400000000000000",
        ),
        (
            Event::Committed { output: OutputId { batch: BatchId(1000), partition: 6 }, attempt: 3 },
            "0105000000000000 2a00000000000000 e803000000000000 0300000000000000 06000000 00000000",
        ),
        (Event::Finished { batch: BatchId(1000) }, "0106000000000000 2a00000000000000 e803000000000000"),
        (
            Event::GivenUp { batch: BatchId(1000), reason: Bytes::from_static(b"no") },
            "0107000000000000 2a00000000000000 e803000000000000 0200 000000000000 6e6f",
        ),
        (
            Event::Forgotten { before: BatchId(1000), floor: 40 },
            "0108000000000000 2a00000000000000 e803000000000000 2800000000000000",
        ),
        (
            Event::RetireIntended { log: Some(LOG), below: Position(0x600) },
            "0109000000000000 2a00000000000000 01000000 02000000 0102030405060708 0006000000000000",
        ),
        (
            Event::RetireIntended { log: None, below: Position(0x600) },
            "0109000000000000 2a00000000000000 ffffffff ffffffff 0000000000000000 0006000000000000",
        ),
    ]
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn golden_events_are_read_and_written_for_ever() {
    for (event, golden) in samples() {
        let golden = bytes_of(golden);
        assert_eq!(Event::decode(&golden).unwrap(), (42, event.clone()));
        assert_eq!(event.encode(42), golden, "{event:?}");
    }
}

#[test]
fn an_event_of_a_newer_release_is_unsupported_and_any_other_is_damaged() {
    let mut bytes = Event::Finished { batch: BatchId(1) }.encode(0);
    for (version, kind) in [(2, Kind::Unsupported), (255, Kind::Unsupported), (0, Kind::Damaged)] {
        bytes[0] = version;
        assert_eq!(Event::decode(&bytes).unwrap_err().kind(), kind, "version={version}");
    }
    bytes[0] = 1;
    for kind in [0, 10, 255] {
        bytes[1] = kind;
        assert_eq!(Event::decode(&bytes).unwrap_err().kind(), Kind::Damaged, "kind={kind}");
    }
    assert_eq!(Event::decode(&[]).unwrap_err().kind(), Kind::Damaged);
}

#[test]
fn no_truncation_and_no_byte_behind_is_an_event() {
    for (event, _) in samples() {
        let bytes = event.encode(9);
        for len in 0..bytes.len() {
            assert!(Event::decode(&bytes[..len]).is_err(), "len={len} {event:?}");
        }
        assert!(Event::decode(&[&bytes[..], &[0]].concat()).is_err(), "{event:?}");
    }
}

#[test]
fn a_flipped_bit_is_another_valid_event_or_an_error() {
    for (event, _) in samples() {
        let bytes = event.encode(9);
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            if let Ok((number, other)) = Event::decode(&flipped) {
                assert!((number, &other) != (9, &event), "bit={at} {event:?}");
                // What is read is what would be written: no two spellings of one event.
                assert_eq!(other.encode(number), flipped, "bit={at} {event:?}");
            }
        }
    }
}

#[test]
fn each_condition_refuses_what_breaks_it_alone() {
    let added = |change: &dyn Fn(&mut Block)| {
        let mut block = block();
        change(&mut block);
        Event::Added(block)
    };
    let allotted = |runs: Vec<Run>, since| Event::Allotted {
        batch: BatchId(5),
        since: BatchId(since),
        runs,
        direct: Vec::new(),
    };
    let run = |first, last, blocks| Run { log: LOG, first: Position(first), last: Position(last), blocks };
    let own = |len| Bytes::from(vec![0; len]);
    let ranges = |count: u32| (0..count).map(|partition| range(partition, 0, 1)).collect::<Vec<_>>();
    let passed = |begins: Vec<(u32, u64)>, previous| Event::PassedOver {
        log: LOG,
        position: Position(9),
        previous,
        begins,
    };
    let cases = [
        ("E6 an empty range", added(&|block| block.ranges[0].to = block.ranges[0].from), false),
        ("E6 partitions that go down", added(&|block| block.ranges.reverse()), false),
        ("E6 a partition twice", added(&|block| block.ranges[1].partition = 3), false),
        ("E6 before the one before", added(&|block| block.previous = Some(Position(0x600))), false),
        ("E6 a position beyond all", added(&|block| block.previous = Some(Position(1 << 62))), false),
        ("E7 as many ranges as may be", added(&|block| block.ranges = ranges(BLOCK_RANGES_MAX as u32)), true),
        ("E7 one range more", added(&|block| block.ranges = ranges(BLOCK_RANGES_MAX as u32 + 1)), false),
        ("E7 as many own bytes as may be", added(&|block| block.own = own(OWN_BYTES_MAX)), true),
        ("E7 one own byte more", added(&|block| block.own = own(OWN_BYTES_MAX + 1)), false),
        ("E6 begins in order", passed(vec![(1, 9), (2, 0)], None), true),
        ("E6 begins out of order", passed(vec![(2, 9), (2, 0)], None), false),
        ("E6 passed over before the one before", passed(Vec::new(), Some(Position(9))), false),
        ("E6 a batch that stands for later ones", allotted(Vec::new(), 6), false),
        ("E6 a run without blocks", allotted(vec![run(1, 1, 0)], 5), false),
        ("E6 a run of one that is two", allotted(vec![run(1, 2, 1)], 5), false),
        ("E6 a run of two that is one", allotted(vec![run(2, 2, 2)], 5), false),
        ("E6 a run backwards", allotted(vec![run(3, 2, 2)], 5), false),
        ("E6 a log twice", allotted(vec![run(1, 1, 1), run(2, 2, 1)], 5), false),
        ("E6 an empty loss", Event::EndMoved { stream: 0, lost: range(0, 5, 5) }, false),
        (
            "E6 direct ranges that go down",
            Event::Allotted {
                batch: BatchId(5),
                since: BatchId(5),
                runs: Vec::new(),
                direct: vec![direct(1, 1, 0, 1), direct(1, 0, 0, 1)],
            },
            false,
        ),
        ("E7 a long reason", Event::GivenUp { batch: BatchId(1), reason: own(OWN_BYTES_MAX + 1) }, false),
    ];
    for (name, event, valid) in cases {
        let decoded = Event::decode(&event.encode(0));
        assert_eq!(decoded.is_ok(), valid, "{name}");
        if valid {
            assert_eq!(decoded.unwrap().1, event, "{name}");
        }
    }
}

#[test]
fn counts_that_lie_are_refused() {
    // A batch of 4096 runs and 16384 direct ranges, and nothing behind the counts.
    let mut bytes = samples()[4].0.encode(0);
    bytes.truncate(40);
    for (runs, direct) in
        [(RUNS_MAX as u32, 0), (0, DIRECT_RANGES_MAX as u32), (u32::MAX, u32::MAX), (1 << 31, 0)]
    {
        bytes[32..36].copy_from_slice(&runs.to_le_bytes());
        bytes[36..40].copy_from_slice(&direct.to_le_bytes());
        assert_eq!(Event::decode(&bytes).unwrap_err().kind(), Kind::Damaged);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_an_event_or_an_error(kind in 0_u8..12, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![1, kind, 0, 0, 0, 0, 0, 0];
        bytes.extend(body);
        if let Ok((number, event)) = Event::decode(&bytes) {
            prop_assert_eq!(event.encode(number), bytes);
        }
    }

    #[test]
    fn any_sound_block_comes_back(
        previous in 0_u64..1000,
        cuts in prop::collection::btree_map(any::<u32>(), (any::<u32>(), 1..u64::from(u32::MAX)), 0..20),
        own in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let ranges: Vec<_> =
            cuts.into_iter().map(|(partition, (from, len))| range(partition, from.into(), u64::from(from) + len)).collect();
        let mut block = Receiver::new(3, 4).cut(&ranges);
        block.previous = Some(Position(previous)).filter(|&before| before < block.position());
        block.own = own.into();
        let event = Event::Added(block);
        prop_assert_eq!(Event::decode(&event.encode(1)).unwrap(), (1, event));
    }
}
