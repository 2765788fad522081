//! What the callers' threads and the writer's share, and the writer's turn: one group, or one other job, from the queue
//! to the device and back to the tickets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use super::queue::{Job, Life, Queue, Retired};
use crate::clock::{Clock, Time};
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position, Unsettled};
use crate::log::{Chain, Failed, Options, Prepared, Segment, Started, Survey, Writer, sweep};
use crate::store::Store;

/// How long the writer waits before it asks a full disk again, at first and in the end.
const FULL_RETRY: Duration = Duration::from_millis(20);
const FULL_RETRY_MAX: Duration = Duration::from_millis(500);

/// What a record takes while it waits, besides its frame: its place in the queue, its ticket.
const WAITING_BYTES: u64 = 192;

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was done; there may be more.
    Did,
    /// There is nothing to do.
    Idle,
    /// There is no room for a next segment: appends wait.
    Full,
    /// The log is closed, or has failed.
    Over,
}

pub(crate) struct Core {
    pub(super) store: Arc<dyn Store>,
    pub(super) options: Options,
    pub(super) queue: Mutex<Queue>,
    /// There is something for the writer.
    pub(super) work: Condvar,
    /// There is room for payloads.
    pub(super) room: Condvar,
    pub(super) view: RwLock<Chain>,
    /// What opening found.
    pub(super) survey: Survey,
    writer: Mutex<Option<Writer>>,
    clock: Arc<dyn Clock>,
    time_base: Time,
    elapsed_base: Duration,
    /// Why retiring by time is suspended.
    clock_doubt: Mutex<Option<String>>,
    /// Files that were retired and could not be removed, and whether they begin an epoch.
    left: Mutex<Vec<(Position, bool)>>,
    /// What tidying at the start could not do.
    pub(super) untidied: Option<Error>,
    stepped: bool,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("place", &self.store.place()).finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(
        store: Arc<dyn Store>,
        options: Options,
        clock: Arc<dyn Clock>,
        started: Started,
        stepped: bool,
    ) -> Self {
        let Started { writer, chain, survey, left, untidied } = started;
        let (wall, before) = (clock.wall(), survey.engine_time());
        let doubt = survey.doubts(wall, &options).then(|| {
            format!(
                "the wall clock jumped between two lives of the log, and nobody has confirmed it; if it is right, call \
                 confirm_clock: before={before} now={wall}"
            )
        });
        Core {
            store,
            options,
            queue: Mutex::new(Queue::new()),
            work: Condvar::new(),
            room: Condvar::new(),
            view: RwLock::new(chain),
            survey,
            writer: Mutex::new(Some(writer)),
            time_base: wall.max(before),
            elapsed_base: clock.elapsed(),
            clock,
            clock_doubt: Mutex::new(doubt),
            left: Mutex::new(left),
            untidied,
            stepped,
        }
    }

    pub(super) fn is_stepped(&self) -> bool {
        self.stepped
    }

    /// The engine's time: it goes on from where the log had got to, by the monotonic clock, and never back.
    pub(super) fn now(&self) -> Time {
        self.time_base.after(self.clock.elapsed().saturating_sub(self.elapsed_base))
    }

    pub(super) fn confirm_clock(&self) {
        // The headers of the segments to come no longer state a doubt, so that a start that finds one of them has none.
        if let Some(writer) = self.writer.lock().as_mut() {
            writer.clock_in_doubt = false;
        }
        *self.clock_doubt.lock() = None;
    }

