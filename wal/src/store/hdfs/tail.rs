//! A file that grows, under the lease of whoever made it.

use std::fmt;
use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::Ways;
use super::client::{Client, Seen, within};
use super::fresh::{Writer, close};
use crate::error::{Error, Kind, Result};
use crate::store::Tail;

const SEQUENTIAL: &str =
    "a file on HDFS is written from its beginning to its end; this write begins elsewhere";
const CUT: &str = "a file on HDFS cannot be cut; it is closed with the length that it has";
const CLOSED: &str = "the file was closed, and nothing is written behind that";
const LOST: &str =
    "an earlier write or sync of the file failed, so nothing more of it is known to be durable";

/// A file that grows. It belongs to the one who made it; see [`Leases`](crate::store::Leases).
pub(super) struct Growing {
    ways: Ways,
    path: String,
    state: Mutex<State>,
}

enum State {
    Open(Box<Writer>),
    Closed {
        len: u64,
    },
    /// After the first failure nothing of the file is known.
    Failed,
}

impl Growing {
    pub(super) fn new(ways: Ways, path: String, writer: Writer) -> Self {
        Growing { ways, path, state: Mutex::new(State::Open(Box::new(writer))) }
    }

    /// Does something with the file, one call at a time; whatever fails ends it for good.
    fn with<F>(&self, at: Option<u64>, work: impl FnOnce(Arc<Client>, Box<Writer>) -> F) -> Result<()>
    where
        F: Future<Output = (Box<Writer>, Result<(), Seen>)> + Send + 'static,
    {
        let mut state = self.state.lock();
        let begins = match &*state {
            State::Open(writer) => writer.len,
            State::Closed { len } => *len,
            State::Failed => return Err(self.error(Kind::Unknown, LOST)),
        };
        if at.is_some_and(|at| at != begins) {
            return Err(self.error(Kind::Invalid, SEQUENTIAL));
        }
        let State::Open(writer) = mem::replace(&mut *state, State::Failed) else {
            *state = State::Closed { len: begins };
            return Err(self.error(Kind::Unknown, CLOSED));
        };
        let client = Arc::clone(&self.ways.client);
        match self.ways.pool.begin(work(client, writer)).wait() {
            Some((writer, Ok(()))) => {
                *state = State::Open(writer);
                Ok(())
            }
            Some((_, Err(seen))) => Err(self.ways.client.unknown("written", &self.path, seen)),
            None => Err(self.error(Kind::Unknown, LOST)),
        }
    }

    fn error(&self, kind: Kind, message: &str) -> Error {
        Error::new(kind, format!("{message}: file={}", self.ways.client.at(&self.path)))
    }
}

impl Tail for Growing {
    fn write(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let bytes = joined(parts);
        self.with(Some(offset), |client, mut writer| async move {
            let time = client.patience.for_bytes(bytes.len() as u64);
            let written = within(time, writer.write(bytes)).await;
            (writer, written)
        })
    }

    fn sync(&self) -> Result<()> {
        self.with(None, |client, mut writer| async move {
            let synced = writer.sync(&client).await;
            (writer, synced)
        })
    }

    fn write_through(&self, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let bytes = joined(parts);
        self.with(Some(offset), |client, mut writer| async move {
            let time = client.patience.for_bytes(bytes.len() as u64);
            let done = match within(time, writer.write(bytes)).await {
                Ok(()) => writer.sync(&client).await,
                failed => failed,
            };
            (writer, done)
        })
    }

    fn trim(&self, len: u64) -> Result<()> {
        let mut state = self.state.lock();
        match mem::replace(&mut *state, State::Failed) {
            State::Open(mut writer) if writer.len == len => {
                let (client, path) = (Arc::clone(&self.ways.client), self.path.clone());
                let closed = self.ways.pool.begin(async move {
                    writer.sync(&client).await?;
                    close(&client, *writer, &path).await
                });
                match closed.wait() {
                    Some(Ok(())) => {
                        *state = State::Closed { len };
                        Ok(())
                    }
                    Some(Err(seen)) => Err(self.ways.client.unknown("closed", &self.path, seen)),
                    None => Err(self.error(Kind::Unknown, LOST)),
                }
            }
            State::Closed { len: closed } if closed == len => {
                *state = State::Closed { len };
                Ok(())
            }
            State::Failed => Err(self.error(Kind::Unknown, LOST)),
            other => {
                *state = other;
                Err(self.error(Kind::Invalid, CUT))
            }
        }
    }
}

impl fmt::Debug for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Growing").field("path", &self.path).finish_non_exhaustive()
    }
}

fn joined(parts: &[&[u8]]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.freeze()
}
