//! Torn is not damaged, damaged is not torn: files that are missing, moved, swapped, foreign, unreadable.

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Because, Durability, Kind, Position, Time};

use super::{Place, name};

/// A log of several sealed segments and one that holds the last record, closed or not.
fn several(place: &Place) -> Vec<Position> {
    let log = place.start();
    for number in 0..4 {
        log.write(format!("{number}"));
        log.seal().unwrap();
    }
    log.write("last");
    log.rest();
    let bases = log.chain().segments().iter().map(|segment| segment.base).collect();
    log.crash();
    bases
}

fn is_refused(place: &Place, at_least: Position, case: &str) {
    let names = place.sim.names();
    let error = place.try_start(at_least).unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged, "{case}: {error}");
    assert!(error.site().is_some() && error.to_string().contains("wal-inspect check"), "{case}: {error}");
    assert_eq!(place.sim.names(), names, "{case}: nothing was changed");
}

#[test]
fn a_missing_segment_is_damage_wherever_it_was() {
    for place in Place::both() {
        let bases = several(&place);
        for (at, base) in bases.iter().enumerate().take(bases.len() - 1) {
            let place = Place { sim: place.sim.fork(0), ..place.clone() };
            place.sim.remove_file(&name(*base));
            is_refused(&place, Position::START, &format!("segment {at} of {} is gone", bases.len()));
            let rest = place.open().unwrap().replay(Position::START).unwrap().filter(Result::is_ok).count();
            assert_eq!(rest, if at == 0 { 5 } else { 4 }, "everything around it is readable");
        }
    }
}

#[test]
fn a_rotten_header_of_an_epoch_without_records_is_damage_and_not_the_end_of_the_log() {
    let place = Place::disk();
    let log = place.start();
    log.write("kept");
    log.rest();
    log.crash();
    let log = place.start();
    let first = log.chain().segments().last().unwrap().base;
    log.crash();
    place.sim.flip(&name(first), 20, 1);
    is_refused(&place, Position::START, "an epoch that was begun must not be begun again under its number");
    let error = place.try_start(Position::START).unwrap_err();
    assert_eq!(error.site().unwrap().name, name(first), "{error}");
}

#[test]
fn that_the_newest_segment_is_missing_only_a_promise_can_tell() {
    for place in Place::both() {
        let bases = several(&place);
        let end = place.look().end();
        place.sim.remove_file(&name(*bases.last().unwrap()));
        assert!(place.look().refusal().is_none());
        is_refused(&place, end, "the caller knows better");
        let error = place.try_start(end).unwrap_err();
        assert!(error.to_string().contains("promised"), "{error}");
        assert_eq!(place.start().texts(), ["0", "1", "2", "3"]);
    }
}

#[test]
fn the_last_acknowledged_group_rotten_is_torn_until_a_checkpoint_knows_of_it() {
    let place = Place::disk();
    let log = place.start();
    let first = log.write("first");
    let last = log.write("last");
    log.crash();
    place.sim.flip(&name(last.base()), last.position().since(last.base()) as usize + 33, 2);
    let survey = place.look();
    assert!(survey.refusal().is_none());
    assert_eq!(survey.torn().unwrap().range.start, first.base().plus(1024), "the loss is told");
    is_refused(&place, last.end(), "a checkpoint knows of it");
    assert_eq!(place.start().texts(), ["first"]);
}

#[test]
fn a_rotten_object_is_damage_whoever_knows_of_it() {
    let place = Place::bucket();
    let log = place.start();
    log.write("first");
    let last = log.write("last");
    log.crash();
    place.sim.flip(&name(last.base()), last.position().since(last.base()) as usize + 33, 2);
    is_refused(&place, Position::START, "an object is whole or not there");
}

#[test]
fn an_idle_writers_word_makes_rot_in_its_last_group_damage() {
    let place = Place::disk();
    let log = place.start();
    let last = log.write("last");
    log.rest();
    log.crash();
    place.sim.flip(&name(last.base()), last.position().since(last.base()) as usize + 33, 2);
    is_refused(&place, Position::START, "the empty group behind it says that it was acknowledged");
}

