//! What the checks find in journals, and between journals, receivers' logs and checkpoints.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_checkpoint::journal::{BatchId, Event, State, event};
use headwater_fsck::journal::{Journal, Seen};
use headwater_fsck::{Depth, Severity};
use headwater_wal::format::name::segment;
use headwater_wal::store::{Local, Memory, Store};
use headwater_wal::{Handle, Log, Options, Position, Time};

use crate::journal_root::*;

fn finished(batch: u64) -> Event {
    Event::Finished { batch: BatchId(batch) }
}

#[test]
fn a_root_that_ran_is_clean() {
    let place = Place::with_history();
    for place in [&place.check(), &place.check_at(Depth::Quick)] {
        assert_eq!((place.state(), place.findings()), ("clean", &[][..]), "beside the driver: {place}");
    }
    let report = place.stop().check();
    assert_eq!((report.state(), report.findings()), ("clean", &[][..]), "{report}");
    assert_eq!((report.events(), report.blocks(), report.logs().len()), (16, 3, 2));
    assert!(report.logs().iter().all(|log| log.is_there && log.bad == 0), "{report}");
}

#[test]
fn a_root_whose_beginning_is_retired_is_known_from_its_checkpoints() {
    let place = Place::that_cleans(29).stop();
    let report = place.check();
    assert!(report.range().start > Position::START, "{report}");
    assert_eq!((report.state(), report.is_known()), ("clean", true), "{report}");
}

#[test]
fn blocks_that_were_retired_while_needed_are_damage_and_whose_they_are_is_said() {
    let mut place = Place::with_history();
    let handles: Vec<Handle> = (0..5).map(|_| place.receive(1, 1)).collect();
    place.retire(0);
    place.retire(1);
    let place = place.stop();
    for report in [place.check(), place.check_at(Depth::Quick)] {
        let of = |text: &str| report.findings().iter().filter(|one| one.what.contains(text)).count();
        assert_eq!(of("a block that the unfinished batch 2 needs lies below the beginning"), 2, "{report}");
        assert_eq!(of("blocks that no batch has yet lie below the beginning"), 1, "{report}");
        assert_eq!(of("checkpoint 1-0 needs this log from"), 2, "{report}");
        let waiting = report.findings().iter().find(|one| one.what.contains("no batch has yet")).unwrap();
        assert_eq!(waiting.file, Some(format!("received/0/1/{}", segment(handles[0].base()))));
        assert_eq!(waiting.offset, Some(handles[0].position().since(handles[0].base())));
        assert!(
            waiting.lost.contains(&handles[0].to_string()) && waiting.remedy.contains("give that up"),
            "{waiting}"
        );
        assert!(
            waiting
                .next
                .as_ref()
                .unwrap()
                .contains(&format!("get {}", report.place().replace("journal", "received/0/1")))
        );
    }
}

#[test]
fn a_block_that_rots_is_found_by_reading_it_and_damage_in_others_is_not_its_own() {
    let mut place = Place::new();
    let done = place.receive(0, 1);
    place.allot(1);
    place.finish(1);
    let pending = place.receive(0, 1);
    let place = place.stop();
    let flip = |handle: Handle| {
        let file = place.received(0).join(segment(handle.base()));
        place.flip(&file, handle.position().since(handle.base()) + 500);
    };
    flip(done);
    assert_eq!(place.check().state(), "clean", "nobody needs it any more");
    flip(pending);
    assert_eq!(place.check_at(Depth::Quick).state(), "clean", "a quick check reads no block");
    let finding = place.finding();
    assert_eq!(finding.severity, Severity::Damaged);
    assert!(finding.what.contains("a block that no batch has yet does not verify"), "{finding}");
    assert_eq!(finding.range, Some(pending.position()..pending.end()));
}

#[test]
fn a_log_that_is_gone_is_damage_just_while_it_is_needed() {
    let mut place = Place::new();
    place.receive(1, 3);
    place.allot(1);
    let mut place = place.without(1);
    let finding = place.finding();
    assert_eq!(finding.severity, Severity::Damaged);
    assert!(
        finding.what.contains("the log of 1 pending block is not there: stream=0 receiver=1"),
        "{finding}"
    );
    assert!(finding.lost.contains("1 of batch 1"), "{finding}");
    place.start();
    place.checkpoint();
    place.finish(1);
    // From the checkpoint the batch is run again.
    let report = place.check();
    assert_eq!((report.count(Severity::Damaged), report.count(Severity::SetAside)), (1, 1), "{report}");
    assert!(report.findings()[0].what.contains("needs blocks of a log that is not there"), "{report}");
    place.checkpoint();
    let finding = place.finding();
    assert_eq!(finding.severity, Severity::SetAside, "{finding}");
}

