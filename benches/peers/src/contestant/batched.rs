//! What a careful user builds around a log that does not share syncs: the first thread that finds nobody writing takes
//! everything that was put down meanwhile, writes it as one group, and wakes the others.

use std::sync::{Condvar, Mutex};

use bytes::Bytes;

use super::Appends;
use crate::Result;

/// Writes groups of records, one group at a time.
pub(super) trait Groups: Send + Sync {
    /// Returns when all are as safe as the row says. The records lie end to end; `ends` says where each ends.
    fn write(&self, records: &[u8], ends: &[usize]) -> Result<()>;

    /// How often it was made durable so far, where that is known.
    fn syncs(&self) -> Option<u64>;
}

/// The records of a group.
#[derive(Debug, Default)]
struct Group {
    records: Vec<u8>,
    ends: Vec<usize>,
}

#[derive(Debug, Default)]
struct State {
    filling: Group,
    /// Emptied, to be filled next: so no buffer is made for every group.
    spare: Group,
    /// The number of the group that is being filled; every group below was taken by a leader.
    number: u64,
    /// Every group below is durable.
    durable: u64,
    writing: bool,
    /// Once a group failed, nothing more is acknowledged.
    failure: Option<String>,
}

/// A log behind a queue of one group.
#[derive(Debug)]
pub(super) struct Batched<G> {
    groups: G,
    state: Mutex<State>,
    turned: Condvar,
}

impl<G: Groups> Batched<G> {
    pub(super) fn new(groups: G) -> Self {
        Batched { groups, state: Mutex::default(), turned: Condvar::new() }
    }
}

impl<G: Groups> Appends for Batched<G> {
    fn append(&self, _: usize, record: &Bytes) -> Result<()> {
        let poisoned = "another appending thread panicked";
        let mut state = self.state.lock().map_err(|_| poisoned)?;
        state.filling.records.extend_from_slice(record);
        let end = state.filling.records.len();
        state.filling.ends.push(end);
        let mine = state.number;
        loop {
            if let Some(failure) = &state.failure {
                return Err(failure.clone().into());
            }
            if state.durable > mine {
                return Ok(());
            }
            if state.writing {
                state = self.turned.wait(state).map_err(|_| poisoned)?;
                continue;
            }
            let spare = std::mem::take(&mut state.spare);
            let mut group = std::mem::replace(&mut state.filling, spare);
            state.writing = true;
            state.number += 1;
            drop(state);
            let outcome = self.groups.write(&group.records, &group.ends);
            state = self.state.lock().map_err(|_| poisoned)?;
            state.writing = false;
            match outcome {
                Ok(()) => state.durable = state.number,
                Err(error) => state.failure = Some(error.to_string()),
            }
            group.records.clear();
            group.ends.clear();
            state.spare = group;
            self.turned.notify_all();
        }
    }

    fn syncs(&self) -> Option<u64> {
        self.groups.syncs()
    }
}
