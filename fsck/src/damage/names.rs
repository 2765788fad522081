//! Names beside those of the log, and things under its names that are no files.

use std::fs;
use std::path::Path;

use headwater_wal::Position;
use headwater_wal::format::name;
use headwater_wal::store::sim::Random;

use super::sets::behind_the_end;
use super::{Done, Expected, Files, Kind, Media, Scene, Shape, noise, one_of};
use crate::Severity;

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "a note beside the log", media: Media::Any, act: |s, d| beside(s, d, &["notes.txt"]) },
    Kind { name: "names that are nearly a segment's", media: Media::Any, act: |s, d| beside(s, d, NEARLY) },
    Kind { name: "names that a terminal would obey", media: Media::Folder, act: obeyed },
    Kind { name: "many names", media: Media::Any, act: |s, _| many(s, MANY) },
    Kind { name: "a folder beside the log", media: Media::Any, act: folder },
    Kind { name: "a file under the greatest name", media: Media::Any, act: greatest },
    Kind {
        name: "noise in quarantine",
        media: Media::Any,
        act: |s, d| inside(s, d, &["quarantine/00000000000000000000.wal", "quarantine/x/y"]),
    },
    Kind { name: "noise in a claim", media: Media::Objects, act: claim },
    Kind {
        name: "names that are no claims",
        media: Media::Objects,
        act: |s, d| inside(s, d, &["epoch/1", "epoch/claim"]),
    },
    Kind { name: "the claims are missing", media: Media::Objects, act: no_claims },
    Kind { name: "a file that was never given its name", media: Media::Folder, act: unnamed },
    Kind {
        name: "a folder in place of a segment",
        media: Media::Folder,
        act: |s, d| instead(s, d, |path| fs::create_dir(path).expect("a folder")),
    },
    Kind { name: "a pipe in place of a segment", media: Media::Folder, act: |s, d| instead(s, d, pipe) },
    Kind { name: "a socket in place of a segment", media: Media::Folder, act: |s, d| instead(s, d, socket) },
    Kind {
        name: "a link in place of a segment, to nothing",
        media: Media::Folder,
        act: |s, d| instead(s, d, |path| link("nowhere", path)),
    },
    Kind {
        name: "a link in place of a segment, to itself",
        media: Media::Folder,
        act: |s, d| instead(s, d, |path| link(path, path)),
    },
    Kind { name: "a link in place of a segment, to where it was moved", media: Media::Folder, act: moved },
    Kind { name: "a segment that may not be read", media: Media::Folder, act: unreadable },
];

const NEARLY: &[&str] = &[
    "1.wal",
    "000000000000000000008.wal",
    "00000000000000000008.WAL",
    "0000000000000000000x.wal",
    "04611686018427387904.wal",
    "18446744073709551615.wal",
    "99999999999999999999.wal",
    "-0000000000000000008.wal",
];

pub(super) const OBEYED: [&str; 3] = ["\x1b[2J\x1b]0;owned\x07", "two\nlines", "\u{202e}law.0"];

/// More than a report names.
const MANY: usize = 150;

/// A report names so many of a kind.
pub(super) const NAMED_MAX: usize = 100;

fn beside(scene: &Scene<'_>, dice: &mut Random, names: &[&str]) -> Done {
    names.iter().for_each(|name| scene.files.write(name, &noise(100, dice)));
    Done::seen(names, names.iter().map(|name| Expected::foreign(name)).collect())
}

/// Nothing looks at them.
fn inside(scene: &Scene<'_>, dice: &mut Random, names: &[&str]) -> Done {
    names.iter().for_each(|name| scene.files.write(name, &noise(100, dice)));
    Done::seen(names, Vec::new())
}

fn obeyed(scene: &Scene<'_>, _: &mut Random) -> Done {
    OBEYED.iter().for_each(|name| scene.files.write(name, b"x"));
    let escaped = OBEYED.map(|name| name.escape_default().to_string());
    Done::seen(&OBEYED, escaped.iter().map(|name| Expected::foreign(name)).collect())
}

/// So many files that are not the log's.
pub(super) fn many(scene: &Scene<'_>, count: usize) -> Done {
    let names: Vec<String> = (0..count).map(|number| format!("name-{number:08}")).collect();
    names.iter().for_each(|name| scene.files.write(name, b""));
    let named = names.iter().take(NAMED_MAX).map(|name| Expected::foreign(name)).collect();
    Done { files: names, foreign: count as u64, ..Done::seen(&[], named) }
}

