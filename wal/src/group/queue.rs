//! What waits for the device, bounded by bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::ticket::{Slot, Waiter};
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position};
use crate::log::Prepared;

/// What a record takes while it waits, besides its frame: its place in the queue, its ticket.
const WAITING_BYTES: u64 = 192;

/// So much is worth a write of its own whatever else is at the device: there its length tells, not the flush.
const WORTH_BYTES: u64 = 256 * 1024;

/// So many times as long as a group lingers, at least, it gathers what comes together: who was answered by the last group
/// comes back at the same time as others.
const GATHERS: u32 = 10;

/// When groups go, where each costs a request.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long after the group before it a group goes, unless it is full.
    linger: Duration,
    /// When it is.
    group_bytes: u64,
    /// When the next one may go: by the group before it, and by what it gathers.
    next: Duration,
    gathered: Duration,
}

impl Pace {
    pub(super) fn new(linger: Duration, group_bytes: u64) -> Self {
        Pace { linger, group_bytes, next: Duration::ZERO, gathered: Duration::ZERO }
    }

    fn due(&self) -> Duration {
        self.next.max(self.gathered)
    }
}

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    Append(Prepared, Arc<Slot<Handle>>),
    Seal(Arc<Slot<()>>),
    Retire(Time, Arc<Slot<Retired>>),
}

impl Job {
    /// How many bytes of frames it will be.
    fn frames(&self) -> u64 {
        match self {
            Job::Append(prepared, _) => prepared.frame_len(),
            _ => 0,
        }
    }

    /// Whose ticket it answers, if it is an append.
    pub(super) fn is_for(&self, slot: &Arc<Slot<Handle>>) -> bool {
        matches!(self, Job::Append(_, its) if Arc::ptr_eq(its, slot))
    }
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

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) jobs: VecDeque<Job>,
    /// What the jobs come to as frames.
    waiting_bytes: u64,
    /// What was taken in and not yet answered, and what was promised to the first in line.
    bytes: u64,
    /// Who waits for room, first come, first served.
    line: VecDeque<(u64, Arc<Slot<()>>)>,
    /// How many groups are at the device, and how long they are together.
    pub(super) flying: usize,
    pub(super) flying_bytes: u64,
    /// What comes next has to wait until nothing is at the device.
    pub(super) held: bool,
    /// A lane was woken and has not come yet.
    pub(super) called: bool,
    /// Lanes that sleep.
    pub(super) asleep: usize,
    /// One of them looks again within a millisecond.
    pub(super) dozing: bool,
    /// Groups for which there was no room, and that have to fly again.
    pub(super) grounded: usize,
    /// A lane sleeps no longer than until a group that lingers is due.
    pub(super) watched: bool,
    pace: Option<Pace>,
    /// Somebody has claimed the log: it ends when nothing is at the device any more.
    pub(super) superseded: Option<Error>,
    /// Groups that ever went to the device.
    pub(super) departed: u64,
    pub(super) life: Life,
    /// Why appends wait, while the disk is full.
    pub(super) full: Option<Error>,
    pub(super) pins: BTreeMap<Position, usize>,
    /// Everything below is retired, or about to be.
    pub(super) begins: Position,
}

