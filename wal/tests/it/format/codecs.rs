//! Headers, groups, frames, footers and handles: what was encoded is decoded, and nothing else is.

use headwater_wal::format::footer::{self, Footer, IndexEntry};
use headwater_wal::format::frame::{Codec, FrameHeader, own};
use headwater_wal::format::group::GroupHeader;
use headwater_wal::format::header::{EPOCH_LIMIT, Header, HeaderFault, Previous};
use headwater_wal::format::seed::Life;
use headwater_wal::format::{Durability, Handle, Identity, Position, Unsettled};
use headwater_wal::{Kind, Time};
use proptest::prelude::*;

use super::forge::{check_footer, check_frame, check_group, check_header};
use super::sample::header;

const STRETCH: u64 = footer::INDEX_STRETCH_BYTES;

fn any_header() -> impl Strategy<Value = Header> {
    let previous = prop::option::of((any::<u64>(), any::<u64>(), any::<u32>()));
    let lost = prop::collection::vec((0..9_u64, 1..9_u64), 0..=24);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), 3..=24_u32);
    (
        any::<([u8; 16], [u8; 16], u64, u64)>(),
        500..1_u64 << 62,
        any::<(u64, u64)>(),
        previous,
        lost,
        flags,
        0..=1_u64 << 40,
    )
        .prop_map(
            |((identity, token, epoch, time), base, (acked, begins), previous, lost, flags, in_flight)| {
                let (power, begins_epoch, whole, block_bits) = flags;
                let mut end = 0;
                Header {
                    identity: Identity(identity),
                    durability: if power { Durability::Power } else { Durability::Process },
                    begins_epoch,
                    clock_in_doubt: time % 2 == 1,
                    whole,
                    token,
                    epoch: epoch % EPOCH_LIMIT,
                    base: Position(base),
                    time: Time(time),
                    acked: Position(acked % (base + 1)),
                    previous: previous.map(|(start, end, seal)| {
                        let start = start % base;
                        Previous {
                            base: Position(start),
                            end: Position(start + end % (base - start + 1)),
                            seal,
                        }
                    }),
                    block_bytes: 1 << block_bits,
                    begins: Position(begins % (base + 1)),
                    in_flight_bytes_max: in_flight,
                    lost: lost
                        .into_iter()
                        .map(|(gap, len)| {
                            let start = end + gap;
                            end = start + len;
                            Position(start)..Position(end)
                        })
                        .collect(),
                }
            },
        )
}

fn life() -> impl Strategy<Value = Life> {
    any::<(u64, u64)>().prop_map(|(identity, epoch)| Life { identity, epoch })
}

fn position() -> impl Strategy<Value = Position> {
    (0..1_u64 << 62).prop_map(Position)
}

fn any_group() -> impl Strategy<Value = (Life, Position, GroupHeader)> {
    (life(), position(), any::<(u16, u16, u16, u64, u64, u64)>()).prop_map(|(life, position, fields)| {
        let (count, payload, padding, least, greatest, acked) = fields;
        let frames_bytes = if count == 0 { 0 } else { 32 * u32::from(count) + 8 * u32::from(payload) };
        let group = GroupHeader {
            group_bytes: 48 + frames_bytes + 8 * u32::from(padding),
            count: u32::from(count),
            frames_bytes,
            least: Time(least),
            greatest: Time(greatest),
            acked: Position(acked % (position.0 + 1)),
        };
        (life, position, group)
    })
}

fn any_frame() -> impl Strategy<Value = (Life, Position, FrameHeader)> {
    let lens = (0..=1_u32 << 30, 0..=1_u32 << 30, 0..16_u8);
    (life(), position(), lens, any::<(bool, u8, u32, u32, u64)>()).prop_map(
        |(life, position, lens, fields)| {
            let (stored_len, raw_len, codec) = lens;
            let (own, kind, payload_check, index, time) = fields;
            let codec = match codec {
                0 => Codec::Raw,
                1 => Codec::Zstd,
                code => Codec::Other(code),
            };
            let raw_len = if codec == Codec::Raw { stored_len } else { raw_len };
            let frame =
                FrameHeader { codec, own, kind, stored_len, raw_len, payload_check, index, time: Time(time) };
            (life, position, frame)
        },
    )
}

