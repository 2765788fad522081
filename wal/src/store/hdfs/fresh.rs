//! A file that has not got its name yet: made under a name of its own, written, synced, and then renamed, which is one
//! step of the NameNode and replaces nothing.
//!
//! Until then nothing it is or was shows, so whatever fails is undone by removing it, and begun anew. Of the rename it
//! can always be found out whether it happened: nobody else knows the file's first name but whoever sweeps, and a file
//! that was swept is gone under every name.

use std::time::Duration;

use bytes::Bytes;
use hdfs_native::HdfsError;
use hdfs_native::file::FileWriter;

use super::NEW;
use super::client::{Client, Seen, within};
use super::failure::Verdict;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Kind, Result};
use crate::store::patience::Tries;

/// So many bytes are handed to the client at once.
const PIECE_BYTES: usize = 4 << 20;

/// How soon it is looked whether a file can be closed, at first and at last...
const NUDGE_PAUSE: Duration = Duration::from_millis(4);
const NUDGE_PAUSE_MAX: Duration = Duration::from_millis(100);
/// ... and whether a lease has ended; it is asked for again after so many looks, at first and at last.
const LEASE_PAUSE: Duration = Duration::from_millis(50);
const LEASE_AGAIN: u32 = 80;
const LEASE_AGAIN_MAX: u32 = 320;

/// Whether the rename happened.
pub(super) enum Named {
    /// It did.
    Yes,
    /// It did not, and will not: the name is another's.
    Taken,
    /// It did not, and will not: somebody swept the file.
    Swept,
    /// It did not, and will not.
    Not(Seen),
    /// It may have, or may yet.
    Unknown(Seen),
}

/// A file that is open and has a name of its own in the folder where it is to be.
pub(super) struct Fresh {
    pub(super) path: String,
    pub(super) writer: Writer,
}

/// An open file that is written from its beginning to its end.
pub(super) struct Writer {
    file: FileWriter,
    block_bytes: u64,
    pub(super) len: u64,
}

impl Writer {
    /// Writes, not durably. What ends a block is synced before the next one begins: a sync reaches only the last block.
    pub(super) async fn write(&mut self, mut bytes: Bytes) -> Result<(), HdfsError> {
        while !bytes.is_empty() {
            let room = self.block_bytes - self.len % self.block_bytes;
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES).min(room as usize));
            let piece_bytes = piece.len() as u64;
            self.file.write_bytes(piece).await?;
            self.len += piece_bytes;
            if piece_bytes == room {
                self.file.hsync().await?;
            }
        }
        Ok(())
    }

    /// Makes what was written durable: on the disk of every DataNode that has it, and its length at the NameNode.
    ///
    /// A NameNode that is away is waited for, since only its part is asked for again: a DataNode that failed to sync takes
    /// the client's connection to it along, and then nothing of this file succeeds any more. A DataNode that goes while the
    /// client waits for its word can make it wait for ever, so an answer that does not come in time ends the file too.
    pub(super) async fn sync(&mut self, client: &Client) -> Result<(), Seen> {
        let mut tries = Tries::begin(&client.patience);
        loop {
            match within(tries.time_for(0), self.file.hsync()).await {
                Ok(()) => return Ok(()),
                Err(seen) if seen.of_name_node() && tries.pause().await => {}
                Err(seen) => return Err(seen),
            }
        }
    }
}

impl Fresh {
    /// Makes an empty file in the folder of `path`. It is open.
    pub(super) async fn create(client: &Client, path: &str) -> Result<Fresh, Seen> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let random = u128::from_le_bytes(SystemClock::default().random());
        let new = format!("{folder}/{NEW}{random:032x}");
        let time = client.patience.for_bytes(0);
        let file = within(time, client.hdfs.create(&new, &client.files)).await?;
        let block_bytes = client.files.block_size.unwrap_or(super::BLOCK_BYTES);
        Ok(Fresh { path: new, writer: Writer { file, block_bytes, len: 0 } })
    }

    /// Closes it, so that all of it can be read. It has been synced.
    pub(super) async fn close(self, client: &Client) -> Result<String, Seen> {
        let Fresh { path, writer } = self;
        close(client, writer, &path).await.map(|()| path)
    }
}

/// Closes a synced file.
///
/// The client asks the NameNode to, which refuses until it has heard from a DataNode of the last block, some milliseconds
/// later; and then the client waits half a second before it asks again. So once all of the file can be read, which is
/// when the NameNode has heard, the rest is asked for as a lease's end, which by then is nothing more.
pub(super) async fn close(client: &Client, mut writer: Writer, path: &str) -> Result<(), Seen> {
    let len = writer.len;
    let closed = tokio::select! {
        closed = within(client.patience.deadline, writer.file.close()) => closed,
        () = nudge(client, path, len) => Ok(()),
    };
    drop(writer);
    let Err(seen) = closed else { return Ok(()) };
    // What was synced stays, whoever closes it.
    match end_lease(client, path).await {
        Ok(()) => match client.ask(0, || client.hdfs.get_file_info(path)).await? {
            status if status.length as u64 == len => Ok(()),
            _ => Err(seen),
        },
        Err(_) => Err(seen),
    }
}

