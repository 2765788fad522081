//! One conformance suite for all media: a backend is done when [`conforms`] returns.
//!
//! Each check is a fact about [`Store`] or [`Append`], tried on a place of its own. What only a crash can show is not
//! here: that is the business of the simulated device, and of tests on real disks.

mod leased;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Barrier};
use std::thread;

use bytes::Bytes;

use super::{Append, Entry, Name, Room, Store, What, leasing};
use crate::error::{Kind, Result};

/// Panics at the first fact that does not hold, and names it. `make` gives a new empty place at each call.
pub fn conforms(make: impl Fn() -> Arc<dyn Store>) {
    for (fact, check) in STORE {
        let _named = Named(fact);
        check(&*make());
    }
    if make().append().is_none() {
        return;
    }
    let facts = if leasing(&*make()).is_some() { leased::FACTS } else { APPEND };
    for (fact, check) in facts {
        let _named = Named(fact);
        let store = make();
        check(&*store, store.append().expect("a store that grew a moment ago still does"));
    }
}

/// Says which fact it was, if a check panics.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this does not hold: {}", self.0);
        }
    }
}

macro_rules! facts {
    ($($fact:ident)*) => { &[$((stringify!($fact), $fact)),*] };
}

type Facts<Check> = &'static [(&'static str, Check)];

const STORE: Facts<fn(&dyn Store)> = facts![
    what_was_put_is_read
    a_second_put_is_refused_and_the_first_bytes_stay
    of_racing_puts_exactly_one_wins
    a_read_is_short_at_the_end_and_empty_beyond_it
    a_huge_range_costs_no_more_than_what_is_there
    a_name_that_is_not_there_says_so
    an_object_may_be_empty
    an_object_may_be_large
    a_name_may_have_long_parts
    the_root_is_no_file
    an_opened_object_reads_as_by_its_name
    an_opened_object_stays_when_its_name_goes
    what_is_not_there_is_not_opened
    a_missing_folder_lists_as_empty
    a_listing_is_ordered_and_complete
    a_listing_shows_one_level
    a_listing_lives_with_what_comes_and_goes
    a_listing_may_begin_in_the_middle
    a_read_begun_ahead_answers_as_any_read
    a_read_begun_ahead_may_be_given_up
    removing_twice_is_fine_and_frees_the_name
    removing_many_answers_for_each
];

type OfFiles = fn(&dyn Store, &dyn Append);

const APPEND: Facts<OfFiles> = facts![
    a_place_has_one_owner
    what_needs_an_owner_is_refused_without_one
    a_created_file_begins_with_its_head_and_is_zero_behind_it
    a_head_never_exceeds_its_file
    a_file_made_ahead_is_used_by_the_next_create_of_its_length
    a_removed_file_may_leave_its_room_to_the_next_and_nothing_else
    puts_and_creates_share_their_names
    of_racing_creates_exactly_one_wins
    written_parts_are_read_back
    writes_may_be_in_flight_together
    a_file_grows_when_it_is_written_beyond_its_end
    a_trim_cuts_and_never_grows
    a_reopened_file_is_the_same_file
    reopening_what_is_not_there_says_so
    setting_aside_replaces_nothing
    a_tail_stays_with_its_file_when_the_name_goes
    an_opened_file_shows_what_is_written_and_cut
    an_opened_file_is_the_one_that_had_the_name_then
    a_reserve_is_no_file_of_the_store
    names_sync_with_and_without_folders
];

fn name(text: &str) -> Name {
    Name::new(text).expect("a good name")
}

fn put(store: &dyn Store, text: &str, bytes: &'static [u8]) {
    store.put(&name(text), Bytes::from_static(bytes)).expect("a put of a new name");
}

fn read(store: &dyn Store, text: &str, range: Range<u64>) -> Bytes {
    store.read(&name(text), range).expect("a read of a name that is there")
}

fn all(store: &dyn Store, text: &str) -> Bytes {
    read(store, text, 0..u64::MAX)
}

fn kind<T>(result: Result<T>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}