fn any_footer() -> impl Strategy<Value = (Life, Position, Footer, Vec<IndexEntry>)> {
    let index = prop::collection::vec((STRETCH..2 * STRETCH, any::<u64>(), any::<u64>()), 0..8);
    let rest = any::<(u32, [u64; 9])>();
    (life(), 1_u64 << 30..1_u64 << 61, index, rest).prop_map(|(life, position, index, (seal, words))| {
        let mut at = 0;
        let index: Vec<IndexEntry> = index
            .into_iter()
            .map(|(gap, least, greatest)| {
                at += gap;
                IndexEntry { position: Position(at), least: Time(least), greatest: Time(greatest) }
            })
            .collect();
        let [next, records, groups, least, greatest, sealed_at, acked, begins, payload_bytes] = words;
        let footer = Footer {
            next: Position((1 << 61) + (1 << 20) + next % (1 << 60)),
            seal,
            records,
            groups,
            least: Time(least),
            greatest: Time(greatest),
            sealed_at: Time(sealed_at),
            acked: Position(acked % (position + 1)),
            begins: Position(begins % (position + 1)),
            payload_bytes,
            index_count: index.len() as u32,
        };
        (life, Position(position), footer, index)
    })
}

/// A few bytes to write over others.
fn scribbles() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xFF), (0..8_u8).prop_map(|bit| 1 << bit)];
    prop::collection::vec((any::<prop::sample::Index>(), byte), 1..4)
}

fn scribble(bytes: &mut [u8], scribbles: &[(prop::sample::Index, u8)]) {
    for (at, byte) in scribbles {
        bytes[at.index(bytes.len())] = *byte;
    }
}

