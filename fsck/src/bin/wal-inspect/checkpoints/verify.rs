//! `checkpoints verify`: every byte, and which checkpoints each bad object spoils. `check` ends the same way.

use std::io::Write;
use std::sync::Arc;

use headwater_checkpoint::Id;
use headwater_fsck::checkpoints::{self, Report};
use headwater_fsck::{Depth, Severity};
use headwater_wal::store::Store;

use super::{Which, id};
use crate::check;
use crate::failure::{Answer, Failure};
use crate::json::Line;

pub(super) fn run(
    store: Arc<dyn Store>,
    which: &[Which],
    json: bool,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let report = if which.is_empty() {
        checkpoints::check(&store, Depth::Full)?
    } else {
        let survey = checkpoints::survey(&store)?;
        let ids: Result<Vec<Id>, Failure> = which.iter().map(|which| id(&survey, which)).collect();
        checkpoints::verify(&store, &ids?)?
    };
    show(&report, json, out)
}

/// Shows a report, and answers as its findings are.
pub(crate) fn show(report: &Report, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let shown = if json { lines(report, out) } else { write!(out, "{report}").map_err(Failure::from) };
    let answer = match report.state() {
        "clean" => Answer::Sound,
        "damaged" => Answer::Damaged,
        _ => Answer::Unsupported,
    };
    check::answered(shown, answer, out)
}

fn lines(report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    for finding in report.findings() {
        check::line(finding).write(out)?;
    }
    for checked in report.checked() {
        Line::new("checked")
            .text("id", checked.id)
            .flag("whole", checked.spoiled == 0)
            .number("spoiled", checked.spoiled)
            .write(out)?;
    }
    Line::new("verdict")
        .text("state", report.state())
        .text("place", report.survey().place())
        .text("of", "checkpoints")
        .text("depth", check::word(report.depth()))
        .text_or_null("newest", report.survey().newest())
        .text_or_null("restorable", report.restorable())
        .number("checkpoints", report.checked().len() as u64)
        .number("bytes", report.read_bytes())
        .number("damaged", report.count(Severity::Damaged))
        .number("unsupported", report.count(Severity::Unsupported))
        .number("lost", report.count(Severity::Lost))
        .number("set_aside", report.count(Severity::SetAside))
        .number("foreign", report.count(Severity::Foreign))
        .write(out)?;
    Ok(())
}
