//! What the callers' threads and the writer's share, and a turn of the writer's work: one group, or one other job, from
//! the queue to the device and back to the tickets.
//!
//! Whoever takes a turn is a *lane*: a thread of the log's own, or a caller who waits alone. Several groups can be at the
//! device, each brought there by a lane of its own; places are given and answers set under one lock, the desk's, in the
//! order of the queue.

mod end;
mod retire;
mod summarise;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
use retire::Ripe;
use summarise::Summing;

use super::queue::{Job, Life, Pace, Queue, Retired, weight};
use super::ticket::{Slot, Waiter};
use crate::clock::{Clock, Time};
use crate::error::{Error, Kind, Result};
use crate::format::summary::Summary;
use crate::format::{Durability, Handle, Position, Unsettled};
use crate::log::{
    Chain, Facts, Failed, Flight, Options, Prepared, Started, Survey, Unsynced, Writer, claimed_above,
};
use crate::store::{Room, Store, leasing};

/// The most groups that are at the device at once, where files grow; on objects it is an option.
const LANES: usize = 4;

/// So often a busy writer looks for a newer claim, where nobody is locked out. It stops when there is one, so that who
/// takes the log over need not race it for the next name.
const CLAIMS_LOOKED_FOR: Duration = Duration::from_secs(1);

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Something was done; there may be more.
    Did,
    /// There is nothing to do.
    Idle,
    /// What waits has to wait for what is at the device.
    Busy,
    /// There is no room for a next segment: appends wait.
    Full,
    /// The log is closed, or has failed.
    Over,
}

pub(crate) struct Core {
    pub(super) store: Arc<dyn Store>,
    pub(super) options: Options,
    /// Taken after the desk, where both are.
    pub(super) queue: Mutex<Queue>,
    /// There is something for a lane.
    pub(super) work: Condvar,
    /// Nothing is at the device any more.
    landed: Condvar,
    pub(super) view: RwLock<Chain>,
    /// What opening found.
    pub(super) survey: Survey,
    desk: Mutex<Desk>,
    /// What is done aside, off everybody's path.
    pub(super) errands: Mutex<Errands>,
    pub(super) errand: Condvar,
    /// Held while room is made aside, and while a retirement may need the reserve: on a full disk the one would take what
    /// is given free for the other.
    pub(super) making_room: Mutex<()>,
    pub(super) clock: Arc<dyn Clock>,
    time_base: Time,
    elapsed_base: Duration,
    /// Why retiring by time is suspended.
    clock_doubt: Mutex<Option<String>>,
    /// Files that were retired and could not be removed, and whether they begin an epoch.
    left: Mutex<Vec<(Position, bool)>>,
    /// What this writer's summaries say.
    facts: Facts,
    summing: Mutex<Summing>,
    /// Held by who retires on an object store.
    retiring: Mutex<()>,
    ripe: Mutex<Ripe>,
    /// What was to be removed below has been removed.
    swept: Mutex<Position>,
    /// What tidying at the start could not do.
    pub(super) untidied: Option<Error>,
    stepped: bool,
}

/// Where groups get their places and come back to.
struct Desk {
    /// Nothing once the log is closed.
    writer: Option<Writer>,
    /// The groups at the device, in the order of their places.
    flying: VecDeque<Flying>,
    departures: u64,
    /// When claims are looked for next, by the clock that only goes on; nothing while somebody looks, and where there
    /// are none.
    claims_due: Option<Duration>,
}

struct Flying {
    number: u64,
    back: Option<Back>,
}

/// A group that is back from the device.
enum Back {
    /// It has landed, and waits for those before it.
    Landed(Flight, Party),
    /// There was no room for it, and it cannot get another place: groups have left behind it. So it flies again.
    NoRoom(Flight, Party),
}

/// Whose records a group is made of.
struct Party {
    slots: Vec<Arc<Slot<Handle>>>,
    /// What they take of the queue's room.
    weight: u64,
    /// What they come to as frames.
    frames: u64,
}