proptest! {
    #[test]
    fn headers_come_back(header in any_header()) {
        prop_assert_eq!(Header::decode(header.base, &header.encode()), Ok(header));
    }

    #[test]
    fn groups_come_back((life, position, group) in any_group()) {
        let bytes = group.encode(life, position);
        let check = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        prop_assert_eq!(GroupHeader::decode(life, position, &bytes), Some((group, check)));
    }

    #[test]
    fn frames_come_back((life, position, frame) in any_frame()) {
        let bytes = frame.encode(life, position);
        let check = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        prop_assert_eq!(FrameHeader::decode(life, position, &bytes), Some((frame, check)));
    }

    #[test]
    fn footers_come_back((life, position, footer, index) in any_footer()) {
        let bytes = footer.encode(life, position, &index);
        prop_assert_eq!(bytes.len() as u64, footer.footer_len());
        prop_assert_eq!(Footer::decode(life, position, &bytes), Some(footer));
        prop_assert_eq!(footer.decode_index(life, position, &bytes), Some(index));
        let trailer = bytes.len() - 16;
        prop_assert_eq!(
            footer::footer_len(life, position.plus(trailer as u64), &bytes[trailer..]),
            Some(footer.footer_len())
        );
    }

    // Whatever verifies is said in one way only: it is encoded as the very bytes that it was decoded from. With right
    // checksums over wrong fields this also shows that nothing is decoded that encode refuses.

    #[test]
    fn whatever_decodes_as_a_header_encodes_to_the_same_bytes(header in any_header(), scribbles in scribbles()) {
        let mut bytes = header.encode();
        scribble(&mut bytes[12..], &scribbles);
        check_header(&mut bytes);
        let base = Position(u64::from_le_bytes(bytes[56..64].try_into().expect("eight bytes")));
        if let Ok(header) = Header::decode(base, &bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    #[test]
    fn whatever_decodes_as_a_group_encodes_to_the_same_bytes((life, position, group) in any_group(), scribbles in scribbles()) {
        let mut bytes = group.encode(life, position);
        scribble(&mut bytes[8..], &scribbles);
        check_group(life, position, &mut bytes);
        if let Some((group, _)) = GroupHeader::decode(life, position, &bytes) {
            prop_assert_eq!(group.encode(life, position), bytes);
        }
    }

    #[test]
    fn whatever_decodes_as_a_frame_encodes_to_the_same_bytes((life, position, frame) in any_frame(), scribbles in scribbles()) {
        let mut bytes = frame.encode(life, position);
        scribble(&mut bytes[5..], &scribbles);
        check_frame(life, position, &mut bytes);
        if let Some((frame, _)) = FrameHeader::decode(life, position, &bytes) {
            prop_assert_eq!(frame.encode(life, position), bytes);
        }
    }

    #[test]
    fn whatever_decodes_as_a_footer_encodes_to_the_same_bytes((life, position, footer, index) in any_footer(), scribbles in scribbles()) {
        let mut bytes = footer.encode(life, position, &index);
        scribble(&mut bytes[8..88], &scribbles);
        check_footer(life, position, &mut bytes);
        if let Some(footer) = Footer::decode(life, position, &bytes)
            && let Some(index) = footer.decode_index(life, position, &bytes)
        {
            prop_assert_eq!(footer.encode(life, position, &index), bytes);
        }
    }

    #[test]
    fn a_right_thing_in_a_wrong_place_never_verifies(
        (life, position, group) in any_group(),
        (_, _, frame) in any_frame(),
        (_, _, footer, _) in any_footer(),
        elsewhere in position(),
        stranger in life(),
    ) {
        let position = Position(position.0 | 1 << 40); // room for the footer's own conditions
        let footer = Footer { index_count: 0, acked: Position(0), begins: Position(0), next: Position::LIMIT, ..footer };
        let group = GroupHeader { acked: Position(0), ..group };
        let near = Position(position.0 ^ 8);
        let other_epoch = Life { epoch: life.epoch.wrapping_add(1), ..life };
        let other_log = Life { identity: stranger.identity, ..life };
        let footer_bytes = footer.encode(life, position, &[]);
        for (wrong_life, at) in [(life, elsewhere), (life, near), (other_epoch, position), (other_log, position)] {
            prop_assert_eq!(GroupHeader::decode(wrong_life, at, &group.encode(life, position)), None);
            prop_assert_eq!(FrameHeader::decode(wrong_life, at, &frame.encode(life, position)), None);
            prop_assert_eq!(Footer::decode(wrong_life, at, &footer_bytes), None);
            prop_assert_eq!(footer.decode_index(wrong_life, at, &footer_bytes), None);
            prop_assert_eq!(footer::footer_len(wrong_life, at.plus(96), &footer_bytes[96..]), None);
        }
    }

    #[test]
    fn any_bytes_decode_or_do_not(bytes in prop::collection::vec(any::<u8>(), 0..600), life in life(), position in position()) {
        let _ = Header::decode(position, &bytes);
        prop_assert_eq!(GroupHeader::decode(life, position, &bytes), None);
        prop_assert_eq!(FrameHeader::decode(life, position, &bytes), None);
        prop_assert_eq!(Footer::decode(life, position, &bytes), None);
        prop_assert_eq!(own::decode_retire(&bytes).is_some(), bytes.len() == 8);
    }

    #[test]
    fn handles_come_back_as_bytes_and_as_text(bytes in any::<[u8; 32]>(), last in any::<[u8; 8]>()) {
        let bytes = [&bytes[..], &last].concat();
        let handle = Handle::from_bytes(&bytes).expect("forty bytes");
        prop_assert_eq!(&handle.to_bytes()[..], &bytes);
        prop_assert_eq!(&Unsettled::from_bytes(&bytes).expect("forty bytes").to_bytes()[..], &bytes);
        prop_assert_eq!(handle.to_string().parse::<Handle>().expect("its own text"), handle);
        let json = serde_json::to_string(&handle).expect("serde");
        prop_assert_eq!(&json, &format!("\"{handle}\""));
        prop_assert_eq!(serde_json::from_str::<Handle>(&json).expect("serde"), handle);
    }

    #[test]
    fn a_handle_has_one_spelling(bytes in any::<[u8; 32]>(), last in any::<[u8; 8]>(), at in any::<prop::sample::Index>(), byte in 0x20..0x7F_u8) {
        let handle = Handle::from_bytes(&[&bytes[..], &last].concat()).expect("forty bytes");
        let mut text = handle.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).expect("ascii");
        if let Ok(other) = text.parse::<Handle>() {
            prop_assert_eq!(other.to_string(), text);
        }
    }
}

fn every_flip(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..8 * bytes.len()).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (bit, bytes)
    })
}

