//! Where outputs go, each once: files under the outputs' names, and what a database has to do.
//!
//! A batch may be run again, by a driver that died behind its outputs or by one that was replaced and does not know it.
//! So a sink publishes an output under its [`OutputId`], and what is there under that name stays. Only then the driver
//! [commits](crate::journal::Journal::commit) which attempt it was.
//!
//! - **Files, or objects**: [`Files`] puts each output under a name that was free.
//! - **A database**: one transaction puts the name into a table in which it is a key, and adds the result. If the name is
//!   there already the transaction is dropped, and the attempt that stands beside it is the one to commit. The example
//!   `zero_loss` does so with SQLite, in its `sink`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::journal::{BatchId, OutputId};
//! use headwater_checkpoint::sink::Files;
//! use headwater_wal::store::Memory;
//!
//! # fn main() -> headwater_wal::Result<()> {
//! let files = Files::open(Arc::new(Memory::objects())); // or `Local::open(directory)?`
//! let output = OutputId { batch: BatchId(7), partition: 0 };
//! let first = files.publish(output, "river 3\n")?;
//! assert!(first.is_this);
//!
//! // Run again it may come to something else; what counts is what was published.
//! let again = files.publish(output, "river 4\n")?;
//! assert!(!again.is_this);
//! assert_eq!(again.attempt, first.attempt); // for `journal.commit(output, again.attempt)`
//! assert_eq!(files.read(output)?.as_deref(), Some(&b"river 3\n"[..]));
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Error, Kind, Result};

use crate::journal::{BatchId, OutputId};

/// Files, each of them one output: there as a whole, or not at all, and never changed.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn Store>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.store.place())
    }
}

/// What has become of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Published {
    /// The attempt whose bytes are there: they themselves number it, by their checksum and length. This one is to be
    /// committed.
    pub attempt: u64,
    /// They are the bytes that were to be published, from now on or from an earlier time on.
    pub is_this: bool,
    /// They were put there by this very call, as far as it knows.
    pub is_new: bool,
}

impl Files {
    /// Outputs go to this store. Nothing else puts its objects there.
    pub fn open(store: Arc<dyn Store>) -> Files {
        Files { store }
    }

    /// Publishes an output, unless there is one under its name. On return it is durable, this one or the other.
    ///
    /// `Unknown`: it may be there, and may not be durable. Publish it again, or leave that to the batch's next run.
    pub fn publish(&self, output: OutputId, bytes: impl Into<Bytes>) -> Result<Published> {
        let (name, bytes) = (name(output), bytes.into());
        let ours = attempt(&bytes);
        let exists = match self.store.put(&name, bytes.clone()) {
            Ok(()) => return Ok(Published { attempt: ours, is_this: true, is_new: true }),
            Err(error) if error.kind() == Kind::Exists => error,
            Err(error) => return Err(error),
        };
        let Some(there) = self.read(output)? else {
            let message = format!("the store says that the output exists, and does not show it: {output:?}");
            return Err(Error::new(Kind::Unknown, message).because(exists));
        };
        Ok(Published { attempt: attempt(&there), is_this: there == bytes, is_new: false })
    }

    /// What was published of an output, if anything was.
    pub fn read(&self, output: OutputId) -> Result<Option<Bytes>> {
        match self.store.read(&name(output), 0..u64::MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == Kind::NotThere => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything that was published, in the order of batches; other names are passed over.
    pub fn list(&self) -> Result<Vec<OutputId>> {
        let mut outputs = Vec::new();
        for page in self.store.list(&Name::ROOT)? {
            outputs.extend(page?.iter().filter_map(|entry| output(&entry.name)));
        }
        Ok(outputs)
    }
}

fn name(output: OutputId) -> Name {
    Name::new(format!("{:020}-{:010}.out", output.batch.0, output.partition)).expect("digits are a name")
}

fn output(name: &str) -> Option<OutputId> {
    let (batch, partition) = name.strip_suffix(".out")?.split_once('-')?;
    let output = OutputId { batch: BatchId(batch.parse().ok()?), partition: partition.parse().ok()? };
    (self::name(output).as_str() == name).then_some(output)
}

/// The same for the same bytes, whoever publishes them.
fn attempt(bytes: &[u8]) -> u64 {
    (u64::from(crc32c::crc32c(bytes)) << 32) | (bytes.len() as u64 & u64::from(u32::MAX))
}
