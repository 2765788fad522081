//! A writer that rolls and retires, and readers who look, follow and open all the while, on real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headwater_wal::store::{Memory, Store};
use headwater_wal::{Depth, Error, Kind, Log, Position, Reader, Result, Time, look};

use super::small;

/// How often readers look, follow and open in all.
const ROUNDS: usize = 10_000;

/// How many files go meanwhile, at least; and how long readers wait for that before the test says that they did not.
const RETIRED_MIN: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// Beside a live writer there is no damage; what goes while it is read was retired, and a reader who cannot keep up
/// with a writer that is always faster may be told to try again.
///
/// Answers 1 if it went well, for counting.
fn only_what_may_be(outcome: Result<()>, case: &str) -> usize {
    let may_be = |error: &Error| matches!(error.kind(), Kind::Retired | Kind::Unavailable);
    match outcome {
        Ok(()) => 1,
        Err(error) => {
            assert!(may_be(&error), "{case}: {error}");
            0
        }
    }
}

fn look_at(store: &Arc<dyn Store>, depth: Depth) -> Result<()> {
    let survey = look(&**store, Position::START, depth)?;
    assert!(survey.refusal().is_none(), "{survey}");
    Ok(())
}

/// Follows from the beginning: numbers go up by one.
fn follow(store: &Arc<dyn Store>, at_most: usize) -> Result<()> {
    let mut last = None;
    for record in Reader::open(store.clone())?.follow(Position::START).take(at_most) {
        let number: u64 = super::text(&record?).split('-').next().unwrap().parse().unwrap();
        assert!(last.is_none_or(|last| number == last + 1), "{last:?} {number}");
        last = Some(number);
    }
    Ok(())
}

fn replay(store: &Arc<dyn Store>) -> Result<()> {
    let opened = Log::open(store.clone(), small())?;
    assert!(opened.survey().refusal().is_none());
    for record in opened.replay(Position::START)? {
        match record {
            // Retired and removed since it was opened.
            Err(error) if error.kind() == Kind::NotThere => return Ok(()),
            other => drop(other?),
        }
    }
    Ok(())
}

fn no_reader_ever_sees_damage(store: &Arc<dyn Store>) {
    let (rounds, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (retired, went_well) = (AtomicU64::new(0), AtomicUsize::new(0));
    let options = small().segment_bytes(8 << 10).record_bytes_max(1 << 10);
    let log = Log::open(store.clone(), options).unwrap().start(Position::START).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !over.load(Ordering::Relaxed) {
                let tickets: Vec<_> = (0..5)
                    .map(|_| {
                        number += 1;
                        log.append(Time(number), format!("{number}-{}", "x".repeat(200))).unwrap()
                    })
                    .collect();
                for ticket in tickets {
                    ticket.wait().unwrap();
                }
                if number.is_multiple_of(100) {
                    retired.fetch_add(log.retire_before(Time::MAX).unwrap().removed, Ordering::Relaxed);
                }
            }
        });
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let (rounds, went_well, retired, store) = (&rounds, &went_well, &retired, &store);
                scope.spawn(move || {
                    // Readers may be done long before the writer has retired anything: so they go on until it has.
                    let began = Instant::now();
                    let too_little =
                        || retired.load(Ordering::Relaxed) <= RETIRED_MIN && began.elapsed() < PATIENCE;
                    while rounds.fetch_add(1, Ordering::Relaxed) < ROUNDS / 2 || too_little() {
                        let good = match reader {
                            0 => only_what_may_be(look_at(store, Depth::Quick), "a look"),
                            1 => only_what_may_be(follow(store, 60), "a follower"),
                            _ => only_what_may_be(replay(store), "a replay"),
                        };
                        went_well.fetch_add(good, Ordering::Relaxed);
                    }
                    only_what_may_be(look_at(store, Depth::Full), "a full look");
                })
            })
            .collect();
        let panics = readers.into_iter().filter_map(|reader| reader.join().err()).collect::<Vec<_>>();
        over.store(true, Ordering::Relaxed);
        assert!(panics.is_empty(), "a reader saw what it must not");
    });
    let well = went_well.load(Ordering::Relaxed);
    assert!(well > ROUNDS / 8, "readers mostly get what they ask for: {well}");
    let gone = retired.load(Ordering::Relaxed);
    assert!(gone > RETIRED_MIN, "the writer retired beside the readers: {gone}");
    log.close().unwrap();
}

#[test]
fn beside_a_writer_that_rolls_and_retires_no_reader_ever_sees_damage() {
    no_reader_ever_sees_damage(&(Arc::new(Memory::growing()) as Arc<dyn Store>));
}

#[test]
fn beside_a_writer_of_objects_no_reader_ever_sees_damage() {
    no_reader_ever_sees_damage(&(Arc::new(Memory::objects()) as Arc<dyn Store>));
}