const LIFE: Life = Life { identity: 0x0123_4567_89AB_CDEF, epoch: 3 };
const AT: Position = Position(1 << 20);

fn frame_header() -> FrameHeader {
    FrameHeader {
        codec: Codec::Raw,
        own: false,
        kind: 9,
        stored_len: 5,
        raw_len: 5,
        payload_check: crc32c::crc32c(b"hello"),
        index: 0,
        time: Time(77),
    }
}

fn group_header() -> GroupHeader {
    GroupHeader {
        group_bytes: 512,
        count: 1,
        frames_bytes: 40,
        least: Time(77),
        greatest: Time(77),
        acked: Position(8),
    }
}

fn sealed() -> (Footer, Vec<IndexEntry>) {
    let entry = |position| IndexEntry { position: Position(position), least: Time(1), greatest: Time(2) };
    let footer = Footer {
        next: AT.plus(1000),
        seal: 1,
        records: 2,
        groups: 3,
        least: Time(1),
        greatest: Time(2),
        sealed_at: Time(6),
        acked: AT,
        begins: Position(0),
        payload_bytes: 9,
        index_count: 2,
    };
    (footer, vec![entry(0), entry(STRETCH)])
}

#[test]
fn every_flipped_bit_of_a_header_is_noticed() {
    let header = Header { lost: vec![Position(1)..Position(2)], ..header(4096, 512) };
    for (bit, bytes) in every_flip(&header.encode()) {
        let want = if bit / 8 == 12 || bit / 8 == 13 {
            // Rot in the version looks like a newer release, which is not called damage.
            let version = 1 ^ (1_u16 << (bit - 96));
            if version == 0 { HeaderFault::Check } else { HeaderFault::Newer(version) }
        } else {
            HeaderFault::Check
        };
        assert_eq!(Header::decode(header.base, &bytes), Err(want), "bit {bit}");
    }
}

#[test]
fn every_flipped_bit_of_a_group_or_a_frame_is_noticed() {
    for (bit, bytes) in every_flip(&group_header().encode(LIFE, AT)) {
        assert_eq!(GroupHeader::decode(LIFE, AT, &bytes), None, "bit {bit}");
    }
    for (bit, bytes) in every_flip(&frame_header().encode(LIFE, AT)) {
        assert_eq!(FrameHeader::decode(LIFE, AT, &bytes), None, "bit {bit}");
    }
}

#[test]
fn every_flipped_bit_of_a_footer_is_noticed() {
    let (footer, index) = sealed();
    let bytes = footer.encode(LIFE, AT, &index);
    for (bit, bytes) in every_flip(&bytes) {
        let whole = Footer::decode(LIFE, AT, &bytes).and_then(|footer| footer.decode_index(LIFE, AT, &bytes));
        assert_eq!(whole, None, "bit {bit}");
        assert_eq!(
            Footer::decode(LIFE, AT, &bytes).is_some(),
            bit >= 8 * 96,
            "bit {bit}: the head verifies by itself"
        );
        let trailer = bytes.len() - 16;
        let len = footer::footer_len(LIFE, AT.plus(trailer as u64), &bytes[trailer..]);
        assert_eq!(len.is_some(), bit < 8 * trailer, "bit {bit}: and so does the trailer");
    }
}

#[test]
fn things_that_were_cut_are_nothing() {
    let (footer, index) = sealed();
    let footer_bytes = footer.encode(LIFE, AT, &index);
    let header = header(4096, 512);
    for len in 0..512 {
        assert!(Header::decode(header.base, &header.encode()[..len]).is_err(), "{len}");
    }
    for len in 0..48 {
        assert_eq!(GroupHeader::decode(LIFE, AT, &group_header().encode(LIFE, AT)[..len]), None, "{len}");
    }
    for len in 0..32 {
        assert_eq!(FrameHeader::decode(LIFE, AT, &frame_header().encode(LIFE, AT)[..len]), None, "{len}");
    }
    for len in 0..footer_bytes.len() {
        assert_eq!(Footer::decode(LIFE, AT, &footer_bytes[..len]).is_some(), len >= 96, "{len}");
        assert_eq!(footer.decode_index(LIFE, AT, &footer_bytes[..len]), None, "{len}");
    }
}

