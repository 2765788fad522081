//! `--repair`: shows the plan, asks, does it, and checks again.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use headwater_fsck::checkpoints::{self, Objects, Sweep, sweepable};
use headwater_fsck::{Consent, Here, Plan, Repaired, Report, Severity, Step, check, plan, repair};
use headwater_wal::store::Store;
use headwater_wal::{Error, Position, Result as WalResult};

use crate::check::Work;
use crate::failure::Failure;
use crate::json::Line;
use crate::progress::{Progress, Watched};
use crate::signals;
use crate::text::escaped_lines;

/// What is to be done about a part of what was checked.
#[derive(Debug)]
pub(crate) enum Mending {
    /// A log, and how many damages it has.
    Log { store: Arc<dyn Store>, plan: Plan, damages: u64 },
    /// A folder of checkpoints, and what of it nobody needs.
    Checkpoints { store: Arc<dyn Store>, sweep: Sweep },
}

impl Mending {
    pub(crate) fn of(store: Arc<dyn Store>, report: &Report, progress: &Arc<Progress>) -> WalResult<Mending> {
        progress.begin("planning", None);
        let plan = plan(&Watched::over(store.clone(), progress), report)?;
        progress.clear();
        // What is being mended is not cut short by a signal.
        let store = Watched::to_the_end(store, progress);
        Ok(Mending::Log { store, plan, damages: report.count(Severity::Damaged) })
    }

    pub(crate) fn of_checkpoints(store: Arc<dyn Store>) -> WalResult<Mending> {
        let sweep = sweepable(&store)?;
        Ok(Mending::Checkpoints { store, sweep })
    }

    fn steps(&self) -> usize {
        match self {
            Mending::Log { plan, .. } => plan.steps().len(),
            Mending::Checkpoints { sweep, .. } => usize::from(!sweep.is_empty()),
        }
    }

    /// How many steps are done without leave to lose data.
    fn safe_steps(&self) -> usize {
        match self {
            Mending::Log { plan, .. } => plan.steps_with(Consent::SafeOnly).len(),
            Mending::Checkpoints { .. } => self.steps(),
        }
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
    for mending in &mendings {
        match mending {
            Mending::Log { store, plan, .. } => show_plan(work, &store.place(), plan)?,
            Mending::Checkpoints { store, sweep } => show_sweep(work, &store.place(), sweep, "step")?,
        }
    }
    let steps: usize = mendings.iter().map(Mending::steps).sum();
    if steps == 0 {
        return Ok(());
    }
    match answer(work, &mendings)? {
        Answer::Do(consent) => mendings.iter().try_for_each(|mending| mend(work, mending, consent)),
        Answer::Leave(why) => {
            work.tally.left(steps);
            work.say(&format!("nothing was changed: {why}"))
        }
    }
}

fn answer(work: &mut Work<'_>, mendings: &[Mending]) -> Result<Answer, Failure> {
    let consent = if work.args.allow_data_loss { Consent::LoseData } else { Consent::SafeOnly };
    if consent == Consent::SafeOnly && mendings.iter().all(|mending| mending.safe_steps() == 0) {
        work.next = Some(command(work, false, true));
        return Ok(Answer::Leave(
            "every step gives up data, or comes after one that does, and that was not allowed",
        ));
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
    match mending {
        _ if mending.steps() == 0 => Ok(()),
        Mending::Log { store, plan, damages } => mend_log(work, store, plan, *damages, consent),
        Mending::Checkpoints { store, sweep } => match checkpoints::sweep(store, sweep) {
            Ok(()) => {
                work.tally.mended(0, 0, 1);
                show_sweep(work, &store.place(), sweep, "done")
            }
            Err(error) => not_done(work, 1, error),
        },
    }
}

/// What could not be done can be tried again.
fn not_done(work: &mut Work<'_>, steps: usize, error: Error) -> Result<(), Failure> {
    work.tally.left(steps);
    work.next = Some(command(work, false, false));
    work.failed(error)
}

fn mend_log(
    work: &mut Work<'_>,
    store: &Arc<dyn Store>,
    plan: &Plan,
    damages: u64,
    consent: Consent,
) -> Result<(), Failure> {
    work.progress.begin("mending", None);
    let repaired = match repair(store, plan, consent) {
        Ok(repaired) => repaired,
        Err(error) => return not_done(work, plan.steps().len(), error),
    };
    show_repaired(work, &store.place(), &repaired)?;
    if !repaired.left().is_empty() {
        work.tally.left(repaired.left().len());
        work.next = Some(command(work, false, true));
    }
    match check(&**store, Position(work.args.at_least), work.depth) {
        Ok(report) => {
            work.tally.mended(damages, report.count(Severity::Damaged), repaired.done().len());
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

/// What of checkpoints is removed, as one step.
fn show_sweep(work: &mut Work<'_>, place: &str, sweep: &Sweep, line: &str) -> Result<(), Failure> {
    if sweep.is_empty() {
        return Ok(());
    }
    if work.args.json {
        let Objects { count, bytes } = sweep.objects();
        let what = format!("{count} objects of {bytes} bytes that no checkpoint needs are removed");
        let line = Line::new(line).text("place", place).text("what", what);
        let line = line.text_or_null("file", None::<&str>).number_or_null("from", None);
        return Ok(line.number_or_null("to", None).text("loses", "").write(work.out)?);
    }
    let head = if line == "done" { "removed" } else { "to be removed" };
    work.page(&format!("\n{head}: {}", escaped_lines(&sweep.to_string())))
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
