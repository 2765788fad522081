//! What a run came by. What it did not come by it has not tested.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headwater_wal::store::sim::Sim;
use parking_lot::Mutex;

/// Counts by name. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    pub(crate) fn count(&self, what: impl Into<String>) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: impl Into<String>, times: u64) {
        *self.0.lock().entry(what.into()).or_default() += times;
    }

    /// A device's life is over.
    pub(crate) fn device(&self, sim: &Sim) {
        for (event, times) in sim.events() {
            self.add(format!("device: {event}"), times);
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
