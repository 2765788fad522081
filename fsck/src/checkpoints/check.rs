//! Checking checkpoints: everything that a look finds, and what each finding means for whoever owns the data.

use std::collections::{BTreeMap, HashSet};
use std::error::Error as _;
use std::sync::Arc;

use headwater_checkpoint::{Checkpoint, Checkpoints, Id, Object, Section};
use headwater_wal::store::Store;
use headwater_wal::{Depth, Error, Kind, Result};

use super::report::{Checked, Report};
use super::survey::{Head, Look, NAMED_MAX, Origin, State, look, origin};
use crate::{Finding, Severity};

/// So many checkpoints are named in a text.
const NAMED_IN_TEXT_MAX: usize = 10;

/// Checks the folder of checkpoints at a store's root: all that count, what they share once.
///
/// Damage is no error of the check, but what it is for: it stands in the report, and so does what a newer release wrote.
/// The errors are those of looking: `NotThere` if no checkpoints are here, `Unavailable` if they could not be read.
pub fn check(store: &Arc<dyn Store>, depth: Depth) -> Result<Report> {
    let look = look(store)?;
    let heads = look.survey.heads.iter();
    let ids = heads.filter(|head| head.state.counts()).map(|head| head.id).collect();
    let mut check = Check::of(store, look, depth, ids);
    check.heads();
    check.parts_that_are_not_there();
    if depth == Depth::Full {
        check.read_all()?;
    }
    check.kept_no_longer();
    check.foreign();
    Ok(check.report())
}

/// Reads every byte of these checkpoints, also of such as do not count any more, what they share once, and says nothing
/// of the others.
///
/// `NotThere`: one of them is not there. Otherwise as [`check`].
pub fn verify(store: &Arc<dyn Store>, ids: &[Id]) -> Result<Report> {
    let look = look(store)?;
    if let Some(id) = ids.iter().find(|id| look.survey.head(**id).is_none()) {
        let message = format!(
            "there is no such checkpoint: checkpoint={id}; for those that there are:\n  wal-inspect checkpoints {}",
            look.survey.place
        );
        return Err(Error::new(Kind::NotThere, message));
    }
    let mut check = Check::of(store, look, Depth::Full, ids.iter().copied().collect());
    check.heads();
    check.parts_that_are_not_there();
    check.read_all()?;
    Ok(check.report())
}

struct Check {
    store: Arc<dyn Store>,
    look: Look,
    depth: Depth,
    /// Which checkpoints are checked.
    ids: HashSet<Id>,
    /// How many findings spoil which.
    spoiled: BTreeMap<Id, u64>,
    /// Those that were pruned while they were read.
    went: HashSet<Id>,
    findings: Vec<Finding>,
    counts: BTreeMap<Severity, u64>,
    read_bytes: u64,
}

impl Check {
    fn of(store: &Arc<dyn Store>, look: Look, depth: Depth, ids: HashSet<Id>) -> Check {
        Check {
            store: store.clone(),
            look,
            depth,
            ids,
            spoiled: BTreeMap::new(),
            went: HashSet::new(),
            findings: Vec::new(),
            counts: BTreeMap::new(),
            read_bytes: 0,
        }
    }

    fn report(mut self) -> Report {
        self.findings.sort_by_key(|finding| finding.severity);
        let heads = self.look.survey.heads.iter().map(|head| head.id);
        let checked = heads.filter(|id| self.ids.contains(id) && !self.went.contains(id));
        let spoiled = |id: Id| self.spoiled.get(&id).copied().unwrap_or(0);
        Report {
            checked: checked.map(|id| Checked { id, spoiled: spoiled(id) }).collect(),
            depth: self.depth,
            findings: self.findings,
            counts: self.counts.into_iter().collect(),
            read_bytes: self.read_bytes,
            survey: self.look.survey,
        }
    }

    /// Notes a finding; of each severity a hundred are named.
    fn find(&mut self, severity: Severity, finding: impl FnOnce(&Check) -> Finding) {
        let count = self.counts.entry(severity).or_default();
        *count += 1;
        if *count <= NAMED_MAX as u64 {
            let finding = finding(self);
            self.findings.push(finding);
        }
    }

