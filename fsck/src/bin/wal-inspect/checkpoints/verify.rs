//! `checkpoints verify`: every byte, and which checkpoints each bad object spoils. `check` ends the same way.

use std::io::Write;
use std::sync::Arc;

use headwater_checkpoint::Id;
use headwater_fsck::Depth;
use headwater_fsck::checkpoints::{self, Report};
use headwater_wal::store::Store;

use super::{Which, id};
use crate::failure::{Answer, Failure};
use crate::{check, colour, report};

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
    let shown = if json {
        report::checkpoints(report, out)
    } else {
        out.write_all(colour::page(&report.to_string()).as_bytes())
    };
    let answer = match report.state() {
        "clean" => Answer::Sound,
        "damaged" => Answer::Damaged,
        _ => Answer::Unsupported,
    };
    check::answered(shown.map_err(Failure::from), answer, out)
}
