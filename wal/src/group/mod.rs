//! Floor 4: many callers, one writer. Appends wait in a queue bounded by bytes; the writer takes what waits as one
//! group, and answers the tickets in order once it is durable.

mod core;
mod lane;
mod opened;
mod queue;
mod thread;
mod ticket;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use self::core::Core;
use self::lane::Crew;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position, Unsettled};
use crate::log::{Chain, Kept, Many, Prepared, Record, Replay, Survey, locate, locate_surely, read, read_at};
use bytes::Bytes;
pub use opened::Opened;
pub use queue::Retired;
use queue::{Job, Life, weight};
pub use ticket::Ticket;
use ticket::{Slot, Waiter};

/// How many segments stay open for reads by handle.
const KEPT_SEGMENTS_MAX: usize = 64;

/// A log that has been started: the one that may write.
///
/// All calls may be made from any number of threads. Dropping it closes it, as [`close`](Log::close) does, and waits.
#[derive(Debug)]
pub struct Log {
    core: Arc<Core>,
    kept: Kept,
    /// None in a stepped log.
    crew: Option<Arc<Crew>>,
}

impl Log {
    /// Appends a record and returns at once with a ticket; waits only for room in the queue. It is safe once the ticket
    /// has answered.
    ///
    /// The time is the caller's own: it serves replaying from a time on, and nothing else depends on it. Records get
    /// their positions in the order in which they were taken in.
    ///
    /// `Invalid`: longer than `record_bytes_max`. `Closed`, `Fenced`: nothing is appended to this log any more.
    pub fn append(&self, time: Time, payload: impl Into<Bytes>) -> Result<Ticket> {
        self.append_kind(0, time, payload)
    }

    /// Appends a record of a kind of the caller's own: a byte that comes back with the record, and means nothing here.
    /// [`append`](Log::append) appends kind 0.
    pub fn append_kind(&self, kind: u8, time: Time, payload: impl Into<Bytes>) -> Result<Ticket> {
        let prepared = self.prepare(kind, time, payload.into())?;
        self.wait_for_room(&prepared)?;
        let mut queue = self.core.queue.lock();
        queue.open()?;
        Ok(self.enqueue(&mut queue, prepared))
    }

    /// Appends a record of kind 0 if there is room for it now; `None` if there is not, and nothing was appended.
    pub fn try_append(&self, time: Time, payload: impl Into<Bytes>) -> Result<Option<Ticket>> {
        let prepared = self.prepare(0, time, payload.into())?;
        let mut queue = self.core.queue.lock();
        queue.open()?;
        if !queue.take_room(weight(&prepared), self.core.options.queue_bytes_max) {
            return Ok(None);
        }
        Ok(Some(self.enqueue(&mut queue, prepared)))
    }

