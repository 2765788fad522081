//! What may be removed, and what goes with it.

use crate::rules::Rule;
use crate::scope::{Medium, Scope};
use crate::settled::Settled;
use crate::state::State;
use crate::survey::{Cell, Kind};

/// Whether somebody may remove this name now. Removals are on their way as long as puts are, so whoever may once remove a
/// name may do so ever after, and may hit what has taken the name since.
pub(crate) fn removable(scope: &Scope, state: &State, position: u8) -> bool {
    let cell = &state.cells[position as usize];
    let settled = state.settled[position as usize];
    let retired = position < state.retired_to();
    match cell.kind {
        Kind::Absent => false,
        Kind::First => {
            let late = retired && matches!(settled, Settled::Records(_));
            let kept = scope.has(Rule::RetiringKeepsFirsts) && scope.medium != Medium::Lock;
            let older = state.writers.iter().any(|writer| writer.epoch > cell.epoch);
            let swept = scope.sweeps && older && !scope.has(Rule::SweepKeepsFirsts);
            late || (retired && !kept) || swept
        }
        _ if scope.whole() => {
            let passed = state.writers.iter().any(|writer| writer.epoch != 0 && writer.base > position);
            retired || (scope.sweeps && passed && settled == Settled::Dead)
        }
        Kind::Header => retired && extent(scope, state, position) <= state.retired_to(),
        _ => false,
    }
}

/// Where the live part of a file ends: at the next file, or at its own end.
fn extent(scope: &Scope, state: &State, name: u8) -> u8 {
    let whole = name + scope.segment_groups + 2;
    (name + 1..whole).find(|&at| state.cells[at as usize].names_a_file()).unwrap_or(whole)
}

/// A file goes with all that lies in it; an object is all that its name holds.
pub(crate) fn remove(scope: &Scope, state: &mut State, name: u8) {
    let removed = state.cells[name as usize];
    let end = if removed.kind == Kind::Header { extent(scope, state, name) } else { name + 1 };
    for position in name..end {
        let cell = &mut state.cells[position as usize];
        if cell.epoch == removed.epoch {
            *cell = Cell::default();
        }
    }
    state.open &= !(1 << name);
}