    fn spoil(&mut self, ids: &[Id]) {
        for id in ids {
            *self.spoiled.entry(*id).or_default() += 1;
        }
    }

    /// Heads that do not verify, or that a newer release wrote.
    fn heads(&mut self) {
        let checked = |head: &&Head| self.ids.contains(&head.id) && head.stated.is_none();
        let bad: Vec<Head> = self.look.survey.heads.iter().filter(checked).cloned().collect();
        for Head { id, wrong, .. } in bad {
            let Some(error) = wrong else { continue };
            self.spoil(&[id]);
            match error.kind() {
                Kind::Unsupported => {
                    self.find(Severity::Unsupported, |check| check.unsupported(&error, &[id]))
                }
                _ => self.find(Severity::Damaged, |check| check.damaged_head(id, &error)),
            }
        }
    }

    fn damaged_head(&self, id: Id, error: &Error) -> Finding {
        let newest = self.look.survey.newest;
        let without = match newest {
            Some(newest) if newest > id => {
                "without one it takes no more than room, and is swept once it is kept no longer".to_owned()
            }
            Some(newest) => format!(
                "without one it is passed over, and {newest} is restored from, for as long as the logs hold what that one \
                 needs"
            ),
            None => NOTHING_LEFT.to_owned(),
        };
        Finding {
            severity: Severity::Damaged,
            file: Some(Object::Head(id).name().to_string()),
            offset: error.site().map(|site| site.offset),
            range: None,
            what: words(error),
            lost: format!("checkpoint {id}"),
            remedy: format!("put the object back from a copy, if there is one, and check again; {without}"),
            next: Some(format!("wal-inspect checkpoints {} list", self.look.survey.place)),
        }
    }

    fn unsupported(&self, error: &Error, ids: &[Id]) -> Finding {
        Finding {
            severity: Severity::Unsupported,
            file: error.site().map(|site| site.name.clone()),
            offset: error.site().map(|site| site.offset),
            range: None,
            what: words(error),
            lost: format!("nothing: {} cannot be read by this release", some(ids)),
            remedy: "use the release that wrote it; do not remove it, for what older checkpoints need may be retired".into(),
            next: None,
        }
    }

    /// The heads among those that are checked that name it, newest first.
    fn checked(&self, by: &[Id]) -> Vec<Id> {
        by.iter().copied().filter(|id| self.ids.contains(id) && !self.went.contains(id)).collect()
    }

    fn parts_that_are_not_there(&mut self) {
        let mut missing: Vec<(Origin, u32)> = Vec::new();
        for (of, named) in &self.look.named {
            if named.by.iter().any(|id| self.ids.contains(id)) {
                let absent = named.parts.iter().zip(0..).filter(|((.., there), _)| !there);
                missing.extend(absent.map(|(_, ordinal)| (*of, ordinal)));
            }
        }
        for (of, ordinal) in missing {
            let by = self.checked(&self.look.named[&of].by);
            self.spoil(&by);
            self.find(Severity::Damaged, |check| {
                let name = part(of, ordinal);
                let found = check.store.read(&Object::name(&name), 0..1);
                let (file, what) = match found {
                    Ok(_) => (name.name().to_string(), "a part that is not as long as its head says"),
                    Err(_) => (format!("{} (missing)", name.name()), "a part is missing"),
                };
                check.bad_part(file, None, what.to_owned(), check.section_name(of, &by), &by)
            });
        }
        // Of two heads that differ about the same parts the older one is wrong about them.
        let differs = |head: &&Head| {
            let names = |named: &super::survey::Named| {
                named.by.contains(&head.id) && named.parts.iter().any(|p| !p.2)
            };
            self.ids.contains(&head.id)
                && head.stated.is_some()
                && head.wrong.is_some()
                && !self.look.named.values().any(names)
        };
        let differing: Vec<Head> = self.look.survey.heads.iter().filter(differs).cloned().collect();
        for Head { id, wrong, .. } in differing {
            let Some(error) = wrong else { continue };
            self.spoil(&[id]);
            self.find(Severity::Damaged, |check| check.damaged_head(id, &error));
        }
    }

