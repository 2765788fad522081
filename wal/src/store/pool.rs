//! The threads on which requests run: the engine's own, never the caller's.
//!
//! The crate beneath is async and the engine blocks, so each call is handed to a small runtime and waited for on a plain
//! channel. That holds wherever the caller stands, also inside a runtime of its own: nothing here enters, blocks on or
//! drops into that one.

use std::future::Future;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
#[cfg(feature = "hdfs")]
use tokio::runtime::Handle;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::error::{Error, Kind, Result};

/// Requests wait more than they work: what is left to do is checksums, signatures and encryption.
const WORKERS: usize = 2;

/// The runtime that all stores of this process share; it ends with the last of them.
static SHARED: Mutex<Weak<Pool>> = Mutex::new(Weak::new());

pub(in crate::store) struct Pool {
    runtime: Option<Runtime>,
}

impl Pool {
    pub(in crate::store) fn shared() -> Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(pool) = shared.upgrade() {
            return Ok(pool);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("headwater-store")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(Kind::Unavailable, "the threads for requests could not be started").because(error)
            })?;
        let pool = Arc::new(Pool { runtime: Some(runtime) });
        *shared = Arc::downgrade(&pool);
        Ok(pool)
    }

    /// Begins something; it goes on whether or not anybody waits, until what is returned is dropped.
    pub(in crate::store) fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Begun<T> {
        let (sender, receiver) = sync_channel(1);
        let runtime = self.runtime.as_ref().expect("it ends only when the last one that has it is dropped");
        let task = runtime.spawn(async move {
            // Nobody waits any more: what came of it is of no use.
            let _ = sender.send(work.await);
        });
        Begun { receiver, task: task.abort_handle(), _pool: Arc::clone(self) }
    }
}

impl Pool {
    /// For clients that have work of their own to do.
    #[cfg(feature = "hdfs")]
    pub(in crate::store) fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("as above").handle().clone()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // A plain drop would wait for its threads, which a caller's own runtime answers with a panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What was begun; given up when it is dropped.
pub(in crate::store) struct Begun<T> {
    receiver: Receiver<T>,
    task: AbortHandle,
    _pool: Arc<Pool>,
}

impl<T> Begun<T> {
    /// Waits for its end. `None`: it came to none, because something beneath panicked.
    pub(in crate::store) fn wait(self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Drop for Begun<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
