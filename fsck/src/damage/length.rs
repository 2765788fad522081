//! A sealed segment is shorter or longer than it was, or its tail is not what it was.

use headwater_wal::store::sim::Random;

use super::sound::{Group, Sound};
use super::{Done, Expected, Kind, Media, Scene, noise, one_of, within};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "cut inside a payload",
        media: Media::Any,
        act: |s, d| cut(s, d, |g, d| within(g.frames[0].at + 33..g.frames[0].payload_end, d)),
    },
    Kind {
        name: "cut inside a frame's header",
        media: Media::Any,
        act: |s, d| cut(s, d, |g, d| g.frames[0].at + 1 + d.below(31)),
    },
    Kind {
        name: "cut inside a group's header",
        media: Media::Any,
        act: |s, d| cut(s, d, |g, d| g.at + 1 + d.below(47)),
    },
    Kind { name: "cut between two groups", media: Media::Any, act: |s, d| cut(s, d, |g, _| g.at) },
    Kind { name: "cut inside the footer", media: Media::Any, act: |s, d| cut_footer(s, d, 10) },
    Kind { name: "cut inside the index", media: Media::Any, act: |s, d| cut_footer(s, d, 100) },
    Kind { name: "without its last byte", media: Media::Any, act: last_byte },
    Kind { name: "cut inside the header", media: Media::Any, act: |s, d| cut_header(s, d, 100) },
    Kind { name: "cut to nothing", media: Media::Any, act: |s, d| cut_header(s, d, 0) },
    Kind { name: "zeros behind the footer", media: Media::Growing, act: zeros_behind },
    Kind {
        name: "noise behind the footer",
        media: Media::Any,
        act: |s, d| grown(s, d, |_, d| noise(700, d)),
    },
    Kind {
        name: "the file once more behind itself",
        media: Media::Any,
        act: |s, d| grown(s, d, |bytes, _| bytes.to_vec()),
    },
    Kind { name: "a tail of zeros", media: Media::Any, act: |s, d| tail(s, d, |len, _| vec![0; len]) },
    Kind { name: "a tail of noise", media: Media::Any, act: |s, d| tail(s, d, noise) },
    Kind {
        name: "an older version, from before its last groups and its seal",
        media: Media::Growing,
        act: stale,
    },
];

fn sealed<'a>(scene: &Scene<'a>, dice: &mut Random) -> (usize, &'a Sound) {
    let at = one_of(&scene.sample.sealed(), dice);
    (at, &scene.sample.segments[at])
}

/// Everything from the group on is not in the log any more; what ends before `kept` verifies still.
fn from_group(scene: &Scene<'_>, at: usize, group: usize, kept: u64) -> Done {
    let segment = &scene.sample.segments[at];
    let groups = &segment.groups[group..];
    let frames = || groups.iter().flat_map(|group| &group.frames);
    let lost: Vec<usize> =
        frames().filter(|frame| frame.end > kept).filter_map(|frame| frame.record).collect();
    let hidden: Vec<usize> =
        frames().filter(|frame| frame.end <= kept).filter_map(|frame| frame.record).collect();
    let offset = groups.first().map_or(segment.groups_end(), |group| group.at);
    Done::seen(&[&segment.name], vec![Expected::damage(segment, offset, scene.sample.next(at))])
        .losing(lost)
        .hiding(hidden)
}

fn cut(scene: &Scene<'_>, dice: &mut Random, place: fn(&Group, &mut Random) -> u64) -> Done {
    let (at, segment) = sealed(scene, dice);
    let number = dice.below(segment.groups.len() as u64) as usize;
    let len = place(&segment.groups[number], dice);
    scene.files.change(&segment.name, |bytes| bytes.truncate(len as usize));
    from_group(scene, at, number, len)
}

fn cut_footer(scene: &Scene<'_>, dice: &mut Random, behind: u64) -> Done {
    let (at, segment) = sealed(scene, dice);
    let len = segment.groups_end() + behind;
    scene.files.change(&segment.name, |bytes| bytes.truncate(len as usize));
    from_group(scene, at, segment.groups.len(), len)
}

fn last_byte(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (at, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| _ = bytes.pop());
    from_group(scene, at, segment.groups.len(), segment.len)
}

fn cut_header(scene: &Scene<'_>, dice: &mut Random, len: usize) -> Done {
    let (at, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| bytes.truncate(len));
    Done::seen(&[&segment.name], vec![Expected::damage(segment, 0, scene.sample.next(at))])
        .losing(segment.records())
}

/// That is how a file looks whose writer died before it trimmed it.
fn zeros_behind(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (_, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| bytes.resize(bytes.len() + 5000, 0));
    Done::seen(&[&segment.name], Vec::new())
}

fn grown(scene: &Scene<'_>, dice: &mut Random, more: fn(&[u8], &mut Random) -> Vec<u8>) -> Done {
    let (at, segment) = sealed(scene, dice);
    scene.files.change(&segment.name, |bytes| {
        let more = more(bytes, dice);
        bytes.extend(more);
    });
    from_group(scene, at, segment.groups.len(), u64::MAX)
}

fn tail(scene: &Scene<'_>, dice: &mut Random, tail: fn(usize, &mut Random) -> Vec<u8>) -> Done {
    let (at, segment) = sealed(scene, dice);
    let number = dice.below(segment.groups.len() as u64) as usize;
    let from = segment.groups[number].at;
    scene.files.change(&segment.name, |bytes| {
        let len = bytes.len().saturating_sub(from as usize);
        bytes.truncate(from as usize);
        bytes.extend(tail(len, dice));
    });
    from_group(scene, at, number, from)
}

fn stale(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let (at, segment) = sealed(scene, dice);
    let number = within(1..segment.groups.len() as u64, dice) as usize;
    let from = segment.groups[number].at;
    scene.files.change(&segment.name, |bytes| {
        bytes.truncate(from as usize);
        bytes.resize(8 << 10, 0);
    });
    from_group(scene, at, number, from)
}
