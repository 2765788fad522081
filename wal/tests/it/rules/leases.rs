//! Rule 7: on a medium of leases, as HDFS is. Z is a writer that sleeps, N its heir.

use std::sync::mpsc::channel;

use headwater_wal::store::sim::{Cut, Fault, Op, When};
use headwater_wal::{Because, Error, Kind, Position, Time, Unsettled};

use super::{Life, Place, before, name};

/// Z sleeps before an operation of its next append while N starts, and is told something.
fn sleep_through(seed: u64, op: Op) -> (Place, Life, Life, Error) {
    let place = Place::leases(seed);
    let zombie = place.start();
    zombie.write("acknowledged");
    if op == Op::Link {
        zombie.seal().unwrap();
    }
    let (other, (send, heir)) = (place.clone(), channel());
    before(&zombie.process, op, "0", move || send.send(other.start()).unwrap());
    let error = zombie.append(Time(1), "late").unwrap().wait().unwrap_err();
    (place, zombie, heir.recv().unwrap(), error)
}

#[test]
fn a_writer_whose_lease_was_ended_while_it_slept_is_fenced_for_good() {
    let (_place, zombie, heir, error) = sleep_through(7, Op::Write);
    assert_eq!(error.kind(), Kind::Fenced, "{error:?}");
    assert!(format!("{error:?}").contains("epoch=1 newer=2"), "{error:?}");
    for _ in 0..2 {
        assert_eq!(zombie.append(Time(1), "again").unwrap_err().kind(), Kind::Fenced);
        assert_eq!(zombie.retire_before(Time::MAX).unwrap_err().kind(), Kind::Fenced);
    }
    drop(zombie);
    heir.write("goes on");
    heir.seal().unwrap();
    assert_eq!(heir.texts(), ["acknowledged", "goes on"]);
}

#[test]
fn a_writer_that_sleeps_between_a_footer_and_the_next_create_finds_its_name_taken_for_ever() {
    let (place, zombie, heir, error) = sleep_through(7, Op::Link);
    assert_eq!(error.kind(), Kind::Fenced, "{error:?}");
    heir.fill(3, 100);
    heir.seal().unwrap();
    heir.retire_before(Time::MAX).unwrap();
    let firsts = place.sim.names().iter().filter(|name| place.sim.read_raw(name).len() == 624).count();
    assert!(firsts >= 2, "what begins an epoch stays: {:?}", place.sim.names());
    drop((zombie, heir));
    assert_eq!(place.look().damage_count(), 0);
}

#[test]
fn a_group_whose_sync_met_the_end_of_the_lease_is_settled_by_the_heir() {
    let (mut kept, mut cut) = (0, 0);
    for seed in 0..40 {
        let (place, zombie, heir, error) = sleep_through(seed, Op::Sync);
        drop(zombie);
        let there = heir.texts().contains(&"late".into());
        match error.kind() {
            Kind::Fenced => assert!(!there, "fenced, and in the log: seed={seed}"),
            Kind::Unknown => {
                let unsettled: &Unsettled = error.unsettled().unwrap();
                assert_eq!(heir.settle(unsettled).is_ok(), there, "seed={seed}");
            }
            other => panic!("{other}: {error:?}"),
        }
        if there {
            kept += 1
        } else {
            cut += 1
        }
        // What the heir has settled outlives the machines that hold the file.
        heir.process.kill();
        drop(heir);
        place.sim.nodes_power_cut(Cut::LoseAll);
        let next = place.start();
        assert_eq!(next.texts().contains(&"late".into()), there, "seed={seed}");
    }
    assert!(kept > 0 && cut > 0, "kept={kept} cut={cut}");
}