#[test]
fn zeros_are_nothing() {
    let zeros = [0; 1024];
    for epoch in 0..10_000 {
        let life = Life { epoch, ..LIFE };
        assert_eq!(GroupHeader::decode(life, AT, &zeros), None);
        assert_eq!(FrameHeader::decode(life, AT, &zeros), None);
        assert_eq!(Footer::decode(life, AT, &zeros), None);
        assert_eq!(footer::footer_len(life, AT, &zeros), None);
    }
}

#[test]
fn a_header_says_why_it_is_none() {
    let header = header(4096, 512);
    let bytes = header.encode();
    let mut newer = bytes;
    newer[12..14].copy_from_slice(&2_u16.to_le_bytes());
    let mut sectors = vec![0; 512];
    sectors.extend(bytes);
    for (name, base, bytes, want, text) in [
        ("nothing", 4096, &bytes[..0], HeaderFault::Zeros, "nothing but zeros"),
        ("cut", 4096, &bytes[..511], HeaderFault::Short, "shorter"),
        ("zeros before", 4096, &sectors, HeaderFault::Zeros, "nothing but zeros"),
        ("another name", 512, &bytes, HeaderFault::Elsewhere(Position(4096)), "base=4096"),
        ("a newer version", 4096, &newer, HeaderFault::Newer(2), "version=2"),
    ] {
        let fault = Header::decode(Position(base), bytes).expect_err(name);
        assert_eq!(fault, want, "{name}");
        assert!(fault.to_string().contains(text), "{fault}");
    }
}

#[test]
fn headers_that_say_what_cannot_be_are_none() {
    let good = Header {
        previous: Some(Previous { base: Position(512), end: Position(4096), seal: 1 }),
        lost: vec![Position(1)..Position(2), Position(2)..Position(5)],
        ..header(4096, 512)
    };
    let word = |at: usize, value: u64| (at, value.to_le_bytes().to_vec());
    for (name, patches) in [
        ("durability", vec![(14, vec![2])]),
        ("flags", vec![(15, vec![8])]),
        ("block 0", vec![(100, vec![0, 0, 0, 0])]),
        ("block 4", vec![(100, vec![4, 0, 0, 0])]),
        ("block 520", vec![(100, vec![8, 2, 0, 0])]),
        ("block 2^25", vec![(100, vec![0, 0, 0, 2])]),
        ("in flight", vec![word(112, (1 << 40) + 1)]),
        ("lost count", vec![(120, vec![25, 0, 0, 0])]),
        ("lost count max", vec![(120, vec![255; 4])]),
        ("one range fewer than there is", vec![(120, vec![1, 0, 0, 0])]),
        ("reserved", vec![(124, vec![1])]),
        ("last byte", vec![(511, vec![1])]),
        ("epoch", vec![word(48, EPOCH_LIMIT)]),
        ("acked", vec![word(72, 4097)]),
        ("begins", vec![word(104, 4097)]),
        ("previous base", vec![word(80, 4096)]),
        ("previous end before its base", vec![word(88, 511)]),
        ("previous end beyond", vec![word(88, 4097)]),
        ("no previous, and an end", vec![word(80, u64::MAX)]),
        ("no previous, and a seal", vec![word(80, u64::MAX), word(88, 0)]),
        ("an empty range", vec![word(136, 1)]),
        ("ranges that overlap", vec![word(144, 1)]),
        ("a range beyond all", vec![word(152, Position::LIMIT.0 + 1)]),
    ] {
        let mut bytes = good.encode();
        for (at, patch) in patches {
            bytes[at..at + patch.len()].copy_from_slice(&patch);
        }
        check_header(&mut bytes);
        assert_eq!(Header::decode(good.base, &bytes), Err(HeaderFault::Check), "{name}");
    }
    let mut far = good.encode();
    far[56..64].copy_from_slice(&Position::LIMIT.0.to_le_bytes());
    check_header(&mut far);
    assert_eq!(Header::decode(Position::LIMIT, &far), Err(HeaderFault::Check));
    let mut none = good.encode();
    none[80..88].copy_from_slice(&u64::MAX.to_le_bytes());
    none[88..100].fill(0);
    check_header(&mut none);
    assert_eq!(Header::decode(good.base, &none), Ok(Header { previous: None, ..good }));
}