impl Queue {
    pub(super) fn new(pace: Option<Pace>) -> Self {
        Queue {
            grounded: 0,
            watched: false,
            pace,
            superseded: None,
            jobs: VecDeque::new(),
            waiting_bytes: 0,
            bytes: 0,
            line: VecDeque::new(),
            flying: 0,
            flying_bytes: 0,
            held: false,
            called: false,
            asleep: 0,
            dozing: false,
            departed: 0,
            life: Life::Running,
            full: None,
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

    /// No more is taken in, and who waits for room is told. What has failed stays failed.
    pub(super) fn closing(&mut self) -> Vec<Waiter> {
        if matches!(self.life, Life::Running) {
            self.life = Life::Closing;
        }
        self.refuse_line()
    }

    /// Ends the log for good. Returns what was waiting, and whom to wake.
    pub(super) fn fail(&mut self, error: Error) -> (Vec<Job>, Vec<Waiter>) {
        self.life = Life::Failed(error);
        (self.clear(), self.refuse_line())
    }

    /// Takes everything out that still waits.
    pub(super) fn clear(&mut self) -> Vec<Job> {
        self.bytes = 0;
        self.waiting_bytes = 0;
        self.jobs.drain(..).collect()
    }

    fn refuse_line(&mut self) -> Vec<Waiter> {
        let Err(why) = self.open() else { return Vec::new() };
        self.line.drain(..).filter_map(|(_, slot)| slot.set(Err(why.clone()))).collect()
    }

    /// Takes so many bytes of room, if they are free and nobody is in line for them.
    pub(super) fn take_room(&mut self, bytes: u64, bytes_max: u64) -> bool {
        let free = self.line.is_empty() && self.has_room(bytes, bytes_max);
        if free {
            self.bytes += bytes;
        }
        free
    }

    /// Room for one record there is always, if nothing else waits.
    fn has_room(&self, bytes: u64, bytes_max: u64) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(bytes) <= bytes_max
    }

    /// Gets in line. The slot answers once the room is taken.
    pub(super) fn line_up(&mut self, bytes: u64) -> Arc<Slot<()>> {
        let slot = Slot::new();
        self.line.push_back((bytes, slot.clone()));
        slot
    }

    /// Leaves the line; who had room already gives it back. Returns whom to wake.
    pub(super) fn leave_line(&mut self, bytes: u64, bytes_max: u64, slot: &Arc<Slot<()>>) -> Vec<Waiter> {
        let before = self.line.len();
        self.line.retain(|(_, other)| !Arc::ptr_eq(other, slot));
        let had_room = before == self.line.len() && matches!(slot.answer(), Some(Ok(())));
        self.give_room(if had_room { bytes } else { 0 }, bytes_max)
    }

    /// Gives room back, and to those who are first in line. Returns whom to wake.
    pub(super) fn give_room(&mut self, bytes: u64, bytes_max: u64) -> Vec<Waiter> {
        self.bytes = self.bytes.saturating_sub(bytes);
        let mut woken = Vec::new();
        while let Some(&(wanted, _)) = self.line.front()
            && self.has_room(wanted, bytes_max)
        {
            self.bytes += wanted;
            woken.extend(self.line.pop_front().and_then(|(_, slot)| slot.set(Ok(()))));
        }
        woken
    }

    pub(super) fn push(&mut self, job: Job, now: impl FnOnce() -> Duration) {
        if let Some(pace) = self.pace.as_mut().filter(|_| self.jobs.is_empty()) {
            pace.gathered = now() + pace.linger / GATHERS;
        }
        self.waiting_bytes += job.frames();
        self.jobs.push_back(job);
    }

    /// Whether something should go to the device now, of which so many groups are there at most.
    ///
    /// Where each group costs a request, it goes when it is full or has lingered.
    ///
    /// What waits goes at once if the device is free. Beside others it goes if it is as large as they are on average,
    /// or large enough by itself: a small group would cost a flush of its own and come no sooner than as part of the
    /// next one.
    pub(super) fn ready(&self, lanes: usize, now: impl FnOnce() -> Duration) -> bool {
        if self.superseded.is_some() {
            return self.flying == 0;
        }
        if self.grounded > 0 {
            return true;
        }
        if let Some(due) = self.due(lanes) {
            return now() >= due;
        }
        match self.jobs.front() {
            None => false,
            Some(_) if self.flying == 0 => true,
            Some(Job::Append(..)) if self.pace.is_some() => self.flying < lanes && !self.held,
            Some(Job::Append(..)) => {
                let worth = (self.flying_bytes / self.flying as u64).min(WORTH_BYTES);
                self.flying < lanes && !self.held && self.waiting_bytes >= worth
            }
            Some(_) => false,
        }
    }

    /// When the next group goes, if it is only its pace that it waits for.
    pub(super) fn due(&self, lanes: usize) -> Option<Duration> {
        let pace = self.pace.as_ref()?;
        let lingers = matches!(self.jobs.front(), Some(Job::Append(..)))
            && self.waiting_bytes < pace.group_bytes
            && matches!(self.life, Life::Running);
        let free = self.flying < lanes && !self.held && self.grounded == 0 && self.superseded.is_none();
        (lingers && free).then(|| pace.due())
    }

    /// The next group may go.
    pub(super) fn has_lingered(&mut self) {
        if let Some(pace) = &mut self.pace {
            (pace.next, pace.gathered) = (Duration::ZERO, Duration::ZERO);
        }
    }

    /// Whether one append is all there is to do, and a lane looks soon: then whoever waits for it does it, without
    /// waking anybody.
    pub(super) fn may_be_led(&self) -> bool {
        self.dozing && self.pace.is_none() && self.flying == 0 && self.jobs.len() == 1 && self.full.is_none()
    }

    /// Takes what goes to the device next: appends for one group, or one other job.
    ///
    /// On a full disk retiring overtakes the appends, for it is what makes room; not while one of them is at the device
    /// because there is room again. Sealing does not: who seals wants what was appended before to be durable.
    pub(super) fn take(&mut self, group_bytes_max: u64, now: impl FnOnce() -> Duration) -> Vec<Job> {
        let other = |job: &Job| !matches!(job, Job::Append(..));
        let retire = |job: &Job| matches!(job, Job::Retire(..));
        if let Some(at) =
            self.jobs.iter().position(retire).filter(|_| self.full.is_some() && self.flying == 0)
        {
            return self.jobs.remove(at).into_iter().collect();
        }
        if self.jobs.front().is_some_and(other) {
            return self.jobs.pop_front().into_iter().collect();
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(Job::Append(prepared, _)) = self.jobs.front() {
            let more = prepared.frame_len();
            if !taken.is_empty() && bytes + more > group_bytes_max {
                break;
            }
            bytes += more;
            taken.extend(self.jobs.pop_front());
        }
        self.waiting_bytes -= bytes;
        if let Some(pace) = &mut self.pace {
            pace.next = now() + pace.linger;
        }
        taken
    }

    /// Whether anything waits that may overtake the appends on a full disk, now.
    pub(super) fn wants_to_retire(&self) -> bool {
        self.flying == 0 && self.jobs.iter().any(|job| matches!(job, Job::Retire(..)))
    }

    /// Gives taken jobs back, to their old places.
    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.waiting_bytes += job.frames();
            self.jobs.push_front(job);
        }
    }
}

/// What a waiting record counts for against `queue_bytes_max`.
pub(super) fn weight(prepared: &Prepared) -> u64 {
    prepared.frame_len() + WAITING_BYTES
}
