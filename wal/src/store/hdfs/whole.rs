//! Files that are put whole.

use bytes::Bytes;
use hdfs_native::HdfsError;

use super::client::{Client, Seen, read_from, within};
use super::failure::Verdict;
use super::fresh::{Fresh, Named, discard, not_named, rename};
use crate::error::{Error, Kind, Result};
use crate::store::patience::Tries;

/// So much of a file that is kept is held at once.
const PIECE_BYTES: u64 = 8 << 20;

/// Puts a file under a name that must be free. It is synced and closed before it has the name.
pub(super) async fn put(client: &Client, path: &str, bytes: Bytes) -> Result<()> {
    // Not what keeps two writers apart, but a name that is taken should not first cost a file.
    if client.status(path).await?.is_some() {
        return Err(not_named(client, path, Named::Taken));
    }
    let mut tries = Tries::begin(&client.patience);
    loop {
        let named = match closed(client, path, 0, bytes.clone()).await {
            Ok(new) => rename(client, &new, path, None).await,
            Err(seen) => Named::Not(seen),
        };
        match named {
            Named::Yes => return Ok(()),
            // A rename whose answer was lost, of a file that nobody can be asked about: it may be this one.
            Named::Unknown(seen) if seen.verdict == Verdict::Missing => {
                return Err(match client.status(path).await? {
                    Some(_) => not_named(client, path, Named::Taken),
                    None => client.unknown("put", path, seen),
                });
            }
            Named::Swept if tries.pause().await => {}
            // Nothing of it is under the name.
            Named::Not(ref seen)
                if (seen.passes() || seen.verdict == Verdict::LeaseLost) && tries.pause().await => {}
            named => return Err(not_named(client, path, named)),
        }
    }
}

/// Puts a synced copy of a closed file in its place.
pub(super) async fn keep(client: &Client, path: &str) -> Result<()> {
    let Some(there) = client.status(path).await? else {
        return Err(Error::new(Kind::NotThere, format!("there is no such file: file={}", client.at(path))));
    };
    let len = there.length as u64;
    if client.readable(path).await? != len {
        let message = format!("the file is open for writing: file={}", client.at(path));
        return Err(Error::new(Kind::Invalid, message));
    }
    let mut tries = Tries::begin(&client.patience);
    let new = loop {
        match closed(client, path, len, Bytes::new()).await {
            Ok(new) => break new,
            Err(seen) if (seen.passes() || seen.verdict == Verdict::LeaseLost) && tries.pause().await => {}
            Err(seen) => return Err(client.failed("kept", path, seen)),
        }
    };
    loop {
        match within(tries.time_for(0), client.hdfs.rename(&new, path, true)).await {
            Ok(()) => return Ok(()),
            // An earlier try was heard, or somebody swept it; which of them shows in the file alone.
            Err(seen) if seen.verdict == Verdict::Missing => return Err(client.unknown("kept", path, seen)),
            Err(seen) if seen.passes() && tries.pause().await => {}
            Err(seen) => {
                return Err(match discard(client, &new).await {
                    Ok(true) => client.failed("kept", path, seen),
                    _ => client.unknown("kept", path, seen),
                });
            }
        }
    }
}

/// A synced and closed file under a name of its own: the first `from` bytes of the file at `path`, and then `tail`.
/// Nothing is left of one that failed, or its name for the next owner to sweep.
async fn closed(client: &Client, path: &str, from: u64, tail: Bytes) -> Result<String, Seen> {
    let mut fresh = Fresh::create(client, path).await?;
    let new = fresh.path.clone();
    let time = client.patience.for_bytes(from + tail.len() as u64);
    let made = async {
        let filled = async {
            copy(client, path, from, &mut fresh).await?;
            fresh.writer.write(tail).await
        };
        within(time, filled).await?;
        fresh.writer.sync(client).await?;
        fresh.close(client).await
    };
    let made = made.await;
    if made.is_err() {
        let _ = within(client.patience.attempt, client.hdfs.delete(&new, false)).await;
    }
    made
}

async fn copy(client: &Client, path: &str, from: u64, fresh: &mut Fresh) -> Result<(), HdfsError> {
    if from == 0 {
        return Ok(());
    }
    let reader = client.hdfs.read(path).await?;
    while fresh.writer.len < from {
        let at = fresh.writer.len;
        let piece = read_from(&reader, &(at..from.min(at + PIECE_BYTES))).await?;
        if piece.is_empty() {
            return Err(HdfsError::DataTransferError("the file ends before what is to be kept of it".into()));
        }
        fresh.writer.write(piece).await?;
    }
    Ok(())
}
