//! What repairs left: their quarantine, which nothing depends on, and the marks of repairs and salvages that were cut short.

use headwater_wal::format::name::{QUARANTINE, UNFILLED, UNFINISHED};
use headwater_wal::store::sim::Random;

use super::{Done, Expected, Kind, Media, Scene, noise};
use crate::Severity;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "the manifest of an earlier repair is noise",
        media: Media::Any,
        act: |s, d| kept(s, d, &["repair-000001/manifest.jsonl", "repair-000001/stray"]),
    },
    Kind {
        name: "a file in place of an earlier repair's folder",
        media: Media::Folder,
        act: |s, d| {
            kept(s, d, &["repair-000001"]);
            marked(s, UNFINISHED, &[])
        },
    },
    Kind {
        name: "the mark of a repair, of nothing",
        media: Media::Any,
        act: |s, _| marked(s, UNFINISHED, &[]),
    },
    Kind {
        name: "the mark of a repair, of noise",
        media: Media::Any,
        act: |s, d| marked(s, UNFINISHED, &noise(50, d)),
    },
    Kind {
        name: "the mark of a repair that cannot be counted on from",
        media: Media::Any,
        act: |s, d| {
            kept(s, d, &["repair-4294967295/manifest.jsonl"]);
            marked(s, UNFINISHED, &[])
        },
    },
    Kind { name: "the mark of a salvage", media: Media::Any, act: |s, d| marked(s, UNFILLED, &noise(3, d)) },
];

/// Nothing looks at it.
fn kept(scene: &Scene<'_>, dice: &mut Random, names: &[&str]) -> Done {
    let names: Vec<String> = names.iter().map(|name| format!("{QUARANTINE}/{name}")).collect();
    names.iter().for_each(|name| scene.files.write(name, &noise(100, dice)));
    Done { files: names, ..Done::default() }
}

/// The log does not start.
fn marked(scene: &Scene<'_>, mark: &str, bytes: &[u8]) -> Done {
    scene.files.write(mark, bytes);
    let told =
        Expected { severity: Severity::Damaged, file: Some(mark.to_owned()), offset: None, range: None };
    Done::seen(&[mark], vec![told])
}
