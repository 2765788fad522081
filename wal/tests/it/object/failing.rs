//! What a call answers when requests fail, and what is there afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_wal::Kind::{self, Exists, Invalid, NotThere, Unavailable, Unknown};
use headwater_wal::store::object::{Bucket, Patience};
use headwater_wal::store::{Name, Store};
use object_store::memory::InMemory;

use super::faulty::Fault::{self, Answer, Cut, Done, DoneHang, Hang, None as Fine, Taken};
use super::faulty::{
    BARE_CONFLICT, CONFLICT, FORBIDDEN, Faulty, INTERNAL, LOST, NO_BUCKET, NO_CONNECTION,
    RETRIED_THEN_SLOW_DOWN, SLOW_DOWN,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Gives up soon.
fn hasty() -> Patience {
    Patience {
        attempt: Duration::from_millis(40),
        deadline: Duration::from_millis(160),
        pause: Duration::from_millis(2),
        pause_max: Duration::from_millis(8),
        ..Patience::default()
    }
}

fn bucket(store: &Faulty) -> Bucket {
    Bucket::new(Arc::new(store.clone()), "p").unwrap().patience(hasty())
}

fn is_there(store: &Faulty, text: &str) -> bool {
    let inner: Arc<InMemory> = store.inner.clone();
    Bucket::new(inner, "p").unwrap().read(&name(text), 0..9).is_ok()
}

#[test]
fn a_put_says_what_became_of_it_whatever_fails() {
    let rows: &[(&[Fault], Option<Kind>, bool)] = &[
        // What passes is tried again, with the same name and the same bytes.
        (&[Answer(SLOW_DOWN), Answer(INTERNAL), Answer(LOST), Answer(NO_CONNECTION)], None, true),
        (&[Taken(CONFLICT), Taken(CONFLICT)], None, true),
        (&[Hang], None, true),
        // The answer was lost, and the next try finds the name taken: by this very put, which the log finds out.
        (&[Done(LOST)], Some(Exists), true),
        (&[Done(INTERNAL)], Some(Exists), true),
        (&[DoneHang], Some(Exists), true),
        // A store says "taken" where nothing lies, and nothing tells the two apart but reading.
        (&[Taken("taken")], Some(Exists), false),
        (&[Taken(BARE_CONFLICT)], Some(Exists), false),
        // Refused at once, and certainly not done.
        (&[Answer(FORBIDDEN)], Some(Invalid), false),
        (&[Answer(NO_BUCKET)], Some(Invalid), false),
        (&[Answer(SLOW_DOWN), Taken(CONFLICT), Answer(FORBIDDEN)], Some(Invalid), false),
        // Refused after a try whose outcome is not known: that one may have landed, and here it has.
        (&[Done(LOST), Answer(FORBIDDEN)], Some(Unknown), true),
        (&[DoneHang, Answer(NO_BUCKET)], Some(Unknown), true),
        (&[Answer(LOST), Answer(FORBIDDEN)], Some(Unknown), false),
        // The store beneath has tried more than once by itself, and told only of its last try.
        (&[Done(RETRIED_THEN_SLOW_DOWN), Answer(FORBIDDEN)], Some(Unknown), true),
    ];
    for (faults, kind, there) in rows {
        let store = Faulty::default().failing(faults);
        let put = bucket(&store).put(&name("a"), Bytes::from_static(b"x"));
        assert_eq!(put.as_ref().err().map(|error| error.kind()), *kind, "{faults:?}: {put:?}");
        assert_eq!(is_there(&store, "a"), *there, "{faults:?}");
    }
}

#[test]
fn a_put_that_finds_no_end_is_unknown_as_soon_as_one_try_may_have_landed() {
    for (first, always, kind) in [
        (Fine, Answer(SLOW_DOWN), None),
        (Answer(SLOW_DOWN), Answer(SLOW_DOWN), Some(Unavailable)),
        (Answer(NO_CONNECTION), Answer(NO_CONNECTION), Some(Unavailable)),
        (Taken(CONFLICT), Taken(CONFLICT), Some(Unavailable)),
        (Answer(LOST), Answer(NO_CONNECTION), Some(Unknown)),
        (Done(INTERNAL), Answer(SLOW_DOWN), Some(Unknown)),
        (Hang, Hang, Some(Unknown)),
        (Answer(RETRIED_THEN_SLOW_DOWN), Answer(SLOW_DOWN), Some(Unknown)),
        (Answer("what nobody has heard of"), Answer(SLOW_DOWN), Some(Unknown)),
    ] {
        let store = Faulty::default().failing(&[first]);
        store.always(Some(always));
        let began = Instant::now();
        let put = bucket(&store).put(&name("a"), Bytes::from_static(b"x"));
        assert_eq!(put.as_ref().err().map(|error| error.kind()), kind, "{first:?} {always:?}: {put:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "it gives up at its deadline");
        assert!(kind.is_none() || store.requests() > 1, "it was tried again");
    }
}

#[test]
fn a_read_is_tried_again_and_says_not_there_only_if_it_certainly_is_not() {
    let rows: &[(&[Fault], Option<Kind>)] = &[
        (&[Answer(SLOW_DOWN), Answer(INTERNAL), Answer(LOST), Answer(NO_CONNECTION)], None),
        (&[Hang], None),
        (&[Answer(NO_BUCKET)], Some(Invalid)),
        (&[Answer(FORBIDDEN)], Some(Invalid)),
        (
            &[Answer("Server returned non-2xx status code: 404 Not Found: <Code>NoSuchKey</Code>")],
            Some(NotThere),
        ),
        // A proxy whose servers are away.
        (&[Answer("Server returned non-2xx status code: 404 Not Found: 404 page not found")], None),
    ];
    for (faults, kind) in rows {
        let store = Faulty::default();
        bucket(&store).put(&name("a"), Bytes::from_static(b"x")).unwrap();
        let store = store.failing(faults);
        let read = bucket(&store).read(&name("a"), 0..9);
        assert_eq!(read.as_ref().err().map(|error| error.kind()), *kind, "{faults:?}: {read:?}");
    }
    for always in [Answer(LOST), Hang, Answer("Server returned non-2xx status code: 404 Not Found: <html>")] {
        let store = Faulty::default();
        store.always(Some(always));
        let read = bucket(&store).read(&name("a"), 0..9);
        assert_eq!(read.unwrap_err().kind(), Unavailable, "{always:?}");
    }
}

#[test]
fn a_body_that_was_cut_does_not_pass_for_the_end_of_the_object() {
    let store = Faulty::default();
    let bytes = Bytes::from_static(b"0123456789");
    bucket(&store).put(&name("a"), bytes.clone()).unwrap();
    let store = store.failing(&[Cut, Cut]);
    assert_eq!(bucket(&store).read(&name("a"), 0..99).unwrap(), bytes);
    store.always(Some(Cut));
    for range in [0..10, 0..99, 3..5, 9..10, 0..u64::MAX] {
        let read = bucket(&store).read(&name("a"), range.clone());
        assert_eq!(read.unwrap_err().kind(), Unavailable, "{range:?}");
    }
}

#[test]
fn removals_answer_for_each_name_and_for_what_is_not_known() {
    let names: Vec<Name> = (0..5).map(|at| name(&format!("{at}"))).collect();
    let put_all = |store: &Faulty| {
        for name in &names {
            bucket(store).put(name, Bytes::from_static(b"x")).unwrap();
        }
    };
    let store = Faulty::default();
    put_all(&store);
    let store = store.failing(&[Fine, Answer(SLOW_DOWN), Done(LOST), Fine, Answer(FORBIDDEN)]);
    let kinds: Vec<Option<Kind>> = bucket(&store)
        .remove_all(&names)
        .into_iter()
        .map(|answer| answer.err().map(|error| error.kind()))
        .collect();
    assert_eq!(kinds, [None, None, None, None, Some(Invalid)]);
    for (at, there) in [false, false, false, false, true].into_iter().enumerate() {
        assert_eq!(is_there(&store, &format!("{at}")), there, "{at}");
    }
    for (always, kind) in [(Answer(SLOW_DOWN), Unavailable), (Answer(LOST), Unknown), (Hang, Unknown)] {
        let store = Faulty::default();
        store.always(Some(always));
        let answers = bucket(&store).remove_all(&names);
        assert_eq!(answers.len(), names.len());
        assert!(
            answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind() == kind)),
            "{answers:?}"
        );
    }
}

