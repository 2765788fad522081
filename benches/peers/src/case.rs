//! One case: what it was, and what came of it. A line of `--json` is one of these.

use serde::{Deserialize, Serialize};

/// What a child process measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) operations: u64,
    /// Of payload.
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// How long opening took, with the first append if it is one that appends; no part of `seconds`.
    pub(crate) open_seconds: f64,
    /// Of the whole process, in user and kernel mode.
    pub(crate) cpu_seconds: f64,
    /// Above what the harness had before the contestant was opened.
    pub(crate) resident_peak_bytes: u64,
    pub(crate) anonymous_peak_bytes: u64,
    /// What the contestant, or the harness for it, called to sync; none where the contestant does not tell.
    pub(crate) syncs: Option<u64>,
    /// The device's own counts, of everything that used it meanwhile; none if it cannot be asked.
    pub(crate) flushes: Option<u64>,
    pub(crate) device_written_bytes: Option<u64>,
    pub(crate) device_read_bytes: Option<u64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    /// What makes the figures say something else than the row claims.
    pub(crate) flags: Vec<String>,
}

impl Figures {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// Microseconds of CPU an operation.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.operations as f64
    }
}

/// A case of a round: figures, or why there are none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) round: u64,
    pub(crate) workload: String,
    pub(crate) contestant: String,
    pub(crate) figures: Option<Figures>,
    pub(crate) failure: Option<String>,
}
