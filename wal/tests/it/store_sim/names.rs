//! The names on a disk: what is durable of them, and when.

use headwater_wal::Kind;
use headwater_wal::store::sim::{Cut, Fault, Op, Sim, When};
use headwater_wal::store::{Append, Entry, Name, Store, What};

use super::{Disk, kind, name, outcomes, put, read};

#[test]
fn a_crash_between_link_and_directory_sync_keeps_the_name_or_loses_it() {
    let found = outcomes(|seed| {
        let sim = Sim::growing(seed);
        sim.plan(When::nth(1).of(Op::SyncNames), Fault::Crash);
        assert_eq!(kind(put(&sim.process(), "a", "bytes")), Some(Kind::Unknown));
        sim.power_cut();
        sim.has("a").then(|| sim.read_raw("a"))
    });
    assert_eq!(found, [None, Some(b"bytes".to_vec())], "if it is there it is whole");
}

#[test]
fn a_crash_before_the_link_leaves_nothing() {
    for op in [Op::Create, Op::Sync, Op::Link] {
        let sim = Sim::growing(1);
        sim.plan(When::nth(1).of(op), Fault::Crash);
        assert_eq!(kind(put(&sim.process(), "a", "bytes")), Some(Kind::Unavailable), "{op}");
        assert_eq!(sim.names(), [""; 0]);
    }
}

#[test]
fn a_name_is_durable_once_its_put_has_answered() {
    let sim = Sim::growing(1);
    put(&sim.process(), "folder/a", "bytes").expect("a put");
    sim.power_cut_as(Cut::LoseAll);
    assert_eq!(sim.read_raw("folder/a"), b"bytes");
}

#[test]
fn a_removal_may_be_undone_until_the_names_are_synced() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        put(&disk.process, "a", "x").expect("a put");
        put(&disk.process, "b", "x").expect("a put");
        disk.remove("a");
        disk.remove("b");
        assert_eq!(disk.sim.names(), [""; 0]);
        disk.sim.power_cut();
        disk.sim.names().concat()
    });
    assert_eq!(found, ["", "a", "ab", "b"], "each by itself, in any order");

    let disk = Disk::new(1);
    put(&disk.process, "a", "x").expect("a put");
    disk.remove("a");
    disk.process.sync_names().expect("a sync");
    disk.sim.power_cut_as(Cut::LoseAll);
    assert!(!disk.sim.has("a"));
}

#[test]
fn a_put_makes_its_own_folder_durable_and_no_other() {
    let disk = Disk::new(1);
    for text in ["here/a", "there/a"] {
        put(&disk.process, text, "x").expect("a put");
        disk.remove(text);
    }
    put(&disk.process, "here/b", "x").expect("a put");
    disk.sim.power_cut_as(Cut::LoseAll);
    assert_eq!(disk.sim.names(), ["here/b", "there/a"]);
}

#[test]
fn a_name_that_was_freed_and_taken_again_shows_one_of_its_lives() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        put(&disk.process, "a", "old").expect("a put");
        disk.remove("a");
        disk.sim.plan(When::nth(1).of(Op::SyncNames), Fault::Crash);
        let _ = put(&disk.process, "a", "new");
        disk.sim.power_cut();
        disk.sim.has("a").then(|| disk.sim.read_raw("a"))
    });
    assert_eq!(found, [None, Some(b"new".to_vec()), Some(b"old".to_vec())]);
}

#[test]
fn a_file_set_aside_has_one_name_whatever_happens() {
    let found = outcomes(|seed| {
        let disk = Disk::new(seed);
        put(&disk.process, "a", "x").expect("a put");
        disk.sim.plan(When::nth(1).of(Op::SyncNames), Fault::Crash);
        assert_eq!(kind(disk.set_aside("a", "quarantine/a")), Some(Kind::Unknown));
        disk.sim.power_cut();
        disk.sim.names().join(" ")
    });
    assert_eq!(found, ["a", "quarantine/a"]);

    let disk = Disk::new(1);
    put(&disk.process, "a", "x").expect("a put");
    disk.set_aside("a", "quarantine/a").expect("a free name");
    disk.sim.power_cut_as(Cut::LoseAll);
    assert_eq!(disk.sim.names(), ["quarantine/a"]);
}

#[test]
fn a_failed_directory_sync_leaves_the_name_to_the_next_one() {
    for and_then in [false, true] {
        let disk = Disk::new(1);
        disk.sim.plan(When::nth(1).of(Op::SyncNames), Fault::Error);
        assert_eq!(kind(put(&disk.process, "a", "x")), Some(Kind::Unknown));
        assert_eq!(read(&disk.process, "a"), "x", "everybody sees it");
        if and_then {
            disk.process.sync_names().expect("a sync");
        }
        disk.sim.power_cut_as(Cut::LoseAll);
        assert_eq!(disk.sim.has("a"), and_then);
    }
}

#[test]
fn a_file_and_a_folder_cannot_share_a_name() {
    let disk = Disk::new(1);
    put(&disk.process, "a", "x").expect("a put");
    put(&disk.process, "folder/b", "x").expect("a put");
    assert_eq!(kind(put(&disk.process, "a/b", "x")), Some(Kind::Invalid));
    assert_eq!(kind(put(&disk.process, "folder", "x")), Some(Kind::Exists));
    assert_eq!(kind(disk.set_aside("a", "folder")), Some(Kind::Exists));
    assert_eq!(kind(disk.process.read(&name("folder"), 0..1)), Some(Kind::Invalid));
}

#[test]
fn a_foreign_name_is_listed_as_what_it_is() {
    let sim = Sim::growing(1);
    for text in ["a", ".hidden", "b c/d", "z"] {
        sim.write_raw(text, b"x");
    }
    let process = sim.process();
    let listed: Vec<Entry> =
        process.list(&Name::ROOT).expect("a listing").flat_map(|page| page.expect("a page")).collect();
    let shown: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.what)).collect();
    let foreign = |what| matches!(what, What::Other(_));
    assert!(foreign(shown[0].1) && foreign(shown[2].1), "{shown:?}");
    assert_eq!((shown[0].0, shown[1], shown[2].0), (".hidden", ("a", What::File(1)), "b c"));
    assert_eq!(shown[3], ("z", What::File(1)));
}

#[test]
fn a_lock_ends_with_its_guard_or_its_process() {
    let sim = Sim::growing(1);
    let first = Disk::reopen(&sim);
    assert_eq!(kind(sim.process().own()), Some(Kind::Locked));
    first.process.kill();
    assert_eq!(kind(first._guard.check()), Some(Kind::Unavailable));
    let second = sim.process();
    let guard = second.own().expect("the holder is dead");
    drop(first);
    assert_eq!(kind(sim.process().own()), Some(Kind::Locked), "a dead guard frees nobody else's lock");
    sim.break_lock();
    assert_eq!(kind(guard.check()), Some(Kind::Fenced));
    let third = sim.process().own().expect("a place whose lock was broken");
    assert_eq!((kind(guard.check()), kind(third.check())), (Some(Kind::Fenced), None));
    drop(guard);
    assert_eq!(kind(sim.process().own()), Some(Kind::Locked));
}
