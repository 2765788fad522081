//! What a run came by: crash points, faults by kind. What it did not come by it has not tested.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use headwater_wal::store::sim::Sim;

/// Counts by name. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    pub(crate) fn count(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    /// A device's life is over.
    pub(crate) fn device(&self, sim: &Sim) {
        let mut counts = self.0.lock().unwrap();
        for (event, times) in sim.events() {
            *counts.entry(format!("device: {event}")).or_default() += times;
        }
    }

    /// Fails if anything of this was never met.
    pub(crate) fn must_have_met(&self, names: &[&str]) {
        let counts = self.0.lock().unwrap();
        let missed: Vec<_> = names.iter().filter(|name| !counts.contains_key(**name)).collect();
        assert!(missed.is_empty(), "the simulation never met {missed:?}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().unwrap().iter().try_for_each(|(name, times)| writeln!(f, "{times:>10}  {name}"))
    }
}
