//! What must hold in every state that can be reached.

use std::fmt;

use crate::scope::{Medium, Scope};
use crate::settled::{Settled, Slip};
use crate::starter::first;
use crate::state::{State, Writer};
use crate::survey::{Cell, Kind, POSITIONS, Verdict, beginning, judge as verdict, walk, walk_with};

/// The promises, by their numbers in the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// P2: the log is a gap-free prefix; what it holds, it holds for ever, less what was retired.
    Prefix,
    /// P4: what a crash explains is never called damaged, and what it does not explain is never called torn.
    TornIsNotDamaged,
    /// P5: what is acknowledged is in the log, and nobody else is told so of the same place.
    OneWriter,
    /// P8 and rule 8: what was answered `Fenced` is not in the log.
    FencedIsNotThere,
    /// A starter alone comes through, and no writer meets at its next name what it can neither own nor yield to.
    NoWedge,
}

/// A promise that does not hold in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub promise: Promise,
    /// What shows it.
    pub because: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {:?}: {}", self.promise, self.because)
    }
}

/// Judges a state.
pub(crate) fn judge(scope: &Scope, state: &State) -> Result<(), Broken> {
    let begin = beginning(&state.cells, scope.rules);
    acknowledged_is_there(scope, state)?;
    fenced_is_not_there(state)?;
    settled_stays(state)?;
    the_beginning_was_decided(state, begin)?;
    if scope.loss.is_none() {
        a_crash_explains_all(scope, state, begin)?;
        rot_is_damage(scope, state, begin)?;
    }
    no_name_is_wedged(scope, state, begin)?;
    a_starter_comes_through(scope, state, begin)
}

fn broken(promise: Promise, because: String) -> Result<(), Broken> {
    Err(Broken { promise, because })
}

/// A loss that nobody has accepted yet leaves a hole, beyond which nothing is settled: that is the loss, and no fault of who
/// acknowledges behind it.
fn acknowledged_is_there(scope: &Scope, state: &State) -> Result<(), Broken> {
    for writer in state.writers.iter().filter(|writer| writer.epoch != 0) {
        let epoch = writer.epoch;
        for position in writer.base..writer.acked {
            let mut others = state.writers.iter().filter(|other| other.epoch != epoch && other.epoch != 0);
            if let Some(other) = others.find(|other| (other.base..other.acked).contains(&position)) {
                let because =
                    format!("epochs {epoch} and {} both acknowledged position {position}", other.epoch);
                return broken(Promise::OneWriter, because);
            }
            let settled = state.settled[position as usize];
            let lost = settled == Settled::Lost || (settled == Settled::Open && scope.loss.is_some());
            if settled != Settled::Records(epoch) && !lost {
                let because =
                    format!("epoch {epoch} acknowledged position {position}, where the log has {settled:?}");
                return broken(Promise::OneWriter, because);
            }
        }
    }
    Ok(())
}

fn fenced_is_not_there(state: &State) -> Result<(), Broken> {
    for Writer { epoch, fenced_from, fenced_to, .. } in state.writers {
        let mut fenced = fenced_from..fenced_to.max(fenced_from);
        if let Some(position) = fenced.find(|&at| state.settled[at as usize] == Settled::Records(epoch)) {
            let because =
                format!("epoch {epoch} answered Fenced for position {position}, and the log has it");
            return broken(Promise::FencedIsNotThere, because);
        }
    }
    Ok(())
}

fn settled_stays(state: &State) -> Result<(), Broken> {
    match state.slip {
        None => Ok(()),
        Some(Slip::Changed(at)) => {
            let was = state.settled[at as usize];
            broken(Promise::Prefix, format!("the log had {was:?} at position {at}, and now has not"))
        }
        Some(Slip::Reused(at)) => {
            broken(Promise::OneWriter, format!("position {at} was acknowledged, lost, and given away again"))
        }
        Some(Slip::SaidDamaged(h)) => broken(
            Promise::TornIsNotDamaged,
            format!("a starter said damaged at H={h}, and nothing had rotted"),
        ),
    }
}

/// Only a mark that is in the log, or may still come to be, moves the log's beginning: whoever was told `Fenced` of its mark
/// finds nothing retired.
fn the_beginning_was_decided(state: &State, begin: u8) -> Result<(), Broken> {
    let decides = |writer: &Writer| {
        let at = writer.mark_at;
        let settled = state.settled[at as usize];
        let stands = settled == Settled::Records(writer.epoch) || settled == Settled::Open;
        at != 0 && writer.put_at(at).mark == begin && stands
    };
    if begin == 0 || state.writers.iter().any(decides) {
        return Ok(());
    }
    broken(Promise::Prefix, format!("the log begins at {begin}, and no mark in it says so"))
}

