//! Without any one rule the protocol fails, and the history found is the one that the rule answers.

use headwater_protocol::check::check;
use headwater_protocol::promises::Promise;
use headwater_protocol::rules::Rule;
use headwater_protocol::scope::{Loss, Scope};

use crate::{
    LEASES, LEASES_RETIRED, MIDDLE_LOST, OBJECTS, OBJECTS_RETIRED, OBJECTS_RETIRING_PAGED, TAIL_LOST, alone,
};

/// Takes a rule away and expects a promise to break, by a history in which all of this is told.
fn fails(scope: Scope, rule: Rule, promise: Promise, told: &[&str]) {
    let _alone = alone();
    let report = check(&Scope { rules: scope.rules.without(rule), ..scope });
    let counterexample = report.counterexample.unwrap_or_else(|| panic!("all holds without {rule:?}"));
    println!("without {rule:?}, after states={}:\n{counterexample}", report.states);
    assert_eq!(counterexample.broken.promise, promise);
    let history = counterexample.to_string();
    for told in told {
        assert!(history.contains(told), "not in the history: {told}");
    }
}

/// S1 claims 2 and sleeps; S2 claims 3 and starts. E(2), put where that chain ends, is dead and holds the name for ever.
#[test]
fn rule_1_a_starter_that_was_overtaken_puts_under_its_old_number() {
    let told = [
        "S1 claims 2",
        "S2's E(3) lands at 1",
        "S1's E(2) lands at 4",
        "the name 4, which a First of epoch 2",
    ];
    fails(OBJECTS, Rule::NewNumberWhenOvertaken, Promise::NoWedge, &told);
    fails(LEASES, Rule::NewNumberWhenOvertaken, Promise::NoWedge, &["which a First of epoch 2 holds"]);
}

/// The heir's E is retired, and Z wakes: its next name is free again.
#[test]
fn rule_2_retiring_removes_the_first_segment_of_an_epoch() {
    let told = ["1 is removed", "Z's put lands at 1", "Z acknowledges 1", "epoch 1 acknowledged position 1"];
    fails(OBJECTS_RETIRED, Rule::RetiringKeepsFirsts, Promise::OneWriter, &told);
    fails(
        LEASES_RETIRED,
        Rule::RetiringKeepsFirsts,
        Promise::OneWriter,
        &["is removed", "where the log has First"],
    );
}

/// Two starters in a row: the first one's E is a link of the chain, not litter.
#[test]
fn rule_2_the_sweep_removes_the_first_segment_of_an_epoch() {
    fails(OBJECTS_RETIRED, Rule::SweepKeepsFirsts, Promise::Prefix, &["it is Started", "is removed"]);
}

/// S2's E lands in a hole below the beginning, and S2 takes itself for the writer.
#[test]
fn rule_2_a_starter_whose_e_does_not_end_the_chain_goes_on() {
    let told = ["acknowledges", "is removed", "it is Started", "for ever"];
    fails(OBJECTS_RETIRED, Rule::OnlyTheEndGoesOn, Promise::NoWedge, &told);
}

#[test]
fn rule_2_a_starter_surveys_again_from_h_alone() {
    let told = ["1 is removed", "S2's E(3) lands at 1", "S2 surveys again: it is Started"];
    fails(OBJECTS_RETIRED, Rule::ConfirmFromTheBeginning, Promise::NoWedge, &told);
    fails(LEASES_RETIRED, Rule::ConfirmFromTheBeginning, Promise::NoWedge, &["is removed", "it is Started"]);
}

/// What Z had in flight lands behind the cut, at the name that the heir needs.
#[test]
fn rule_3_the_next_base_does_not_clear_what_was_in_flight() {
    fails(
        OBJECTS,
        Rule::NextClearsFlight,
        Promise::NoWedge,
        &["Z's put lands at 2", "a Group of epoch 1 holds"],
    );
}

/// A checkpoint's position lies beyond the new epoch's first records.
#[test]
fn rule_3_the_next_base_does_not_clear_the_callers_promise() {
    let told = ["position 5 was acknowledged, lost, and given away again"];
    fails(TAIL_LOST, Rule::NextClearsPromise, Promise::OneWriter, &told);
}

#[test]
fn rule_3_the_next_base_does_not_clear_what_verified() {
    fails(
        MIDDLE_LOST,
        Rule::NextClearsVerified,
        Promise::NoWedge,
        &["the name 5, which a Group of epoch 1 holds"],
    );
}

