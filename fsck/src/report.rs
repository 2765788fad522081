//! What a check answers.

use std::fmt;

use headwater_wal::format::scan::Fault;
use headwater_wal::{Depth, Position, Survey};

use crate::open::being_written;
use crate::{Finding, Severity};

/// What a check found. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) survey: Survey,
    pub(crate) depth: Depth,
    /// What the caller knew was acknowledged.
    pub(crate) at_least: Position,
    pub(crate) findings: Vec<Finding>,
    pub(crate) unreadable: u64,
}

impl Report {
    /// The log as it was found.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// How much was read.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// What was found, the worst first; of damages and foreign names the first hundred each.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many records of the log verify, as far as they were counted: all of them after a full check.
    pub fn records(&self) -> u64 {
        let records: u64 = self.survey.chain().segments().iter().filter_map(|segment| segment.records).sum();
        records.saturating_sub(self.unreadable)
    }

    /// How many records do not verify of those that the footers of sealed segments count: at least so many are lost.
    pub fn lost_records(&self) -> u64 {
        self.unreadable
    }

    /// How many bytes of the log lie where something of records is damaged, or was and the loss was accepted: at most so
    /// much is lost. Of damages that are not named nothing is known.
    pub fn lost_bytes(&self) -> u64 {
        let damages = self.survey.damages().iter().filter(|damage| costs_records(damage.what));
        let ranges = damages.map(|damage| &damage.range).chain(self.survey.lost());
        ranges.fold(0, |sum, range| sum.saturating_add(range.end.since(range.start)))
    }

    /// Whether nothing is damaged, as far as was read. A torn tail, files set aside and foreign names are no damage.
    pub fn is_sound(&self) -> bool {
        self.survey.damage_count() == 0 && self.survey.unfinished().is_none()
    }

    /// The one word for the log's state, which stays: `clean`, `torn` or `damaged`.
    pub fn state(&self) -> &'static str {
        match (self.is_sound(), self.survey.torn()) {
            (false, _) => "damaged",
            (true, Some(_)) => "torn",
            (true, None) => "clean",
        }
    }

    /// How many findings of a severity there are, also of those that are not named.
    pub fn count(&self, severity: Severity) -> u64 {
        match severity {
            Severity::Damaged => self.survey.damage_count() + u64::from(self.survey.unfinished().is_some()),
            Severity::Foreign => self.survey.foreign_count(),
            _ => self.findings.iter().filter(|finding| finding.severity == severity).count() as u64,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let survey = &self.survey;
        let verdict = match self.state() {
            "damaged" => match survey.damage_count() {
                1 => "DAMAGED in one place".into(),
                count => format!("DAMAGED in {count} places"),
            },
            "torn" => "sound; a crash left a torn tail, of which nothing was acknowledged".into(),
            _ => "clean".to_string(),
        };
        writeln!(f, "{}: {verdict}", survey.place())?;
        if let Some(open) = being_written(survey) {
            writeln!(f, "    as far as can be read: {open}")?;
        }
        let segments = survey.chain().segments();
        if let Some(identity) = survey.identity() {
            writeln!(
                f,
                "    log {identity}, epoch {}, positions {} to {}",
                survey.epoch(),
                survey.begins(),
                survey.end()
            )?;
        }
        match self.depth {
            Depth::Full => {
                let records = plural(self.records(), "record");
                writeln!(f, "    every byte of {} was read: {records} verify", files(segments.len()))?;
            }
            Depth::Quick => writeln!(
                f,
                "    quick: of {} only headers, footers and what they do not prove were read",
                files(segments.len())
            )?,
        }
        for finding in &self.findings {
            writeln!(f, "\n{finding}")?;
        }
        for severity in [Severity::Damaged, Severity::Foreign] {
            let named = self.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
            let more = self.count(severity).saturating_sub(named);
            if more > 0 {
                writeln!(f, "\n{severity:<10}and {more} more that are not named here")?;
            }
        }
        Ok(())
    }
}

fn costs_records(what: Fault) -> bool {
    match what {
        Fault::Layout | Fault::Footer | Fault::Behind => false,
        Fault::Payload | Fault::Group | Fault::Frame | Fault::Header | Fault::Missing | Fault::Chain => true,
    }
}

fn files(count: usize) -> String {
    plural(count as u64, "segment")
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