    /// One turn of the writer. A panic in it, wherever it comes from, fails the log as a failed write does.
    pub(super) fn turn(&self) -> Turn {
        let mut guard = self.writer.lock();
        let Some(writer) = guard.as_mut() else { return Turn::Over };
        let jobs = {
            let mut queue = self.queue.lock();
            if matches!(queue.life, Life::Failed(_) | Life::Closed) {
                return Turn::Over;
            }
            queue.take(self.options.group_bytes_max)
        };
        if jobs.is_empty() {
            return Turn::Idle;
        }
        let done = catch_unwind(AssertUnwindSafe(|| match &jobs[..] {
            [Job::Seal(_)] => writer.seal(self.now()).map(Done::Sealed),
            [Job::Retire(before, _)] => self.retire(writer, *before),
            _ => {
                let records: Vec<Prepared> = jobs.iter().filter_map(prepared).cloned().collect();
                writer.write(&records, self.now()).map(Done::Written)
            }
        }));
        let done = done
            .unwrap_or_else(|panic| Err(Failed::Dead(panicked(&*panic), std::mem::take(&mut writer.handed))));
        match done {
            Ok(done) => {
                self.show(writer);
                self.answer(jobs, done);
                Turn::Did
            }
            Err(Failed::Full(error)) => {
                self.show(writer);
                self.full(jobs, error)
            }
            Err(Failed::Dead(error, places)) => {
                self.fail(jobs, error, places);
                Turn::Over
            }
        }
    }

    /// For who waits in a stepped log: a turn, or the reason why waiting is in vain.
    pub(super) fn turn_or_stuck(&self) -> Result<()> {
        match self.turn() {
            Turn::Did | Turn::Over => Ok(()),
            Turn::Idle => {
                Err(Error::new(Kind::Invalid, "a stepped log has nothing to do, and somebody waits"))
            }
            Turn::Full => {
                let full = self.queue.lock().full.clone();
                Err(full.unwrap_or_else(|| Error::new(Kind::Full, "the disk is full")))
            }
        }
    }

    /// What the writer does when nobody wants anything: it says that all was acknowledged, and seals what is old.
    /// Returns how long it can rest.
    pub(super) fn rest(&self) -> Duration {
        let mut guard = self.writer.lock();
        let Some(writer) = guard.as_mut() else { return Duration::MAX };
        if matches!(self.queue.lock().life, Life::Failed(_) | Life::Closed) {
            return Duration::MAX;
        }
        let now = self.now();
        let due = writer.active_since().map(|since| since.after(self.options.segment_age));
        let done = catch_unwind(AssertUnwindSafe(|| match due {
            Some(due) if due <= now => writer.seal(now),
            _ => writer.idle(),
        }));
        match done.unwrap_or_else(|panic| Err(Failed::Dead(panicked(&*panic), Vec::new()))) {
            Ok(()) | Err(Failed::Full(_)) => self.show(writer),
            Err(Failed::Dead(error, places)) => self.fail(Vec::new(), error, places),
        }
        match writer.active_since() {
            None => Duration::MAX,
            Some(since) => {
                let due = since.after(self.options.segment_age);
                Duration::from_millis(due.0.saturating_sub(now.0).max(1))
            }
        }
    }

    /// The writer's thread.
    pub(super) fn run(&self) {
        let (mut rest, mut full_retry) = (self.options.idle_after, FULL_RETRY);
        loop {
            match self.turn() {
                Turn::Did => {
                    rest = self.options.idle_after;
                    full_retry = FULL_RETRY;
                }
                Turn::Over => return,
                Turn::Full => {
                    if !self.wait_for_room(full_retry) {
                        self.close_now();
                        return;
                    }
                    full_retry = (full_retry * 2).min(FULL_RETRY_MAX);
                }
                Turn::Idle => {
                    let mut queue = self.queue.lock();
                    if !queue.jobs.is_empty() {
                        continue;
                    }
                    if matches!(queue.life, Life::Closing) {
                        drop(queue);
                        self.close_now();
                        return;
                    }
                    let timed_out = match rest {
                        Duration::MAX => {
                            self.work.wait(&mut queue);
                            false
                        }
                        rest => self.work.wait_for(&mut queue, rest).timed_out(),
                    };
                    drop(queue);
                    if timed_out {
                        rest = self.rest();
                    }
                }
            }
        }
    }

    /// Waits until a full disk is asked again, or somebody wants something that needs no room. Whether the log goes on.
    fn wait_for_room(&self, at_most: Duration) -> bool {
        let mut queue = self.queue.lock();
        let mut waited = false;
        while !waited && matches!(queue.life, Life::Running) && !queue.wants_to_retire() {
            waited = self.work.wait_for(&mut queue, at_most).timed_out();
        }
        !matches!(queue.life, Life::Closing) || queue.wants_to_retire()
    }

