//! Headers, groups, frames, footers and payloads: what decodes is encoded to the same bytes. Each body looks at its
//! bytes as they are, and once more after their checksums were made right, which chance would not do.

use bytes::Bytes;
use headwater_wal::format::codec;
use headwater_wal::format::footer::{self, Footer};
use headwater_wal::format::frame::{Codec, FrameHeader};
use headwater_wal::format::group::GroupHeader;
use headwater_wal::format::header::Header;
use headwater_wal::format::seed::Life;
use headwater_wal::format::summary::Summary;
use headwater_wal::{Kind, Position, Time};

use crate::{take, take_u32, take_u64};

/// Any bytes as a segment header.
pub fn header(bytes: &[u8]) {
    let base = Position(take_u64(bytes.get(56..).unwrap_or_default()).0);
    let check = |bytes: &[u8]| {
        if let Ok(header) = Header::decode(base, bytes) {
            assert_eq!(header.encode()[..], bytes[..512]);
            assert_eq!(header.check(), take_u32(&bytes[8..]).0);
        }
    };
    check(bytes);
    let (mut bytes, _) = take::<512>(bytes);
    bytes[..8].copy_from_slice(b"\x89HWSEG\r\n");
    bytes[12..14].copy_from_slice(&[1, 0]);
    let life = Life { identity: take_u64(&bytes[16..]).0, epoch: take_u64(&bytes[48..]).0 };
    let right = life.check(base, &bytes[12..]);
    bytes[8..12].copy_from_slice(&right.to_le_bytes());
    check(&bytes);
}

/// A life and a place, below where every log ends, and the rest.
fn take_place(bytes: &[u8]) -> (Life, Position, &[u8]) {
    let (identity, rest) = take_u64(bytes);
    let (epoch, rest) = take_u64(rest);
    let (position, rest) = take_u64(rest);
    (Life { identity, epoch }, Position(position % Position::LIMIT.0), rest)
}

/// Any bytes as a group header in any place.
pub fn group(bytes: &[u8]) {
    let (life, position, bytes) = take_place(bytes);
    let check = |bytes: &[u8]| {
        if let Some((group, _)) = GroupHeader::decode(life, position, bytes) {
            assert_eq!(group.encode(life, position)[..], bytes[..48]);
        }
    };
    check(bytes);
    let (mut bytes, _) = take::<48>(bytes);
    bytes[..4].copy_from_slice(b"HGRP");
    let right = life.check(position, &bytes[8..]);
    bytes[4..8].copy_from_slice(&right.to_le_bytes());
    check(&bytes);
}

/// Any bytes as a frame in any place.
pub fn frame(bytes: &[u8]) {
    let (life, position, bytes) = take_place(bytes);
    let check = |bytes: &[u8]| {
        if let Some((frame, _)) = FrameHeader::decode(life, position, bytes) {
            assert_eq!(frame.encode(life, position)[..], bytes[..32]);
            assert!(frame.frame_len() < 1 << 31);
            let stored = &bytes[32..];
            assert!(!frame.verifies(stored) || stored.len() == frame.stored_len as usize);
        }
    };
    check(bytes);
    let (mut bytes, _) = take::<32>(bytes);
    bytes[4] = 0xF7;
    let right = life.check(position, &bytes[4..]);
    bytes[..4].copy_from_slice(&right.to_le_bytes());
    check(&bytes);
}

