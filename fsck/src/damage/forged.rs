//! What no accident does: lies with the right checksums, of lengths, counts, versions and codecs.

use headwater_wal::Time;
use headwater_wal::format::footer::Footer;
use headwater_wal::format::frame::{Codec, FrameHeader};
use headwater_wal::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use headwater_wal::format::name;
use headwater_wal::store::sim::Random;

use super::sound::{Frame, Group, Sound};
use super::{Done, Expected, Kind, Media, Scene, one_of};
use crate::Severity;

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "a group that says it is four gigabytes long", media: Media::Any, act: long_group },
    Kind { name: "a group that says it has four billion frames", media: Media::Any, act: many_frames },
    Kind { name: "a frame that says it is a gigabyte long", media: Media::Any, act: long_frame },
    Kind { name: "a footer that says it has four billion entries", media: Media::Any, act: long_index },
    Kind { name: "a footer that names another successor", media: Media::Any, act: successor },
    Kind { name: "a footer that counts one record more", media: Media::Any, act: one_more },
    Kind { name: "a header that names another predecessor", media: Media::Any, act: predecessor },
    Kind { name: "a header of a newer release", media: Media::Any, act: newer },
    Kind { name: "a version that was changed", media: Media::Any, act: version },
    Kind { name: "a payload that expands to a gigabyte", media: Media::Growing, act: bomb },
    Kind { name: "a payload of a newer release's codec", media: Media::Growing, act: codec },
];

fn sealed<'a>(scene: &Scene<'a>, dice: &mut Random) -> (usize, &'a Sound) {
    let at = one_of(&scene.sample.sealed(), dice);
    (at, &scene.sample.segments[at])
}

fn any_group<'a>(segment: &'a Sound, dice: &mut Random) -> &'a Group {
    &segment.groups[dice.below(segment.groups.len() as u64) as usize]
}

fn overwrite(scene: &Scene<'_>, segment: &Sound, offset: u64, with: &[u8]) {
    let range = offset as usize..offset as usize + with.len();
    scene.files.change(&segment.name, |bytes| {
        if let Some(room) = bytes.get_mut(range) {
            room.copy_from_slice(with);
        }
    });
}

fn group_header(scene: &Scene<'_>, segment: &Sound, group: &Group) -> GroupHeader {
    let bytes = &scene.sample.bytes(&segment.name)[group.at as usize..];
    GroupHeader::decode(segment.header.life(), segment.at(group.at), bytes).expect("a group").0
}

fn frame_header(scene: &Scene<'_>, segment: &Sound, frame: &Frame) -> FrameHeader {
    let bytes = &scene.sample.bytes(&segment.name)[frame.at as usize..];
    FrameHeader::decode(segment.header.life(), segment.at(frame.at), bytes).expect("a frame").0
}

/// The file does not hold all of the group, so nothing behind its frames is known.
fn long_group(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let number = dice.below(segment.groups.len() as u64) as usize;
    let group = &segment.groups[number];
    let header = GroupHeader { group_bytes: u32::MAX - 7, ..group_header(scene, segment, group) };
    overwrite(scene, segment, group.at, &header.encode(segment.header.life(), segment.at(group.at)));
    let end = segment.at(group.at + u64::from(header.group_bytes));
    Done::deep(&[&segment.name], vec![Expected::damage(segment, group.frames_end(), end)])
        .hiding(segment.groups[number + 1..].iter().flat_map(Group::records))
}

/// As many frames would not fit: it is no header of a group.
fn many_frames(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let group = any_group(segment, dice);
    let mut header = group_header(scene, segment, group).encode(segment.header.life(), segment.at(group.at));
    header[12..16].fill(0xFF);
    let check = segment.header.life().check(segment.at(group.at), &header[8..]);
    header[4..8].copy_from_slice(&check.to_le_bytes());
    overwrite(scene, segment, group.at, &header);
    let damage = |from: u64, to: u64| Expected::damage(segment, from, segment.at(to));
    let mut findings = vec![damage(group.at, group.at + GROUP_HEADER_BYTES)];
    // Nothing says any more that the zeros behind the frames belong to the group.
    findings.extend((group.frames_end() < group.end).then(|| damage(group.frames_end(), group.end)));
    Done::deep(&[&segment.name], findings)
}

/// It leaves no room for those behind it in its group.
fn long_frame(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let group = any_group(segment, dice);
    let frame = &group.frames[0];
    let header = FrameHeader { stored_len: 1 << 30, raw_len: 1 << 30, ..frame_header(scene, segment, frame) };
    overwrite(scene, segment, frame.at, &header.encode(segment.header.life(), segment.at(frame.at)));
    let damage = Expected::damage(segment, frame.at, segment.at(group.frames_end()));
    Done::deep(&[&segment.name], vec![damage]).losing(frame.record).hiding(group.records().skip(1))
}

fn footer(segment: &Sound) -> (u64, Footer) {
    segment.footer.expect("it is sealed")
}

