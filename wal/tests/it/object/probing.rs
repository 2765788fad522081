//! What the probe finds out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_wal::store::object::{Bucket, Patience};
use headwater_wal::store::probe::{Findings, Held, probe};
use headwater_wal::store::{Local, Memory, Name, Store, What};
use headwater_wal::{Kind, Log, Options, Position};

use super::faulty::{Condition, FORBIDDEN, Fault, Faulty, LOST, SLOW_DOWN};
use super::in_memory;

fn broken(findings: &Findings) -> Vec<&str> {
    let broken = findings.list().iter().filter(|finding| *finding.held() != Held::Yes);
    broken.map(|finding| finding.property()).collect()
}

fn bucket(store: &Faulty) -> Bucket {
    Bucket::new(Arc::new(store.clone()), "p").unwrap()
}

/// Whether no file is there; a disk keeps a folder that has become empty.
fn is_empty(store: &dyn Store) -> bool {
    let mut folders = vec![Name::ROOT];
    while let Some(folder) = folders.pop() {
        for entry in store.list(&folder).unwrap().flat_map(Result::unwrap) {
            match entry.what {
                What::Folder => folders.push(folder.join(&entry.name).unwrap()),
                _ => return false,
            }
        }
    }
    true
}

#[test]
fn every_medium_of_ours_is_fit_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn Store>; 4] = [
        Arc::new(Memory::objects()),
        Arc::new(Memory::growing()),
        Arc::new(Local::open(folder.path()).unwrap()),
        Arc::new(in_memory("p").0),
    ];
    for store in stores {
        let findings = probe(&*store).unwrap();
        assert!(findings.fit(), "{findings}");
        assert_eq!(findings.place(), store.place());
        assert!(findings.list().len() >= 6);
        assert!(is_empty(&*store), "{}", store.place());
    }
}

#[test]
fn a_store_that_ignores_the_condition_is_found_out_and_refused() {
    let store = Faulty::default().with(Condition::Ignored);
    let findings = probe(&bucket(&store)).unwrap();
    assert_eq!(broken(&findings), ["a name is given once", "of racing puts one wins"], "{findings}");
    assert!(findings.to_string().contains("no log may lie here"));
    let opened = Log::open(Arc::new(bucket(&store)), Options::default()).unwrap();
    let refused = opened.start(Position::START).unwrap_err();
    assert_eq!(refused.kind(), Kind::Unsupported);
    assert!(refused.to_string().contains("unproven=accept"), "{refused}");
    assert!(is_empty(&bucket(&store)), "and no log was begun");
    let opened = Log::open(Arc::new(bucket(&store).unproven()), Options::default()).unwrap();
    opened.start(Position::START).unwrap().close().unwrap();
}

#[test]
fn a_store_that_checks_the_condition_and_puts_later_is_found_out() {
    let store = Faulty::default().with(Condition::Racy);
    let findings = probe(&bucket(&store)).unwrap();
    assert_eq!(broken(&findings), ["of racing puts one wins"], "{findings}");
    assert_eq!(bucket(&store).prove().unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn lost_answers_and_throttling_do_not_condemn_a_store() {
    let faults = [Fault::None, Fault::Done(LOST), Fault::None, Fault::Answer(SLOW_DOWN), Fault::None];
    let store = Faulty::default().failing(&faults.repeat(60));
    let findings = probe(&bucket(&store)).unwrap();
    assert!(findings.fit(), "{findings}");
    assert!(is_empty(&bucket(&store)));
}

#[test]
fn a_store_on_which_nothing_can_be_removed_is_told_apart_from_one_that_is_away() {
    for (fault, says) in [(FORBIDDEN, "no log may lie here"), (LOST, "was not found out")] {
        let store = Faulty::default();
        store.removing(Fault::Answer(fault));
        let patience = Patience { deadline: Duration::from_millis(50), ..Patience::default() };
        let findings = probe(&bucket(&store).patience(patience)).unwrap();
        assert_eq!(broken(&findings), ["what is removed is gone"], "{findings}");
        assert!(findings.to_string().contains(says), "{findings}");
    }
}

#[test]
fn a_probe_takes_less_than_two_seconds_where_each_request_takes_5_ms() {
    let store = Faulty::default().slow(Duration::from_millis(5));
    let began = Instant::now();
    let findings = probe(&bucket(&store)).unwrap();
    assert!(findings.fit(), "{findings}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn where_a_store_cannot_be_reached_nothing_is_found_out() {
    let store = Faulty::default();
    store.always(Some(Fault::Answer(FORBIDDEN)));
    assert_eq!(probe(&bucket(&store)).unwrap_err().kind(), Kind::Invalid);
}
