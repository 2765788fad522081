//! Checking a whole root: its checkpoints, every log in it, and all of them against one another.

use std::ops::Range;
use std::sync::Arc;

use headwater_checkpoint::resume::Root;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Depth, Error, Kind, Position, Result, Survey};

use crate::checkpoints::needs;
use crate::journal::Holds;
use crate::{Finding, Report, check, checkpoints, is_log, journal, logs_below};

/// No root that people keep has more.
const LOGS_MAX: usize = 1000;

/// What lies at a place, told by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// A log: [`check`](crate::check()) is for it.
    Log,
    /// A folder of checkpoints: [`checkpoints::check`].
    Checkpoints,
    /// A folder that has a journal or checkpoints in it: [`root`].
    Root,
    /// None of them.
    Nothing,
}

/// What lies at a store's root.
pub fn what_is_here(store: &dyn Store) -> Result<Here> {
    Ok(if is_log(store)? {
        Here::Log
    } else if checkpoints::is_here(store)? {
        Here::Checkpoints
    } else if checkpoints::is_below(store)? || journal::is_below(store)? {
        Here::Root
    } else {
        Here::Nothing
    })
}

/// Against what each part of a root is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Itself.
    Itself,
    /// The others too: what checkpoints need of logs, and what the journal says of logs and of checkpoints.
    Others,
}

/// What a check of a root found in one part of it.
#[derive(Debug)]
pub enum Part {
    /// Its checkpoints.
    Checkpoints(checkpoints::Report),
    /// One of its logs.
    Log {
        /// Its folder in the root, which is its name in checkpoints.
        folder: Name,
        /// The log by itself.
        report: Report,
        /// What checkpoints need of it and it does not have.
        needs: Vec<Finding>,
    },
    /// The journal against the receivers' logs and the checkpoints.
    Journal(journal::Report),
    /// A part that could not be checked.
    Failed {
        /// Its folder in the root.
        folder: Name,
        /// Why.
        error: Error,
    },
}

/// Checks everything in a root, and hands on each part as it is done. `whole` is the store of the root itself.
///
/// What cannot be checked is handed on as [`Part::Failed`], and the others are checked all the same. The errors are those
/// of listing the root, and of `seen`.
pub fn root<E: From<Error>>(
    root: &Root,
    whole: &dyn Store,
    depth: Depth,
    against: Against,
    seen: &mut dyn FnMut(Part) -> Result<(), E>,
) -> Result<(), E> {
    let mut needed = None;
    if checkpoints::is_below(whole)? {
        let folder = Name::new(checkpoints::FOLDER)?;
        let checked = root.checkpoints().and_then(|store| Ok((checkpoints::check(&store, depth)?, store)));
        seen(match checked {
            Ok((report, store)) => {
                needed = (against == Against::Others).then(|| (report.survey().clone(), store));
                Part::Checkpoints(report)
            }
            Err(error) => Part::Failed { folder, error },
        })?;
    }
    let journal = match against {
        Against::Itself => Ok(None),
        Against::Others => journal_of(root, whole, depth),
    };
    let logs = logs_below(whole, LOGS_MAX + 1)?;
    for folder in logs.iter().take(LOGS_MAX) {
        let at_least = known_end(&journal, folder.as_str());
        let checked = root.folder(folder.as_str()).and_then(|store| check(&*store, at_least, depth));
        let checked = checked.and_then(|report| {
            let range = reach(report.survey());
            let needs = needed.as_ref().map_or(Ok(Vec::new()), |(survey, checkpoints)| {
                needs_of(survey, checkpoints, folder.as_str(), range)
            })?;
            Ok(Part::Log { folder: folder.clone(), report, needs })
        });
        seen(checked.unwrap_or_else(|error| Part::Failed { folder: folder.clone(), error }))?;
    }
    if let Some(folder) = logs.get(LOGS_MAX) {
        let message = format!("{LOGS_MAX} logs were checked, and there are more: check those by name");
        seen(Part::Failed { folder: folder.clone(), error: Error::new(Kind::Invalid, message) })?;
    }
    match journal {
        Ok(None) => Ok(()),
        Ok(Some(report)) => seen(Part::Journal(report)),
        Err(error) => seen(Part::Failed { folder: Name::new(journal::FOLDER)?, error }),
    }
}

/// What is wrong between a root's journal, its receivers' logs and its checkpoints; none, if it has no journal.
fn journal_of(root: &Root, whole: &dyn Store, depth: Depth) -> Result<Option<journal::Report>> {
    if !journal::is_below(whole)? {
        return Ok(None);
    }
    match journal::what_is_here(&root.journal()?) {
        Ok(Holds::Events) => Ok(Some(journal::check(root, whole, depth)?)),
        // Who has no driver may call a log so.
        Ok(Holds::Others(_)) if received_is_below(whole)? => Err(journal::none(whole)?),
        // Of one that cannot be read its own check tells.
        _ => Ok(None),
    }
}

/// Whether there are logs where a driver's receivers have theirs.
fn received_is_below(whole: &dyn Store) -> Result<bool> {
    Ok(logs_below(whole, LOGS_MAX)?.iter().any(|log| log.as_str().starts_with("received/")))
}

/// The positions that a log has or may have: where what is being written cannot be read, its end is not known.
fn reach(survey: &Survey) -> Range<Position> {
    survey.begins()..if survey.is_open() { Position(u64::MAX) } else { survey.end() }
}

/// How far a receiver's log reaches at least, by what the journal knows of it.
fn known_end(journal: &Result<Option<journal::Report>>, folder: &str) -> Position {
    let Ok(Some(report)) = journal else { return Position::START };
    let known = report.logs().iter().find(|known| {
        known.is_there && folder == format!("received/{}/{}", known.log.stream, known.log.receiver)
    });
    known.map_or(Position::START, |known| known.at_least)
}

/// What checkpoints need of a log and it does not have. A driver at work may have pruned checkpoints between the look at
/// them and the look at the log, and retired what only they needed: what is told was so before and after.
fn needs_of(
    before: &checkpoints::Survey,
    checkpoints: &Arc<dyn Store>,
    log: &str,
    range: Range<Position>,
) -> Result<Vec<Finding>> {
    let first = needs(before, log, range.clone());
    if first.is_empty() {
        return Ok(first);
    }
    let mut findings = needs(&checkpoints::survey(checkpoints)?, log, range);
    findings.retain(|finding| first.iter().any(|told| told.file == finding.file));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use headwater_wal::store::sim::Sim;
    use headwater_wal::{Log, Options, Time, look};

    use super::*;

    #[test]
    fn a_log_that_is_being_written_and_cannot_be_read_has_no_end_to_hold_anything_against() {
        let sim = Sim::leases(1);
        let log = Log::open(sim.store(), Options::default()).unwrap().start_stepped(Position::START).unwrap();
        let ticket = log.append(Time(1), "x").unwrap();
        let handle = ticket.wait().unwrap();
        let range = || reach(&look(&*sim.store(), Position::START, Depth::Quick).unwrap());
        assert!(range().contains(&handle.end()), "{:?}", range());
        log.close().unwrap();
        assert_eq!(range().end, handle.end().max(range().end), "closed, it has one");
        assert!(range().end < Position(u64::MAX));
    }
}
