//! A crowd on real threads: what the schedules of `races` try in small, all at once. It is what runs under the thread
//! sanitizer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use headwater_wal::store::{Memory, Store};
use headwater_wal::{Kind, Log, Options, Position, Time};

use super::block_on;

const APPENDERS: usize = 64;

fn start(store: &Arc<dyn Store>) -> Log {
    let options =
        Options::default().segment_bytes(64 << 10).queue_bytes_max(32 << 10).group_bytes_max(4 << 10);
    Log::open(store.clone(), options).unwrap().start(Position::START).unwrap()
}

/// Appends until the log is closed, in one way or another. Counts how many records were acknowledged.
fn appends(log: &Log, number: usize, safe: &AtomicUsize) {
    let mut pending = Vec::new();
    let count = |acknowledged: bool| safe.fetch_add(usize::from(acknowledged), Ordering::Relaxed);
    loop {
        let payload = vec![number as u8; 100 + number * 10];
        let ticket = match number % 3 {
            0 => log.append(Time(1), payload).map(Some),
            1 => block_on(log.append_async(0, Time(1), payload)).map(Some),
            _ => log.try_append(Time(1), payload),
        };
        match ticket {
            Ok(ticket) => pending.extend(ticket),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Closed);
                break;
            }
        }
        if pending.len() > number % 5 {
            for ticket in pending.drain(..) {
                count(if number.is_multiple_of(2) { ticket.wait() } else { block_on(ticket) }.is_ok());
            }
        }
    }
    for ticket in pending {
        count(matches!(ticket.answer(), Some(Ok(_))));
    }
}

#[test]
fn a_crowd_of_appenders_and_readers_is_served_until_the_log_is_closed_beside_them() {
    for store in [Memory::growing(), Memory::objects()] {
        let store: Arc<dyn Store> = Arc::new(store);
        let log = start(&store);
        let safe = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..APPENDERS {
                let (log, safe) = (&log, &safe);
                scope.spawn(move || appends(log, number, safe));
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Ok(records) = log.replay(Position::START) {
                        let handles: Vec<_> =
                            records.take(50).filter_map(|record| Some(record.ok()?.handle)).collect();
                        let _ = log.read_many(&handles).count();
                        let pin = log.pin(Position::START);
                        drop((pin, log.seal(), log.retire_before(Time(1))));
                    }
                });
            }
            // A busy machine may need its time until all are at work.
            let (begun, patience) = (Instant::now(), Duration::from_secs(60));
            while begun.elapsed() < Duration::from_millis(200)
                || safe.load(Ordering::Relaxed) <= APPENDERS && begun.elapsed() < patience
            {
                thread::sleep(Duration::from_millis(10));
            }
            log.close().unwrap();
        });
        let safe = safe.into_inner();
        drop(log);
        let found = Log::open(store, Options::default()).unwrap().replay(Position::START).unwrap().count();
        assert!(safe > APPENDERS && found >= safe, "found={found} safe={safe}");
    }
}
