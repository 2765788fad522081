//! What holds on a medium of leases, in the place of what holds where files grow under a lock.
//!
//! `own` is called by one client here; what two do to each other, on a server, is for tests beside it.

use std::sync::Barrier;

use super::{
    Facts, OfFiles, all, file, folder, kind, list, name, names_sync_with_and_without_folders, put, race_of_16,
};
use super::{setting_aside_replaces_nothing, what_needs_an_owner_is_refused_without_one};
use crate::error::{Kind, Result};
use crate::store::{Append, Leases, Name, Own, Room, Store, Tail, What};

pub(super) const FACTS: Facts<OfFiles> = &[
    ("whoever_owns_keeps_nobody_away", whoever_owns_keeps_nobody_away),
    ("what_needs_an_owner_is_refused_without_one", what_needs_an_owner_is_refused_without_one),
    ("a_created_file_is_open_under_its_name", a_created_file_is_open_under_its_name),
    ("a_stream_is_written_at_its_end_alone", a_stream_is_written_at_its_end_alone),
    ("a_closed_file_shows_all_of_it", a_closed_file_shows_all_of_it),
    ("an_open_file_shows_a_beginning_of_what_was_synced", an_open_file_shows_a_beginning_of_what_was_synced),
    ("owning_ends_every_lease", owning_ends_every_lease),
    ("who_lost_its_lease_writes_nothing_more", who_lost_its_lease_writes_nothing_more),
    ("a_kept_file_has_the_same_bytes", a_kept_file_has_the_same_bytes),
    ("only_a_closed_file_is_kept", only_a_closed_file_is_kept),
    ("puts_and_creates_share_their_names", puts_and_creates_share_their_names),
    ("of_racing_creates_exactly_one_wins", of_racing_creates_exactly_one_wins),
    ("setting_aside_replaces_nothing", setting_aside_replaces_nothing),
    ("names_sync_with_and_without_folders", names_sync_with_and_without_folders),
    ("what_has_nothing_to_do_shows_nowhere", what_has_nothing_to_do_shows_nowhere),
];

fn leases(append: &dyn Append) -> &dyn Leases {
    append.leases().expect("a medium of leases stays one")
}

fn owned(append: &dyn Append) -> Box<dyn Own> {
    append.own().expect("leases that end")
}

fn create(append: &dyn Append, text: &str) -> Box<dyn Tail> {
    append.create(&name(text), b"head", 1 << 20, Room::Written).expect("a new file")
}

/// The length that a listing shows.
fn listed(store: &dyn Store, text: &str) -> u64 {
    let entry = list(store, &Name::ROOT).into_iter().find(|entry| entry.name == text).expect("it is listed");
    let What::File(len) = entry.what else { panic!("it is a file: {entry:?}") };
    len
}

fn whoever_owns_keeps_nobody_away(store: &dyn Store, append: &dyn Append) {
    let first = owned(append);
    let second = owned(append);
    first.check().expect("nobody can lock it out");
    drop(first);
    second.check().expect("nor this one");
    put(store, "a", b"x");
    assert_eq!(list(store, &Name::ROOT), [file("a", 1)], "owning shows nowhere");
}

fn a_created_file_is_open_under_its_name(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let tail = create(append, "a");
    assert!(leases(append).is_open(&name("a")).expect("an answer"));
    assert!(listed(store, "a") <= 4);
    tail.trim(4).expect("it is as long as its head");
    assert!(!leases(append).is_open(&name("a")).expect("an answer"));
    assert_eq!(all(store, "a"), "head");
    assert_eq!(list(store, &Name::ROOT), [file("a", 4)]);
    assert_eq!(kind(leases(append).is_open(&name("b"))), Some(Kind::NotThere));
    assert_eq!(kind(append.create(&name("b"), b"head", 3, Room::Written)), Some(Kind::Invalid));
    create(append, "folder/a").trim(4).expect("a file in a folder");
    assert_eq!(list(store, &Name::ROOT), [file("a", 4), folder("folder")]);
}

fn a_stream_is_written_at_its_end_alone(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let tail = create(append, "a");
    assert_eq!(kind(tail.write(3, &[b"over"])), Some(Kind::Invalid));
    assert_eq!(kind(tail.write_through(5, &[b"beyond"])), Some(Kind::Invalid));
    assert_eq!(kind(tail.trim(3)), Some(Kind::Invalid));
    assert_eq!(kind(tail.trim(5)), Some(Kind::Invalid));
    tail.write(4, &[b"one", b"", b"two"]).expect("a write");
    tail.write(10, &[]).expect("a write of nothing");
    tail.write_through(10, &[b"three"]).expect("a write that is durable");
    tail.sync().expect("a sync of nothing new");
    tail.trim(15).expect("it is so long");
    assert_eq!(all(store, "a"), "headonetwothree");
}

