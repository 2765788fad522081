//! What a writer does once it has started, and what the store does with its puts.

use crate::model::Step;
use crate::rules::Rule;
use crate::scope::{Medium, Scope};
use crate::state::{HANDED_MAX, NOWHERE, State, Writer, Z};
use crate::survey::{Cell, Kind, beginning};

/// Makes an actor the writer of an epoch.
pub(crate) fn start(state: &mut State, actor: usize, epoch: u8, base: u8, begin: u8) {
    let writer = &mut state.writers[actor];
    *writer = Writer { epoch, base, handed: base, acked: base, begin, ..*writer };
}

/// Nothing that waits is acknowledged any more.
pub(crate) fn stop(writer: &mut Writer) {
    writer.cut = writer.cut.min(writer.acked);
}

/// What a writer may do next, and what may become of its puts.
pub(crate) fn steps(scope: &Scope, state: &State, actor: usize, steps: &mut Vec<Step>) {
    let writer = &state.writers[actor];
    if writer.epoch == 0 {
        return;
    }
    if writer.writes() && may_hand_over(scope, writer, actor) {
        steps.push(Step::HandOver(actor));
        let retires = if actor == Z { scope.old_retires } else { scope.heirs_retire };
        if retires && writer.mark_at == 0 && kind_at(scope, writer, writer.handed) == Kind::Group {
            steps.push(Step::HandOverMark(actor));
        }
    }
    for position in writer.base..writer.handed {
        if may_land(scope, state, actor, position) {
            steps.push(Step::Land(actor, position));
        }
    }
    if writer.acked < writer.waiting_to() {
        if writer.has_landed(writer.acked) {
            steps.push(Step::Acknowledge(actor));
        }
        steps.push(Step::GiveUp(actor));
        for position in writer.acked..writer.waiting_to() {
            let cell = &state.cells[position as usize];
            if cell.kind == Kind::First && cell.epoch > writer.epoch {
                steps.push(Step::ReadFirst(actor, position));
            }
        }
        if !scope.has(Rule::ClaimFencesNothing) && state.claims > writer.epoch {
            steps.push(Step::SeeClaim(actor));
        }
    }
    if scope.medium == Medium::Lease
        && !scope.has(Rule::ClosedStaysClosed)
        && writer.writes()
        && writer.handed > writer.base
    {
        let name = file_of(scope, writer, writer.handed - 1);
        if is_file_of(state, writer, name) && !state.is_open(name) {
            steps.push(Step::Reopen(actor));
        }
    }
    if scope.medium == Medium::Lock && state.owner == actor as u8 {
        steps.push(Step::Die(actor));
    }
}

/// Carries one of these steps out.
pub(crate) fn take(scope: &Scope, state: &mut State, step: Step) {
    match step {
        Step::HandOver(actor) => {
            let kind = kind_at(scope, &state.writers[actor], state.writers[actor].handed);
            hand_over(&mut state.writers[actor], kind, 0);
        }
        Step::HandOverMark(actor) => {
            let writer = &mut state.writers[actor];
            let mark = if actor == Z { writer.acked } else { writer.base };
            writer.mark_at = writer.handed;
            hand_over(writer, Kind::Mark, mark);
        }
        Step::Land(actor, position) => land(scope, state, actor, position),
        Step::Acknowledge(actor) => {
            let writer = &mut state.writers[actor];
            if writer.mark_at == writer.acked {
                writer.begin = writer.begin.max(writer.put_at(writer.acked).mark);
            }
            writer.acked += 1;
        }
        Step::GiveUp(actor) => stop(&mut state.writers[actor]),
        Step::ReadFirst(actor, position) => read_first(scope, state, actor, position),
        Step::SeeClaim(actor) => {
            let writer = &mut state.writers[actor];
            let acked = writer.acked;
            fence(writer, acked);
        }
        Step::Reopen(actor) => {
            let writer = &state.writers[actor];
            state.open |= 1 << file_of(scope, writer, writer.handed - 1);
        }
        _ => unreachable!("no step of a writer"),
    }
}

/// What the writer puts at a position: groups, and on growing media a header before and a footer behind so many of them.
fn kind_at(scope: &Scope, writer: &Writer, position: u8) -> Kind {
    if scope.whole() {
        return Kind::Group;
    }
    match (position - writer.base) % (scope.segment_groups + 2) {
        0 => Kind::Header,
        place if place == scope.segment_groups + 1 => Kind::Footer,
        _ => Kind::Group,
    }
}

