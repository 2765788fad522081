//! The log's own threads: lanes, of which more come as more is in flight, and one for what is done aside: making the next
//! segment's room, and the syncs of a `Process` log.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::core::{Core, Turn, caught};
use super::queue::Life;
use super::thread::{self, Builder, JoinHandle};
use crate::error::{Error, Kind, Result};
use crate::log::{Failed, Writer};

/// How long a lane waits before it asks a full disk again, at first and in the end.
const FULL_RETRY: Duration = Duration::from_millis(20);
const FULL_RETRY_MAX: Duration = Duration::from_millis(500);

/// While there is something to do now and then the first lane looks so often by itself, for as many times: an append that
/// is waited for then need not wake it, and one that nobody asks for waits so long at most.
const DOZE: Duration = Duration::from_millis(1);
const DOZES: u32 = 20;

/// The threads of a log.
#[derive(Debug, Default)]
pub(super) struct Crew(Mutex<Vec<JoinHandle<()>>>);

impl Crew {
    /// Starts the first lane, and the thread for what is done aside.
    pub(super) fn start(core: &Arc<Core>) -> Result<Arc<Crew>> {
        let crew = Arc::new(Crew::default());
        let aside = core.clone();
        crew.hire("headwater-aside", move || aside.run_errands())?;
        let first = (core.clone(), crew.clone());
        match crew.hire("headwater-writer", move || first.0.run(&first.1, 0)) {
            Ok(()) => {
                core.get_ready();
                Ok(crew)
            }
            Err(error) => {
                crew.end(core);
                Err(error)
            }
        }
    }

    fn hire(&self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = Builder::new().name(name.into()).spawn(work);
        let thread = thread.map_err(|error| {
            Error::new(Kind::Unavailable, "no thread could be had for the writer").because(error)
        })?;
        self.0.lock().push(thread);
        Ok(())
    }

    /// Waits until all have ended, which they do when the log is closing or has failed.
    pub(super) fn end(&self, core: &Core) {
        core.work.notify_all();
        core.errands.lock().over = true;
        core.errand.notify_all();
        // One that is about to end may have started another.
        while let Some(thread) = { self.0.lock().pop() } {
            // A lane wakes tasks, and waking one may end the log: that lane cannot wait for itself, and ends soon.
            if thread.thread().id() != thread::current().id() {
                // A panic at the device was caught and told long before.
                let _ = thread.join();
            }
        }
    }
}

impl Core {
    /// A lane's life. The first one also does what is to be done when nobody wants anything.
    fn run(self: &Arc<Self>, crew: &Arc<Crew>, lane: usize) {
        let (mut quiet, mut full_retry) = (Quiet::new(lane, self.options.idle_after), FULL_RETRY);
        let mut followed = false;
        loop {
            if !followed && lane + 1 < self.lanes() {
                followed = self.hire_next(crew, lane);
            }
            match self.turn() {
                Turn::Did => {
                    quiet.ended();
                    full_retry = FULL_RETRY;
                }
                Turn::Over => return,
                Turn::Full => {
                    if !self.wait_for_room(full_retry) {
                        return;
                    }
                    full_retry = (full_retry * 2).min(FULL_RETRY_MAX);
                }
                Turn::Idle | Turn::Busy => match self.sleep(&mut quiet) {
                    Some(Slept::Woken) => {}
                    Some(Slept::Long) => quiet.at_rest(self.rest()),
                    None => return,
                },
            }
        }
    }

    /// Before a lane leaves with something it sees to it that another one can come behind it.
    fn hire_next(self: &Arc<Self>, crew: &Arc<Crew>, lane: usize) -> bool {
        {
            let queue = self.queue.lock();
            if !matches!(queue.life, Life::Running) || !self.is_ready(&queue) {
                return false;
            }
        }
        let next = (self.clone(), crew.clone());
        // Without it there is less in flight, no more; and it is tried once.
        let _ = crew.hire("headwater-writer", move || next.0.run(&next.1, lane + 1));
        true
    }

    /// Sleeps until there is something to do, or all was quiet for long; `None` if there will never be anything.
    fn sleep(&self, quiet: &mut Quiet) -> Option<Slept> {
        let mut queue = self.queue.lock();
        loop {
            if self.is_ready(&queue) {
                return Some(Slept::Woken);
            }
            if !matches!(queue.life, Life::Running) && queue.flying == 0 {
                return None;
            }
            if queue.departed != quiet.departed {
                quiet.departed = queue.departed;
                quiet.ended();
            }
            let Some(at_most) = quiet.sleep() else { return Some(Slept::Long) };
            // One lane sees to it that a group which lingers goes in time.
            let due = queue.due(self.lanes()).filter(|_| !queue.watched);
            let left = due.map(|due| due.saturating_sub(self.elapsed()).max(Duration::from_micros(1)));
            let at_most = left.unwrap_or(at_most);
            let dozing = left.is_none() && at_most <= DOZE;
            queue.asleep += 1;
            queue.dozing |= dozing;
            queue.watched |= due.is_some();
            let timed_out = if at_most == Duration::MAX {
                self.work.wait(&mut queue);
                false
            } else {
                self.work.wait_for(&mut queue, at_most).timed_out()
            };
            queue.asleep -= 1;
            queue.dozing &= !dozing;
            queue.watched &= due.is_none();
            if !timed_out {
                return Some(Slept::Woken);
            }
            match due {
                // It was waited for, whatever the clock says: one that stands still must not hold a group.
                Some(_) => queue.has_lingered(),
                None => quiet.slept(at_most),
            }
        }
    }

