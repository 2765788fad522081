//! What checks answer as lines of JSON, which both programs print alike.

use std::io::{self, Write};

use headwater_checkpoint::journal::ReceiverLog;
use headwater_fsck::{Depth, Finding, Report, Severity, checkpoints, journal};

use crate::json::Line;

/// The word for a depth, which stays.
pub(crate) fn word(depth: Depth) -> &'static str {
    match depth {
        Depth::Full => "full",
        Depth::Quick => "quick",
    }
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

/// Which log it is that a driver knows.
pub(crate) fn log_json(line: Line, log: ReceiverLog) -> Line {
    line.number("stream", u64::from(log.stream))
        .number("receiver", u64::from(log.receiver))
        .text("identity", format_args!("{:016x}", log.identity))
}

pub(crate) fn log(report: &Report, out: &mut dyn Write) -> io::Result<()> {
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
        .write(out)
}

pub(crate) fn checkpoints(report: &checkpoints::Report, out: &mut dyn Write) -> io::Result<()> {
    for finding in report.findings() {
        line(finding).write(out)?;
    }
    for checked in report.checked() {
        Line::new("checked")
            .text("id", checked.id)
            .flag("whole", checked.spoiled == 0)
            .number("spoiled", checked.spoiled)
            .write(out)?;
    }
    let verdict = Line::new("verdict")
        .text("state", report.state())
        .text("place", report.survey().place())
        .text("of", "checkpoints")
        .text("depth", word(report.depth()))
        .text_or_null("newest", report.survey().newest())
        .text_or_null("restorable", report.restorable())
        .number("checkpoints", report.checked().len() as u64)
        .number("bytes", report.read_bytes());
    counts(verdict, |severity| report.count(severity)).write(out)
}

pub(crate) fn journal(report: &journal::Report, out: &mut dyn Write) -> io::Result<()> {
    for finding in report.findings() {
        line(finding).write(out)?;
    }
    for checked in report.logs() {
        log_json(Line::new("received"), checked.log)
            .flag("is_there", checked.is_there)
            .number("blocks", checked.blocks)
            .number("bad", checked.bad)
            .write(out)?;
    }
    let verdict = Line::new("verdict")
        .text("state", report.state())
        .text("place", report.place())
        .text("of", "journal")
        .text("depth", word(report.depth()))
        .number("begins", report.range().start.0)
        .number("end", report.range().end.0)
        .number("events", report.events())
        .flag("state_known", report.is_known())
        .number("logs", report.logs().len() as u64)
        .number("blocks", report.blocks());
    counts(verdict, |severity| report.count(severity)).write(out)
}

fn counts(line: Line, count: impl Fn(Severity) -> u64) -> Line {
    line.number("damaged", count(Severity::Damaged))
        .number("unsupported", count(Severity::Unsupported))
        .number("lost", count(Severity::Lost))
        .number("set_aside", count(Severity::SetAside))
        .number("foreign", count(Severity::Foreign))
}