    /// Appends a record as soon as there is room; await it on any executor, then await the ticket. Dropped before there
    /// was room, nothing was appended.
    pub fn append_async(&self, kind: u8, time: Time, payload: impl Into<Bytes>) -> Appending<'_> {
        Appending { log: self, prepared: Some(self.prepare(kind, time, payload.into())), line: None }
    }

    /// The record of a handle: one ranged, verified read.
    ///
    /// `Retired`: it was there once. `NotThere`: it is not part of the log; a crash took it before it was acknowledged.
    /// `Invalid`: the handle is of another log, or another record lies there. `Damaged`: it should be there, and does
    /// not verify.
    ///
    /// On an object store, where only summaries know what lies at its place, a handle is taken at its word: that its
    /// record was acknowledged. One that never was, made from an unsettled place, may be answered with what was cut there;
    /// [`settle`](Log::settle) always knows.
    pub fn read(&self, handle: &Handle) -> Result<Record> {
        self.is_open()?;
        let base = locate(&self.core.view.read(), handle)?;
        self.read_in(handle, base)
    }

    fn read_in(&self, handle: &Handle, base: Position) -> Result<Record> {
        let (store, limit) = (&self.core.store, self.core.options.record_bytes_max);
        match read_at(&**store, &self.kept, handle, base, limit) {
            // It was retired since it was located, by this writer or by one that has replaced it; or what was
            // acknowledged has gone. A look at the log tells.
            Err(error) if error.kind() == Kind::NotThere => {
                locate(&self.core.view.read(), handle)?;
                read(store, &self.kept, handle, limit)
            }
            other => other,
        }
    }

    /// The records of many handles, in their order. Handles that follow one another closely in one segment are read at
    /// once, up to 256 KiB; on an object store, where they lie close together in whatever order, up to 1 MiB, and up to 64
    /// reads and 64 MiB are under way at once.
    pub fn read_many<'a>(&'a self, handles: &'a [Handle]) -> impl Iterator<Item = Result<Record>> + 'a {
        let (store, limit) = (&*self.core.store, self.core.options.record_bytes_max);
        let mut many = Many::new(store, &self.kept, handles, limit);
        let locate = |handle: &Handle| {
            self.is_open()?;
            locate(&self.core.view.read(), handle)
        };
        std::iter::from_fn(move || many.next(locate, |handle| self.read(handle)))
    }

    /// Every acknowledged record at or behind a position, oldest first, as the log stands now. What is damaged comes as
    /// an error in its place, and the records behind it follow.
    ///
    /// `Retired` if the log begins behind that position; [`Position::START`] stands for its beginning.
    pub fn replay(&self, from: Position) -> Result<Replay> {
        self.replay_from(from, Time(0))
    }

    /// Every acknowledged record whose time is at or behind `since`, oldest first.
    pub fn replay_since(&self, since: Time) -> Result<Replay> {
        self.replay_from(Position::START, since)
    }

    fn replay_from(&self, from: Position, since: Time) -> Result<Replay> {
        self.is_open()?;
        let chain = Arc::new(self.chain());
        Replay::new(self.core.store.clone(), chain, from, since, self.core.options.record_bytes_max)
    }

    /// Settles for ever what an append that answered "unknown" in an earlier life came to: its handle, or `NotThere`
    /// (`Retired` if the log has been retired beyond that place).
    pub fn settle(&self, unsettled: &Unsettled) -> Result<Handle> {
        self.is_open()?;
        let handle = unsettled.0;
        let not_there = || Error::new(Kind::NotThere, "the record never became part of the log");
        if *unsettled == Unsettled::NOWHERE {
            return Err(not_there());
        }
        if handle.identity == self.core.view.read().identity && handle.epoch >= self.epoch() {
            return Err(Error::new(
                Kind::Invalid,
                "the log that answered still lives; a later start settles it",
            ));
        }
        let chain = self.chain();
        let located = locate_surely(&self.core.store, &chain, &handle);
        match located.and_then(|base| self.read_in(&handle, base)) {
            Ok(record) => Ok(record.handle),
            Err(error) if error.kind() == Kind::NotThere => Err(not_there().because(error)),
            Err(error) => Err(error),
        }
    }

    /// Seals the active segment, once all that was appended before is durable.
    pub fn seal(&self) -> Result<()> {
        let slot = Slot::new();
        self.hand_in(Job::Seal(slot.clone()))?;
        slot.wait(&self.core)
    }

    /// Retires whole segments from the beginning that were sealed, or closed by a later epoch, before `before` by the
    /// engine's time ([`now`](Log::now)), and that no pin needs.
    ///
    /// On an object store appends wait for the mark alone; the caller for the removal too, which takes a request for every
    /// thousand segments. What a crash has left to be removed, the next retirement finds.
    ///
    /// `Unavailable` while the clock is in doubt ([`confirm_clock`](Log::confirm_clock)). It works on a full disk.
    pub fn retire_before(&self, before: Time) -> Result<Retired> {
        let mark = || {
            let slot = Slot::new();
            self.hand_in(Job::Retire(before, slot.clone()))?;
            slot.wait(&self.core)
        };
        let retired = match self.core.store.append() {
            Some(_) => mark(),
            None => self.core.retire_around(before, mark),
        };
        self.kept.forget_below(self.core.view.read().begins);
        retired
    }

    /// Says that a large jump of the wall clock, found at start, is right, so that retiring goes on. Segments that begin
    /// from now on remember it; a start before there is one has to be told again.
    pub fn confirm_clock(&self) {
        self.core.confirm_clock();
    }

    /// Keeps everything at or behind a position from being retired, until the pin is dropped or the process ends.
    /// `Retired` if the log begins behind it already.
    pub fn pin(&self, position: Position) -> Result<Pinned> {
        let mut queue = self.core.queue.lock();
        queue.open()?;
        let begins = self.core.view.read().begins.max(queue.begins);
        if position < begins && position != Position::START {
            let message = format!("it was retired already: asked={position} begins={begins}");
            return Err(Error::new(Kind::Retired, message));
        }
        *queue.pins.entry(position).or_default() += 1;
        Ok(Pinned { core: self.core.clone(), position })
    }

    /// The engine's time.
    pub fn now(&self) -> Time {
        self.core.now()
    }

    /// Where the log begins and its acknowledged records end.
    pub fn range(&self) -> std::ops::Range<Position> {
        let view = self.core.view.read();
        view.begins..view.shown
    }

    /// The short identity of the log: the part of it that handles and checkpoints carry.
    pub fn identity(&self) -> u64 {
        self.core.view.read().identity
    }

    /// The epoch of this writer.
    pub fn epoch(&self) -> u64 {
        self.core.view.read().segments().last().map_or(0, |last| last.epoch)
    }

    /// The segments as they stand.
    pub fn chain(&self) -> Chain {
        self.core.view.read().clone()
    }

    /// What opening found.
    pub fn survey(&self) -> &Survey {
        &self.core.survey
    }

    /// What could not be tidied up when the log was started, such as a cut tail that could not be trimmed. It does no
    /// harm, and the next start tries again.
    pub fn untidied(&self) -> Option<&Error> {
        self.core.untidied.as_ref()
    }

    /// Why appends wait, while the disk is full.
    pub fn waits_for_room(&self) -> Option<Error> {
        self.core.queue.lock().full.clone()
    }

    /// Why the log has failed for good, if it has.
    pub fn failure(&self) -> Option<Error> {
        match &self.core.queue.lock().life {
            Life::Failed(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Writes everything that was handed in, seals, and gives the place up. After it every call fails with `Closed`.
    ///
    /// `Full`: there was no room for some of it, which is certainly not in the log. `Unknown`, or what else the log has
    /// failed with: some of it may not be.
    pub fn close(&self) -> Result<()> {
        {
            let mut queue = self.core.queue.lock();
            if let Life::Failed(error) = &queue.life {
                let error = error.clone();
                drop(queue);
                self.end();
                return Err(error);
            }
            queue.open()?;
            let woken = queue.closing();
            drop(queue);
            woken.into_iter().for_each(Waiter::wake);
        }
        self.end();
        let queue = self.core.queue.lock();
        match (&queue.life, &queue.full) {
            (Life::Failed(error), _) | (_, Some(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn end(&self) {
        if let Some(crew) = &self.crew {
            crew.end(&self.core);
        }
        self.core.close_now();
    }

    fn prepare(&self, kind: u8, time: Time, payload: Bytes) -> Result<Prepared> {
        Prepared::new(&self.core.options, kind, time, payload)
    }

    /// Takes room for a record; waits for it if need be, behind those who came earlier.
    fn wait_for_room(&self, prepared: &Prepared) -> Result<()> {
        let (bytes, bytes_max) = (weight(prepared), self.core.options.queue_bytes_max);
        loop {
            let slot = {
                let mut queue = self.core.queue.lock();
                queue.open()?;
                if queue.take_room(bytes, bytes_max) {
                    return Ok(());
                }
                if self.core.is_stepped() { None } else { Some(queue.line_up(bytes)) }
            };
            match slot {
                Some(slot) => return slot.wait(&self.core),
                None => self.core.turn_or_stuck()?,
            }
        }
    }

    /// Puts a record in the queue, which has room for it.
    fn enqueue(&self, queue: &mut queue::Queue, prepared: Prepared) -> Ticket {
        let slot = Slot::new();
        queue.push(Job::Append(prepared, slot.clone()), || self.core.elapsed());
        let unattended = queue.may_be_led();
        if !unattended {
            self.core.call(queue);
        }
        Ticket { slot, core: self.core.clone(), unattended }
    }

    fn hand_in(&self, job: Job) -> Result<()> {
        let mut queue = self.core.queue.lock();
        queue.open()?;
        queue.push(job, || self.core.elapsed());
        if queue.full.is_some() {
            self.core.work.notify_all(); // retiring may overtake what waits for room
        }
        self.core.call(&mut queue);
        Ok(())
    }

    fn is_open(&self) -> Result<()> {
        match self.core.queue.lock().life {
            Life::Closed | Life::Closing => Err(Error::new(Kind::Closed, "the log was closed")),
            // What was acknowledged can be read as long as the process lives.
            Life::Running | Life::Failed(_) => Ok(()),
        }
    }
}

#[cfg(feature = "sim")]
impl Log {
    /// Of a stepped log: one turn of the writer; whether it did anything.
    pub fn turn(&self) -> bool {
        self.core.turn() == core::Turn::Did
    }

    /// Of a stepped log: what the writer does when it falls idle.
    pub fn rest(&self) {
        self.core.rest();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let woken = self.core.queue.lock().closing();
        woken.into_iter().for_each(Waiter::wake);
        self.end();
    }
}

/// A position from which on nothing is retired, as long as this lives.
#[derive(Debug)]
pub struct Pinned {
    core: Arc<Core>,
    position: Position,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut queue = self.core.queue.lock();
        if let Some(count) = queue.pins.get_mut(&self.position) {
            *count -= 1;
            if *count == 0 {
                queue.pins.remove(&self.position);
            }
        }
    }
}

/// An append that waits for room.
#[must_use = "nothing is appended unless it is awaited"]
#[derive(Debug)]
pub struct Appending<'a> {
    log: &'a Log,
    prepared: Option<Result<Prepared>>,
    /// Its place in the line for room.
    line: Option<Arc<Slot<()>>>,
}

impl Future for Appending<'_> {
    type Output = Result<Ticket>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let prepared = match self.prepared.take() {
            Some(Ok(prepared)) => prepared,
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Err(Error::new(Kind::Invalid, "an append was awaited again"))),
        };
        let log = self.log;
        let bytes = weight(&prepared);
        if self.line.is_none() {
            let mut queue = log.core.queue.lock();
            if let Err(error) = queue.open() {
                return Poll::Ready(Err(error));
            }
            if queue.take_room(bytes, log.core.options.queue_bytes_max) {
                return Poll::Ready(Ok(log.enqueue(&mut queue, prepared)));
            }
            self.line = Some(queue.line_up(bytes));
        }
        let room = self.line.as_ref().map_or(Poll::Pending, |slot| slot.poll(context));
        match room {
            Poll::Pending => {
                self.prepared = Some(Ok(prepared));
                Poll::Pending
            }
            Poll::Ready(room) => {
                self.line = None;
                let mut queue = log.core.queue.lock();
                if let Err(error) = room.and_then(|()| queue.open()) {
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(log.enqueue(&mut queue, prepared)))
            }
        }
    }
}

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        if let (Some(slot), Some(Ok(prepared))) = (&self.line, &self.prepared) {
            let bytes_max = self.log.core.options.queue_bytes_max;
            let woken = self.log.core.queue.lock().leave_line(weight(prepared), bytes_max, slot);
            woken.into_iter().for_each(Waiter::wake);
        }
    }
}
