//! Many at once, and never more than is allowed.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use headwater_wal::store::Memory;
use headwater_wal::{Compression, Handle, Log, Opened, Options, Position, Reader, Time};

use super::Far;

const DELAY_MS: u64 = 5;
const MIB: u64 = 1 << 20;

fn options() -> Options {
    Options::default().compression(Compression::Off).record_bytes_max(32 << 20)
}

/// A log of so many objects, a record of so many bytes in each.
fn log_of(count: usize, bytes: u64) -> (Memory, Vec<Handle>) {
    let store = Memory::objects();
    let log = Log::open(Arc::new(store.clone()), options()).unwrap().start(Position::START).unwrap();
    let payload = bytes::Bytes::from(vec![7; bytes as usize]);
    let handles = (0..count).map(|_| log.append(Time(1), payload.clone()).unwrap().wait().unwrap()).collect();
    log.close().unwrap();
    (store, handles)
}

fn open(far: &Far) -> Opened {
    Log::open(Arc::new(far.clone()), options()).unwrap()
}

/// How many reads it takes, and how long, when each one has a way to go.
fn measured<T>(far: &Far, call: impl FnOnce() -> T) -> (u64, Duration, T) {
    far.slow_down(DELAY_MS);
    let (before, begin) = (far.seen.reads.load(Relaxed), Instant::now());
    let answer = call();
    let took = begin.elapsed();
    far.slow_down(0);
    (far.seen.reads.load(Relaxed) - before, took, answer)
}

#[test]
fn a_replay_of_small_objects_has_64_reads_under_way_and_takes_a_fraction_of_the_time() {
    let (store, handles) = log_of(600, 100);
    let replay = |far: &Far| {
        let opened = open(far);
        let (reads, took, count) =
            measured(far, || opened.replay(Position::START).unwrap().map(Result::unwrap).count());
        assert_eq!(count, handles.len());
        assert!((600..=602).contains(&reads), "each object is read once, and what lists them: {reads}");
        took
    };
    let far = Far::new(&store);
    let ahead = replay(&far);
    assert_eq!(far.seen.most.load(Relaxed), 64);
    let serial = replay(&Far::new(&store).serial());
    assert!(serial > 6 * ahead, "one by one {serial:?}, ahead {ahead:?}");
}

#[test]
fn a_replay_of_large_objects_has_64_mib_under_way() {
    let (store, _) = log_of(40, 5 * MIB);
    let far = Far::new(&store);
    let opened = open(&far);
    let (reads, _, count) =
        measured(&far, || opened.replay(Position::START).unwrap().map(Result::unwrap).count());
    assert_eq!((reads, count), (40, 40));
    let most = far.seen.bytes_most.load(Relaxed);
    assert!((50 * MIB..=64 * MIB).contains(&most), "{most}");
}

#[test]
fn an_object_that_is_longer_than_that_comes_in_pieces_of_8_mib() {
    let (store, handles) = log_of(2, 29 * MIB);
    let far = Far::new(&store);
    let records: Vec<_> = open(&far).replay(Position::START).unwrap().map(Result::unwrap).collect();
    assert!(records.iter().map(|record| record.handle).eq(handles));
    assert_eq!(far.seen.longest.load(Relaxed), 8 * MIB);
}

#[test]
fn a_few_records_cause_a_few_reads_and_what_is_dropped_is_given_up() {
    let (store, handles) = log_of(200, 100);
    let far = Far::new(&store);
    let mut replay = open(&far).replay(Position::START).unwrap();
    let before = far.seen.reads.load(Relaxed);
    replay.next().unwrap().unwrap();
    assert!(far.seen.reads.load(Relaxed) - before <= 6);
    replay.nth(80).unwrap().unwrap();
    assert!(far.seen.under_way.load(Relaxed) > 32);
    drop(replay);
    assert_eq!(far.seen.under_way.load(Relaxed), 0);

    let reader = Reader::open(Arc::new(far.clone())).unwrap();
    let mut records = reader.read_many(&handles);
    let before = far.seen.reads.load(Relaxed);
    records.next().unwrap().unwrap();
    assert!(far.seen.reads.load(Relaxed) - before <= 6);
    records.nth(80).unwrap().unwrap();
    assert!(far.seen.under_way.load(Relaxed) > 32);
    drop(records);
    assert_eq!(far.seen.under_way.load(Relaxed), 0);
}

