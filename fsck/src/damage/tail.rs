//! What befalls the segment that was being written: some of it a crash explains, and some of it not.

use headwater_wal::store::sim::Random;

use super::sound::Sound;
use super::{Done, Expected, Kind, Media, Scene, noise, within};
use crate::Severity;

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "the last group torn", media: Media::Growing, act: torn },
    Kind {
        name: "the last group and what was said behind it are zeros",
        media: Media::Growing,
        act: last_zero,
    },
    Kind { name: "noise where the next group would begin", media: Media::Growing, act: noise_behind },
    Kind { name: "a bit in the segment that grows", media: Media::Growing, act: bit },
    Kind { name: "the segment that grows as it was earlier", media: Media::Growing, act: earlier },
    Kind {
        name: "the segment that grows without the room that was made for it",
        media: Media::Growing,
        act: trimmed,
    },
    Kind { name: "a header of zeros in the segment that grows", media: Media::Growing, act: header },
    Kind { name: "the segment that grows is longer than any disk", media: Media::Folder, act: sparse },
];

fn growing<'a>(scene: &Scene<'a>) -> &'a Sound {
    scene.sample.segments.last().expect("a segment")
}

/// The last group with records: behind it lies an idle writer's word.
fn last_group(segment: &Sound) -> usize {
    segment.groups.iter().rposition(|group| !group.frames.is_empty()).expect("records")
}

/// The log ends with this group's beginning, and a crash explains why.
fn ends_at(scene: &Scene<'_>, group: usize, end: Option<u64>) -> Done {
    let segment = growing(scene);
    let at = segment.groups[group].at;
    let torn = end.map(|end| Expected {
        severity: Severity::Torn,
        file: Some(segment.name.clone()),
        offset: Some(at),
        range: Some((segment.at(at), segment.at(end))),
    });
    let lost: Vec<usize> = segment.groups[group..].iter().flat_map(|group| group.records()).collect();
    Done { unseen: !lost.is_empty(), ..Done::seen(&[&segment.name], torn.into_iter().collect()).losing(lost) }
}

/// The write of the last group did not come to its end, and nobody had said yet that it was acknowledged.
fn torn(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = growing(scene);
    let number = last_group(segment);
    let frame = &segment.groups[number].frames[0];
    let cut = within(frame.at + 33..frame.payload_end, dice);
    scene.files.change(&segment.name, |bytes| bytes.truncate(cut as usize));
    ends_at(scene, number, Some(segment.groups[number].end))
}

fn last_zero(scene: &Scene<'_>, _: &mut Random) -> Done {
    let segment = growing(scene);
    let number = last_group(segment);
    let from = segment.groups[number].at as usize;
    scene.files.change(&segment.name, |bytes| bytes.iter_mut().skip(from).for_each(|byte| *byte = 0));
    ends_at(scene, number, None)
}

fn noise_behind(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = growing(scene);
    let from = segment.groups_end();
    scene.files.change(&segment.name, |bytes| {
        let noise = noise(64, dice);
        bytes.resize(bytes.len().max(from as usize + 64), 0);
        bytes[from as usize..from as usize + 64].copy_from_slice(&noise);
    });
    let torn = Expected {
        severity: Severity::Torn,
        file: Some(segment.name.clone()),
        offset: Some(from),
        range: Some((segment.at(from), segment.at(from + 64))),
    };
    Done::seen(&[&segment.name], vec![torn])
}

/// What lies behind says that this was acknowledged.
fn bit(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = growing(scene);
    let number = dice.below(last_group(segment) as u64) as usize;
    let group = &segment.groups[number];
    let frame = &group.frames[dice.below(group.frames.len() as u64) as usize];
    let offset = within(frame.at + 32..frame.payload_end, dice);
    scene.files.change(&segment.name, |bytes| {
        if let Some(byte) = bytes.get_mut(offset as usize) {
            *byte ^= 4;
        }
    });
    let behind = segment.groups[number..].iter().flat_map(|group| group.records());
    let hidden: Vec<usize> = behind.filter(|&record| Some(record) != frame.record).collect();
    Done::seen(&[&segment.name], vec![Expected::damage(segment, group.at, segment.at(segment.len))])
        .losing(frame.record)
        .hiding(hidden)
}

/// Nothing in the log knows of what came later.
fn earlier(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let segment = growing(scene);
    let number = dice.below(last_group(segment) as u64) as usize;
    let from = segment.groups[number].at as usize;
    scene.files.change(&segment.name, |bytes| bytes.iter_mut().skip(from).for_each(|byte| *byte = 0));
    ends_at(scene, number, None)
}

fn trimmed(scene: &Scene<'_>, _: &mut Random) -> Done {
    let segment = growing(scene);
    scene.files.change(&segment.name, |bytes| bytes.truncate(segment.groups_end() as usize));
    Done::seen(&[&segment.name], Vec::new())
}

/// The groups behind it say that they were acknowledged.
fn header(scene: &Scene<'_>, _: &mut Random) -> Done {
    let segment = growing(scene);
    scene.files.change(&segment.name, |bytes| bytes.iter_mut().take(512).for_each(|byte| *byte = 0));
    Done::seen(&[&segment.name], vec![Expected::damage(segment, 0, segment.at(segment.len))])
        .hiding(segment.records())
}

/// Zeros without end, of which the disk holds none.
fn sparse(scene: &Scene<'_>, _: &mut Random) -> Done {
    let segment = growing(scene);
    if let Some(folder) = scene.files.folder()
        && let Ok(file) = std::fs::OpenOptions::new().write(true).open(folder.join(&segment.name))
    {
        file.set_len(SPARSE_BYTES).expect("a long file");
    }
    Done::seen(&[&segment.name], Vec::new())
}

/// A tebibyte.
const SPARSE_BYTES: u64 = 1 << 40;