    /// Ends the log: everything that was handed in is written, the active segment is sealed, and only then is the place
    /// given up. What a full disk has no room for is answered with `Full`.
    pub(super) fn close_now(&self) {
        // A log that has failed stays failed: its writer is not to touch the device again, not even to seal.
        self.queue.lock().life.closing();
        while self.turn() == Turn::Did {}
        let mut guard = self.writer.lock();
        let Some(writer) = guard.as_mut() else { return };
        let failed = matches!(self.queue.lock().life, Life::Failed(_));
        if !failed {
            let sealed = catch_unwind(AssertUnwindSafe(|| writer.seal(self.now())));
            match sealed.unwrap_or_else(|panic| Err(Failed::Dead(panicked(&*panic), Vec::new()))) {
                Ok(()) | Err(Failed::Full(_)) => self.show(writer),
                Err(Failed::Dead(error, places)) => self.fail(Vec::new(), error, places),
            }
        }
        let mut queue = self.queue.lock();
        let jobs: Vec<Job> = queue.jobs.drain(..).collect();
        // What was handed in and cannot be written is told by `close` too: its ticket may have been dropped.
        let full = queue.full.take();
        queue.full = full.clone().filter(|_| jobs.iter().any(|job| prepared(job).is_some()));
        if !matches!(queue.life, Life::Failed(_)) {
            queue.life = Life::Closed;
        }
        queue.bytes = 0;
        drop(queue);
        *guard = None; // the lock goes with the writer, after its last operation has returned
        for job in jobs {
            job.refuse(full.clone().unwrap_or_else(|| Error::new(Kind::Closed, "the log was closed")));
        }
        self.wake_all();
    }

    /// Brings what readers see up to what the writer has done.
    fn show(&self, writer: &mut Writer) {
        let closed = writer.take_closed();
        let active = writer.active();
        let mut view = self.view.write();
        // The active segment is the view's last; it changes in place, so that a long chain costs nothing.
        let first = closed.first().or(active.as_ref()).map(|segment| segment.base);
        if let Some(first) = first {
            while view.segments.last().is_some_and(|last| last.base >= first) {
                view.segments.pop();
            }
            view.segments.extend(closed.into_iter().chain(active));
        }
        view.shown = writer.end();
    }

    fn answer(&self, jobs: Vec<Job>, done: Done) {
        let bytes: u64 = jobs.iter().filter_map(prepared).map(weight).sum();
        {
            let mut queue = self.queue.lock();
            queue.bytes = queue.bytes.saturating_sub(bytes);
            queue.full = None;
        }
        match done {
            Done::Written(handles) => {
                for (job, handle) in jobs.into_iter().zip(handles) {
                    if let Job::Append(_, slot) = job {
                        slot.give(Ok(handle));
                    }
                }
            }
            Done::Sealed(()) => jobs.into_iter().for_each(|job| {
                if let Job::Seal(slot) = job {
                    slot.give(Ok(()));
                }
            }),
            Done::Retired(retired) => jobs.into_iter().for_each(|job| {
                if let Job::Retire(_, slot) = job {
                    slot.give(retired.clone());
                }
            }),
        }
        self.wake_all();
    }

