//! Objects, whose requests and answers get lost on the way.

use headwater_wal::Kind;
use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::store::{Name, Store};

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