#[test]
fn two_segments_swapped_are_damage() {
    for place in Place::both() {
        let bases = several(&place);
        let (one, other) = (name(bases[1]), name(bases[3]));
        let (left, right) = (place.sim.read_raw(&one), place.sim.read_raw(&other));
        place.sim.write_raw(&one, &right);
        place.sim.write_raw(&other, &left);
        is_refused(&place, Position::START, "swapped");
        for text in place.open().unwrap().replay(Position::START).unwrap().filter_map(Result::ok) {
            assert!(
                ["1", "3", "last"].contains(&super::text(&text).as_str()),
                "only what stayed in its place"
            );
        }
    }
}

#[test]
fn a_segment_under_another_name_is_damage() {
    for place in Place::both() {
        let bases = several(&place);
        for (at, &base) in bases.iter().enumerate() {
            for to in [base.plus(8), base.plus(1 << 20)] {
                let place = Place { sim: place.sim.fork(0), ..place.clone() };
                place.sim.write_raw(&name(to), &place.sim.read_raw(&name(base)));
                place.sim.remove_file(&name(base));
                is_refused(
                    &place,
                    Position::START,
                    &format!("segment {at} of {} moved to {to}", bases.len()),
                );
            }
        }
    }
}

#[test]
fn a_segment_of_another_log_in_a_segments_place_is_damage() {
    for place in Place::both() {
        let bases = several(&place);
        let mut other = if place.grows() { Place::disk() } else { Place::bucket() };
        other.clock = std::sync::Arc::new(headwater_wal::store::sim::SimClock::new(99));
        let theirs = several(&other);
        assert_eq!(bases, theirs, "the same sizes, another identity");
        for &base in &bases {
            let place = Place { sim: place.sim.fork(0), ..place.clone() };
            place.sim.write_raw(&name(base), &other.sim.read_raw(&name(base)));
            is_refused(&place, Position::START, "another log's");
        }
        // Also under a name that is free: no crash puts it there, and the log would come to that name.
        let place = Place { sim: place.sim.fork(0), ..place.clone() };
        let free = place.look().end().plus(1 << 20);
        place.sim.write_raw(&name(free), &other.sim.read_raw(&name(bases[1])));
        is_refused(&place, Position::START, "another log's, beyond the end");
    }
}

#[test]
fn what_cannot_be_read_is_unavailable_and_never_torn() {
    for place in Place::both() {
        let bases = several(&place);
        let last = name(*bases.last().unwrap());
        let len = place.sim.read_raw(&last).len();
        place.sim.make_unreadable(&last, 512..len);
        let error = place.open().unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert_eq!(error.site().unwrap().name, last);
    }
}

#[test]
fn a_store_that_fails_at_any_step_of_a_look_fails_the_look() {
    // Where reads are begun ahead, what did not come is read again by its name.
    for whole in [Place::disk()] {
        several(&whole);
        let before = whole.sim.operations();
        let end = whole.look().end();
        for nth in 1..=whole.sim.operations() - before {
            let place = Place { sim: whole.sim.fork(nth), ..whole.clone() };
            place.sim.plan(When::nth(nth).of(Op::Read).of(Op::List), Fault::Error);
            let error = place.open().unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{nth}: {error}");
            assert_eq!(place.look().end(), end);
        }
    }
}

#[test]
fn a_bucket_that_fails_once_fails_a_look_or_changes_nothing_and_one_that_goes_on_fails_it() {
    let whole = Place::bucket();
    several(&whole);
    let before = whole.sim.operations();
    let end = whole.look().end();
    for nth in 1..=whole.sim.operations() - before {
        for (when, goes_on) in [(When::nth(nth), false), (When::from(nth), true)] {
            let place = Place { sim: whole.sim.fork(nth), ..whole.clone() };
            place.sim.plan(when.of(Op::Read).of(Op::List), Fault::Error);
            match place.open() {
                Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "{nth}: {error}"),
                Ok(opened) => assert!(!goes_on && opened.survey().end() == end, "{nth}"),
            }
            place.sim.calm();
            assert_eq!(place.look().end(), end);
        }
    }
}

