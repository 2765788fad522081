//! Rules 1 to 4: who may begin an epoch, where, and what a starter that slept finds.

use std::sync::mpsc::channel;

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Because, Kind, Position};

use super::{Place, after, before, name};

const SEGMENTS: &str = "0";
const CLAIMS: &str = "epoch";

#[test]
fn a_starter_that_slept_between_claim_and_survey_claims_anew() {
    let place = Place::bucket();
    place.start().write("before");
    let (sleeper, other) = (place.sim.process(), place.clone());
    after(&sleeper, (Op::Put, CLAIMS), Op::List, move || {
        other.start().write("while the other one slept");
    });
    let woken = place.start_by(&sleeper, Position::START).unwrap();
    assert_eq!(woken.epoch(), 4, "1 was before, 2 was claimed and given up, 3 ran meanwhile");
    woken.write("after");
    assert_eq!(woken.texts(), ["before", "while the other one slept", "after"]);
    assert_eq!(place.texts(), woken.texts());
}

#[test]
fn a_starter_whose_name_was_taken_begins_again_with_a_new_claim() {
    let place = Place::bucket();
    place.start().write("before");
    let (sleeper, other) = (place.sim.process(), place.clone());
    before(&sleeper, Op::Put, SEGMENTS, move || {
        other.start().write("while the other one slept");
    });
    let woken = place.start_by(&sleeper, Position::START).unwrap();
    assert_eq!(woken.epoch(), 4);
    woken.write("after");
    assert_eq!(place.texts(), ["before", "while the other one slept", "after"]);
}

#[test]
fn of_two_starters_the_one_that_a_newer_epoch_follows_is_fenced_and_stays_a_link() {
    let place = Place::bucket();
    place.start().write("before");
    let (sleeper, other) = (place.sim.process(), place.clone());
    let (send, heir) = channel();
    after(&sleeper, (Op::Put, SEGMENTS), Op::List, move || {
        let heir = other.start();
        heir.write("the heir's");
        send.send(heir).unwrap();
    });
    let error = place.start_by(&sleeper, Position::START).unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    let heir = heir.recv().unwrap();
    assert_eq!(heir.epoch(), 3);
    heir.write("and more");
    let epochs: Vec<u64> = heir.chain().segments().iter().map(|segment| segment.epoch).collect();
    assert_eq!(epochs, [1, 1, 2, 3, 3, 3]);
    drop(heir);
    assert_eq!(place.texts(), ["before", "the heir's", "and more"]);
}

#[test]
fn a_starter_asleep_while_the_log_moves_on_and_retires_begins_again() {
    let place = Place::bucket();
    let old = place.start();
    old.write("first");
    let end = old.range().end;
    let sleeper = place.sim.process();
    let (send, writer) = channel();
    before(&sleeper, Op::Put, SEGMENTS, move || {
        // The very name that the sleeper is about to take is used, retired and free again.
        let gone = old.write("second");
        assert!(gone.base() == end);
        old.write("third");
        let retired = old.retire_before(headwater_wal::Time::MAX).unwrap();
        assert!(retired.begins > end && retired.left == 0, "{retired:?}");
        send.send(old).unwrap();
    });
    let woken = place.start_by(&sleeper, Position::START).unwrap();
    let old = writer.recv().unwrap();
    assert!(place.sim.has(&name(end)), "the sleeper's put found its name free");
    assert_eq!(woken.epoch(), 3, "and begins again with a new claim");
    let late = old.append(headwater_wal::Time(1), "too late").unwrap().wait();
    assert_eq!(late.unwrap_err().kind(), Kind::Fenced);
    woken.write("fourth");
    assert_eq!(woken.texts(), ["third", "fourth"]);
    drop(woken);
    assert_eq!(place.texts(), ["third", "fourth"]);
}

#[test]
fn on_a_disk_the_second_starter_is_told_who_holds_the_lock() {
    let place = Place::disk();
    let first = place.start();
    let error = place.try_start(Position::START).unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    assert!(error.to_string().contains(&format!("process={}", first.process.id())), "{error}");
    first.write("goes on");
    first.crash();
    assert_eq!(place.start().texts(), ["goes on"]);
}

