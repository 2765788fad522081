//! Checking a root's journal: its events against one another, the receivers' logs against what of them is pending, and the
//! kept checkpoints against both.

use std::collections::BTreeMap;

use headwater_checkpoint::journal::{ReceiverLog, State, Tracker};
use headwater_checkpoint::resume::Root;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Depth, Error, Kind, Position, Result, Survey, look};

use super::findings::Findings;
use super::kept::Kept;
use super::reading::{Journal, Seen};
use super::received::{There, checked, folder, spoiled};
use super::report::{CheckedLog, Report, plural};
use crate::{Finding, Severity, logs_below};

/// No root that people keep has more logs.
const LOGS_MAX: usize = 1000;

/// A check is repeated while the driver goes on under it.
const TRIES: u32 = 5;

/// Checks the journal of a root: every event, every block that is not done with in its receiver's log, every kept
/// checkpoint. `whole` is the store of the root itself, for finding the receivers' folders. With [`Depth::Quick`] blocks
/// are looked up by their places, and not read.
///
/// What is wrong with the logs by themselves, [`check`](crate::check()) tells, and whether checkpoints are whole
/// [`checkpoints::check`](crate::checkpoints::check). The errors are those of looking; `Unavailable` also where a driver is at work, and
/// removes files faster than they can be looked at.
pub fn check(root: &Root, whole: &dyn Store, depth: Depth) -> Result<Report> {
    let end = || Ok(look(&*root.journal()?, Position::START, Depth::Quick)?.end());
    for _ in 0..TRIES {
        let before: Position = end()?;
        let report = match once(root, whole, depth) {
            Err(error) if error.kind() == Kind::Retired => continue,
            other => other?,
        };
        // Beside a live driver, a block may be done with and retired while it is looked for, and the checkpoints that were
        // found may be pruned, and the journal behind them retired. All of that comes with records in the journal.
        if report.is_sound() || end()? == before {
            return Ok(report);
        }
    }
    let message =
        "the driver goes on while its journal is checked, and something was missing each time; try again";
    Err(Error::new(Kind::Unavailable, format!("{message} place={}", root.journal()?.place())))
}

fn once(root: &Root, whole: &dyn Store, depth: Depth) -> Result<Report> {
    let journal = Journal::of(root)?;
    let mut found = Findings::default();
    let mut reading = journal.read(Position::START)?;
    for seen in &mut reading {
        if let Seen::Finding(finding) = seen? {
            found.add(*finding);
        }
    }
    let survey = reading.survey();
    let mut logs = Vec::new();
    if let Some(state) = reading.state() {
        let mut checking = Checking { root, state, kept: journal.kept(), depth, found: &mut found };
        logs = checking.logs()?;
        checking.unknown(whole)?;
    } else {
        found.add(unknown_state(&journal));
    }
    Ok(Report {
        place: journal.place(),
        range: survey.begins()..survey.end(),
        events: reading.events(),
        checkpoints: journal.kept().len(),
        is_known: reading.state().is_some(),
        depth,
        logs,
        findings: found.sorted(),
    })
}

fn unknown_state(journal: &Journal) -> Finding {
    Finding {
        severity: Severity::Damaged,
        file: Some("journal".into()),
        offset: None,
        range: None,
        what: "what is pending is not known: the journal's beginning is retired or something in it is wrong, and no checkpoint \
               behind that can be read and fits"
            .into(),
        lost: "nothing by this alone; what it is that is wrong is told beside".into(),
        remedy: "mend what is told beside; until then no driver resumes here, and no receiver's log was held against the journal"
            .into(),
        next: Some(format!("wal-inspect journal {} --tail 20", journal.place())),
    }
}

struct Checking<'a> {
    root: &'a Root,
    state: &'a State,
    kept: &'a [Kept],
    depth: Depth,
    found: &'a mut Findings,
}

