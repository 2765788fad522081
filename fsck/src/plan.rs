//! What a repair would do: worked out from a report, shown before anything is written.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use headwater_wal::format::header::LOST_MAX;
use headwater_wal::format::name;
use headwater_wal::format::scan::Fault;
use headwater_wal::store::{Name, Store, What, locking};
use headwater_wal::{Because, Damage, Depth, Position, Result, Survey, look};

use crate::Report;
use crate::lost::Damaged;
use crate::open::{REMEDY, open_segment};
use crate::repair::overlay::Overlay;
use crate::repair::{
    Action, Misplaced, header_at, header_behind, in_place, quarantine, ready_made, rebuild, said_behind,
    seal_again,
};

/// How often what was mended is looked at again.
const ROUNDS_MAX: usize = 32;

/// One thing that a repair does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done, in words.
    pub what: String,
    /// The file that it is done to, if it is one.
    pub file: Option<String>,
    /// The positions that it concerns.
    pub range: Option<Range<Position>>,
    /// What is given up by it; empty if nothing is. Such a step needs [`Consent::LoseData`].
    pub loses: String,
    pub(crate) actions: Vec<Action>,
    /// What a new epoch states as lost.
    pub(crate) states: Option<Range<Position>>,
    /// A new epoch is begun, and says where the log ends.
    pub(crate) settles: bool,
}

/// What whoever owns the data agrees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Steps that lose nothing, up to the first that loses something.
    SafeOnly,
    /// All of them: also those that give up what cannot be read.
    LoseData,
}

/// What a repair would do to a log, in order. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) place: String,
    pub(crate) at_least: Position,
    pub(crate) depth: Depth,
    pub(crate) steps: Vec<Step>,
    /// What only a person can do, and how.
    pub(crate) by_hand: Vec<String>,
    /// A segment that is open under a lease: until it is closed nothing is planned, for what it holds is not known.
    pub(crate) open: Option<Name>,
}

/// Works out what a repair would do about what a check has found. Nothing is written.
///
/// Every step is tried on what is there, in memory, and the log is looked at as it would be left: as deep as the report's
/// check did. So a plan reads as much as that check, once more for each round of what depends on one another.
pub fn plan(store: &Arc<dyn Store>, report: &Report) -> Result<Plan> {
    planned(store, report.at_least, report.depth, report.survey.clone())
}

/// The same from what a look has found.
pub(crate) fn planned(
    store: &Arc<dyn Store>,
    at_least: Position,
    depth: Depth,
    survey: Survey,
) -> Result<Plan> {
    let plan =
        |steps, by_hand| Ok(Plan { place: store.place(), at_least, depth, steps, by_hand, open: None });
    if let Some(file) = open_segment(&**store, &survey)? {
        let mut plan: Plan = plan(Vec::new(), Vec::new())?;
        if survey.damage_count() > 0 || survey.unfinished().is_some() {
            plan.by_hand.push(format!(
                "{file} is open under a lease, and nothing is repaired before it is closed: {REMEDY}; then check again"
            ));
        }
        plan.open = Some(file);
        return Ok(plan);
    }
    if survey.unfinished() == Some(name::UNFILLED) {
        return plan(
            Vec::new(),
            vec!["a salvage into this log was cut short: remove it, and salvage again".into()],
        );
    }
    let (mut planning, survey) = Planning::mend(store, at_least, depth, survey)?;
    planning.leftovers(&survey)?;
    planning.unfinished(&survey)?;
    planning.no_files(&**store)?;
    match survey.damage_count() {
        0 => planning.torn(&survey),
        _ => planning.losses(&survey, at_least)?,
    }
    plan(planning.steps, planning.by_hand)
}

/// The log as all that loses nothing would leave it, and what a look finds there.
pub(crate) fn mended(store: &Arc<dyn Store>) -> Result<(Overlay, Survey)> {
    // Of what summaries list a quick look sees no header.
    let depth = if store.append().is_some() { Depth::Quick } else { Depth::Full };
    let at_least = Position::START;
    let found = look(&**store, at_least, depth)?;
    let (planning, survey) = Planning::mend(store, at_least, depth, found)?;
    Ok((planning.now, survey))
}