/// Two starters see the same file without a header, and the slower one moves the faster one's E aside.
#[test]
fn rule_4_under_leases_a_file_has_its_name_before_its_header() {
    let told = ["S1 moves 2 aside", "gets its header", "S2 moves 2 aside"];
    fails(Scope { paged: false, ..LEASES_RETIRED }, Rule::NamedWithHeader, Promise::Prefix, &told);
}

/// The append succeeds after the lease was taken away.
#[test]
fn rule_7_a_closed_file_is_opened_for_append_again() {
    let told = ["S1 takes the newest file's lease away", "Z opens its closed file for append"];
    fails(LEASES, Rule::ClosedStaysClosed, Promise::Prefix, &told);
}

/// The file was made, counted, and retired; made again, it takes what its heir's E has cut off.
#[test]
fn rule_7_under_leases_a_writer_asks_twice_for_the_name_of_a_file() {
    let told = ["4 is removed", "Z's put lands at 4 once more", "epoch 1 acknowledged position 5"];
    fails(LEASES_RETIRED, Rule::NamedOnce, Promise::OneWriter, &told);
}

#[test]
fn rule_8_an_e_at_one_name_fences_the_tickets_before_it() {
    let told = ["Z's put lands at 1", "Z reads E(2) at 2, answers Fenced for 1..3"];
    fails(OBJECTS, Rule::FencedFromTheFirst, Promise::FencedIsNotThere, &told);
    fails(LEASES, Rule::FencedFromTheFirst, Promise::FencedIsNotThere, &["answers Fenced for 2..4"]);
}

#[test]
fn rule_8_a_claim_fences_what_is_in_flight() {
    let told = ["Z sees that 2 was claimed, answers Fenced"];
    fails(OBJECTS, Rule::ClaimFencesNothing, Promise::FencedIsNotThere, &told);
    fails(LEASES, Rule::ClaimFencesNothing, Promise::FencedIsNotThere, &told);
}

/// Z's group was in the log and was retired; an E that is no link has taken its name since.
#[test]
fn rule_8_an_e_below_the_beginning_fences() {
    let told = ["1 is removed", "S1's E(2) lands at 1", "Z reads E(2) at 1, answers Fenced"];
    fails(OBJECTS_RETIRED, Rule::FencedAboveTheBeginning, Promise::FencedIsNotThere, &told);
    fails(LEASES_RETIRED, Rule::FencedAboveTheBeginning, Promise::FencedIsNotThere, &["is removed"]);
}

/// The mark was acknowledged and the names are gone before any header says so.
#[test]
fn the_judge_waits_for_a_header_to_state_the_beginning() {
    fails(OBJECTS_RETIRED, Rule::ReachedMarkCounts, Promise::Prefix, &["a retire mark", "is removed"]);
}

#[test]
fn the_judge_counts_a_mark_that_is_dead() {
    fails(OBJECTS_RETIRING_PAGED, Rule::OnlyReachedMarkCounts, Promise::Prefix, &["no mark in it says so"]);
}

/// The names below the mark go while a starter is about to walk over them.
#[test]
fn the_survey_does_not_look_the_beginning_up_again_after_the_walk() {
    let told = ["is removed", "walks the chain"];
    fails(OBJECTS_RETIRING_PAGED, Rule::SameBeginningAfterTheWalk, Promise::TornIsNotDamaged, &told);
}

/// The walk came through a file whose lease nobody had taken yet, and which grew before E was put.
#[test]
fn under_leases_the_survey_walks_a_file_that_is_still_open() {
    fails(LEASES_RETIRED, Rule::WalksClosedFiles, Promise::Prefix, &["walks the chain", "now has not"]);
}

/// The old writer goes on between the walk to H and the look at what lies beyond.
#[test]
fn a_starter_says_damaged_without_reading_h_again() {
    let told = ["Z acknowledges 1", "a starter said damaged at H=1"];
    fails(OBJECTS_RETIRING_PAGED, Rule::ReadAgainBeforeDamaged, Promise::TornIsNotDamaged, &told);
}

/// Not a rule taken away but a limit of them all: E is put where the log was cut short, not where Z goes on, so it stops
/// nobody. Whoever accepts a loss has to know that the old writer has ended.
#[test]
fn an_accepted_loss_does_not_fence_an_old_writer_that_still_writes() {
    let _alone = alone();
    let loss = Loss { written_to: 6, from: 2, to: 6, old_is_gone: false };
    let report = check(&Scope { old_hands: 6, loss: Some(loss), ..TAIL_LOST });
    let counterexample = report.counterexample.expect("the old writer is stopped");
    println!("{counterexample}");
    assert_eq!(counterexample.broken.promise, Promise::OneWriter);
    assert!(counterexample.to_string().contains("epoch 1 acknowledged position 6, where the log has Dead"));
}