    /// What the section is called by the newest of those that name it.
    fn section_name(&self, of: Origin, by: &[Id]) -> Option<String> {
        let checkpoint = Checkpoints::open(self.store.clone()).get(*by.first()?).ok()?;
        let is = |section: &&Section| {
            section
                .objects()
                .next()
                .and_then(|(object, ..)| origin(object))
                .is_some_and(|(found, _)| found == of)
        };
        checkpoint.sections().iter().find(is).map(|section| section.name().to_owned())
    }

    fn bad_part(
        &self,
        file: String,
        offset: Option<u64>,
        what: String,
        section: Option<String>,
        by: &[Id],
    ) -> Finding {
        let section = section.map_or("a section".to_owned(), |name| format!("section {name:?}"));
        Finding {
            severity: Severity::Damaged,
            file: Some(file),
            offset,
            range: None,
            what,
            lost: format!("{section} of {}", some(by)),
            remedy: "put the object back from a copy, if there is one, and check again; where there is none, an application \
                     that runs must write this section anew in its next checkpoint, for one that keeps it shares the damage; \
                     one that restores gets an error, and has to fall back to a checkpoint that is whole, or to rebuild from \
                     the logs"
                .into(),
            next: by.first().map(|id| format!("wal-inspect checkpoints {} show {id}", self.look.survey.place)),
        }
    }