/// A plan in the making.
struct Planning {
    /// The log as it will be.
    now: Overlay,
    kept: Name,
    steps: Vec<Step>,
    by_hand: Vec<String>,
    /// What was mended once and is still bad is not mended in the same way again.
    tried: BTreeSet<(Position, Mend)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mend {
    Header,
    End,
    Name,
}

impl Planning {
    /// Everything that loses nothing, done in memory; and what a look finds then.
    fn mend(
        store: &Arc<dyn Store>,
        at_least: Position,
        depth: Depth,
        mut survey: Survey,
    ) -> Result<(Self, Survey)> {
        let mut planning = Planning {
            now: Overlay::new(store.clone()),
            kept: quarantine::planned()?,
            steps: Vec::new(),
            by_hand: Vec::new(),
            tried: BTreeSet::new(),
        };
        for _ in 0..ROUNDS_MAX {
            if !planning.round(&survey)? {
                break;
            }
            survey = look(&planning.now, at_least, depth)?;
        }
        Ok((planning, survey))
    }

    /// Does something about what a look found; whether there was anything to do.
    fn round(&mut self, survey: &Survey) -> Result<bool> {
        let before = self.steps.len();
        // What lies where it does not belong comes first: much else may look damaged because of it.
        let ready = ready_made(&self.now, survey, &self.kept)?;
        let misplaced = if ready.is_empty() { in_place(&self.now, survey)? } else { ready };
        for Misplaced { file, what, actions } in misplaced {
            self.step(what, Some(&file), actions)?;
        }
        if self.steps.len() > before {
            return Ok(true);
        }
        for damage in survey.damages() {
            let Some(base) = name::parse_segment(&damage.file) else { continue };
            match damage.what {
                Fault::Missing => self.successor(survey, base)?,
                Fault::Header | Fault::Chain => self.header(survey, base)?,
                _ => self.end(survey, base)?,
            }
        }
        if self.steps.len() == before {
            self.unreached(survey)?;
        }
        Ok(self.steps.len() > before)
    }

    /// Files that the log does not come to: a header is made again for those in which anything verifies, the others are
    /// taken away.
    fn unreached(&mut self, survey: &Survey) -> Result<()> {
        // Where the log comes to a file, or its loss is stated, it stays where it is.
        let is_due = |base: Position| {
            base == survey.end()
                || survey.damages().iter().any(|damage| damage.range.start == base)
                || survey.lost().iter().any(|lost| lost.contains(&base))
        };
        let locked = locking(&self.now).is_some();
        let unreached = |because| matches!(because, Because::Damaged | Because::Torn);
        for aside in survey.aside().iter().filter(|aside| unreached(aside.because) && !is_due(aside.base)) {
            let file = segment(aside.base)?;
            if header_at(&self.now, survey, aside.base)?.is_some() {
                continue;
            }
            let steps = self.steps.len();
            self.header(survey, aside.base)?;
            // Where a file is made before it has a header, one without is nobody's yet, or a start's to judge.
            let nobodys = survey.torn().is_some() && !locked;
            if self.steps.len() == steps && !nobodys && self.tried.insert((aside.base, Mend::Name)) {
                let leaf = format!("{file}.spoilt");
                let what = "nothing in it verifies, and the log does not come to it; it is taken away".into();
                self.step(what, Some(&file), vec![Action::SetAside { file: file.clone(), leaf }])?;
                if let (Because::Damaged, Some(step)) = (aside.because, self.steps.last_mut()) {
                    step.loses = "what it may have held once".into();
                }
            }
        }
        Ok(())
    }