/// The head of a footer, with its checksum.
fn write_footer(scene: &Scene<'_>, segment: &Sound, change: impl FnOnce(&mut [u8])) {
    let (at, _) = footer(segment);
    let mut head = scene.sample.bytes(&segment.name)[at as usize..at as usize + 96].to_vec();
    change(&mut head);
    let check = segment.header.life().check(segment.at(at), &head[8..]);
    head[4..8].copy_from_slice(&check.to_le_bytes());
    overwrite(scene, segment, at, &head);
}

fn long_index(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (at, segment) = sealed(scene, dice);
    write_footer(scene, segment, |head| {
        head[8..12].fill(0xFF);
        head[16..24].copy_from_slice(&(1_u64 << 61).to_le_bytes());
    });
    let damage = Expected::damage(segment, segment.groups_end(), scene.sample.next(at));
    Done::seen(&[&segment.name], vec![damage])
}

/// The chain goes on where nothing is, and past the one that should follow.
fn successor(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (at, segment) = sealed(scene, dice);
    let next = footer(segment).1.next.plus(8);
    write_footer(scene, segment, |head| head[16..24].copy_from_slice(&next.0.to_le_bytes()));
    let missing = Expected {
        severity: Severity::Damaged,
        file: Some(format!("{} (missing)", name::segment(next))),
        offset: None,
        range: Some((next, scene.sample.next(at + 1))),
    };
    Done::seen(&[&segment.name], vec![missing]).hiding(scene.sample.segments[at + 1].records())
}

fn one_more(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let records = footer(segment).1.records + 1;
    write_footer(scene, segment, |head| head[24..32].copy_from_slice(&records.to_le_bytes()));
    Done::deep(
        &[&segment.name],
        vec![Expected::damage(segment, segment.groups_end(), segment.at(segment.len))],
    )
}

fn predecessor(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (at, segment) = sealed(scene, dice);
    let mut header = segment.header.clone();
    if let Some(previous) = &mut header.previous {
        previous.seal ^= 1 << dice.below(32);
    }
    overwrite(scene, segment, 0, &header.encode());
    Done::seen(&[&segment.name], vec![Expected::damage(segment, 0, scene.sample.next(at))])
        .hiding(segment.records())
}

fn newer(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| {
        bytes.iter_mut().skip(12).take(1).for_each(|byte| *byte = 9);
        bytes.iter_mut().skip(400).take(1).for_each(|byte| *byte = 9);
    });
    Done { error: Some(headwater_wal::Kind::Unsupported), ..Done::seen(&[&segment.name], Vec::new()) }
        .hiding(segment.records())
}

fn version(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| bytes.iter_mut().skip(12).take(1).for_each(|byte| *byte = 9));
    Done { error: Some(headwater_wal::Kind::Damaged), ..Done::seen(&[&segment.name], Vec::new()) }
        .hiding(segment.records())
}

/// Appends a record of that codec to the segment that grows, as a writer would.
fn append(scene: &Scene<'_>, codec: Codec, raw_len: u32, payload: &[u8]) -> Done {
    let segment = scene.sample.segments.last().expect("a segment");
    let (life, at) = (segment.header.life(), segment.groups_end());
    let frame = FrameHeader {
        codec,
        own: false,
        kind: 7,
        stored_len: payload.len() as u32,
        raw_len,
        payload_check: crc32c::crc32c(payload),
        index: 0,
        time: Time(2_000),
    };
    let group = GroupHeader {
        group_bytes: (GROUP_HEADER_BYTES + frame.frame_len()).next_multiple_of(512) as u32,
        count: 1,
        frames_bytes: frame.frame_len() as u32,
        least: Time(2_000),
        greatest: Time(2_000),
        acked: segment.at(at),
    };
    let mut bytes = group.encode(life, segment.at(at)).to_vec();
    bytes.extend(frame.encode(life, segment.at(at + GROUP_HEADER_BYTES)));
    bytes.extend(payload);
    bytes.resize(group.group_bytes as usize, 0);
    let end = at as usize + bytes.len();
    scene.files.change(&segment.name, |file| file.resize(file.len().max(end), 0));
    overwrite(scene, segment, at, &bytes);
    Done { forged: 1, ..Done::seen(&[&segment.name], Vec::new()) }
}

/// 32 KiB that expand to a gibibyte of zeros: a frame of zstd in blocks of one repeated byte.
fn bomb(scene: &Scene<'_>, _: &mut Random) -> Done {
    const BLOCK_BYTES: u32 = 128 << 10;
    const RAW_BYTES: u32 = 1 << 30;
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0xE0];
    frame.extend(u64::from(RAW_BYTES).to_le_bytes());
    for block in 1..=RAW_BYTES / BLOCK_BYTES {
        let last = u32::from(block == RAW_BYTES / BLOCK_BYTES);
        let head = BLOCK_BYTES << 3 | 1 << 1 | last;
        frame.extend(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    append(scene, Codec::Zstd, RAW_BYTES, &frame)
}

fn codec(scene: &Scene<'_>, _: &mut Random) -> Done {
    append(scene, Codec::Other(5), 40, &[0xA5; 30])
}
