//! A writer uses the room of retired segments again, beside readers that have them open.

use std::path::Path;
use std::sync::Arc;

use headwater_wal::store::Local;
use headwater_wal::{Compression, Handle, Kind, Log, Options, Position, Reader, Result, Time};
use tempfile::TempDir;

const RECORD_BYTES: usize = 60 << 10;

fn options() -> Options {
    Options::default().segment_bytes(1 << 20).record_bytes_max(1 << 16).compression(Compression::Off)
}

fn store(path: &Path) -> Arc<Local> {
    Arc::new(Local::open(path).expect("a place"))
}

/// Fills some segments.
fn fill(log: &Log, segments: usize) -> Vec<Handle> {
    let records = (0..segments * 17).map(|_| log.append(Time(1), vec![7; RECORD_BYTES])?.wait());
    records.collect::<Result<_>>().expect("appends")
}

/// Retires all but the newest segment, and fills their room.
fn go_on(log: &Log) {
    let retired = log.retire_before(Time::MAX).expect("a retirement");
    assert!(retired.removed > 2 && retired.left == 0, "{retired:?}");
    fill(log, 4);
}

#[test]
fn who_reads_a_segment_whose_room_is_used_again_hears_that_it_was_retired_and_never_of_damage() {
    for walked in [1, 5, 16] {
        let folder = TempDir::new().expect("a folder");
        let log = Log::open(store(folder.path()), options()).unwrap().start(Position::START).unwrap();
        let handles = fill(&log, 5);
        let reader = Reader::open(store(folder.path())).unwrap();
        let mut follows = reader.follow(Position::START);
        let mut replay = Log::open(store(folder.path()), options()).unwrap().replay(Position::START).unwrap();
        for _ in 0..walked {
            assert_eq!(replay.next().unwrap().unwrap().payload.len(), RECORD_BYTES);
            assert_eq!(follows.next().unwrap().unwrap().payload.len(), RECORD_BYTES);
        }
        assert!(reader.read(&handles[walked]).is_ok(), "so that it is kept open");
        go_on(&log);
        let error = replay.find_map(Result::err).expect("not all of it is there any more");
        assert_eq!(error.kind(), Kind::Retired, "{error}");
        // It may answer once that there is nothing for now, and looks the log up then.
        let error = (0..1000).find_map(|_| follows.next()?.err()).expect("nor here");
        assert_eq!(error.kind(), Kind::Retired, "{error}");
        for handle in &handles[..60] {
            let error = reader.read(handle).unwrap_err();
            assert_eq!(error.kind(), Kind::Retired, "{error}");
        }
        let rest = Log::open(store(folder.path()), options()).unwrap().replay(log.range().start).unwrap();
        let rest: Vec<_> = rest.collect::<Result<_>>().expect("records");
        assert!(rest.len() > 4 * 17);
        log.close().unwrap();
    }
}

#[test]
fn who_has_the_whole_of_a_segment_that_went_goes_on_with_the_next() {
    let folder = TempDir::new().expect("a folder");
    let log = Log::open(store(folder.path()), options()).unwrap().start(Position::START).unwrap();
    let handles = fill(&log, 3);
    let mut replay = Log::open(store(folder.path()), options()).unwrap().replay(Position::START).unwrap();
    replay.next().unwrap().unwrap();
    let second = handles.iter().find(|handle| handle.base() > handles[0].base()).expect("a second segment");
    let _pin = log.pin(second.position()).unwrap();
    assert!(log.retire_before(Time::MAX).unwrap().removed > 0);
    let rest: Vec<_> = replay.collect::<Result<_>>().expect("what was retired is still whole");
    assert_eq!(rest.len(), handles.len() - 1);
    log.close().unwrap();
}

#[test]
fn a_log_that_goes_on_for_long_takes_no_new_room() {
    let folder = TempDir::new().expect("a folder");
    let log = Log::open(store(folder.path()), options()).unwrap().start(Position::START).unwrap();
    let room = || -> u64 {
        let files = std::fs::read_dir(folder.path()).expect("the folder").map(|file| file.expect("a file"));
        files
            .map(|file| file.metadata().map_or(0, |data| std::os::unix::fs::MetadataExt::blocks(&data) * 512))
            .sum()
    };
    fill(&log, 4);
    for _ in 0..20 {
        let before = room();
        log.retire_before(Time::MAX).expect("a retirement");
        assert!(room() <= before + (64 << 10), "cleaning takes no room");
        fill(&log, 4);
        assert!(room() <= 8 << 20, "{}", room());
    }
    log.close().unwrap();
    assert!(room() <= 6 << 20, "what was kept went with the owner: {}", room());
}