#[test]
fn a_newer_version_is_unsupported_and_not_damaged() {
    for place in Place::both() {
        let bases = several(&place);
        let middle = name(bases[2]);
        let mut bytes = place.sim.read_raw(&middle);
        bytes[12] = 2;
        place.sim.write_raw(&middle, &bytes);
        let error = place.open().unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported, "{error}");
        assert!(error.to_string().contains("version 2") && error.site().unwrap().name == middle, "{error}");
    }
}

#[test]
fn a_log_keeps_its_durability() {
    for mut place in Place::both() {
        place.start().write("power");
        place.options = place.options.durability(Durability::Process);
        let error = place.try_start(Position::START).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("created=Power asked=Process"), "{error}");
    }
}

#[test]
fn foreign_names_are_reported_and_left_alone() {
    for place in Place::both() {
        let log = place.start();
        log.write("ours");
        log.close().unwrap();
        let foreign =
            ["1.wal", "00000000000000000000.WAL", "lost+found/x", "notes.txt", "epoch/notes", "zz/0"];
        for name in foreign {
            place.sim.write_raw(name, b"not ours");
        }
        let log = place.start();
        log.write("ours too");
        log.retire_before(Time::MAX).unwrap();
        drop(log);
        for name in foreign {
            assert_eq!(place.sim.read_raw(name), b"not ours", "{name}");
        }
        let survey = place.look();
        assert_eq!(survey.foreign_count(), 5, "{:?}", survey.foreign());
        for name in ["1.wal", "00000000000000000000.WAL", "lost+found", "notes.txt", "zz"] {
            assert!(survey.foreign().iter().any(|foreign| foreign == name), "{name}");
        }
        assert_eq!(place.texts(), ["ours too"]);
    }
}

#[test]
fn a_torn_tail_is_trimmed_and_its_evidence_is_kept() {
    let place = Place::disk();
    let log = place.start();
    let kept = log.write("kept");
    place.sim.plan(When::nth(1).of(Op::Write), Fault::Partly);
    log.append(Time(1), "x".repeat(3000)).unwrap().wait().unwrap_err();
    log.crash();
    let file = name(kept.base());
    // Whatever the device wrote of it, something lies there.
    let mut bytes = place.sim.read_raw(&file);
    bytes[2048..2057].copy_from_slice(b"half done");
    place.sim.write_raw(&file, &bytes);
    let mut tail = place.sim.read_raw(&file)[1024..].to_vec();
    tail.truncate(tail.iter().rposition(|&byte| byte != 0).unwrap() + 1);
    let survey = place.look();
    let torn = survey.torn().unwrap();
    assert_eq!((torn.range.start, torn.file.as_deref()), (kept.base().plus(1024), Some(file.as_str())));
    assert!(survey.to_string().contains("torn tail of"), "{survey}");
    let log = place.start();
    assert_eq!(place.sim.read_raw(&file).len(), 1024, "trimmed at the cut");
    let evidence = place.names_beginning("quarantine/");
    assert_eq!(evidence, [format!("quarantine/{file}.tail-1024.1")]);
    assert_eq!(place.sim.read_raw(&evidence[0]), tail);
    drop(log);
    let survey = place.look();
    assert!(survey.torn().is_none() && survey.refusal().is_none(), "{survey}");
    assert!(survey.aside().iter().all(|aside| aside.because != Because::Torn));
}

#[test]
fn no_group_is_longer_than_may_be_in_flight_so_a_power_cut_in_the_middle_of_it_is_no_damage() {
    let mut place = Place::disk();
    place.options = place.options.group_bytes_max(1 << 20).queue_bytes_max(1 << 20);
    let log = place.start();
    let tickets: Vec<_> = (0..200).map(|_| log.append(Time(1), "x".repeat(1000)).unwrap()).collect();
    assert!(log.turn());
    let first = tickets[0].answer().unwrap().unwrap();
    log.crash();
    // The device had written all of the group but the sectors in its middle.
    place.sim.flip(&name(first.base()), 4 << 10, 2);
    assert!(place.look().refusal().is_none(), "{}", place.look());
    assert!(place.start().texts().is_empty());
}