#[test]
fn another_log_in_a_receivers_folder_is_told_from_the_one_that_the_journal_knows() {
    let mut place = Place::new();
    place.receive(1, 3);
    let place = place.without(1);
    fs::rename(place.lone_log(), place.received(1)).unwrap();
    let report = place.check();
    assert_eq!((report.count(Severity::Damaged), report.count(Severity::SetAside)), (1, 1), "{report}");
    assert!(report.findings()[0].what.contains("another log lies in its folder"), "{report}");
    assert!(
        report.findings()[1].what.contains("the journal knows nothing of the log in this folder"),
        "{report}"
    );
}

#[test]
fn folders_that_no_journal_knows_are_named_and_no_damage() {
    let mut place = Place::new();
    place.receive(0, 3);
    place.receive(1, 3);
    let place = place.stop();
    fs::create_dir_all(place.path.join("received/7")).unwrap();
    fs::rename(place.lone_log(), place.path.join("received/7/0")).unwrap();
    fs::rename(place.lone_log(), place.path.join("received/7/07")).unwrap();
    let report = place.check();
    let found: Vec<_> =
        report.findings().iter().map(|one| (one.severity, one.file.as_deref().unwrap())).collect();
    assert_eq!(
        found,
        [(Severity::SetAside, "received/7/0"), (Severity::Foreign, "received/7/07")],
        "{report}"
    );
    assert!(report.is_sound());
}

#[test]
fn a_log_that_has_lost_its_end_is_damage_also_where_nothing_is_pending() {
    let mut place = Place::new();
    (0..8).for_each(|_| _ = place.receive(0, 1));
    place.allot(1);
    place.finish(1);
    place.checkpoint();
    let place = place.stop();
    let last = place.segments(0).pop().unwrap();
    fs::remove_file(last).unwrap();
    let finding = place.finding();
    assert_eq!(finding.severity, Severity::Damaged);
    assert!(finding.what.contains("before the last block that the journal has of it"), "{finding}");
}

#[test]
fn events_that_contradict_those_before_them_are_found_in_their_place() {
    for (event, says) in [
        (finished(9), "a batch was finished: batch=9"),
        (finished(1), "a batch was finished: batch=1"),
        (
            Event::Allotted { batch: BatchId(2), since: BatchId(2), runs: vec![], direct: vec![] },
            "out of turn: batch=2",
        ),
    ] {
        let place = Place::with_history().stop();
        let at = place.forge_event(16, &event);
        let report = place.check();
        let found = &report.findings()[0];
        assert!(found.what.contains(says) && found.severity == Severity::Damaged, "{report}");
        assert_eq!(found.file, Some(format!("journal/{}", segment(at.base()))));
        assert_eq!(found.offset, Some(at.position().since(at.base())));
        assert!(
            !report.is_known() && report.findings().len() == 2,
            "and no receiver's log was checked: {report}"
        );
        assert_eq!(report.events(), 17);
    }
}

#[test]
fn events_that_are_missing_or_come_twice_are_found() {
    for (number, says) in [
        (17, "event 16 is missing before this one"),
        (20, "the events 16 to 19 are missing before this one"),
        (3, "the event has the number 3, and 16 were there before it"),
        (u64::MAX, "are missing before this one"),
    ] {
        let place = Place::with_history().stop();
        place.forge_event(number, &finished(2));
        let report = place.check();
        assert!(report.findings()[0].what.contains(says), "{report}");
        assert_eq!(report.count(Severity::Damaged), 2, "{report}");
    }
}

#[test]
fn records_that_are_no_events_are_found_and_those_of_newer_releases_told_apart() {
    let newer = [&[2][..], &finished(2).encode(16)[1..]].concat();
    for (kind, payload, severity, says) in [
        (7, finished(2).encode(16), Severity::Damaged, "a record of another kind in the journal: kind=7"),
        (
            event::RECORD_KIND,
            b"\x01".to_vec(),
            Severity::Damaged,
            "a record of the journal is not an event: bytes=1",
        ),
        (event::RECORD_KIND, newer, Severity::Unsupported, "an event of a newer release: version=2"),
    ] {
        let place = Place::with_history().stop();
        place.forge(kind, payload);
        place.forge_event(if kind == event::RECORD_KIND { 17 } else { 16 }, &finished(2));
        let report = place.check();
        let found = report.findings().iter().find(|one| one.what.contains(says));
        assert_eq!(found.map(|one| one.severity), Some(severity), "{report}");
        // One that is no event is told once, and not missed a second time.
        assert_eq!(report.findings().len(), 2, "{report}");
    }
}

