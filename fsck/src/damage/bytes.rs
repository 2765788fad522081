//! Bytes of one sealed segment are others than they were.

use headwater_wal::format::footer::FOOTER_HEAD_BYTES;
use headwater_wal::format::group::GROUP_HEADER_BYTES;
use headwater_wal::format::header::HEADER_BYTES;
use headwater_wal::store::sim::Random;

use super::sound::{Group, Sound, spoilt};
use super::{Done, Expected, Kind, Media, Scene, noise, one_of, within};

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "a bit of a payload", media: Media::Any, act: |s, d| frame(s, d, 32..u64::MAX) },
    Kind { name: "a bit of a frame's checksum", media: Media::Any, act: |s, d| frame(s, d, 0..4) },
    Kind { name: "a bit of a frame's mark, codec or kind", media: Media::Any, act: |s, d| frame(s, d, 4..8) },
    Kind { name: "a bit of a frame's lengths", media: Media::Any, act: |s, d| frame(s, d, 8..16) },
    Kind { name: "a bit of a payload's checksum", media: Media::Any, act: |s, d| frame(s, d, 16..20) },
    Kind { name: "a bit of a frame's number or time", media: Media::Any, act: |s, d| frame(s, d, 20..32) },
    Kind { name: "a bit of a group's magic or checksum", media: Media::Any, act: |s, d| group(s, d, 0..8) },
    Kind { name: "a bit of a group's length or count", media: Media::Any, act: |s, d| group(s, d, 8..16) },
    Kind {
        name: "a bit of what a group says was acknowledged",
        media: Media::Any,
        act: |s, d| group(s, d, 32..40),
    },
    Kind { name: "a bit of the zeros behind a group", media: Media::Growing, act: padding },
    Kind { name: "a payload of zeros", media: Media::Any, act: zero_payload },
    Kind {
        name: "a sector of zeros where a group begins",
        media: Media::Growing,
        act: |s, d| sector(s, d, true),
    },
    Kind { name: "a sector of zeros inside a group", media: Media::Growing, act: |s, d| sector(s, d, false) },
    Kind {
        name: "a group of zeros",
        media: Media::Any,
        act: |s, d| over_group(s, d, |bytes, _| bytes.fill(0)),
    },
    Kind {
        name: "a group of noise",
        media: Media::Any,
        act: |s, d| over_group(s, d, |bytes, d| bytes.copy_from_slice(&noise(bytes.len(), d))),
    },
    Kind { name: "a group in another one's place", media: Media::Growing, act: misplaced },
    Kind { name: "bits in two groups", media: Media::Growing, act: two_groups },
    Kind { name: "a bit of a header's magic", media: Media::Any, act: |s, d| header(s, d, 0..8) },
    Kind { name: "a bit of a header's checksum", media: Media::Any, act: |s, d| header(s, d, 8..12) },
    Kind {
        name: "a bit of a header's durability or flags",
        media: Media::Any,
        act: |s, d| header(s, d, 14..16),
    },
    Kind { name: "a bit of a header's identity", media: Media::Any, act: |s, d| header(s, d, 16..32) },
    Kind {
        name: "a bit of a header's token, epoch or base",
        media: Media::Any,
        act: |s, d| header(s, d, 32..64),
    },
    Kind {
        name: "a bit of what a header says of the one before",
        media: Media::Any,
        act: |s, d| header(s, d, 80..100),
    },
    Kind { name: "a bit of a header's losses", media: Media::Any, act: |s, d| header(s, d, 120..512) },
    Kind {
        name: "a header of zeros",
        media: Media::Any,
        act: |s, d| over_header(s, d, |bytes, _| bytes.fill(0)),
    },
    Kind {
        name: "a header of noise",
        media: Media::Any,
        act: |s, d| over_header(s, d, |bytes, d| bytes.copy_from_slice(&noise(bytes.len(), d))),
    },
    Kind { name: "a bit of a footer's magic or checksum", media: Media::Any, act: |s, d| footer(s, d, 0..8) },
    Kind { name: "a bit of a footer's counts or seal", media: Media::Any, act: |s, d| footer(s, d, 8..16) },
    Kind {
        name: "a bit of where a footer says the next begins",
        media: Media::Any,
        act: |s, d| footer(s, d, 16..24),
    },
    Kind { name: "a bit of a footer's sums", media: Media::Any, act: |s, d| footer(s, d, 24..96) },
    Kind { name: "a bit of an index", media: Media::Any, act: index },
    Kind { name: "a bit of a trailer's length", media: Media::Any, act: |s, d| trailer(s, d, 0..8) },
    Kind {
        name: "a bit of a trailer's checksum or magic",
        media: Media::Any,
        act: |s, d| trailer(s, d, 8..16),
    },
    Kind {
        name: "a footer of zeros",
        media: Media::Any,
        act: |s, d| over_footer(s, d, |bytes, _| bytes.fill(0)),
    },
    Kind {
        name: "a footer of noise",
        media: Media::Any,
        act: |s, d| over_footer(s, d, |bytes, d| bytes.copy_from_slice(&noise(bytes.len(), d))),
    },
    Kind { name: "the footer of a segment that a later epoch closed", media: Media::Any, act: closed_footer },
];

