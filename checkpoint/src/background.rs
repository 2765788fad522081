//! Checkpoints written beside the driver's work.
//!
//! The driver hands in its newest state and goes on. One thread writes; what is handed in meanwhile waits, and of what
//! waits only the newest counts. So a slow store makes checkpoints rarer, never the queue longer.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_wal::{Error, Kind, Position, Result, Time};
use parking_lot::{Condvar, Mutex};

use crate::checkpoint::Id;
use crate::draft::Draft;
use crate::writer::Writer;

/// How long is waited after the first failure, and, doubled each time, at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

type Write = Box<dyn FnMut(&mut Draft<'_>) -> Result<()> + Send>;

/// A state that is to be checkpointed.
pub struct Captured {
    positions: Vec<(String, Position)>,
    bytes: u64,
    write: Write,
}

impl Captured {
    /// A state that `write` puts into a draft, with the positions from which its logs have to be replayed.
    ///
    /// `write` runs in another thread, later, and perhaps several times: a store that fails is tried again. It owns what
    /// it writes, a snapshot, of about so many `bytes`. Which checkpoint the draft follows is not known before, so
    /// sections are shared by revision ([`Draft::keep_or_write`]), and not by [`Draft::keep`].
    pub fn new(
        positions: &[(&str, Position)],
        bytes: u64,
        write: impl FnMut(&mut Draft<'_>) -> Result<()> + Send + 'static,
    ) -> Captured {
        let positions = positions.iter().map(|(log, position)| ((*log).to_owned(), *position)).collect();
        Captured { positions, bytes, write: Box::new(write) }
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Captured(bytes={}, positions={:?})", self.bytes, self.positions)
    }
}

/// A thread that writes checkpoints. Dropping it closes it, as [`close`](Background::close) does, and waits.
#[derive(Debug)]
pub struct Background {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Writer>>,
}

/// How checkpointing goes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// The last checkpoint that was published, and when.
    pub published: Option<(Id, Time)>,
    /// For how long there has been a state that is newer than what is published.
    pub lag: Duration,
    /// The bytes of the states in memory: the one that is being written and the one that waits.
    pub bytes: u64,
    /// How many states were passed over for newer ones.
    pub coalesced: u64,
    /// How many tries have failed since the last checkpoint.
    pub failures: u64,
    /// Why the last try failed, until one succeeds.
    pub failure: Option<Error>,
    /// The checkpoints that are kept, newest first.
    pub kept: Vec<Id>,
    /// Why the last sweep left litter, if it did.
    pub unswept: Option<Error>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// Something was handed in, or is to end.
    work: Condvar,
    /// A state was written, or given up: there is room.
    room: Condvar,
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct Desk {
    waiting: Option<Waiting>,
    /// The bytes of the state that is being written.
    writing: Option<u64>,
    status: Status,
    /// Since when there is a state newer than what is published.
    behind_since: Option<Instant>,
    closing: bool,
    /// No checkpoint will be written any more, and why.
    ended: Option<Error>,
}

#[derive(Debug)]
struct Waiting {
    state: Captured,
    tickets: Vec<Arc<Slot>>,
    since: Instant,
}

impl Background {
    /// Has `writer` write in a thread of its own. States in memory take no more than `bytes_max`, the one that is being
    /// written and the one that waits together; one that is larger is taken when there is no other.
    pub fn start(writer: Writer, bytes_max: u64) -> Result<Background> {
        let status = Status { kept: writer.kept().collect(), ..Status::default() };
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk { status, ..Desk::default() }),
            work: Condvar::new(),
            room: Condvar::new(),
            bytes_max,
        });
        let run = {
            let shared = shared.clone();
            move || {
                let ends = Ends(&shared);
                let writer = shared.run(writer);
                drop(ends);
                writer
            }
        };
        let thread = std::thread::Builder::new().name("headwater-background".to_owned()).spawn(run).map_err(
            |error| {
                Error::new(Kind::Unavailable, "a thread that writes checkpoints cannot be started")
                    .because(error)
            },
        )?;
        Ok(Background { shared, thread: Some(thread) })
    }

    /// Hands in the newest state. It is written once the one before is, unless a newer one is handed in until then; the
    /// ticket answers in either case. Waits for room while the states would take more than they may.
    ///
    /// `Closed`; `Fenced`: a newer writer has begun.
    pub fn submit(&self, state: Captured) -> Result<Ticket> {
        let mut desk = self.shared.desk.lock();
        while desk.writing.is_some_and(|bytes| bytes + state.bytes > self.shared.bytes_max) && !desk.is_over()
        {
            self.shared.room.wait(&mut desk);
        }
        self.shared.take_in(&mut desk, state)
    }

    /// The same, but where that would wait, the state is given back.
    pub fn try_submit(&self, state: Captured) -> Result<Result<Ticket, Captured>> {
        let mut desk = self.shared.desk.lock();
        if desk.writing.is_some_and(|bytes| bytes + state.bytes > self.shared.bytes_max) && !desk.is_over() {
            return Ok(Err(state));
        }
        self.shared.take_in(&mut desk, state).map(Ok)
    }

    /// How it goes.
    pub fn status(&self) -> Status {
        let desk = self.shared.desk.lock();
        let lag = desk.behind_since.map_or(Duration::ZERO, |since| since.elapsed());
        let waiting = desk.waiting.as_ref().map_or(0, |waiting| waiting.state.bytes);
        Status { lag, bytes: waiting + desk.writing.unwrap_or(0), ..desk.status.clone() }
    }

    /// Writes what waits, in one try, and ends. Gives the writer back; or, if the last state that was handed in is not
    /// durable, says why.
    pub fn close(mut self) -> Result<Writer> {
        let writer = self.end().expect("it was not closed before");
        let failure = self.shared.desk.lock().status.failure.take();
        failure.map_or(Ok(writer), Err)
    }

    fn end(&mut self) -> Option<Writer> {
        let thread = self.thread.take()?;
        self.shared.desk.lock().closing = true;
        self.shared.work.notify_all();
        self.shared.room.notify_all();
        match thread.join() {
            Ok(writer) => Some(writer),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// Sees to it that nobody waits for a thread that a store's panic has ended.
struct Ends<'a>(&'a Shared);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut desk = self.0.desk.lock();
            let error = Error::new(Kind::Closed, "the thread that writes checkpoints has panicked");
            desk.ended = Some(error.clone());
            let left = desk.waiting.take().into_iter().flat_map(|waiting| waiting.tickets);
            left.for_each(|slot| slot.set(Err(error.clone())));
            self.0.room.notify_all();
        }
    }
}