#[test]
fn the_next_epoch_begins_behind_the_promise_and_behind_all_that_was_in_flight() {
    for place in Place::both() {
        let log = place.start();
        let last = log.write("acknowledged");
        let in_flight = place.header(last.base()).in_flight_bytes_max;
        assert!(in_flight >= u64::from(16_u32 << 10), "at least the largest record");
        log.crash();
        let heir = place.try_start(last.end()).unwrap();
        let chain = heir.chain();
        let first = chain.segments().last().unwrap();
        assert!(first.begins_epoch);
        assert!(first.next >= first.base.max(last.end()).plus(in_flight), "{first:?}");
        let next = heir.write("the heir's");
        assert!(next.position() >= first.next);
        assert_eq!(heir.texts(), ["acknowledged", "the heir's"]);
    }
}

#[test]
fn a_file_without_header_at_the_next_name_goes_to_quarantine_where_files_grow() {
    let place = Place::disk();
    let log = place.start();
    log.write("kept");
    log.close().unwrap();
    let end = place.look().end();
    for round in 1..4 {
        // A crash came between the name and the sync of the header.
        place.sim.write_raw(&name(place.look().end()), &[0; 4096]);
        let survey = place.look();
        assert!(survey.refusal().is_none(), "{survey}");
        let log = place.start();
        log.write(format!("round {round}"));
        assert_eq!(place.names_beginning("quarantine/").len(), round);
    }
    assert!(place.names_beginning("quarantine/")[0].contains(&name(end)));
    assert_eq!(place.texts(), ["kept", "round 1", "round 2", "round 3"]);
}

#[test]
fn an_object_without_header_at_the_next_name_is_damage() {
    let place = Place::bucket();
    place.start().write("kept");
    place.sim.write_raw(&name(place.look().end()), &[0; 4096]);
    let error = place.try_start(Position::START).unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged, "{error}");
    assert_eq!(error.site().unwrap().name, name(place.look().end()));
}

#[test]
fn a_crash_between_name_and_header_leaves_no_name_where_names_follow_headers() {
    let place = Place::disk();
    for op in [Op::Create, Op::Sync, Op::Link] {
        let process = place.sim.process();
        let starts = place.texts().len();
        place.sim.plan(When::nth(1).of(op).by(&process).on(SEGMENTS), Fault::Crash);
        place.start_by(&process, Position::START).unwrap_err();
        place.sim.power_cut();
        let survey = place.look();
        assert!(survey.refusal().is_none() && survey.aside().is_empty(), "{op}: {survey}");
        place.start().write("goes on");
        assert_eq!(place.texts().len(), starts + 1);
    }
}

#[test]
fn a_dead_object_whose_name_the_chain_would_reach_stays_dead_and_is_never_met() {
    let place = Place::bucket();
    let old = place.start();
    let kept = old.write("kept");
    // Three puts in flight, of which the first is lost: what lies behind the hole was never acknowledged.
    let ahead = Place { sim: place.sim.fork(1), ..place.clone() };
    let hole = old.range().end;
    old.crash();
    let corpses = super::placing::in_flight_behind(&ahead, hole, 3);
    for (base, bytes) in &corpses[1..2] {
        place.sim.write_raw(&name(*base), bytes);
    }
    let survey = place.look();
    assert_eq!((survey.end(), survey.refusal().is_none()), (hole, true), "{survey}");
    let heir = place.start();
    // The last one lands only now.
    let (base, bytes) = &corpses[2];
    place.sim.write_raw(&name(*base), bytes);
    let handles = heir.fill(40, 300);
    assert!(handles.last().unwrap().position() > base.plus(bytes.len() as u64), "the heir has passed them");
    assert_eq!(heir.read(&kept).unwrap().payload, "kept");
    drop(heir);
    let survey = place.look();
    let dead: Vec<Position> = survey
        .aside()
        .iter()
        .filter(|aside| aside.because == Because::Dead)
        .map(|aside| aside.base)
        .collect();
    assert_eq!(dead, [corpses[1].0, corpses[2].0]);
    assert_eq!(place.texts().len(), 41);
}
