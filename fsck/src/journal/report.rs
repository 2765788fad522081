//! What a check of a journal answers.

use std::fmt;
use std::ops::Range;

use headwater_checkpoint::journal::ReceiverLog;
use headwater_wal::{Depth, Position};

use super::findings::Findings;
use crate::{Finding, Severity};

/// What a check found. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) place: String,
    pub(super) range: Range<Position>,
    pub(super) events: u64,
    pub(super) checkpoints: usize,
    pub(super) is_known: bool,
    pub(super) depth: Depth,
    pub(super) logs: Vec<CheckedLog>,
    pub(super) findings: Findings,
}

/// What a check says of one receiver's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedLog {
    /// Which one.
    pub log: ReceiverLog,
    /// Whether it is the log that lies in its folder.
    pub is_there: bool,
    /// Where it ends at least, by what the journal knows of it: for a check of the log by itself.
    pub at_least: Position,
    /// How many of its blocks are not done with.
    pub blocks: u64,
    /// How many of those were not found to be good.
    pub bad: u64,
}

impl Report {
    /// Where the journal lies.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Where it begins and ends.
    pub fn range(&self) -> Range<Position> {
        self.range.clone()
    }

    /// How many events were read.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Whether the state that the journal makes is known. If not, no receiver's log could be held against it.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// How much was read of the receivers' blocks.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// The receivers' logs that the journal knows.
    pub fn logs(&self) -> &[CheckedLog] {
        &self.logs
    }

    /// How many blocks are not done with.
    pub fn blocks(&self) -> u64 {
        self.logs.iter().map(|log| log.blocks).sum()
    }

    /// What was found, the worst first; of each severity the first hundred.
    pub fn findings(&self) -> &[Finding] {
        &self.findings.named
    }

    /// How many findings of a severity there are, also of those that are not named.
    pub fn count(&self, severity: Severity) -> u64 {
        self.findings.counts.get(&severity).copied().unwrap_or(0)
    }

    /// Whether nothing is damaged, as far as was read and can be told.
    pub fn is_sound(&self) -> bool {
        self.count(Severity::Damaged) == 0
    }

    /// The one word for the journal's state, which stays: `clean`, `damaged`, or `unsupported` where a newer release wrote
    /// something of which this one cannot tell whether it is good.
    pub fn state(&self) -> &'static str {
        match (self.is_sound(), self.count(Severity::Unsupported)) {
            (false, _) => "damaged",
            (true, 0) => "clean",
            (true, _) => "unsupported",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let damages = self.count(Severity::Damaged);
        let verdict = match self.state() {
            "damaged" if damages == 1 => "as a journal DAMAGED in one place".into(),
            "damaged" => format!("as a journal DAMAGED in {damages} places"),
            "unsupported" => {
                "as a journal written by a newer release in part; whether that is good cannot be told".into()
            }
            _ => "as a journal clean".to_owned(),
        };
        writeln!(f, "{}: {verdict}", self.place)?;
        let Range { start, end } = self.range;
        writeln!(f, "    positions {start} to {end}: {} verify", plural(self.events, "event"))?;
        let logs = match self.logs.len() {
            1 => "one receiver's log".to_owned(),
            logs => format!("{logs} receivers' logs"),
        };
        match (self.is_known, self.depth) {
            (false, _) => {
                writeln!(f, "    what is pending is not known, and no receiver's log was held against it")?;
            }
            (true, Depth::Full) => {
                let blocks = plural(self.blocks(), "block");
                writeln!(f, "    not done with: {blocks} in {logs}, all of which were read")?;
            }
            (true, Depth::Quick) => {
                let blocks = plural(self.blocks(), "block");
                writeln!(
                    f,
                    "    not done with: {blocks} in {logs}, which were looked up and, this being quick, not read"
                )?;
            }
        }
        writeln!(f, "    held against {}", plural(self.checkpoints as u64, "kept checkpoint"))?;
        for finding in &self.findings.named {
            writeln!(f, "\n{finding}")?;
        }
        for (severity, count) in &self.findings.counts {
            let named =
                self.findings.named.iter().filter(|finding| finding.severity == *severity).count() as u64;
            if *count > named {
                writeln!(f, "\n{severity:<10}and {} more that are not named here", count - named)?;
            }
        }
        Ok(())
    }
}

pub(super) fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
