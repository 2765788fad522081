//! Finding the newest checkpoint that is of use.

use headwater_checkpoint::{Checkpoints, Held, Owner, Writer};
use headwater_wal::store::sim::{Fault, Op, Sim, When};
use headwater_wal::{Kind, Position};

use crate::fixture::*;

fn held(range: std::ops::Range<u64>) -> Held {
    Held::nothing().log("journal", Position(range.start)..Position(range.end))
}

#[test]
fn a_damaged_newest_is_reported_and_passed_over_and_left_alone() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let good = publish(&mut writer, 1, &[("x", Some(b"good"))]).unwrap();
        let bad = publish(&mut writer, 2, &[("x", Some(b"bad"))]).unwrap();
        change(&store, &head(bad), |bytes| bytes[70] ^= 1);
        let latest = Checkpoints::open(store.clone()).latest(&held(0..9)).unwrap();
        assert_eq!(latest.checkpoint.unwrap().id(), good);
        assert_eq!(latest.passed_over.len(), 1);
        assert_eq!((latest.passed_over[0].0, latest.passed_over[0].1.kind()), (bad, Kind::Damaged));
        assert_eq!(latest.passed_over[0].1.site().unwrap().name, head(bad).as_str());
        assert_eq!(heads(&store), ["1-0", "1-1"]);
    });
}

#[test]
fn an_older_one_is_of_no_use_once_what_it_needs_is_retired() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        publish(&mut writer, 1, &[("x", Some(b"old"))]).unwrap();
        let bad = publish(&mut writer, 50, &[("x", Some(b"bad"))]).unwrap();
        change(&store, &head(bad), |bytes| _ = bytes.pop());
        let error = Checkpoints::open(store.clone()).latest(&held(40..90)).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        let text = error.to_string();
        assert!(text.contains("1-1") && text.contains("1-0") && text.contains("position=1"), "{text}");
    });
}

#[test]
fn a_checkpoint_without_one_of_its_parts_is_passed_over() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let good = publish(&mut writer, 1, &[("x", Some(&noise(1, 100)))]).unwrap();
        for spoil in [true, false] {
            publish(&mut writer, 2, &[("x", None), ("y", Some(&noise(2, 100)))]).unwrap();
            let part = names(&store).pop().unwrap();
            match spoil {
                true => store.remove(&part).unwrap(),
                false => change(&store, &part, |bytes| _ = bytes.pop()),
            }
            let latest = Checkpoints::open(store.clone()).latest(&held(0..9)).unwrap();
            assert_eq!(latest.checkpoint.unwrap().id(), good);
            assert_eq!(latest.passed_over[0].1.site().unwrap().name, part.as_str());
            for id in Checkpoints::open(store.clone()).list().unwrap().into_iter().filter(|id| *id > good) {
                store.remove(&head(id)).unwrap();
            }
        }
    });
}

#[test]
fn no_checkpoint_beside_logs_that_hold_records_is_an_error_and_not_a_fresh_start() {
    on_every_store(|store| {
        let look = Checkpoints::open(store.clone());
        assert_eq!(look.latest(&held(0..9)).unwrap_err().kind(), Kind::NotThere);
        assert!(look.latest(&held(0..9).rebuilds()).unwrap().checkpoint.is_none());
        assert_eq!(look.latest(&held(7..7)).unwrap_err().kind(), Kind::NotThere, "all of it was retired");
        assert!(look.latest(&held(0..0)).unwrap().checkpoint.is_none(), "an empty log is no life");
        let owner = Owner { identity: IDENTITY, epoch: 1 };
        let error = Writer::start(look, owner, small(), &held(0..9)).map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::NotThere);
    });
}

#[test]
fn a_log_that_ends_before_the_newest_checkpoint_is_damage_of_the_log() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        publish(&mut writer, 1, &[]).unwrap();
        publish(&mut writer, 5, &[]).unwrap();
        let error = Checkpoints::open(store).latest(&held(0..4)).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(
            error.to_string().contains("position=5") && error.to_string().contains("log_ends=4"),
            "{error}"
        );
    });
}

#[test]
fn bytes_that_turn_out_bad_while_restoring_are_fallen_back_from() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let good = publish(&mut writer, 1, &[("x", Some(&noise(1, 100)))]).unwrap();
        publish(&mut writer, 2, &[("x", Some(&noise(2, 100)))]).unwrap();
        drop(writer);
        let part = names(&store).pop().unwrap();
        change(&store, &part, |bytes| bytes[70] ^= 1);
        let mut writer = start(&store, 2);
        let newest = writer.follows().unwrap().clone();
        let error = read(&store, &newest, "x").unwrap_err();
        assert_eq!((error.kind(), &*error.site().unwrap().name), (Kind::Damaged, part.as_str()));
        let latest = writer.fall_back(&held(0..9)).unwrap();
        let older = latest.checkpoint.unwrap();
        assert_eq!((older.id(), writer.follows().unwrap().id()), (good, good));
        assert_eq!(read(&store, &older, "x").unwrap(), noise(1, 100));
        assert_eq!(publish(&mut writer, 3, &[("x", None)]).unwrap_err().kind(), Kind::NotThere);
        publish(&mut writer, 3, &[]).unwrap();
        assert_eq!(writer.fall_back(&held(0..9)).unwrap_err().kind(), Kind::Invalid);
    });
}

#[test]
fn a_rotten_part_spoils_every_checkpoint_that_names_it_and_no_other() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let alone = publish(&mut writer, 1, &[("y", Some(&noise(1, 100)))]).unwrap();
        let first = publish(&mut writer, 2, &[("x", Some(&noise(2, 100)))]).unwrap();
        let second = publish(&mut writer, 3, &[("x", None)]).unwrap();
        let look = Checkpoints::open(store.clone());
        let ids = look.list().unwrap();
        assert!(look.verify(&ids).unwrap().values().all(Vec::is_empty));
        let part = names(&store).pop().unwrap();
        change(&store, &part, |bytes| *bytes.last_mut().unwrap() ^= 1);
        let found = look.verify(&ids).unwrap();
        assert_eq!(found[&alone].len(), 0);
        for id in [first, second] {
            assert_eq!(found[&id][0].site().unwrap().name, part.as_str());
        }
    });
}

#[test]
fn a_head_under_another_name_never_verifies() {
    on_every_store(|store| {
        let mut writer = start(&store, 1);
        let id = publish(&mut writer, 1, &[]).unwrap();
        let bytes = store.read(&head(id), 0..1000).unwrap();
        store.put(&head(headwater_checkpoint::Id { epoch: 9, number: 0 }), bytes).unwrap();
        let latest = Checkpoints::open(store).latest(&held(0..9)).unwrap();
        assert_eq!((latest.checkpoint.unwrap().id(), latest.passed_over.len()), (id, 1));
    });
}

#[test]
fn a_read_that_fails_is_never_a_checkpoint_that_is_passed_over() {
    let sim = Sim::objects(3);
    let store = sim.store();
    publish(&mut start(&store, 1), 1, &[("x", Some(&noise(1, 100)))]).unwrap();
    for op in [Op::List, Op::Read] {
        sim.plan(When::nth(1).of(op), Fault::Error);
        let error = Checkpoints::open(store.clone()).latest(&held(0..9)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{op:?}");
    }
    assert!(newest(&store).is_some());
}
