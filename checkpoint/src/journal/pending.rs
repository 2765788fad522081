//! Answers that are decided and not durable yet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_wal::{Error, Handle, Result, Ticket};
use parking_lot::Mutex;

use super::Journal;

/// An answer on its way: it holds once everything that it rests on is durable.
///
/// Dropping it changes nothing: what was handed in is written all the same, and nobody hears of it.
#[must_use = "an answer holds only once it was waited for"]
pub struct Pending<'a, T> {
    pub(super) journal: &'a Journal,
    pub(super) answer: T,
    /// What it rests on; nothing if all was durable already.
    pub(super) behind: Option<Arc<Logged>>,
}

impl<T: fmt::Debug> fmt::Debug for Pending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl<T> Pending<'_, T> {
    /// Waits until the answer holds.
    ///
    /// `Unknown`: it may hold or not, and the journal answers nothing more; open it again, and the replay tells.
    pub fn wait(self) -> Result<T> {
        match self.behind.as_ref().map(|behind| behind.wait()) {
            None | Some(Ok(_)) => Ok(self.answer),
            Some(Err(error)) => Err(self.journal.fail(error)),
        }
    }

    /// Waits so long; comes back if the answer does not hold by then.
    pub fn wait_for(self, at_most: Duration) -> Result<Result<T>, Self> {
        match self.behind.as_ref().map(|behind| behind.wait_for(at_most)) {
            None | Some(Some(Ok(_))) => Ok(Ok(self.answer)),
            Some(Some(Err(error))) => Ok(Err(self.journal.fail(error))),
            Some(None) => Err(self),
        }
    }

    /// Whether waiting would return at once.
    pub fn is_ready(&self) -> bool {
        self.behind.as_ref().is_none_or(|behind| behind.is_ready())
    }
}

/// An event that was handed to the log. Whoever waits for it waits for everything before it, since a log answers in
/// order.
pub(super) struct Logged(Mutex<Fate>);

enum Fate {
    Open(Option<Ticket>),
    Told(Result<Handle>),
}

impl Default for Logged {
    fn default() -> Self {
        Logged(Mutex::new(Fate::Open(None)))
    }
}

impl Logged {
    /// Says what it waits for, before anybody else knows of it.
    pub(super) fn waits_for(&self, ticket: Ticket) {
        *self.0.lock() = Fate::Open(Some(ticket));
    }

    /// Waits for it. The first who comes waits for the ticket, and the others for him.
    pub(super) fn wait(&self) -> Result<Handle, Error> {
        let mut fate = self.0.lock();
        if let Fate::Open(ticket) = &mut *fate {
            let told = ticket.take().expect("a ticket is waited for once").wait();
            *fate = Fate::Told(told);
        }
        match &*fate {
            Fate::Told(told) => told.clone(),
            Fate::Open(_) => unreachable!("it was told just now"),
        }
    }

    /// Waits for it so long; nothing if it is not known by then.
    fn wait_for(&self, at_most: Duration) -> Option<Result<Handle>> {
        let mut fate = self.0.try_lock_for(at_most)?;
        if let Fate::Open(ticket) = &mut *fate {
            match ticket.take().expect("a ticket is waited for once").wait_for(at_most) {
                Ok(told) => *fate = Fate::Told(told),
                Err(open) => {
                    *ticket = Some(open);
                    return None;
                }
            }
        }
        match &*fate {
            Fate::Told(told) => Some(told.clone()),
            Fate::Open(_) => unreachable!("it was told just now"),
        }
    }

    fn is_ready(&self) -> bool {
        match self.0.try_lock().as_deref() {
            None => false,
            Some(Fate::Told(_)) => true,
            Some(Fate::Open(ticket)) => ticket.as_ref().is_none_or(|ticket| ticket.answer().is_some()),
        }
    }
}
