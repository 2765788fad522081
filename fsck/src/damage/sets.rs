//! Files of a log that are missing, too many, or in each other's places.

use headwater_wal::Position;
use headwater_wal::format::name;
use headwater_wal::store::sim::Random;

use super::sample::Sample;
use super::sound::Sound;
use super::{Done, Expected, Kind, Media, Scene, Shape, one_of, within};
use crate::Severity;

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "the first segment is missing", media: Media::Any, act: |s, _| missing(s, &[0]) },
    Kind {
        name: "a segment in the middle is missing",
        media: Media::Any,
        act: |s, d| {
            let at = sealed(s, d);
            missing(s, &[at])
        },
    },
    Kind {
        name: "two neighbours are missing",
        media: Media::Any,
        act: |s, d| {
            let at = neighbours(s, d);
            missing(s, &[at, at + 1])
        },
    },
    Kind {
        name: "two segments apart are missing",
        media: Media::Any,
        act: |s, d| {
            let (one, other) = apart(s, d);
            missing(s, &[one, other])
        },
    },
    Kind {
        name: "the first segment of a later epoch is missing",
        media: Media::Any,
        act: |s, _| {
            let at = epoch(s, 2).start;
            missing(s, &[at])
        },
    },
    Kind {
        name: "a whole epoch is missing",
        media: Media::Any,
        act: |s, _| {
            let all: Vec<usize> = epoch(s, 2).collect();
            missing(s, &all)
        },
    },
    Kind {
        name: "all but the last are missing",
        media: Media::Any,
        act: |s, _| {
            let all: Vec<usize> = (0..s.sample.segments.len() - 1).collect();
            missing(s, &all)
        },
    },
    Kind {
        name: "the last segment is missing",
        media: Media::Any,
        act: |s, _| ends_before(s, s.sample.segments.len() - 1),
    },
    Kind {
        name: "all segments from one on are missing",
        media: Media::Any,
        act: |s, d| {
            let at = sealed(s, d);
            ends_before(s, at)
        },
    },
    Kind { name: "every segment is missing", media: Media::Any, act: nothing },
    Kind {
        name: "two neighbours swapped",
        media: Media::Any,
        act: |s, d| {
            let at = neighbours(s, d);
            swapped(s, at, at + 1)
        },
    },
    Kind {
        name: "two segments apart swapped",
        media: Media::Any,
        act: |s, d| {
            let (one, other) = apart(s, d);
            swapped(s, one, other)
        },
    },
    Kind { name: "a segment once more, inside its own range", media: Media::Any, act: doubled_inside },
    Kind { name: "a segment once more, behind the end", media: Media::Any, act: doubled_behind },
    Kind { name: "a segment renamed, into its own range", media: Media::Any, act: renamed },
    Kind { name: "a segment renamed, behind the end", media: Media::Any, act: renamed_behind },
    Kind { name: "another log's segment under this name", media: Media::Any, act: another_logs },
    Kind { name: "another log's segments among these", media: Media::Any, act: mixed },
    Kind { name: "another epoch's segment under this name", media: Media::Any, act: another_epochs },
];

fn sealed(scene: &Scene<'_>, dice: &mut Random) -> usize {
    one_of(&scene.sample.sealed(), dice)
}

/// One that is followed by another sealed one of its epoch.
fn neighbours(scene: &Scene<'_>, dice: &mut Random) -> usize {
    let sealed = scene.sample.sealed();
    let pairs: Vec<usize> = sealed.windows(2).filter(|two| two[0] + 1 == two[1]).map(|two| two[0]).collect();
    one_of(&pairs, dice)
}

/// Two with another one between them.
fn apart(scene: &Scene<'_>, dice: &mut Random) -> (usize, usize) {
    let sealed = scene.sample.sealed();
    let one = sealed[dice.below(sealed.len() as u64 - 2) as usize];
    let behind: Vec<usize> = sealed.into_iter().filter(|&at| at > one + 1).collect();
    (one, one_of(&behind, dice))
}

fn epoch(scene: &Scene<'_>, epoch: u64) -> std::ops::Range<usize> {
    let of = |segment: &Sound| segment.header.epoch == epoch;
    let segments = &scene.sample.segments;
    let from = segments.iter().position(of).expect("an epoch");
    from..segments.iter().rposition(of).expect("an epoch") + 1
}

fn names(segments: &[&Sound]) -> Vec<String> {
    segments.iter().map(|segment| segment.name.clone()).collect()
}

/// Each stretch of missing segments is one finding.
fn missing(scene: &Scene<'_>, which: &[usize]) -> Done {
    let segments: Vec<&Sound> = which.iter().map(|&at| &scene.sample.segments[at]).collect();
    segments.iter().for_each(|segment| scene.files.remove(&segment.name));
    let findings = which
        .chunk_by(|one, other| one + 1 == *other)
        .map(|run| Expected::missing(&scene.sample.segments[run[0]], scene.sample.next(run[run.len() - 1])));
    let done = Done::seen(&[], findings.collect());
    let lost = segments.iter().flat_map(|segment| segment.records());
    Done { files: names(&segments), ..done }.losing(lost)
}

