//! A log's life on a bucket.

use std::sync::Arc;
use std::time::Duration;

use headwater_wal::store::Store;
use headwater_wal::store::object::{Bucket, Patience};
use headwater_wal::{Kind, Log, Options, Position, Time};

use super::faulty::Fault::{Answer, Done, DoneHang, None as Fine, Taken};
use super::faulty::{BARE_CONFLICT, CONFLICT, Faulty, INTERNAL, LOST, SLOW_DOWN};
use super::in_memory;

fn start(store: &Arc<dyn Store>) -> Log {
    Log::open(store.clone(), Options::default()).unwrap().start(Position::START).unwrap()
}

fn replayed(log: &Log) -> Vec<String> {
    let records = log.replay(Position::START).unwrap();
    records.map(|record| String::from_utf8(record.unwrap().payload.to_vec()).unwrap()).collect()
}

#[test]
fn what_was_appended_is_read_replayed_and_found_by_the_next_life() {
    let store: Arc<dyn Store> = Arc::new(in_memory("log").0);
    let log = start(&store);
    let handles: Vec<_> = (0..20)
        .map(|at| log.append(Time(at), format!("record {at}")).unwrap())
        .map(|ticket| ticket.wait().unwrap())
        .collect();
    assert_eq!(log.read(&handles[7]).unwrap().payload, "record 7");
    log.close().unwrap();
    let log = start(&store);
    assert_eq!(log.read(&handles[19]).unwrap().payload, "record 19");
    assert_eq!(replayed(&log), (0..20).map(|at| format!("record {at}")).collect::<Vec<_>>());
    log.close().unwrap();
}

#[test]
fn a_replaced_writer_is_fenced_and_its_heir_has_all_that_was_acknowledged() {
    let store: Arc<dyn Store> = Arc::new(in_memory("log").0);
    let old = start(&store);
    old.append(Time(1), "of the old one").unwrap().wait().unwrap();
    let heir = start(&store);
    assert_eq!(old.append(Time(2), "too late").unwrap().wait().unwrap_err().kind(), Kind::Fenced);
    heir.append(Time(3), "of the heir").unwrap().wait().unwrap();
    assert_eq!(replayed(&heir), ["of the old one", "of the heir"]);
    heir.close().unwrap();
}

#[test]
fn every_record_is_acknowledged_and_found_through_lost_answers_throttling_and_lies() {
    let faulty = Faulty::default();
    let patience = Patience {
        attempt: Duration::from_millis(100),
        pause: Duration::from_millis(1),
        pause_max: Duration::from_millis(5),
        ..Patience::default()
    };
    let bucket = Bucket::new(Arc::new(faulty.clone()), "log").unwrap().patience(patience);
    let store: Arc<dyn Store> = Arc::new(bucket);
    let log = start(&store);
    let faults = [
        Done(LOST),
        Fine,
        Answer(SLOW_DOWN),
        Taken(CONFLICT),
        Taken(BARE_CONFLICT), // and nothing is there
        Fine,
        Done(INTERNAL),
        DoneHang,
        Fine,
        Answer(LOST),
        Fine,
    ];
    let _same = faulty.failing(&faults.repeat(10));
    for at in 0..40 {
        log.append(Time(at), format!("record {at}")).unwrap().wait().unwrap();
    }
    assert_eq!(replayed(&log), (0..40).map(|at| format!("record {at}")).collect::<Vec<_>>());
    log.close().unwrap();
    let heir = start(&store);
    assert_eq!(replayed(&heir).len(), 40);
    heir.close().unwrap();
}
