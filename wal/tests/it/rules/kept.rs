//! Segments that are kept open for reads by handle: what an open one may say, and what not; and many handles at once.

use headwater_wal::store::Name;
use headwater_wal::store::sim::Op;
use headwater_wal::{Handle, Kind, Record, Result, Time};

use super::{Place, name, text};

/// How many reads of the medium it takes.
fn reads<T>(place: &Place, call: impl FnOnce() -> T) -> (u64, T) {
    let before = place.sim.operations_of(Op::Read);
    let answer = call();
    (place.sim.operations_of(Op::Read) - before, answer)
}

fn kinds(answers: impl IntoIterator<Item = Result<Record>>) -> Vec<String> {
    let told = |answer: Result<Record>| {
        answer.map_or_else(|error| error.kind().to_string(), |record| text(&record)[..1].to_string())
    };
    answers.into_iter().map(told).collect()
}

/// Moves the file away and puts another one under its name, as repair does.
fn replace(place: &Place, file: &str, bytes: &[u8]) {
    let store = place.sim.store();
    let append = store.append().unwrap();
    let _owner = append.own().unwrap();
    let (from, to) = (Name::new(file).unwrap(), Name::new(format!("quarantine/{file}")).unwrap());
    append.set_aside(&from, &to).unwrap();
    store.put(&from, bytes.to_vec().into()).unwrap();
}

#[test]
fn a_record_is_one_read_and_so_is_the_next() {
    for place in Place::both() {
        let log = place.start();
        let handles = log.fill(3, 100);
        let reader = place.reader();
        for handle in &handles {
            let (count, record) = reads(&place, || log.read(handle));
            assert_eq!((count, record.unwrap().handle), (1, *handle), "log");
            let (count, record) = reads(&place, || reader.read(handle));
            assert_eq!((count, record.unwrap().handle), (1, *handle), "reader");
        }
    }
}

#[test]
fn what_was_retired_is_not_read_from_an_open_segment() {
    let place = Place::disk();
    let log = place.start();
    let retired = log.write("first");
    log.seal().unwrap();
    let stays = log.write("second");
    log.read(&retired).unwrap();
    log.read(&stays).unwrap();
    place.clock.advance(std::time::Duration::from_secs(10));
    log.seal().unwrap();
    log.write("third");
    place.clock.advance(std::time::Duration::from_secs(10));
    log.retire_before(Time(log.now().0 - 15_000)).unwrap();
    assert_eq!(log.read(&retired).unwrap_err().kind(), Kind::Retired);
    assert_eq!(kinds(log.read_many(&[retired, stays])), ["retired", "s"]);
}

#[test]
fn a_segment_that_was_replaced_is_opened_anew_before_anything_is_said_of_it() {
    let place = Place::disk();
    let log = place.start();
    let handles = log.fill(3, 100);
    let file = name(handles[0].base());
    log.crash();
    let reader = place.reader();
    reader.read(&handles[0]).unwrap();
    let good = place.sim.read_raw(&file);
    replace(&place, &file, &good);
    let moved = format!("quarantine/{file}");
    let offset = (handles[1].position().0 - handles[1].base().0) as usize + 40;
    place.sim.flip(&moved, offset, 3);
    // The open one is bad, the one that has the name is not.
    assert_eq!(reader.read(&handles[1]).unwrap().handle, handles[1]);
    // And the other way round: now both are bad.
    place.sim.flip(&file, offset, 3);
    assert_eq!(reader.read(&handles[1]).unwrap_err().kind(), Kind::Damaged);
    assert_eq!(reader.read(&handles[2]).unwrap().handle, handles[2]);
}

#[test]
fn a_segment_that_is_gone_is_asked_for_by_its_name_before_that_is_said() {
    let place = Place::disk();
    let log = place.start();
    let handles = log.fill(3, 100);
    log.seal().unwrap();
    log.write("behind");
    let file = name(handles[0].base());
    let reader = place.reader();
    reader.read(&handles[0]).unwrap();
    let offset = (handles[1].position().0 - handles[1].base().0) as usize + 40;
    place.sim.flip(&file, offset, 3);
    place.sim.remove_file(&file);
    assert_eq!(reader.read(&handles[2]).unwrap().handle, handles[2], "an open file stays readable");
    let error = reader.read(&handles[1]).unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged, "{error}");
    assert!(error.to_string().contains("gone"), "what the name stands for, not the open file: {error}");
    assert!(reader.read(&handles[2]).is_err(), "and it is open no more");
}

