//! Checkpoints on memory, local disk and the simulated device.

mod journal;

use std::sync::Arc;

use bytes::Bytes;
use headwater_checkpoint::{Checkpoints, Id, STATE_BYTES_MAX};
use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::store::{Local, Memory, Name, Store};
use headwater_wal::{Kind, Position};

fn open(store: &Arc<dyn Store>, epoch: u64) -> Checkpoints {
    Checkpoints::open(store.clone(), epoch).unwrap()
}

/// The newest good checkpoint as epoch, number, state and position, and how many were passed over.
fn latest(store: &Arc<dyn Store>) -> (Option<(u64, u64, String, u64)>, usize) {
    let latest = open(store, 999).latest().unwrap();
    let text = |state: &Bytes| String::from_utf8(state.to_vec()).unwrap();
    let found = latest.checkpoint;
    let found = found.map(|found| (found.id.epoch, found.id.number, text(&found.state), found.journal.0));
    (found, latest.passed_over.len())
}

fn names(store: &Arc<dyn Store>) -> Vec<Name> {
    let pages = store.list(&Name::ROOT).unwrap();
    pages.flat_map(|page| page.unwrap()).map(|entry| Name::new(entry.name).unwrap()).collect()
}

fn on_every_store(test: impl Fn(Arc<dyn Store>)) {
    let dir = tempfile::tempdir().unwrap();
    test(Arc::new(Memory::objects()));
    test(Arc::new(Local::open(dir.path().join("checkpoints")).unwrap()));
    test(Sim::objects(1).store());
}

#[test]
fn the_newest_of_the_newest_epoch_is_the_latest_whatever_was_written_last() {
    on_every_store(|store| {
        assert_eq!(latest(&store), (None, 0));
        let mut old = open(&store, 1);
        for number in 0..12 {
            let id = old.write(format!("old {number}").into(), Position(number)).unwrap();
            assert_eq!(id, Id { epoch: 1, number });
        }
        assert_eq!(latest(&store), (Some((1, 11, "old 11".into(), 11)), 0));
        open(&store, 2).write("new".into(), Position(50)).unwrap();
        assert_eq!(old.write("late".into(), Position(60)).unwrap_err().kind(), Kind::Fenced);
        assert_eq!(latest(&store), (Some((2, 0, "new".into(), 50)), 0));
        // A second life in the same epoch goes on counting.
        assert_eq!(open(&store, 2).write("".into(), Position(51)).unwrap(), Id { epoch: 2, number: 1 });
        assert_eq!(latest(&store), (Some((2, 1, String::new(), 51)), 0));
    });
}

#[test]
fn of_two_writers_of_one_epoch_one_is_told() {
    on_every_store(|store| {
        let (mut one, mut other) = (open(&store, 1), open(&store, 1));
        one.write("one".into(), Position(1)).unwrap();
        assert_eq!(other.write("two".into(), Position(1)).unwrap_err().kind(), Kind::Fenced);
        assert_eq!(latest(&store), (Some((1, 0, "one".into(), 1)), 0));
    });
}

#[test]
fn a_damaged_newest_is_reported_and_passed_over_and_left_alone() {
    on_every_store(|store| {
        let mut checkpoints = open(&store, 1);
        checkpoints.write("good".into(), Position(1)).unwrap();
        checkpoints.write("bad".into(), Position(2)).unwrap();
        let newest = names(&store).pop().unwrap();
        let mut bytes = store.read(&newest, 0..1000).unwrap().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        store.remove(&newest).unwrap();
        store.put(&newest, bytes.into()).unwrap();
        assert_eq!(latest(&store), (Some((1, 0, "good".into(), 1)), 1));
        let error = open(&store, 1).latest().unwrap().passed_over.remove(0);
        assert_eq!(error.site().unwrap().name, newest.as_str());
        assert_eq!(open(&store, 1).write("next".into(), Position(3)).unwrap().number, 2);
        assert_eq!(latest(&store), (Some((1, 2, "next".into(), 3)), 0));
        assert_eq!(names(&store).len(), 3);
    });
}

