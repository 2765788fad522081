//! Which cores a thread may run on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// The cores that this process may use.
pub(crate) fn allowed() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Keeps this thread off the last core, so that a log's writer has one for itself. With every core busy a sync waits for
/// the scheduler's next tick: milliseconds instead of a tenth of one.
pub(crate) fn leave_a_core() -> Result<()> {
    let cores = allowed()?;
    let mut set = CpuSet::new();
    cores[..cores.len().saturating_sub(1).max(1)].iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}