    /// Waits until a full disk is asked again, or somebody wants something that needs no room. Whether the log goes on.
    fn wait_for_room(&self, at_most: Duration) -> bool {
        let mut queue = self.queue.lock();
        let mut waited = false;
        // Once another lane has found room this one is as free as any: it may be the one that is woken for an append.
        while !waited
            && matches!(queue.life, Life::Running)
            && queue.full.is_some()
            && !queue.wants_to_retire()
        {
            queue.asleep += 1;
            waited = self.work.wait_for(&mut queue, at_most).timed_out();
            queue.asleep -= 1;
        }
        !matches!(queue.life, Life::Closing) || queue.wants_to_retire()
    }

    /// Sends out for what the writer wants done aside.
    pub(super) fn send(&self, writer: &mut Writer) {
        if let Some(summary) = self.due_summary() {
            self.errands.lock().summary = Some(summary);
            self.errand.notify_one();
        }
        if self.is_stepped() {
            return;
        }
        let (room, sync) = (writer.wants_ahead(), writer.wants_sync());
        if room.is_some() || sync.is_some() {
            let mut errands = self.errands.lock();
            errands.room = room.or(errands.room);
            errands.sync = sync.or(errands.sync.take());
            self.errand.notify_one();
        }
    }

    /// The life of the thread that does things aside.
    fn run_errands(&self) {
        loop {
            let (room, sync) = {
                let mut errands = self.errands.lock();
                while errands.is_empty() && !errands.over {
                    self.errand.wait(&mut errands);
                }
                if errands.over {
                    return;
                }
                (errands.room.take(), errands.sync.take())
            };
            self.run_summary();
            if let Some(unsynced) = sync
                && let Some(outcome) = self.run_errand(|| unsynced.sync())
            {
                self.synced(&unsynced, outcome);
            }
            if let (Some((len, room)), Some(append)) = (room, self.store.append()) {
                // What goes wrong here goes wrong again when the room is needed, and is told then.
                let _alone = self.making_room.lock();
                let _ = self.run_errand(|| append.ahead(len, room).map_err(Failed::from));
            }
        }
    }

    /// Puts the summary that is due, if one is. One that fails goes into the next.
    pub(super) fn run_summary(&self) -> bool {
        let Some(summary) = self.errands.lock().summary.take() else { return false };
        let put = self.run_errand(|| {
            self.put_summary(&summary);
            Ok(())
        });
        // After a start there may be more than one.
        let next = put.and_then(|_| self.due_summary());
        self.errands.lock().summary = next;
        true
    }

    /// Runs one errand, unless they are over.
    fn run_errand(&self, errand: impl FnOnce() -> Result<(), Failed>) -> Option<Result<(), Failed>> {
        {
            let mut errands = self.errands.lock();
            if errands.over {
                return None;
            }
            errands.out = true;
        }
        let done = caught(errand);
        self.errands.lock().out = false;
        self.errand.notify_all();
        Some(done)
    }

    /// Waits until no errand is at the device, and none will be. Of several who end a log at once only one may have
    /// waited for the thread itself.
    pub(super) fn until_errands_are_done(&self) {
        let mut errands = self.errands.lock();
        errands.over = true;
        while errands.out {
            if !self.is_stepped() {
                self.errand.wait(&mut errands);
            } else if !MutexGuard::unlocked(&mut errands, || self.clock.wait_for_others()) {
                return; // whoever was out is gone, by a panic of a test's own
            }
        }
    }
}

/// How a sleep ended.
enum Slept {
    /// Somebody woke it.
    Woken,
    /// All was quiet until it was time to rest, or to look after what is old.
    Long,
}

/// How long a lane has seen nothing happen, and how it sleeps meanwhile: it dozes, then sleeps until the log counts as
/// idle, then rests as long as it may.
struct Quiet {
    first: bool,
    idle_after: Duration,
    slept: Duration,
    /// Since it rests: for how long it may.
    rest: Option<Duration>,
    /// Groups that had gone to the device.
    departed: u64,
}

impl Quiet {
    fn new(lane: usize, idle_after: Duration) -> Self {
        // A log that was just started has nothing to say; what is old is looked after once it rests.
        Quiet { first: lane == 0, idle_after, slept: Duration::ZERO, rest: None, departed: 0 }
    }

    fn ended(&mut self) {
        self.slept = Duration::ZERO;
        self.rest = None;
    }

    fn at_rest(&mut self, at_most: Duration) {
        self.rest = Some(at_most);
    }

    fn slept(&mut self, so_long: Duration) {
        self.slept += so_long;
        if self.rest.is_some() {
            self.rest = Some(Duration::ZERO);
        }
    }

    /// How long to sleep now; `None` if it is time for a rest.
    fn sleep(&self) -> Option<Duration> {
        let left = match self.rest {
            _ if !self.first => return Some(Duration::MAX),
            Some(rest) => rest,
            None => self.idle_after.saturating_sub(self.slept),
        };
        match left {
            Duration::ZERO => None,
            left if self.rest.is_none() && self.slept < DOZE * DOZES => Some(left.min(DOZE)),
            left => Some(left),
        }
    }
}
