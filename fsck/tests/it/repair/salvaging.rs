//! What can be read, copied into a new log.

use std::sync::Arc;

use headwater_fsck::{Depth, check, salvage, salvage_telling};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{Kind, Log, Position, Reader};

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
    for origin in Place::both() {
        for class in CLASSES.iter().filter(|class| !class.growing || origin.is_growing()) {
            let place = origin.fork(5);
            (class.damage)(&place);
            let before = place.bytes();
            let to: Arc<dyn Store> = Arc::new(Memory::growing());
            let salvaged = salvage(&place.sim.store(), &to).unwrap();
            let lost = (class.lost)(&place);
            let name = format!("{}, growing={}: {salvaged}", class.name, place.is_growing());
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
