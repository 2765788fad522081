//! Repairing: what a plan says, done in an order in which a crash costs nothing.
//!
//! The plan is made first and again under the ownership of the place; if the two differ, nothing is done. Then everything
//! that will be written over or taken away is copied into a folder of its own in `quarantine/`, with a manifest that says
//! what was where and why, and all of that is durable before the first change. A change writes only over bytes that do
//! not verify, or gives a file another name; so a log is never worse off between two of them, and a repair that was cut
//! short is planned anew from what is there. Last comes the epoch that states what is lost: a start like any other.

mod affine;
mod body;
mod execute;
mod header;
mod names;
pub(crate) mod overlay;
pub(crate) mod quarantine;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Clock, Result, SystemClock};

use crate::{Consent, Plan, Step};

pub(crate) use body::{header_at, header_behind, said_behind, seal_again};
pub(crate) use header::rebuild;
pub(crate) use names::{Misplaced, in_place, ready_made};

/// One change that a step makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Bytes are written into a file, and it is cut to a length.
    Rewrite { file: Name, writes: Vec<(u64, Bytes)>, len: Option<u64> },
    /// A file is taken away and kept in quarantine, in this repair's folder, under a name there.
    SetAside { file: Name, leaf: String },
    /// What was set aside in this repair's folder goes where it belongs.
    Return { leaf: String, file: Name },
    /// A file gets another name, which is free.
    Move { from: Name, to: Name },
    /// A file is removed of which nothing needs to be kept.
    Remove { file: Name },
}

/// What a repair has done. Displayed, it is a page for people.
#[derive(Clone, Debug)]
pub struct Repaired {
    pub(crate) place: String,
    pub(crate) done: Vec<Step>,
    pub(crate) left: Vec<Step>,
    /// Where what was taken away is kept, if anything was.
    pub(crate) kept_in: Option<String>,
}

/// Repairs a log as a plan says. Steps that give up data are left, unless that is
/// allowed, and so is what comes after them.
///
/// `Locked`: a writer is alive. `Invalid`: the log is not as the plan found it, and nothing was changed; plan again.
/// `Unavailable`: a segment is open under a lease, and nothing was changed; or, as `Fenced`, somebody else was faster.
/// After any error, also one that came in the middle, check and plan again: a repair that was cut short is finished by the
/// next. Where a request may arrive after its sender gave up, on object stores and HDFS, let some minutes go by before that:
/// a removal that is late would take what the next repair has put under the same name, and leave it in quarantine only.
pub fn repair(store: &Arc<dyn Store>, plan: &Plan, consent: Consent) -> Result<Repaired> {
    repair_with(store, plan, consent, Arc::new(SystemClock::default()))
}

/// As [`repair`], with time and randomness from `clock`.
pub fn repair_with(
    store: &Arc<dyn Store>,
    plan: &Plan,
    consent: Consent,
    clock: Arc<dyn Clock>,
) -> Result<Repaired> {
    execute::execute(store, plan, consent, clock)
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
            writeln!(
                f,
                "\n{} left: they give up data, or come after what does, and that was not allowed",
                count(&self.left)
            )?;
        }
        for step in &self.left {
            writeln!(f, "\nleft: {step}")?;
        }
        Ok(())
    }
}