impl Desk {
    fn is_over(&self) -> bool {
        self.closing || self.ended.is_some()
    }
}

impl Shared {
    /// Makes this the state that waits.
    fn take_in(&self, desk: &mut Desk, state: Captured) -> Result<Ticket> {
        if let Some(error) = &desk.ended {
            return Err(error.clone());
        }
        if desk.closing {
            return Err(closed());
        }
        let slot = Arc::new(Slot::default());
        let newest = Waiting { state, tickets: vec![slot.clone()], since: Instant::now() };
        desk.behind_since.get_or_insert(newest.since);
        desk.waiting = Some(match desk.waiting.take() {
            Some(older) => {
                desk.status.coalesced += 1;
                newest.instead_of(older)
            }
            None => newest,
        });
        self.work.notify_one();
        Ok(Ticket { slot })
    }

    /// The thread's work, until it is closed.
    fn run(&self, mut writer: Writer) -> Writer {
        let mut back_off = BACK_OFF.0;
        while let Some(mut next) = self.next() {
            match write(&mut writer, &mut next.state) {
                Ok(id) => {
                    back_off = BACK_OFF.0;
                    let at = writer.follows().map_or_else(Time::default, |published| published.time());
                    self.published(next, (id, at), writer.kept().collect());
                    writer.sweep_or_note();
                    self.desk.lock().status.unswept = writer.unswept().cloned();
                }
                Err(error) => {
                    if self.failed(next, &error) {
                        self.wait(back_off);
                        back_off = (back_off * 2).min(BACK_OFF.1);
                    }
                }
            }
        }
        writer
    }

    /// What is to be written next; `None` once it is closed and nothing waits.
    fn next(&self) -> Option<Waiting> {
        let mut desk = self.desk.lock();
        loop {
            if let Some(next) = desk.waiting.take() {
                desk.writing = Some(next.state.bytes);
                return Some(next);
            }
            if desk.closing {
                return None;
            }
            self.work.wait(&mut desk);
        }
    }

    fn published(&self, written: Waiting, published: (Id, Time), kept: Vec<Id>) {
        let Waiting { state, tickets, .. } = written;
        drop(state);
        let mut desk = self.desk.lock();
        desk.writing = None;
        desk.behind_since = desk.waiting.as_ref().map(|waiting| waiting.since);
        let status = &mut desk.status;
        (status.published, status.kept) = (Some(published), kept);
        (status.failures, status.failure) = (0, None);
        tickets.into_iter().for_each(|slot| slot.set(Ok(published.0)));
        self.room.notify_all();
    }

