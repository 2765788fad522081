//! Checking one log: everything that a look finds, and what each finding means for whoever owns the data.

use std::ops::Range;

use headwater_wal::format::frame::{FRAME_HEADER_BYTES, FrameHeader};
use headwater_wal::format::header::{HEADER_BYTES, Header};
use headwater_wal::format::name;
use headwater_wal::format::scan::{Fault, Frame};
use headwater_wal::store::{Name, Store};
use headwater_wal::{Aside, Because, Damage, Depth, Handle, Position, Result, Survey, Torn};

use crate::find::find;
use crate::{Finding, Report, Severity};

const FROM_A_COPY: &str = "put the file back from a copy, if there is one, and check again";

/// Checks the log at a store's root. `at_least`: a position that the caller knows was acknowledged, from a checkpoint,
/// say; a log that ends before it is damaged, which the log alone cannot know.
///
/// Damage is no error of the check, but what it is for: it stands in the report. The errors are those of looking:
/// `NotThere` if no log is here, `Unsupported` if a newer release wrote it, `Unavailable` if it could not be read.
pub fn check(store: &dyn Store, at_least: Position, depth: Depth) -> Result<Report> {
    let survey = find(store, at_least, depth)?;
    let place = store.place();
    let mut findings = Vec::new();
    for damage in survey.damages() {
        findings.push(damaged(store, &place, damage)?);
    }
    findings.extend(survey.lost().iter().map(accepted));
    findings.extend(survey.torn().map(|found| torn(&place, found)));
    findings.extend(survey.aside().iter().filter_map(|aside| set_aside(&survey, aside)));
    findings.extend(survey.foreign().iter().map(|name| foreign(name)));
    Ok(Report { survey, depth, findings })
}

fn damaged(store: &dyn Store, place: &str, damage: &Damage) -> Result<Finding> {
    let Damage { range, file, offset, what, why } = damage;
    let bytes = range.end.since(range.start);
    let lost = match what {
        Fault::Payload => match record(store, damage)? {
            Some((handle, header)) => format!(
                "one record of {} bytes: handle={handle} time={} kind={}; those around it are readable",
                header.raw_len, header.time, header.kind
            ),
            None => "one record; those around it are readable".into(),
        },
        Fault::Group | Fault::Frame => format!("the records that lay in these {bytes} bytes; those around them are readable"),
        Fault::Layout => "no record that can be named: what lies in the group verifies, and its sums do not".into(),
        Fault::Footer => "no record that can be named: the segment's own sums or its index do not verify".into(),
        Fault::Behind => "no record: these bytes belong to nothing".into(),
        Fault::Header => "all records of this segment: without its header none of its bytes are taken for good".into(),
        Fault::Missing => "all records at these positions".into(),
        Fault::Chain => {
            "all records of this segment: it verifies by itself, and is not the one that the segment before it needs".into()
        }
    };
    let missing = *what == Fault::Missing;
    let next = match what {
        Fault::Missing => format!("wal-inspect ls {place}"),
        _ => format!("wal-inspect dump {place} --groups --from {} --to {}", range.start, range.end),
    };
    let restore = if missing {
        "put the missing file back from a copy, if there is one, and check again"
    } else {
        FROM_A_COPY
    };
    Ok(Finding {
        severity: Severity::Damaged,
        file: Some(if missing { format!("{file} (missing)") } else { file.clone() }),
        offset: (!missing).then_some(*offset),
        range: Some(range.clone()),
        what: format!("{what}; {why}"),
        lost,
        remedy: format!(
            "{restore}; where there is none, the loss can be accepted by name when the log is opened: \
             `accept_loss(Position({})..Position({}))`",
            range.start, range.end
        ),
        next: Some(next),
    })
}

/// The record whose payload is bad: its frame's header verifies, so that it can be named.
fn record(store: &dyn Store, damage: &Damage) -> Result<Option<(Handle, FrameHeader)>> {
    let Some(base) = name::parse_segment(&damage.file) else { return Ok(None) };
    let file = Name::new(&*damage.file)?;
    let Ok(segment) = Header::decode(base, &store.read(&file, 0..HEADER_BYTES)?) else { return Ok(None) };
    let bytes = store.read(&file, damage.offset..damage.offset + FRAME_HEADER_BYTES)?;
    let at = damage.range.start;
    Ok(FrameHeader::decode(segment.life(), at, &bytes).map(|(header, check)| {
        let frame = Frame { at, header, check, in_group: true };
        (frame.handle(segment.life(), base), header)
    }))
}

fn accepted(range: &Range<Position>) -> Finding {
    Finding {
        severity: Severity::Lost,
        file: None,
        offset: None,
        range: Some(range.clone()),
        what: "this was damaged, and its loss was accepted when the log was started".into(),
        lost: "what lay here".into(),
        remedy: String::new(),
        next: None,
    }
}

fn torn(place: &str, torn: &Torn) -> Finding {
    let Range { start, end } = torn.range;
    Finding {
        severity: Severity::Torn,
        file: torn.file.clone(),
        offset: torn.file.as_deref().and_then(name::parse_segment).map(|base| start.since(base)),
        range: Some(start..end),
        what: "a tail that was being written when its writer stopped, or is being written now".into(),
        lost: "nothing that the log knows was acknowledged".into(),
        remedy: "nothing: the next start sets it aside. Whoever knows of an acknowledged position, from a checkpoint or a \
                 handle, hands it to `check` and `start`, which then look whether the log reaches that far"
            .into(),
        next: Some(format!("wal-inspect dump {place} --groups --from {start}")),
    }
}

fn set_aside(survey: &Survey, aside: &Aside) -> Option<Finding> {
    let Aside { base, file_len, because, begins_epoch } = *aside;
    let what = match because {
        Because::Damaged if survey.damage_count() > 0 => return None, // it is told as damage
        Because::Damaged => "lies where a loss was accepted",
        Because::Retired if begins_epoch => "was retired, and stays as the fence of its epoch",
        Because::Retired => "was retired, and is not removed yet",
        Because::Dead => "was written by a replaced writer, in a range that a newer epoch has taken",
        Because::Torn => "lies beyond the end of the log; nothing of it was acknowledged",
    };
    Some(Finding {
        severity: Severity::SetAside,
        file: Some(name::segment(base)),
        offset: None,
        range: Some(base..base.plus(file_len)),
        what: what.into(),
        lost: String::new(),
        remedy: "nothing: the log's writer removes what need not stay".into(),
        next: None,
    })
}

fn foreign(name: &str) -> Finding {
    Finding {
        severity: Severity::Foreign,
        file: Some(name.into()),
        offset: None,
        range: None,
        what: "not the log's; it was neither opened nor changed".into(),
        lost: String::new(),
        remedy: "move it away, if nobody needs it here".into(),
        next: None,
    }
}