#[test]
fn rot_in_the_journal_below_a_checkpoint_does_not_hide_what_is_pending() {
    let place = Place::with_history().stop();
    let events = place.entries();
    place.flip_event(events[4]);
    let report = place.check();
    assert!(report.is_known(), "from the checkpoint behind it: {report}");
    assert_eq!((report.blocks(), report.count(Severity::Damaged)), (3, 2), "{report}");
    assert!(report.findings()[0].remedy.contains("as long as checkpoint 1-0 is good"), "{report}");
    assert!(report.findings()[1].what.contains("event 4 is missing"), "{report}");

    let place = Place::with_history().stop();
    place.flip_event(events[11]);
    let report = place.check();
    assert!(!report.is_known() && report.findings()[0].remedy.contains("refuses"), "{report}");
}

#[test]
fn a_checkpoint_that_knows_of_more_events_or_fewer_than_the_journal_has_is_found() {
    let place = Place::with_history().stop();
    let events = place.entries();
    place.forge_checkpoint(9, &State::default(), events[7].position());
    let finding = place.finding();
    assert_eq!(finding.severity, Severity::Damaged);
    let says =
        format!("has the effects of 0 events below position {}, and the journal has 7", events[7].position());
    assert!(
        finding.what.contains("checkpoint 9-0 does not fit") && finding.what.contains(&says),
        "{finding}"
    );

    let place = Place::with_history().stop();
    place.forge_checkpoint(9, &place.state(), events[7].position());
    assert!(place.finding().what.contains("of 16 events"), "{}", place.finding());
    let place = Place::with_history().stop();
    place.forge_checkpoint(9, &place.state(), place.end());
    assert_eq!(place.check().state(), "clean", "all events, at the end");
}

/// A hundred events that are valid alone, or nearly, in any order.
#[test]
fn whatever_the_journal_says_gives_findings_and_no_panic() {
    let real: Vec<Vec<u8>> = {
        let place = Place::with_history().stop();
        place.payloads()
    };
    for seed in 0..60_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below as u64) as usize
        };
        let store: Arc<dyn Store> = Arc::new(Memory::growing());
        let log = Log::open(store.clone(), Options::default()).unwrap().start(Position::START).unwrap();
        for number in 0..100_u64 {
            let mut bytes = match next(4) {
                0 => real[next(real.len())].clone(),
                _ => real[(number as usize).min(real.len() - 1)].clone(),
            };
            match next(3) {
                0 => bytes[8..16].copy_from_slice(&number.to_le_bytes()),
                1 => {
                    let at = next(bytes.len());
                    bytes[at] ^= 1 << next(8);
                }
                _ => {}
            }
            drop(log.append_kind(event::RECORD_KIND, Time(0), bytes).unwrap());
        }
        log.close().unwrap();
        let journal = Journal::alone(store).unwrap();
        let reading = journal.read(Position::START).unwrap();
        let (mut events, mut findings) = (0, 0);
        for seen in reading {
            match seen.unwrap_or_else(|error| panic!("seed={seed}: {error}")) {
                Seen::Event(_) => events += 1,
                Seen::Finding(_) => findings += 1,
            }
        }
        assert!(events + findings >= 100 && findings > 0, "seed={seed} events={events} findings={findings}");
    }
}

#[test]
fn a_driver_at_work_is_never_taken_for_damage() {
    let mut place = Place::new();
    let (root, path) = (place.root(), place.path.clone());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let checks = scope.spawn(|| {
            let mut checks = 0;
            while !done.load(Ordering::Relaxed) || checks == 0 {
                match headwater_fsck::journal::check(&root, &Local::open(&path).unwrap(), Depth::Full) {
                    Ok(report) => assert!(report.is_sound(), "{report}"),
                    Err(error) => assert_eq!(error.kind(), headwater_wal::Kind::Unavailable, "{error}"),
                }
                match headwater_fsck::journal::explain(&root, Some((0, 0)), Time(u64::MAX)) {
                    Ok(explanation) => assert!(explanation.is_known),
                    Err(error) => assert_eq!(error.kind(), headwater_wal::Kind::Unavailable, "{error}"),
                }
                checks += 1;
            }
            checks
        });
        place.cycles(60);
        done.store(true, Ordering::Relaxed);
        assert!(checks.join().unwrap() > 0);
    });
    place.stop();
}