    /// Whether it is to be tried again, or a newer one in its place.
    fn failed(&self, tried: Waiting, error: &Error) -> bool {
        let mut desk = self.desk.lock();
        let Desk { waiting, writing, status, closing, ended, behind_since } = &mut *desk;
        *writing = None;
        status.failures += 1;
        status.failure = Some(error.clone());
        self.room.notify_all();
        let passes = matches!(error.kind(), Kind::Unavailable | Kind::Unknown | Kind::Full);
        if passes && !*closing {
            *waiting = Some(match waiting.take() {
                Some(newer) => {
                    status.coalesced += 1;
                    newer.instead_of(tried)
                }
                None => tried,
            });
            return true;
        }
        let mut tickets = tried.tickets;
        if error.kind() == Kind::Fenced {
            *ended = Some(error.clone());
            tickets.extend(waiting.take().into_iter().flat_map(|waiting| waiting.tickets));
        }
        *behind_since = waiting.as_ref().map(|waiting| waiting.since);
        tickets.into_iter().for_each(|slot| slot.set(Err(error.clone())));
        false
    }

    /// Waits so long, or until it is closed.
    fn wait(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut desk = self.desk.lock();
        while !desk.closing && !self.work.wait_until(&mut desk, until).timed_out() {}
    }
}

impl Waiting {
    /// Whoever waits for the older state waits for this one, which holds it.
    fn instead_of(mut self, older: Waiting) -> Waiting {
        let mut tickets = older.tickets;
        tickets.append(&mut self.tickets);
        Waiting { state: self.state, tickets, since: older.since }
    }
}

/// One try.
fn write(writer: &mut Writer, state: &mut Captured) -> Result<Id> {
    let positions: Vec<_> = state.positions.iter().map(|(log, position)| (&**log, *position)).collect();
    let attempt = || {
        let mut draft = writer.draft()?.without_keeping_by_name();
        (state.write)(&mut draft)?;
        draft.publish_only(&positions).map(|(id, _)| id)
    };
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::new(Kind::Invalid, format!("the code that writes the state has panicked: said={said:?}")))
    })
}

fn closed() -> Error {
    Error::new(Kind::Closed, "checkpointing was closed")
}

/// Where the answer for one state will be.
#[derive(Default)]
struct Slot {
    answer: Mutex<(Option<Result<Id>>, Option<Waker>)>,
    there: Condvar,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({:?})", self.answer.lock().0)
    }
}

impl Slot {
    fn set(&self, answer: Result<Id>) {
        let waker = {
            let mut slot = self.answer.lock();
            slot.0 = Some(answer);
            slot.1.take()
        };
        self.there.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The answer for a state that was handed in: the checkpoint that holds it, or a newer one. Cleaning waits for it.
///
/// While the store fails there is no answer yet; [`Background::status`] says why. It can be waited for or awaited.
#[derive(Debug)]
#[must_use = "only its answer says that the state is durable"]
pub struct Ticket {
    slot: Arc<Slot>,
}

impl Ticket {
    /// A ticket whose answer is there.
    pub(crate) fn answered(answer: Result<Id>) -> Ticket {
        let slot = Slot::default();
        slot.set(answer);
        Ticket { slot: Arc::new(slot) }
    }

    /// Waits for the answer: which checkpoint holds this state or a newer one.
    ///
    /// `Fenced`: a newer writer has begun. `Closed`. Any other: this very state cannot be written, and why.
    pub fn wait(self) -> Result<Id> {
        let mut slot = self.slot.answer.lock();
        loop {
            if let Some(answer) = &slot.0 {
                return answer.clone();
            }
            self.slot.there.wait(&mut slot);
        }
    }

    /// Waits so long at most; gives the ticket back if there is no answer by then.
    pub fn wait_for(self, at_most: Duration) -> Result<Result<Id>, Ticket> {
        let until = Instant::now() + at_most;
        {
            let mut slot = self.slot.answer.lock();
            loop {
                if let Some(answer) = &slot.0 {
                    return Ok(answer.clone());
                }
                if self.slot.there.wait_until(&mut slot, until).timed_out() {
                    break;
                }
            }
        }
        Err(self)
    }

    /// The answer, if it is there.
    pub fn answer(&self) -> Option<Result<Id>> {
        self.slot.answer.lock().0.clone()
    }
}

impl Future for Ticket {
    type Output = Result<Id>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Id>> {
        let mut slot = self.slot.answer.lock();
        if let Some(answer) = &slot.0 {
            return Poll::Ready(answer.clone());
        }
        slot.1 = Some(context.waker().clone());
        Poll::Pending
    }
}
