//! A run that is told to end cleans up first.

use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// What a signal to end finds: it ends the child, and the parent, once it has seen that, cleans up and ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<Mutex<(bool, Option<Pid>)>>);

impl Stop {
    /// Listens from now on.
    pub(crate) fn on_signals() -> Result<Stop> {
        let stop = Stop::default();
        let told = stop.clone();
        ctrlc::set_handler(move || {
            let Ok(mut state) = told.0.lock() else { return };
            state.0 = true;
            if let Some(child) = state.1 {
                let _ = kill_process(child, Signal::KILL);
            }
        })?;
        Ok(stop)
    }

    /// Whether it was told.
    pub(crate) fn asked(&self) -> bool {
        self.0.lock().is_ok_and(|state| state.0)
    }

    /// Whom to end; nobody, as soon as the number may be another process's.
    pub(crate) fn child(&self, child: Option<Pid>) {
        if let Ok(mut state) = self.0.lock() {
            state.1 = child;
        }
    }
}
