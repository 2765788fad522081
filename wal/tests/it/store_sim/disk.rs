//! The bytes of a disk's files, and its room.

use headwater_wal::Kind;
use headwater_wal::store::sim::{Cut, Fault, Op, SECTOR, Sim, When};
use headwater_wal::store::{Append, Room, Store, Tail};

use super::{Disk, kind, name, outcomes, put, read};

/// Writes whole sectors of a letter.
fn fill(tail: &dyn Tail, sector: usize, letters: &str) {
    let bytes: Vec<u8> = letters.bytes().flat_map(|letter| [letter; SECTOR]).collect();
    tail.write((sector * SECTOR) as u64, &[&bytes]).expect("a write");
}

/// The first letter of every sector; `-` for zero.
fn letters(bytes: &[u8]) -> String {
    for sector in bytes.chunks(SECTOR) {
        assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is never torn");
    }
    bytes.iter().step_by(SECTOR).map(|byte| if *byte == 0 { '-' } else { char::from(*byte) }).collect()
}

fn show(sim: &Sim) -> String {
    letters(&sim.read_raw("a"))
}

#[test]
fn an_unsynced_sector_may_be_lost_while_a_later_one_is_kept() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", 2 * SECTOR as u64);
        fill(&*tail, 0, "x");
        fill(&*tail, 1, "y");
        disk.sim.power_cut_as(Cut::Sectors);
        show(&disk.sim)
    });
    assert_eq!(found, ["--", "-y", "x-", "xy"]);
}

#[test]
fn a_write_may_be_torn_at_any_sector_or_not_at_all() {
    let three = |cut| {
        outcomes(|seed| {
            let disk = Disk::new(seed);
            let tail = disk.create("a", 4 * SECTOR as u64);
            fill(&*tail, 0, "xx");
            fill(&*tail, 2, "yy");
            disk.sim.power_cut_as(cut);
            show(&disk.sim)
        })
    };
    assert_eq!(three(Cut::Sectors).len(), 16, "every subset");
    assert_eq!(three(Cut::Writes), ["----", "--yy", "xx--", "xxyy"]);
    let in_order = ["----", "-x--", "x---", "xx--", "xx-y", "xxy-", "xxyy"];
    assert_eq!(three(Cut::InOrder), in_order, "what came later is not kept where what came first is lost");
    assert_eq!(three(Cut::LoseAll), ["----"]);
    assert_eq!(three(Cut::KeepAll), ["xxyy"]);
    assert_eq!(three(Cut::Seeded).len(), 16, "the seed chooses among all of these");
}

#[test]
fn what_was_synced_outlives_every_power_cut() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", 2 * SECTOR as u64);
        fill(&*tail, 0, "x");
        tail.sync().expect("a sync");
        fill(&*tail, 1, "y");
        disk.sim.power_cut();
        show(&disk.sim)
    });
    assert_eq!(found, ["x-", "xy"]);
}

#[test]
fn of_two_writes_to_a_sector_the_first_may_be_the_one_that_lands() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", SECTOR as u64);
        fill(&*tail, 0, "x");
        fill(&*tail, 0, "y");
        disk.sim.power_cut();
        show(&disk.sim)
    });
    assert_eq!(found, ["-", "x", "y"]);
}

#[test]
fn a_file_may_get_its_length_without_its_bytes() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", 0);
        fill(&*tail, 0, "xy");
        disk.sim.power_cut();
        show(&disk.sim)
    });
    assert_eq!(found, ["", "-", "--", "-y", "x", "x-", "xy"]);
}

#[test]
fn a_trim_that_a_crash_interrupts_is_kept_or_lost() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", 2 * SECTOR as u64);
        fill(&*tail, 0, "xy");
        tail.sync().expect("a sync");
        disk.sim.plan(When::nth(1).of(Op::Sync), Fault::Crash);
        assert_eq!(kind(tail.trim(SECTOR as u64)), Some(Kind::Unknown));
        disk.sim.power_cut();
        show(&disk.sim)
    });
    assert_eq!(found, ["x", "xy"]);

    let disk = Disk::new(1);
    let tail = disk.create("a", 0);
    fill(&*tail, 0, "xy");
    tail.sync().expect("a sync");
    disk.sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
    assert_eq!(kind(tail.trim(SECTOR as u64)), Some(Kind::Unknown));
    fill(&*tail, 2, "z");
    tail.sync().expect("a sync");
    disk.sim.power_cut();
    assert_eq!(show(&disk.sim), "x-z", "what was trimmed away does not come back when the file grows again");
}

/// A file of three sectors, `x` and `y` synced, `z` and a new `y` written; the sync after it meets `fault`.
fn fail_a_sync(seed: u64, fault: Fault) -> (Disk, Box<dyn Tail>) {
    let disk = Disk::new(seed);
    let tail = disk.create("a", 3 * SECTOR as u64);
    fill(&*tail, 0, "xy");
    tail.sync().expect("a sync");
    fill(&*tail, 1, "Yz");
    disk.sim.plan(When::nth(1).of(Op::Sync), fault);
    assert_eq!(kind(tail.sync()), Some(Kind::Unknown));
    (disk, tail)
}

