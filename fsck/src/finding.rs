//! One thing that a check found.

use std::fmt;
use std::ops::Range;

use headwater_wal::Position;

/// How bad a finding is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// No crash explains it, and it was not mended: a log is refused until it is repaired or the loss is accepted, a
    /// checkpoint is passed over.
    Damaged,
    /// A newer release wrote it: whether it is good cannot be told.
    Unsupported,
    /// It was lost, and the loss was accepted, in an earlier life of the log.
    Lost,
    /// A tail that a crash explains; nothing of it was acknowledged.
    Torn,
    /// A file of the log or an object of checkpoints that is no part of them any more.
    SetAside,
    /// A name that is not of a log or of checkpoints. It is left alone.
    Foreign,
}

impl Severity {
    /// Its name in JSON, which stays.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Damaged => "damaged",
            Severity::Unsupported => "unsupported",
            Severity::Lost => "lost",
            Severity::Torn => "torn",
            Severity::SetAside => "set-aside",
            Severity::Foreign => "foreign",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::SetAside => "set aside",
            other => other.name(),
        })
    }
}

/// One thing that a check found. Its texts are for people and change; its severity, places and names stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file; none where a file is missing altogether. Escaped where it is not the log's own name.
    pub file: Option<String>,
    /// Where in the file it begins.
    pub offset: Option<u64>,
    /// Which positions it concerns.
    pub range: Option<Range<Position>>,
    /// What it is, and how that is known.
    pub what: String,
    /// What is lost by it; empty if nothing can be.
    pub lost: String,
    /// What can be done.
    pub remedy: String,
    /// The command to run next, if there is one that helps.
    pub next: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match (&self.file, self.offset) {
            (Some(file), Some(offset)) => Some(format!("{file} at offset {offset}")),
            (file, _) => file.clone(),
        };
        let range = self
            .range
            .as_ref()
            .map(|Range { start, end }| format!("positions {start} to {end} ({} bytes)", end.since(*start)));
        let place: Vec<String> = file.into_iter().chain(range).collect();
        write!(f, "{:<9} {}", self.severity, place.join(", "))?;
        for (label, text) in [("what", &self.what), ("lost", &self.lost), ("do", &self.remedy)] {
            if !text.is_empty() {
                write!(f, "\n    {label:<5} {text}")?;
            }
        }
        match &self.next {
            Some(next) => write!(f, "\n    {:<5} {next}", "next"),
            None => Ok(()),
        }
    }
}
