//! What waits for the writer, bounded by bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use super::ticket::Slot;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position};
use crate::log::Prepared;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    Append(Prepared, Arc<Slot<Handle>>),
    Seal(Arc<Slot<()>>),
    Retire(Time, Arc<Slot<Retired>>),
}

/// What a retirement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Where the log begins now.
    pub begins: Position,
    /// How many files were removed.
    pub removed: u64,
    /// How many files could not be removed; the next retirement, or the next start, tries again.
    pub left: u64,
}

/// Whether the log goes on.
#[derive(Clone, Debug)]
pub(super) enum Life {
    Running,
    Closing,
    Closed,
    Failed(Error),
}

impl Life {
    /// No more is taken in. What has failed stays failed.
    pub(super) fn closing(&mut self) {
        if matches!(self, Life::Running) {
            *self = Life::Closing;
        }
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) jobs: VecDeque<Job>,
    /// Payload bytes that were taken in and not yet answered.
    pub(super) bytes: u64,
    pub(super) life: Life,
    /// Why appends wait, while the disk is full.
    pub(super) full: Option<Error>,
    /// What wants to be told when there is room.
    pub(super) room_wakers: Vec<Waker>,
    pub(super) pins: BTreeMap<Position, usize>,
    /// Everything below is retired, or about to be.
    pub(super) begins: Position,
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue {
            jobs: VecDeque::new(),
            bytes: 0,
            life: Life::Running,
            full: None,
            room_wakers: Vec::new(),
            pins: BTreeMap::new(),
            begins: Position::START,
        }
    }

    /// Whether a caller may hand something in, or why not.
    pub(super) fn open(&self) -> Result<()> {
        match &self.life {
            Life::Running => Ok(()),
            Life::Closing | Life::Closed => Err(Error::new(Kind::Closed, "the log was closed")),
            Life::Failed(error) if error.kind() == Kind::Fenced => Err(error.clone()),
            Life::Failed(error) => Err(Error::new(
                Kind::Closed,
                "the log has failed and acknowledges nothing more; drop it, then open and start it again",
            )
            .because(error.clone())),
        }
    }

    /// Whether a payload of so many bytes has room: always if nothing else waits.
    pub(super) fn has_room(&self, bytes: u64, bytes_max: u64) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(bytes) <= bytes_max
    }

    /// Takes what goes to the device next: appends for one group, or one other job.
    ///
    /// On a full disk retiring overtakes the appends, for it is what makes room. Sealing does not: who seals wants what
    /// was appended before to be durable.
    pub(super) fn take(&mut self, group_bytes_max: u64) -> Vec<Job> {
        let other = |job: &Job| !matches!(job, Job::Append(..));
        let retire = |job: &Job| matches!(job, Job::Retire(..));
        if let Some(at) = self.jobs.iter().position(retire).filter(|_| self.full.is_some()) {
            return self.jobs.remove(at).into_iter().collect();
        }
        if self.jobs.front().is_some_and(other) {
            return self.jobs.pop_front().into_iter().collect();
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(Job::Append(prepared, _)) = self.jobs.front() {
            bytes += prepared.frame_len();
            if !taken.is_empty() && bytes > group_bytes_max {
                break;
            }
            taken.extend(self.jobs.pop_front());
        }
        taken
    }

    /// Whether anything waits that may overtake the appends on a full disk.
    pub(super) fn wants_to_retire(&self) -> bool {
        self.jobs.iter().any(|job| matches!(job, Job::Retire(..)))
    }

    /// Gives taken jobs back, to their old places.
    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        jobs.into_iter().rev().for_each(|job| self.jobs.push_front(job));
    }
}