#[test]
fn a_failed_sync_shows_in_the_cache_what_the_disk_never_got() {
    let (disk, _tail) = fail_a_sync(1, Fault::Error);
    assert_eq!(letters(&read(&disk.process, "a")), "xYz");
    assert_eq!(letters(&disk.sim.read_durable("a")), "xy-");
    let (cut, dropped) = (disk.sim.fork(1), disk.sim.fork(2));
    cut.power_cut_as(Cut::KeepAll);
    assert_eq!(show(&cut), "xy-", "not even a kind power cut keeps what nobody will write");
    dropped.drop_caches();
    assert_eq!(show(&dropped), "xy-");
}

#[test]
fn a_second_sync_after_a_failed_one_says_ok_and_proves_nothing() {
    let (disk, tail) = fail_a_sync(1, Fault::Error);
    tail.sync().expect("the kernel has told it once");
    assert_eq!(letters(&disk.sim.read_durable("a")), "xy-");
    fill(&*tail, 2, "z");
    tail.sync().expect("a sync");
    assert_eq!(letters(&disk.sim.read_durable("a")), "xyz", "what is written again is synced again");
    assert_eq!(show(&disk.sim), "xYz", "the hole in the middle still hides behind the cache");
}

#[test]
fn a_failed_sync_may_land_any_part() {
    let found = outcomes(|seed| {
        let (disk, _tail) = fail_a_sync(seed, Fault::Partly);
        assert_eq!(show(&disk.sim), "xYz");
        disk.sim.power_cut();
        show(&disk.sim)
    });
    assert_eq!(found, ["xY-", "xYz", "xy-", "xyz"]);
}

#[test]
fn a_sync_that_a_failed_one_overlaps_fails_too() {
    let disk = Disk::new(1);
    let tail = disk.create("a", SECTOR as u64);
    fill(&*tail, 0, "x");
    let sim = disk.sim.clone();
    let other = disk.process.reopen(&name("a")).expect("the same file");
    disk.process.before_operation(1, move || {
        sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
        assert_eq!(kind(other.sync()), Some(Kind::Unknown));
    });
    assert_eq!(kind(tail.sync()), Some(Kind::Unknown));
    tail.sync().expect("the next one knows nothing of it");
}

#[test]
fn a_dirty_sector_is_not_dropped_from_the_cache() {
    let (disk, tail) = fail_a_sync(1, Fault::Error);
    fill(&*tail, 2, "Z");
    disk.sim.drop_caches();
    assert_eq!(show(&disk.sim), "xyZ");
    tail.sync().expect("a sync");
    assert_eq!(letters(&disk.sim.read_durable("a")), "xyZ");
}

#[test]
fn a_killed_process_leaves_the_cache_and_sometimes_its_lies_come_out() {
    let found = outcomes(|seed| {
        let (disk, tail) = fail_a_sync(seed, Fault::Error);
        fill(&*tail, 0, "X");
        disk.sim.process_crash();
        let found = show(&disk.sim);
        disk.sim.drop_caches();
        assert_eq!(show(&disk.sim), "Xy-", "what was not dropped then can be dropped later");
        found
    });
    assert_eq!(found, ["XY-", "XYz", "Xy-", "Xyz"]);
}

#[test]
fn a_failed_write_shows_nothing_or_lies() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", SECTOR as u64);
        disk.sim.plan(When::nth(1).of(Op::Write), Fault::Error);
        assert_eq!(kind(tail.write(0, &[&[b'x'; SECTOR]])), Some(Kind::Unknown));
        let shown = show(&disk.sim);
        tail.sync().expect("a sync");
        (shown, letters(&disk.sim.read_durable("a")))
    });
    assert_eq!(found, [("-".into(), "-".into()), ("x".into(), "-".into())]);
}

#[test]
fn a_short_write_lands_its_first_bytes_and_says_unknown() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        let tail = disk.create("a", 4);
        disk.sim.plan(When::nth(1).of(Op::Write), Fault::Partly);
        assert_eq!(kind(tail.write(0, &[b"wx", b"", b"yz"])), Some(Kind::Unknown));
        read(&disk.process, "a")
    });
    assert_eq!(found, ["\0\0\0\0", "w\0\0\0", "wx\0\0", "wxy\0"]);
}

#[test]
fn a_flush_that_lies_is_found_out_by_a_power_cut() {
    let disk = Disk::new(1);
    let tail = disk.create("a", SECTOR as u64);
    fill(&*tail, 0, "x");
    disk.sim.plan(When::from(1).of(Op::Sync), Fault::Lie);
    tail.sync().expect("it says so");
    put(&disk.process, "b", "bytes").expect("it says so");
    disk.sim.plan(When::nth(1).of(Op::SyncNames), Fault::Lie);
    put(&disk.process, "c", "bytes").expect("it says so");
    disk.sim.power_cut_as(Cut::LoseAll);
    assert_eq!(show(&disk.sim), "-");
    assert_eq!(disk.sim.names(), ["a", "b"]);
    assert!(disk.sim.read_raw("b").is_empty(), "a name without its bytes");
}

