//! The worlds are about something: what a reader would look for in them does happen.

use headwater_protocol::check::{Model, check};
use headwater_protocol::model::Step;
use headwater_protocol::scope::Scope;
use headwater_protocol::settled::Settled;
use headwater_protocol::state::{NOWHERE, Phase, State, Z};
use headwater_protocol::survey::Kind;

use crate::{LEASES, OBJECTS, OBJECTS_RETIRED, alone};

/// A world in which coming to a given state counts as broken, so that its history is told.
struct Reaches {
    scope: Scope,
    goal: fn(&State) -> bool,
}

impl Model for Reaches {
    type State = State;
    type Step = Step;
    type Broken = &'static str;

    fn begin(&self) -> State {
        self.scope.begin()
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.scope.steps(state, steps);
    }

    fn take(&self, state: &State, step: Step) -> State {
        self.scope.take(state, step)
    }

    fn judge(&self, state: &State) -> Result<(), &'static str> {
        if (self.goal)(state) { Err("reached") } else { Ok(()) }
    }

    fn fingerprint(&self, state: &State) -> u64 {
        self.scope.fingerprint(state)
    }

    fn tell(&self, before: &State, step: Step, after: &State) -> String {
        self.scope.tell(before, step, after)
    }
}

fn reaches(scope: Scope, goal: fn(&State) -> bool) {
    let _alone = alone();
    let report = check(&Reaches { scope, goal });
    println!("{}", report.counterexample.expect("no history leads there"));
}

/// Z gave up on all its tickets, and an epoch has begun since: how was the lowest of them settled?
fn unknown_came_out(state: &State) -> Option<Settled> {
    let z = &state.writers[Z];
    let unknown = z.cut == z.acked && z.acked < z.handed && z.fenced_from == NOWHERE;
    let begun = state.settled[1..].iter().any(|settled| matches!(settled, Settled::First(_)));
    (unknown && begun).then_some(state.settled[z.acked as usize])
}

#[test]
fn three_writers_in_a_row_acknowledge() {
    let goal = |state: &State| state.writers.iter().all(|writer| writer.acked > writer.base);
    reaches(OBJECTS, goal);
}

#[test]
fn what_was_answered_unknown_is_in_the_log() {
    reaches(OBJECTS, |state| unknown_came_out(state) == Some(Settled::Records(1)));
    reaches(LEASES, |state| unknown_came_out(state) == Some(Settled::Records(1)));
}

#[test]
fn what_was_answered_unknown_is_not_in_the_log() {
    reaches(OBJECTS, |state| matches!(unknown_came_out(state), Some(Settled::First(_))));
    reaches(LEASES, |state| matches!(unknown_came_out(state), Some(Settled::First(_))));
}

#[test]
fn a_put_lands_behind_the_cut() {
    let goal = |state: &State| {
        let mut lying = state.cells.iter().zip(state.settled);
        lying.any(|(cell, settled)| cell.kind == Kind::Group && settled == Settled::Dead)
    };
    reaches(OBJECTS, goal);
}

#[test]
fn an_e_lands_in_a_hole_below_the_beginning() {
    let goal = |state: &State| {
        let mut lying = state.cells.iter().zip(state.settled);
        lying.any(|(cell, settled)| cell.kind == Kind::First && matches!(settled, Settled::Records(_)))
    };
    reaches(OBJECTS_RETIRED, goal);
}

#[test]
fn a_starter_is_fenced_by_the_next_before_its_first_group() {
    let goal = |state: &State| state.starters[1].phase == Phase::Stopped;
    reaches(OBJECTS, goal);
    reaches(LEASES, goal);
}
