//! A history in words.

use std::fmt::Write;

use crate::model::Step;
use crate::state::{State, Z};
use crate::survey::{Cells, Kind};

/// One step, and the store after it where it changed.
pub(crate) fn tell(before: &State, step: Step, after: &State) -> String {
    let name = |actor: usize| if actor == Z { "Z".to_owned() } else { format!("S{actor}") };
    let said = match step {
        Step::HandOver(actor) | Step::HandOverMark(actor) => {
            let at = before.writers[actor].handed;
            let put = after.writers[actor].put_at(at);
            let what = match put.kind {
                Kind::Header => "a header".to_owned(),
                Kind::Footer => "a footer".to_owned(),
                Kind::Mark => format!("a retire mark up to {}", put.mark),
                _ => "a group".to_owned(),
            };
            format!("{} hands over {what} for {at}, acked={}", name(actor), put.acked)
        }
        Step::Land(actor, at) => {
            let again = if before.writers[actor].has_landed(at) { " once more" } else { "" };
            format!("{}'s put lands at {at}{again}", name(actor))
        }
        Step::WriteHeader(at) => format!("the file {at} gets its header"),
        Step::Acknowledge(actor) => format!("{} acknowledges {}", name(actor), before.writers[actor].acked),
        Step::GiveUp(actor) => {
            let writer = &before.writers[actor];
            format!("{} answers Unknown for {}..{}", name(actor), writer.acked, writer.waiting_to())
        }
        Step::ReadFirst(actor, at) => {
            let (was, is) = (&before.writers[actor], &after.writers[actor]);
            let answers = if is.fenced_to > was.fenced_to || is.fenced_from < was.fenced_from {
                format!("Fenced for {}..{}", is.cut, was.waiting_to())
            } else {
                format!("Unknown for {at}..{}", was.waiting_to())
            };
            format!("{} reads E({}) at {at}, answers {answers}", name(actor), before.cells[at as usize].epoch)
        }
        Step::SeeClaim(actor) => {
            let writer = &before.writers[actor];
            let (from, to) = (writer.acked, writer.waiting_to());
            format!(
                "{} sees that {} was claimed, answers Fenced for {from}..{to}",
                name(actor),
                before.claims
            )
        }
        Step::Reopen(actor) => format!("{} opens its closed file for append", name(actor)),
        Step::Die(actor) => format!("{} ends, and its lock with it", name(actor)),
        Step::Remove(at) => format!("{} is removed", at),
        Step::Claim(actor) => format!("{} claims {}", name(actor), after.claims),
        Step::Recover(actor) => format!("{} takes the newest file's lease away", name(actor)),
        Step::LookUp(actor) => {
            format!("{} finds the beginning: {}", name(actor), after.starters[actor].begin)
        }
        Step::WalkChain(actor) => format!("{} walks the chain: H={}", name(actor), after.starters[actor].h),
        Step::Decide(actor) | Step::MoveAside(actor) => {
            let (was, is) = (&before.starters[actor], &after.starters[actor]);
            let attempt = usize::from(was.claims) - 1;
            let put = &is.firsts[attempt];
            if let Step::MoveAside(_) = step {
                format!("{} moves {} aside", name(actor), put.place)
            } else if after.slip.is_some() {
                format!("{} surveys, says damaged", name(actor))
            } else if put.cell.kind == Kind::Absent {
                format!("{} surveys, and does not put: it is {:?}", name(actor), is.phase)
            } else {
                let (epoch, place, next) = (put.cell.epoch, put.place, put.cell.next);
                format!("{} surveys, sends E({epoch}) to {place}, next={next}", name(actor))
            }
        }
        Step::LandFirst(actor, attempt) => {
            let put = &before.starters[actor].firsts[attempt];
            format!("{}'s E({}) lands at {}", name(actor), put.cell.epoch, put.place)
        }
        Step::LearnFate(actor) | Step::Confirm(actor) => {
            let what =
                if let Step::Confirm(_) = step { "surveys again" } else { "asks what became of its E" };
            format!("{} {what}: it is {:?}", name(actor), after.starters[actor].phase)
        }
    };
    if before.cells == after.cells { said } else { format!("{said:<60} |{}", show(&after.cells)) }
}

/// The store in one line: what lies where, in the order of the positions.
fn show(cells: &Cells) -> String {
    let mut line = String::new();
    for (position, cell) in cells.iter().enumerate() {
        let (epoch, next, mark) = (cell.epoch, cell.next, cell.mark);
        let _ = match cell.kind {
            Kind::Absent => continue,
            Kind::First => write!(line, " E({epoch})@{position}..{next}"),
            Kind::Header => write!(line, " header({epoch})@{position}"),
            Kind::Bare => write!(line, " bare({epoch})@{position}"),
            Kind::Group => write!(line, " group({epoch})@{position}"),
            Kind::Mark => write!(line, " mark({epoch})@{position}->{mark}"),
            Kind::Footer => write!(line, " footer({epoch})@{position}"),
            Kind::Spoilt => write!(line, " spoilt@{position}"),
        };
    }
    line
}