#[test]
fn nothing_is_read_before_the_first_record_is_asked_for() {
    let (store, handles) = log_of(5, 100);
    let far = Far::new(&store);
    let opened = open(&far);
    let reader = Reader::open(Arc::new(far.clone())).unwrap();
    let before = far.seen.reads.load(Relaxed);
    let _replay = opened.replay(Position::START).unwrap();
    let _records = reader.read_many(&handles);
    assert_eq!(far.seen.reads.load(Relaxed), before);
}

#[test]
fn a_replay_from_a_late_position_or_time_reads_nothing_of_what_lies_before() {
    let store = Memory::objects();
    let log = Log::open(Arc::new(store.clone()), options()).unwrap().start(Position::START).unwrap();
    let handles: Vec<_> = (0..100).map(|time| log.append(Time(time), "x").unwrap().wait().unwrap()).collect();
    log.close().unwrap();
    let far = Far::new(&store);
    let opened = open(&far);
    let (reads, _, count) = measured(&far, || opened.replay(handles[90].position()).unwrap().count());
    assert_eq!((reads, count), (11, 10), "and the index of the first");
    let (reads, _, count) = measured(&far, || opened.replay_since(Time(95)).unwrap().count());
    assert_eq!((reads, count), (5, 5));
}

#[test]
fn many_handles_of_different_objects_are_read_at_once_and_in_order() {
    let (store, mut handles) = log_of(600, 100);
    handles.reverse();
    let many = |far: &Far| {
        let reader = Reader::open(Arc::new(far.clone())).unwrap();
        let (reads, took, records) =
            measured(far, || reader.read_many(&handles).map(Result::unwrap).collect::<Vec<_>>());
        assert!(records.iter().map(|record| &record.handle).eq(&handles));
        assert_eq!(reads, 600);
        took
    };
    let far = Far::new(&store);
    let ahead = many(&far);
    assert_eq!(far.seen.most.load(Relaxed), 64);
    let serial = many(&Far::new(&store).serial());
    assert!(serial > 6 * ahead, "one by one {serial:?}, ahead {ahead:?}");
}

#[test]
fn large_records_are_read_64_mib_at_once() {
    let (store, handles) = log_of(40, 5 * MIB);
    let far = Far::new(&store);
    let reader = Reader::open(Arc::new(far.clone())).unwrap();
    let (reads, _, count) = measured(&far, || reader.read_many(&handles).map(Result::unwrap).count());
    assert_eq!((reads, count), (40, 40));
    let most = far.seen.bytes_most.load(Relaxed);
    assert!((50 * MIB..=64 * MIB).contains(&most), "{most}");
}

#[test]
fn handles_that_lie_together_in_one_object_share_a_read_in_whatever_order_they_come() {
    let store = Memory::objects();
    let log = Log::open(Arc::new(store.clone()), options()).unwrap().start_stepped(Position::START).unwrap();
    let mut handles = Vec::new();
    for _ in 0..3 {
        // What waits together is one group, and so one object.
        let tickets: Vec<_> = (0..50).map(|_| log.append(Time(1), vec![7; 1000]).unwrap()).collect();
        handles.extend(tickets.into_iter().map(|ticket| ticket.wait().unwrap()));
    }
    for object in handles.chunks_mut(50) {
        object.reverse();
        object.swap(3, 40);
    }
    let far = Far::new(&store);
    let reader = Reader::open(Arc::new(far.clone())).unwrap();
    let records: Vec<_> = reader.read_many(&handles).map(Result::unwrap).collect();
    assert!(records.iter().map(|record| &record.handle).eq(&handles));
    assert_eq!(far.seen.reads.load(Relaxed), 3);
}
