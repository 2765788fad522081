//! Names beside those of checkpoints, claims, and things under their names that are no files.

use std::path::Path;

use headwater_checkpoint::Object;
use headwater_wal::store::sim::Random;

use super::{Done, Files, Kind, NEWEST, Told, gone, head, id, part, section, without};
use crate::Severity;
use crate::damage::names::{NAMED_MAX, OBEYED, instead_of, pipe, socket};
use crate::damage::noise;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("a note beside the checkpoints", |f, d| beside(f, d, &["notes.txt", "parts/notes.txt"])),
    Kind::new("names that are nearly of checkpoints", |f, d| beside(f, d, NEARLY)),
    Kind::new("a folder beside the checkpoints", |f, d| {
        f.write("backup/1.ckpt", &noise(9, d));
        Done::seen(vec![foreign("backup")])
    }),
    Kind::new("many names beside the checkpoints", |f, _| many(f, 150)),
    Kind::on_disk("names beside the checkpoints that a terminal would obey", obeyed),
    Kind::new("noise in a claim of checkpoints", |f, d| claim(f, 1, &noise(90, d))),
    Kind::new("a claim of nothing", |f, _| claim(f, 1, b"")),
    Kind::new("a claim of the greatest epoch", |f, d| claim(f, u64::MAX, &noise(40, d))),
    Kind::new("the claim of checkpoints is missing", |f, _| {
        f.remove(&Object::Claim(1).name().to_string());
        Done::seen(Vec::new())
    }),
    Kind::on_disk("a pipe in place of the newest head", |f, _| no_head(f, pipe)),
    Kind::on_disk("a folder in place of the newest head", |f, _| {
        no_head(f, |path| std::fs::create_dir(path).expect("a folder"))
    }),
    Kind::on_disk("a socket in place of a part", no_part),
];

const NEARLY: &[&str] = &[
    "1-4.ckpt",
    "00000000000000000001-0000000000000000004.ckpt",
    "00000000000000000001-00000000000000000004.CKPT",
    "99999999999999999999.epoch",
    "parts/00000000000000000001-00000000000000000004-1-0.part",
    "parts/00000000000000000001-00000000000000000004.ckpt",
];

fn foreign(name: &str) -> Told {
    Told::new(Severity::Foreign, name, "")
}

fn beside(files: &Files, dice: &mut Random, names: &[&str]) -> Done {
    names.iter().for_each(|name| files.write(name, &noise(100, dice)));
    Done::seen(names.iter().map(|name| foreign(name)).collect())
}

fn obeyed(files: &Files, _: &mut Random) -> Done {
    OBEYED.iter().for_each(|name| files.write(name, b"x"));
    Done::seen(OBEYED.iter().map(|name| foreign(&name.escape_default().to_string())).collect())
}

fn many(files: &Files, count: usize) -> Done {
    let names: Vec<String> = (0..count).map(|number| format!("name-{number:08}")).collect();
    names.iter().for_each(|name| files.write(name, b""));
    let named = names.iter().take(NAMED_MAX).map(|name| foreign(name)).collect();
    Done { foreign: count as u64, ..Done::seen(named) }
}

/// A claim counts by its name.
fn claim(files: &Files, epoch: u64, bytes: &[u8]) -> Done {
    files.write(&Object::Claim(epoch).name().to_string(), bytes);
    Done::seen(Vec::new())
}

fn no_head(files: &Files, make: fn(&Path)) -> Done {
    instead_of(files, &head(NEWEST), make);
    Done::seen(vec![foreign(&head(NEWEST)), gone(id(1))]).restoring(without(NEWEST)).unfinished(4)
}

fn no_part(files: &Files, _: &mut Random) -> Done {
    let name = part(NEWEST, 1, 2);
    instead_of(files, &name, socket);
    Done::seen(vec![foreign(&name), section("big", &[NEWEST], format!("{name} (missing)"))])
        .restoring(without(NEWEST))
}