/// The name of the file in which a position lies.
fn file_of(scope: &Scope, writer: &Writer, position: u8) -> u8 {
    position - (position - writer.base) % (scope.segment_groups + 2)
}

fn is_file_of(state: &State, writer: &Writer, name: u8) -> bool {
    let cell = &state.cells[name as usize];
    cell.kind == Kind::Header && cell.epoch == writer.epoch
}

/// No more than F in flight; and rule 6: a footer is synced after all before it, a header after that, a group after that.
fn may_hand_over(scope: &Scope, writer: &Writer, actor: usize) -> bool {
    let hands = if actor == Z { scope.old_hands } else { scope.heir_hands };
    let waiting = writer.handed - writer.acked;
    let alone = match kind_at(scope, writer, writer.handed) {
        Kind::Header | Kind::Footer => true,
        _ => !scope.whole() && writer.acked <= file_of(scope, writer, writer.handed),
    };
    writer.handed - writer.base < hands && waiting < scope.flight && (!alone || waiting == 0)
}

fn hand_over(writer: &mut Writer, kind: Kind, mark: u8) {
    let (at, epoch, acked, begin) = (writer.handed, writer.epoch, writer.acked, writer.begin);
    assert!(usize::from(at - writer.base) < HANDED_MAX, "the scope is greater than the state");
    writer.puts[usize::from(at - writer.base)] = Cell { kind, epoch, next: at + 1, acked, begin, mark };
    writer.handed += 1;
}

/// What was handed to an object store may land as long as the name is free, once more also. On growing media it may land
/// once, in a file that its writer may append to.
fn may_land(scope: &Scope, state: &State, actor: usize, position: u8) -> bool {
    let writer = &state.writers[actor];
    let header = writer.put_at(position).kind == Kind::Header;
    let landed = writer.has_landed(position);
    match scope.medium {
        _ if scope.loss.is_some_and(|loss| actor == Z && position < loss.written_to) => false,
        Medium::Object => !scope.taken(&state.cells, position),
        Medium::Lock if state.owner != actor as u8 => false,
        _ if header => {
            !scope.taken(&state.cells, position)
                && (!landed || (!scope.has(Rule::NamedOnce) && position >= writer.acked))
        }
        _ => {
            let name = file_of(scope, writer, position);
            !landed && is_file_of(state, writer, name) && state.is_open(name)
        }
    }
}

fn land(scope: &Scope, state: &mut State, actor: usize, position: u8) {
    let writer = &mut state.writers[actor];
    let mut put = *writer.put_at(position);
    if put.kind == Kind::Header {
        state.open |= 1 << position;
        if !scope.has(Rule::NamedWithHeader) {
            put.kind = Kind::Bare;
        }
    }
    if put.kind != Kind::Bare {
        writer.landed |= 1 << (position - writer.base);
    }
    // Bytes of a replaced writer, at the place of a file that begins a newer epoch, are dead and never looked at.
    let cell = &mut state.cells[position as usize];
    if cell.epoch <= put.epoch {
        *cell = put;
    }
}

/// A file created before under its name alone gets its header.
pub(crate) fn write_header(state: &mut State, position: u8) {
    let bare = state.cells[position as usize];
    for writer in state.writers.iter_mut().filter(|writer| writer.epoch == bare.epoch) {
        if (writer.base..writer.handed).contains(&position) {
            writer.landed |= 1 << (position - writer.base);
            state.cells[position as usize] = *writer.put_at(position);
        }
    }
}

/// E was read at a name in flight. Nothing handed over from there on is in the log, or ever will be, if that E is a link of
/// the chain. One below the log's beginning is not: it landed in a hole that retiring had left, where the group in question
/// may have been. The order counts: a beginning that does not lie above E after E was read, did not when E landed.
fn read_first(scope: &Scope, state: &mut State, actor: usize, position: u8) {
    let begin = beginning(&state.cells, scope.rules);
    let writer = &mut state.writers[actor];
    if position < begin && scope.has(Rule::FencedAboveTheBeginning) {
        writer.cut = writer.cut.min(position);
    } else if scope.has(Rule::FencedFromTheFirst) {
        fence(writer, position);
    } else {
        let acked = writer.acked;
        fence(writer, acked);
    }
}

fn fence(writer: &mut Writer, from: u8) {
    writer.fenced_to = writer.fenced_to.max(writer.waiting_to());
    writer.fenced_from = writer.fenced_from.min(from);
    writer.cut = from;
    debug_assert!(writer.cut != NOWHERE);
}
