//! The protocol as a model: how a world begins, and what may happen next in it.

use crate::check::Model;
use crate::promises::{self, Broken};
use crate::retire::{removable, remove};
use crate::rules::Rule;
use crate::scope::{Loss, Medium, Scope};
use crate::settled::{Settled, settle};
use crate::starter;
use crate::state::{ACTORS, NOWHERE, State, Z};
use crate::survey::{Cell, Kind, POSITIONS};
use crate::tell::tell;
use crate::writer;

/// One thing that may happen next. `usize` names the actor, `u8` a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A writer hands its next group, header or footer to the store.
    HandOver(usize),
    /// A writer hands over a retire mark.
    HandOverMark(usize),
    /// A put of a writer lands, or lands again.
    Land(usize, u8),
    /// A created file gets its header.
    WriteHeader(u8),
    /// A writer learns that the lowest of its waiting puts has landed, and acknowledges it.
    Acknowledge(usize),
    /// A writer gives up waiting: `Unknown` for all that waits.
    GiveUp(usize),
    /// A writer reads an E of a newer epoch at one of its own names.
    ReadFirst(usize, u8),
    /// A writer sees that a newer number was claimed and answers `Fenced`, which it must not.
    SeeClaim(usize),
    /// A writer opens its closed file for append, which it must not.
    Reopen(usize),
    /// A process ends, and its lock with it.
    Die(usize),
    /// A name, retired or dead, is removed.
    Remove(u8),
    /// A starter claims a number.
    Claim(usize),
    /// A starter takes the newest file's lease away.
    Recover(usize),
    /// A starter looks up the log's beginning.
    LookUp(usize),
    /// A starter walks the chain to its end.
    WalkChain(usize),
    /// A starter judges, and sends its E on its way.
    Decide(usize),
    /// A starter moves a file without a header out of the way.
    MoveAside(usize),
    /// An E lands; the last is the number of the attempt.
    LandFirst(usize, usize),
    /// A starter learns what became of its E.
    LearnFate(usize),
    /// A starter surveys again.
    Confirm(usize),
}

impl Step {
    /// Whether a survey may show something new after it.
    fn changes_the_store(self) -> bool {
        use Step::{Land, LandFirst, MoveAside, Remove, WriteHeader};
        matches!(self, Land(..) | LandFirst(..) | MoveAside(_) | Remove(_) | WriteHeader(_))
    }
}

impl Model for Scope {
    type State = State;
    type Step = Step;
    type Broken = Broken;

    /// An epoch has begun, on growing media its first segment of records also, and nothing else has happened yet.
    fn begin(&self) -> State {
        let mut state = State { claims: 1, ..State::new() };
        state.cells[0] = Cell { kind: Kind::First, epoch: 1, next: 1, ..Cell::default() };
        writer::start(&mut state, Z, 1, 1, 0);
        if self.medium == Medium::Lock {
            state.owner = Z as u8;
        }
        if !self.whole() {
            state = [Step::HandOver(Z), Step::Land(Z, 1)]
                .iter()
                .fold(state, |state, step| self.step(state, *step));
            if !self.has(Rule::NamedWithHeader) {
                state = self.step(state, Step::WriteHeader(1));
            }
            state = self.step(state, Step::Acknowledge(Z));
        }
        if let Some(loss) = self.loss {
            state = self.lose(state, loss);
        }
        settle(self, &mut state);
        state
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        // Nothing follows a promise broken.
        if state.slip.is_some() {
            return;
        }
        for actor in 0..ACTORS {
            writer::steps(self, state, actor, steps);
        }
        for actor in 1..=usize::from(self.starters) {
            starter::steps(self, state, actor, steps);
        }
        for position in 0..POSITIONS as u8 {
            let cell = &state.cells[position as usize];
            if cell.kind == Kind::Bare && state.is_open(position) {
                steps.push(Step::WriteHeader(position));
            }
            if removable(self, state, position) {
                steps.push(Step::Remove(position));
            }
        }
    }

    fn take(&self, state: &State, step: Step) -> State {
        let mut after = self.step(*state, step);
        if step.changes_the_store() {
            settle(self, &mut after);
        }
        after
    }

    fn judge(&self, state: &State) -> Result<(), Broken> {
        promises::judge(self, state)
    }

    fn fingerprint(&self, state: &State) -> u64 {
        state.fingerprint()
    }

    fn tell(&self, before: &State, step: Step, after: &State) -> String {
        tell(before, step, after)
    }
}

impl Scope {
    /// What lies behind the first lost position was acknowledged too, and is given up with it.
    fn lose(&self, mut state: State, loss: Loss) -> State {
        for position in 1..loss.written_to {
            let steps = [Step::HandOver(Z), Step::Land(Z, position), Step::Acknowledge(Z)];
            state = steps.iter().fold(state, |state, step| self.step(state, *step));
        }
        state.settled[loss.from as usize..loss.written_to as usize].fill(Settled::Lost);
        state.cells[loss.from as usize..loss.to as usize].fill(Cell::default());
        if loss.old_is_gone {
            writer::stop(&mut state.writers[Z]);
        }
        state
    }

    fn step(&self, mut state: State, step: Step) -> State {
        match step {
            Step::Remove(position) => remove(self, &mut state, position),
            Step::WriteHeader(position) => {
                writer::write_header(&mut state, position);
                starter::write_header(&mut state, position);
            }
            Step::Die(actor) => {
                writer::stop(&mut state.writers[actor]);
                starter::stop(&mut state.starters[actor]);
                state.open = 0;
                state.owner = NOWHERE;
            }
            Step::HandOver(_)
            | Step::HandOverMark(_)
            | Step::Land(..)
            | Step::Acknowledge(_)
            | Step::GiveUp(_)
            | Step::ReadFirst(..)
            | Step::SeeClaim(_)
            | Step::Reopen(_) => writer::take(self, &mut state, step),
            _ => starter::take(self, &mut state, step),
        }
        state
    }
}