    /// Where a segment is missing by the footer before: that footer may be what is wrong, and one lie elsewhere that says
    /// it comes next.
    fn successor(&mut self, survey: &Survey, missing: Position) -> Result<()> {
        let Some(before) = survey.chain().segments().iter().rfind(|segment| segment.base < missing) else {
            return Ok(());
        };
        let behind = header_behind(&self.now, survey, before.base)?;
        let follows = said_behind(behind.as_ref(), before.base).is_some_and(|(base, previous)| {
            base != missing && (previous.end, Some(previous.seal)) == (before.end, before.seal)
        });
        if !follows || !before.sealed || !self.tried.insert((before.base, Mend::End)) {
            return Ok(());
        }
        let Some(action) = seal_again(&self.now, survey, before.base)? else { return Ok(()) };
        let what =
            "its footer is made again: it names a next segment that is not there, and another one follows it";
        self.step(what.into(), Some(&segment(before.base)?), vec![action])
    }

    fn header(&mut self, survey: &Survey, base: Position) -> Result<()> {
        if !self.tried.insert((base, Mend::Header)) {
            return Ok(());
        }
        let Some((action, how)) = rebuild(&self.now, survey, base)? else { return Ok(()) };
        self.step(how.into(), Some(&segment(base)?), vec![action])
    }

    /// Mends the end of a segment, if that is what is damaged: what a footer or a later epoch vouches for has none.
    fn end(&mut self, survey: &Survey, base: Position) -> Result<()> {
        let segments = survey.chain().segments();
        let here = segments.iter().find(|segment| segment.base == base);
        if here.is_none_or(|segment| segment.sealed) || !self.tried.insert((base, Mend::End)) {
            return Ok(());
        }
        let Some(action) = seal_again(&self.now, survey, base)? else { return Ok(()) };
        let what = match &action {
            Action::Rewrite { writes, .. } if writes.is_empty() => "the bytes behind its footer are cut off",
            _ => "its footer is made again from what it holds, so that the log goes on behind it",
        };
        self.step(what.into(), Some(&segment(base)?), vec![action])
    }

    /// What is no part of the log any more.
    fn leftovers(&mut self, survey: &Survey) -> Result<()> {
        let locked = locking(&self.now).is_some();
        for aside in survey.aside() {
            // Without a lock, an epoch's first segment keeps the next name of a replaced writer taken for ever.
            if aside.begins_epoch && !locked {
                continue;
            }
            let file = segment(aside.base)?;
            match aside.because {
                Because::Dead => {
                    let leaf = format!("{file}.dead");
                    let what = "a newer epoch has taken its range; it is taken away".into();
                    self.step(what, Some(&file), vec![Action::SetAside { file: file.clone(), leaf }])?;
                }
                Because::Retired => {
                    let what = "it was retired, and is removed".into();
                    self.step(what, Some(&file), vec![Action::Remove { file: file.clone() }])?;
                }
                Because::Torn | Because::Open | Because::Damaged => {}
            }
        }
        for leaf in survey.misleading() {
            let file = Name::new(name::SUMMARIES)?.join(leaf)?;
            let what = "a summary that does not say what the segments say; it is removed".into();
            self.step(what, Some(&file), vec![Action::Remove { file: file.clone() }])?;
        }
        Ok(())
    }

    /// The last of the changes: from here on the log may start.
    fn unfinished(&mut self, survey: &Survey) -> Result<()> {
        let Some(mark) = survey.unfinished() else { return Ok(()) };
        let mark = Name::new(mark)?;
        let what = "a repair was cut short; it is finished, and its mark is removed".into();
        self.step(what, Some(&mark), vec![Action::Remove { file: mark.clone() }])
    }

    /// What stands under the name of a segment and is no file.
    fn no_files(&mut self, store: &dyn Store) -> Result<()> {
        for page in store.list(&Name::ROOT)? {
            for entry in page? {
                if !matches!(entry.what, What::File(_)) && name::parse_segment(&entry.name).is_some() {
                    self.by_hand.push(format!(
                        "{} is no file, and a segment has this name: move it out of {}, and check again",
                        entry.name,
                        store.place()
                    ));
                }
            }
        }
        Ok(())
    }

