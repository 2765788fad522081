//! What must be said of checkpoints and of roots, where a place alone does not say what is lost.

use headwater_wal::Position;

use crate::{Finding, Severity};

/// A finding that a check must make: its severity, its places, and the words in which it says what is lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// The part of a root that it is told of; empty where there is one part.
    pub part: String,
    /// How bad it is.
    pub severity: Severity,
    /// The file that it names.
    pub file: Option<String>,
    /// The positions.
    pub range: Option<(Position, Position)>,
    /// What is lost.
    pub lost: String,
}

impl Told {
    /// What of a finding in that part is expected.
    pub fn of(part: &str, finding: &Finding) -> Told {
        let Finding { severity, file, range, lost, .. } = finding;
        let range = range.as_ref().map(|range| (range.start, range.end));
        Told { part: part.to_owned(), severity: *severity, file: file.clone(), range, lost: lost.clone() }
    }

    pub(super) fn new(severity: Severity, file: impl Into<String>, lost: impl Into<String>) -> Told {
        Told { part: String::new(), severity, file: Some(file.into()), range: None, lost: lost.into() }
    }
}
