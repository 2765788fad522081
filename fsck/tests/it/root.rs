//! The check of whole roots, part by part.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use headwater_checkpoint::resume::Root;
use headwater_fsck::{Against, Depth, Here, Part, Severity, root, what_is_here};
use headwater_wal::store::{Local, Store};
use headwater_wal::{Error, Result};

use crate::journal_root::Place;

/// What is said of each part, in the order in which it is handed on: its name, and how many damages.
fn parts(of: &Root, whole: &dyn Store, against: Against) -> Result<Vec<(String, u64)>> {
    let mut said = Vec::new();
    root(of, whole, Depth::Full, against, &mut |part| {
        said.push(match part {
            Part::Checkpoints(report) => ("checkpoints".into(), report.count(Severity::Damaged)),
            Part::Log { folder, report, needs } => {
                (folder.to_string(), report.count(Severity::Damaged) + needs.len() as u64)
            }
            Part::Journal(report) => ("as a journal".into(), report.count(Severity::Damaged)),
            Part::Failed { folder, error } => (format!("{folder}: {error}"), 1),
        });
        Ok::<(), Error>(())
    })?;
    Ok(said)
}

/// A batch with two blocks, from the first arrival to the cleaning.
fn batch(place: &mut Place, batch: u64) {
    (0..6).for_each(|block| _ = place.receive(block % 2, 3));
    place.allot(batch);
    place.commit(batch, 0, 1);
    place.finish(batch);
    place.checkpoint();
    place.clean();
}

#[test]
fn each_part_is_handed_on_and_against_itself_the_journal_is_a_log_like_others() {
    let place = Place::with_history().stop();
    let whole = Local::open(&place.path).unwrap();
    assert_eq!(what_is_here(&whole).unwrap(), Here::Root);
    let alone = ["checkpoints", "journal", "received/0/0", "received/0/1"].map(|name| (name.into(), 0));
    assert_eq!(parts(&place.root(), &whole, Against::Itself).unwrap(), alone);
    let others = parts(&place.root(), &whole, Against::Others).unwrap();
    assert_eq!(others[..4], alone);
    assert_eq!(others[4..], [("as a journal".into(), 0)]);
    for (folder, here) in
        [("journal", Here::Log), ("checkpoints", Here::Checkpoints), ("received", Here::Nothing)]
    {
        assert_eq!(what_is_here(&Local::open(place.path.join(folder)).unwrap()).unwrap(), here);
    }
}

#[test]
fn a_part_that_cannot_be_opened_does_not_keep_the_others_from_being_checked() {
    let place = Place::with_history().stop();
    let (whole, within) = (Local::open(&place.path).unwrap(), place.root());
    let shut = Root::new(move |folder| match folder.as_str() {
        "received/0/0" => Err(Error::new(headwater_wal::Kind::Unavailable, "it is shut")),
        folder => within.folder(folder),
    });
    let said = parts(&shut, &whole, Against::Itself).unwrap();
    assert_eq!(said[2], ("received/0/0: unavailable: it is shut".into(), 1));
    assert_eq!(said[3], ("received/0/1".into(), 0));
}

#[test]
fn a_receivers_log_in_the_place_of_the_journal_is_told() {
    let place = Place::with_history().stop();
    let at = |folder: &str| place.path.join(folder);
    std::fs::remove_dir_all(at("journal")).unwrap();
    std::fs::rename(at("received/0/0"), at("journal")).unwrap();
    let whole = Local::open(&place.path).unwrap();
    let said = parts(&place.root(), &whole, Against::Others).unwrap();
    let (told, _) = said.last().unwrap();
    assert!(told.starts_with("journal: ") && told.contains("not a journal's events"), "{said:?}");
    std::fs::remove_dir_all(at("received")).unwrap();
    let said = parts(&place.root(), &whole, Against::Others).unwrap();
    let own = "a log of that name, of somebody without a driver";
    assert!(said.iter().all(|(part, _)| !part.contains("events")), "{own}: {said:?}");
}

#[test]
fn a_driver_that_goes_on_and_cleans_while_its_root_is_checked_is_called_no_damage() {
    let mut place = Place::new();
    batch(&mut place, 1);
    let (path, within) = (place.path.clone(), place.root());
    let place = Arc::new(Mutex::new(place));
    let (driver, is_begun) = (place.clone(), AtomicBool::new(false));
    // The checkpoints were looked at by then, and are pruned before the log is that they need.
    let moving = Root::new(move |folder| {
        if folder.as_str() == "journal" && !is_begun.swap(true, Ordering::SeqCst) {
            (2..20).for_each(|number| batch(&mut driver.lock().unwrap(), number));
        }
        within.folder(folder.as_str())
    });
    let whole = Local::open(path).unwrap();
    let said = parts(&moving, &whole, Against::Others).unwrap();
    assert!(said.iter().all(|(_, bad)| *bad == 0), "{said:?}");
}
