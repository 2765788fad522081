//! What a check of checkpoints answers.

use std::fmt;

use headwater_checkpoint::Id;
use headwater_wal::Depth;

use super::Survey;
use crate::{Finding, Severity};

/// What a check found. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) survey: Survey,
    pub(super) depth: Depth,
    pub(super) findings: Vec<Finding>,
    /// How many there are of each severity, also of those that are not named.
    pub(super) counts: Vec<(Severity, u64)>,
    pub(super) checked: Vec<Checked>,
    pub(super) read_bytes: u64,
}

/// What a check says of one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Which one.
    pub id: Id,
    /// How many findings spoil it; none: it is whole, as far as was read.
    pub spoiled: u64,
}

impl Report {
    /// The folder as it was found.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// How much was read.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// What was found, the worst first; of each severity the first hundred.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The checkpoints that were checked, oldest first.
    pub fn checked(&self) -> &[Checked] {
        &self.checked
    }

    /// The newest checkpoint that is whole, as far as was read.
    pub fn restorable(&self) -> Option<Id> {
        self.checked.iter().rfind(|checked| checked.spoiled == 0).map(|checked| checked.id)
    }

    /// How many bytes of heads and sections were read and verified, or were found not to.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Whether nothing is damaged, as far as was read and can be told.
    pub fn is_sound(&self) -> bool {
        self.count(Severity::Damaged) == 0
    }

    /// The one word for the folder's state, which stays: `clean`, `damaged`, or `unsupported` where a newer release wrote
    /// something of which this one cannot tell whether it is good.
    pub fn state(&self) -> &'static str {
        match (self.is_sound(), self.count(Severity::Unsupported)) {
            (false, _) => "damaged",
            (true, 0) => "clean",
            (true, _) => "unsupported",
        }
    }

    /// How many findings of a severity there are, also of those that are not named.
    pub fn count(&self, severity: Severity) -> u64 {
        self.counts.iter().find(|(found, _)| *found == severity).map_or(0, |(_, count)| *count)
    }
}

impl Report {
    /// In words, which of those that were checked are whole.
    fn whole(&self) -> Option<String> {
        let of = self.checked.len();
        let whole = self.checked.iter().filter(|checked| checked.spoiled == 0).count();
        Some(match (self.restorable(), of) {
            (_, 0) => return None,
            (Some(id), 1) => format!("{id} is whole"),
            (Some(id), of) if whole == of => format!("all of them are whole, {id} is the newest of them"),
            (Some(id), _) if whole == 1 => format!("only {id} is whole"),
            (Some(id), of) => format!("{whole} of {of} are whole, {id} is the newest of these"),
            (None, 1) => "it is not whole".into(),
            (None, _) => "none of them is whole".into(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let survey = &self.survey;
        let damages = self.count(Severity::Damaged);
        let verdict = match self.state() {
            "damaged" if damages == 1 => "DAMAGED in one place".into(),
            "damaged" => format!("DAMAGED in {damages} places"),
            "unsupported" => {
                "a newer release wrote some of it, and whether that is good cannot be told".into()
            }
            _ => "clean".to_owned(),
        };
        writeln!(f, "{}: {verdict}", survey.place)?;
        let of = plural(self.checked.len(), "checkpoint");
        match (self.depth, self.checked.is_empty()) {
            (_, true) => writeln!(f, "    no checkpoint was published yet")?,
            (Depth::Full, _) => writeln!(f, "    every byte of {of} was read, {} in all", self.read_bytes)?,
            (Depth::Quick, _) => {
                writeln!(f, "    quick: of {of} the heads were read, and of parts the lengths")?;
            }
        }
        if let Some(whole) = self.whole() {
            let so_far = if self.depth == Depth::Quick { ", as far as was read" } else { "" };
            writeln!(f, "    {whole}{so_far}")?;
        }
        for finding in &self.findings {
            writeln!(f, "\n{finding}")?;
        }
        for (severity, count) in &self.counts {
            let named = self.findings.iter().filter(|finding| finding.severity == *severity).count() as u64;
            if *count > named {
                writeln!(f, "\n{severity:<10}and {} more that are not named here", count - named)?;
            }
        }
        Ok(())
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