/// Nothing in what is left knows of what came later.
fn ends_before(scene: &Scene<'_>, at: usize) -> Done {
    let gone = &scene.sample.segments[at..];
    gone.iter().for_each(|segment| scene.files.remove(&segment.name));
    let files = gone.iter().map(|segment| segment.name.clone()).collect();
    Done { files, unseen: true, ..Done::default() }.losing(gone.iter().flat_map(Sound::records))
}

fn nothing(scene: &Scene<'_>, _: &mut Random) -> Done {
    Done { error: Some(headwater_wal::Kind::NotThere), ..ends_before(scene, 0) }
}

/// The bytes are all there, and no header verifies in its place.
fn swapped(scene: &Scene<'_>, one: usize, other: usize) -> Done {
    let sample = scene.sample;
    let (left, right) = (&sample.segments[one], &sample.segments[other]);
    if let (Some(first), Some(second)) = (scene.files.read(&left.name), scene.files.read(&right.name)) {
        scene.files.write(&left.name, &second);
        scene.files.write(&right.name, &first);
    }
    let findings = match one + 1 == other {
        true => vec![Expected::damage(left, 0, sample.next(other))],
        false => {
            vec![Expected::damage(left, 0, sample.next(one)), Expected::damage(right, 0, sample.next(other))]
        }
    };
    Done::seen(&[&left.name, &right.name], findings).hiding(left.records()).hiding(right.records())
}

/// What is said of a name behind the end that no crash explains.
pub(super) fn behind_the_end(sample: &Sample, end: Position) -> Expected {
    let last = sample.segments.last().expect("a segment");
    match sample.shape {
        Shape::Disk | Shape::Leases => Expected::damage(last, last.groups_end(), end),
        Shape::Objects | Shape::Summarised => Expected {
            severity: Severity::Damaged,
            file: Some(format!("{} (missing)", name::segment(sample.end()))),
            offset: None,
            range: Some((sample.end(), end)),
        },
    }
}

fn copied(scene: &Scene<'_>, from: &Sound, to: Position) -> String {
    let name = name::segment(to);
    if let Some(bytes) = scene.files.read(&from.name) {
        scene.files.write(&name, &bytes);
    }
    name
}

fn doubled_inside(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = &scene.sample.segments[sealed(scene, dice)];
    let to = segment.at(8 * within(1..segment.len / 8, dice));
    let name = copied(scene, segment, to);
    let aside = Expected::aside(&name, to..to.plus(segment.len));
    Done::seen(&[&name], vec![aside])
}

/// Where nobody is in a hurry to write.
fn far_behind(sample: &Sample, dice: &mut Random) -> Position {
    sample.end().plus((1 << 20) + 8 * dice.below(1000))
}

fn doubled_behind(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = &scene.sample.segments[sealed(scene, dice)];
    let to = far_behind(scene.sample, dice);
    let name = copied(scene, segment, to);
    Done::seen(&[&name], vec![behind_the_end(scene.sample, to.plus(segment.len))])
}

fn renamed(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let at = sealed(scene, dice);
    let segment = &scene.sample.segments[at];
    let name = copied(scene, segment, segment.at(8 * within(1..segment.len / 8, dice)));
    scene.files.remove(&segment.name);
    Done::seen(&[&segment.name, &name], vec![Expected::missing(segment, scene.sample.next(at))])
        .hiding(segment.records())
}

fn renamed_behind(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let at = sealed(scene, dice);
    let segment = &scene.sample.segments[at];
    let to = far_behind(scene.sample, dice);
    let name = copied(scene, segment, to);
    scene.files.remove(&segment.name);
    let missing = Expected::missing(segment, scene.sample.next(at));
    let behind = behind_the_end(scene.sample, to.plus(segment.len));
    Done::seen(&[&segment.name, &name], vec![missing, behind]).hiding(segment.records())
}

/// The file that stood there is gone.
fn replaced(scene: &Scene<'_>, at: usize, bytes: &[u8]) -> Done {
    let segment = &scene.sample.segments[at];
    scene.files.write(&segment.name, bytes);
    Done::seen(&[&segment.name], vec![Expected::damage(segment, 0, scene.sample.next(at))])
        .losing(segment.records())
}

fn another_logs(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let at = sealed(scene, dice);
    let other = Sample::other(scene.sample.shape);
    replaced(scene, at, other.bytes(&other.segments[at].name))
}

/// Some of another log's segments lie where this one has none.
fn mixed(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let other = Sample::other(scene.sample.shape);
    let mut done = Done::default();
    for at in [sealed(scene, dice), 0] {
        let to = scene.sample.segments[at].at(8);
        let name = name::segment(to);
        let bytes = other.bytes(&other.segments[at].name);
        scene.files.write(&name, bytes);
        done.full.push(Expected::aside(&name, to..to.plus(bytes.len() as u64)));
        done.files.push(name);
    }
    Done { quick: done.full.clone(), ..done }
}

fn another_epochs(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let sealed = scene.sample.sealed();
    let epoch = |at: usize| scene.sample.segments[at].header.epoch;
    let (from, to) = (sealed[0], sealed.iter().copied().filter(|&at| epoch(at) != epoch(sealed[0])));
    let to: Vec<usize> = to.collect();
    let bytes = scene.sample.bytes(&scene.sample.segments[from].name);
    replaced(scene, one_of(&to, dice), bytes)
}
