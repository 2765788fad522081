//! `check`: everything that is wrong, what it costs, and what to do.

use std::ffi::OsString;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use headwater_fsck::checkpoints::{self, needs};
use headwater_fsck::journal::{self, Holds};
use headwater_fsck::{Depth, Finding, Report, Severity, check, is_log, logs_below};
use headwater_wal::Position;
use headwater_wal::store::Store;

use crate::checkpoints::show_report;
use crate::failure::{Answer, Failure};
use crate::journal::show_report as show_journal;
use crate::json::Line;
use crate::place;

/// No root that people keep has more.
const LOGS_MAX: usize = 1000;

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
    let is_log = is_log(&*store)?;
    if !is_log && checkpoints::is_here(&*store)? {
        args.of_one_log()?;
        let report = checkpoints::check(&store, args.depth())?;
        return show_report(&report, args.json, out);
    }
    if !is_log && (checkpoints::is_below(&*store)? || journal::is_below(&*store)?) {
        args.of_one_log()?;
        return root(args, &store, out);
    }
    Ok(log(args, &*store, Position(args.at_least), out)?.0)
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

/// Checks a log, and says where it begins and ends.
fn log(
    args: &Args,
    store: &dyn Store,
    at_least: Position,
    out: &mut dyn Write,
) -> Result<(Answer, Range<Position>), Failure> {
    let report = check(store, at_least, args.depth())?;
    let shown = if args.json { json(&report, out) } else { write!(out, "{report}").map_err(Failure::from) };
    let answer = if report.is_sound() { Answer::Sound } else { Answer::Damaged };
    let survey = report.survey();
    Ok((answered(shown, answer, out)?, survey.begins()..survey.end()))
}

/// The checkpoints of a root, and every log in it, which must hold what the checkpoints need of it: positions name a log
/// as its folder in the root is called.
fn root(args: &Args, store: &Arc<dyn Store>, out: &mut dyn Write) -> Result<Answer, Failure> {
    let mut worst = Answer::Sound;
    let mut survey = None;
    if checkpoints::is_below(&**store)? {
        let below = place::open_below(&args.path, checkpoints::FOLDER)?;
        let report = checkpoints::check(&below, args.depth())?;
        worst = show_report(&report, args.json, out)?;
        survey = Some(report.survey().clone());
    }
    let journal = journal_of(args, &**store);
    let logs = logs_below(&**store, LOGS_MAX + 1)?;
    for folder in logs.iter().take(LOGS_MAX) {
        if !args.json && (survey.is_some() || folder != &logs[0]) {
            answered(writeln!(out).map_err(Failure::from), worst, out)?;
        }
        let at_least = known_end(&journal, folder.as_str());
        let checked = place::open_below(&args.path, folder.as_str())
            .and_then(|store| log(args, &*store, at_least, out));
        let answer = match checked {
            Ok((answer, range)) => {
                let findings =
                    survey.as_ref().map_or_else(Vec::new, |survey| needs(survey, folder.as_str(), range));
                let bad = findings.iter().any(|finding| finding.severity == Severity::Damaged);
                let shown = findings.iter().try_for_each(|finding| match args.json {
                    true => line(finding).write(out),
                    false => writeln!(out, "\n{finding}"),
                });
                let answer = if bad { Answer::Damaged } else { answer };
                answered(shown.map_err(Failure::from), answer, out)?
            }
            Err(Failure::Output(error)) => return Err(Failure::Output(error)),
            // The other logs are worth a look all the same.
            Err(failure) => {
                out.flush()?;
                let _ = writeln!(io::stderr(), "wal-inspect: {failure}");
                if failure.code() == Answer::Damaged.code() { Answer::Damaged } else { Answer::Unsupported }
            }
        };
        worst = worst.max(answer);
    }
    if logs.len() > LOGS_MAX {
        out.flush()?;
        let _ = writeln!(
            io::stderr(),
            "wal-inspect: {LOGS_MAX} logs were checked, and there are more: check those by name"
        );
        worst = worst.max(Answer::Unsupported);
    }
    match journal {
        Ok(None) => Ok(worst),
        Ok(Some(report)) => {
            if !args.json {
                answered(writeln!(out).map_err(Failure::from), worst, out)?;
            }
            Ok(worst.max(show_journal(&report, args.json, out)?))
        }
        Err(failure) => {
            out.flush()?;
            let _ = writeln!(io::stderr(), "wal-inspect: {failure}");
            Ok(worst.max(Answer::Unsupported))
        }
    }
}

/// What is wrong between a root's journal, its receivers' logs and its checkpoints; none, if it has no journal.
fn journal_of(args: &Args, whole: &dyn Store) -> Result<Option<journal::Report>, Failure> {
    if !journal::is_below(whole)? {
        return Ok(None);
    }
    let (root, _) = place::open_root(&args.path)?;
    match journal::what_is_here(&root.journal()?) {
        Ok(Holds::Events) => Ok(Some(journal::check(&root, whole, args.depth())?)),
        // Another log of that name, or none that could be read, of which its own check tells.
        _ => Ok(None),
    }
}

/// How far a receiver's log reaches at least, by what the journal knows of it.
fn known_end(journal: &Result<Option<journal::Report>, Failure>, folder: &str) -> Position {
    let Ok(Some(report)) = journal else { return Position::START };
    let known = report.logs().iter().find(|known| {
        known.is_there && folder == format!("received/{}/{}", known.log.stream, known.log.receiver)
    });
    known.map_or(Position::START, |known| known.at_least)
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

/// The word for a depth, which stays.
pub(crate) fn word(depth: Depth) -> &'static str {
    match depth {
        Depth::Full => "full",
        Depth::Quick => "quick",
    }
}

fn json(report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    for finding in report.findings() {
        line(finding).write(out)?;
    }
    let survey = report.survey();
    Line::new("verdict")
        .text("state", report.state())
        .text("place", survey.place())
        .text_or_null("identity", survey.identity())
        .text("depth", word(report.depth()))
        .number("begins", survey.begins().0)
        .number("end", survey.end().0)
        .number("segments", survey.chain().segments().len() as u64)
        .number("records", report.records())
        .number("damaged", report.count(Severity::Damaged))
        .number("lost", report.count(Severity::Lost))
        .number("torn", report.count(Severity::Torn))
        .number("set_aside", report.count(Severity::SetAside))
        .number("foreign", report.count(Severity::Foreign))
        .write(out)?;
    Ok(())
}

pub(crate) fn line(finding: &Finding) -> Line {
    Line::new("finding")
        .text("severity", finding.severity.name())
        .text_or_null("file", finding.file.as_ref())
        .number_or_null("offset", finding.offset)
        .number_or_null("from", finding.range.as_ref().map(|range| range.start.0))
        .number_or_null("to", finding.range.as_ref().map(|range| range.end.0))
        .text("what", &finding.what)
        .text("lost", &finding.lost)
        .text("remedy", &finding.remedy)
        .text_or_null("next", finding.next.as_ref())
}
