//! Bytes whose checksums are right and whose fields say anything.

use std::collections::BTreeSet;

use headwater_wal::format::Position;
use headwater_wal::format::header::Header;
use headwater_wal::format::seed::Life;
use proptest::prelude::*;

use super::sample::header;

/// Something to lay into a segment. Its checksum will be right.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// The same byte, so many times.
    Fill(u8, usize),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// A group header that says this.
    Group { group_bytes: u32, frames_bytes: u32, count: u32, acked: u64 },
    /// A frame that says it has so long a payload, of which so many bytes are left out.
    Frame { payload_len: u32, index: u32, rest: u32 },
    /// A footer that says this; its trailer is right.
    Footer { index_count: u32, next: u64 },
}

pub(crate) fn piece() -> impl Strategy<Value = Piece> {
    let size = || prop_oneof![4 => (0..40_u32).prop_map(|eights| 8 * eights), 1 => any::<u32>(), 1 => Just(u32::MAX)];
    let count = || prop_oneof![4 => 0..5_u32, 1 => any::<u32>(), 1 => Just(u32::MAX)];
    let place = || prop_oneof![Just(0), Just(u64::MAX), Just(1 << 61), any::<u64>()];
    prop_oneof![
        2 => (any::<u8>(), 0..300_usize).prop_map(|(byte, len)| Piece::Fill(byte, len)),
        1 => (0..300_usize).prop_map(|len| Piece::Fill(0, len)),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Piece::Bytes),
        4 => (size(), size(), count(), place()).prop_map(|(group_bytes, frames_bytes, count, acked)| {
            Piece::Group { group_bytes, frames_bytes, count, acked }
        }),
        6 => (0..70_u32, count(), Just(0)).prop_map(|(payload_len, index, rest)| Piece::Frame { payload_len, index, rest }),
        1 => (any::<u32>(), count()).prop_map(|(payload_len, index)| {
            Piece::Frame { payload_len, index, rest: payload_len }
        }),
        1 => (count(), place()).prop_map(|(index_count, next)| Piece::Footer { index_count, next }),
    ]
}

/// Lays the pieces one behind the other, each at a multiple of eight; answers the bytes and the offsets of the frames.
pub(crate) fn lay(pieces: &[Piece]) -> (Header, Vec<u8>, BTreeSet<u64>) {
    let header = header(1 << 20, 8);
    let mut bytes = header.encode().to_vec();
    let mut frames = BTreeSet::new();
    for piece in pieces {
        let position = header.base.plus(bytes.len() as u64);
        match piece {
            Piece::Fill(byte, len) => bytes.resize(bytes.len() + len, *byte),
            Piece::Bytes(any) => bytes.extend_from_slice(any),
            Piece::Group { group_bytes, frames_bytes, count, acked } => {
                bytes.extend(group(header.life(), position, *group_bytes, *frames_bytes, *count, *acked));
            }
            Piece::Frame { payload_len, index, rest } => {
                frames.insert(bytes.len() as u64);
                let payload = vec![0x11; (payload_len - rest) as usize];
                bytes.extend(frame(header.life(), position, *payload_len, *index, crc32c::crc32c(&payload)));
                bytes.extend(payload);
            }
            Piece::Footer { index_count, next } => {
                bytes.extend(footer(header.life(), position, *index_count, *next))
            }
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    (header, bytes, frames)
}

fn group(
    life: Life,
    position: Position,
    group_bytes: u32,
    frames_bytes: u32,
    count: u32,
    acked: u64,
) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..4].copy_from_slice(b"HGRP");
    bytes[8..12].copy_from_slice(&group_bytes.to_le_bytes());
    bytes[12..16].copy_from_slice(&count.to_le_bytes());
    bytes[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
    bytes[32..40].copy_from_slice(&acked.to_le_bytes());
    bytes[40..44].copy_from_slice(&frames_bytes.to_le_bytes());
    check_group(life, position, &mut bytes);
    bytes
}

fn frame(life: Life, position: Position, payload_len: u32, index: u32, payload_check: u32) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[4] = 0xF7;
    bytes[8..12].copy_from_slice(&payload_len.to_le_bytes());
    bytes[12..16].copy_from_slice(&payload_len.to_le_bytes());
    bytes[16..20].copy_from_slice(&payload_check.to_le_bytes());
    bytes[20..24].copy_from_slice(&index.to_le_bytes());
    check_frame(life, position, &mut bytes);
    bytes
}

fn footer(life: Life, position: Position, index_count: u32, next: u64) -> Vec<u8> {
    let mut bytes = vec![0; 112];
    bytes[..4].copy_from_slice(b"HFTR");
    bytes[8..12].copy_from_slice(&index_count.to_le_bytes());
    bytes[16..24].copy_from_slice(&next.to_le_bytes());
    let index_check = life.check(position, &[]);
    bytes[88..92].copy_from_slice(&index_check.to_le_bytes());
    check_footer(life, position, &mut bytes[..96]);
    bytes[96..104].copy_from_slice(&112_u64.to_le_bytes());
    let check = life.check(position.plus(96), &bytes[96..104]);
    bytes[104..108].copy_from_slice(&check.to_le_bytes());
    bytes[108..].copy_from_slice(b"HEND");
    bytes
}

/// Makes the checksum of a segment header right.
pub(crate) fn check_header(bytes: &mut [u8]) {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let life = Life { identity: word(16), epoch: word(48) };
    let check = life.check(Position(word(56)), &bytes[12..512]);
    bytes[8..12].copy_from_slice(&check.to_le_bytes());
}

/// Makes the checksum of a group header right.
pub(crate) fn check_group(life: Life, position: Position, bytes: &mut [u8]) {
    let check = life.check(position, &bytes[8..48]);
    bytes[4..8].copy_from_slice(&check.to_le_bytes());
}

/// Makes the checksum of a frame header right.
pub(crate) fn check_frame(life: Life, position: Position, bytes: &mut [u8]) {
    let check = life.check(position, &bytes[4..32]);
    bytes[..4].copy_from_slice(&check.to_le_bytes());
}

/// Makes the checksum of a footer's head right.
pub(crate) fn check_footer(life: Life, position: Position, bytes: &mut [u8]) {
    let check = life.check(position, &bytes[8..96]);
    bytes[4..8].copy_from_slice(&check.to_le_bytes());
}
