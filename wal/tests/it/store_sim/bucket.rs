//! Objects, whose requests and answers get lost on the way.

use std::sync::Arc;

use headwater_wal::Kind;
use headwater_wal::store::sim::{Actor, Fault, Op, Process, RECENT_CHANGES, Sim, When};
use headwater_wal::store::{Name, Store};
use parking_lot::Mutex;

use super::{kind, name, outcomes, put, read};

fn bucket(fault: Fault) -> Sim {
    let sim = Sim::objects(1);
    sim.plan(When::nth(1).of(Op::Put), fault);
    sim
}

#[test]
fn a_put_fails_in_all_the_ways_of_a_store() {
    for (fault, answer, stored) in [
        (Fault::Error, Kind::Unavailable, false),
        (Fault::Full, Kind::Full, false),
        (Fault::AnswerLost, Kind::Unknown, true),
        (Fault::RequestLost, Kind::Unknown, false),
        (Fault::Held, Kind::Unknown, false),
        (Fault::ExistsOwn, Kind::Exists, true),
        (Fault::ExistsNothing, Kind::Exists, false),
    ] {
        let sim = bucket(fault);
        assert_eq!(kind(put(&sim.process(), "a", "x")), Some(answer), "{fault:?}");
        assert_eq!(sim.has("a"), stored, "{fault:?}");
        assert_eq!(sim.events().values().sum::<u64>(), 1, "{fault:?}");
    }
}

#[test]
fn a_late_put_lands_before_some_later_operation() {
    let found = outcomes(|seed| {
        let sim = Sim::objects(seed);
        sim.plan(When::nth(1).of(Op::Put), Fault::Late);
        assert_eq!(kind(put(&sim.process(), "a", "x")), Some(Kind::Unknown));
        assert!(!sim.has("a"));
        assert_eq!(sim.late(), ["a"]);
        let other = sim.process();
        (1..1000).find(|_| other.read(&name("a"), 0..1).is_ok()).expect("it lands")
    });
    assert!(found.starts_with(&[1, 2, 3]) && found.len() > 20, "{found:?}");
}

#[test]
fn a_late_put_respects_the_name_taken_meanwhile() {
    let sim = bucket(Fault::Held);
    let process = sim.process();
    assert_eq!(kind(put(&process, "a", "late")), Some(Kind::Unknown));
    for _ in 0..500 {
        assert_eq!(kind(process.read(&name("a"), 0..1)), Some(Kind::NotThere), "it is held");
    }
    put(&process, "a", "early").expect("the name is free");
    sim.land("a");
    assert_eq!(read(&process, "a"), "early");
    assert_eq!(sim.events()["late put: found its name taken"], 1);
}

#[test]
fn a_late_put_outlives_its_sender_and_may_revive_a_removed_name() {
    let sim = bucket(Fault::Held);
    let first = sim.process();
    let _ = put(&first, "a", "late");
    sim.power_cut();
    assert_eq!(kind(put(&first, "b", "x")), Some(Kind::Unavailable));
    let second = sim.process();
    put(&second, "a", "second").expect("the name is free");
    second.remove(&name("a")).expect("a remove");
    sim.land_all();
    assert_eq!(read(&second, "a"), "late");
}

#[test]
fn a_request_of_a_process_that_dies_is_lost_or_stored_or_late() {
    let found = outcomes(|seed| {
        let sim = Sim::objects(seed);
        sim.plan(When::nth(1).of(Op::Put), Fault::Crash);
        let process = sim.process();
        assert_eq!(kind(put(&process, "a", "x")), Some(Kind::Unknown));
        assert_eq!(kind(process.read(&name("a"), 0..1)), Some(Kind::Unavailable));
        let stored = sim.has("a");
        sim.land_all();
        (stored, sim.has("a"))
    });
    assert_eq!(found, [(false, false), (false, true), (true, true)]);
}

#[test]
fn a_remove_may_be_lost_too() {
    for (fault, answer, now, later) in [
        (Fault::Error, Kind::Unavailable, true, true),
        (Fault::AnswerLost, Kind::Unknown, false, false),
        (Fault::RequestLost, Kind::Unknown, true, true),
        (Fault::Held, Kind::Unknown, true, false),
    ] {
        let sim = Sim::objects(1);
        let process = sim.process();
        put(&process, "a", "x").expect("a put");
        sim.plan(When::nth(1).of(Op::Remove), fault);
        assert_eq!(kind(process.remove(&name("a"))), Some(answer), "{fault:?}");
        assert_eq!(sim.has("a"), now, "{fault:?}");
        sim.land_all();
        assert_eq!(sim.has("a"), later, "{fault:?}");
    }
}

#[test]
fn what_was_put_is_there_for_all_and_for_good() {
    let sim = Sim::objects(1);
    let (first, second) = (sim.process(), sim.process());
    put(&first, "a", "x").expect("a put");
    assert_eq!(kind(put(&second, "a", "y")), Some(Kind::Exists));
    first.remove(&name("a")).expect("a remove");
    put(&second, "a", "y").expect("the name is free");
    sim.power_cut();
    assert_eq!(sim.read_raw("a"), b"y");
    assert_eq!(sim.read_durable("a"), b"y");
}

