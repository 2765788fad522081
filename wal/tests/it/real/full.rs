//! Disks that are full, and have room again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use headwater_wal::store::Local;
use headwater_wal::{Log, Position, Time};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::child::{self, Part, options, payload};
use super::image::{Image, run};
use super::running::Running;
use super::said::{Id, Said};
use super::{can, wait_until};

/// Appends for as long as it is let.
const ON_AND_ON: Part = Part { threads: 2, lives: 1, rounds: 1_000_000, retires: false, times: 1 };

fn start(place: &Path) -> Log {
    start_long(place, 1)
}

/// The same, of records that are so many times as long.
fn start_long(place: &Path, long: u32) -> Log {
    let opened = Log::open(Arc::new(Local::open(place).expect("a place")), options(long)).expect("it opens");
    opened.start(Position::START).expect("it starts")
}

/// Appends one record after the other, until told to stop or the log fails; says what becomes of them.
fn append(log: &Log, thread: u32, from: u64, said: &Mutex<Said>, stop: &AtomicBool) {
    let long = said.lock().times();
    for number in from.. {
        let id = Id { thread, number, epoch: log.epoch() };
        said.lock().hear(&format!("try {thread} {number}"));
        let Ok(mut ticket) = log.append(Time(number), payload(id, long)) else { return };
        let handle = loop {
            match ticket.wait_for(Duration::from_millis(20)) {
                Ok(Ok(handle)) => break handle,
                Ok(Err(_)) => return,
                Err(_) if stop.load(Ordering::Relaxed) => return,
                Err(back) => ticket = back,
            }
        };
        said.lock().hear(&format!("ack {thread} {number} {handle}"));
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Fills the disk until appends wait for room, and nothing is acknowledged any more.
fn fill_until_appends_wait(image: &Image, log: &Log, said: &Mutex<Said>) -> usize {
    let mut before = 0;
    wait_until("appends wait for room", || {
        before = said.lock().acked.len();
        image.fill();
        thread::sleep(Duration::from_millis(5));
        assert!(log.failure().is_none(), "a full disk is no failure: {:?}", log.failure());
        log.waits_for_room().is_some() && said.lock().acked.len() == before
    });
    before
}

/// Retires everything but what was acknowledged last; how many files went.
fn retire(log: &Log, said: &Mutex<Said>) -> u64 {
    let kept = *said.lock().acked.keys().next_back().expect("something was acknowledged");
    let _pin = log.pin(kept).expect("it is there");
    said.lock().hear(&format!("pin {kept}"));
    let retired = log.retire_before(Time::MAX).expect("retiring works on a full disk");
    said.lock().hear(&format!("retired {}", retired.begins));
    assert_eq!(retired.left, 0, "files can be removed on a full disk");
    retired.removed
}

/// Fills a disk and makes room again, so often, while two threads append; so many records before what is retired is
/// enough for the file system to make a new file.
fn fill_and_free(kind: &str, times: u32, records: usize, long: u32) {
    let image = Image::make(kind);
    let place = image.at().join("log");
    let (log, said, stop) = (start_long(&place, long), Mutex::new(Said::default()), AtomicBool::new(false));
    said.lock().hear(&format!("times {long}"));
    thread::scope(|scope| {
        for thread in 0..2 {
            let (log, said, stop) = (&log, &said, &stop);
            scope.spawn(move || append(log, thread, 0, said, stop));
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            wait_until("the first appends", || said.lock().acked.len() > 20);
            for time in 0..times {
                let before = fill_until_appends_wait(&image, &log, &said);
                let enough = match time % 3 {
                    0 => {
                        image.free_some(if long > 1 { 4 } else { 1 } << 20);
                        5
                    }
                    1 => {
                        image.free();
                        records
                    }
                    _ => {
                        assert!(retire(&log, &said) > 0, "what is old makes room");
                        5
                    }
                };
                wait_until("all goes on", || said.lock().acked.len() > before + enough);
                assert!(log.failure().is_none(), "without a restart: {:?}", log.failure());
            }
        }));
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| resume_unwind(panic));
    });
    image.free();
    log.close().expect("it closes");
    drop(log);
    let said = said.into_inner();
    eprintln!("{kind}: full {times} times, {} acknowledged records", said.acked.len());
    said.agrees_with_log(&place);
}

#[test]
fn an_ext4_that_is_filled_and_freed_a_hundred_times_loses_nothing() {
    if can(&["mkfs.ext4", "mount"], true) {
        fill_and_free("ext4", 100, 20, 1);
    }
}

#[test]
fn an_xfs_that_is_filled_and_freed_loses_nothing() {
    if can(&["mkfs.xfs", "mount"], true) {
        fill_and_free("xfs", 15, 500, 1);
    }
}

/// Long groups go into room that is only allotted, and a write into that needs none either.
#[test]
fn a_disk_that_is_filled_and_freed_loses_no_long_groups() {
    if can(&["mkfs.ext4", "mkfs.xfs", "mount"], true) {
        fill_and_free("ext4", 24, 20, 40);
        fill_and_free("xfs", 6, 500, 40);
    }
}

