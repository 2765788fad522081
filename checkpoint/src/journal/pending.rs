//! Answers that are decided and not durable yet.

use std::fmt;
use std::sync::{Arc, OnceLock};

use headwater_wal::{Handle, Result, Ticket};
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
            Some(Err(error)) => Err(self.journal.fail(error.clone())),
        }
    }

    /// Whether waiting would return at once.
    pub fn is_ready(&self) -> bool {
        self.behind.as_ref().is_none_or(|behind| behind.is_ready())
    }
}

/// An event that is handed to the log. Whoever waits for it waits for everything before it, since a log answers in
/// order.
#[derive(Default)]
pub(super) struct Logged {
    ticket: Mutex<Option<Ticket>>,
    told: OnceLock<Result<Handle>>,
}

impl Logged {
    /// What it waits for: said once, before anybody else knows of it.
    pub(super) fn waits_for(&self, ticket: Ticket) {
        *self.ticket.lock() = Some(ticket);
    }

    /// Waits for it. The first who comes waits for the ticket, and the others for him.
    pub(super) fn wait(&self) -> &Result<Handle> {
        self.told.get_or_init(|| {
            let ticket = self.ticket.lock().take();
            ticket.expect("there is a ticket, and one waits for it").wait()
        })
    }

    fn is_ready(&self) -> bool {
        let answered =
            |ticket: &Option<Ticket>| ticket.as_ref().is_some_and(|ticket| ticket.answer().is_some());
        self.told.get().is_some() || answered(&self.ticket.lock())
    }
}