#[test]
fn a_page_shows_the_folder_as_it_is_when_it_is_asked_for() {
    let sim = Sim::objects(1);
    sim.set_page(2);
    let process = sim.process();
    for text in ["a", "b", "d", "e", "f"] {
        put(&process, text, "x").expect("a put");
    }
    let other = sim.process();
    process.before_operation(2, move || {
        put(&other, "aa", "x").expect("a put behind the reader");
        put(&other, "c", "x").expect("a put before the reader");
        other.remove(&name("e")).expect("a remove");
    });
    let pages: Vec<String> = process
        .list(&Name::ROOT)
        .expect("a listing")
        .map(|page| page.expect("a page").into_iter().map(|entry| entry.name).collect())
        .collect();
    assert_eq!(pages, ["ab", "cd", "f"]);
}

#[test]
fn a_listing_may_fail_at_any_page() {
    let sim = Sim::objects(1);
    sim.set_page(1);
    let process = sim.process();
    for text in ["a", "b", "c"] {
        put(&process, text, "x").expect("a put");
    }
    sim.plan(When::nth(2).of(Op::List), Fault::Error);
    let mut pages = process.list(&Name::ROOT).expect("a listing");
    assert!(pages.next().expect("a page").is_ok());
    assert_eq!(kind(pages.next().expect("an answer")), Some(Kind::Unavailable));
    assert!(pages.next().is_none(), "a listing that failed has ended");
}

#[test]
fn an_object_may_lie_beside_and_beneath_one_name() {
    let sim = Sim::objects(1);
    sim.set_page(1);
    let process = sim.process();
    for text in ["a/b", "a", "a-b"] {
        put(&process, text, "x").expect("a put");
    }
    let listed = process.list(&Name::ROOT).expect("a listing");
    let names: Vec<String> = listed.map(|page| page.expect("a page")[0].name.clone()).collect();
    assert_eq!(names, ["a", "a", "a-b"]);
}

#[test]
fn a_throttled_bucket_turns_everybody_away_for_a_while_and_does_nothing() {
    let found = outcomes(|seed| {
        let sim = Sim::objects(seed);
        let (process, other) = (sim.process(), sim.process());
        put(&process, "a", "x").expect("a put");
        sim.plan(When::nth(1).of(Op::Put), Fault::Throttled);
        assert_eq!(kind(put(&process, "b", "x")), Some(Kind::Unavailable));
        let mut turned_away = 0;
        while kind(other.read(&name("a"), 0..1)) == Some(Kind::Unavailable) {
            turned_away += 1;
        }
        assert!(!sim.has("b"));
        put(&process, "b", "x").expect("it is over");
        turned_away
    });
    assert!(found.starts_with(&[0, 1, 2]) && *found.last().unwrap() > 40, "{found:?}");
    let sim = bucket(Fault::Throttled);
    assert_eq!(kind(put(&sim.process(), "a", "x")), Some(Kind::Unavailable));
    sim.calm();
    put(&sim.process(), "a", "x").expect("a calm device");
}

/// What a listing shows when it begins, and behind its first page while names come and go.
fn shows(seed: u64, fault: Fault) -> [String; 2] {
    let sim = Sim::objects(seed);
    sim.set_page(2);
    let process = sim.process();
    for text in ["a", "b", "d", "e"] {
        put(&process, text, "x").expect("a put");
    }
    process.remove(&name("d")).expect("a remove");
    sim.plan(When::from(1).of(Op::List), fault);
    let mut pages = process.list(&Name::ROOT).expect("a listing");
    let names = |page: Option<headwater_wal::Result<Vec<_>>>| -> String {
        let page: Vec<headwater_wal::store::Entry> = page.transpose().expect("a page").unwrap_or_default();
        page.into_iter().map(|entry| entry.name).collect()
    };
    let first = names(pages.next());
    put(&process, "f", "x").expect("a put");
    process.remove(&name("e")).expect("a remove");
    let rest = pages.map(|page| names(Some(page))).collect();
    [first, rest]
}

#[test]
fn a_lagging_listing_shows_what_changed_since_it_began_or_does_not() {
    let found = outcomes(|seed| shows(seed, Fault::Lagging));
    let expected = ["", "e", "ef", "f"].map(|rest| ["ab".to_owned(), rest.to_owned()]);
    assert_eq!(found, expected);
}

