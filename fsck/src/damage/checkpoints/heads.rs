//! A head, or what lies inside of it, is another than it was.

use headwater_checkpoint::Id;
use headwater_wal::store::sim::Random;

use super::{Done, Files, Folder, Kind, NEWEST, Told, agree, any, flip, head, id, part, section, without};
use crate::Severity;
use crate::damage::{noise, within};

pub(super) const KINDS: &[Kind] = &[
    Kind::new("a bit of a head's magic", |f, d| bit(f, d, 0..8)),
    Kind::new("a bit of a head's checksum", |f, d| bit(f, d, 12..16)),
    Kind::new("a bit of a head's preamble", |f, d| bit(f, d, 16..64)),
    Kind::new("a bit of a head's table", |f, d| bit(f, d, 64..300)),
    Kind::new("a bit of a section inside a head", inside),
    Kind::new("a head cut short", |f, d| {
        changed(f, d, |bytes, d| bytes.truncate(within(1..bytes.len() as u64, d) as usize))
    }),
    Kind::new("a head of nothing", |f, d| changed(f, d, |bytes, _| bytes.clear())),
    Kind::new("a head of zeros", |f, d| changed(f, d, |bytes, _| bytes.fill(0))),
    Kind::new("a head of noise", |f, d| changed(f, d, |bytes, d| *bytes = noise(bytes.len(), d))),
    Kind::new("a head with noise behind it", |f, d| changed(f, d, |bytes, d| bytes.extend(noise(40, d)))),
    Kind::new("a head that says it has four billion sections", billions),
    Kind::new("a head that says it is longer than anything", |f, d| {
        forged(f, d, |bytes| bytes[48..56].fill(0xFF))
    }),
    Kind::new("another application's head under this name", another),
    Kind::new("two heads swapped", swapped),
    Kind::new("the newest head is of a newer release", newer),
    Kind::new("every head is damaged", every),
];

fn told(of: Id) -> Told {
    Told::new(Severity::Damaged, head(of), format!("checkpoint {of}"))
}

/// A head that does not verify: its checkpoint is gone, and what it names is not known any more.
fn lost(of: Id) -> Done {
    let done = Done::seen(vec![told(of)]).restoring(without(of));
    match of == NEWEST {
        true => done.unfinished(4),
        false => done.littered(4),
    }
}

fn changed(files: &Files, dice: &mut Random, change: fn(&mut Vec<u8>, &mut Random)) -> Done {
    let of = any(dice);
    files.change(&head(of), |bytes| change(bytes, dice));
    lost(of)
}

fn bit(files: &Files, dice: &mut Random, offsets: std::ops::Range<u64>) -> Done {
    let of = any(dice);
    let table = Folder::sample().bytes(&head(of))[56..60].try_into().map(u32::from_le_bytes);
    let end = 64 + u64::from(table.expect("four bytes"));
    flip(files, &head(of), offsets.start..offsets.end.min(end), dice);
    lost(of)
}

/// The last thing in a head is its only section inside.
fn inside(files: &Files, dice: &mut Random) -> Done {
    let of = any(dice);
    let len = Folder::sample().bytes(&head(of)).len() as u64;
    flip(files, &head(of), len - 9..len, dice);
    Done::deep(vec![section("small", &[of], head(of))]).restoring(without(of))
}

fn forged(files: &Files, dice: &mut Random, forge: fn(&mut [u8])) -> Done {
    let of = any(dice);
    files.change(&head(of), |bytes| {
        forge(bytes);
        agree(of, bytes);
    });
    lost(of)
}

/// The count stands behind the content, one position and a chain of two heads.
fn billions(files: &Files, dice: &mut Random) -> Done {
    const COUNT: usize = 64 + 9 + 8 + 2 + 8 + 8 + 2 + 32;
    forged(files, dice, |bytes| bytes[COUNT..COUNT + 4].fill(0xFF))
}

/// It verifies, for a head does not say whose it is; what it names is not there. Of two that differ about a part that they
/// share the newer one is believed.
fn another(files: &Files, dice: &mut Random) -> Done {
    let of = any(dice);
    files.write(&head(of), Folder::other().bytes(&head(of)));
    let differing = if of == NEWEST { vec![id(2), id(3)] } else { vec![of] };
    let mut done =
        Done::seen(differing.into_iter().map(told).collect()).restoring(without(of).filter(|_| of != NEWEST));
    done.full.extend((0..4).map(|at| section("big", &[of], part(of, 1, at))));
    if of == NEWEST {
        done.full.extend((0..2).map(|at| section("still", &[of], part(id(0), 2, at))));
    }
    done
}

/// Neither verifies under the name of the other.
fn swapped(files: &Files, _: &mut Random) -> Done {
    let (one, other) = (head(id(2)), head(id(3)));
    files.write(&one, Folder::sample().bytes(&other));
    files.write(&other, Folder::sample().bytes(&one));
    Done::seen(vec![told(id(2)), told(id(3))]).littered(8)
}

/// Whether it is good, that release knows.
fn newer(files: &Files, _: &mut Random) -> Done {
    files.change(&head(NEWEST), |bytes| (bytes[8], bytes[20]) = (2, 0xFF));
    let lost = format!("nothing: checkpoint {NEWEST} cannot be read by this release");
    Done::seen(vec![Told::new(Severity::Unsupported, head(NEWEST), lost)])
        .restoring(without(NEWEST))
        .unfinished(4)
}

/// Nothing is known to be litter where no head says what is needed.
fn every(files: &Files, dice: &mut Random) -> Done {
    let flipped = |number: &u64| {
        flip(files, &head(id(*number)), 16..64, &mut dice.clone());
        told(id(*number))
    };
    Done::seen(super::KEPT.iter().map(flipped).collect()).restoring(None).unfinished(14)
}