/// What is asked of the thread that does things aside.
#[derive(Debug, Default)]
pub(super) struct Errands {
    /// Room for the next segment.
    pub(super) room: Option<(u64, Room)>,
    /// A sync of what a `Process` log has written.
    pub(super) sync: Option<Unsynced>,
    /// A summary to be put.
    pub(super) summary: Option<Summary>,
    /// One is at the device.
    pub(super) out: bool,
    pub(super) over: bool,
}

impl Errands {
    pub(super) fn is_empty(&self) -> bool {
        self.room.is_none() && self.sync.is_none() && self.summary.is_none()
    }
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
        let Started { writer, chain, survey, left, untidied, facts, swept } = started;
        let summing = Summing::new(survey.summarised(), options.summary_segments);
        let (wall, before) = (clock.wall(), survey.engine_time());
        let elapsed = clock.elapsed();
        let objects = store.append().is_none();
        let claims_due = objects.then(|| elapsed + CLAIMS_LOOKED_FOR);
        let pace = (objects && !stepped).then(|| Pace::new(options.linger, options.group_bytes()));
        let doubt = survey.doubts(wall, &options).then(|| {
            format!(
                "the wall clock jumped between two lives of the log, and nobody has confirmed it; if it is right, call \
                 confirm_clock: before={before} now={wall}"
            )
        });
        Core {
            store,
            options,
            queue: Mutex::new(Queue::new(pace)),
            work: Condvar::new(),
            landed: Condvar::new(),
            view: RwLock::new(chain),
            survey,
            desk: Mutex::new(Desk {
                writer: Some(writer),
                flying: VecDeque::new(),
                departures: 0,
                claims_due,
            }),
            errands: Mutex::default(),
            errand: Condvar::new(),
            making_room: Mutex::new(()),
            // A segment was made with this time: the wall clock may have gone back since.
            time_base: wall.max(before).max(facts.time),
            elapsed_base: elapsed,
            clock,
            clock_doubt: Mutex::new(doubt),
            left: Mutex::new(left),
            facts,
            summing: Mutex::new(summing),
            retiring: Mutex::default(),
            ripe: Mutex::default(),
            swept: Mutex::new(swept),
            untidied,
            stepped,
        }
    }

    pub(super) fn is_stepped(&self) -> bool {
        self.stepped
    }

    /// Has the room of the first segment made while nobody waits for it.
    pub(super) fn get_ready(&self) {
        if let Some(writer) = self.desk().writer.as_mut() {
            self.send(writer);
        }
    }

    /// Waits for the desk. Who sits there may be at the device: in a stepped log it has to get its turn.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        loop {
            match self.desk.try_lock() {
                None if self.stepped && self.clock.wait_for_others() => {}
                None => return self.desk.lock(),
                Some(desk) => return desk,
            }
        }
    }

    /// How many groups may be at the device at once.
    pub(super) fn lanes(&self) -> usize {
        match self.options.durability {
            _ if self.store.append().is_none() => self.options.puts_in_flight as usize,
            // A stream takes one write after the other.
            _ if leasing(&*self.store).is_some() => 1,
            Durability::Power => LANES,
            Durability::Process => 1,
        }
    }

    /// Whether something should go to the device now.
    pub(super) fn is_ready(&self, queue: &Queue) -> bool {
        queue.ready(self.lanes(), || self.elapsed())
    }

    /// The engine's time: it goes on from where the log had got to, by the monotonic clock, and never back.
    pub(super) fn now(&self) -> Time {
        self.time_base.after(self.clock.elapsed().saturating_sub(self.elapsed_base))
    }

    /// The clock that only goes on.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(super) fn confirm_clock(&self) {
        // The headers of the segments to come no longer state a doubt, so that a start that finds one of them has none.
        if let Some(writer) = self.desk().writer.as_mut() {
            writer.clock_in_doubt = false;
        }
        *self.clock_doubt.lock() = None;
    }

    /// One turn of the writer's work. A panic of the medium or of the clock in it fails the log as a failed write does.
    pub(super) fn turn(&self) -> Turn {
        // In a stepped log nobody else does things aside.
        if self.stepped && self.run_summary() {
            return Turn::Did;
        }
        let mut desk = self.desk();
        let mut jobs = {
            let mut queue = self.queue.lock();
            queue.called = false;
            if matches!(queue.life, Life::Failed(_) | Life::Closed) {
                return Turn::Over;
            }
            if !self.is_ready(&queue) {
                return if queue.jobs.is_empty() { Turn::Idle } else { Turn::Busy };
            }
            if let Some(error) = queue.superseded.clone() {
                drop(queue);
                return self.fail(desk, &error, Vec::new(), Vec::new(), 0);
            }
            if queue.grounded > 0 {
                drop(queue);
                return self.fly_again(desk);
            }
            // A clock that panics here does so again where it is told.
            let due = |due| caught(|| Ok(due <= self.elapsed())).unwrap_or(false);
            if desk.claims_due.is_some_and(due) {
                drop(queue);
                return self.look_for_claims(desk);
            }
            queue.take(self.options.group_bytes(), || self.elapsed())
        };
        let Some(writer) = desk.writer.as_mut() else { return Turn::Over };
        let done = match &jobs[..] {
            [Job::Seal(_)] => caught(|| writer.seal(self.now()).map(Done::Sealed)),
            [Job::Retire(before, _)] => caught(|| {
                let _alone = self.making_room.lock();
                self.retire(writer, *before).map(Done::Retired)
            }),
            _ => return self.depart(desk, jobs),
        };
        self.show(writer);
        let job = jobs.pop().expect("another job goes alone");
        match done {
            Ok(done) => {
                self.queue.lock().full = None;
                let woken = job.answer(done);
                drop(desk);
                self.wake(woken);
                Turn::Did
            }
            Err(Failed::Full(error)) => {
                let woken = job.refuse(error);
                drop(desk);
                self.wake(woken);
                Turn::Full
            }
            Err(Failed::Dead(error)) => self.fail(desk, &error, Vec::new(), vec![job], 0),
        }
    }

    /// Looks whether somebody has claimed a newer epoch, off all locks. Safety does not depend on it.
    fn look_for_claims(&self, mut desk: MutexGuard<'_, Desk>) -> Turn {
        let Some(epoch) = desk.writer.as_ref().map(Writer::epoch) else { return Turn::Over };
        desk.claims_due = None;
        drop(desk);
        // What cannot be listed now is listed next time.
        let newer = caught(|| Ok(claimed_above(&*self.store, epoch)?)).ok().flatten();
        let mut desk = self.desk();
        desk.claims_due = caught(|| Ok(self.elapsed() + CLAIMS_LOOKED_FOR)).ok();
        if let Some(newer) = newer {
            let message = format!(
                "a newer writer is taking this log over, so nothing more is appended; stop, or start again: \
                 epoch={epoch} newer={newer}"
            );
            // What is at the device lands and is acknowledged before the log ends.
            self.queue.lock().superseded = Some(Error::new(Kind::Fenced, message));
        }
        Turn::Did
    }

    /// Gives a group its place and brings it to the device, off all locks.
    fn depart(&self, mut desk: MutexGuard<'_, Desk>, jobs: Vec<Job>) -> Turn {
        let Some(writer) = desk.writer.as_mut() else { return Turn::Over };
        let records = || jobs.iter().filter_map(Job::prepared);
        let frames = records().map(Prepared::frame_len).sum();
        let weight = records().map(weight).sum();
        let mut now = Time(0);
        let room = caught(|| {
            now = self.now();
            writer.make_room(frames, now)
        });
        match room {
            Ok(true) => {}
            Ok(false) => {
                let mut queue = self.queue.lock();
                queue.held = true;
                queue.put_back(jobs);
                return Turn::Busy;
            }
            Err(Failed::Full(error)) => {
                self.show(writer);
                return self.full(jobs, error);
            }
            Err(Failed::Dead(error)) => return self.fail(desk, &error, Vec::new(), jobs, 0),
        }
        let (records, slots) = jobs.into_iter().filter_map(Job::into_append).unzip();
        let party = Party { slots, weight, frames };
        let leave = writer.leave(records, now);
        let number = desk.departures;
        desk.departures += 1;
        desk.flying.push_back(Flying { number, back: None });
        {
            let mut queue = self.queue.lock();
            queue.flying += 1;
            queue.flying_bytes += frames;
            queue.departed += 1;
        }
        drop(desk);

        let mut flight = None;
        let outcome = caught(|| flight.insert(leave.encode()).fly());
        self.arrive(number, flight, party, outcome)
    }

    /// Brings a group to the device once more for which there was no room, off all locks.
    fn fly_again(&self, mut desk: MutexGuard<'_, Desk>) -> Turn {
        let grounded = |flying: &&mut Flying| matches!(flying.back, Some(Back::NoRoom(..)));
        let Some(flying) = desk.flying.iter_mut().find(grounded) else { return Turn::Busy };
        let Some(Back::NoRoom(flight, party)) = flying.back.take() else { unreachable!("it was looked at") };
        let number = flying.number;
        self.queue.lock().grounded -= 1;
        drop(desk);
        let outcome = caught(|| flight.fly());
        self.arrive(number, Some(flight), party, outcome)
    }

    /// Takes in a group that comes back from the device.
    fn arrive(&self, number: u64, flight: Option<Flight>, party: Party, outcome: Result<(), Failed>) -> Turn {
        let mut desk = self.desk();
        let at = desk.flying.iter().position(|flying| flying.number == number);
        let at = at.expect("a group comes back once");
        let before = match &self.queue.lock().life {
            Life::Failed(error) => Some(error.clone()),
            _ => None,
        };
        let (error, flight) = match (outcome, before, flight) {
            (Ok(()), None, Some(flight)) => {
                desk.flying[at].back = Some(Back::Landed(flight, party));
                return self.land(desk);
            }
            (Err(Failed::Full(error)), None, Some(flight)) => {
                desk.flying[at].back = Some(Back::NoRoom(flight, party));
                let mut queue = self.queue.lock();
                queue.grounded += 1;
                // Of a log that closes, who slept until this came back has to see that it will not land.
                if !matches!(queue.life, Life::Running) {
                    self.work.notify_all();
                }
                drop(queue);
                return self.call_back(desk, error);
            }
            (_, Some(before), flight) => {
                // The log failed while this was at the device, so nobody may hear that it is safe.
                (Error::new(Kind::Unknown, "a group before or beside it failed").because(before), flight)
            }
            (Err(failed), None, flight) => (failed.into_error(), flight),
            (Ok(()), None, None) => unreachable!("what has landed has flown"),
        };
        desk.flying.remove(at);
        self.landed(&party);
        let places = flight.as_ref().map(Flight::places).unwrap_or_default();
        let places = places.into_iter().chain(std::iter::repeat(Unsettled::NOWHERE));
        let handed = party.slots.into_iter().zip(places).collect();
        self.fail(desk, &error, handed, Vec::new(), at)
    }

    /// Takes back the groups behind which nothing has left and for which there was no room: they wait with the others,
    /// and may become other groups.
    fn call_back(&self, mut desk: MutexGuard<'_, Desk>, error: Error) -> Turn {
        let Desk { writer, flying, .. } = &mut *desk;
        let writer = writer.as_mut().expect("a log is open while something flies");
        let mut back = Vec::new();
        while let Some(last) = flying.pop_back() {
            let Some(Back::NoRoom(mut flight, party)) = last.back else {
                flying.push_back(last);
                break;
            };
            writer.call_back(&flight);
            self.landed(&party);
            self.queue.lock().grounded -= 1;
            let appends = flight.take_records().into_iter().zip(party.slots);
            back.push(appends.map(|(record, slot)| Job::Append(record, slot)).collect::<Vec<_>>());
        }
        self.full(back.into_iter().rev().flatten().collect(), error)
    }

    /// Acknowledges what has landed, as far as all before it has too.
    fn land(&self, mut desk: MutexGuard<'_, Desk>) -> Turn {
        let Desk { writer, flying, .. } = &mut *desk;
        let writer = writer.as_mut().expect("a log is open while something flies");
        let (mut landed, mut records, mut frames, mut weight) = (Vec::new(), Vec::new(), 0, 0);
        let has_landed = |next: &mut Flying| matches!(next.back, Some(Back::Landed(..)));
        while let Some(next) = flying.pop_front_if(has_landed) {
            let Some(Back::Landed(mut flight, party)) = next.back else { unreachable!("it was looked at") };
            records.push(flight.take_records());
            frames += party.frames;
            weight += party.weight;
            landed.push((party.slots, writer.land(flight)));
        }
        if landed.is_empty() {
            return Turn::Did;
        }
        self.show(writer);
        self.send(writer);
        let mut woken = {
            let mut queue = self.queue.lock();
            queue.full = None;
            self.subside(&mut queue, landed.len(), frames);
            queue.give_room(weight, self.options.queue_bytes_max)
        };
        // Under the desk's lock, so that nobody sees an answer before that of an earlier place.
        for (slots, handles) in landed {
            woken.extend(slots.into_iter().zip(handles).filter_map(|(slot, handle)| slot.set(Ok(handle))));
        }
        drop(desk);
        self.wake(woken);
        // Off all locks: what an owner does when its payload is let go may need the log, and a panic in it is not ours.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(records)));
        Turn::Did
    }

    /// A group is no longer at the device.
    fn landed(&self, party: &Party) {
        self.subside(&mut self.queue.lock(), 1, party.frames);
    }

    fn subside(&self, queue: &mut Queue, groups: usize, frames: u64) {
        queue.flying -= groups;
        queue.flying_bytes -= frames;
        // On objects nothing waits for all to land, but for some of what is in flight to be acknowledged.
        queue.held &= queue.flying > 0 && self.store.append().is_some();
        if queue.flying == 0 {
            self.landed.notify_all();
        }
        // Who ends when all is done may sleep until then.
        if !matches!(queue.life, Life::Running) || queue.superseded.is_some() {
            self.work.notify_all();
        }
    }

    fn wake(&self, woken: impl IntoIterator<Item = Waiter>) {
        woken.into_iter().for_each(Waiter::wake);
    }

    /// Wakes a lane, if there is something for it and none is on its way.
    pub(super) fn call(&self, queue: &mut Queue) {
        let unwatched = !queue.watched && queue.due(self.lanes()).is_some();
        if !queue.called && queue.asleep > 0 && (unwatched || self.is_ready(queue)) {
            queue.called = true;
            self.work.notify_one();
        }
    }

    /// For who waits for the only thing there is to do: does it, instead of waking somebody for it.
    pub(super) fn lead(&self, slot: &Arc<Slot<Handle>>) {
        let alone = {
            let queue = self.queue.lock();
            queue.flying == 0 && queue.jobs.len() == 1 && queue.jobs.iter().all(|job| job.is_for(slot))
        };
        if alone {
            self.turn();
        }
        // What came meanwhile is for a lane; so is this very one, if the disk is full.
        self.call(&mut self.queue.lock());
    }

    /// For who waits in a stepped log: a turn, or the reason why waiting is in vain.
    pub(super) fn turn_or_stuck(&self) -> Result<()> {
        match self.turn() {
            Turn::Did | Turn::Over => Ok(()),
            // Another one has taken it to the device, or has to come back first.
            Turn::Idle | Turn::Busy if self.clock.wait_for_others() => Ok(()),
            Turn::Idle | Turn::Busy => {
                Err(Error::new(Kind::Invalid, "a stepped log has nothing to do, and somebody waits"))
            }
            // Retiring goes next, past what found no room: who waits for it would be gone, and its pin, before it is done.
            Turn::Full if self.queue.lock().wants_to_retire() => Ok(()),
            Turn::Full => {
                let full = self.queue.lock().full.clone();
                Err(full.unwrap_or_else(|| Error::new(Kind::Full, "the disk is full")))
            }
        }
    }

    /// What the writer does when nobody wants anything: it says that all was acknowledged, and seals what is old.
    /// Returns how long it can rest.
    pub(super) fn rest(&self) -> Duration {
        let mut desk = self.desk();
        let busy = {
            let queue = self.queue.lock();
            if matches!(queue.life, Life::Failed(_) | Life::Closed) {
                return Duration::MAX;
            }
            queue.flying > 0 || !queue.jobs.is_empty()
        };
        let Some(writer) = desk.writer.as_mut() else { return Duration::MAX };
        if busy {
            return self.options.idle_after;
        }
        let due = writer.active_since().map(|since| self.options.sealed_by(since));
        let mut now = Time(0);
        let done = caught(|| {
            now = self.now();
            match due {
                Some(due) if due <= now => writer.seal(now),
                _ => writer.idle(now),
            }
        });
        match done {
            Ok(()) | Err(Failed::Full(_)) => self.show(writer),
            Err(Failed::Dead(error)) => {
                self.fail(desk, &error, Vec::new(), Vec::new(), 0);
                return Duration::MAX;
            }
        }
        self.send(writer);
        match writer.active_since() {
            None => Duration::MAX,
            Some(since) => {
                let due = self.options.sealed_by(since);
                Duration::from_millis(due.0.saturating_sub(now.0).max(1))
            }
        }
    }

    /// Takes in that a sync came to its end beside everything else.
    pub(super) fn synced(&self, unsynced: &Unsynced, outcome: Result<(), Failed>) {
        let mut desk = self.desk();
        match (outcome, desk.writer.as_mut()) {
            (Ok(()), Some(writer)) => writer.synced(unsynced),
            (Err(failed), Some(_)) => {
                self.fail(desk, &failed.into_error(), Vec::new(), Vec::new(), 0);
            }
            (_, None) => {}
        }
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
        // With the mark that states it: who summarises what is seen says where the log begins.
        let begins = view.begins.max(writer.begins());
        view.begins = begins;
        let retired = view.segments.partition_point(|segment| segment.base < begins);
        view.segments.drain(..retired);
        view.older = view.older.filter(|&older| begins < older);
    }

    /// Nothing of these was handed over, and they wait for room.
    fn full(&self, jobs: Vec<Job>, error: Error) -> Turn {
        let mut queue = self.queue.lock();
        queue.full = Some(error);
        queue.put_back(jobs);
        Turn::Full
    }
}