/// Returns when it has closed a file of which all can be read; until then it looks again and again.
async fn nudge(client: &Client, path: &str, len: u64) {
    let mut pause = NUDGE_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(NUDGE_PAUSE_MAX);
        if len == 0 {
            continue;
        }
        let readable = client.hdfs.read(path).await.map(|reader| reader.file_length() as u64);
        if matches!(readable, Ok(readable) if readable == len)
            && matches!(client.hdfs.recover_lease(path).await, Ok(true))
        {
            return;
        }
    }
}

/// Ends whatever lease a file has, and waits until it is closed.
///
/// Each time it is asked for, the NameNode begins anew and what a DataNode has done meanwhile counts for nothing. So it is
/// asked for seldom, and looked often whether the file is closed.
pub(super) async fn end_lease(client: &Client, path: &str) -> Result<(), Seen> {
    let mut tries = Tries::begin(&client.patience);
    let mut again = LEASE_AGAIN;
    loop {
        let seen = match within(tries.time_for(0), client.hdfs.recover_lease(path)).await {
            Ok(true) => return Ok(()),
            Ok(false) => Seen::lease_holds(),
            // "Committed blocks are waiting to be minimally replicated."
            Err(seen) if seen.verdict == Verdict::Taken => seen,
            Err(seen) if seen.passes() => seen,
            Err(seen) => return Err(seen),
        };
        for _ in 0..again {
            if !tries.wait(LEASE_PAUSE).await {
                return Err(seen);
            }
            if is_whole(client, path).await {
                break;
            }
        }
        again = (2 * again).min(LEASE_AGAIN_MAX);
    }
}

/// Whether all of a file can be read, so that it is closed, as far as that shows.
async fn is_whole(client: &Client, path: &str) -> bool {
    let looked = async {
        let status = client.hdfs.get_file_info(path).await?;
        let readable = client.hdfs.read(path).await?.file_length();
        Ok::<bool, HdfsError>(readable >= status.length)
    };
    within(client.patience.for_bytes(0), looked).await.unwrap_or(false)
}

/// Gives a file with a name of its own another name, which must be free. `held` is the file, if it is still open.
pub(super) async fn rename(client: &Client, new: &str, path: &str, mut held: Option<&mut Writer>) -> Named {
    let mut tries = Tries::begin(&client.patience);
    // Of a try that may have landed, or may yet.
    let mut doubt: Option<Seen> = None;
    loop {
        let seen = match within(tries.time_for(0), client.hdfs.rename(new, path, false)).await {
            Ok(()) => return Named::Yes,
            Err(seen) => seen,
        };
        if seen.in_doubt() {
            doubt = Some(seen.clone());
        }
        match seen.verdict {
            // It is gone under its own name: by an earlier try, or by a sweep.
            Verdict::Missing if doubt.is_none() => return Named::Swept,
            Verdict::Missing => {
                return match &mut held {
                    // A sync of a removed file is refused, and under its own name it is not: so it has the other.
                    Some(writer) => writer.sync(client).await.map_or_else(Named::Unknown, |()| Named::Yes),
                    None => Named::Unknown(seen),
                };
            }
            // While the file has its own name, no try has landed, and the name is another's.
            Verdict::Taken => {
                return match discard(client, new).await {
                    Ok(_) => Named::Taken,
                    Err(seen) => Named::Unknown(seen),
                };
            }
            Verdict::Passing(_) | Verdict::NoRoom if tries.pause().await => {}
            _ => {
                // Once it is removed under its own name, no late try finds it.
                return match discard(client, new).await {
                    Ok(true) => Named::Not(seen),
                    Ok(false) if doubt.is_none() => Named::Not(seen),
                    Ok(false) | Err(_) => Named::Unknown(seen),
                };
            }
        }
    }
}

/// Removes a file with a name of its own; whether it was there.
pub(super) async fn discard(client: &Client, new: &str) -> Result<bool, Seen> {
    client.ask(0, || client.hdfs.delete(new, false)).await
}

/// What a name that was not given means to the caller.
pub(super) fn not_named(client: &Client, path: &str, named: Named) -> Error {
    match named {
        Named::Taken => Error::new(Kind::Exists, format!("the name is taken: file={}", client.at(path))),
        Named::Swept => {
            let message =
                "the file was swept before it had its name: somebody takes the place over; try again";
            Error::new(Kind::Unavailable, format!("{message}: file={}", client.at(path)))
        }
        Named::Not(seen) => client.failed("made", path, seen),
        Named::Yes => unreachable!("it has its name"),
        Named::Unknown(seen) => client.unknown("made", path, seen),
    }
}