#[test]
fn a_head_under_another_name_never_verifies() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let mut checkpoints = open(&store, 1);
    checkpoints.write("one".into(), Position(1)).unwrap();
    let bytes = store.read(&names(&store)[0], 0..1000).unwrap();
    store.put(&Name::new("00000000000000000009-00000000000000000000.ckpt").unwrap(), bytes).unwrap();
    assert_eq!(latest(&store), (Some((1, 0, "one".into(), 1)), 1));
}

#[test]
fn a_checkpoint_of_a_newer_release_is_not_passed_over() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    open(&store, 1).write("one".into(), Position(1)).unwrap();
    let mut bytes = store.read(&names(&store)[0], 0..1000).unwrap().to_vec();
    bytes[8] = 2;
    store.put(&Name::new("00000000000000000001-00000000000000000001.ckpt").unwrap(), bytes.into()).unwrap();
    assert_eq!(open(&store, 1).latest().unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn a_put_with_a_lost_answer_is_settled_or_called_unknown() {
    for (fault, want) in [
        (Fault::ExistsOwn, None),
        (Fault::ExistsNothing, Some(Kind::Unknown)),
        (Fault::AnswerLost, Some(Kind::Unknown)),
        (Fault::RequestLost, Some(Kind::Unknown)),
        (Fault::Full, Some(Kind::Full)),
    ] {
        let sim = Sim::objects(7);
        let store = sim.store();
        let mut checkpoints = open(&store, 1);
        sim.plan(When::nth(1).of(Op::Put), fault);
        let answer = checkpoints.write("first".into(), Position(1));
        assert_eq!(answer.as_ref().err().map(|error| error.kind()), want, "{fault:?}");
        if answer.is_ok() {
            assert_eq!(latest(&store), (Some((1, 0, "first".into(), 1)), 0), "{fault:?}");
        }
        checkpoints.write("second".into(), Position(2)).unwrap();
        assert_eq!(latest(&store), (Some((1, 1, "second".into(), 2)), 0), "{fault:?}");
    }
}

#[test]
fn what_was_written_outlives_a_power_cut_and_a_late_put_never_wins() {
    for seed in 0..50 {
        let sim = if seed % 2 == 0 { Sim::objects(seed) } else { Sim::growing(seed) };
        let store = sim.store();
        let mut checkpoints = open(&store, 1);
        if seed % 2 == 0 {
            sim.plan(When::nth(1).of(Op::Put), Fault::Held);
            assert_eq!(checkpoints.write("held".into(), Position(9)).unwrap_err().kind(), Kind::Unknown);
        }
        let written = checkpoints.write("kept".into(), Position(1)).unwrap();
        sim.power_cut();
        sim.land_all();
        let store = sim.store();
        let want = Some((1, written.number, "kept".into(), 1));
        assert_eq!(latest(&store), (want, 0), "seed={seed}");
    }
}

#[test]
fn a_read_that_fails_is_never_a_checkpoint_that_is_passed_over() {
    let sim = Sim::objects(3);
    let store = sim.store();
    let mut checkpoints = open(&store, 1);
    checkpoints.write("old".into(), Position(1)).unwrap();
    checkpoints.write("new".into(), Position(2)).unwrap();
    sim.plan(When::nth(1).of(Op::Read), Fault::Error);
    assert_eq!(checkpoints.latest().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(latest(&store), (Some((1, 1, "new".into(), 2)), 0));
}

#[test]
fn a_state_that_no_head_holds_is_refused_before_anything_is_written() {
    let store: Arc<dyn Store> = Arc::new(Memory::objects());
    let error = open(&store, 1).write(vec![0; STATE_BYTES_MAX + 1].into(), Position(1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(names(&store).is_empty());
}