/// A sealed segment.
fn sealed<'a>(scene: &Scene<'a>, dice: &mut Random) -> (usize, &'a Sound) {
    let at = one_of(&scene.sample.sealed(), dice);
    (at, &scene.sample.segments[at])
}

fn flip(bytes: &mut [u8], offset: u64, dice: &mut Random) {
    if let Some(byte) = bytes.get_mut(offset as usize) {
        *byte ^= 1 << dice.below(8);
    }
}

/// Changes bytes of a group, and says what that costs by what they were and are in the sample.
fn in_group(scene: &Scene<'_>, segment: &Sound, group: &Group, change: impl Fn(&mut [u8])) -> Done {
    let room = |bytes: &mut Vec<u8>| {
        if bytes.len() as u64 >= group.end {
            change(&mut bytes[..]);
        }
    };
    let before = scene.sample.bytes(&segment.name);
    let mut after = before.to_vec();
    room(&mut after);
    scene.files.change(&segment.name, room);
    let spoilt = spoilt(group, before, &after);
    let damage = |range: std::ops::Range<u64>| Expected::damage(segment, range.start, segment.at(range.end));
    let findings = spoilt.stretches.into_iter().map(damage).collect();
    Done::deep(&[&segment.name], findings).losing(spoilt.records)
}

fn flip_in_group(scene: &Scene<'_>, segment: &Sound, group: &Group, offset: u64, dice: &mut Random) -> Done {
    let bit = Random::new(dice.draw());
    in_group(scene, segment, group, |bytes| flip(bytes, offset, &mut bit.clone()))
}

fn any_group<'a>(segment: &'a Sound, dice: &mut Random) -> &'a Group {
    &segment.groups[dice.below(segment.groups.len() as u64) as usize]
}

/// A bit of a frame, at one of these offsets in it.
fn frame(scene: &Scene<'_>, dice: &mut Random, offsets: std::ops::Range<u64>) -> Done {
    let (_, segment) = sealed(scene, dice);
    let group = any_group(segment, dice);
    let frame = &group.frames[dice.below(group.frames.len() as u64) as usize];
    let offset =
        within(frame.at + offsets.start..frame.payload_end.min(frame.at.saturating_add(offsets.end)), dice);
    flip_in_group(scene, segment, group, offset, dice)
}

fn group(scene: &Scene<'_>, dice: &mut Random, offsets: std::ops::Range<u64>) -> Done {
    let (_, segment) = sealed(scene, dice);
    let group = any_group(segment, dice);
    flip_in_group(scene, segment, group, group.at + within(offsets, dice), dice)
}

fn padding(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let padded: Vec<&Group> = segment.groups.iter().filter(|group| group.frames_end() < group.end).collect();
    let group = one_of(&padded, dice);
    let offset = within(group.frames_end()..group.end, dice);
    flip_in_group(scene, segment, group, offset, dice)
}

fn zero_payload(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let group = any_group(segment, dice);
    let frame = &group.frames[dice.below(group.frames.len() as u64) as usize];
    in_group(scene, segment, group, |bytes| bytes[frame.at as usize + 32..frame.payload_end as usize].fill(0))
}

fn sector(scene: &Scene<'_>, dice: &mut Random, first: bool) -> Done {
    let (_, segment) = sealed(scene, dice);
    let long: Vec<&Group> = segment.groups.iter().filter(|group| group.end - group.at > 512).collect();
    let group = one_of(&long, dice);
    let sector = if first { 0 } else { within(1..(group.end - group.at) / 512, dice) };
    let from = (group.at + 512 * sector) as usize;
    in_group(scene, segment, group, |bytes| bytes[from..from + 512].fill(0))
}