fn list(store: &dyn Store, folder: &Name) -> Vec<Entry> {
    let mut entries = Vec::new();
    for page in store.list(folder).expect("a listing begins") {
        let page = page.expect("a page");
        assert!(!page.is_empty(), "a page holds something");
        entries.extend(page);
    }
    entries
}

fn file(text: &str, len: u64) -> Entry {
    Entry { name: text.into(), what: What::File(len) }
}

fn folder(text: &str) -> Entry {
    Entry { name: text.into(), what: What::Folder }
}

fn what_was_put_is_read(store: &dyn Store) {
    put(store, "a", b"first");
    put(store, "folder/deeper/b", b"second");
    assert_eq!(all(store, "a"), "first");
    assert_eq!(all(store, "folder/deeper/b"), "second");
    assert!(!store.place().is_empty());
}

fn a_second_put_is_refused_and_the_first_bytes_stay(store: &dyn Store) {
    put(store, "a", b"first");
    for bytes in [&b"other"[..], b"", b"first"] {
        assert_eq!(kind(store.put(&name("a"), Bytes::from_static(bytes))), Some(Kind::Exists));
        assert_eq!(all(store, "a"), "first");
    }
    assert_eq!(list(store, &Name::ROOT), [file("a", 5)], "a refused put leaves nothing behind");
}

fn of_racing_puts_exactly_one_wins(store: &dyn Store) {
    for round in 0..8 {
        let target = name(&format!("epoch/{round}"));
        let barrier = Barrier::new(16);
        let race = |racer: usize| {
            barrier.wait();
            let result = store.put(&target, Bytes::from(vec![racer as u8; 4096 + racer]));
            assert!(matches!(kind(result.clone()), None | Some(Kind::Exists)), "{result:?}");
            result.is_ok().then_some(racer)
        };
        let winners = race_of_16(race);
        assert_eq!(winners.len(), 1, "winners: {winners:?}");
        let found = store.read(&target, 0..u64::MAX).expect("the winner's bytes");
        assert_eq!(found, vec![winners[0] as u8; 4096 + winners[0]]);
    }
}

/// Those of sixteen threads that answered.
fn race_of_16(race: impl Fn(usize) -> Option<usize> + Sync) -> Vec<usize> {
    let race = &race;
    thread::scope(|scope| {
        let racers: Vec<_> = (0..16).map(|racer| scope.spawn(move || race(racer))).collect();
        racers.into_iter().filter_map(|racer| racer.join().expect("a racer")).collect()
    })
}

/// Puts one byte under each name, several at once.
fn put_many(store: &dyn Store, names: &[&str]) {
    race_of_16(|racer| {
        for text in names.iter().skip(racer).step_by(16) {
            put(store, text, b"x");
        }
        None
    });
}

fn a_read_is_short_at_the_end_and_empty_beyond_it(store: &dyn Store) {
    put(store, "a", b"0123456789");
    for (range, expected) in [
        (0..10, "0123456789"),
        (3..7, "3456"),
        (9..10, "9"),
        (9..11, "9"),
        (5..5, ""),
        (10..11, ""),
        (11..20, ""),
        (u64::MAX - 1..u64::MAX, ""),
    ] {
        assert_eq!(read(store, "a", range.clone()), expected, "{range:?}");
    }
}

fn a_huge_range_costs_no_more_than_what_is_there(store: &dyn Store) {
    put(store, "a", b"0123456789");
    for start in [0, 1, 10] {
        assert_eq!(read(store, "a", start..u64::MAX).len() as u64, 10 - start);
        assert_eq!(read(store, "a", start..1 << 48).len() as u64, 10 - start);
    }
}

fn a_name_that_is_not_there_says_so(store: &dyn Store) {
    for missing in ["a", "folder/a"] {
        assert_eq!(kind(store.read(&name(missing), 0..1)), Some(Kind::NotThere));
        assert_eq!(kind(store.read(&name(missing), 0..0)), Some(Kind::NotThere));
    }
    put(store, "folder/b", b"x");
    assert_eq!(kind(store.read(&name("folder/a"), 0..1)), Some(Kind::NotThere));
}

