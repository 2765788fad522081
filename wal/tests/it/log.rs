//! The log through its face, on memory, the simulated device and local disk.

use std::sync::Arc;

use headwater_wal::store::sim::Sim;
use headwater_wal::store::{Local, Memory, Store};
use headwater_wal::{Compression, Kind, Log, Options, Position, Reader, Record, Time};

fn small() -> Options {
    Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .group_bytes_max(4 << 10)
        .compression(Compression::Off)
}

fn start(store: &Arc<dyn Store>) -> Log {
    Log::open(store.clone(), small()).unwrap().start(Position::START).unwrap()
}

fn payloads(records: impl Iterator<Item = headwater_wal::Result<Record>>) -> Vec<String> {
    records.map(|record| String::from_utf8(record.unwrap().payload.to_vec()).unwrap()).collect()
}

/// Runs a test on every kind of store.
fn on_every_store(test: impl Fn(Arc<dyn Store>)) {
    let dir = tempfile::tempdir().unwrap();
    test(Arc::new(Memory::objects()));
    test(Arc::new(Memory::growing()));
    test(Arc::new(Local::open(dir.path().join("log")).unwrap()));
    test(Sim::objects(1).store());
    test(Sim::growing(1).store());
}

#[test]
fn what_was_acknowledged_is_there_again_in_order() {
    on_every_store(|store| {
        let mut all = Vec::new();
        let mut handles = Vec::new();
        for life in 0..4 {
            let log = start(&store);
            assert_eq!(payloads(log.replay(Position::START).unwrap()), all, "{store:?}");
            let tickets: Vec<_> = (0..50)
                .map(|number| {
                    let payload = format!("{life}-{number}-{}", "x".repeat(number * 7));
                    all.push(payload.clone());
                    log.append(Time(number as u64), payload).unwrap()
                })
                .collect();
            handles.extend(tickets.into_iter().map(|ticket| ticket.wait().unwrap()));
            assert_eq!(payloads(log.read_many(&handles)), all);
            if life % 2 == 0 {
                log.close().unwrap();
                assert_eq!(log.append(Time(0), "late").unwrap_err().kind(), Kind::Closed);
            }
        }
        let reader = Reader::open(store.clone()).unwrap();
        assert_eq!(payloads(reader.read_many(&handles)), all);
        assert_eq!(payloads(reader.follow(Position::START)), all);
        let log = start(&store);
        assert_eq!(payloads(log.replay(handles[73].position()).unwrap()), all[73..]);
        let late: Vec<_> =
            all.iter().filter(|text| text.split('-').nth(1).unwrap().parse::<u32>().unwrap() >= 40).collect();
        assert_eq!(payloads(log.replay_since(Time(40)).unwrap()).iter().collect::<Vec<_>>(), late);
    });
}

#[test]
fn retiring_removes_whole_segments_and_says_so_to_old_handles() {
    on_every_store(|store| {
        let log = start(&store);
        let first = log.append(Time(1), vec![1; 9000]).unwrap().wait().unwrap();
        let pinned = log.append(Time(1), vec![2; 9000]).unwrap().wait().unwrap();
        log.append(Time(1), vec![3; 9000]).unwrap().wait().unwrap();
        log.seal().unwrap();
        let pin = log.pin(pinned.position()).unwrap();
        let retired = log.retire_before(Time::MAX).unwrap();
        assert!(retired.removed > 0 && retired.left == 0, "{retired:?}");
        assert_eq!(log.read(&first).unwrap_err().kind(), Kind::Retired);
        assert_eq!(log.read(&pinned).unwrap().payload, vec![2; 9000]);
        drop(pin);
        log.retire_before(Time::MAX).unwrap();
        assert_eq!(log.read(&pinned).unwrap_err().kind(), Kind::Retired);
        drop(log);
        let log = start(&store);
        assert_eq!(log.read(&first).unwrap_err().kind(), Kind::Retired);
        let reader = Reader::open(store.clone()).unwrap();
        assert_eq!(reader.read(&first).unwrap_err().kind(), Kind::Retired);
    });
}