/// The greatest position that anyone was promised.
fn promised(state: &State) -> u8 {
    state
        .writers
        .iter()
        .filter(|writer| writer.acked > writer.base)
        .map(|writer| writer.acked)
        .max()
        .unwrap_or(0)
}

fn a_crash_explains_all(scope: &Scope, state: &State, begin: u8) -> Result<(), Broken> {
    let h = walk(&state.cells, begin).end;
    match verdict(&state.cells, h, scope.given(promised(state))) {
        Verdict::Torn => Ok(()),
        Verdict::Damaged => broken(
            Promise::TornIsNotDamaged,
            format!("a survey from {begin} says damaged at H={h}, and nothing had rotted"),
        ),
    }
}

/// Rots, one after another, every acknowledged group that a later link of the chain vouches for. Nobody hands a promise to
/// the judge: what lies in the store must do.
fn rot_is_damage(scope: &Scope, state: &State, begin: u8) -> Result<(), Broken> {
    let mut vouched = 0;
    walk_with(&state.cells, begin, |_, cell| vouched = vouched.max(cell.acked));
    let mut groups = [0_u8; POSITIONS];
    let mut count = 0;
    walk_with(&state.cells, begin, |place, cell| {
        if place < vouched && matches!(cell.kind, Kind::Group | Kind::Mark) {
            groups[count] = place;
            count += 1;
        }
    });
    for &place in &groups[..count] {
        for kind in [Kind::Absent, Kind::Spoilt] {
            let mut cells = state.cells;
            cells[place as usize] = Cell { kind, ..Cell::default() };
            let begin = beginning(&cells, scope.rules);
            let h = walk(&cells, begin).end;
            if verdict(&cells, h, scope.given(0)) == Verdict::Torn {
                let because =
                    format!("position {place} rotted, and a survey from {begin} says torn at H={h}");
                return broken(Promise::TornIsNotDamaged, because);
            }
        }
    }
    Ok(())
}

/// A writer whose put is refused must find itself or a newer epoch's E, if its name was not retired meanwhile.
fn no_name_is_wedged(scope: &Scope, state: &State, begin: u8) -> Result<(), Broken> {
    for writer in state.writers.iter().filter(|writer| writer.epoch != 0) {
        for position in writer.acked.max(begin)..writer.waiting_to() {
            let there = &state.cells[position as usize];
            let put = writer.put_at(position);
            let named = scope.whole() || put.kind == Kind::Header;
            let yields = matches!(there.kind, Kind::First | Kind::Bare) && there.epoch > writer.epoch;
            if named && scope.taken(&state.cells, position) && there.epoch != writer.epoch && !yields {
                let Cell { kind, epoch: theirs, .. } = there;
                let because = format!(
                    "epoch {} needs the name {position}, which a {kind:?} of epoch {theirs} holds for ever",
                    writer.epoch
                );
                return broken(Promise::NoWedge, because);
            }
        }
    }
    Ok(())
}

/// Everyone else sleeps for ever and nothing more lands: a fresh starter takes over and has one group acknowledged.
fn a_starter_comes_through(scope: &Scope, state: &State, begin: u8) -> Result<(), Broken> {
    let epoch = state.claims + 1;
    let mut cells = state.cells;
    let h = walk(&cells, begin).end;
    let stuck = |name: u8, cells: &[Cell; POSITIONS]| {
        let Cell { kind, epoch, .. } = cells[name as usize];
        broken(
            Promise::NoWedge,
            format!("a starter alone needs the name {name}, which a {kind:?} of epoch {epoch} holds"),
        )
    };
    // A file without a header is moved out of the way; any other that holds the name is there to stay.
    if scope.taken(&cells, h) && cells[h as usize].kind != Kind::Bare {
        return stuck(h, &cells);
    }
    cells[h as usize] = first(scope, &cells, epoch, begin, h);
    let base = cells[h as usize].next;
    if walk(&cells, begin).end != base {
        return broken(
            Promise::NoWedge,
            format!("a starter alone put E at {h}, and the chain does not end with it"),
        );
    }
    let kinds: &[Kind] =
        if scope.medium == Medium::Object { &[Kind::Group] } else { &[Kind::Header, Kind::Group] };
    for (at, &kind) in (base..).zip(kinds) {
        if (at == base || kind == Kind::Header) && scope.taken(&cells, at) {
            return stuck(at, &cells);
        }
        cells[at as usize] = Cell { kind, epoch, next: at + 1, acked: at, begin, mark: 0 };
    }
    let end = base + kinds.len() as u8;
    if walk(&cells, beginning(&cells, scope.rules)).end != end {
        return broken(
            Promise::NoWedge,
            format!("a starter alone put a group at {base}, and the chain ends before it"),
        );
    }
    Ok(())
}
