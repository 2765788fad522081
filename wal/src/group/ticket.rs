//! The answer to an append, which a caller waits for, awaits or drops.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::core::Core;
use super::thread::{self, Instant, Thread};
use crate::error::Result;
use crate::format::Handle;

/// A place for one answer, given once.
#[derive(Debug)]
pub(super) struct Slot<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    answer: Option<Result<T>>,
    waiter: Option<Waiter>,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(super) enum Waiter {
    Thread(Thread),
    Task(Waker),
}

impl Waiter {
    pub(super) fn wake(self) {
        match self {
            Waiter::Thread(thread) => thread.unpark(),
            // What an executor's waker does is not ours: a panic in it must not end the writer.
            Waiter::Task(waker) => {
                let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
        }
    }
}

impl<T: Clone> Slot<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Slot { state: Mutex::new(State { answer: None, waiter: None }) })
    }

    /// Sets the answer, and returns whom to wake: outside any lock. A second answer is a bug of ours that would show two
    /// truths.
    pub(super) fn set(&self, answer: Result<T>) -> Option<Waiter> {
        let mut state = self.state.lock();
        assert!(state.answer.is_none(), "an append is answered once");
        state.answer = Some(answer);
        state.waiter.take()
    }

    pub(super) fn answer(&self) -> Option<Result<T>> {
        self.state.lock().answer.clone()
    }

    /// The answer, or `waiter` is woken when there is one.
    fn answer_or(&self, waiter: impl FnOnce() -> Waiter) -> Option<Result<T>> {
        // Dropped after the lock: with the last waker of a task goes what the task owned, which may be tickets or the log.
        let _replaced;
        let mut state = self.state.lock();
        if state.answer.is_some() {
            return state.answer.clone();
        }
        _replaced = state.waiter.replace(waiter());
        None
    }

    /// Waits for the answer; in a stepped log by doing the writer's work.
    pub(super) fn wait(&self, core: &Core) -> Result<T> {
        loop {
            if core.is_stepped() {
                if let Some(answer) = self.answer() {
                    return answer;
                }
                // Who finds nothing to do may have waited for another one, who has done it and is gone.
                if let Err(stuck) = core.turn_or_stuck() {
                    return self.answer().unwrap_or(Err(stuck));
                }
                continue;
            }
            match self.answer_or(|| Waiter::Thread(thread::current())) {
                Some(answer) => return answer,
                // It may return for no reason, or for one of the caller's own.
                None => thread::park(),
            }
        }
    }

    /// Waits so long; in a stepped log for as long as there is work.
    fn wait_until(&self, core: &Core, deadline: Instant) -> Option<Result<T>> {
        while core.is_stepped() {
            let answer = self.answer();
            if answer.is_some() {
                return answer;
            }
            if core.turn_or_stuck().is_err() {
                return self.answer();
            }
        }
        loop {
            let answer = self.answer_or(|| Waiter::Thread(thread::current()));
            let left = deadline.saturating_duration_since(Instant::now());
            if answer.is_some() || left.is_zero() {
                return answer;
            }
            thread::park_timeout(left);
        }
    }

    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Result<T>> {
        match self.answer_or(|| Waiter::Task(context.waker().clone())) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }
    }
}

/// An append under way.
///
/// Wait for it, or await it on any executor. Dropping it changes nothing: the record is written all the same, and
/// nobody hears of it.
#[must_use = "a record is safe only once its ticket has answered"]
#[derive(Debug)]
pub struct Ticket {
    pub(super) slot: Arc<Slot<Handle>>,
    pub(super) core: Arc<Core>,
    /// No lane was woken for it, since whoever waits for it may bring it to the device.
    pub(super) unattended: bool,
}

impl Ticket {
    /// Waits until the record is durable (in a log of durability `Process`: written), or until it is known that it may
    /// not be.
    ///
    /// `Fenced` and `Full` say that it is certainly not in the log; `Unknown` carries what the next started log settles
    /// it with.
    pub fn wait(mut self) -> Result<Handle> {
        if std::mem::take(&mut self.unattended) {
            self.core.lead(&self.slot);
        }
        self.slot.wait(&self.core)
    }

    /// Waits so long; the ticket comes back if there is no answer yet.
    pub fn wait_for(mut self, at_most: Duration) -> Result<Result<Handle>, Ticket> {
        self.attend();
        let Some(deadline) = Instant::now().checked_add(at_most) else { return Ok(self.wait()) };
        match self.slot.wait_until(&self.core, deadline) {
            Some(answer) => Ok(answer),
            None => Err(self),
        }
    }

    /// The answer, if there is one already.
    ///
    /// Asking does not hurry it: a record for which nobody waits goes to the device within a millisecond.
    pub fn answer(&self) -> Option<Result<Handle>> {
        self.slot.answer()
    }

    /// Has a lane woken, if none was: nobody here will bring it to the device.
    fn attend(&mut self) {
        if std::mem::take(&mut self.unattended) {
            self.core.call(&mut self.core.queue.lock());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.attend();
    }
}

impl Future for Ticket {
    type Output = Result<Handle>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.attend();
        self.slot.poll(context)
    }
}
