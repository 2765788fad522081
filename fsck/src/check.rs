//! Checking one log: everything that a look finds, and what each finding means for whoever owns the data.

use std::ops::Range;

use headwater_wal::format::name::{self, SUMMARIES};
use headwater_wal::format::scan::Fault;
use headwater_wal::store::Store;
use headwater_wal::{Aside, Because, Damage, Depth, Position, Result, Survey, Torn};

use crate::find::find;
use crate::lost::Damaged;
use crate::{Finding, Report, Severity};

/// Checks the log at a store's root. `at_least`: a position that the caller knows was acknowledged, from a checkpoint,
/// say; a log that ends before it is damaged, which the log alone cannot know.
///
/// Damage is no error of the check, but what it is for: it stands in the report. The errors are those of looking:
/// `NotThere` if no log is here, `Unsupported` if a newer release wrote it, `Unavailable` if it could not be read.
pub fn check(store: &dyn Store, at_least: Position, depth: Depth) -> Result<Report> {
    let survey = find(store, at_least, depth)?;
    let place = store.place();
    // Opening a log reads no more than a quick look does: what only a full one finds does not keep it from starting.
    let opening = match depth {
        Depth::Full => find(store, at_least, Depth::Quick)?,
        Depth::Quick => survey.clone(),
    };
    let refused = |damage: &Damage| {
        let mut refusing = opening.damages().iter().map(|other| other.range.clone());
        refusing.find(|range| overlap(range, &damage.range))
    };
    let mut findings = Vec::new();
    let mut unreadable = 0;
    for damages in survey.damages().chunk_by(|one, other| one.file == other.file) {
        let damages: Vec<&Damage> = damages.iter().collect();
        let file = Damaged::read(store, &survey, &damages)?;
        for damage in damages {
            let lost = match &file {
                Some(file) => file.tell(damage)?,
                None => "all records at these positions".into(),
            };
            findings.push(damaged(&place, damage, lost, refused(damage)));
        }
        unreadable += file.map_or(0, |file| file.unreadable());
    }
    if depth == Depth::Full {
        unreadable += unreadable_where_accepted(store, &survey)?;
    }
    findings.extend(survey.unfinished().map(|mark| unfinished(&place, mark)));
    findings.extend(survey.lost().iter().map(accepted));
    findings.extend(survey.torn().map(|found| torn(&place, found)));
    findings.extend(survey.aside().iter().filter_map(|aside| set_aside(&survey, aside)));
    findings.extend(survey.misleading().iter().map(|name| misleading(name)));
    findings.extend(survey.foreign().iter().map(|name| foreign(name)));
    Ok(Report { survey, depth, at_least, findings, unreadable })
}

/// Where a loss was accepted, nothing is damaged any more, and footers count what is lost all the same.
fn unreadable_where_accepted(store: &dyn Store, survey: &Survey) -> Result<u64> {
    let mut unreadable = 0;
    if survey.lost().is_empty() {
        return Ok(unreadable);
    }
    for segment in survey.chain().segments().iter().filter(|segment| segment.sealed) {
        let (file, range) = (name::segment(segment.base), segment.base..segment.end);
        let is_told = survey.damages().iter().any(|damage| damage.file == file);
        if !is_told && survey.lost().iter().any(|lost| overlap(lost, &range)) {
            let file = Damaged::of(store, survey, segment.base, Vec::new())?;
            unreadable += file.map_or(0, |file| file.unreadable());
        }
    }
    Ok(unreadable)
}

fn damaged(place: &str, damage: &Damage, lost: String, refused: Option<Range<Position>>) -> Finding {
    let Damage { range, file, offset, what, why } = damage;
    let missing = *what == Fault::Missing;
    let next = match missing {
        true => format!("wal-inspect ls {place}"),
        false => format!("wal-inspect dump {place} --groups --from {} --to {}", range.start, range.end),
    };
    let without = match refused {
        Some(range) => format!(
            "where there is none, `wal-fsck --repair` mends what can be mended and says what that gives up; or the log \
             starts if the loss is accepted by name when it is opened: `accept_loss(Position({})..Position({}))`",
            range.start, range.end
        ),
        None => "where there is none, the log starts all the same, and whoever reads or replays what lies here gets an \
                  error that says so, until `wal-fsck --repair` states it as lost"
            .into(),
    };
    Finding {
        severity: Severity::Damaged,
        file: Some(if missing { format!("{file} (missing)") } else { file.clone() }),
        offset: (!missing).then_some(*offset),
        range: Some(range.clone()),
        what: format!("{what}; {why}"),
        lost,
        remedy: format!("put the file back from a copy, if there is one, and check again; {without}"),
        next: Some(next),
    }
}

fn unfinished(place: &str, mark: &str) -> Finding {
    if mark == name::UNFILLED {
        return Finding {
            severity: Severity::Damaged,
            file: Some(mark.into()),
            offset: None,
            range: None,
            what: "a salvage into this log was cut short".into(),
            lost: "nothing: the log that was salvaged is as it was; here is a part of it".into(),
            remedy: "remove this log, and salvage again; it does not start".into(),
            next: None,
        };
    }
    Finding {
        severity: Severity::Damaged,
        file: Some(mark.into()),
        offset: None,
        range: None,
        what: "a repair was cut short here; what it had taken away and not put back lies in quarantine"
            .into(),
        lost: "nothing: the next repair finishes it".into(),
        remedy: "repair the log; until then it does not start".into(),
        next: Some(format!("wal-fsck --repair {place}")),
    }
}

fn overlap(one: &Range<Position>, other: &Range<Position>) -> bool {
    one.start < other.end.max(other.start.plus(1)) && other.start < one.end.max(one.start.plus(1))
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
        Because::Damaged if survey.lost().iter().any(|lost| lost.contains(&base)) => {
            "lies where a loss was accepted"
        }
        Because::Damaged => "lies within the log, and no segment of it begins there",
        Because::Retired if begins_epoch => "was retired, and stays as the fence of its epoch",
        Because::Retired => "was retired, and is not removed yet",
        Because::Dead => "was written by a replaced writer, in a range that a newer epoch has taken",
        Because::Torn => "lies beyond the end of the log; nothing of it was acknowledged",
        Because::Open => "is being written under a lease, and cannot be read before it is closed",
    };
    Some(Finding {
        severity: Severity::SetAside,
        file: Some(name::segment(base)),
        offset: None,
        range: Some(base..base.plus(file_len)),
        what: what.into(),
        lost: String::new(),
        remedy: match because {
            Because::Open => {
                "nothing, if its writer is alive; the next start ends the lease of one that died".into()
            }
            _ => "nothing: the log's writer removes what need not stay".into(),
        },
        next: None,
    })
}

fn misleading(name: &str) -> Finding {
    Finding {
        severity: Severity::SetAside,
        file: Some(format!("{SUMMARIES}/{name}")),
        offset: None,
        range: None,
        what: "a summary that does not verify, or says what the segments do not".into(),
        lost: String::new(),
        remedy: "remove it, if looks take long: nothing depends on it, and the log goes on without".into(),
        next: None,
    }
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