/// Any bytes as a footer in any place.
pub fn footer(bytes: &[u8]) {
    let (life, position, bytes) = take_place(bytes);
    let check = |bytes: &[u8]| {
        if let Some(footer) = Footer::decode(life, position, bytes)
            && let Some(index) = footer.decode_index(life, position, bytes)
        {
            let encoded = footer.encode(life, position, &index);
            assert_eq!(encoded[..], bytes[..encoded.len()]);
        }
    };
    check(bytes);
    let mut bytes = bytes.to_vec();
    let Some(index_len) = bytes.len().checked_sub(112).map(|len| len / 24 * 24) else { return };
    let trailer_at = position.plus(96 + index_len as u64);
    bytes.truncate(112 + index_len);
    let (head, rest) = bytes.split_at_mut(96);
    let (index, trailer) = rest.split_at_mut(index_len);
    head[..4].copy_from_slice(b"HFTR");
    head[8..12].copy_from_slice(&(index.len() as u32 / 24).to_le_bytes());
    let right = life.check(position, index);
    head[88..92].copy_from_slice(&right.to_le_bytes());
    let right = life.check(position, &head[8..]);
    head[4..8].copy_from_slice(&right.to_le_bytes());
    trailer[..8].copy_from_slice(&(112 + index.len() as u64).to_le_bytes());
    let right = life.check(trailer_at, &trailer[..8]);
    trailer[8..12].copy_from_slice(&right.to_le_bytes());
    trailer[12..].copy_from_slice(b"HEND");
    assert_eq!(footer::footer_len(life, trailer_at, trailer), Some(112 + index_len as u64));
    check(&bytes);
}

/// Any bytes as a summary: as they are, and with magic, version, lengths and checksum put right.
pub fn summary(bytes: &[u8]) {
    let check = |bytes: &[u8]| {
        let end = Position(take_u64(bytes.get(40..).unwrap_or_default()).0);
        if let Ok(summary) = Summary::decode(end, bytes) {
            assert_eq!(summary.encode()[..], bytes[..]);
        }
    };
    check(bytes);
    let mut bytes = bytes.to_vec();
    let Some(rest) = bytes.len().checked_sub(96) else { return };
    let lost = rest % 96 / 16;
    bytes.truncate(96 + rest / 96 * 96 + lost * 16);
    bytes[..8].copy_from_slice(b"\x89HWSUM\r\n");
    bytes[12..16].copy_from_slice(&[1, 0, 0, 0]);
    bytes[88..92].copy_from_slice(&(rest as u32 / 96).to_le_bytes());
    bytes[92..96].copy_from_slice(&(lost as u32).to_le_bytes());
    let word = |at| take_u64(&bytes[at..]).0;
    let (life, end) = (Life { identity: word(16), epoch: word(32) }, Position(word(40)));
    let right = life.check(end, &bytes[12..]);
    bytes[8..12].copy_from_slice(&right.to_le_bytes());
    check(&bytes);
}

/// Any bytes as a stored payload of any length and limit, and as a payload to compress.
pub fn expand(bytes: &[u8]) {
    const LIMIT: usize = 1 << 20;
    let (raw_len, rest) = take_u32(bytes);
    let ([codec], stored) = take(rest);
    let codec = match codec % 3 {
        0 => Codec::Raw,
        1 => Codec::Zstd,
        _ => Codec::Other(codec % 14 + 2),
    };
    let header = |stored: &[u8], codec, raw_len| FrameHeader {
        codec,
        own: false,
        kind: 0,
        stored_len: stored.len() as u32,
        raw_len,
        payload_check: crc32c::crc32c(stored),
        index: 0,
        time: Time(0),
    };
    // Half of them with a length that can be.
    for raw_len in [raw_len, raw_len % 512] {
        let header = header(stored, codec, raw_len);
        match codec::expand(&header, Bytes::copy_from_slice(stored), LIMIT) {
            Ok(raw) => assert!(raw.len() == raw_len as usize && raw.len() <= LIMIT),
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, Kind::Damaged | Kind::Invalid | Kind::Unsupported), "{error}");
            }
        }
    }
    if let Some(smaller) = codec::compress(stored, 1) {
        assert!(smaller.len() <= stored.len() - stored.len() / 8);
        let header = header(&smaller, Codec::Zstd, stored.len() as u32);
        assert_eq!(codec::expand(&header, smaller, stored.len()).expect("its own frame"), stored);
    }
}
