//! A crowd on real threads: what the schedules of `races` try in small, all at once. It is what runs under the thread
//! sanitizer.

use std::sync::Arc;
use std::thread;

use headwater_wal::store::{Memory, Store};
use headwater_wal::{Kind, Log, Options, Position, Time};

use super::block_on;

const APPENDERS: usize = 64;

fn start(store: &Arc<dyn Store>) -> Log {
    let options =
        Options::default().segment_bytes(64 << 10).queue_bytes_max(32 << 10).group_bytes_max(4 << 10);
    Log::open(store.clone(), options).unwrap().start(Position::START).unwrap()
}

/// Appends until the log is closed, in one way or another. Returns how many records were acknowledged.
fn appends(log: &Log, number: usize) -> usize {
    let (mut safe, mut pending) = (0, Vec::new());
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
                safe += usize::from(
                    if number.is_multiple_of(2) { ticket.wait() } else { block_on(ticket) }.is_ok(),
                );
            }
        }
    }
    safe + pending.into_iter().filter(|ticket| matches!(ticket.answer(), Some(Ok(_)))).count()
}

#[test]
fn a_crowd_of_appenders_and_readers_is_served_until_the_log_is_closed_beside_them() {
    for store in [Memory::growing(), Memory::objects()] {
        let store: Arc<dyn Store> = Arc::new(store);
        let log = start(&store);
        let safe: usize = thread::scope(|scope| {
            let appenders: Vec<_> = (0..APPENDERS)
                .map(|number| {
                    scope.spawn({
                        let log = &log;
                        move || appends(log, number)
                    })
                })
                .collect();
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
            thread::sleep(std::time::Duration::from_millis(200));
            log.close().unwrap();
            appenders.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        drop(log);
        let found = Log::open(store, Options::default()).unwrap().replay(Position::START).unwrap().count();
        assert!(safe > APPENDERS && found >= safe, "found={found} safe={safe}");
    }
}
