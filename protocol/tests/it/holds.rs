//! The whole protocol, over every interleaving.

use headwater_protocol::check::check;
use headwater_protocol::scope::Scope;

use crate::{
    LEASES, LEASES_RETIRED, LOCKED, MIDDLE_LOST, OBJECTS, OBJECTS_HEIRS, OBJECTS_RETIRED,
    OBJECTS_RETIRED_PAGED, OBJECTS_RETIRING_PAGED, TAIL_LOST, alone,
};

/// The floor keeps a world from shrinking unseen: a step that can no longer happen would let everything hold.
fn holds(name: &str, scope: Scope, states_floor: usize) {
    let _alone = alone();
    let report = check(&scope);
    println!("{name}: states={} steps={} depth={}", report.states, report.steps, report.depth);
    if let Some(counterexample) = report.counterexample {
        panic!("{name}:\n{counterexample}");
    }
    assert!(report.states >= states_floor, "{name}: states={} floor={states_floor}", report.states);
}

#[test]
fn objects_with_three_groups_in_flight_and_two_starters() {
    holds("objects", OBJECTS, 2_800_000);
}

#[test]
fn objects_with_heirs_that_have_several_groups_in_flight_and_are_replaced() {
    holds("objects, heirs", OBJECTS_HEIRS, 540_000);
    holds("objects, heirs, retired", Scope { heirs_retire: true, heir_hands: 2, ..OBJECTS_HEIRS }, 550_000);
}

#[test]
fn objects_with_a_zombie_whose_names_were_retired_and_swept() {
    holds("objects, retired", OBJECTS_RETIRED, 1_600_000);
}

#[test]
fn objects_with_retiring_heirs_beside_surveys_that_take_their_time() {
    holds("objects, retired, paged", OBJECTS_RETIRED_PAGED, 4_100_000);
}

#[test]
fn objects_with_a_retiring_old_writer_beside_surveys_that_take_their_time() {
    holds("objects, retiring, paged", OBJECTS_RETIRING_PAGED, 3_200_000);
}

#[test]
fn leases_with_three_groups_in_flight_and_a_roll() {
    holds("leases", LEASES, 1_900_000);
}

#[test]
fn leases_with_retiring_heirs_beside_surveys_that_take_their_time() {
    holds("leases, retired, paged", LEASES_RETIRED, 2_400_000);
}

#[test]
fn the_lock_under_which_even_the_first_segments_of_epochs_are_retired() {
    holds("lock", LOCKED, 2_000_000);
}

#[test]
fn an_accepted_loss_of_the_tail() {
    holds("tail lost", TAIL_LOST, 6_000);
}

#[test]
fn an_accepted_loss_in_the_middle() {
    holds("middle lost", MIDDLE_LOST, 6_000);
}

#[test]
#[ignore = "twenty million states: about a minute and a gigabyte"]
fn objects_with_three_groups_in_flight_and_everything_retired_and_swept() {
    holds("objects, all at once", Scope { old_hands: 3, ..OBJECTS_RETIRED }, 19_900_000);
}
