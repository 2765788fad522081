//! What receivers and drivers say to each other, byte by byte.

use headwater_checkpoint::receive::wire::{self, BLOCKS_MAX, Call, HEAD_BYTES, Label, Reply, TEXT_BYTES_MAX};
use headwater_wal::receiver::blocks::{RANGES_MAX, SourceRange};
use headwater_wal::receiver::{Answer, End, ReceiverLog, Report};
use headwater_wal::{Error, Handle, Kind, Position, Result};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const LABEL: Label = Label { number: 0x0102, driver: 0x0304 };

pub(super) fn handle(identity: u64, position: u64) -> Handle {
    let mut bytes = [0; 40];
    bytes[0..8].copy_from_slice(&identity.to_le_bytes());
    bytes[8..16].copy_from_slice(&3_u64.to_le_bytes());
    bytes[16..24].copy_from_slice(&position.to_le_bytes());
    bytes[32..36].copy_from_slice(&77_u32.to_le_bytes());
    bytes[36..40].copy_from_slice(&0xC0FF_EE00_u32.to_le_bytes());
    Handle::from_bytes(&bytes).unwrap()
}

pub(super) fn block(position: u64, from: u64) -> Report {
    Report {
        stream: 1,
        receiver: 2,
        handle: handle(0x1D, position),
        previous: position.checked_sub(100).map(Position),
        number: 5,
        records: 6,
        ranges: vec![SourceRange { partition: 9, from, to: from + 6 }],
    }
}

fn calls() -> Vec<Call> {
    vec![
        Call::Settled(ReceiverLog { stream: 1, receiver: 2, identity: 0x1D }),
        Call::Report(vec![block(100, 0), Report { ranges: Vec::new(), ..block(200, 6) }]),
        Call::PassOver(Report { previous: None, ..block(300, 12) }),
        Call::Released(ReceiverLog { stream: 1, receiver: 2, identity: 0x1D }),
    ]
}

fn replies() -> Vec<Reply> {
    let refused = Answer::Refused(vec![End { partition: 9, end: 4 }]);
    vec![
        Reply::Settled(None),
        Reply::Settled(Some(Position(0x77))),
        Reply::Reported(vec![Answer::Taken, refused]),
        Reply::Reported(vec![Answer::Full]),
        Reply::PassedOver(Answer::PassedOver),
        Reply::PassedOver(Answer::Early(Some(Position(8)))),
        Reply::Released(Position(0x77)),
        Reply::Failed(Error::new(Kind::Fenced, "driver=2").at("a.wal", 4)),
    ]
}

