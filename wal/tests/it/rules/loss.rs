//! Loss that was accepted by name: where the epoch begins, what the log says of it ever after.

use std::ops::Range;

use headwater_wal::{Kind, Position};

use super::{Life, Place, name};

/// Five records, each in a segment of its own.
fn several(place: &Place) -> Vec<headwater_wal::Handle> {
    let log = place.start();
    let handles = (0..5)
        .map(|number| {
            let handle = log.write(format!("{number}"));
            log.seal().unwrap();
            handle
        })
        .collect();
    log.crash();
    handles
}

fn accept(place: &Place, at_least: Position, ranges: &[Range<Position>]) -> headwater_wal::Result<Life> {
    let process = place.sim.process();
    let mut opened = place.open_by(&process)?;
    for range in ranges {
        opened = opened.accept_loss(range.clone());
    }
    Ok(Life { log: opened.start_stepped(at_least)?, process })
}

/// What a refused start says is damaged.
fn told(place: &Place, at_least: Position) -> Vec<Range<Position>> {
    let survey = headwater_wal::look(&*place.sim.store(), at_least, headwater_wal::Depth::Quick).unwrap();
    survey.damages().iter().map(|damage| damage.range.clone()).collect()
}

fn is_clean_ever_after(place: &Place, lost: &[Range<Position>], texts: &[&str]) {
    for _ in 0..3 {
        let survey = place.look_at_everything();
        assert!(survey.refusal().is_none(), "{survey}");
        assert_eq!(survey.lost(), lost);
        assert_eq!(place.texts(), texts);
        let log = place.start();
        assert_eq!(log.texts(), texts);
    }
}

#[test]
fn an_epoch_after_an_accepted_loss_begins_behind_every_name_and_lists_what_was_lost() {
    for place in Place::both() {
        let handles = several(&place);
        place.sim.flip(&name(handles[2].base()), 100, 0); // in the header
        let damage = told(&place, Position::START);
        assert_eq!(damage.len(), 1);
        assert!(damage[0].contains(&handles[2].position()) && !damage[0].contains(&handles[3].position()));
        let files_end = place
            .segments()
            .iter()
            .map(|name| name[..20].parse::<u64>().unwrap() + place.sim.read_raw(name).len() as u64)
            .max()
            .unwrap();
        let log = accept(&place, Position::START, &damage).unwrap();
        let first = log.chain().segments().iter().rfind(|segment| segment.begins_epoch).unwrap().clone();
        assert!(first.base >= Position(files_end), "behind the last name");
        assert_eq!(place.header(first.base).lost, damage);
        log.write("after");
        let texts = ["0", "1", "3", "4", "after"];
        assert_eq!(log.texts(), texts);
        assert_eq!(log.read(&handles[3]).unwrap().payload, "3");
        assert!(log.read(&handles[2]).is_err());
        drop(log);
        is_clean_ever_after(&place, &damage, &texts);
    }
}

#[test]
fn a_loss_that_is_not_accepted_whole_is_refused() {
    for place in Place::both() {
        let handles = several(&place);
        place.sim.flip(&name(handles[1].base()), 100, 0);
        place.sim.flip(&name(handles[3].base()), 100, 0);
        let damage = told(&place, Position::START);
        assert_eq!(damage.len(), 2);
        let part = damage[0].start..Position(damage[0].end.0 - 1);
        for accepted in [vec![], vec![damage[0].clone()], vec![part, damage[1].clone()]] {
            let error = accept(&place, Position::START, &accepted).unwrap_err();
            assert_eq!(error.kind(), Kind::Damaged);
        }
        let log = accept(&place, Position::START, &[Position::START..damage[1].end]).unwrap();
        assert_eq!(log.texts(), ["0", "2", "4"]);
        drop(log);
        is_clean_ever_after(&place, &damage, &["0", "2", "4"]);
    }
}

#[test]
fn the_loss_of_the_newest_segment_can_be_accepted() {
    for place in Place::both() {
        let handles = several(&place);
        let last = handles.last().unwrap();
        place.sim.remove_file(&name(last.base()));
        let damage = told(&place, last.end());
        assert_eq!(damage.len(), 1);
        assert!(!damage[0].is_empty() && damage[0].end >= last.end(), "{damage:?}");
        let log = accept(&place, last.end(), &damage).unwrap();
        let next = log.write("after");
        assert!(next.position() >= last.end());
        drop(log);
        is_clean_ever_after(&place, &damage, &["0", "1", "2", "3", "after"]);
    }
}

