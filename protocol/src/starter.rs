//! What a starter does: claim a number, survey, put E, survey again, go on.

use crate::model::Step;
use crate::rules::Rule;
use crate::scope::{Medium, Scope};
use crate::settled::Slip;
use crate::state::{CLAIMS_MAX, NOWHERE, Phase, Put, Starter, State};
use crate::survey::{
    Cell, Cells, Kind, Verdict, beginning, end_of_verified, greatest_epoch, judge, walk, walk_with,
};
use crate::writer;

/// It does nothing more.
pub(crate) fn stop(starter: &mut Starter) {
    starter.phase = Phase::Stopped;
}

/// What a starter may do next, and what may become of its E's.
pub(crate) fn steps(scope: &Scope, state: &State, actor: usize, steps: &mut Vec<Step>) {
    let starter = &state.starters[actor];
    let locked_out = scope.medium == Medium::Lock && state.owner != actor as u8;
    let newest_is_open =
        scope.medium == Medium::Lease && state.newest_file().is_some_and(|name| state.is_open(name));
    match starter.phase {
        Phase::Unnumbered => {
            // Two starters that have not begun are alike: the first to begin is called S1.
            let in_turn = actor == 1 || state.starters[actor - 1].claims > 0;
            let lock_is_free = state.owner == NOWHERE || !locked_out;
            if in_turn && lock_is_free && starter.claims < scope.claims_each {
                steps.push(Step::Claim(actor));
            }
        }
        Phase::Claimed if newest_is_open => steps.push(Step::Recover(actor)),
        Phase::Begun if newest_is_open && scope.has(Rule::WalksClosedFiles) => {
            steps.push(Step::Recover(actor))
        }
        Phase::Claimed => steps.push(if scope.paged { Step::LookUp(actor) } else { Step::Decide(actor) }),
        Phase::Begun => steps.push(Step::WalkChain(actor)),
        Phase::Walked => steps.push(Step::Decide(actor)),
        Phase::Moving => steps.push(Step::MoveAside(actor)),
        Phase::Putting => steps.push(Step::LearnFate(actor)),
        Phase::Confirming => steps.push(Step::Confirm(actor)),
        Phase::Started | Phase::Stopped => {}
    }
    for (attempt, put) in starter.firsts.iter().enumerate() {
        let sent = put.cell.kind != Kind::Absent;
        let waits = starter.phase == Phase::Moving && put.cell.epoch == starter.epoch;
        let again = put.landed && !scope.whole();
        if sent && !waits && !again && !locked_out && !scope.taken(&state.cells, put.place) {
            steps.push(Step::LandFirst(actor, attempt));
        }
    }
    let alive = starter.phase != Phase::Stopped && starter.phase != Phase::Started;
    if scope.medium == Medium::Lock && state.owner == actor as u8 && alive {
        steps.push(Step::Die(actor));
    }
}

/// Carries one of these steps out.
pub(crate) fn take(scope: &Scope, state: &mut State, step: Step) {
    match step {
        Step::Claim(actor) => {
            state.claims += 1;
            let starter = &mut state.starters[actor];
            starter.epoch = state.claims;
            starter.claims += 1;
            starter.phase = Phase::Claimed;
            if scope.medium == Medium::Lock {
                state.owner = actor as u8;
            }
        }
        Step::Recover(actor) => {
            state.starters[actor].phase = Phase::Claimed;
            state.starters[actor].begin = 0;
            let newest = state.newest_file().expect("a lease is taken from a file");
            state.open &= !(1 << newest);
        }
        Step::LookUp(actor) => {
            state.starters[actor].begin = beginning(&state.cells, scope.rules);
            state.starters[actor].phase = Phase::Begun;
        }
        Step::WalkChain(actor) => {
            state.starters[actor].h = walk(&state.cells, state.starters[actor].begin).end;
            state.starters[actor].phase = Phase::Walked;
        }
        Step::Decide(actor) => decide(scope, state, actor),
        Step::MoveAside(actor) => {
            let starter = &mut state.starters[actor];
            let place = starter.firsts[usize::from(starter.claims) - 1].place;
            state.cells[place as usize] = Cell::default();
            state.open &= !(1 << place);
            starter.phase = Phase::Putting;
        }
        Step::LandFirst(actor, attempt) => land_first(scope, state, actor, attempt),
        Step::LearnFate(actor) => learn_fate(scope, state, actor),
        Step::Confirm(actor) => confirm(scope, state, actor),
        _ => unreachable!("no step of a starter"),
    }
}