#[test]
fn a_full_disk_refuses_what_is_new_and_leaves_nothing_of_it() {
    let disk = Disk::new(1);
    disk.sim.set_capacity(Some(100));
    let tail = disk.create("a", 60);
    assert_eq!(kind(disk.process.create(&name("b"), b"", 41, Room::Written)), Some(Kind::Full));
    assert_eq!(kind(put(&disk.process, "b", "0123456789012345678901234567890123456789x")), Some(Kind::Full));
    assert_eq!(disk.sim.names(), ["a"]);
    assert_eq!(disk.sim.operations_of(Op::Sync), 1, "that shows when the bytes are written");
    tail.write(0, &[&[1; 60]]).expect("a write within the file needs no room");
    tail.sync().expect("nor does its sync");

    disk.process.reserve(40).expect("there is room");
    disk.process.reserve(40).expect("it is kept already");
    assert_eq!(kind(disk.process.reserve(41)), Some(Kind::Full));
    assert_eq!(kind(disk.process.create(&name("b"), b"", 1, Room::Written)), Some(Kind::Full));
    disk.process.release().expect("a release");
    disk.create("b", 40);
    disk.remove("b");
    tail.trim(50).expect("a trim");
    disk.create("c", 50);
    assert_eq!(kind(tail.write(50, &[b"x"])), Some(Kind::Unknown));
    assert_eq!(read(&disk.process, "a").len(), 50);
    disk.sim.set_capacity(Some(103));
    assert_eq!(kind(tail.write(50, &[b"xy", b"zz"])), Some(Kind::Unknown), "a part had room");
    assert_eq!(read(&disk.process, "a").slice(50..), "xyz");
}

#[test]
fn a_planned_lack_of_room_leaves_nothing_at_any_step() {
    for op in [Op::Create, Op::Sync, Op::Link] {
        let disk = Disk::new(1);
        disk.sim.plan(When::nth(1).of(op), Fault::Full);
        assert_eq!(kind(disk.process.create(&name("a"), b"", 10, Room::Written)), Some(Kind::Full), "{op}");
        assert_eq!(disk.sim.names(), [""; 0]);
        disk.create("a", 10);
    }
}

#[test]
fn a_reserve_is_durable_and_its_release_later() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        disk.sim.set_capacity(Some(100));
        disk.process.reserve(100).expect("there is room");
        disk.process.release().expect("a release");
        disk.sim.power_cut();
        kind(Disk::reopen(&disk.sim).process.create(&name("a"), b"", 1, Room::Written)) == Some(Kind::Full)
    });
    assert_eq!(found, [false, true]);
}

#[test]
fn rot_shows_in_the_cache_and_on_the_disk() {
    let sim = Sim::growing(1);
    let process = sim.process();
    put(&process, "a", "0123456789").expect("a put");
    sim.flip("a", 1, 3);
    sim.zero("a", 4..6);
    sim.cut("a", 8);
    assert_eq!(read(&process, "a"), "0923\0\x0067");
    sim.power_cut();
    assert_eq!((sim.read_raw("a"), sim.read_durable("a")), (b"0923\0\x0067".into(), b"0923\0\x0067".into()));
    sim.write_raw("a", b"other");
    sim.write_raw("b c", b"foreign");
    sim.power_cut();
    assert_eq!((sim.names(), sim.read_raw("a")), (vec!["a".into(), "b c".into()], b"other".to_vec()));
    sim.remove_file("a");
    sim.power_cut();
    assert!(!sim.has("a"));
}

#[test]
fn a_sector_that_cannot_be_read_fails_every_read_that_touches_it() {
    let disk = Disk::new(1);
    let tail = disk.create("a", 3 * SECTOR as u64);
    fill(&*tail, 0, "xyz");
    disk.sim.make_unreadable("a", 600..601);
    let read = |range| kind(disk.process.read(&name("a"), range));
    assert_eq!(read(0..512), None);
    assert_eq!(read(0..513), Some(Kind::Unavailable));
    assert_eq!(read(1023..1024), Some(Kind::Unavailable));
    assert_eq!(read(1024..9999), None);
    fill(&*tail, 1, "Y");
    assert_eq!(read(0..9999), None, "what is written again can be read again");
}

#[test]
fn a_bad_read_fails_or_answers_with_one_bit_flipped() {
    let sim = Sim::growing(1);
    let process = sim.process();
    put(&process, "a", "0123456789").expect("a put");
    sim.plan(When::nth(1).of(Op::Read), Fault::Error);
    sim.plan(When::nth(2).of(Op::Read), Fault::Rot);
    assert_eq!(kind(process.read(&name("a"), 0..10)), Some(Kind::Unavailable));
    let rotten = process.read(&name("a"), 0..10).expect("an answer");
    let flipped: u32 =
        rotten.iter().zip(b"0123456789").map(|(rotten, good)| (rotten ^ good).count_ones()).sum();
    assert_eq!(flipped, 1);
    assert_eq!(read(&process, "a"), "0123456789");
}