fn frames() -> Vec<Vec<u8>> {
    let calls = calls().into_iter().map(|call| call.frame(LABEL).unwrap());
    calls.chain(replies().into_iter().map(|reply| reply.frame(LABEL).unwrap())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A frame that is wrong as a call and as a reply: with what, and where.
fn wrong(frame: &[u8]) -> Vec<Error> {
    vec![Call::read(frame).unwrap_err(), Reply::read(frame).unwrap_err()]
}

/// Makes length and check right.
fn seal(frame: &mut [u8]) {
    let len = (frame.len() - HEAD_BYTES) as u32;
    frame[..4].copy_from_slice(&len.to_le_bytes());
    let check = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[HEAD_BYTES..]);
    frame[4..8].copy_from_slice(&check.to_le_bytes());
}

/// What was said is what was heard; errors are compared by kind and text.
fn same<T: std::fmt::Debug>(said: &T, heard: Result<(Label, T)>) {
    let (label, heard) = heard.unwrap();
    assert_eq!((label, format!("{heard:?}")), (LABEL, format!("{said:?}")));
}

/// Version 1, for ever: never change a byte of it.
const GOLDEN: [&str; 12] = [
    "280000007d19a4ea01010000000000000201000000000000040300000000000001000000020000001d00000000000000",
    "c400000091959acc010200000000000002010000000000000403000000000000020000000000000001000000020000001d000000000000000300000000000000640000000000000000000000000000004d00000000eeffc0000000000000000005000000000000000600000001000000090000000000000000000000060000000000000001000000020000001d000000000000000300000000000000c80000000000000000000000000000004d00000000eeffc0640000000000000005000000000000000600000000000000",
    "7400000023dbe30801030000000000000201000000000000040300000000000001000000020000001d0000000000000003000000000000002c0100000000000000000000000000004d00000000eeffc0ffffffffffffffff05000000000000000600000001000000090000000c000000000000001200000000000000",
    "28000000fb1da24901040000000000000201000000000000040300000000000001000000020000001d00000000000000",
    "20000000be1d8afc018100000000000002010000000000000403000000000000ffffffffffffffff",
    "20000000e846ea510181000000000000020100000000000004030000000000007700000000000000",
    "4c000000b76f8d9401820000000000000201000000000000040300000000000002000000000000000100000000000000ffffffffffffffff0300000001000000ffffffffffffffff090000000400000000000000",
    "300000006bbd43c401820000000000000201000000000000040300000000000001000000000000000500000000000000ffffffffffffffff",
    "280000006b08a7910183000000000000020100000000000004030000000000000200000000000000ffffffffffffffff",
    "280000001a34233001830000000000000201000000000000040300000000000004000000000000000800000000000000",
    "20000000a0d23cce0184000000000000020100000000000004030000000000007700000000000000",
    "3c000000e586e29501ff0000000000000201000000000000040300000000000004001c00000000006472697665723d322066696c653d612e77616c206f66667365743d34",
];

#[test]
fn every_call_and_reply_of_version_1_is_read_for_ever() {
    for (at, frame) in frames().iter().enumerate() {
        assert_eq!(hex(frame), GOLDEN.get(at).copied().unwrap_or_default(), "at={at}");
    }
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let (called, replied) = GOLDEN.split_at(calls().len());
    called.iter().zip(calls()).for_each(|(golden, call)| same(&call, Call::read(&bytes(golden))));
    replied.iter().zip(replies()).for_each(|(golden, reply)| same(&reply, Reply::read(&bytes(golden))));
}

#[test]
fn a_flipped_bit_anywhere_is_an_error() {
    for frame in frames() {
        for bit in 0..frame.len() * 8 {
            let mut frame = frame.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            for error in wrong(&frame) {
                assert_eq!(error.kind(), Kind::Damaged);
                assert!(error.to_string().contains(" at="), "{error}");
            }
            assert_eq!(wire::number(&frame), None);
        }
    }
}

#[test]
fn a_frame_that_is_shorter_or_longer_is_an_error_also_if_its_check_is_right() {
    for frame in frames() {
        for len in 0..frame.len() {
            wrong(&frame[..len]);
            if len >= HEAD_BYTES {
                let mut short = frame[..len].to_vec();
                seal(&mut short);
                wrong(&short);
            }
        }
        let mut long = [&frame[..], &[0]].concat();
        wrong(&long);
        seal(&mut long);
        wrong(&long);
    }
}

#[test]
fn a_changed_byte_under_a_right_check_is_never_more_than_another_frame() {
    for frame in frames() {
        for (at, value) in
            (HEAD_BYTES..frame.len()).flat_map(|at| [0, 1, 3, 4, 0x7F, 0xFF].map(|value| (at, value)))
        {
            let mut frame = frame.clone();
            frame[at] = value;
            seal(&mut frame);
            if let Ok((label, call)) = Call::read(&frame) {
                assert_eq!(call.frame(label).unwrap(), frame);
            }
            if let Ok((label, reply)) = Reply::read(&frame) {
                let again = reply.frame(label).unwrap();
                // An unknown kind of error becomes a known one.
                assert!(
                    again == frame || frame[9] == 255 && frame[33..] == again[33..],
                    "at={at} value={value}"
                );
            }
        }
    }
}

#[test]
fn a_newer_version_is_unsupported_and_its_number_is_known() {
    let mut frame = frames().remove(0);
    frame[8] = 2;
    frame.extend_from_slice(b"whatever it is");
    seal(&mut frame);
    for error in wrong(&frame) {
        assert_eq!(error.kind(), Kind::Unsupported);
    }
    assert_eq!(wire::number(&frame), Some(LABEL.number));
}

#[test]
fn a_length_is_bounded_before_it_is_believed() {
    let head = |len: usize| {
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&(len as u32).to_le_bytes());
        wire::body_len(head)
    };
    assert_eq!(head(wire::BODY_BYTES_MAX).unwrap(), wire::BODY_BYTES_MAX);
    assert_eq!(head(24).unwrap(), 24);
    for none in [0, 23, wire::BODY_BYTES_MAX + 1, u32::MAX as usize] {
        assert_eq!(head(none).unwrap_err().kind(), Kind::Damaged);
    }
    let ranges = |at: u32| SourceRange { partition: at, from: 0, to: 1 };
    let most = Report { ranges: (0..RANGES_MAX as u32).map(ranges).collect(), ..block(1, 0) };
    let frame = Call::Report(vec![most.clone(); BLOCKS_MAX]).frame(LABEL).unwrap();
    assert_eq!(frame.len(), HEAD_BYTES + wire::BODY_BYTES_MAX);
    assert!(Call::read(&frame).is_ok());
    let more = Report { ranges: (0..=RANGES_MAX as u32).map(ranges).collect(), ..block(1, 0) };
    for call in [Call::Report(vec![most; BLOCKS_MAX + 1]), Call::Report(Vec::new()), Call::PassOver(more)] {
        assert_eq!(call.frame(LABEL).unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn every_kind_of_error_crosses_with_its_text_and_an_unknown_one_is_unavailable() {
    for (code, kind) in (1..).zip([
        Kind::Closed,
        Kind::Damaged,
        Kind::Exists,
        Kind::Fenced,
        Kind::Full,
        Kind::Invalid,
        Kind::Locked,
        Kind::NotThere,
        Kind::Retired,
        Kind::Unavailable,
        Kind::Unknown,
        Kind::Unsupported,
    ]) {
        let mut frame = Reply::Failed(Error::new(kind, "what and where")).frame(LABEL).unwrap();
        same(&Reply::Failed(Error::new(kind, "what and where")), Reply::read(&frame));
        assert_eq!(frame[32], code);
        for unknown in [0, 13, 255] {
            frame[32] = unknown;
            seal(&mut frame);
            same(&Reply::Failed(Error::new(Kind::Unavailable, "what and where")), Reply::read(&frame));
        }
    }
    let cause = std::io::Error::other("the disk said no");
    let frame =
        Reply::Failed(Error::new(Kind::Unknown, "a sync failed").because(cause)).frame(LABEL).unwrap();
    same(&Reply::Failed(Error::new(Kind::Unknown, "a sync failed: the disk said no")), Reply::read(&frame));
}

#[test]
fn a_text_that_is_too_long_is_cut_between_two_characters() {
    let text = format!("x{}", "é".repeat(TEXT_BYTES_MAX));
    let frame = Reply::Failed(Error::new(Kind::Full, text)).frame(LABEL).unwrap();
    let cut = format!("x{}", "é".repeat((TEXT_BYTES_MAX - 1) / 2));
    same(&Reply::Failed(Error::new(Kind::Full, cut)), Reply::read(&frame));
}

fn any_position() -> impl Strategy<Value = Option<Position>> {
    option::of((0..=Position::LIMIT.0).prop_map(Position))
}

fn any_range() -> impl Strategy<Value = SourceRange> {
    any::<(u32, u64, u64)>().prop_map(|(partition, from, to)| SourceRange { partition, from, to })
}

fn any_block() -> impl Strategy<Value = Report> {
    let ids = (any::<(u32, u32, u64, u64, u32)>(), 0..Position::LIMIT.0, any_position());
    (ids, vec(any_range(), 0..8)).prop_map(|((ids, position, previous), ranges)| {
        let (stream, receiver, identity, number, records) = ids;
        Report { stream, receiver, handle: handle(identity, position), previous, number, records, ranges }
    })
}

fn any_call() -> impl Strategy<Value = Call> {
    let log = any::<(u32, u32, u64)>().prop_map(|(stream, receiver, identity)| ReceiverLog {
        stream,
        receiver,
        identity,
    });
    prop_oneof![
        log.clone().prop_map(Call::Settled),
        log.prop_map(Call::Released),
        vec(any_block(), 1..BLOCKS_MAX).prop_map(Call::Report),
        any_block().prop_map(Call::PassOver),
    ]
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let end = any::<(u32, u64)>().prop_map(|(partition, end)| End { partition, end });
    prop_oneof![
        Just(Answer::Taken),
        Just(Answer::PassedOver),
        vec(end, 0..8).prop_map(Answer::Refused),
        any_position().prop_map(Answer::Early),
        Just(Answer::Full),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        any_position().prop_map(Reply::Settled),
        vec(any_answer(), 0..BLOCKS_MAX).prop_map(Reply::Reported),
        any_answer().prop_map(Reply::PassedOver),
        "[^:]{0,200}".prop_map(|text| Reply::Failed(Error::new(Kind::Damaged, text))),
    ]
}

proptest! {
    #[test]
    fn what_is_called_is_what_is_heard(call in any_call()) {
        let frame = call.frame(LABEL).unwrap();
        prop_assert_eq!(wire::number(&frame), Some(LABEL.number));
        prop_assert!(Reply::read(&frame).is_err(), "a call is no reply");
        prop_assert_eq!(Call::read(&frame).unwrap(), (LABEL, call));
    }

    #[test]
    fn what_is_replied_is_what_is_heard(reply in any_reply()) {
        let frame = reply.frame(LABEL).unwrap();
        prop_assert!(Call::read(&frame).is_err(), "a reply is no call");
        same(&reply, Reply::read(&frame));
    }

    #[test]
    fn any_bytes_give_an_answer_or_an_error(mut bytes in vec(any::<u8>(), 0..300), kind in any::<u8>()) {
        let _ = (Call::read(&bytes), Reply::read(&bytes));
        if bytes.len() >= 32 {
            bytes[8] = 1;
            bytes[9] = [1, 2, 3, 129, 130, 131, 255, kind][usize::from(kind % 8)];
            bytes[10..16].fill(0);
            seal(&mut bytes);
            let _ = (Call::read(&bytes), Reply::read(&bytes));
        }
    }
}
