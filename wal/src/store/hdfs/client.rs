//! One call to HDFS, tried until it is answered, refused, or out of time.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use hdfs_native::client::FileStatus;
use hdfs_native::file::FileReader;
use hdfs_native::{HdfsError, WriteOptions};
use tokio::time::timeout;

use super::failure::{Landed, Verdict, judge, text};
use crate::error::{Error, Kind, Result};
use crate::store::patience::{Patience, Tries};

/// What a call needs, apart from its arguments.
pub(super) struct Client {
    pub(super) hdfs: hdfs_native::Client,
    pub(super) patience: Patience,
    /// How new files are made.
    pub(super) files: WriteOptions,
    /// For messages.
    pub(super) place: String,
}

/// A failed try: what to conclude from it, and what was said.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) verdict: Verdict,
    text: String,
    /// An answer of the NameNode, or a connection that failed; never what a DataNode said.
    from_name_node: bool,
}

impl From<HdfsError> for Seen {
    fn from(error: HdfsError) -> Self {
        let from_name_node =
            matches!(error, HdfsError::IOError(_) | HdfsError::RPCError(..) | HdfsError::FatalRPCError(..));
        Seen { verdict: judge(&error), text: text(&error), from_name_node }
    }
}

impl Seen {
    fn own(landed: Landed, text: &str) -> Self {
        Seen { verdict: Verdict::Passing(landed), text: text.into(), from_name_node: false }
    }

    pub(super) fn no_answer() -> Self {
        Seen::own(Landed::Maybe, "no answer in time")
    }

    /// The lease of a file has not ended yet.
    pub(super) fn lease_holds() -> Self {
        Seen::own(Landed::No, "the lease of the file has not ended yet")
    }

    /// Whether it is the NameNode that is away, or not yet ready; then a file's pipeline may be whole.
    pub(super) fn of_name_node(&self) -> bool {
        self.from_name_node && matches!(self.verdict, Verdict::Passing(_))
    }

    /// Whether what was asked for may have been done, or may yet be.
    pub(super) fn in_doubt(&self) -> bool {
        self.verdict == Verdict::Passing(Landed::Maybe)
    }

    /// Whether asking again may help.
    pub(super) fn passes(&self) -> bool {
        matches!(self.verdict, Verdict::Passing(_) | Verdict::NoRoom)
    }
}

/// Waits for one try of a request, so long.
pub(super) async fn within<T>(
    time: Duration,
    asked: impl Future<Output = Result<T, HdfsError>>,
) -> Result<T, Seen> {
    match timeout(time, asked).await {
        Ok(answer) => answer.map_err(Seen::from),
        Err(_) => Err(Seen::no_answer()),
    }
}

impl Client {
    /// Asks for something that may be asked again and again, until it is answered or will not be.
    pub(super) async fn ask<T, F>(&self, bytes: u64, ask: impl Fn() -> F) -> Result<T, Seen>
    where
        F: Future<Output = Result<T, HdfsError>>,
    {
        let mut tries = Tries::begin(&self.patience);
        loop {
            match within(tries.time_for(bytes), ask()).await {
                Ok(answer) => return Ok(answer),
                Err(seen) if seen.passes() && tries.pause().await => {}
                Err(seen) => return Err(seen),
            }
        }
    }

    /// What stands under a path; `None` if nothing does.
    pub(super) async fn status(&self, path: &str) -> Result<Option<FileStatus>> {
        match self.ask(0, || self.hdfs.get_file_info(path)).await {
            Ok(status) => Ok(Some(status)),
            Err(seen) if seen.verdict == Verdict::Missing => Ok(None),
            Err(seen) => Err(self.failed("looked up", path, seen)),
        }
    }

    /// Reads what exists of a range, as far as it can be read: of a file that is open, only finished blocks.
    pub(super) async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let len = range.end.saturating_sub(range.start).min(PIECE_BYTES);
        match self.ask(len, || self.read_once(path, &range)).await {
            Ok(bytes) => Ok(bytes),
            Err(seen) => Err(self.failed("read", path, seen)),
        }
    }

    async fn read_once(&self, path: &str, range: &Range<u64>) -> Result<Bytes, HdfsError> {
        let reader = self.hdfs.read(path).await?;
        read_from(&reader, range).await
    }

    /// How much of a file can be read now.
    pub(super) async fn readable(&self, path: &str) -> Result<u64> {
        match self.ask(0, || self.hdfs.read(path)).await {
            Ok(reader) => Ok(reader.file_length() as u64),
            Err(seen) => Err(self.failed("opened", path, seen)),
        }
    }

    /// Removes a file; that it is gone already is fine. `Unknown` where it may yet go.
    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        if self.status(path).await?.is_some_and(|status| status.isdir) {
            return Err(Error::new(
                Kind::Invalid,
                format!("a folder is not removed: file={}", self.at(path)),
            ));
        }
        match self.ask(0, || self.hdfs.delete(path, false)).await {
            Ok(_) => Ok(()),
            Err(seen) if seen.verdict == Verdict::Missing => Ok(()),
            Err(seen) if seen.in_doubt() => Err(self.unknown("removed", path, seen)),
            Err(seen) => Err(self.failed("removed", path, seen)),
        }
    }

    /// Where a path is, for messages.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.place)
    }

    /// It was certainly not done.
    pub(super) fn failed(&self, done: &str, path: &str, seen: Seen) -> Error {
        let at = self.at(path);
        let (kind, message) = match seen.verdict {
            Verdict::Taken => (Kind::Exists, format!("the name is taken: file={at}")),
            Verdict::Missing => (Kind::NotThere, format!("there is no such file: file={at}")),
            Verdict::LeaseLost => {
                let message = "the lease of the file has ended: another writer has taken the place over, or it was removed";
                (Kind::Unavailable, format!("{message}: file={at}"))
            }
            Verdict::Full => {
                (Kind::Full, format!("the folder's quota is full; raise it or free some room: file={at}"))
            }
            Verdict::NoRoom => (
                Kind::Full,
                format!(
                    "no DataNode takes a block: their disks are full, or none is there; run `hdfs dfsadmin -report`: \
                     file={at}"
                ),
            ),
            Verdict::Refused(advice) => (Kind::Invalid, format!("it cannot be {done}; {advice}: file={at}")),
            Verdict::Passing(_) => {
                (Kind::Unavailable, format!("it cannot be {done} now; try again later: file={at}"))
            }
        };
        Error::new(kind, message).because(Answer(seen.text))
    }

    /// It may have been done, or may yet be.
    pub(super) fn unknown(&self, done: &str, path: &str, seen: Seen) -> Error {
        let message = format!("it is not known whether it was {done}: file={}", self.at(path));
        Error::new(Kind::Unknown, message).because(Answer(seen.text))
    }
}

/// Waiting for an answer counts at most so many bytes as under way.
const PIECE_BYTES: u64 = 64 << 20;

/// Reads what exists of a range in an opened file; the crate panics beyond the end.
pub(super) async fn read_from(reader: &FileReader, range: &Range<u64>) -> Result<Bytes, HdfsError> {
    let len = reader.file_length() as u64;
    let (start, end) = (range.start.min(len), range.end.min(len));
    if start >= end {
        return Ok(Bytes::new());
    }
    let bytes = reader.read_range(start as usize, (end - start) as usize).await?;
    // A body that was cut must not pass for the end of the file.
    if bytes.len() as u64 != end - start {
        return Err(HdfsError::DataTransferError("fewer bytes came than were asked for".into()));
    }
    Ok(bytes)
}

/// What the cluster said, or what came instead.
struct Answer(String);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Answer {}