fn an_object_may_be_empty(store: &dyn Store) {
    put(store, "empty", b"");
    assert_eq!(all(store, "empty"), "");
    assert_eq!(list(store, &Name::ROOT), [file("empty", 0)]);
    assert_eq!(kind(store.put(&name("empty"), Bytes::from_static(b"x"))), Some(Kind::Exists));
}

fn an_object_may_be_large(store: &dyn Store) {
    let bytes: Vec<u8> = (0..8 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let bytes = Bytes::from(bytes);
    store.put(&name("large"), bytes.clone()).expect("a put of 8 MiB");
    assert!(all(store, "large") == bytes, "8 MiB come back as they were");
    assert!(read(store, "large", 5_000_001..6_000_003) == bytes.slice(5_000_001..6_000_003));
    assert_eq!(list(store, &Name::ROOT), [file("large", 8 << 20)]);
}

fn a_name_may_have_long_parts(store: &dyn Store) {
    let (outer, inner) = ("f".repeat(200), "n".repeat(200));
    let long = name(&format!("{outer}/{inner}"));
    store.put(&long, Bytes::from_static(b"x")).expect("a put under a long name");
    assert_eq!(kind(store.put(&long, Bytes::from_static(b"y"))), Some(Kind::Exists));
    assert_eq!(store.read(&long, 0..9).expect("a read of a long name"), "x");
    assert_eq!(list(store, &Name::ROOT), [folder(&outer)]);
    assert_eq!(list(store, &name(&outer)), [file(&inner, 1)]);
}

fn the_root_is_no_file(store: &dyn Store) {
    assert_eq!(kind(store.put(&Name::ROOT, Bytes::from_static(b"x"))), Some(Kind::Invalid));
    assert!(store.read(&Name::ROOT, 0..1).is_err());
    put(store, "a", b"x");
    let _ = store.remove(&Name::ROOT);
    assert_eq!(list(store, &Name::ROOT), [file("a", 1)]);
}

fn an_opened_object_reads_as_by_its_name(store: &dyn Store) {
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    store.put(&name("folder/a"), bytes.clone().into()).expect("a put");
    let Some(object) = store.open(&name("folder/a")).expect("an object that is there") else { return };
    let len = bytes.len() as u64;
    let ranges =
        [0..0, 0..1, 5..9, 0..len, 7..70_000, len - 3..len, len - 3..len + 9, len..len + 1, 9..u64::MAX];
    for range in ranges.into_iter().chain([len + 7..len + 100_000, u64::MAX - 1..u64::MAX, 1..1 << 48]) {
        let read = object.read(range.clone()).expect("a read");
        assert!(read == store.read(&name("folder/a"), range.clone()).expect("a read"), "{range:?}");
        let mut into = vec![7; 200_000.min((range.end - range.start) as usize)];
        let filled = object.read_into(range.start, &mut into).expect("a read");
        assert_eq!(filled, read.len().min(into.len()), "{range:?}");
        assert!(
            into[..filled] == read[..filled] && into[filled..].iter().all(|&byte| byte == 7),
            "{range:?}"
        );
    }
    let _ = race_of_16(|racer| {
        let from = 1000 * racer as u64;
        let read = object.read(from..from + 100_000).expect("a read beside others");
        assert!(read == bytes[1000 * racer..][..100_000]);
        None
    });
}

fn an_opened_object_stays_when_its_name_goes(store: &dyn Store) {
    put(store, "a", b"first");
    let Some(object) = store.open(&name("a")).expect("an object that is there") else { return };
    store.remove(&name("a")).expect("a remove");
    assert_eq!(object.read(0..9).expect("a read"), "first");
    put(store, "a", b"other");
    assert_eq!(object.read(0..9).expect("a read"), "first");
    let again = store.open(&name("a")).expect("it is there").expect("as before");
    assert_eq!(again.read(0..9).expect("a read"), "other");
    drop(object);
    assert_eq!(again.read(0..9).expect("a read"), "other");
}

fn what_is_not_there_is_not_opened(store: &dyn Store) {
    put(store, "folder/b", b"x");
    if store.open(&name("folder/b")).expect("it is there").is_none() {
        return;
    }
    for missing in ["a", "folder/a"] {
        assert_eq!(kind(store.open(&name(missing))), Some(Kind::NotThere));
    }
    assert!(store.open(&Name::ROOT).is_err());
}

fn a_missing_folder_lists_as_empty(store: &dyn Store) {
    assert_eq!(list(store, &Name::ROOT), []);
    assert_eq!(list(store, &name("folder")), []);
    assert_eq!(list(store, &name("folder/deeper")), []);
}

fn a_listing_is_ordered_and_complete(store: &dyn Store) {
    let names: BTreeSet<String> =
        (0..272_u32).map(|at| format!("{:08x}", at.wrapping_mul(0x9e37_79b9))).collect();
    put_many(store, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let found: Vec<String> = list(store, &Name::ROOT).into_iter().map(|entry| entry.name).collect();
    assert_eq!(found, names.into_iter().collect::<Vec<_>>());
}

fn a_listing_shows_one_level(store: &dyn Store) {
    // A dash and a dot sort before the slash that follows a folder's name.
    for text in ["a/1", "a/2/x", "a-b", "a.b", "ab/3", "b", "A", "_"] {
        put(store, text, b"x");
    }
    let root = ["A", "_", "a", "a-b", "a.b", "ab", "b"];
    let root = root.map(|text| if matches!(text, "a" | "ab") { folder(text) } else { file(text, 1) });
    assert_eq!(list(store, &Name::ROOT), root);
    assert_eq!(list(store, &name("a")), [file("1", 1), folder("2")]);
    assert_eq!(list(store, &name("a/2")), [file("x", 1)]);
}

fn a_listing_lives_with_what_comes_and_goes(store: &dyn Store) {
    let text = |at: u32| format!("{at:04}");
    let names: Vec<String> = (0..272).map(|at| text(2 * at)).collect();
    put_many(store, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut pages = store.list(&Name::ROOT).expect("a listing begins");
    let mut found: Vec<Entry> = pages.next().expect("a first page").expect("a page");
    put(store, &text(541), b"x");
    store.remove(&name(&text(542))).expect("a remove");
    for page in pages {
        found.extend(page.expect("a page"));
    }
    assert!(found.is_sorted_by(|left, right| left.name < right.name), "in order, each name once");
    for text in &names[..271] {
        assert!(found.contains(&file(text, 1)), "what was there all the time is listed");
    }
    let after = list(store, &Name::ROOT);
    assert!(after.contains(&file(&text(541), 1)) && !after.contains(&file(&text(542), 1)));
}

fn a_read_begun_ahead_answers_as_any_read(store: &dyn Store) {
    put(store, "a", b"0123456789");
    let Some(missing) = store.fetch(&name("b"), 0..1) else { return };
    let ranges = [0..10, 3..7, 8..100, 10..11, 50..60, 0..u64::MAX];
    let begun: Vec<_> = ranges.iter().map(|range| store.fetch(&name("a"), range.clone())).collect();
    assert_eq!(kind(missing.wait()), Some(Kind::NotThere));
    for (range, begun) in ranges.into_iter().zip(begun).rev() {
        let begun = begun.expect("as before").wait().expect("a read of what is there");
        assert_eq!(begun, read(store, "a", range.clone()), "{range:?}");
    }
}

fn a_read_begun_ahead_may_be_given_up(store: &dyn Store) {
    put(store, "a", b"0123456789");
    for _ in 0..100 {
        drop(store.fetch(&name("a"), 0..10));
    }
    assert_eq!(all(store, "a"), "0123456789");
}

fn removing_twice_is_fine_and_frees_the_name(store: &dyn Store) {
    for text in ["a", "folder/a"] {
        store.remove(&name(text)).expect("a remove of what never was");
        put(store, text, b"first");
        store.remove(&name(text)).expect("a remove");
        assert_eq!(kind(store.read(&name(text), 0..1)), Some(Kind::NotThere));
        store.remove(&name(text)).expect("a second remove");
        put(store, text, b"second");
        assert_eq!(all(store, text), "second");
    }
}

fn list_after(store: &dyn Store, folder: &Name, after: &str) -> Vec<Entry> {
    let pages = store.list_after(folder, after).expect("a listing begins");
    let pages: Vec<_> = pages.map(|page| page.expect("a page")).collect();
    assert!(pages.iter().all(|page| !page.is_empty()), "a page holds something");
    pages.concat()
}

fn a_listing_may_begin_in_the_middle(store: &dyn Store) {
    for text in ["a/1", "a/2/x", "a-b", "a.b", "ab/3", "b", "folder/c", "folder/d/e", "folder/f"] {
        put(store, text, b"x");
    }
    let all = list(store, &Name::ROOT);
    for after in ["", "A", "a", "a-", "a-b", "a.b", "a/", "aa", "ab", "b", "folder", "g", "a b", "\u{e4}"] {
        let expected: Vec<Entry> = all.iter().filter(|entry| *entry.name > *after).cloned().collect();
        assert_eq!(list_after(store, &Name::ROOT, after), expected, "{after:?}");
    }
    assert_eq!(list_after(store, &name("folder"), "c"), [folder("d"), file("f", 1)]);
    assert_eq!(list_after(store, &name("folder"), "f"), []);
    assert_eq!(list_after(store, &name("nowhere"), "f"), []);
    let names: Vec<String> = (0..272).map(|at| format!("many/{at:04}")).collect();
    put_many(store, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let found: Vec<String> = list_after(store, &name("many"), "0100")
        .into_iter()
        .map(|entry| format!("many/{}", entry.name))
        .collect();
    assert_eq!(found, names[101..]);
}

fn removing_many_answers_for_each(store: &dyn Store) {
    assert!(store.remove_all(&[]).is_empty());
    let texts: Vec<String> = (0..300).map(|at| format!("many/{at:04}")).collect();
    put_many(store, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    put(store, "other", b"x");
    let mut names: Vec<Name> = texts.iter().map(|text| name(text)).collect();
    names.insert(7, name("never/was"));
    names.push(name("many/0000"));
    names.reverse();
    let answers = store.remove_all(&names);
    assert_eq!(answers.len(), names.len());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(list(store, &name("many")), []);
    assert_eq!(all(store, "other"), "x");
}

fn a_place_has_one_owner(store: &dyn Store, append: &dyn Append) {
    let guard = append.own().expect("a free place");
    assert_eq!(kind(append.own()), Some(Kind::Locked));
    guard.check().expect("the first one still owns it");
    put(store, "a", b"x");
    assert_eq!(list(store, &Name::ROOT), [file("a", 1)], "owning shows nowhere");
    drop(guard);
    append.own().expect("free again").check().expect("and owned again");
}

fn what_needs_an_owner_is_refused_without_one(store: &dyn Store, append: &dyn Append) {
    drop(append.own());
    let a = name("a");
    assert_eq!(kind(append.create(&a, b"", 1, Room::Written)), Some(Kind::Invalid));
    assert_eq!(kind(append.reopen(&a)), Some(Kind::Invalid));
    assert_eq!(kind(append.sync_names()), Some(Kind::Invalid));
    assert_eq!(kind(append.set_aside(&a, &name("b"))), Some(Kind::Invalid));
    assert_eq!(kind(append.reserve(1)), Some(Kind::Invalid));
    assert_eq!(kind(append.release()), Some(Kind::Invalid));
    assert_eq!(list(store, &Name::ROOT), []);
}

fn a_created_file_begins_with_its_head_and_is_zero_behind_it(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    for (text, head, len) in
        [("a", &b"head"[..], 3 << 20), ("b", b"head", 4), ("c", b"", 1), ("folder/d", b"", 0)]
    {
        append.create(&name(text), head, len, Room::Written).expect("a new file");
        let bytes = all(store, text);
        assert_eq!(bytes.len() as u64, len);
        assert!(bytes.starts_with(head) && bytes[head.len()..].iter().all(|&byte| byte == 0));
    }
    assert_eq!(list(store, &Name::ROOT), [file("a", 3 << 20), file("b", 4), file("c", 1), folder("folder")]);
}

fn a_head_never_exceeds_its_file(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    assert_eq!(kind(append.create(&name("a"), b"head", 3, Room::Written)), Some(Kind::Invalid));
    assert_eq!(list(store, &Name::ROOT), []);
}

fn puts_and_creates_share_their_names(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    put(store, "a", b"put");
    assert_eq!(kind(append.create(&name("a"), b"create", 100, Room::Written)), Some(Kind::Exists));
    assert_eq!(all(store, "a"), "put");
    append.create(&name("b"), b"create", 6, Room::Written).expect("a new file");
    assert_eq!(kind(append.create(&name("b"), b"again!", 6, Room::Written)), Some(Kind::Exists));
    assert_eq!(kind(store.put(&name("b"), Bytes::from_static(b"put"))), Some(Kind::Exists));
    assert_eq!(all(store, "b"), "create");
    store.remove(&name("b")).expect("a remove");
    assert_eq!(list(store, &Name::ROOT), [file("a", 3)], "a refused create leaves nothing behind");
}

fn of_racing_creates_exactly_one_wins(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let barrier = Barrier::new(16);
    let winners = race_of_16(|racer| {
        barrier.wait();
        let result = append.create(&name("a"), &[racer as u8; 8], 4096, Room::Written);
        assert!(
            matches!(kind(result.as_ref().map_err(Clone::clone)), None | Some(Kind::Exists)),
            "{result:?}"
        );
        result.is_ok().then_some(racer)
    });
    assert_eq!(winners.len(), 1, "winners: {winners:?}");
    assert_eq!(read(store, "a", 0..8), vec![winners[0] as u8; 8]);
}

fn written_parts_are_read_back(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let tail = append.create(&name("a"), b"head", 16384, Room::Written).expect("a new file");
    tail.write(4, &[b"one", b"", b"two", b"three"]).expect("a write");
    tail.write(16380, &[b"last"]).expect("a write at the end");
    tail.write(8000, &[]).expect("a write of nothing");
    let many: Vec<[u8; 2]> = (0..3000_u16).map(u16::to_le_bytes).collect();
    tail.write(4096, &many.iter().map(|part| &part[..]).collect::<Vec<_>>()).expect("a write of many parts");
    tail.sync().expect("a sync");
    assert_eq!(read(store, "a", 0..16), "headonetwothree\0");
    assert_eq!(read(store, "a", 4096..10096), many.concat());
    assert_eq!(read(store, "a", 16380..20000), "last");
    tail.write(4, &[b"ONE"]).expect("a write over earlier bytes");
    tail.sync().expect("a second sync");
    assert_eq!(read(store, "a", 0..8), "headONEt");
}

fn writes_may_be_in_flight_together(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let tail = append.create(&name("a"), b"", 16 * 8192, Room::Written).expect("a new file");
    race_of_16(|racer| {
        tail.write(8192 * racer as u64, &[&[racer as u8; 5000], &[racer as u8; 3192]]).expect("a write");
        tail.sync().expect("a sync");
        None
    });
    let bytes = all(store, "a");
    assert!(bytes.chunks(8192).enumerate().all(|(racer, piece)| piece == vec![racer as u8; 8192]));
}

fn a_file_grows_when_it_is_written_beyond_its_end(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let tail = append.create(&name("a"), b"head", 4, Room::Written).expect("a new file");
    tail.write(6, &[b"far"]).expect("a write beyond the end");
    tail.sync().expect("a sync");
    assert_eq!(all(store, "a"), "head\0\0far");
    assert_eq!(kind(tail.write(u64::MAX - 1, &[b"too far"])), Some(Kind::Invalid));
    assert_eq!(all(store, "a"), "head\0\0far");
}

fn a_trim_cuts_and_never_grows(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let tail = append.create(&name("a"), b"0123456789", 4096, Room::Written).expect("a new file");
    assert_eq!(kind(tail.trim(4097)), Some(Kind::Invalid));
    tail.trim(4096).expect("a trim to its own length");
    tail.trim(5).expect("a trim");
    assert_eq!(all(store, "a"), "01234");
    assert_eq!(list(store, &Name::ROOT), [file("a", 5)]);
}

fn a_reopened_file_is_the_same_file(store: &dyn Store, append: &dyn Append) {
    let guard = append.own().expect("a free place");
    let first = append.create(&name("folder/a"), b"head", 64, Room::Written).expect("a new file");
    first.write(4, &[b"first"]).expect("a write");
    first.sync().expect("a sync");
    drop((first, guard));
    let _guard = append.own().expect("a place that is free again");
    let second = append.reopen(&name("folder/a")).expect("the file of an earlier life");
    second.write(9, &[b"second"]).expect("a write");
    second.sync().expect("a sync");
    assert_eq!(read(store, "folder/a", 0..15), "headfirstsecond");
}

fn reopening_what_is_not_there_says_so(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    assert_eq!(kind(append.reopen(&name("a"))), Some(Kind::NotThere));
    assert_eq!(kind(append.reopen(&name("folder/a"))), Some(Kind::NotThere));
    assert_eq!(list(store, &Name::ROOT), []);
}

fn setting_aside_replaces_nothing(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    put(store, "a", b"first");
    append.set_aside(&name("a"), &name("quarantine/deep/a")).expect("a name that is free");
    assert_eq!(kind(store.read(&name("a"), 0..1)), Some(Kind::NotThere));
    assert_eq!(all(store, "quarantine/deep/a"), "first");
    put(store, "a", b"second");
    let again = append.set_aside(&name("a"), &name("quarantine/deep/a"));
    assert_eq!(kind(again), Some(Kind::Exists));
    assert_eq!(all(store, "a"), "second");
    assert_eq!(all(store, "quarantine/deep/a"), "first");
    assert_eq!(kind(append.set_aside(&name("a"), &name("a"))), Some(Kind::Exists), "not even itself");
    assert_eq!(all(store, "a"), "second");
    assert_eq!(kind(append.set_aside(&name("b"), &name("c"))), Some(Kind::NotThere));
}

fn a_tail_stays_with_its_file_when_the_name_goes(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let tail = append.create(&name("a"), b"head", 8, Room::Written).expect("a new file");
    append.set_aside(&name("a"), &name("b")).expect("a free name");
    tail.write(4, &[b"more"]).expect("a write to a file that was set aside");
    tail.sync().expect("a sync");
    assert_eq!(all(store, "b"), "headmore");
    store.remove(&name("b")).expect("a remove");
    append.create(&name("b"), b"other", 8, Room::Written).expect("the name is free");
    tail.write(0, &[b"late"]).expect("a write to a file without a name");
    assert_eq!(all(store, "b"), "other\0\0\0");
}

fn a_file_made_ahead_is_used_by_the_next_create_of_its_length(store: &dyn Store, append: &dyn Append) {
    let _owner = append.own().unwrap();
    append.ahead(8192, Room::Written).unwrap();
    append.ahead(8192, Room::Written).unwrap();
    assert_eq!(list(store, &Name::ROOT), [], "it is no file of the store");
    append.create(&name("a"), b"other length", 4096, Room::Written).unwrap();
    append.create(&name("b"), b"head", 8192, Room::Written).unwrap();
    append.create(&name("c"), b"head", 8192, Room::Written).unwrap();
    for file in ["b", "c"] {
        let bytes = all(store, file);
        assert!(
            bytes.starts_with(b"head") && bytes[4..].iter().all(|&byte| byte == 0) && bytes.len() == 8192
        );
    }
    append.ahead(100, Room::Written).unwrap();
    append.ahead(0, Room::Written).unwrap();
    append.create(&name("d"), b"", 100, Room::Written).unwrap();
}

fn a_removed_file_may_leave_its_room_to_the_next_and_nothing_else(store: &dyn Store, append: &dyn Append) {
    let _owner = append.own().unwrap();
    assert_eq!(append.recycle(&name("none")).ok(), Some(false), "there is nothing to remove");
    for (round, room) in (0..40).zip([Room::Written, Room::Allotted].into_iter().cycle()) {
        let old = name(&format!("{round:02}"));
        let tail = append.create(&old, &[7; 512], 8192, room).unwrap();
        tail.write(512, &[&[7; 7680]]).unwrap();
        tail.sync().unwrap();
        tail.trim(8000).unwrap();
        drop(tail);
        let object = store.open(&old).unwrap().expect("what grows can be opened");
        assert!(object.is_still().unwrap() && object.read(0..9000).unwrap() == vec![7; 8000]);
        if !append.recycle(&old).unwrap() {
            store.remove(&old).unwrap();
        }
        assert_eq!(list(store, &Name::ROOT), []);
        assert_eq!(kind(store.read(&old, 0..1)), Some(Kind::NotThere));
        let new = name("new");
        append.create(&new, b"head", 8192, room).unwrap();
        let bytes = all(store, "new");
        assert!(bytes.starts_with(b"head") && bytes.len() == 8192, "round {round}");
        assert!(bytes[4..].iter().all(|&byte| byte == 0), "round {round}: of the removed one nothing shows");
        // Whoever has the old one open has its bytes, or learns that they may be another's.
        assert!(object.read(0..9000).unwrap() == vec![7; 8000] || !object.is_still().unwrap());
        store.remove(&new).unwrap();
    }
}

fn an_opened_file_shows_what_is_written_and_cut(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    let tail = append.create(&name("a"), b"head", 100, Room::Written).expect("a new file");
    let object = store.open(&name("a")).expect("it is there").expect("what grows can be opened");
    assert_eq!(object.read(0..6).expect("a read"), "head\0\0");
    tail.write(4, &[b"more"]).expect("a write");
    assert_eq!(object.read(0..8).expect("a read"), "headmore");
    tail.write(98, &[b"beyond"]).expect("a write beyond the end");
    assert_eq!(object.read(98..200).expect("a read"), "beyond");
    tail.trim(6).expect("a trim");
    assert_eq!(object.read(0..200).expect("a read"), "headmo");
    assert_eq!(object.read_into(4, &mut [0; 9]).expect("a read"), 2);
}

fn an_opened_file_is_the_one_that_had_the_name_then(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    put(store, "a", b"first");
    let object = store.open(&name("a")).expect("it is there").expect("what grows can be opened");
    append.set_aside(&name("a"), &name("quarantine/a")).expect("a free name");
    put(store, "a", b"other");
    append.sync_names().expect("names that can be synced");
    assert_eq!(object.read(0..9).expect("a read"), "first");
    store.remove(&name("quarantine/a")).expect("a remove");
    append.sync_names().expect("names that can be synced");
    assert_eq!(object.read(0..9).expect("a read"), "first");
    assert_eq!(all(store, "a"), "other");
}

fn a_reserve_is_no_file_of_the_store(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    append.release().expect("there is nothing to release");
    for len in [100_000, 100_000, 50_000, 3_000_000, 0] {
        append.reserve(len).expect("there is room");
        assert_eq!(list(store, &Name::ROOT), []);
    }
    append.release().expect("a release");
    append.release().expect("a second release");
    assert_eq!(list(store, &Name::ROOT), []);
}

fn names_sync_with_and_without_folders(store: &dyn Store, append: &dyn Append) {
    let _guard = append.own().expect("a free place");
    append.sync_names().expect("an empty place");
    put(store, "a", b"x");
    put(store, "folder/deeper/b", b"x");
    store.remove(&name("folder/deeper/b")).expect("a remove");
    append.sync_names().expect("a place with folders");
    assert_eq!(kind(store.read(&name("folder/deeper/b"), 0..1)), Some(Kind::NotThere));
}