#[test]
fn groups_and_frames_that_say_what_cannot_be_are_none() {
    let max = u32::MAX.to_le_bytes().to_vec();
    for (name, at, patch) in [
        ("no bytes", 8, vec![0, 0]),
        ("all bytes", 8, max.clone()),
        ("not a multiple of eight", 8, vec![4, 2]),
        ("shorter than its frames", 8, vec![80, 0]),
        ("count", 12, vec![2]),
        ("count max", 12, max.clone()),
        ("frames without a count", 12, vec![0]),
        ("frames not a multiple of eight", 40, vec![41]),
        ("frames max", 40, max.clone()),
        ("reserved", 47, vec![1]),
        ("acked", 32, (AT.0 + 1).to_le_bytes().to_vec()),
    ] {
        let mut bytes = group_header().encode(LIFE, AT);
        bytes[at..at + patch.len()].copy_from_slice(&patch);
        check_group(LIFE, AT, &mut bytes);
        assert_eq!(GroupHeader::decode(LIFE, AT, &bytes), None, "{name}");
    }
    for (name, at, patch) in [
        ("a bit of the codec", 5, vec![0x10]),
        ("reserved", 7, vec![1]),
        ("raw of two lengths", 12, vec![6]),
        ("stored", 8, vec![1, 0, 0, 0x40, 1, 0, 0, 0x40]),
        ("stored max", 8, vec![255; 8]),
    ] {
        let mut bytes = frame_header().encode(LIFE, AT);
        bytes[at..at + patch.len()].copy_from_slice(&patch);
        check_frame(LIFE, AT, &mut bytes);
        assert_eq!(FrameHeader::decode(LIFE, AT, &bytes), None, "{name}");
    }
}

#[test]
fn footers_that_say_what_cannot_be_are_none() {
    let (footer, index) = sealed();
    for (name, at, patch) in [
        ("next inside", 16, (AT.0 + footer.footer_len() - 1).to_le_bytes().to_vec()),
        ("next beyond all", 16, (Position::LIMIT.0 + 1).to_le_bytes().to_vec()),
        ("acked", 64, (AT.0 + 1).to_le_bytes().to_vec()),
        ("begins", 72, (AT.0 + 1).to_le_bytes().to_vec()),
        ("reserved", 92, vec![1]),
    ] {
        let mut bytes = footer.encode(LIFE, AT, &index);
        bytes[at..at + patch.len()].copy_from_slice(&patch);
        check_footer(LIFE, AT, &mut bytes);
        assert_eq!(Footer::decode(LIFE, AT, &bytes), None, "{name}");
    }
    // An index whose checksum is right and whose positions do not go up, or go past the footer.
    for (name, second) in [("down", 0), ("too near", STRETCH - 1), ("beyond", AT.0)] {
        let mut bytes = footer.encode(LIFE, AT, &index);
        bytes[96 + 24..96 + 32].copy_from_slice(&second.to_le_bytes());
        let index_check = LIFE.check(AT, &bytes[96..96 + 48]);
        bytes[88..92].copy_from_slice(&index_check.to_le_bytes());
        check_footer(LIFE, AT, &mut bytes);
        assert_eq!(Footer::decode(LIFE, AT, &bytes), Some(footer), "{name}");
        assert_eq!(footer.decode_index(LIFE, AT, &bytes), None, "{name}");
    }
    assert!(!Footer { index_count: 2, ..footer }.index_fits(STRETCH));
    assert!(Footer { index_count: 2, ..footer }.index_fits(STRETCH + 1));
    for len in [0_u64, 111, 113, u64::MAX, 112 + 24 * (1 << 32)] {
        let mut trailer = [0; 16];
        trailer[..8].copy_from_slice(&len.to_le_bytes());
        trailer[12..].copy_from_slice(b"HEND");
        let check = LIFE.check(AT, &trailer[..8]);
        trailer[8..12].copy_from_slice(&check.to_le_bytes());
        assert_eq!(footer::footer_len(LIFE, AT, &trailer), None, "{len}");
    }
}