#[test]
fn a_listing_is_tried_again_and_then_fails_whole() {
    let store = Faulty::default();
    bucket(&store).put(&name("a"), Bytes::from_static(b"x")).unwrap();
    let store = store.failing(&[Answer(SLOW_DOWN), Answer(LOST)]);
    let listed: Vec<_> = bucket(&store).list(&Name::ROOT).unwrap().collect();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].as_ref().unwrap().len(), 1);
    store.always(Some(Answer(LOST)));
    let listed: Vec<_> = bucket(&store).list_after(&Name::ROOT, "0").unwrap().collect();
    assert_eq!(listed.len(), 1, "a failure ends it");
    assert_eq!(listed[0].as_ref().unwrap_err().kind(), Unavailable);
}

#[test]
fn a_listing_in_any_order_comes_out_in_order() {
    let store = Faulty::default().listing_backwards();
    let bucket = bucket(&store);
    for text in ["c", "a", "b/x", "b.y", "d"] {
        bucket.put(&name(text), Bytes::from_static(b"x")).unwrap();
    }
    let names = |pages: headwater_wal::store::Pages<'_>| {
        let entries = pages.flat_map(|page| page.unwrap());
        entries.map(|entry| entry.name).collect::<Vec<_>>()
    };
    assert_eq!(names(bucket.list(&Name::ROOT).unwrap()), ["a", "b", "b.y", "c", "d"]);
    assert_eq!(names(bucket.list_after(&Name::ROOT, "b").unwrap()), ["b.y", "c", "d"]);
}

#[test]
fn a_read_that_was_begun_and_dropped_asks_no_more() {
    let store = Faulty::default();
    store.always(Some(Answer(SLOW_DOWN)));
    let patience = Patience { deadline: Duration::from_secs(3600), ..hasty() };
    let bucket = bucket(&store).patience(patience);
    let begun = bucket.fetch(&name("a"), 0..9).unwrap();
    while store.requests() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(begun);
    std::thread::sleep(Duration::from_millis(50));
    let asked = store.requests();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(store.requests(), asked);
}
