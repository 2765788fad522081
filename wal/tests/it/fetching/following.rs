//! Following objects: a read each, and no look at the log for any of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use headwater_wal::store::{Memory, Name, Store};
use headwater_wal::{Compression, Follow, Handle, Kind, Log, Options, Position, Reader, Time};

use super::Far;

fn start(store: &Memory) -> Log {
    let options = Options::default().compression(Compression::Off);
    Log::open(Arc::new(store.clone()), options).unwrap().start(Position::START).unwrap()
}

fn fill(log: &Log, count: usize) -> Vec<Handle> {
    (0..count).map(|_| write(log)).collect()
}

fn write(log: &Log) -> Handle {
    log.append(Time(1), "text").unwrap().wait().unwrap()
}

fn follow(far: &Far, from: Position) -> Follow {
    Reader::open(Arc::new(far.clone())).unwrap().follow(from)
}

fn shown(follow: &mut Follow) -> Vec<Handle> {
    follow.map(|record| record.unwrap().handle).collect()
}

/// Reads and lists that it takes.
fn requests<T>(far: &Far, call: impl FnOnce() -> T) -> (u64, u64, T) {
    let counts = || (far.seen.reads.load(Relaxed), far.seen.lists.load(Relaxed));
    let before = counts();
    let answer = call();
    (counts().0 - before.0, counts().1 - before.1, answer)
}

#[test]
fn a_follower_beside_the_writer_reads_each_object_once_and_asks_for_more_with_one_read() {
    let store = Memory::objects();
    let far = Far::new(&store);
    let log = start(&store);
    fill(&log, 100);
    let mut follower = follow(&far, Position::START);
    assert_eq!(shown(&mut follower).len(), 100);
    for _ in 0..50 {
        let handle = write(&log);
        let (reads, lists, seen) = requests(&far, || shown(&mut follower));
        assert_eq!(seen, [handle]);
        assert_eq!((reads, lists), (2, 0), "the object, and that there is no next one");
    }
    let (reads, lists, ()) = requests(&far, || (0..160).for_each(|_| assert!(follower.next().is_none())));
    assert_eq!((reads, lists), (160, 10), "idle");
}

#[test]
fn a_follower_at_the_end_of_a_log_does_not_look_at_all_of_it_each_time() {
    let store = Memory::objects();
    let far = Far::new(&store);
    let log = start(&store);
    fill(&log, 100);
    let end = write(&log).end();
    let mut follower = follow(&far, end);
    assert!(follower.next().is_none());
    let (reads, lists, next) = requests(&far, || follower.next());
    assert!(next.is_none());
    assert_eq!((reads, lists), (1, 0));
    let handle = write(&log);
    assert_eq!(shown(&mut follower), [handle]);
}

#[test]
fn who_has_fallen_behind_is_read_ahead_for() {
    let store = Memory::objects();
    let far = Far::new(&store);
    let log = start(&store);
    let mut follower = follow(&far, Position::START);
    let first = write(&log);
    assert_eq!(shown(&mut follower), [first]);
    let handles = fill(&log, 700);
    let (reads, lists, seen) = requests(&far, || shown(&mut follower));
    assert_eq!(seen, handles);
    assert_eq!(reads, 701, "each once, and that there is no next one");
    assert!((7..=9).contains(&lists), "pages have 100 names: {lists}");
    assert_eq!(far.seen.most.load(Relaxed), 64);
    drop(follower);
    assert_eq!(far.seen.under_way.load(Relaxed), 0);
}

#[test]
fn a_follower_goes_over_from_one_epoch_to_the_next_by_its_name() {
    let store = Memory::objects();
    let far = Far::new(&store);
    let log = start(&store);
    let first = write(&log);
    let mut follower = follow(&far, Position::START);
    assert_eq!(shown(&mut follower), [first]);
    drop(log);
    let log = start(&store);
    let second = write(&log);
    let (reads, lists, seen) = requests(&far, || shown(&mut follower));
    assert_eq!(seen, [second]);
    assert_eq!(
        (reads, lists),
        (3, 0),
        "the epoch's first segment, the record's, and that there is no next one"
    );
}

#[test]
fn a_follower_whose_next_object_was_retired_is_told_so_after_a_few_polls() {
    let store = Memory::objects();
    let far = Far::new(&store);
    let log = start(&store);
    let first = write(&log);
    let mut follower = follow(&far, Position::START);
    assert_eq!(shown(&mut follower), [first]);
    fill(&log, 20);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(log.retire_before(Time::MAX).unwrap().removed > 10);
    let told = (0..8).find_map(|_| follower.next()).expect("told").unwrap_err();
    assert_eq!(told.kind(), Kind::Retired, "{told}");
    assert!(follower.next().is_none());
}

#[test]
fn a_follower_whose_next_object_is_lost_is_told_of_the_damage_and_goes_on_behind_it() {
    let store = Memory::objects();
    let far = Far::new(&store);
    let log = start(&store);
    let first = write(&log);
    let mut follower = follow(&far, Position::START);
    assert_eq!(shown(&mut follower), [first]);
    let handles = fill(&log, 20);
    let lost = format!("{:020}.wal", handles[0].base().0);
    store.remove(&Name::new(lost).unwrap()).unwrap();
    let told = (0..8).find_map(|_| follower.next()).expect("told").unwrap_err();
    assert_eq!(told.kind(), Kind::Damaged, "{told}");
    assert_eq!(shown(&mut follower), handles[1..]);
}

#[test]
fn what_lies_under_the_next_name_and_does_not_follow_is_not_shown() {
    let (store, other) = (Memory::objects(), Memory::objects());
    let far = Far::new(&store);
    let (log, foreign) = (start(&store), start(&other));
    let (first, _) = (write(&log), write(&foreign));
    let mut follower = follow(&far, Position::START);
    assert_eq!(shown(&mut follower), [first]);
    let (handles, theirs) = (fill(&log, 5), fill(&foreign, 5));
    assert_eq!(handles[0].base(), theirs[0].base());
    let name = Name::new(format!("{:020}.wal", handles[0].base().0)).unwrap();
    store.remove(&name).unwrap();
    store.put(&name, other.read(&name, 0..u64::MAX).unwrap()).unwrap();
    let told = follower.next().unwrap().unwrap_err();
    assert_eq!(told.kind(), Kind::Damaged, "{told}");
    assert_eq!(shown(&mut follower), handles[1..]);
}