fn folder(scene: &Scene<'_>, dice: &mut Random) -> Done {
    scene.files.write("backup/00000000000000000000.wal", &noise(600, dice));
    Done::seen(&["backup"], vec![Expected::foreign("backup")])
}

/// There is no log that is so long, but the name says so.
fn greatest(scene: &Scene<'_>, _: &mut Random) -> Done {
    let base = Position(Position::LIMIT.0 - 1);
    let name = name::segment(base);
    scene.files.write(&name, b"");
    let aside = Expected::aside(&name, base..base);
    let first = match scene.sample.shape {
        // A crash leaves a file like that where files grow.
        Shape::Disk | Shape::Leases => {
            let end = scene.sample.end();
            Expected { severity: Severity::Torn, file: None, offset: None, range: Some((end, end)) }
        }
        Shape::Objects | Shape::Summarised => behind_the_end(scene.sample, base),
    };
    Done::seen(&[&name], vec![first, aside])
}

/// A claim counts by its name.
fn claim(scene: &Scene<'_>, dice: &mut Random) -> Done {
    inside(scene, dice, &["epoch/00000000000000000001", "epoch/00000000000000000002"])
}

fn no_claims(scene: &Scene<'_>, _: &mut Random) -> Done {
    for name in scene.sample.names().filter(|name| name.starts_with("epoch/")) {
        scene.files.remove(name);
    }
    Done::default()
}

fn unnamed(scene: &Scene<'_>, dice: &mut Random) -> Done {
    scene.files.write(".headwater-new-1-1", &noise(600, dice));
    Done::default()
}

/// Something else stands under the name of a segment, whose bytes are gone.
fn instead(scene: &Scene<'_>, dice: &mut Random, make: fn(&Path)) -> Done {
    let at = one_of(&scene.sample.sealed(), dice);
    let segment = &scene.sample.segments[at];
    instead_of(scene.files, &segment.name, make);
    let missing = Expected::missing(segment, scene.sample.next(at));
    Done::seen(&[&segment.name], vec![missing, Expected::foreign(&segment.name)]).losing(segment.records())
}

/// In a folder something else stands under the name of a file.
pub(super) fn instead_of(files: &Files, name: &str, make: fn(&Path)) {
    if let Some(folder) = files.folder() {
        let path = folder.join(name);
        if files.read(name).is_some() {
            fs::remove_file(&path).expect("a file");
        }
        if fs::symlink_metadata(&path).is_err() {
            make(&path);
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pipe(path: &Path) {
    fs::create_dir(path).expect("a folder, where pipes are made otherwise");
}

pub(super) fn socket(path: &Path) {
    drop(std::os::unix::net::UnixListener::bind(path).expect("a socket"));
}

fn link(to: impl AsRef<Path>, path: &Path) {
    std::os::unix::fs::symlink(to, path).expect("a link");
}

/// The bytes are elsewhere: links are not followed.
fn moved(scene: &Scene<'_>, dice: &mut Random) -> Done {
    let at = one_of(&scene.sample.sealed(), dice);
    let segment = &scene.sample.segments[at];
    if let (Some(folder), Some(bytes)) = (scene.files.folder(), scene.files.read(&segment.name)) {
        let elsewhere = folder.with_extension(format!("moved-{at}"));
        fs::write(&elsewhere, bytes).expect("a file");
        fs::remove_file(folder.join(&segment.name)).expect("a file");
        link(elsewhere, &folder.join(&segment.name));
    }
    let missing = Expected::missing(segment, scene.sample.next(at));
    Done::seen(&[&segment.name], vec![missing, Expected::foreign(&segment.name)]).losing(segment.records())
}

/// No absence: the check cannot look. Whoever may read everything reads this too.
fn unreadable(scene: &Scene<'_>, dice: &mut Random) -> Done {
    use std::os::unix::fs::PermissionsExt;
    let segment = &scene.sample.segments[one_of(&scene.sample.sealed(), dice)];
    let Some(folder) = scene.files.folder() else { return Done::default() };
    let path = folder.join(&segment.name);
    if scene.files.read(&segment.name).is_some() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("permissions");
    }
    let may = fs::File::open(&path).is_ok();
    let error = (!may).then_some(headwater_wal::Kind::Unavailable);
    Done { error, ..Done::seen(&[&segment.name], Vec::new()) }
}