impl Checking<'_> {
    /// Every log that the journal knows.
    fn logs(&mut self) -> Result<Vec<CheckedLog>> {
        let mut folders: BTreeMap<(u32, u32), Vec<ReceiverLog>> = BTreeMap::new();
        for log in self.state.tracker().logs() {
            folders.entry((log.stream, log.receiver)).or_default().push(log);
        }
        let mut all = Vec::new();
        for ((stream, receiver), logs) in folders {
            let store = self.root.received(stream, receiver)?;
            let survey = match look(&*store, Position::START, Depth::Quick) {
                Ok(survey) => survey,
                Err(error) if matches!(error.kind(), Kind::Unsupported | Kind::Damaged) => {
                    self.found.add(unread(logs[0], &error));
                    all.extend(logs.iter().map(|log| checked(self.state.tracker(), *log)));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for log in &logs {
                if is(&survey, *log) {
                    let (state, kept, depth) = (self.state, self.kept, self.depth);
                    let there = There { log: *log, store: &store, survey: &survey, state, kept, depth };
                    all.push(there.check(self.found)?);
                } else {
                    all.push(self.missing(*log, &survey));
                }
            }
            self.other(&logs, &survey);
        }
        Ok(all)
    }

    fn missing(&mut self, log: ReceiverLog, survey: &Survey) -> CheckedLog {
        let tracker = self.state.tracker();
        let mut checked = checked(tracker, log);
        checked.bad = checked.blocks;
        let instead = match survey.identity() {
            Some(identity) => format!("another log lies in its folder, {:016x}", identity.short()),
            None => "its folder holds no log".to_owned(),
        };
        let needs = needing(tracker, log);
        let next = Some(format!("wal-inspect journal {} --state", root_of(self.root)));
        let file = Some(folder(log));
        self.found.add(match checked.blocks {
            0 => Finding {
                severity: Severity::SetAside,
                file,
                offset: None,
                range: None,
                what: format!("the journal knows a log that is not there: {log}; {instead}"),
                lost: "nothing that is pending; what its receiver had not reported, if there was anything".into(),
                remedy: "nothing: a receiver that has lost its log begins another one".into(),
                next: None,
            },
            blocks => Finding {
                severity: Severity::Damaged,
                file,
                offset: None,
                range: None,
                what: format!("the log of {} is not there: {log}; {instead}", plural(blocks, "pending block")),
                lost: format!("{}: {needs}", plural(blocks, "block")),
                remedy: "put the log back from a copy, if there is one; where there is none, give those batches up on purpose \
                         (`Journal::give_up`), and the reason is on record"
                    .into(),
                next,
            },
        });
        let settled = tracker.settled(log);
        for kept in self.kept.iter().filter(|kept| kept.newest && checked.blocks == 0) {
            // Batches that have ended since are run again from it.
            let needs = kept.said.as_ref().is_ok_and(|said| Some(said.need.from(log)) <= settled);
            if needs {
                self.found.add(spoiled(kept, log, "needs blocks of a log that is not there"));
            }
        }
        checked
    }

    /// A log in a known receiver's folder that the journal does not know.
    fn other(&mut self, logs: &[ReceiverLog], survey: &Survey) {
        if holds_anything(survey) && !logs.iter().any(|log| is(survey, *log)) {
            self.found.add(unreported(&folder(logs[0]), survey));
        }
    }

    /// The folders that no journal knows.
    fn unknown(&mut self, whole: &dyn Store) -> Result<()> {
        let known: Vec<String> = self.state.tracker().logs().map(folder).collect();
        for name in logs_below(whole, LOGS_MAX)? {
            if !name.as_str().starts_with("received/") || known.iter().any(|known| known == name.as_str()) {
                continue;
            }
            let Some((stream, receiver)) = numbers(&name) else {
                self.found.add(Finding {
                    severity: Severity::Foreign,
                    file: Some(name.to_string()),
                    offset: None,
                    range: None,
                    what: "a log in a folder that is no receiver's: those are called received/STREAM/RECEIVER, by numbers"
                        .into(),
                    lost: String::new(),
                    remedy: "move it away, if nobody needs it here".into(),
                    next: None,
                });
                continue;
            };
            match look(&*self.root.received(stream, receiver)?, Position::START, Depth::Quick) {
                Ok(survey) if holds_anything(&survey) => self.found.add(unreported(name.as_str(), &survey)),
                // Its receiver has not cut a block yet.
                Ok(_) => {}
                // Whoever checks the log by itself is told.
                Err(error) if matches!(error.kind(), Kind::Unsupported | Kind::Damaged) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is(survey: &Survey, log: ReceiverLog) -> bool {
    survey.identity().is_some_and(|identity| identity.short() == log.identity)
}

fn holds_anything(survey: &Survey) -> bool {
    survey.chain().segments().iter().any(|segment| !segment.begins_epoch)
}

fn numbers(name: &Name) -> Option<(u32, u32)> {
    let mut parts = name.as_str().split('/').skip(1);
    let (stream, receiver) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let plain = format!("received/{stream}/{receiver}");
    (plain == name.as_str()).then_some((stream, receiver))
}

fn root_of(root: &Root) -> String {
    let place = root.journal().map(|journal| journal.place()).unwrap_or_default();
    place.strip_suffix("/journal").map_or(place.clone(), str::to_owned)
}

/// Who needs blocks of a log, in words.
fn needing(tracker: &Tracker, log: ReceiverLog) -> String {
    const NAMED_MAX: usize = 10;
    let mut holders = Vec::new();
    let mut more = 0;
    for allotment in tracker.unfinished() {
        let blocks: u64 = allotment.runs().filter(|run| run.log == log).map(|run| run.blocks).sum();
        match blocks {
            0 => {}
            _ if holders.len() == NAMED_MAX => more += 1,
            blocks => holders.push(format!("{blocks} of batch {}", allotment.batch())),
        }
    }
    if more > 0 {
        holders.push(format!("those of {more} more batches"));
    }
    holders.extend(tracker.waiting_run(log).map(|run| format!("{} that no batch has yet", run.blocks)));
    holders.join(", ")
}

fn unread(log: ReceiverLog, error: &Error) -> Finding {
    let newer = error.kind() == Kind::Unsupported;
    Finding {
        severity: if newer { Severity::Unsupported } else { Severity::Damaged },
        file: Some(folder(log)),
        offset: None,
        range: None,
        what: format!("the receiver's log could not be looked at: {error}"),
        lost: String::new(),
        remedy: if newer { "use the release that wrote it" } else { "see what a check of the log says" }
            .into(),
        next: None,
    }
}

fn unreported(folder: &str, survey: &Survey) -> Finding {
    let segments = survey.chain().segments();
    let known: u64 = segments.iter().filter_map(|segment| segment.records).sum();
    let identity = survey.identity().map_or(0, |identity| identity.short());
    Finding {
        severity: Severity::SetAside,
        file: Some(folder.into()),
        offset: None,
        range: Some(survey.begins()..survey.end()),
        what: format!("the journal knows nothing of the log in this folder, {identity:016x}"),
        lost: match known {
            0 => String::new(),
            _ => "nothing: no source was told that what it holds is safe".into(),
        },
        remedy: "start its receiver, which first reports what the log holds; or move it away, if it is not of this root".into(),
        next: None,
    }
}
