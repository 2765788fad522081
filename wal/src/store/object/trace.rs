//! Watches a request pass: whether it went out, and what the store answered.
//!
//! The crate beneath tells little of an answer but its text. A store that we build ourselves sends its requests through
//! here; each carries a trace, and what is seen is written on it. Requests for credentials carry none.

use std::sync::Arc;

use object_store::{Error, Extensions};
use parking_lot::Mutex;

use super::seen::{Said, Seen};

/// What was seen of one try. A store that was handed in shows nothing of it.
#[derive(Clone)]
pub(super) struct Trace {
    /// Somebody watches, so a request that was not seen was not sent.
    watched: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    sent: bool,
    said: Option<Said>,
}

impl Trace {
    pub(super) fn new(watched: bool) -> Self {
        Trace { watched, state: Arc::default() }
    }

    /// What makes a request carry this trace.
    pub(super) fn extensions(&self) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(self.clone());
        extensions
    }

    /// The request goes out.
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub(super) fn send(&self) {
        *self.state.lock() = State { sent: true, said: None };
    }

    /// This came of it.
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub(super) fn say(&self, said: Said) {
        self.state.lock().said = Some(said);
    }

    /// What is known of a try that failed.
    pub(super) fn seen(&self, error: &Error) -> Seen {
        let seen = Seen::of(error);
        let state = self.state.lock();
        let said = state.said.clone().unwrap_or(seen.said);
        Seen { said, sent: self.watched.then_some(state.sent), ..seen }
    }

    /// What is known of a try that was not answered.
    pub(super) fn no_answer(&self) -> Seen {
        Seen::no_answer(self.watched.then_some(self.state.lock().sent))
    }
}