fn over_group(scene: &Scene<'_>, dice: &mut Random, over: fn(&mut [u8], &mut Random)) -> Done {
    let (_, segment) = sealed(scene, dice);
    let group = any_group(segment, dice);
    let noise = Random::new(dice.draw());
    in_group(scene, segment, group, |bytes| {
        over(&mut bytes[group.at as usize..group.end as usize], &mut noise.clone())
    })
}

/// A write that went to the place of another group.
fn misplaced(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let (from, to) = (&segment.groups[0], &segment.groups[1]);
    let len = (from.end - from.at).min(to.end - to.at) as usize;
    in_group(scene, segment, to, |bytes| {
        bytes.copy_within(from.at as usize..from.at as usize + len, to.at as usize)
    })
}

fn two_groups(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    let mut both = Done::default();
    for group in [&segment.groups[0], &segment.groups[1]] {
        let offset = group.frames[0].at + 32;
        let done = flip_in_group(scene, segment, group, offset, dice);
        both.full.extend(done.full);
        both.lost.extend(done.lost);
        both.files = done.files;
    }
    both
}

/// A header that does not verify: nobody comes to what lies behind it, though it is all there.
fn behind_header(scene: &Scene<'_>, at: usize) -> Done {
    let segment = &scene.sample.segments[at];
    Done::seen(&[&segment.name], vec![Expected::damage(segment, 0, scene.sample.next(at))])
        .hiding(segment.records())
}

fn header(scene: &Scene<'_>, dice: &mut Random, offsets: std::ops::Range<u64>) -> Done {
    let (at, segment) = sealed(scene, dice);
    let offset = within(offsets, dice);
    scene.files.change(&segment.name, |bytes| flip(bytes, offset, dice));
    behind_header(scene, at)
}

fn over_header(scene: &Scene<'_>, dice: &mut Random, over: fn(&mut [u8], &mut Random)) -> Done {
    let (at, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| {
        let len = bytes.len().min(HEADER_BYTES as usize);
        over(&mut bytes[..len], dice);
    });
    behind_header(scene, at)
}

/// A footer that does not verify: where the next segment begins is not known from it, and no record is lost.
fn without_footer(scene: &Scene<'_>, at: usize) -> Done {
    let segment = &scene.sample.segments[at];
    Done::seen(&[&segment.name], vec![Expected::damage(segment, segment.groups_end(), scene.sample.next(at))])
}

fn in_footer(scene: &Scene<'_>, dice: &mut Random, at: usize, offset: u64) -> Done {
    scene.files.change(&scene.sample.segments[at].name, |bytes| flip(bytes, offset, dice));
    without_footer(scene, at)
}

fn footer(scene: &Scene<'_>, dice: &mut Random, offsets: std::ops::Range<u64>) -> Done {
    let (at, segment) = sealed(scene, dice);
    let offset = segment.groups_end() + within(offsets, dice).min(FOOTER_HEAD_BYTES - 1);
    in_footer(scene, dice, at, offset)
}

fn index(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (at, segment) = sealed(scene, dice);
    let offset = within(segment.index()..segment.trailer(), dice);
    in_footer(scene, dice, at, offset)
}

fn trailer(scene: &Scene<'_>, dice: &mut Random, offsets: std::ops::Range<u64>) -> Done {
    let (at, segment) = sealed(scene, dice);
    let offset = segment.trailer() + within(offsets, dice);
    in_footer(scene, dice, at, offset)
}

fn over_footer(scene: &Scene<'_>, dice: &mut Random, over: fn(&mut [u8], &mut Random)) -> Done {
    let (at, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| {
        let from = bytes.len().min(segment.groups_end() as usize);
        over(&mut bytes[from..], dice);
    });
    without_footer(scene, at)
}

/// The next epoch says where its groups end: nothing is asked of this footer any more.
fn closed_footer(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let closed: Vec<&Sound> =
        scene.sample.segments.iter().filter(|segment| segment.closed && segment.footer.is_some()).collect();
    let segment = one_of(&closed, dice);
    let offset = within(segment.groups_end()..segment.groups_end() + GROUP_HEADER_BYTES, dice);
    scene.files.change(&segment.name, |bytes| flip(bytes, offset, dice));
    Done::seen(&[&segment.name], Vec::new())
}