    /// Reads every section of what is checked, newest first, what is shared once.
    fn read_all(&mut self) -> Result<()> {
        let checkpoints = Checkpoints::open(self.store.clone());
        let stated = self.look.survey.heads.iter().rev().filter(|head| head.stated.is_some());
        let ids: Vec<Id> = stated.map(|head| head.id).filter(|id| self.ids.contains(id)).collect();
        let mut done: HashSet<Origin> = HashSet::new();
        for id in ids {
            let checkpoint = match checkpoints.get(id) {
                Ok(checkpoint) => checkpoint,
                Err(error) if error.kind() == Kind::NotThere => {
                    self.went.insert(id);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.read_bytes += self.look.survey.head(id).map_or(0, |head| head.object_bytes);
            for section in checkpoint.sections() {
                match section.objects().next().and_then(|(object, ..)| origin(object)) {
                    None => self.read_inside(&checkpoints, &checkpoint, section)?,
                    Some((of, _)) if done.insert(of) => {
                        self.read_parts(&checkpoints, &checkpoint, section, of)?;
                    }
                    Some(_) => {}
                }
                if self.went.contains(&id) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn read_inside(
        &mut self,
        checkpoints: &Checkpoints,
        checkpoint: &Checkpoint,
        section: &Section,
    ) -> Result<()> {
        let Err(error) = checkpoints.read_section(checkpoint, section.name()).map(drop) else {
            return Ok(());
        };
        self.bad(checkpoints, error, section, vec![checkpoint.id()])
    }

    fn read_parts(
        &mut self,
        checkpoints: &Checkpoints,
        checkpoint: &Checkpoint,
        section: &Section,
        of: Origin,
    ) -> Result<()> {
        for ordinal in 0..self.look.named[&of].parts.len() {
            let (bytes, _, there) = self.look.named[&of].parts[ordinal];
            if !there {
                continue; // It is told already.
            }
            self.read_bytes += u64::from(bytes);
            if let Err(error) = checkpoints.read_part(checkpoint, section, ordinal as u32) {
                let by = self.checked(&self.look.named[&of].by);
                self.bad(checkpoints, error, section, by)?;
            }
        }
        Ok(())
    }

    /// What is wrong with something that was read, if it is not that its checkpoints were pruned meanwhile.
    fn bad(
        &mut self,
        checkpoints: &Checkpoints,
        error: Error,
        section: &Section,
        mut by: Vec<Id>,
    ) -> Result<()> {
        if error.kind() == Kind::Retired {
            let there: HashSet<Id> = checkpoints.list()?.into_iter().collect();
            self.went.extend(by.iter().filter(|id| !there.contains(id)));
            by.retain(|id| there.contains(id));
        }
        match error.kind() {
            _ if by.is_empty() => return Ok(()),
            Kind::Damaged | Kind::Retired => {
                self.spoil(&by);
                self.find(Severity::Damaged, |check| {
                    let (file, offset) = match error.site() {
                        Some(site) => (site.name.clone(), Some(site.offset)),
                        None => (String::new(), None),
                    };
                    check.bad_part(file, offset, words(&error), Some(section.name().to_owned()), &by)
                });
            }
            Kind::Unsupported => {
                self.spoil(&by);
                self.find(Severity::Unsupported, |check| check.unsupported(&error, &by));
            }
            _ => return Err(error),
        }
        Ok(())
    }

    /// Heads and parts that nobody needs any more, and kept ones that are not there.
    fn kept_no_longer(&mut self) {
        for id in self.look.survey.gone.clone() {
            self.find(Severity::Lost, |_| Finding {
                severity: Severity::Lost,
                file: Some(format!("{} (missing)", Object::Head(id).name())),
                offset: None,
                range: None,
                what: "the newest checkpoint was to be kept together with this one, which is not there: it was removed by \
                       hand, or lost, or pruned by a newer checkpoint that is gone itself"
                    .into(),
                lost: format!("checkpoint {id}, as one to fall back on"),
                remedy: "nothing: the newest does without it".into(),
                next: None,
            });
        }
        let beside = |head: &&Head| !head.state.counts();
        let beside: Vec<(Id, State)> =
            self.look.survey.heads.iter().filter(beside).map(|head| (head.id, head.state)).collect();
        for (id, state) in beside {
            let what = match state {
                State::Dead => {
                    "is not among those that the newest checkpoint keeps: its writer was replaced, or it was passed over"
                }
                _ => "is kept no longer, and not removed yet",
            };
            self.find(Severity::SetAside, |_| set_aside(Object::Head(id).name().to_string(), what.into()));
        }
        let litter = self.look.survey.litter;
        if litter.count > 0 {
            let what = format!(
                "{} objects of {} bytes that no checkpoint that counts is known to name",
                litter.count, litter.bytes
            );
            self.find(Severity::SetAside, |_| set_aside(Object::PARTS.into(), what));
        }
    }

    fn foreign(&mut self) {
        for name in self.look.survey.foreign.clone() {
            self.find(Severity::Foreign, |_| Finding {
                severity: Severity::Foreign,
                file: Some(name),
                offset: None,
                range: None,
                what: "not of checkpoints; it was neither opened nor changed".into(),
                lost: String::new(),
                remedy: "move it away, if nobody needs it here".into(),
                next: None,
            });
        }
        if self.look.survey.foreign_count > 0 {
            self.counts.insert(Severity::Foreign, self.look.survey.foreign_count);
        }
    }
}

const NOTHING_LEFT: &str = "without one there is no checkpoint left to restore from, and the state has to be rebuilt from \
                            the logs, if they still hold everything";

fn set_aside(file: String, what: String) -> Finding {
    Finding {
        severity: Severity::SetAside,
        file: Some(file),
        offset: None,
        range: None,
        what,
        lost: String::new(),
        remedy: "nothing: the writer of checkpoints sweeps it after the next one; if it stays, `Writer::unswept` says why"
            .into(),
        next: None,
    }
}

fn part(of: Origin, ordinal: u32) -> Object {
    Object::Part { of: of.0, section: of.1, part: ordinal }
}

/// An error without its kind and its place, which a finding has by themselves, and with what caused it.
fn words(error: &Error) -> String {
    let mut text = error.to_string();
    if let Some(site) = error.site() {
        let place = format!(" file={} offset={}", site.name, site.offset);
        text.truncate(text.strip_suffix(place.as_str()).map_or(text.len(), str::len));
    }
    let mut text = text.strip_prefix(&format!("{}: ", error.kind())).unwrap_or(&text).to_owned();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn some(ids: &[Id]) -> String {
    let named: Vec<String> = ids.iter().take(NAMED_IN_TEXT_MAX).map(Id::to_string).collect();
    let more = match ids.len().saturating_sub(NAMED_IN_TEXT_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = if ids.len() == 1 { "checkpoint" } else { "checkpoints" };
    format!("{what} {}{more}", named.join(", "))
}
