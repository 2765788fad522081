//! What can be read, copied into a new log.

use std::sync::Arc;

use headwater_fsck::{Depth, check, plan, salvage, salvage_telling};
use headwater_wal::store::sim::{Fault, Sim, When};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{Kind, Log, Position, Reader, Time};

use super::classes::CLASSES;
use super::{Place, RECORDS, all_but, options, payload};

/// The numbers of a log's records, in order; each is what it was.
fn records(store: &Arc<dyn Store>) -> Vec<usize> {
    let opened = Log::open(store.clone(), options()).unwrap();
    let numbers = opened.replay(Position::START).unwrap().map(|record| {
        let record = record.unwrap();
        let number = (record.time.0 - 1_000) as usize;
        assert_eq!((record.kind, &record.payload[..]), (7, payload(number).as_bytes()));
        number
    });
    numbers.collect()
}

#[test]
fn every_record_that_no_damage_hit_is_salvaged_in_order_and_nothing_of_the_old_log_changes() {
    for origin in Place::all() {
        for class in CLASSES.iter().filter(|class| !class.growing || origin.is_growing()) {
            let place = origin.fork(5);
            (class.damage)(&place);
            let before = place.bytes();
            let to: Arc<dyn Store> = Arc::new(Memory::growing());
            let salvaged = salvage(&place.sim.store(), &to).unwrap();
            let lost = (class.lost)(&place);
            let name = format!("{}, on {}: {salvaged}", class.name, place.medium());
            assert_eq!(records(&to), all_but(&lost).into_iter().collect::<Vec<_>>(), "{name}");
            assert_eq!(salvaged.records as usize, RECORDS - lost.len(), "{name}");
            assert!(lost.is_empty() || salvaged.unreadable_count > 0, "{name}");
            assert!(check(&*to, Position::START, Depth::Full).unwrap().is_sound());
            assert_eq!(place.bytes(), before, "{name}");
        }
    }
}

#[test]
fn each_record_is_told_with_the_handle_it_had_and_the_one_it_has() {
    let place = Place::growing();
    let to: Arc<dyn Store> = Arc::new(Memory::objects());
    let mut moved = Vec::new();
    salvage_telling(&place.sim.store(), &to, &mut |was, is| moved.push((*was, *is))).unwrap();
    assert_eq!(moved.iter().map(|(was, _)| *was).collect::<Vec<_>>(), *place.handles);
    let reader = Reader::open(to).unwrap();
    for (number, (_, is)) in moved.iter().enumerate() {
        assert_eq!(reader.read(is).unwrap().payload, payload(number));
    }
}

#[test]
fn where_something_is_already_nothing_is_salvaged_to() {
    let (place, other) = (Place::growing(), Place::growing());
    let before = other.bytes();
    let error = salvage(&place.sim.store(), &other.sim.store()).unwrap_err();
    assert_eq!(error.kind(), Kind::Exists);
    assert_eq!(other.bytes(), before);
}

/// A log of more records than a salvage has under way at once.
fn long(records: usize) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(Memory::growing());
    let log = Log::open(store.clone(), options()).unwrap().start(Position::START).unwrap();
    let tickets: Vec<_> = (0..records).map(|_| log.append(Time(1), "x").unwrap()).collect();
    tickets.into_iter().for_each(|ticket| assert!(ticket.wait().is_ok()));
    log.close().unwrap();
    store
}

#[test]
fn a_salvage_that_was_cut_short_is_no_log_that_starts_with_a_part() {
    const LONG: usize = 4000;
    let from = long(LONG);
    for whole in [Sim::growing(4), Sim::objects(4)] {
        let trial = whole.fork(1);
        salvage(&from, &trial.store()).unwrap();
        let mut parts = 0;
        for step in 1..=trial.operations() - whole.operations() {
            let to = whole.fork(1);
            to.plan(When::nth(step), Fault::Crash);
            let outcome = salvage(&from, &to.store());
            to.calm();
            to.power_cut();
            let opened = Log::open(to.store(), options()).unwrap();
            let records = opened.replay(Position::START).unwrap().filter(Result::is_ok).count();
            let Err(error) = opened.start_stepped(Position::START) else {
                assert!(records == 0 || records == LONG, "cut at step {step}: it starts with {records}");
                continue;
            };
            assert!(outcome.is_err() && error.to_string().contains("salvage"), "{error}");
            if records == LONG {
                continue; // the mark is on its way
            }
            parts += usize::from(records > 0);
            let report = check(&*to.store(), Position::START, Depth::Full).unwrap();
            assert!(!report.is_sound() && report.to_string().contains("salvage"), "{report}");
            let plan = plan(&to.store(), &report).unwrap();
            assert!(plan.is_empty() && plan.by_hand().len() == 1, "{plan}");
        }
        assert!(parts > 0, "it was never cut in the middle");
    }
}

#[test]
fn a_segment_that_is_open_is_not_left_out_of_a_salvage_in_silence() {
    // Of the longer one the beginning can be read.
    for records in [3, 30] {
        let (place, _) = Place::open(records, false);
        let error =
            salvage(&place.sim.store(), &(Arc::new(Memory::growing()) as Arc<dyn Store>)).unwrap_err();
        assert!(error.kind() == Kind::Unavailable && error.to_string().contains("lease"), "{error}");
        place.sim.expire_leases();
        let to: Arc<dyn Store> = Arc::new(Memory::growing());
        assert_eq!(salvage(&place.sim.store(), &to).unwrap().records as usize, records);
    }
}
