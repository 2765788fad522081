//! Checks beside a writer that is as busy as it can be: it rolls, retires, ends and begins again. Never is anything found that
//! is not so. `HEADWATER_CHECKS` says how many checks are made on each medium.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use headwater_fsck::{Depth, check};
use headwater_wal::store::{Local, Memory, Store};
use headwater_wal::{Compression, Kind, Log, Options, Position, Time};

fn checks() -> u64 {
    std::env::var("HEADWATER_CHECKS").map_or(300, |checks| checks.parse().expect("a number"))
}

fn options() -> Options {
    Options::default()
        .segment_bytes(32 << 10)
        .record_bytes_max(16 << 10)
        .compression(Compression::Off)
        .linger(Duration::from_millis(1))
        .summary_segments(16)
}

/// What the writer has done so far.
#[derive(Debug, Default)]
struct Busy {
    acked: AtomicU64,
    lives: AtomicU64,
    retired: AtomicU64,
    records: AtomicU64,
    stop: AtomicBool,
}

/// Lives of the writer, one after the other: each appends, keeps some of what it wrote, and is closed or dropped.
fn write(store: &Arc<dyn Store>, busy: &Busy) {
    let mut number = 0_u64;
    while !busy.stop.load(Ordering::Relaxed) {
        let log =
            Log::open(store.clone(), options()).and_then(|opened| opened.start(Position::START)).unwrap();
        let life = busy.lives.fetch_add(1, Ordering::Relaxed);
        for _ in 0..40 {
            let append = |number: u64| {
                let payload = vec![number as u8; 200 + (number * 37 % 1500) as usize];
                log.append(Time(number), payload).unwrap()
            };
            let tickets: Vec<_> = (number..number + 8).map(append).collect();
            number += 8;
            let last = tickets.into_iter().map(|ticket| ticket.wait().unwrap()).last().unwrap();
            busy.acked.fetch_max(last.end().0, Ordering::Release);
            busy.records.fetch_add(8, Ordering::Relaxed);
            if number.is_multiple_of(128) {
                // All but what is newest goes; a pin keeps a little of it.
                let pin = log.chain().segments().iter().rev().nth(12).map(|segment| segment.base);
                let _pinned = pin.map(|at| log.pin(at).unwrap());
                busy.retired.fetch_add(log.retire_before(Time(u64::MAX)).unwrap().removed, Ordering::Relaxed);
            }
        }
        match life % 2 {
            0 => log.close().unwrap(),
            _ => drop(log),
        }
    }
}

/// Stops the writer also where a check panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How many checks found the log too restless to look at.
fn beside(store: &Arc<dyn Store>, look: &dyn Fn() -> Arc<dyn Store>, checks: u64) -> (u64, Busy) {
    let (busy, mut unavailable) = (Busy::default(), 0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(store, &busy));
        let wait_for = |records: u64| {
            while busy.records.load(Ordering::Relaxed) < records {
                assert!(!writer.is_finished(), "the writer failed");
                std::thread::yield_now();
            }
        };
        let _stop = Stop(&busy.stop);
        wait_for(1);
        for number in 0..checks {
            // The log shall be another one each time.
            wait_for(8 * number);
            let depth = if number % 4 == 0 { Depth::Full } else { Depth::Quick };
            // What was acknowledged before the check began must be there.
            let promised = Position(busy.acked.load(Ordering::Acquire));
            match check(&*look(), promised, depth) {
                Ok(report) => {
                    assert!(report.is_sound(), "check {number}, {depth:?}: {report}");
                    let survey = report.survey();
                    assert!(
                        survey.end() >= promised && survey.misleading().is_empty(),
                        "check {number}: {report}"
                    );
                }
                // A look begins again when files go under it, and gives up after twenty tries.
                Err(error) if error.kind() == Kind::Unavailable => unavailable += 1,
                Err(error) => panic!("check {number}, {depth:?}: {error}"),
            }
        }
    });
    (unavailable, busy)
}

fn run(name: &str, store: Arc<dyn Store>, look: &dyn Fn() -> Arc<dyn Store>) {
    let checks = checks();
    let (unavailable, busy) = beside(&store, look, checks);
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{name}: {checks} checks, {unavailable} unavailable; {} lives, {} records, {} segments retired",
        of(&busy.lives),
        of(&busy.records),
        of(&busy.retired)
    );
    assert!(unavailable * 50 <= checks, "{unavailable} of {checks} checks were given up");
    assert!(of(&busy.retired) > 0 && of(&busy.lives) > checks / 100, "the writer was not busy: {busy:?}");
}

#[test]
fn checks_beside_a_busy_writer_on_disk_find_nothing_that_is_not_so() {
    let dir = tempfile::tempdir().unwrap();
    let look = || -> Arc<dyn Store> { Arc::new(Local::open(dir.path()).unwrap()) };
    run("disk", look(), &look);
}

#[test]
fn checks_beside_a_busy_writer_on_objects_find_nothing_that_is_not_so() {
    let memory = Memory::objects();
    let look = || -> Arc<dyn Store> { Arc::new(memory.clone()) };
    run("objects", look(), &look);
}
