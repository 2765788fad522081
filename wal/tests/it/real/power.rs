//! The power goes, and a device that fails while the page cache says otherwise.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use headwater_wal::store::Local;
use headwater_wal::{Compression, Durability, Kind, Log, Options, Position, Time};
use tempfile::TempDir;

use super::child::{self, Part};
use super::image::{Image, run, unmount};
use super::running::Running;
use super::{can, wait_until};

/// Cuts the power at any moment of a child's life, several times, and looks what is there afterwards.
fn cut_the_power(kind: &str, cuts: u32, times: u32) {
    let mut image = Image::make(kind);
    let (folder, place) = (TempDir::new().expect("a folder"), image.at().join("log"));
    let said = folder.path().join("said");
    let part = Part { threads: 3, lives: 1000, rounds: 15, retires: true, times };
    let mut running = Running::begin(child::command(part, &place, &said, &[]), &said);
    let mut left = Vec::new();
    for cut in 0..cuts {
        let before = running.said().acked.len();
        let more = 10 + 7 * cut as usize;
        running.wait_until("it appends", |said| said.acked.len() > before + more);
        // Asleep it says nothing, so what it had said is what the copy is held against.
        running.signal("STOP");
        wait_until("it sleeps", || sleeps(running.pid()));
        left.push((running.said(), image.cut()));
        running.signal("CONT");
    }
    let all = running.said();
    running.kill();
    assert!(!all.panicked() && all.count("refused") + all.count("unknown") == 0, "{}", all.text);
    image.unmount();
    let mut acked = 0;
    for (said, cut) in left {
        let image = cut.mount();
        said.agrees_with_log(&image.at().join("log"));
        acked = said.acked.len();
    }
    eprintln!("{kind}: the power was cut {cuts} times, {acked} acknowledged records before the last");
}

/// Whether every thread of a process is stopped.
fn sleeps(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let mut states = threads.map(|thread| fs::read_to_string(thread.expect("a thread").path().join("stat")));
    states
        .all(|stat| stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))))
}

#[test]
fn on_ext4_a_power_cut_loses_nothing_that_was_acknowledged() {
    if can(&["mkfs.ext4", "mount", "cmp"], true) {
        cut_the_power("ext4", 12, 1);
    }
}

#[test]
fn on_xfs_a_power_cut_loses_nothing_that_was_acknowledged() {
    if can(&["mkfs.xfs", "mount", "cmp"], true) {
        cut_the_power("xfs", 4, 1);
    }
}

/// Long groups: room is allotted, and that of retired segments, which is zeros again, is not written to before.
#[test]
fn a_power_cut_loses_nothing_of_what_was_written_into_room_that_was_allotted() {
    if can(&["mkfs.ext4", "mkfs.xfs", "mount", "cmp"], true) {
        cut_the_power("ext4", 8, 50);
        cut_the_power("xfs", 4, 50);
    }
}

/// Room in memory for an image. With none left, writes to the image's device fail, as far as they would need some.
#[derive(Debug)]
struct Room {
    folder: TempDir,
}

impl Room {
    fn new() -> Room {
        let room = Room { folder: TempDir::new().expect("a folder") };
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m,huge=never", "none"]).arg(room.at()));
        room
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all that is left.
    fn fill(&self) {
        let _ = fs::write(self.at().join("fill"), vec![1; 64 << 20]);
    }

    fn free(&self) {
        fs::remove_file(self.at().join("fill")).expect("room that was taken");
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        unmount(self.at());
    }
}

/// A device fails under a write, so the sync says so, once; then the kernel calls the page clean, and shows in it what
/// never reached the device, which is well again. A log that is started then, and shows the record, must have made it
/// so. Only a log of durability `Process` writes its groups by the page cache.
#[test]
fn what_a_failed_sync_left_in_the_page_cache_is_not_believed() {
    if !can(&["mkfs.ext4", "mount", "fallocate"], true) {
        return;
    }
    let room = Room::new();
    // A journal that cannot be written would make the file system read-only, and the log need not be believed at all.
    let folder = TempDir::new_in(room.at()).expect("a folder");
    let image = Image::make_in(folder, "ext4 without a journal");
    let place = image.at().join("log");
    // The loop device takes a write that room cut short for a whole one. So the one that is to fail begins on a page of
    // the image: behind a header's sector, a group of these bytes, and the idle writer's sector.
    const BYTES: usize = 32 * 1024 - 2 * 512 - 200;
    let append = |log: &Log, byte: u8| log.append(Time(0), vec![byte; BYTES]).expect("room").wait();
    let log = start(&place);
    let first = append(&log, 1).expect("a handle");
    // So that the idle writer says its word before, and not in between.
    thread::sleep(Duration::from_millis(200));
    // The zeros that were written ahead take no room in the image any more; then there is none to be had.
    run(Command::new("sync").arg("-f").arg(&place));
    run(Command::new("fallocate").arg("--dig-holes").arg(image.file()));
    room.fill();
    let second = append(&log, 2).expect("a kill would not lose it");
    let deadline = Instant::now() + Duration::from_secs(20);
    while log.failure().is_none() {
        assert!(Instant::now() < deadline, "the device fails when the idle writer syncs");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(log.append(Time(0), "late").map(drop).expect_err("it is over").kind(), Kind::Closed);
    drop(log);
    room.free();
    let log = start(&place);
    let third = append(&log, 3).expect("a handle");
    drop(log);
    // Now only what reached the device counts.
    let image = image.forget();
    let log = start(&image.at().join("log"));
    for (handle, byte) in [(first, 1), (second, 2), (third, 3)] {
        assert_eq!(log.read(&handle).expect("a record that is there for ever").payload, vec![byte; BYTES]);
    }
}

fn start(place: &Path) -> Log {
    let options = Options::default().segment_bytes(256 << 10).compression(Compression::Off);
    let options = options.durability(Durability::Process);
    let opened = Log::open(Arc::new(Local::open(place).expect("a place")), options).expect("it opens");
    opened.start(Position::START).expect("it starts")
}