#[test]
fn an_open_segment_is_not_readable_yet_and_looking_ends_no_lease() {
    let place = Place::leases(7);
    let writer = place.start();
    let handle = writer.append(Time(1), "newest").unwrap().wait().unwrap();
    for survey in [place.look(), place.look_at_everything()] {
        assert!(survey.is_open() && survey.damage_count() == 0, "{survey}");
        assert!(survey.to_string().contains("not readable yet"), "{survey}");
        let aside: Vec<Because> = survey.aside().iter().map(|aside| aside.because).collect();
        assert_eq!(aside, [Because::Open], "not beyond the end, for all that anybody knows");
    }
    let reader = place.reader();
    assert_eq!(reader.read(&handle).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(writer.read(&handle).unwrap_err().kind(), Kind::Unavailable);
    assert!(reader.follow(Position::START).next().is_none());
    writer.write("goes on: nobody has touched its lease");
    writer.seal().unwrap();
    assert_eq!(&reader.read(&handle).unwrap().payload[..], b"newest");
    assert_eq!(&writer.read(&handle).unwrap().payload[..], b"newest");
    assert_eq!(reader.follow(Position::START).count(), 2);
    assert!(!place.look().is_open());
}

#[test]
fn a_promise_that_lies_in_an_open_segment_does_not_refuse_a_start() {
    let place = Place::leases(7);
    let writer = place.start();
    let handle = writer.append(Time(1), "promised").unwrap().wait().unwrap();
    writer.process.kill();
    drop(writer);
    let heir = place.try_start(handle.end()).unwrap();
    assert_eq!(heir.texts(), ["promised"]);
}

#[test]
fn a_name_that_comes_late_finds_the_heirs_segment_or_is_taken_over_with_its_file() {
    for lands_first in [false, true] {
        let place = Place::leases(7);
        let zombie = place.start();
        zombie.write("acknowledged");
        zombie.seal().unwrap();
        let next = name(place.look().end());
        place.sim.plan(When::nth(1).of(Op::Link), Fault::Held);
        let error = zombie.append(Time(1), "late").unwrap().wait().unwrap_err();
        assert_eq!(error.kind(), Kind::Unknown, "{error:?}");
        let late = place.sim.late();
        assert_eq!(late.len(), 1, "{late:?}");
        if lands_first {
            place.sim.land(&late[0]);
            assert!(place.look().is_open());
        }
        let heir = place.start();
        if !lands_first {
            assert!(place.sim.has(&next));
            place.sim.land(&late[0]);
        }
        assert_eq!(heir.settle(error.unsettled().unwrap()).unwrap_err().kind(), Kind::NotThere);
        heir.write("goes on");
        heir.seal().unwrap();
        drop(zombie);
        assert_eq!(heir.texts(), ["acknowledged", "goes on"]);
        assert_eq!(place.look().damage_count(), 0);
    }
}

#[test]
fn a_lease_that_does_not_end_fails_the_start_and_changes_nothing_else() {
    let place = Place::leases(7);
    let writer = place.start();
    writer.write("acknowledged");
    writer.process.kill();
    drop(writer);
    let names = place.sim.names();
    place.sim.plan(When::from(1).of(Op::Recover), Fault::Error);
    assert_eq!(place.try_start(Position::START).unwrap_err().kind(), Kind::Unavailable);
    let segments =
        |names: Vec<String>| names.into_iter().filter(|name| !name.contains('/')).collect::<Vec<_>>();
    assert_eq!(segments(place.sim.names()), segments(names));
    place.sim.calm();
    assert_eq!(place.start().texts(), ["acknowledged"]);
}

#[test]
fn a_retirement_is_seen_by_all_before_anything_is_removed() {
    let place = Place::leases(7);
    let writer = place.start();
    for _ in 0..3 {
        writer.write("retired");
        writer.seal().unwrap();
    }
    let other = place.clone();
    before(&writer.process, Op::Remove, "0", move || {
        let survey = other.look();
        assert!(survey.begins() > Position::START && survey.damage_count() == 0, "{survey}");
    });
    assert!(writer.retire_before(Time::MAX).unwrap().removed > 0);
    assert_eq!(place.look().damage_count(), 0);
}

#[test]
fn a_segment_made_between_the_end_of_the_leases_and_the_look_is_taken_over_with_all_of_it() {
    let place = Place::leases(7);
    let zombie = place.start();
    zombie.write("acknowledged");
    zombie.seal().unwrap();
    let (process, (send, slept)) = (place.sim.process(), channel());
    before(&process, Op::Put, "epoch/", move || {
        (0..3).for_each(|_| _ = zombie.write("more".repeat(800)));
        send.send(zombie).unwrap();
    });
    let heir = place.start_by(&process, Position::START).unwrap();
    assert_eq!(heir.texts().len(), 4, "what was acknowledged meanwhile is there");
    let zombie = slept.recv().unwrap();
    assert_eq!(zombie.append(Time(1), "late").unwrap().wait().unwrap_err().kind(), Kind::Fenced);
}
