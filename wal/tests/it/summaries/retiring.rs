//! Retiring a long log: many names at once, in whatever order a crash leaves them, and never an epoch's first segment.

use std::sync::Arc;

use headwater_wal::store::Store;
use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Kind, Log, Position, Time};

use super::{Bucket, numbers, write};
use crate::rules::name;

/// Forty records, of which the first `old` are older than the time that is returned.
fn forty(bucket: &Bucket, old: usize) -> (crate::rules::Life, Vec<headwater_wal::Handle>, Time) {
    let log = bucket.start();
    let mut handles = write(&log, 0..old);
    bucket.clock.advance(std::time::Duration::from_secs(60));
    let before = log.now();
    handles.extend(write(&log, old..40));
    (log, handles, before)
}

#[test]
fn whole_segments_go_that_only_summaries_know() {
    for old in 0..40 {
        let bucket = Bucket::new();
        let (log, handles, before) = forty(&bucket, old);
        let retired = log.retire_before(before).unwrap();
        assert_eq!(retired.left, 0);
        assert_eq!(retired.removed, old as u64, "{retired:?}");
        assert_eq!(log.texts(), numbers(old..40));
        for (number, handle) in handles.iter().enumerate() {
            assert_eq!(bucket.sim.has(&name(handle.base())), number >= old, "{number} of {old}");
            let kept = log.read(handle).map(drop).map_err(|error| error.kind());
            assert_eq!(kept, if number < old { Err(Kind::Retired) } else { Ok(()) });
        }
        assert!(bucket.sim.has(&name(Position::START)), "an epoch's first one is a fence");
        assert!(bucket.summaries().iter().all(|&end| end > retired.begins));
        drop(log);
        assert_eq!(bucket.look().begins(), retired.begins);
        assert_eq!(bucket.texts(), numbers(old..40));
        assert_eq!(bucket.look_at_everything().misleading(), [""; 0]);
        assert_eq!(bucket.start().texts(), numbers(old..40));
    }
}

#[test]
fn a_pin_holds_what_only_summaries_know() {
    let bucket = Bucket::new();
    let (log, handles, before) = forty(&bucket, 30);
    for number in [0, 3, 4, 5, 17, 29] {
        let pin = log.pin(handles[number].position()).unwrap();
        log.retire_before(before).unwrap();
        assert_eq!(log.texts(), numbers(number..40));
        drop(pin);
    }
    log.retire_before(before).unwrap();
    assert_eq!(log.texts(), numbers(30..40));
}

#[test]
fn a_crash_at_any_step_of_retiring_a_long_log_leaves_what_the_next_one_finishes() {
    let whole = Bucket::new();
    let (log, _, before) = forty(&whole, 25);
    log.crash();
    let mut crashes = 0;
    for nth in 1..1_000 {
        let bucket = whole.fork(nth);
        let log = bucket.start();
        let began = bucket.sim.operations();
        bucket.sim.plan(When::nth(nth).by(&log.process), Fault::Crash);
        let _ = log.retire_before(before);
        let hit = bucket.sim.operations() - began >= nth;
        drop(log);
        bucket.sim.process_crash();
        let texts = bucket.texts();
        assert!(texts == numbers(0..40) || texts == numbers(25..40), "operation {nth}: {texts:?}");
        assert_eq!(bucket.look_at_everything().damage_count(), 0);
        let log = bucket.start();
        let retired = log.retire_before(before).unwrap();
        assert_eq!((retired.left, log.texts()), (0, numbers(25..40)), "operation {nth}");
        let below = bucket.segments().into_iter().filter(|file| *file < name(retired.begins));
        let fences = below.filter(|file| !bucket.header(base(file)).begins_epoch).count();
        assert_eq!(fences, 0, "operation {nth}: {:?}", bucket.segments());
        assert!(bucket.summaries().iter().all(|&end| end > retired.begins), "operation {nth}");
        if !hit {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 40, "{crashes}");
}

fn base(file: &str) -> Position {
    headwater_wal::format::name::parse_segment(file).unwrap()
}

#[test]
fn a_summary_goes_after_all_that_it_lists() {
    let bucket = Bucket::new();
    let (log, _, before) = forty(&bucket, 30);
    bucket.sim.keep_history();
    log.retire_before(before).unwrap();
    let removes: Vec<String> =
        bucket.sim.history().into_iter().filter(|line| line.contains(" remove ")).collect();
    let first = removes.iter().position(|line| line.contains("summary/")).unwrap();
    assert!(removes[first..].iter().all(|line| line.contains("summary/")), "{removes:?}");
}

#[test]
fn what_could_not_be_removed_goes_with_the_next_retirement() {
    let bucket = Bucket::new();
    let (log, _, before) = forty(&bucket, 30);
    bucket.sim.plan(When::nth(7).of(Op::Remove), Fault::Error);
    let retired = log.retire_before(before).unwrap();
    assert!(retired.left > 0, "{retired:?}");
    assert_eq!(log.texts(), numbers(30..40));
    bucket.sim.calm();
    let retired = log.retire_before(before).unwrap();
    assert_eq!((retired.left, retired.removed), (0, 1));
    assert_eq!(bucket.summaries().iter().filter(|&&end| end <= retired.begins).count(), 0);
}

#[test]
fn a_day_is_retired_with_a_request_for_every_thousand_segments() {
    let (store, options, clock) = super::opening::long(20_000);
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let log = Log::open_with(shared, options, clock.clone()).unwrap().start_stepped(Position::START).unwrap();
    clock.advance(std::time::Duration::from_secs(60));
    let before = log.now();
    log.append(Time(1), "today").unwrap().wait().unwrap();
    store.take();
    let retired = log.retire_before(before).unwrap();
    let [reads, pages, puts, removes, bulk_removes] = store.take();
    assert_eq!((retired.removed, retired.left), (20_000, 0));
    // Each summary is read twice: for what goes, and for which of it stays as a fence.
    assert!(reads <= 2 * 20_000 / 256 + 20, "{reads} reads");
    assert!(pages <= 25, "{pages} pages");
    assert_eq!(puts, 1, "the mark");
    assert_eq!(removes, 0);
    assert!(bulk_removes <= 23, "{bulk_removes} bulk removes");
    assert_eq!(log.replay(Position::START).unwrap().count(), 1);
}
