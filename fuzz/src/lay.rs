//! Segments made of any bytes: groups, frames and footers with right checksums and any fields, and rot between them.

use headwater_wal::format::header::Header;
use headwater_wal::format::seed::Life;
use headwater_wal::format::{Durability, Identity};
use headwater_wal::{Position, Time};

use crate::{take, take_u32, take_u64};

const SEGMENT_BYTES_MAX: usize = 1 << 16;

/// The header that such a segment has.
pub(crate) fn header() -> Header {
    Header {
        identity: Identity(*b"headwater fuzzes"),
        durability: Durability::Power,
        begins_epoch: false,
        whole: false,
        token: [0; 16],
        epoch: 1,
        base: Position(1 << 30),
        time: Time(0),
        acked: Position(0),
        previous: None,
        block_bytes: 8,
        begins: Position(0),
        in_flight_bytes_max: 0,
        lost: Vec::new(),
    }
}

/// Lays what the bytes ask for, one thing behind the other.
pub(crate) fn lay(mut orders: &[u8]) -> Vec<u8> {
    let header = header();
    let mut bytes = header.encode().to_vec();
    while !orders.is_empty() && bytes.len() < SEGMENT_BYTES_MAX {
        let ([what, size], rest) = take(orders);
        let (life, position) = (header.life(), header.base.plus(bytes.len() as u64));
        orders = match what % 8 {
            0 => {
                bytes.resize(bytes.len() + usize::from(size), 0);
                rest
            }
            1 => {
                let (rot, rest) = rest.split_at(rest.len().min(usize::from(size)));
                bytes.extend_from_slice(rot);
                rest
            }
            2 => group(&mut bytes, life, position, rest, Some(size)),
            3 => group(&mut bytes, life, position, rest, None),
            4 | 5 => frame(&mut bytes, life, position, rest, size, true),
            6 => frame(&mut bytes, life, position, rest, size, false),
            _ => footer(&mut bytes, life, position, rest),
        };
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

/// A group header that says anything, or, given how much its frames take, something that can be.
fn group<'a>(
    bytes: &mut Vec<u8>,
    life: Life,
    position: Position,
    orders: &'a [u8],
    frames: Option<u8>,
) -> &'a [u8] {
    let (any, rest) = take::<48>(orders);
    let mut head = any;
    head[..4].copy_from_slice(b"HGRP");
    if let Some(frames) = frames {
        let frames = 8 * u32::from(frames);
        let group = 48 + frames + 8 * u32::from(any[8]);
        let acked = position.0 - u64::from(any[32]);
        head[8..12].copy_from_slice(&group.to_le_bytes());
        head[12..16].copy_from_slice(&u32::from(any[12] % 5).to_le_bytes());
        head[16..24].fill(0);
        head[24..32].fill(0xFF);
        head[32..40].copy_from_slice(&acked.to_le_bytes());
        head[40..44].copy_from_slice(&frames.to_le_bytes());
        head[44..48].fill(0);
    }
    let right = life.check(position, &head[8..]);
    head[4..8].copy_from_slice(&right.to_le_bytes());
    bytes.extend_from_slice(&head);
    rest
}

/// A frame with so long a payload, or one whose header says anything of it.
fn frame<'a>(
    bytes: &mut Vec<u8>,
    life: Life,
    position: Position,
    orders: &'a [u8],
    size: u8,
    is_right: bool,
) -> &'a [u8] {
    let (any, rest) = take::<32>(orders);
    let (payload, rest) = rest.split_at(rest.len().min(usize::from(size)));
    let mut head = any;
    head[4..8].copy_from_slice(&[0xF7, [0, 0x80, 1][usize::from(any[5] % 3)], any[6], 0]);
    if is_right {
        let len = (payload.len() as u32).to_le_bytes();
        head[8..12].copy_from_slice(&len);
        head[12..16].copy_from_slice(&len);
        head[16..20].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        head[20..24].copy_from_slice(&u32::from(any[20] % 5).to_le_bytes());
    }
    let right = life.check(position, &head[4..]);
    head[..4].copy_from_slice(&right.to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(payload);
    rest
}

/// A footer without an index, which may say that it has one.
fn footer<'a>(bytes: &mut Vec<u8>, life: Life, position: Position, orders: &'a [u8]) -> &'a [u8] {
    let (mut head, rest) = take::<96>(orders);
    let index_count = take_u32(&head[8..]).0 % 3;
    let next = position.0 + 112 + 24 * u64::from(index_count) + take_u64(&head[16..]).0 % (1 << 40);
    head[..4].copy_from_slice(b"HFTR");
    head[8..12].copy_from_slice(&index_count.to_le_bytes());
    head[16..24].copy_from_slice(&next.to_le_bytes());
    head[64..80].fill(0);
    head[88..92].copy_from_slice(&life.check(position, &[]).to_le_bytes());
    head[92..].fill(0);
    let right = life.check(position, &head[8..]);
    head[4..8].copy_from_slice(&right.to_le_bytes());
    bytes.extend_from_slice(&head);
    let mut trailer = [0; 16];
    trailer[..8].copy_from_slice(&112_u64.to_le_bytes());
    let right = life.check(position.plus(96), &trailer[..8]);
    trailer[8..12].copy_from_slice(&right.to_le_bytes());
    trailer[12..].copy_from_slice(b"HEND");
    bytes.extend_from_slice(&trailer);
    rest
}