#[test]
fn the_loss_of_the_first_segment_can_be_accepted() {
    for place in Place::both() {
        several(&place);
        place.sim.remove_file(&name(Position::START));
        let damage = told(&place, Position::START);
        let log = accept(&place, Position::START, &damage).unwrap();
        log.write("after");
        drop(log);
        is_clean_ever_after(&place, &damage, &["0", "1", "2", "3", "4", "after"]);
    }
}

#[test]
fn the_loss_of_an_object_that_became_empty_can_be_accepted() {
    for place in Place::both() {
        let handles = several(&place);
        let last = handles.last().unwrap();
        place.sim.write_raw(&name(last.base()), &[]);
        let damage = told(&place, last.end());
        let log = accept(&place, last.end(), &damage).unwrap();
        log.write("after");
        drop(log);
        is_clean_ever_after(&place, &damage, &["0", "1", "2", "3", "after"]);
    }
}

#[test]
fn a_tail_that_was_lost_can_be_accepted() {
    for place in Place::both() {
        let log = place.start();
        log.write("kept");
        let last = log.write("rotten");
        log.crash();
        place.sim.flip(&name(last.base()), last.position().since(last.base()) as usize, 0);
        let damage = told(&place, last.end());
        assert_eq!(damage.len(), 1);
        assert!(damage[0].end >= last.end(), "{damage:?}");
        let log = accept(&place, last.end(), &damage).unwrap();
        assert_eq!(log.texts(), ["kept"]);
        log.write("after");
        drop(log);
        is_clean_ever_after(&place, &damage, &["kept", "after"]);
    }
}

/// Two records in a segment that is sealed, the first of which has rotted, and one behind.
fn rotten(place: &Place) -> Vec<headwater_wal::Handle> {
    let log = place.start();
    let handles = vec![log.write("rotten"), log.write("good")];
    log.seal().unwrap();
    log.write("behind");
    log.crash();
    let rotten = handles[0];
    place.sim.flip(&name(rotten.base()), rotten.position().since(rotten.base()) as usize + 33, 0);
    handles
}

#[test]
fn what_only_a_full_look_finds_can_be_stated_and_is_passed_over_from_then_on() {
    for place in Place::both() {
        let handles = rotten(&place);
        let end = place.look_at_everything();
        let bad: Vec<_> = end.damages().iter().map(|damage| damage.range.clone()).collect();
        assert_eq!(bad.len(), 1);
        let opened = place.open().unwrap();
        opened.state_loss(bad[0].clone()).accept(Position::START).unwrap();
        let survey = place.look_at_everything();
        let first = survey.chain().segments().iter().rfind(|segment| segment.begins_epoch).unwrap();
        assert_eq!(first.base, end.end(), "the epoch begins where the log ended");
        is_clean_ever_after(&place, &bad, &["good", "behind"]);

        let reader = headwater_wal::Reader::open(place.sim.store()).unwrap();
        let follow = reader.follow(Position::START);
        let mut followed = Vec::new();
        for record in follow {
            followed.push(record.unwrap().payload);
        }
        assert_eq!(followed, ["good", "behind"]);
        assert_eq!(reader.read(&handles[0]).unwrap_err().kind(), Kind::Damaged);
        assert_eq!(reader.read(&handles[1]).unwrap().payload, "good");
    }
}

#[test]
fn an_epoch_states_no_more_than_its_header_holds() {
    let place = Place::both().into_iter().next().unwrap();
    rotten(&place);
    let before = place.segments();
    let some = |count: u64| (0..count).map(|at| Position(1000 + 20 * at)..Position(1010 + 20 * at));
    let state = |count| some(count).fold(place.open().unwrap(), |opened, range| opened.state_loss(range));
    assert_eq!(state(25).accept(Position::START).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(place.segments(), before);
    state(24).accept(Position::START).unwrap();
    assert_eq!(place.look_at_everything().lost().len(), 24);
}

#[test]
fn a_log_whose_repair_was_cut_short_does_not_start() {
    for place in Place::both() {
        several(&place);
        place.sim.write_raw("repair.unfinished", &[]);
        assert!(place.look_at_everything().unfinished().is_some());
        assert!(place.look_at_everything().foreign().is_empty());
        let error = place.open().unwrap().accept(Position::START).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "{error}");
        assert!(error.to_string().contains("wal-fsck --repair"), "{error}");
        place.sim.remove_file("repair.unfinished");
        place.start();
    }
}
