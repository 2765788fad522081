//! Readers beside a live writer: nothing that a crash may take back, and everything else in its turn.

use headwater_wal::store::sim::{Fault, Op, When};
use headwater_wal::{Follow, Kind, Position, Time};

use super::{Place, texts};

/// Everything that is there to be shown now.
fn shown(follow: &mut Follow) -> Vec<String> {
    texts(follow)
}

#[test]
fn the_newest_group_is_shown_once_something_says_that_it_was_acknowledged() {
    let place = Place::disk();
    let log = place.start();
    let mut follow = place.reader().follow(Position::START);
    assert!(shown(&mut follow).is_empty());
    log.write("first");
    assert!(shown(&mut follow).is_empty(), "a crash could not take it back, but no file says so yet");
    log.write("second");
    assert_eq!(shown(&mut follow), ["first"]);
    log.rest();
    assert_eq!(shown(&mut follow), ["second"], "an idle writer's word");
    log.write("third");
    log.seal().unwrap();
    assert_eq!(shown(&mut follow), ["third"], "the footer says it");
    assert_eq!(follow.next().map(|_| ()), None);
    assert_eq!(follow.position(), log.range().end);
}

#[test]
fn an_object_is_shown_as_soon_as_it_is_there() {
    let place = Place::bucket();
    let log = place.start();
    let mut follow = place.reader().follow(Position::START);
    for text in ["first", "second", "third"] {
        log.write(text);
        assert_eq!(shown(&mut follow), [text]);
    }
}

#[test]
fn what_was_written_and_not_synced_is_never_shown() {
    let place = Place::disk();
    let log = place.start();
    log.write("first");
    let mut follow = place.reader().follow(Position::START);
    place.sim.plan(When::nth(1).of(Op::Sync), Fault::Error);
    let unsettled = *log.append(Time(1), "in doubt").unwrap().wait().unwrap_err().unsettled().unwrap();
    // That the group in doubt lies there says that the one before it was acknowledged, and nothing of itself.
    let before = shown(&mut follow);
    assert!(!before.contains(&"in doubt".into()), "{before:?}");
    log.crash();
    place.sim.drop_caches();
    let heir = place.start();
    assert_eq!(heir.settle(&unsettled).unwrap_err().kind(), Kind::NotThere);
    heir.write("second");
    heir.seal().unwrap();
    let all = [before, shown(&mut follow)].concat();
    assert_eq!(all, ["first", "second"]);
}

#[test]
fn a_follower_goes_through_sealed_segments_and_epochs() {
    for place in Place::both() {
        let mut follow = place.reader().follow(Position::START);
        let (mut seen, mut want) = (Vec::new(), Vec::new());
        for life in 0..5 {
            let log = place.start();
            for number in 0..7 {
                let text = format!("{life}-{number}");
                log.write(text.clone());
                want.push(text);
                if number % 3 == life % 3 {
                    log.seal().unwrap();
                }
                seen.extend(shown(&mut follow));
                assert!(want.starts_with(&seen), "{seen:?}");
            }
            if life % 2 == 0 {
                log.crash();
            }
        }
        place.start();
        seen.extend(shown(&mut follow));
        assert_eq!(seen, want);
    }
}

#[test]
fn a_follower_can_begin_anywhere() {
    for place in Place::both() {
        let log = place.start();
        let mut handles = Vec::new();
        for number in 0..12 {
            handles.push(log.write(format!("{number}")));
            if number % 5 == 4 {
                log.seal().unwrap();
            }
        }
        log.seal().unwrap();
        for (number, handle) in handles.iter().enumerate() {
            let mut follow = place.reader().follow(handle.position());
            assert_eq!(shown(&mut follow).len(), 12 - number);
            let mut behind = place.reader().follow(handle.end());
            assert_eq!(shown(&mut behind).len(), 11 - number);
        }
    }
}

#[test]
fn a_follower_whose_place_was_retired_is_told_so_for_good() {
    for place in Place::both() {
        let log = place.start();
        let first = log.write("first");
        log.seal().unwrap();
        let mut behind = place.reader().follow(first.position());
        let mut from_the_start = place.reader().follow(Position::START);
        log.write("second");
        log.seal().unwrap();
        log.write("third");
        log.seal().unwrap();
        log.retire_before(Time::MAX).unwrap();
        let error = behind.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Retired, "{error}");
        assert!(behind.next().is_none());
        assert_eq!(shown(&mut from_the_start).last().unwrap(), "third", "from wherever it begins");
    }
}

#[test]
fn a_follower_in_the_middle_of_what_is_retired_is_told_so() {
    for place in Place::both() {
        let log = place.start();
        let handles = log.fill(40, 900);
        let mut follow = place.reader().follow(Position::START);
        let first = follow.next().unwrap().unwrap();
        assert_eq!(first.handle, handles[0]);
        log.retire_before(Time::MAX).unwrap();
        let mut seen = 1;
        let error = loop {
            match follow.next() {
                Some(Ok(record)) => {
                    assert_eq!(record.handle, handles[seen], "in order, without a gap");
                    seen += 1;
                }
                Some(Err(error)) => break error,
                None => {}
            }
            assert!(seen < 40);
        };
        assert_eq!(error.kind(), Kind::Retired, "{error}");
    }
}

#[test]
fn looking_changes_nothing_locks_nothing_and_creates_nothing() {
    for place in Place::both() {
        let log = place.start();
        log.fill(20, 900);
        let contents = || -> Vec<(String, Vec<u8>)> {
            let names = place.sim.names();
            names.into_iter().map(|name| (name.clone(), place.sim.read_raw(&name))).collect()
        };
        let before = contents();
        let asked = [Op::Read, Op::List];
        let count = || -> u64 {
            Op::ALL.iter().filter(|op| !asked.contains(op)).map(|op| place.sim.operations_of(*op)).sum()
        };
        let writes = count();
        place.look_at_everything();
        place.texts();
        shown(&mut place.reader().follow(Position::START));
        assert!(place.open().unwrap().survey().refusal().is_none());
        assert_eq!(count(), writes, "only reads and lists");
        assert!(contents() == before);
        log.write("goes on");
    }
    let nothing = Place::disk();
    assert!(nothing.open().unwrap().survey().identity().is_none());
    assert!(nothing.sim.names().is_empty());
}