#[test]
fn a_segment_that_a_foreign_hand_has_cut_is_damaged_behind_the_cut() {
    for within in [0, 20, 33, 100] {
        is_damaged_behind_a_cut(within);
    }
}

fn is_damaged_behind_a_cut(within: usize) {
    let place = Place::disk();
    let log = place.start();
    let handles = log.fill(4, 100);
    log.seal().unwrap();
    log.write("behind");
    let file = name(handles[0].base());
    let reader = place.reader();
    let mut replay = log.replay(headwater_wal::Position::START).unwrap();
    for handle in &handles {
        log.read(handle).unwrap();
        reader.read(handle).unwrap();
    }
    place.sim.cut(&file, (handles[2].position().0 - handles[2].base().0) as usize + within);
    for handle in &handles[..2] {
        assert_eq!(log.read(handle).unwrap().handle, *handle);
        assert_eq!(reader.read(handle).unwrap().handle, *handle);
    }
    for handle in &handles[2..] {
        assert_eq!(log.read(handle).unwrap_err().kind(), Kind::Damaged, "{within}");
        assert_eq!(reader.read(handle).unwrap_err().kind(), Kind::Damaged, "{within}");
    }
    assert_eq!(kinds(log.read_many(&handles)), ["0", "1", "damaged", "damaged"]);
    assert_eq!(kinds(reader.read_many(&handles)), ["0", "1", "damaged", "damaged"]);
    assert_eq!(kinds(replay.by_ref())[..3], ["0", "1", "damaged"]);
}

#[test]
fn neighbours_are_read_at_once_and_each_is_verified_by_itself() {
    let mut place = Place::disk();
    place.options = place.options.segment_bytes(1 << 20).group_bytes_max(256 << 10);
    let log = place.start();
    let handles = log.fill(200, 300);
    let alone: Vec<Record> = handles.iter().map(|handle| log.read(handle).unwrap()).collect();
    let reader = place.reader();
    reader.read(&handles[0]).unwrap();
    let (count, many) = reads(&place, || log.read_many(&handles).collect::<Result<Vec<_>>>().unwrap());
    assert!(count < 5, "{count} reads of the log");
    assert!(many == alone);
    let (count, many) = reads(&place, || reader.read_many(&handles).collect::<Result<Vec<_>>>().unwrap());
    assert!(count < 5, "{count} reads of the reader");
    assert!(many == alone);

    // One that rots costs one; what is in between, before or twice is read all the same.
    let rotten = &handles[57];
    place.sim.flip(&name(rotten.base()), (rotten.position().0 - rotten.base().0) as usize + 35, 1);
    let asked: Vec<Handle> = (0..200).chain([7, 7, 3, 199, 57]).map(|at| handles[at]).collect();
    for answers in [log.read_many(&asked).collect::<Vec<_>>(), reader.read_many(&asked).collect()] {
        for (asked, answer) in asked.iter().zip(answers) {
            match answer {
                Ok(record) => assert!(record.handle == *asked && asked != rotten),
                Err(error) => assert!(error.kind() == Kind::Damaged && asked == rotten, "{error}"),
            }
        }
    }
}

#[test]
fn many_handles_of_a_log_that_is_closed_meanwhile_are_closed() {
    let place = Place::disk();
    let log = place.start();
    let handles = log.fill(3, 100);
    let mut many = log.read_many(&handles);
    many.next().unwrap().unwrap();
    log.close().unwrap();
    assert_eq!(kinds(many), ["closed", "closed"]);
}

/// The files below a folder that this process has open although their names are gone.
#[cfg(target_os = "linux")]
fn open_without_a_name(folder: &std::path::Path) -> usize {
    let open =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.ok()?.path().read_link().ok());
    let gone =
        |path: &std::path::PathBuf| path.starts_with(folder) && path.to_string_lossy().ends_with("(deleted)");
    open.filter(gone).filter(|path| path.to_string_lossy().contains(".wal")).count()
}

#[cfg(target_os = "linux")]
#[test]
fn the_room_of_what_was_retired_is_free_at_once() {
    use headwater_wal::store::Local;
    use headwater_wal::{Log, Position};
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(Local::open(dir.path()).unwrap());
    let log = Log::open(store, super::small()).unwrap().start(Position::START).unwrap();
    for _ in 0..5 {
        let handle = log.append(Time(1), "x").unwrap().wait().unwrap();
        log.read(&handle).unwrap();
        log.seal().unwrap();
    }
    assert_eq!(log.retire_before(Time::MAX).unwrap().left, 0);
    assert_eq!(open_without_a_name(dir.path()), 0);
}
