//! A part is another than it was, or is not there.

use headwater_checkpoint::Id;
use headwater_wal::store::sim::Random;

use super::{Done, Files, Folder, Kind, NEWEST, any, flip, id, part, section, without};
use crate::damage::{noise, within};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("a bit of a part's head", |f, d| rotten(f, d, |f, name, d| flip(f, name, 0..64, d))),
    Kind::new("a bit of a part's bytes", |f, d| rotten(f, d, |f, name, d| flip(f, name, 64..72, d))),
    Kind::new("a part of zeros", |f, d| rotten(f, d, |f, name, _| f.change(name, |bytes| bytes.fill(0)))),
    Kind::new("a part of noise", |f, d| {
        rotten(f, d, |f, name, d| f.change(name, |bytes| *bytes = noise(bytes.len(), d)))
    }),
    Kind::new("another application's part under this name", |f, d| {
        rotten(f, d, |f, name, _| f.write(name, Folder::other().bytes(name)))
    }),
    Kind::new("a part cut short", |f, d| {
        other_len(f, d, |bytes, d| bytes.truncate(within(1..bytes.len() as u64, d) as usize))
    }),
    Kind::new("a part of nothing", |f, d| other_len(f, d, |bytes, _| bytes.clear())),
    Kind::new("a part with noise behind it", |f, d| other_len(f, d, |bytes, d| bytes.extend(noise(9, d)))),
    Kind::new("a part is missing", missing),
    Kind::new("every part of a section is missing", all_missing),
    Kind::new("a bit of a part that all share", shared_bit),
    Kind::new("a part that all share is missing", shared_missing),
    Kind::new("two parts of a section swapped", |f, d| {
        let of = any(d);
        swapped(f, [part(of, BIG, 0), part(of, BIG, 1)], &[of])
    }),
    Kind::new("parts of two checkpoints swapped", |f, d| {
        let at = d.below(4) as u32;
        swapped(f, [part(NEWEST, BIG, at), part(id(3), BIG, at)], &[NEWEST, id(3)])
    }),
];

/// The section that each checkpoint has in parts of its own.
const BIG: u32 = 1;

/// The section that all share.
const STILL: u32 = 2;

fn one(dice: &mut Random) -> (Id, String) {
    let of = any(dice);
    (of, part(of, BIG, dice.below(4) as u32))
}

/// A quick check compares lengths, and reads no part.
fn rotten(files: &Files, dice: &mut Random, act: fn(&Files, &str, &mut Random)) -> Done {
    let (of, name) = one(dice);
    act(files, &name, dice);
    Done::deep(vec![section("big", &[of], name)]).restoring(without(of))
}

fn other_len(files: &Files, dice: &mut Random, change: fn(&mut Vec<u8>, &mut Random)) -> Done {
    let (of, name) = one(dice);
    files.change(&name, |bytes| change(bytes, dice));
    Done::seen(vec![section("big", &[of], name)]).restoring(without(of))
}

fn missing(files: &Files, dice: &mut Random) -> Done {
    let (of, name) = one(dice);
    files.remove(&name);
    Done::seen(vec![section("big", &[of], format!("{name} (missing)"))]).restoring(without(of))
}

fn all_missing(files: &Files, dice: &mut Random) -> Done {
    let of = any(dice);
    let told = (0..4).map(|at| {
        let name = part(of, BIG, at);
        files.remove(&name);
        section("big", &[of], format!("{name} (missing)"))
    });
    Done::seen(told.collect()).restoring(without(of))
}

fn shared_bit(files: &Files, dice: &mut Random) -> Done {
    let name = part(id(0), STILL, dice.below(2) as u32);
    flip(files, &name, 0..100, dice);
    Done::deep(vec![section("still", &[NEWEST, id(3), id(2)], name)]).restoring(None)
}

/// No head is usable: the parts that they name are named all the same.
fn shared_missing(files: &Files, dice: &mut Random) -> Done {
    let name = part(id(0), STILL, dice.below(2) as u32);
    files.remove(&name);
    let told = section("still", &[NEWEST, id(3), id(2)], format!("{name} (missing)"));
    Done::seen(vec![told]).restoring(None)
}

/// Neither verifies under the name of the other.
fn swapped(files: &Files, names: [String; 2], of: &[Id]) -> Done {
    let bytes = names.each_ref().map(|name| Folder::sample().bytes(name));
    files.write(&names[0], bytes[1]);
    files.write(&names[1], bytes[0]);
    let told = names.into_iter().zip(of.iter().cycle()).map(|(name, of)| section("big", &[*of], name));
    let left = super::KEPT.iter().rev().map(|number| id(*number)).find(|id| !of.contains(id));
    Done::deep(told.collect()).restoring(left)
}