/// The survey has come to its end: judge it, and send E on its way.
fn decide(scope: &Scope, state: &mut State, actor: usize) {
    let starter = &mut state.starters[actor];
    if !scope.paged {
        starter.begin = beginning(&state.cells, scope.rules);
        starter.h = walk(&state.cells, starter.begin).end;
    }
    let (begin, h, epoch) = (starter.begin, starter.h, starter.epoch);
    (starter.begin, starter.h) = (0, 0);

    if scope.has(Rule::NewNumberWhenOvertaken) && greatest_epoch(&state.cells) >= epoch {
        starter.phase = Phase::Unnumbered;
        return;
    }
    let moved = beginning(&state.cells, scope.rules) != begin;
    if moved && scope.has(Rule::SameBeginningAfterTheWalk) {
        starter.phase = Phase::Claimed;
        return;
    }
    if scope.loss.is_none() && judge(&state.cells, h, scope.given(scope.at_least)) == Verdict::Damaged {
        if (moved || state.cells[h as usize].verifies()) && scope.has(Rule::ReadAgainBeforeDamaged) {
            starter.phase = Phase::Claimed;
        } else {
            state.slip = Some(Slip::SaidDamaged(h));
        }
        return;
    }
    let bare = state.cells[h as usize].kind == Kind::Bare;
    starter.phase = if bare { Phase::Moving } else { Phase::Putting };
    let cell = first(scope, &state.cells, epoch, begin, h);
    starter.firsts[usize::from(starter.claims) - 1] = Put { cell, place: h, landed: false };
}

/// E: it begins an epoch at H and says where that epoch's next segment begins.
pub(crate) fn first(scope: &Scope, cells: &Cells, epoch: u8, begin: u8, h: u8) -> Cell {
    let mut clear = h;
    if scope.has(Rule::NextClearsPromise) {
        clear = clear.max(scope.at_least);
    }
    if scope.has(Rule::NextClearsVerified) {
        clear = clear.max(end_of_verified(cells, begin));
    }
    // Without the rule, E takes its own place and no more, so that the chain goes on right behind it.
    let next = if scope.has(Rule::NextClearsFlight) { clear + scope.flight } else { clear.max(h + 1) };
    Cell { kind: Kind::First, epoch, next, acked: h, begin, mark: 0 }
}

fn land_first(scope: &Scope, state: &mut State, actor: usize, attempt: usize) {
    let put = &mut state.starters[actor].firsts[attempt];
    let mut cell = put.cell;
    if scope.medium == Medium::Lease && !scope.has(Rule::NamedWithHeader) {
        cell.kind = Kind::Bare;
        state.open |= 1 << put.place;
    }
    put.landed = true;
    state.cells[put.place as usize] = cell;
}

/// A file created before under its name alone gets its header.
pub(crate) fn write_header(state: &mut State, position: u8) {
    let bare = state.cells[position as usize];
    let firsts = state.starters.iter().flat_map(|starter| &starter.firsts);
    for put in firsts.filter(|put| put.cell.epoch == bare.epoch && put.place == position) {
        state.cells[position as usize] = put.cell;
        state.open &= !(1 << position);
    }
}

/// The put is answered, or it is not and the name is read. Whoever reads nothing there begins again, though its E may land
/// later.
fn learn_fate(scope: &Scope, state: &mut State, actor: usize) {
    let starter = &mut state.starters[actor];
    let put = &starter.firsts[usize::from(starter.claims) - 1];
    let there = &state.cells[put.place as usize];
    let bare = there.kind == Kind::Bare && there.epoch == starter.epoch;
    let landed = if scope.has(Rule::NamedWithHeader) { put.landed } else { put.landed && !bare };
    starter.phase = if landed { Phase::Confirming } else { Phase::Unnumbered };
    debug_assert!(usize::from(starter.claims) <= CLAIMS_MAX);
}

/// E was put. It has decided only if it is a link of the chain, and this starter goes on only if it is the last one.
fn confirm(scope: &Scope, state: &mut State, actor: usize) {
    let starter = &mut state.starters[actor];
    let Put { cell, place, .. } = starter.firsts[usize::from(starter.claims) - 1];
    let mut from = beginning(&state.cells, scope.rules);
    if !scope.has(Rule::ConfirmFromTheBeginning) {
        from = place;
    }
    let mut linked = false;
    let walked = walk_with(&state.cells, from, |at, link| linked |= at == place && link.epoch == cell.epoch);
    starter.phase = match linked {
        true if walked.end == cell.next => Phase::Started,
        _ if !scope.has(Rule::OnlyTheEndGoesOn) => Phase::Started,
        true => Phase::Stopped,
        false => Phase::Unnumbered,
    };
    if starter.phase == Phase::Started {
        writer::start(state, actor, cell.epoch, cell.next, cell.begin);
    }
}