#[test]
fn text_and_bytes_that_are_no_handle_are_invalid() {
    let text = "hw1:0123456789abcdef:7:4096:0:5:0badf00d";
    let handle: Handle = text.parse().expect("a handle");
    assert_eq!((handle.identity(), handle.epoch()), (LIFE.identity, 7));
    assert_eq!((handle.position(), handle.base(), handle.stored_len()), (Position(4096), Position(0), 5));
    assert_eq!(handle.end(), Position(4096 + 40));
    for wrong in [
        "",
        "hw1",
        "hw2:0123456789abcdef:7:4096:0:5:0badf00d",
        "hw1:123456789abcdef:7:4096:0:5:0badf00d",
        "hw1:0123456789ABCDEF:7:4096:0:5:0badf00d",
        "hw1:0123456789abcdef:07:4096:0:5:0badf00d",
        "hw1:0123456789abcdef:+7:4096:0:5:0badf00d",
        "hw1:0123456789abcdef:7:4096:0:5",
        "hw1:0123456789abcdef:7:4096:0:5:0badf00d:",
        "hw1:0123456789abcdef:7:4096:0:5:0badf00d\n",
        " hw1:0123456789abcdef:7:4096:0:5:0badf00d",
        "hw1:0123456789abcdef:7:18446744073709551616:0:5:0badf00d",
        "hw1:0123456789abcdef:7:4096:0:4294967296:0badf00d",
    ] {
        assert_eq!(wrong.parse::<Handle>().expect_err(wrong).kind(), Kind::Invalid, "{wrong}");
        assert!(serde_json::from_value::<Handle>(wrong.into()).is_err(), "{wrong}");
    }
    let long = "x".repeat(1 << 20).parse::<Handle>().expect_err("long");
    assert!(long.to_string().len() < 400, "what is shown is bounded");
    for len in [0, 39, 41] {
        assert_eq!(Handle::from_bytes(&vec![1; len]).expect_err("length").kind(), Kind::Invalid, "{len}");
    }
    let greatest = Handle::from_bytes(&[0xFF; 40]).expect("forty bytes");
    assert_eq!(greatest.end(), Position(u64::MAX));
}

#[test]
fn handles_travel_as_fixed_bytes_where_the_format_is_not_for_people() {
    use serde::de::value::{BytesDeserializer, Error, SeqDeserializer};
    use serde::de::{DeserializeOwned, IntoDeserializer};

    /// A format that is not for people, around one that does not say.
    struct Binary<D>(D);
    impl<'de, D: serde::Deserializer<'de>> serde::Deserializer<'de> for Binary<D> {
        type Error = D::Error;
        fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.deserialize_any(visitor)
        }
        fn is_human_readable(&self) -> bool {
            false
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        T::deserialize(Binary(BytesDeserializer::new(bytes)))
    }
    fn from_seq<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        let items: SeqDeserializer<_, Error> = bytes.to_vec().into_deserializer();
        T::deserialize(Binary(items))
    }
    let bytes: Vec<u8> = (0..41).collect();
    let handle = Handle::from_bytes(&bytes[..40]).expect("forty bytes");
    assert_eq!(from_bytes::<Handle>(&bytes[..40]).expect("bytes"), handle);
    assert_eq!(from_seq::<Handle>(&bytes[..40]).expect("a sequence"), handle);
    for len in [0, 39, 41] {
        assert!(from_bytes::<Handle>(&bytes[..len]).is_err(), "{len}");
        assert!(from_seq::<Handle>(&bytes[..len]).is_err(), "{len}");
    }
}
