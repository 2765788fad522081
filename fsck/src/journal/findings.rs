//! What a check has found so far: the first so many by name, all of them by count.

use std::collections::BTreeMap;

use crate::{Finding, Severity};

/// How many of each severity are named.
const NAMED_MAX: u64 = 100;

#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) named: Vec<Finding>,
    pub(super) counts: BTreeMap<Severity, u64>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.severity).or_default();
        *count += 1;
        if *count <= NAMED_MAX {
            self.named.push(finding);
        }
    }

    /// The worst first, each severity in the order in which they were found.
    pub(super) fn sorted(mut self) -> Findings {
        self.named.sort_by_key(|finding| finding.severity);
        self
    }
}
