//! Summaries that do not verify, say what is not so, or are gone; and damage in what they list, which a quick look takes
//! from them and does not read.

use headwater_wal::format::name::{self, SUMMARIES};
use headwater_wal::format::summary::Summary;
use headwater_wal::store::sim::Random;

use super::sound::Sound;
use super::{Done, Expected, Kind, Media, Scene, noise, one_of, within};
use crate::Severity;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "a bit of a summary's head",
        media: Media::Summaries,
        act: |s, d| changed(s, d, |bytes, d| flip(bytes, 0..96, d)),
    },
    Kind {
        name: "a bit of what a summary lists",
        media: Media::Summaries,
        act: |s, d| {
            changed(s, d, |bytes, d| {
                let len = bytes.len() as u64;
                flip(bytes, 96..len, d)
            })
        },
    },
    Kind {
        name: "a summary cut short",
        media: Media::Summaries,
        act: |s, d| {
            changed(s, d, |bytes, d| {
                let len = d.below(bytes.len().max(1) as u64) as usize;
                bytes.truncate(len)
            })
        },
    },
    Kind {
        name: "a summary with noise behind it",
        media: Media::Summaries,
        act: |s, d| changed(s, d, |bytes, d| bytes.extend(noise(96, d))),
    },
    Kind {
        name: "a summary of zeros",
        media: Media::Summaries,
        act: |s, d| changed(s, d, |bytes, _| bytes.fill(0)),
    },
    Kind {
        name: "a summary of nothing",
        media: Media::Summaries,
        act: |s, d| changed(s, d, |bytes, _| bytes.clear()),
    },
    Kind {
        name: "a summary of a newer release",
        media: Media::Summaries,
        act: |s, d| changed(s, d, |bytes, _| bytes.iter_mut().skip(12).take(1).for_each(|byte| *byte = 9)),
    },
    Kind { name: "two summaries swapped", media: Media::Summaries, act: swapped },
    Kind { name: "another log's summary", media: Media::Summaries, act: another_logs },
    Kind { name: "the newest summary is missing", media: Media::Summaries, act: |s, _| missing(s, 0..1) },
    Kind {
        name: "the oldest summary is missing",
        media: Media::Summaries,
        act: |s, _| {
            let all = summaries(s).len();
            missing(s, all - 1..all)
        },
    },
    Kind {
        name: "every summary is missing",
        media: Media::Summaries,
        act: |s, _| {
            let all = summaries(s).len();
            missing(s, 0..all)
        },
    },
    Kind { name: "a bit of a payload below a summary", media: Media::Summaries, act: bit_below },
    Kind { name: "a segment below a summary is missing", media: Media::Summaries, act: missing_below },
    Kind { name: "a bit of a header below a summary", media: Media::Summaries, act: header_below },
];

/// Their names, the newest first.
fn summaries<'a>(scene: &Scene<'a>) -> Vec<&'a str> {
    scene.sample.names().filter(|name| name.starts_with(SUMMARIES)).collect()
}

fn flip(bytes: &mut [u8], range: std::ops::Range<u64>, dice: &mut Random) {
    let at = within(range, dice) as usize;
    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8));
}

/// It misleads nobody, for nothing depends on it; a full look says that it can go.
fn misleading(names: &[&str]) -> Done {
    let aside = |name: &&str| Expected {
        severity: Severity::SetAside,
        file: Some((*name).to_owned()),
        offset: None,
        range: None,
    };
    Done::deep(names, names.iter().map(aside).collect())
}

fn changed(scene: &Scene<'_>, dice: &mut Random, change: fn(&mut Vec<u8>, &mut Random)) -> Done {
    let name = one_of(&summaries(scene), dice);
    scene.files.change(name, |bytes| change(bytes, dice));
    misleading(&[name])
}

fn swapped(scene: &Scene<'_>, _: &mut Random) -> Done {
    let all = summaries(scene);
    if let (Some(one), Some(other)) = (scene.files.read(all[0]), scene.files.read(all[1])) {
        scene.files.write(all[0], &other);
        scene.files.write(all[1], &one);
    }
    misleading(&all[..2])
}

fn another_logs(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let name = one_of(&summaries(scene), dice);
    let other = super::Sample::other(scene.sample.shape);
    scene.files.write(name, other.bytes(name));
    misleading(&[name])
}

fn missing(scene: &Scene<'_>, which: std::ops::Range<usize>) -> Done {
    let all = summaries(scene);
    all[which.clone()].iter().for_each(|name| scene.files.remove(name));
    Done::seen(&all[which], Vec::new())
}

/// One of the first segments: every summary lists it or rests on one that does.
fn below(scene: &Scene<'_>, dice: &mut Random) -> usize {
    one_of(&scene.sample.sealed()[..4], dice)
}

fn bit_below(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = &scene.sample.segments[below(scene, dice)];
    let frame = &segment.groups[0].frames[0];
    let offset = within(frame.at + 32..frame.payload_end, dice);
    scene.files.change(&segment.name, |bytes| flip(bytes, offset..offset + 1, dice));
    let damage = Expected::damage(segment, frame.at, segment.at(frame.end));
    Done::deep(&[&segment.name], vec![damage]).losing(frame.record)
}

/// A quick look believes in the segment, because of a summary: that one misleads.
fn not_followed(scene: &Scene<'_>, segment: &Sound, damage: Expected) -> Done {
    let lists = |name: &&str| {
        let end = name.rsplit('/').next().and_then(name::parse_summary).expect("a summary's name");
        let summary = Summary::decode(end, scene.sample.bytes(name)).expect("a sound summary");
        summary.segments.iter().any(|entry| entry.base == segment.base())
    };
    let listing: Vec<&str> = summaries(scene).into_iter().filter(lists).collect();
    let mut done = misleading(&listing);
    done.full.push(damage);
    done.files.push(segment.name.clone());
    done
}

fn missing_below(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let at = below(scene, dice);
    let segment = &scene.sample.segments[at];
    scene.files.remove(&segment.name);
    let missing = Expected::missing(segment, scene.sample.next(at));
    not_followed(scene, segment, missing).losing(segment.records())
}

fn header_below(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let at = below(scene, dice);
    let segment = &scene.sample.segments[at];
    scene.files.change(&segment.name, |bytes| flip(bytes, 16..512, dice));
    let damage = Expected::damage(segment, 0, scene.sample.next(at));
    not_followed(scene, segment, damage).hiding(segment.records())
}
