//! The answer to an append, which a caller waits for, awaits or drops.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::core::{Core, wake};
use crate::error::Result;
use crate::format::Handle;

/// A place for one answer, given once.
#[derive(Debug)]
pub(super) struct Slot<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

#[derive(Debug)]
struct State<T> {
    answer: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T: Clone> Slot<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Slot { state: Mutex::new(State { answer: None, waker: None }), given: Condvar::new() })
    }

    /// Gives the answer. A second one is a bug of ours that would show two truths.
    pub(super) fn give(&self, answer: Result<T>) {
        let waker = {
            let mut state = self.state.lock();
            assert!(state.answer.is_none(), "an append is answered once");
            state.answer = Some(answer);
            self.given.notify_all();
            state.waker.take()
        };
        waker.into_iter().for_each(wake);
    }

    pub(super) fn answer(&self) -> Option<Result<T>> {
        self.state.lock().answer.clone()
    }

    /// Waits for the answer; in a stepped log by doing the writer's work.
    pub(super) fn wait(&self, core: &Core) -> Result<T> {
        if core.is_stepped() {
            loop {
                if let Some(answer) = self.answer() {
                    return answer;
                }
                core.turn_or_stuck()?;
            }
        }
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = &state.answer {
                return answer.clone();
            }
            self.given.wait(&mut state);
        }
    }

    fn wait_until(&self, deadline: Instant) -> Option<Result<T>> {
        let mut state = self.state.lock();
        while state.answer.is_none() && !self.given.wait_until(&mut state, deadline).timed_out() {}
        state.answer.clone()
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut state = self.state.lock();
        match &state.answer {
            Some(answer) => Poll::Ready(answer.clone()),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
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
}

impl Ticket {
    /// Waits until the record is durable (in a log of durability `Process`: written), or until it is known that it may
    /// not be.
    ///
    /// `Fenced` and `Full` say that it is certainly not in the log; `Unknown` carries what the next started log settles
    /// it with.
    pub fn wait(self) -> Result<Handle> {
        self.slot.wait(&self.core)
    }

    /// Waits so long; the ticket comes back if there is no answer yet.
    pub fn wait_for(self, at_most: Duration) -> Result<Result<Handle>, Ticket> {
        let Some(deadline) = Instant::now().checked_add(at_most) else { return Ok(self.wait()) };
        match self.slot.wait_until(deadline) {
            Some(answer) => Ok(answer),
            None => Err(self),
        }
    }

    /// The answer, if there is one already.
    pub fn answer(&self) -> Option<Result<Handle>> {
        self.slot.answer()
    }
}

impl Future for Ticket {
    type Output = Result<Handle>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.slot.poll(context)
    }
}
