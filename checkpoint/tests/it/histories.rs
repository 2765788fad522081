//! Histories in which an earlier version kept what it should not have.

use headwater_checkpoint::{Held, Id};
use headwater_wal::store::sim::Sim;

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
