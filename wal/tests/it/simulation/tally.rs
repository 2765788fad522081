//! What a run came by: crash points, faults by kind, rows of the judge. What it did not come by it has not tested.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headwater_wal::store::sim::Sim;
use headwater_wal::{Because, Survey};
use parking_lot::Mutex;

/// Counts by name. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    pub(crate) fn count(&self, what: impl Into<String>) {
        *self.0.lock().entry(what.into()).or_default() += 1;
    }

    /// A survey was made.
    pub(crate) fn survey(&self, survey: &Survey) {
        self.count(format!("row: {}", survey.row()));
        for aside in survey.aside() {
            self.count(match aside.because {
                Because::Retired => "fate: retired",
                Because::Dead => "fate: dead",
                Because::Torn => "fate: torn",
                Because::Open => "fate: open",
                Because::Damaged => "fate: damaged",
            });
        }
    }

    /// A device's life is over.
    pub(crate) fn device(&self, sim: &Sim) {
        let mut counts = self.0.lock();
        for (event, times) in sim.events() {
            *counts.entry(format!("device: {event}")).or_default() += times;
        }
    }

    /// Fails if anything of this was never met.
    pub(crate) fn must_have_met(&self, names: &[&str]) {
        let counts = self.0.lock();
        let missed: Vec<_> = names.iter().filter(|name| !counts.contains_key(**name)).collect();
        assert!(missed.is_empty(), "the simulation never met {missed:?}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().iter().try_for_each(|(name, times)| writeln!(f, "{times:>10}  {name}"))
    }
}
