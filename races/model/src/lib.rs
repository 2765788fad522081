//! What the engine takes from `parking_lot` and `std::thread`, over the primitives of a scheduler.
//!
//! Time passes only where somebody's wait runs out. A [long](set_long) wait never does: who would be woken only by that
//! was forgotten, and the scheduler says so. A shorter one may run out at any time, and does in the end.

mod condvar;
mod lock;
pub mod thread;

use std::cell::Cell;
use std::time::Duration;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use lock::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use shuttle::rand::{Rng, thread_rng};

std::thread_local! {
    // All threads of a schedule are run by one of the machine's.
    static LONG: Cell<Duration> = const { Cell::new(Duration::MAX) };
}

/// From so long on, a wait counts as one without end; also one that has begun.
pub fn set_long(long: Duration) {
    LONG.set(long);
}

fn is_long(wait: Duration) -> bool {
    wait >= LONG.get()
}

/// Whether a wait runs out now.
fn runs_out() -> bool {
    thread_rng().gen_bool(0.25)
}