#[test]
fn a_stale_listing_leaves_out_what_was_answered_before_it_began() {
    let found = outcomes(|seed| shows(seed, Fault::Stale));
    for first in ["", "a", "ab", "bd", "de"] {
        assert!(found.iter().any(|[shown, _]| shown == first), "{first:?} {found:?}");
    }
    let sim = Sim::objects(1);
    let process = sim.process();
    put(&process, "a", "x").expect("a put");
    (0..RECENT_CHANGES).for_each(|at| put(&process, &format!("b/{at}"), "x").expect("a put"));
    sim.plan(When::from(1).of(Op::List), Fault::Stale);
    for _ in 0..100 {
        let mut pages = process.list(&Name::ROOT).expect("a listing");
        assert_eq!(pages.next().expect("a page").expect("a page")[0].name, "a", "it was long ago");
    }
}

#[test]
fn a_read_begun_ahead_happens_between_its_beginning_and_the_end_of_the_wait() {
    let found = outcomes(|seed| {
        let sim = Sim::objects(seed);
        let (process, other) = (sim.process(), sim.process());
        put(&process, "a", "x").expect("a put");
        let begun = process.fetch(&name("a"), 0..9).expect("a bucket reads ahead");
        for text in ["b", "c", "d"] {
            put(&other, text, "x").expect("a put");
        }
        other.remove(&name("a")).expect("a remove");
        let answer = begun.wait();
        let happened = sim.events().keys().next().expect("it happened").clone();
        (answer.map_err(|error| error.kind().to_string()).map(|bytes| bytes.len()), happened)
    });
    let told = |when: &str| format!("read begun ahead: {when}");
    let gone = Err(Kind::NotThere.to_string());
    assert_eq!(found, [(Ok(1), told("at once")), (Ok(1), told("between")), (gone, told("at last"))]);
}

#[test]
fn a_read_begun_ahead_suffers_its_fault_and_dies_with_its_process() {
    let sim = Sim::objects(1);
    let process = sim.process();
    put(&process, "a", "x").expect("a put");
    let fetch = || process.fetch(&name("a"), 0..9).expect("a bucket reads ahead");
    sim.plan(When::nth(2).of(Op::Read), Fault::Error);
    let (first, second, third) = (fetch(), fetch(), fetch());
    assert_eq!(kind(second.wait()), Some(Kind::Unavailable));
    drop(first);
    assert_eq!(sim.events()["read begun ahead: given up"], 1);
    process.kill();
    assert_eq!(kind(third.wait()), Some(Kind::Unavailable));
    assert_eq!(kind(fetch().wait()), Some(Kind::Unavailable));
}

#[test]
fn of_many_names_each_is_removed_or_not_by_itself_and_in_any_order() {
    let texts = ["a", "b", "c", "d"];
    let found = outcomes(|seed| {
        let sim = Sim::objects(seed);
        let process = sim.process();
        texts.iter().for_each(|text| put(&process, text, "x").expect("a put"));
        sim.plan(When::nth(2).of(Op::Remove), Fault::Error);
        sim.plan(When::nth(3).of(Op::Remove), Fault::RequestLost);
        let answers = process.remove_all(&texts.map(name));
        let answers: Vec<_> = answers.into_iter().map(kind).collect();
        for (text, answer) in texts.iter().zip(&answers) {
            assert_eq!(sim.has(text), answer.is_some(), "{text}");
        }
        let place = |kind| answers.iter().position(|answer| *answer == Some(kind)).expect("one of them");
        (place(Kind::Unavailable), place(Kind::Unknown))
    });
    assert_eq!(found.len(), 12, "any of them failed, and any other was lost: {found:?}");
}

#[test]
fn others_live_between_the_end_of_a_put_and_its_answer() {
    let sim = Sim::objects(1);
    let (process, other) = (sim.process(), sim.process());
    process.before_answer(When::nth(1), move || {
        assert_eq!(read(&other, "a"), "x");
        other.remove(&name("a")).expect("a remove");
    });
    put(&process, "a", "x").expect("it was there");
    assert!(!sim.has("a"));
    let dead = process.clone();
    process.before_answer(When::nth(1), move || dead.kill());
    assert_eq!(kind(put(&process, "b", "x")), Some(Kind::Unknown), "nobody heard");
    assert!(sim.has("b"));
}

#[test]
fn a_request_that_had_left_may_outlive_its_sender() {
    let found = outcomes(|seed| {
        let sim = Sim::objects(seed);
        let victim = Arc::new(Mutex::new(None::<Process>));
        let (mine, theirs) = (victim.clone(), victim.clone());
        let sends: Actor<'_> = Box::new(move |process| {
            *mine.lock() = Some(process.clone());
            let _ = put(&process, "a", "x");
        });
        let kills: Actor<'_> = Box::new(move |process| {
            let _ = process.read(&name("b"), 0..1);
            theirs.lock().take().expect("it lives").kill();
        });
        // The sender waits before its put, and goes on when the other one has ended.
        let mut turn = [0, 1].into_iter();
        sim.take_turns_as(vec![sends, kills], &[Op::Put], Box::new(move |_| turn.next().unwrap_or(1)));
        let stored = sim.has("a");
        sim.land_all();
        (stored, sim.has("a"))
    });
    assert_eq!(found, [(false, false), (false, true), (true, true)]);
}
