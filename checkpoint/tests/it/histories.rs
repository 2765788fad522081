//! Histories in which an earlier version kept what it should not have, and those that other systems lose something in.

use headwater_checkpoint::{Checkpoints, Held, Id, Owner, Writer};
use headwater_wal::Kind;
use headwater_wal::store::Name;
use headwater_wal::store::sim::{Fault, Op, Sim, When};

use crate::fixture::*;

#[test]
fn a_fall_back_passes_over_the_head_that_a_replaced_writer_puts_late() {
    on_objects(|store| {
        let mut old = start(&store, 1);
        let kept = publish(&mut old, 1, &[("x", Some(&noise(1, 100)))]).unwrap();
        let mut draft = old.draft().unwrap();
        let late = draft.id();
        let mut new = start(&store, 2);
        publish(&mut new, 2, &[]).unwrap();
        draft.write("x", &noise(2, 100)).unwrap();
        draft.publish(&at(3)).unwrap_err();
        assert!(newest(&store).unwrap().kept() == [kept] && heads(&store).contains(&late.to_string()));
        // A sweep of the second one that was paused may be about to take the parts of the late one, and not its head.
        let mut heir = start(&store, 3);
        let older = heir.fall_back(&Held::nothing()).unwrap().checkpoint.unwrap();
        assert_eq!(older.id(), kept);
        publish(&mut heir, 4, &[]).unwrap();
        assert_eq!(heads(&store), ["1-0", "3-0"]);
    });
}

#[test]
fn an_heir_that_finds_a_part_of_the_newest_gone_passes_over_the_head_that_a_replaced_writer_put_late() {
    on_objects(|store| {
        let mut old = start(&store, 1);
        let kept = publish(&mut old, 1, &[("x", Some(&noise(1, 100)))]).unwrap();
        let mut draft = old.draft().unwrap();
        let late = draft.id();
        let mut new = start(&store, 2);
        publish(&mut new, 2, &[("y", Some(&noise(2, 100)))]).unwrap();
        let part = names(&store).pop().unwrap();
        draft.write("x", &noise(3, 100)).unwrap();
        draft.publish(&at(3)).unwrap_err();
        store.remove(&part).unwrap();
        let look = Checkpoints::open(store.clone());
        let latest = look.latest(&Held::nothing()).unwrap();
        assert_eq!(latest.checkpoint.unwrap().id(), kept);
        let passed_over: Vec<Id> = latest.passed_over.iter().map(|(id, _)| *id).collect();
        assert_eq!(passed_over, [Id { epoch: 2, number: 0 }, late]);
        assert_eq!(start(&store, 3).follows().unwrap().id(), kept);
    });
}

#[test]
fn a_head_that_a_power_cut_brings_back_without_its_parts_is_not_kept_after_two_fall_backs() {
    let sim = Sim::growing(1);
    let store = sim.store();
    let mut writer = start(&store, 1);
    publish(&mut writer, 0, &[("x", Some(&noise(9, 100)))]).unwrap();
    let pruned = head(Id { epoch: 1, number: 0 });
    let bytes = sim.read_raw(pruned.as_str());
    for number in 1..4 {
        publish(&mut writer, number, &[("x", Some(&noise(number, 100)))]).unwrap();
    }
    assert!(!sim.has(pruned.as_str()));
    sim.power_cut();
    sim.write_raw(pruned.as_str(), &bytes);
    let store = sim.store();
    let mut heir = start(&store, 2);
    for _ in 0..2 {
        heir.fall_back(&Held::nothing()).unwrap();
    }
    publish(&mut heir, 5, &[]).unwrap();
    assert_eq!(heads(&store), ["1-1", "2-0"]);
}

#[test]
fn names_with_the_greatest_numbers_are_an_error_and_no_end_of_the_program() {
    on_objects(|store| {
        let look = Checkpoints::open(store.clone());
        for number in [u64::MAX - 1, u64::MAX] {
            let greatest = head(Id { epoch: 1, number });
            store.put(&greatest, "anything".into()).unwrap();
            let owner = Owner { identity: IDENTITY, epoch: 1 };
            let started = Writer::start(look.clone(), owner, small(), &Held::nothing());
            let answer = started.and_then(|(mut writer, _)| writer.draft().map(drop));
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{error}");
            names(&store).iter().for_each(|name| store.remove(name).unwrap());
        }
        for claim in [false, true] {
            let name = match claim {
                true => Name::new(format!("{:020}.epoch", u64::MAX)).unwrap(),
                false => head(Id { epoch: u64::MAX, number: 0 }),
            };
            store.put(&name, "anything".into()).unwrap();
            assert_eq!(Owner::alone(&look).unwrap_err().kind(), Kind::Invalid);
            store.remove(&name).unwrap();
        }
    });
}

/// Publishes a second checkpoint and dies at the n-th operation of it; whether it got so far. Then the power goes.
fn dies_at(sim: &Sim, nth: u64) -> bool {
    let process = sim.process();
    let store = process.store();
    let mut writer = start(&store, 1);
    publish(&mut writer, 1, &[("x", Some(&noise(1, 100)))]).unwrap();
    sim.plan(When::nth(nth), Fault::Crash);
    let told = publish(&mut writer, 2, &[("x", Some(&noise(2, 100)))]);
    sim.power_cut();
    told.is_err()
}

#[test]
fn x10_a_crash_at_any_step_of_publishing_leaves_the_older_checkpoint_or_the_newer_one_whole() {
    let (mut older, mut newer) = (0, 0);
    for nth in 1.. {
        let sim = Sim::growing(nth);
        let died = dies_at(&sim, nth);
        let store = sim.store();
        let found = newest(&store).expect("one of the two");
        let number = found.id().number;
        assert_eq!(read(&store, &found, "x").unwrap(), noise(number + 1, 100), "nth={nth}");
        match (died, number) {
            (true, 0) => older += 1,
            (true, _) => newer += 1,
            (false, number) => {
                assert_eq!(number, 1, "it was told");
                break;
            }
        }
    }
    assert!(older > 3 && newer > 0, "older={older} newer={newer}");
}

#[test]
fn x11_what_is_half_written_is_no_checkpoint_and_the_next_writer_removes_it() {
    for nth in 1.. {
        let sim = Sim::growing(nth);
        if !dies_at(&sim, nth) {
            break;
        }
        let store = sim.store();
        let mut heir = start(&store, 2);
        publish(&mut heir, 3, &[("x", Some(&noise(3, 100)))]).unwrap();
        let kept: Vec<_> = heir.kept().collect();
        assert_eq!(heads(&store).len(), kept.len(), "nth={nth}");
        assert_eq!(
            parts(&store),
            2 * kept.len(),
            "nth={nth}: two parts for each that is kept, and no others"
        );
    }
}

#[test]
fn x12_a_checkpoint_that_could_not_be_put_is_an_error_and_the_older_one_is_what_is_kept() {
    for fault in [Fault::Error, Fault::Full] {
        let sim = Sim::objects(1);
        let store = sim.store();
        let mut writer = start(&store, 1);
        let older = publish(&mut writer, 1, &[("x", Some(b"old"))]).unwrap();
        sim.plan(When::nth(1).of(Op::Put), fault);
        publish(&mut writer, 2, &[("x", Some(b"new"))]).unwrap_err();
        assert_eq!(newest(&store).unwrap().id(), older);
        assert_eq!(
            writer.kept().collect::<Vec<_>>(),
            [older],
            "so cleaning goes by what the older one needs"
        );
    }
}
