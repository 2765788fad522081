//! A root: the folders in which everything of a driver lies.

use std::fmt;
use std::sync::Arc;

use headwater_wal::Result;
use headwater_wal::store::{Name, Store};

use crate::journal::ReceiverLog;

type Open = dyn Fn(&Name) -> Result<Arc<dyn Store>> + Send + Sync;

/// Where a driver and its receivers keep everything: `journal/`, `checkpoints/`, and `received/STREAM/RECEIVER/`.
#[derive(Clone)]
pub struct Root {
    open: Arc<Open>,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.journal() {
            Ok(journal) => write!(f, "Root(journal={})", journal.place()),
            Err(error) => write!(f, "Root({error})"),
        }
    }
}

impl Root {
    /// A root on local disk. The directory is made by whoever first writes into it.
    #[cfg(unix)]
    pub fn local(directory: impl Into<std::path::PathBuf>) -> Root {
        let directory = directory.into();
        Root::new(move |folder| {
            Ok(Arc::new(headwater_wal::store::Local::open(directory.join(folder.as_str()))?)
                as Arc<dyn Store>)
        })
    }

    /// A root on any medium: `open` opens the store of a folder. The same folder has to be the same place every time.
    pub fn new(open: impl Fn(&Name) -> Result<Arc<dyn Store>> + Send + Sync + 'static) -> Root {
        Root { open: Arc::new(open) }
    }

    /// Where the driver's journal lies.
    pub fn journal(&self) -> Result<Arc<dyn Store>> {
        self.folder("journal")
    }

    /// Where the checkpoints lie.
    pub fn checkpoints(&self) -> Result<Arc<dyn Store>> {
        self.folder("checkpoints")
    }

    /// Where a receiver keeps its log.
    pub fn received(&self, stream: u32, receiver: u32) -> Result<Arc<dyn Store>> {
        self.folder(&format!("received/{stream}/{receiver}"))
    }

    /// Where the log lies whose blocks these are.
    pub fn received_by(&self, log: ReceiverLog) -> Result<Arc<dyn Store>> {
        self.received(log.stream, log.receiver)
    }

    fn folder(&self, name: &str) -> Result<Arc<dyn Store>> {
        (self.open)(&Name::new(name)?)
    }
}