    /// Nothing was handed over: appends wait, other jobs are told.
    fn full(&self, jobs: Vec<Job>, error: Error) -> Turn {
        let mut queue = self.queue.lock();
        let (appends, others): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| matches!(job, Job::Append(..)));
        if !appends.is_empty() {
            queue.full = Some(error.clone());
        }
        queue.put_back(appends);
        drop(queue);
        others.into_iter().for_each(|job| job.refuse(error.clone()));
        Turn::Full
    }

    /// Ends the log for good: nothing is acknowledged any more, and every ticket is answered.
    fn fail(&self, jobs: Vec<Job>, error: Error, places: Vec<Unsettled>) {
        let waiting: Vec<Job> = {
            let mut queue = self.queue.lock();
            queue.life = Life::Failed(error.clone());
            queue.bytes = 0;
            queue.jobs.drain(..).collect()
        };
        // The places are those of the jobs that were handed over. What still waits never had one, also where the group
        // that failed was one of the log's own.
        let nowhere = std::iter::repeat(Unsettled::NOWHERE);
        let handed = jobs.into_iter().zip(places.into_iter().chain(nowhere.clone()));
        for (job, place) in handed.chain(waiting.into_iter().zip(nowhere)) {
            let place = if matches!(job, Job::Append(..)) { place } else { Unsettled::NOWHERE };
            // Fenced is answered only when the newer epoch was read at this group's name, so nothing of it landed.
            let answer = match error.kind() {
                Kind::Fenced => error.clone(),
                _ => Error::new(
                    Kind::Unknown,
                    "the log failed before this was acknowledged; start it again and settle it",
                )
                .because(error.clone())
                .about(place),
            };
            job.refuse(answer);
        }
        self.wake_all();
    }

    pub(super) fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.queue.lock().room_wakers);
        self.room.notify_all();
        wakers.into_iter().for_each(wake);
    }

    /// Retires the longest run of closed segments from the beginning that are older than `before` and that no pin
    /// needs. The mark is acknowledged before anything is removed.
    fn retire(&self, writer: &mut Writer, before: Time) -> Result<Done, Failed> {
        if let Some(doubt) = &*self.clock_doubt.lock() {
            return Ok(Done::Retired(Err(Error::new(Kind::Unavailable, doubt.clone()))));
        }
        let (retired, begins) = {
            // A pin that is asked for from here on finds what is about to go.
            let mut queue = self.queue.lock();
            let needed = queue.pins.keys().next().copied().unwrap_or(Position(u64::MAX));
            let view = self.view.read();
            let goes = |segment: &&Segment| {
                segment.closed_at.is_some_and(|closed_at| closed_at < before) && segment.next <= needed
            };
            // The last one stays: a log begins somewhere.
            let last = view.segments.len().saturating_sub(1);
            let count = view.segments[..last].iter().take_while(goes).count();
            let retired: Vec<_> =
                view.segments[..count].iter().map(|segment| (segment.base, segment.begins_epoch)).collect();
            let begins = view.segments.get(count).map_or(view.begins, |first| first.base);
            queue.begins = queue.begins.max(begins);
            (retired, begins)
        };
        if !retired.is_empty() {
            if let Err(failed) = writer.mark(begins, self.now()) {
                // Nothing was removed, so pins there are as good as before.
                let begins = self.view.read().begins;
                self.queue.lock().begins = begins;
                return Err(failed);
            }
            self.show(writer);
            let mut view = self.view.write();
            view.segments.drain(..retired.len());
            view.begins = begins;
        }
        let mut left = self.left.lock();
        left.extend(retired);
        let mut removed = 0;
        left.retain(|&(base, begins_epoch)| {
            match sweep(&*self.store, std::iter::once(base), |_| begins_epoch) {
                Ok(count) => {
                    removed += count;
                    false
                }
                Err(_) => true, // said in the answer, and tried again
            }
        });
        drop(left);
        writer.restore_reserve()?;
        let begins = self.view.read().begins;
        let left = self.left.lock().len() as u64;
        Ok(Done::Retired(Ok(Retired { begins, removed, left })))
    }
}

/// What a job came to.
enum Done {
    Written(Vec<Handle>),
    Sealed(()),
    Retired(Result<Retired>),
}

impl Job {
    fn refuse(self, error: Error) {
        match self {
            Job::Append(_, slot) => slot.give(Err(error)),
            Job::Seal(slot) => slot.give(Err(error)),
            Job::Retire(_, slot) => slot.give(Err(error)),
        }
    }
}

fn prepared(job: &Job) -> Option<&Prepared> {
    match job {
        Job::Append(prepared, _) => Some(prepared),
        _ => None,
    }
}

/// What a waiting record counts for against `queue_bytes_max`.
pub(super) fn weight(prepared: &Prepared) -> u64 {
    prepared.frame_len() + WAITING_BYTES
}

/// Wakes a caller's task. What an executor's waker does is not ours: a panic in it must not end the writer.
pub(super) fn wake(waker: Waker) {
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it said nothing");
    Error::new(Kind::Unknown, format!("the writer panicked: {said}"))
}