/// What a job other than an append came to.
enum Done {
    Sealed(()),
    Retired(Result<Retired>),
}

impl Job {
    fn prepared(&self) -> Option<&Prepared> {
        match self {
            Job::Append(prepared, _) => Some(prepared),
            _ => None,
        }
    }

    fn into_append(self) -> Option<(Prepared, Arc<Slot<Handle>>)> {
        match self {
            Job::Append(prepared, slot) => Some((prepared, slot)),
            _ => None,
        }
    }

    /// Sets its answer. Returns whom to wake.
    fn answer(self, done: Done) -> Vec<Waiter> {
        let waiter = match (self, done) {
            (Job::Seal(slot), Done::Sealed(())) => slot.set(Ok(())),
            (Job::Retire(_, slot), Done::Retired(retired)) => slot.set(retired),
            _ => unreachable!("a job is answered as what it is"),
        };
        waiter.into_iter().collect()
    }

    /// Sets its answer. Returns whom to wake.
    fn refuse(&self, error: Error) -> Option<Waiter> {
        match self {
            Job::Append(_, slot) => slot.set(Err(error)),
            Job::Seal(slot) => slot.set(Err(error)),
            Job::Retire(_, slot) => slot.set(Err(error)),
        }
    }
}

/// Does something at the device; a panic in it is a failure.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("it said nothing");
        Err(Failed::Dead(Error::new(Kind::Unknown, format!("the writer panicked: {said}"))))
    })
}
