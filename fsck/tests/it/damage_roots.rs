//! What is done between the parts of a root is what a check of all of them against one another says of it.

use headwater_checkpoint::resume::Root;
use headwater_fsck::damage::roots::{KINDS, Sound};
use headwater_fsck::damage::{Files, Told};
use headwater_fsck::{Against, Depth, Part, root};
use headwater_wal::store::Local;
use headwater_wal::{Error, Result};

use crate::damage_checkpoints::{differ, sorted};
use crate::journal_root::Place;

/// Everything that is found. What a log by itself loses, the catalogue of logs says.
fn found(path: &std::path::Path) -> Result<(Vec<Told>, String)> {
    let (mut found, mut pages) = (Vec::new(), String::new());
    root(&Root::local(path), &Local::open(path)?, Depth::Full, Against::Others, &mut |part| {
        match &part {
            Part::Checkpoints(report) => {
                found.extend(report.findings().iter().map(|one| Told::of("checkpoints", one)))
            }
            Part::Log { folder, report, needs } => found.extend(
                report
                    .findings()
                    .iter()
                    .chain(needs)
                    .map(|one| Told { lost: String::new(), ..Told::of(folder.as_str(), one) }),
            ),
            Part::Journal(report) => {
                pages += &report.to_string();
                found.extend(report.findings().iter().map(|one| Told::of("", one)))
            }
            Part::Failed { error, .. } => return Err(error.clone()),
        }
        Ok::<(), Error>(())
    })?;
    Ok((sorted(&found), pages))
}

#[test]
fn every_kind_of_damage_between_the_parts_of_a_root_is_told_and_nothing_else() {
    let place = Place::with_history().stop();
    let sound = Sound::read(&Files::Folder(place.path.clone()), &Files::Folder(place.journal()));
    assert_eq!(found(&place.path).unwrap().0, [], "nothing happened to it");
    let mut failures = Vec::new();
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        let files = Files::Folder(path.clone());
        sound.lay(&files);
        let expected = sorted(&kind.apply(&sound, &files));
        let before = files.bytes();
        let wrong = found(&path).map_err(|error| error.to_string());
        let wrong = wrong
            .and_then(|(told, page)| differ(&told, &expected).map_err(|wrong| format!("{wrong}\n{page}")));
        failures.extend(wrong.err().map(|wrong| format!("{kind:?}, seed 0: {wrong}")));
        assert_eq!(before, files.bytes(), "{kind:?}: looking changed something");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
