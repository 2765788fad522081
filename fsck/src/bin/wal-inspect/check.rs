//! `check`: everything that is wrong, what it costs, and what to do.

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::{Depth, Finding, Report, Severity, check};
use headwater_wal::Position;

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a file: URL
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
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let report = check(&*store, Position(args.at_least), depth)?;
    let shown = if args.json { json(&report, out) } else { write!(out, "{report}").map_err(Failure::from) };
    let answer = if report.is_sound() { Answer::Sound } else { Answer::Damaged };
    match shown.and_then(|()| Ok(out.flush()?)) {
        // The answer is in the exit code too: a reader that left early does not make a damaged log sound.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(answer),
        shown => shown.map(|()| answer),
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
        .text("depth", if report.depth() == Depth::Full { "full" } else { "quick" })
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

fn line(finding: &Finding) -> Line {
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