/// Where every write takes new room a write into a file that was made ahead can fail for want of it. Then the log has
/// failed, and reopening it loses nothing.
#[test]
fn a_btrfs_that_is_full_fails_the_log_at_worst_and_reopening_loses_nothing() {
    if !can(&["mkfs.btrfs", "mount"], true) {
        return;
    }
    let image = Image::make("btrfs");
    let place = image.at().join("log");
    let said = Mutex::new(Said::default());
    let mut failed = 0;
    for life in 0..10 {
        let (log, stop) = (start(&place), AtomicBool::new(false));
        let next = said.lock().tried.get(&0).map_or(0, |&tried| tried);
        let kept = log.replay(Position::START).expect("a replay").last();
        let from = kept.map_or(next, |record| Id::of(&record.expect("a record").payload).number + 1);
        thread::scope(|scope| {
            scope.spawn(|| append(&log, 0, from, &said, &stop));
            let done = catch_unwind(AssertUnwindSafe(|| {
                let enough = said.lock().acked.len() + 10;
                wait_until("it appends", || said.lock().acked.len() > enough);
                wait_until("it stands", || {
                    image.fill();
                    log.waits_for_room().is_some() || log.failure().is_some()
                });
            }));
            stop.store(true, Ordering::Relaxed);
            done.unwrap_or_else(|panic| resume_unwind(panic));
        });
        failed += u32::from(log.failure().is_some());
        image.free();
        drop(log);
        if life % 2 == 1 {
            said.lock().agrees_with_a_look(&place);
        }
    }
    eprintln!("btrfs: {failed} of 10 lives failed, {} acknowledged records", said.lock().acked.len());
    said.into_inner().agrees_with_log(&place);
}

#[test]
fn a_log_starts_on_a_full_disk_again_and_again_and_retires() {
    if !can(&["mkfs.ext4", "mount"], true) {
        return;
    }
    let image = Image::make("ext4");
    let (folder, place) = (TempDir::new().expect("a folder"), image.at().join("log"));
    let said = folder.path().join("said");
    for life in 0..5 {
        let mut running = Running::begin(child::command(ON_AND_ON, &place, &said, &[]), &said);
        running.wait_until("it starts", |said| said.count("started") > life);
        if life == 0 {
            running.wait_until("it appends", |said| said.acked.len() > 50);
        }
        running.wait_until("appends wait for room", |said| {
            image.fill();
            said.count("waits") >= 2 * (life + 1)
        });
        running.kill();
        image.fill();
        let said = Said::read(&said);
        assert_eq!(said.count("refused"), 0, "a full disk keeps no log from starting: {}", said.text);
        said.agrees_with_a_look(&place);
    }
    let (log, said) = (start(&place), Mutex::new(Said::read(&said)));
    image.fill();
    assert!(retire(&log, &said) > 0, "what is old makes room");
    drop(log);
    image.free();
    said.into_inner().agrees_with_log(&place);
}

#[test]
fn retiring_goes_on_for_as_long_as_a_disk_stays_full() {
    if !can(&["mkfs.ext4", "mount"], true) {
        return;
    }
    let image = Image::make("ext4");
    let place = image.at().join("log");
    let (log, said) = (start(&place), Mutex::new(Said::default()));
    for number in 0..80 {
        let id = Id { thread: 0, number, epoch: log.epoch() };
        said.lock().hear(&format!("try 0 {number}"));
        let handle = log.append(Time(0), payload(id, 1)).expect("room").wait().expect("a handle");
        said.lock().hear(&format!("ack 0 {number} {handle}"));
        log.seal().expect("room");
    }
    let handles: Vec<_> = said.lock().acked.values().map(|(_, _, handle)| *handle).collect();
    for kept in &handles[1..] {
        // Whoever filled the disk takes what retiring gives free.
        image.fill();
        let _pin = log.pin(kept.position()).expect("it is there");
        let retired = log.retire_before(Time::MAX).expect("retiring works on a full disk");
        assert!(retired.removed > 0 && retired.left == 0, "{retired:?}");
        said.lock().hear(&format!("pin {}", kept.position()));
        said.lock().hear(&format!("retired {}", retired.begins));
    }
    image.free();
    log.close().expect("it closes");
    drop(log);
    said.into_inner().agrees_with_log(&place);
}

/// A limit on the length of files is one more way of being full, where the signal is ignored that comes with it.
#[test]
fn a_log_beyond_the_file_size_limit_waits_until_it_is_raised() {
    if !can(&["prlimit"], false) {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let (place, said) = (folder.path().join("log"), folder.path().join("said"));
    let wrapper = ["prlimit", "--fsize=16384:unlimited", "sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let command = child::command(ON_AND_ON, &place, &said, &wrapper.map(str::to_owned));
    let mut running = Running::begin(command, &said);
    running.wait_until("appends wait for room", |said| said.count("waits Full") == 2);
    assert_eq!(running.said().acked.len(), 0, "no segment may be made");
    run(Command::new("prlimit").args(["--fsize=unlimited", "--pid", &running.pid().to_string()]));
    running.wait_until("all goes on", |said| said.acked.len() > 20);
    running.kill();
    let said = Said::read(&said);
    assert!(!said.panicked() && said.count("refused") + said.count("unknown") == 0, "{}", said.text);
    said.agrees_with_log(&place);
}
