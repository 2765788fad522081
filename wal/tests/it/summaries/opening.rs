//! How much of a long log is read when it is opened.

use std::sync::Arc;

use headwater_wal::store::Store;
use headwater_wal::store::sim::SimClock;
use headwater_wal::{Compression, Log, Options, Position, Time};

use super::counting::Counting;

/// So many segments has the log.
const SEGMENTS: usize = 100_000;

/// A log with so many segments, begun by a few writers.
pub(super) fn long(segments: usize) -> (Counting, Options, Arc<SimClock>) {
    let options = Options::default().compression(Compression::Off);
    let (store, clock) = (Counting::new(), Arc::new(SimClock::new(1)));
    for _ in 0..4 {
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let opened = Log::open_with(shared, options.clone(), clock.clone()).unwrap();
        let log = opened.start_stepped(Position::START).unwrap();
        for number in 0..segments / 4 {
            log.append(Time(number as u64), "a record").unwrap().wait().unwrap();
        }
    }
    (store, options, clock)
}

#[test]
fn a_log_of_a_hundred_thousand_objects_is_opened_with_a_bounded_number_of_requests() {
    let (store, options, clock) = long(SEGMENTS);
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    store.take();
    let opened = Log::open_with(shared, options, clock).unwrap();
    let [reads, pages, puts, ..] = store.take();
    // A look looks twice: the newest summary, and at most as many segments behind it as the next one will list, each with
    // one read, and what is not acknowledged once more.
    assert!(reads <= 2 * (1 + 256 + 4), "{reads} reads");
    assert!(pages <= 2 * 2, "{pages} pages");
    assert_eq!(puts, 0);
    let survey = opened.survey();
    assert!(survey.chain().segments().len() <= 2 * 256 + 4, "{survey}");
    let log = opened.start_stepped(Position::START).unwrap();
    let [reads, pages, ..] = store.take();
    assert!(reads <= 8 * (1 + 256 + 4), "{reads} reads");
    assert!(pages <= 24, "{pages} pages");
    assert!(log.chain().segments().len() <= 2 * 256 + 4, "{}", log.chain().segments().len());
    let records = log.replay(Position::START).unwrap().filter(|record| record.is_ok()).count();
    assert_eq!(records, SEGMENTS);
}
