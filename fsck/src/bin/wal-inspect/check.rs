//! `check`: everything that is wrong, what it costs, and what to do.

use std::ffi::OsString;
use std::io::{self, Write};

use headwater_fsck::{
    Against, Depth, Finding, Here, Part, Report, Severity, check, checkpoints, what_is_here,
};
use headwater_wal::Position;
use headwater_wal::store::Store;

use crate::checkpoints::show_report;
use crate::failure::{Answer, Failure};
use crate::journal::show_report as show_journal;
use crate::progress::{Progress, Watched, all_bytes};
use crate::report::{self, line};
use crate::{colour, place};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log or of checkpoints, or a root of both, or a file: URL
    path: OsString,
    /// Read only headers and footers, and every byte of what they do not prove: what opening the log reads
    #[arg(long)]
    quick: bool,
    /// A position that is known to have been acknowledged, from a checkpoint, say: the log must reach it
    #[arg(long, value_name = "POS", default_value_t = 0, hide_default_value = true)]
    at_least: u64,
    /// Lines of JSON: every finding, and last the verdict
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let store = place::open(&args.path)?;
    let progress = Progress::new();
    let watched = Watched::over(store.clone(), &progress);
    match what_is_here(&*store)? {
        Here::Checkpoints => {
            args.of_one_log()?;
            progress.begin("checking", all_bytes(&progress, &*store)?);
            let report = checkpoints::check(&watched, args.depth());
            progress.clear();
            show_report(&report?, args.json, out)
        }
        Here::Root => {
            args.of_one_log()?;
            root(args, &*store, out)
        }
        Here::Log | Here::Nothing => {
            progress.begin("checking", all_bytes(&progress, &*store)?);
            let report = check(&*watched, Position(args.at_least), args.depth());
            progress.clear();
            log(&report?, &[], args.json, out)
        }
    }
}

impl Args {
    fn depth(&self) -> Depth {
        if self.quick { Depth::Quick } else { Depth::Full }
    }

    fn of_one_log(&self) -> Result<(), Failure> {
        if self.at_least == 0 {
            return Ok(());
        }
        Err(Failure::Usage(
            "--at-least is a position in one log, and PATH is none: name the log's folder".into(),
        ))
    }
}

/// Shows what is wrong with a log, and what checkpoints need of it and it does not have.
fn log(report: &Report, needs: &[Finding], json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let shown = if json {
        report::log(report, out)
    } else {
        out.write_all(colour::page(&report.to_string()).as_bytes())
    };
    let shown = shown.and_then(|()| {
        needs.iter().try_for_each(|finding| match json {
            true => line(finding).write(out),
            false => out.write_all(colour::page(&format!("\n{finding}\n")).as_bytes()),
        })
    });
    let bad = needs.iter().any(|finding| finding.severity == Severity::Damaged);
    let answer = if report.is_sound() && !bad { Answer::Sound } else { Answer::Damaged };
    answered(shown.map_err(Failure::from), answer, out)
}

/// The checkpoints of a root, and every log in it, which must hold what the checkpoints need of it, and its journal.
fn root(args: &Args, whole: &dyn Store, out: &mut dyn Write) -> Result<Answer, Failure> {
    let (place, _) = place::open_root(&args.path)?;
    let (mut worst, mut is_first) = (Answer::Sound, true);
    headwater_fsck::root(&place, whole, args.depth(), Against::Others, &mut |part| {
        if !args.json && !std::mem::take(&mut is_first) && !matches!(part, Part::Failed { .. }) {
            answered(writeln!(out).map_err(Failure::from), worst, out)?;
        }
        worst = worst.max(match part {
            Part::Checkpoints(report) => show_report(&report, args.json, out)?,
            Part::Log { report, needs, .. } => log(&report, &needs, args.json, out)?,
            Part::Journal(report) => show_journal(&report, args.json, out)?,
            Part::Failed { error, .. } => failed(error.into(), out)?,
        });
        Ok::<(), Failure>(())
    })?;
    Ok(worst)
}

/// Tells of a part that could not be checked.
fn failed(failure: Failure, out: &mut dyn Write) -> Result<Answer, Failure> {
    out.flush()?;
    let _ = writeln!(io::stderr(), "wal-inspect: {failure}");
    let is_damage = failure.code() == Answer::Damaged.code();
    Ok(if is_damage { Answer::Damaged } else { Answer::Unsupported })
}

/// The answer, once it is shown.
pub(crate) fn answered(
    shown: Result<(), Failure>,
    answer: Answer,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    match shown.and_then(|()| Ok(out.flush()?)) {
        // The answer is in the exit code too: a reader that left early does not make a damaged log sound.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(answer),
        shown => shown.map(|()| answer),
    }
}
