//! What every survey so far has shown, and must go on showing.
//!
//! This is no part of any actor: nobody in the protocol knows it. It is written down beside the store so that a state tells
//! by itself whether its history broke a promise.

use crate::scope::Scope;
use crate::state::State;
use crate::survey::{Kind, beginning, walk_with};

/// What the log has been taken to hold at a position: once settled, settled for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settled {
    /// The chain has not come here yet.
    #[default]
    Open,
    /// This epoch's segment of records.
    Records(u8),
    /// This epoch's E.
    First(u8),
    /// Passed over by an E.
    Dead,
    /// Acknowledged once, lost since, and the loss accepted.
    Lost,
}

/// Why a step itself broke a promise: what was settled came out otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// The chain shows something else at a position, or nothing.
    Changed(u8),
    /// Records at a position at which others were acknowledged and lost.
    Reused(u8),
    /// A starter said "damaged", and nothing had rotted.
    SaidDamaged(u8),
}

/// Writes down what the chain now shows, and whether it differs from what it showed before.
///
/// This is the promise that nothing changes once it is settled, checked at every step: the chain may grow at its end and
/// lose what lies below its beginning, and nothing else.
pub(crate) fn settle(scope: &Scope, state: &mut State) {
    let begin = beginning(&state.cells, scope.rules);
    let State { cells, settled, slip, .. } = state;
    let mut note = |position: u8, now: Settled| {
        let was = &mut settled[position as usize];
        match (*was, now) {
            (Settled::Open, _) => *was = now,
            (Settled::Lost, Settled::Records(_)) => *slip = Some(Slip::Reused(position)),
            (Settled::Lost, _) => {}
            _ if *was != now => *slip = Some(Slip::Changed(position)),
            _ => {}
        }
    };
    let walk = walk_with(cells, begin, |place, cell| {
        if cell.kind == Kind::First {
            note(place, Settled::First(cell.epoch));
            (place + 1..cell.next).for_each(|position| note(position, Settled::Dead));
        } else {
            note(place, Settled::Records(cell.epoch));
        }
    });
    let beyond = settled.iter().enumerate().skip(walk.end as usize);
    for (position, was) in beyond {
        if !matches!(was, Settled::Open | Settled::Lost) {
            *slip = Some(Slip::Changed(position as u8));
        }
    }
}