fn a_closed_file_shows_all_of_it(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let tail = create(append, "a");
    let part: Vec<u8> = (0..70_000_u32).map(|at| (at % 251) as u8).collect();
    for at in 0..4 {
        tail.write(4 + at * part.len() as u64, &[&part]).expect("a write");
    }
    tail.sync().expect("a sync");
    tail.trim(4 + 4 * part.len() as u64).expect("a close");
    let bytes = all(store, "a");
    assert_eq!(bytes.slice(..4), "head");
    assert!(bytes[4..].chunks(part.len()).all(|there| there == part) && bytes.len() == 280_004);
    assert_eq!(kind(tail.write(280_004, &[b"more"])), Some(Kind::Unknown));
    assert_eq!(kind(append.reopen(&name("a"))), Some(Kind::Invalid), "a closed file is never written again");
    assert_eq!(all(store, "a").len(), 280_004);
}

fn an_open_file_shows_a_beginning_of_what_was_synced(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let tail = create(append, "a");
    let mut shown = 0;
    let mut written = b"head".to_vec();
    for at in 0..20_u8 {
        tail.write_through(written.len() as u64, &[&[at; 1000]]).expect("a write");
        written.extend([at; 1000]);
        let there = all(store, "a");
        assert!(written.starts_with(&there) && there.len() >= shown, "what was shown is shown again");
        assert!((there.len()..=written.len()).contains(&(listed(store, "a") as usize)));
        shown = there.len();
    }
    assert!(shown == written.len() || leases(append).is_open(&name("a")).expect("an answer"));
    drop(owned(append));
    assert_eq!(all(store, "a"), written, "all that was synced is there when it is closed");
}

fn owning_ends_every_lease(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let tails = ["a", "b", "c"].map(|text| create(append, text));
    tails[0].write_through(4, &[b"synced"]).expect("a write");
    tails[1].write(4, &[b"written"]).expect("a write");
    drop(owned(append));
    for text in ["a", "b", "c"] {
        assert!(!leases(append).is_open(&name(text)).expect("an answer"));
        assert_eq!(listed(store, text), all(store, text).len() as u64);
    }
    assert_eq!(all(store, "a"), "headsynced");
    assert!(b"headwritten".starts_with(&all(store, "b")[..]) && all(store, "b").len() >= 4);
    assert_eq!(all(store, "c"), "head");
}

fn who_lost_its_lease_writes_nothing_more(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let (tail, idle) = (create(append, "a"), create(append, "b"));
    tail.write_through(4, &[b"synced"]).expect("a write");
    drop(owned(append));
    assert_eq!(kind(tail.write_through(10, &[b"late"])), Some(Kind::Unknown));
    assert_eq!(kind(tail.sync()), Some(Kind::Unknown));
    assert_eq!(kind(idle.trim(4)), Some(Kind::Unknown));
    drop((tail, idle));
    assert_eq!(all(store, "a"), "headsynced");
    assert_eq!(kind(append.create(&name("a"), b"again", 5, Room::Written)), Some(Kind::Exists));
}

fn a_kept_file_has_the_same_bytes(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let tail = create(append, "a");
    tail.write(4, &[&[7; 9000]]).expect("a write");
    drop(owned(append));
    let before = all(store, "a");
    for _ in 0..2 {
        leases(append).keep(&name("a")).expect("a closed file");
        assert_eq!(all(store, "a"), before);
        assert_eq!(list(store, &Name::ROOT), [file("a", before.len() as u64)], "nothing else is left");
    }
    drop(tail);
}

fn only_a_closed_file_is_kept(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    assert_eq!(kind(leases(append).keep(&name("a"))), Some(Kind::NotThere));
    let tail = create(append, "a");
    assert_eq!(kind(leases(append).keep(&name("a"))), Some(Kind::Invalid));
    tail.write_through(4, &[b"more"]).expect("its lease is still there");
    tail.trim(8).expect("a close");
    assert_eq!(all(store, "a"), "headmore");
}

fn puts_and_creates_share_their_names(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    put(store, "a", b"put");
    assert_eq!(kind(append.create(&name("a"), b"create", 100, Room::Written)), Some(Kind::Exists));
    assert_eq!(all(store, "a"), "put");
    let tail = create(append, "b");
    assert_eq!(kind(append.create(&name("b"), b"again!", 6, Room::Written)), Some(Kind::Exists));
    assert_eq!(kind(store.put(&name("b"), "put".into())), Some(Kind::Exists));
    tail.trim(4).expect("a close");
    assert_eq!(all(store, "b"), "head");
    store.remove(&name("b")).expect("a remove");
    assert_eq!(list(store, &Name::ROOT), [file("a", 3)], "a refused create leaves nothing behind");
}

fn of_racing_creates_exactly_one_wins(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    let barrier = Barrier::new(16);
    let winners = race_of_16(|racer| {
        barrier.wait();
        let result: Result<Box<dyn Tail>> = append.create(&name("a"), &[racer as u8; 8], 4096, Room::Written);
        let refused = kind(result.as_ref().map_err(Clone::clone));
        assert!(matches!(refused, None | Some(Kind::Exists)), "{result:?}");
        result.ok().map(|tail| {
            tail.trim(8).expect("a close");
            racer
        })
    });
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    assert_eq!(all(store, "a"), vec![winners[0] as u8; 8]);
}

fn what_has_nothing_to_do_shows_nowhere(store: &dyn Store, append: &dyn Append) {
    let _guard = owned(append);
    append.ahead(1 << 20, Room::Written).expect("nothing to do");
    append.reserve(100_000).expect("nothing to do");
    append.release().expect("nothing to do");
    assert_eq!(list(store, &Name::ROOT), []);
}
