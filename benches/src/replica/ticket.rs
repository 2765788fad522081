//! The answer to a put.

use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};

use headwater_wal::Result;

/// How many copies of a block there are, in how many processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Those that were made, the one in the receiver's own memory included.
    pub made: usize,
    /// The factor.
    pub wanted: usize,
}

impl Copies {
    /// Whether there are fewer than the factor says: only where [`Need::BestEffort`](super::Need) is told.
    pub fn is_short(&self) -> bool {
        self.made < self.wanted
    }
}

/// A place for one answer, given once.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answer: Option<Result<Copies>>,
    waiter: Option<Thread>,
}

impl Slot {
    pub(super) fn set(&self, answer: Result<Copies>) {
        let mut state = self.0.lock().expect("nobody panics with it");
        assert!(state.answer.is_none(), "a put is answered once");
        state.answer = Some(answer);
        let waiter = state.waiter.take();
        drop(state);
        if let Some(waiter) = waiter {
            waiter.unpark();
        }
    }
}

/// Answers when the copies of a block are there. Dropping it changes nothing for the block.
#[derive(Debug)]
#[must_use = "only its answer says that the copies are there"]
pub struct Ticket(pub(super) Arc<Slot>);

impl Ticket {
    /// Waits until the copies are there, or until it is known that they will not be: at most as long as every peer in
    /// turn may take to answer. Tickets answer in the order of their puts.
    pub fn wait(self) -> Result<Copies> {
        loop {
            let mut state = self.0.0.lock().expect("nobody panics with it");
            if let Some(answer) = state.answer.take() {
                return answer;
            }
            state.waiter = Some(thread::current());
            drop(state);
            thread::park();
        }
    }

    /// Whether the answer is there.
    pub fn is_answered(&self) -> bool {
        self.0.0.lock().expect("nobody panics with it").answer.is_some()
    }
}
