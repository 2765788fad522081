//! `--repair`: shows the plan, asks, does it, and checks again.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use headwater_fsck::{Consent, Here, Plan, Repaired, Report, Severity, Step, check, plan, repair};
use headwater_wal::store::Store;
use headwater_wal::{Position, Result as WalResult};

use crate::check::Work;
use crate::failure::Failure;
use crate::json::Line;
use crate::progress::{Progress, Watched};
use crate::signals;
use crate::text::escaped_lines;

/// A log, and what is to be done about it.
#[derive(Debug)]
pub(crate) struct Mending {
    store: Arc<dyn Store>,
    plan: Plan,
    damages: u64,
}

impl Mending {
    pub(crate) fn of(store: Arc<dyn Store>, report: &Report, progress: &Arc<Progress>) -> WalResult<Mending> {
        progress.begin("planning", None);
        let plan = plan(&Watched::over(store.clone(), progress), report)?;
        progress.clear();
        // What is being mended is not cut short by a signal.
        let store = Watched::to_the_end(store, progress);
        Ok(Mending { store, plan, damages: report.count(Severity::Damaged) })
    }
}

/// What whoever was asked has said.
enum Answer {
    Do(Consent),
    /// Nothing is to be done, and why.
    Leave(&'static str),
}

pub(crate) fn run(work: &mut Work<'_>) -> Result<(), Failure> {
    let mendings = std::mem::take(&mut work.mendings);
    for Mending { store, plan, .. } in &mendings {
        show_plan(work, &store.place(), plan)?;
    }
    if mendings.iter().all(|mending| mending.plan.is_empty()) {
        return Ok(());
    }
    match answer(work, &mendings)? {
        Answer::Do(consent) => mendings.iter().try_for_each(|mending| mend(work, mending, consent)),
        Answer::Leave(why) => {
            work.tally.left(mendings.iter().map(|mending| mending.plan.steps().len()).sum());
            work.say(&format!("nothing was changed: {why}"))
        }
    }
}

fn answer(work: &mut Work<'_>, mendings: &[Mending]) -> Result<Answer, Failure> {
    let consent = if work.args.allow_data_loss { Consent::LoseData } else { Consent::SafeOnly };
    let mut steps = mendings.iter().flat_map(|mending| mending.plan.steps());
    if consent == Consent::SafeOnly && steps.all(|step| !step.loses.is_empty()) {
        work.next = Some(command(work, false, true));
        return Ok(Answer::Leave("every step gives up data, and that was not allowed"));
    }
    if work.args.yes {
        return Ok(Answer::Do(consent));
    }
    if work.args.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        work.next = Some(command(work, true, false));
        return Ok(Answer::Leave("nobody is at a terminal to be asked, and --yes was not given"));
    }
    work.out.flush()?;
    let asked = signals::while_asking(work.progress.interrupted(), || {
        let _ = write!(io::stderr(), "\nDo this? [y/N] ");
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    Ok(match asked {
        Some(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes") => Answer::Do(consent),
        _ => {
            work.next = Some(command(work, false, false));
            Answer::Leave("the answer was not yes")
        }
    })
}

fn mend(work: &mut Work<'_>, mending: &Mending, consent: Consent) -> Result<(), Failure> {
    if mending.plan.is_empty() {
        return Ok(());
    }
    work.progress.begin("mending", None);
    let repaired = match repair(&mending.store, &mending.plan, consent) {
        Ok(repaired) => repaired,
        Err(error) => {
            work.tally.left(mending.plan.steps().len());
            work.next = Some(command(work, false, false));
            return work.failed(error);
        }
    };
    show_repaired(work, &mending.store.place(), &repaired)?;
    if !repaired.left().is_empty() {
        work.tally.left(repaired.left().len());
        work.next = Some(command(work, false, true));
    }
    match check(&*mending.store, Position(work.args.at_least), work.depth) {
        Ok(report) => {
            work.tally.mended(mending.damages, report.count(Severity::Damaged), repaired.done().len());
            if !work.args.json {
                writeln!(work.out, "\nChecked again:")?;
            }
            work.show(&report)
        }
        Err(error) => {
            work.tally.mended(0, 0, repaired.done().len());
            work.failed(error)
        }
    }
}

fn show_plan(work: &mut Work<'_>, place: &str, plan: &Plan) -> Result<(), Failure> {
    if !work.args.json {
        return work.page(&format!("\n{}", escaped_lines(&plan.to_string())));
    }
    let steps = plan.steps();
    Line::new("plan")
        .text("place", place)
        .number("steps", steps.len() as u64)
        .flag("loses_data", plan.loses_data())
        .write(work.out)?;
    for (number, planned) in (1..).zip(steps) {
        step(Line::new("step").text("place", place).number("number", number), planned).write(work.out)?;
    }
    for text in plan.by_hand() {
        Line::new("by_hand").text("place", place).text("what", text).write(work.out)?;
    }
    Ok(())
}

fn show_repaired(work: &mut Work<'_>, place: &str, repaired: &Repaired) -> Result<(), Failure> {
    if !work.args.json {
        return work.page(&format!("\n{}", escaped_lines(&repaired.to_string())));
    }
    for (what, steps) in [("done", repaired.done()), ("left", repaired.left())] {
        for each in steps {
            step(Line::new(what).text("place", place), each).write(work.out)?;
        }
    }
    Line::new("repaired")
        .text("place", place)
        .number("done", repaired.done().len() as u64)
        .number("left", repaired.left().len() as u64)
        .text_or_null("kept_in", repaired.kept_in())
        .write(work.out)?;
    Ok(())
}

fn step(line: Line, step: &Step) -> Line {
    line.text("what", &step.what)
        .text_or_null("file", step.file.as_ref())
        .number_or_null("from", step.range.as_ref().map(|range| range.start.0))
        .number_or_null("to", step.range.as_ref().map(|range| range.end.0))
        .text("loses", &step.loses)
}

/// The command to run next, where something is left.
pub(crate) fn next(work: &Work<'_>) -> Option<String> {
    let Work { args, place, tally, .. } = work;
    if work.next.is_some() || tally.still_wrong() == 0 {
        return work.next.clone();
    }
    if tally.found_in_logs() > 0 && !args.repair {
        return Some(command(work, false, false));
    }
    Some(match work.here {
        Here::Log | Here::Nothing => format!("wal-fsck salvage {place} NEW-FOLDER"),
        Here::Checkpoints => format!("wal-inspect checkpoints {place} verify"),
        Here::Root => format!("wal-inspect check {place}"),
    })
}

/// The same repair once more, with more of what it was not given.
fn command(work: &Work<'_>, yes: bool, loss: bool) -> String {
    let Work { args, place, .. } = work;
    let mut command = String::from("wal-fsck --repair");
    for (is, flag) in [(yes || args.yes, " --yes"), (loss || args.allow_data_loss, " --allow-data-loss")] {
        if is {
            command += flag;
        }
    }
    if args.at_least > 0 {
        command += &format!(" --at-least {}", args.at_least);
    }
    format!("{command} {place}")
}