    /// A tail that a crash left, which the next start would set aside. Where nobody can be locked out it may be a writer's
    /// who is at work, and is left to that start.
    fn torn(&mut self, survey: &Survey) {
        let Some(torn) = survey.torn().filter(|_| locking(&self.now).is_some()) else { return };
        self.steps.push(Step {
            what: "a tail that was being written when its writer stopped: a new epoch says that the log ends before it, \
                   as the next start would"
                .into(),
            file: torn.file.clone(),
            range: Some(torn.range.clone()),
            loses: String::new(),
            actions: Vec::new(),
            states: None,
            settles: true,
        });
    }

    /// What is still bad is lost, and a new epoch states it.
    fn losses(&mut self, survey: &Survey, at_least: Position) -> Result<()> {
        let refusing = look(&self.now, at_least, Depth::Quick)?.damage_count();
        if refusing > LOST_MAX as u64 {
            self.by_hand.push(format!(
                "the log cannot be followed in {refusing} places, and an epoch can state {LOST_MAX} that are lost: salvage \
                 what can be read into a new log"
            ));
            return Ok(());
        }
        let named = survey.damages().len() as u64;
        if survey.damage_count() > named {
            self.by_hand.push(format!(
                "{} more places are damaged than are named here: check again after this repair",
                survey.damage_count() - named
            ));
        }
        for damages in survey.damages().chunk_by(|one, other| one.file == other.file) {
            let damages: Vec<&Damage> = damages.iter().collect();
            let file = Damaged::read(&self.now, survey, &damages)?;
            for damage in damages {
                let loses = match &file {
                    Some(file) => file.tell(damage)?,
                    None => "all records at these positions".into(),
                };
                let Range { start, end } = damage.range;
                self.steps.push(Step {
                    what: format!("{}: a new epoch states for ever that this is lost", damage.what),
                    file: Some(damage.file.clone()),
                    range: Some(start..end),
                    loses,
                    actions: Vec::new(),
                    states: Some(start..end.max(start.plus(1))),
                    settles: true,
                });
            }
        }
        Ok(())
    }

    fn step(&mut self, what: String, file: Option<&Name>, actions: Vec<Action>) -> Result<()> {
        for action in &actions {
            self.now.apply(action, &self.kept)?;
        }
        let (file, loses) = (file.map(Name::to_string), String::new());
        self.steps.push(Step { what, file, range: None, loses, actions, states: None, settles: false });
        Ok(())
    }
}

fn segment(base: Position) -> Result<Name> {
    Name::new(name::segment(base))
}

impl Plan {
    /// Its steps, in the order in which they are done.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Those of them that a repair with this consent does. What comes after a step that is left may rest on it, and so is
    /// left too.
    pub fn steps_with(&self, consent: Consent) -> &[Step] {
        let left = self.steps.iter().position(|step| consent == Consent::SafeOnly && !step.loses.is_empty());
        &self.steps[..left.unwrap_or(self.steps.len())]
    }

    /// What no repair does, and a person can: a sentence each.
    pub fn by_hand(&self) -> &[String] {
        &self.by_hand
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a step gives up data.
    pub fn loses_data(&self) -> bool {
        self.steps.iter().any(|step| !step.loses.is_empty())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(file) = &self.file {
            write!(f, "\n    file  {file}")?;
        }
        if let Some(Range { start, end }) = &self.range {
            write!(f, "\n    range positions {start} to {end} ({} bytes)", end.since(*start))?;
        }
        match self.loses.as_str() {
            "" => write!(f, "\n    loses nothing"),
            loses => write!(f, "\n    loses {loses}"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.steps.len() {
            0 => writeln!(f, "{}: nothing to repair", self.place)?,
            1 => writeln!(f, "{}: a repair takes one step", self.place)?,
            count => writeln!(f, "{}: a repair takes {count} steps", self.place)?,
        }
        for (at, step) in self.steps.iter().enumerate() {
            writeln!(f, "\n{}. {step}", at + 1)?;
        }
        for text in &self.by_hand {
            writeln!(f, "\nby hand: {text}")?;
        }
        Ok(())
    }
}
