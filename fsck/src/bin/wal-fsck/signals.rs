//! A signal that asks the program to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// The first signal sets the flag, by which reading stops and the program ends in order. A second one ends it where it is,
/// as a kill would; what is mended by then is told by the next check.
pub(crate) fn watch(interrupted: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(
            signal,
            i32::from(Exit::INTERRUPTED.code()),
            interrupted.clone(),
        )?;
        flag::register(signal, interrupted.clone())?;
    }
    Ok(())
}

/// While a person is asked something, nothing is under way that has to end in order: a signal ends the program at once. One
/// that came before is the answer.
pub(crate) fn while_asking<T>(interrupted: &AtomicBool, ask: impl FnOnce() -> T) -> Option<T> {
    // To a signal that comes now it is the second one.
    if interrupted.swap(true, Ordering::SeqCst) {
        return None;
    }
    let answer = ask();
    interrupted.store(false, Ordering::SeqCst);
    Some(answer)
}
