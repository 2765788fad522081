//! Checking checkpoints: everything that a look finds, and what each finding means for whoever owns the data.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use headwater_checkpoint::{Checkpoint, Checkpoints, Id, Object, Section};
use headwater_wal::store::Store;
use headwater_wal::{Depth, Error, Kind, Result};

use super::look::{Look, NAMED_MAX, Named, Origin, look, origin};
use super::report::{Checked, Report};
use super::survey::{Head, State};
use super::told::{self, BadSection};
use crate::{Finding, Severity};

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
                Kind::Unsupported => self.find(Severity::Unsupported, |_| told::unsupported(&error, &[id])),
                _ => self.find(Severity::Damaged, |check| told::damaged_head(&check.look.survey, id, &error)),
            }
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
                let name = part(of, ordinal).name();
                let (file, what) = match check.store.read(&name, 0..1) {
                    Ok(_) => (name.to_string(), "a part that is not as long as its head says"),
                    Err(_) => (format!("{name} (missing)"), "a part is missing"),
                };
                let section = check.section_name(of, &by);
                let bad = BadSection { file, offset: None, what: what.to_owned(), section, of: &by };
                told::bad_section(&check.look.survey, bad)
            });
        }
        // Of two heads that differ about the same parts the older one is wrong about them.
        let differs = |head: &&Head| {
            let names = |named: &Named| named.by.contains(&head.id) && named.parts.iter().any(|p| !p.2);
            self.ids.contains(&head.id)
                && head.stated.is_some()
                && head.wrong.is_some()
                && !self.look.named.values().any(names)
        };
        let differing: Vec<Head> = self.look.survey.heads.iter().filter(differs).cloned().collect();
        for Head { id, wrong, .. } in differing {
            let Some(error) = wrong else { continue };
            self.spoil(&[id]);
            self.find(Severity::Damaged, |check| told::damaged_head(&check.look.survey, id, &error));
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
        if section.objects().count() != self.look.named[&of].parts.len() {
            return Ok(()); // A newer head states it otherwise, which is told already.
        }
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
                    let site = error.site();
                    let bad = BadSection {
                        file: site.map(|site| site.name.clone()).unwrap_or_default(),
                        offset: site.map(|site| site.offset),
                        what: told::words(&error),
                        section: Some(section.name().to_owned()),
                        of: &by,
                    };
                    told::bad_section(&check.look.survey, bad)
                });
            }
            Kind::Unsupported => {
                self.spoil(&by);
                self.find(Severity::Unsupported, |_| told::unsupported(&error, &by));
            }
            _ => return Err(error),
        }
        Ok(())
    }

    /// Heads and parts that nobody needs any more, and kept ones that are not there.
    fn kept_no_longer(&mut self) {
        for id in self.look.survey.gone.clone() {
            self.find(Severity::Lost, |_| told::gone(id));
        }
        let beside = self.look.survey.heads.iter().filter(|head| !head.state.counts());
        let beside: Vec<(Id, State)> = beside.map(|head| (head.id, head.state)).collect();
        for (id, state) in beside {
            self.find(Severity::SetAside, |_| told::beside(id, state));
        }
        let litter = self.look.survey.litter;
        if litter.count > 0 {
            self.find(Severity::SetAside, |_| told::litter(litter));
        }
    }

    fn foreign(&mut self) {
        for name in self.look.survey.foreign.clone() {
            self.find(Severity::Foreign, |_| told::foreign(name));
        }
        if self.look.survey.foreign_count > 0 {
            self.counts.insert(Severity::Foreign, self.look.survey.foreign_count);
        }
    }
}

fn part(of: Origin, ordinal: u32) -> Object {
    Object::Part { of: of.0, section: of.1, part: ordinal }
}
