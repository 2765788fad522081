//! A whole life of a log: appended, closed, opened, replayed, read, sealed, retired.

use headwater_stores::servers::Bucket;
use headwater_wal::{Kind, Position, Reader, Ticket, Time};

use super::place::{Place, on_hdfs, on_servers, text};

on_servers! {
    what_was_acknowledged_is_found_again_after_a_close_and_after_none
    what_is_retired_is_gone_and_what_is_kept_stays
    a_log_that_was_taken_over_is_fenced_and_a_reader_needs_nobody
}
on_hdfs! {
    what_was_acknowledged_is_found_again_after_a_close_and_after_none
    what_is_retired_is_gone_and_what_is_kept_stays
    a_log_that_was_taken_over_is_fenced
}

fn what_was_acknowledged_is_found_again_after_a_close_and_after_none(bucket: &Bucket) {
    let mut place = Place::new(bucket, "found");
    let log = place.start();
    place.write(&log, 0..100);
    log.seal().expect("it seals");
    place.write(&log, 100..150);
    log.close().expect("it closes");
    assert_eq!(log.append(Time(1), "late").expect_err("it is closed").kind(), Kind::Closed);
    let log = place.start();
    assert_eq!(place.agrees(&log), 150);
    place.write(&log, 150..200);
    std::mem::forget(log); // a process that is killed says nothing either
    let log = place.start();
    assert_eq!((log.epoch(), place.agrees(&log)), (3, 200));
    let since: Vec<_> =
        log.replay(place.acked["150"].position()).unwrap().map(|record| text(&record.unwrap())).collect();
    assert_eq!(since, (150..200).map(|number| number.to_string()).collect::<Vec<_>>());
}

fn what_is_retired_is_gone_and_what_is_kept_stays(bucket: &Bucket) {
    let mut place = Place::new(bucket, "retired");
    let log = place.start();
    place.write(&log, 0..60);
    log.seal().expect("it seals");
    let pin = log.pin(place.acked["30"].position()).expect("it is there");
    log.retire_before(Time::MAX).expect("it retires");
    let (pinned, begins) = (place.acked["30"].position(), log.range().start);
    place.acked.retain(|_, handle| handle.position() >= pinned);
    assert!(begins > Position::START && begins <= pinned, "it begins at {begins}");
    place.agrees(&log);
    drop(pin);
    log.retire_before(Time::MAX).expect("it retires");
    let gone = place.acked.remove("30").expect("it was there");
    place.acked.clear();
    assert_eq!(log.read(&gone).expect_err("it was retired").kind(), Kind::Retired);
    place.write(&log, 60..70);
    log.close().expect("it closes");
    assert_eq!(place.agrees(&place.start()), 10);
}

fn a_log_that_was_taken_over_is_fenced_and_a_reader_needs_nobody(bucket: &Bucket) {
    let mut place = Place::new(bucket, "fenced");
    let old = place.start();
    place.write(&old, 0..20);
    let new = place.start();
    place.write(&new, 20..40);
    let error = place.append(&old, "late").wait().expect_err("it was replaced");
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    let reader = Reader::open(place.store()).expect("a reader");
    for (record, handle) in &place.acked {
        assert_eq!(text(&reader.read(handle).expect("it is read")), *record);
    }
    assert_eq!(place.agrees(&new), 40);
}

/// Nothing of a file that is open can be read there, so the new one seals before it is looked at.
fn a_log_that_was_taken_over_is_fenced(bucket: &Bucket) {
    let mut place = Place::new(bucket, "fenced");
    let old = place.start();
    place.write(&old, 0..20);
    let new = place.start();
    place.write(&new, 20..40);
    // Its idle writer may have found out before anything is appended; then nothing is taken in any more.
    let error = old.append(Time(1), "late").and_then(Ticket::wait).expect_err("it was replaced");
    assert!(matches!(error.kind(), Kind::Fenced | Kind::Unknown | Kind::Closed), "{error}");
    assert!(old.append(Time(1), "later still").is_err(), "nothing more is taken in");
    new.seal().expect("it seals");
    assert_eq!(place.agrees(&new), 40);
    let reader = Reader::open(place.store()).expect("a reader");
    for (record, handle) in &place.acked {
        assert_eq!(text(&reader.read(handle).expect("it is read")), *record);
    }
}
