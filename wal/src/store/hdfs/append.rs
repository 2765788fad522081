//! Files that grow, and the end of their leases.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::client::{Client, Seen, within};
use super::failure::Verdict;
use super::fresh::{Fresh, Named, end_lease, not_named, rename};
use super::listing::{Listing, Shown};
use super::tail::Growing;
use super::{Hdfs, whole};
use crate::error::{Error, Kind, Result};
use crate::store::patience::Tries;
use crate::store::{Append, HEAD_TOO_LONG, Leases, NOT_OWNED, Name, Own, Room, Store, Tail, What};

/// So many leases are asked about at once.
const LEASES_AT_ONCE: usize = 16;
/// After so many listings that each found a file open somebody else is busy here, who will be told to stop.
const LISTINGS_MAX: usize = 100;

const STREAM: &str = "a file on HDFS that was closed is never written again";

impl Append for Hdfs {
    fn own(&self) -> Result<Box<dyn Own>> {
        let listing = || Listing::begin(self.ways.clone(), Name::ROOT, Shown::All);
        let mut before = None;
        for _ in 0..LISTINGS_MAX {
            let mut seen = (DefaultHasher::new(), 0_usize);
            let mut open = 0;
            for page in listing() {
                let page = page?;
                for entry in &page {
                    entry.name.hash(&mut seen.0);
                    seen.1 += 1;
                }
                let files = page.into_iter().filter(|entry| matches!(entry.what, What::File(_)));
                open += self.end_leases(files.map(|entry| self.below(&entry.name)).collect())?;
            }
            let seen = (seen.0.finish(), seen.1);
            // Nothing was open, and nothing is there that was not when the last lease had ended.
            if open == 0 && before == Some(seen) {
                self.sweep_folders(&Name::ROOT, 0)?;
                return Ok(Box::new(Owned::new(Arc::clone(&self.owned))));
            }
            before = Some(seen);
        }
        let message = "another writer makes new files here as fast as their leases are ended; stop it";
        Err(Error::new(Kind::Unavailable, format!("{message}: place={}", self.place())))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn create(&self, name: &Name, head: &[u8], len: u64, _room: Room) -> Result<Box<dyn Tail>> {
        self.must_be_owned()?;
        if len < head.len() as u64 {
            return Err(Error::new(Kind::Invalid, HEAD_TOO_LONG));
        }
        let (path, head) = (self.file(name)?, Bytes::copy_from_slice(head));
        let at = path.clone();
        let made = self.run(name, Kind::Unknown, |client| async move { create(&client, &at, head).await })?;
        Ok(Box::new(Growing::new(self.ways.clone(), path, made.writer)))
    }

    fn ahead(&self, _len: u64, _room: Room) -> Result<()> {
        self.must_be_owned()
    }

    fn reopen(&self, name: &Name) -> Result<Box<dyn Tail>> {
        self.must_be_owned()?;
        self.file(name)?;
        Err(Error::new(Kind::Invalid, format!("{STREAM}: file={name}")))
    }

    fn sync_names(&self) -> Result<()> {
        self.must_be_owned()
    }

    fn set_aside(&self, name: &Name, to: &Name) -> Result<()> {
        self.must_be_owned()?;
        let (path, to) = (self.file(name)?, self.file(to)?);
        self.run(name, Kind::Unknown, |client| async move { set_aside(&client, &path, &to).await })
    }

    fn reserve(&self, _len: u64) -> Result<()> {
        self.must_be_owned()
    }

    fn release(&self) -> Result<()> {
        self.must_be_owned()
    }
}

impl Leases for Hdfs {
    fn is_open(&self, name: &Name) -> Result<bool> {
        let path = self.file(name)?;
        self.run(name, Kind::Unavailable, |client| async move {
            // The NameNode knows the length of what was synced, and shows of an open file only its finished blocks. What was
            // synced by the first question can be read at the second, if the file is closed by then.
            let Some(status) = client.status(&path).await? else {
                return Err(Error::new(
                    Kind::NotThere,
                    format!("there is no such file: file={}", client.at(&path)),
                ));
            };
            Ok(client.readable(&path).await? < status.length as u64)
        })
    }

    fn keep(&self, name: &Name) -> Result<()> {
        self.must_be_owned()?;
        let path = self.file(name)?;
        self.run(name, Kind::Unknown, |client| async move { whole::keep(&client, &path).await })
    }
}

impl Hdfs {
    fn must_be_owned(&self) -> Result<()> {
        match self.owned.load(Ordering::Acquire) {
            0 => Err(Error::new(Kind::Invalid, NOT_OWNED)),
            _ => Ok(()),
        }
    }

    /// Ends the leases of files and removes those that have not got their name yet; how many were open.
    fn end_leases(&self, paths: Vec<String>) -> Result<usize> {
        self.run(&Name::ROOT, Kind::Unavailable, |client| async move {
            let ended = stream::iter(paths).map(|path| {
                let client = Arc::clone(&client);
                async move { end_one(&client, &path).await.map(usize::from) }
            });
            let mut ended = ended.buffer_unordered(LEASES_AT_ONCE);
            let mut open = 0;
            while let Some(one) = ended.next().await {
                open += one?;
            }
            Ok(open)
        })
    }

    /// Removes what calls that a crash cut short have left in the folders below.
    fn sweep_folders(&self, folder: &Name, depth: usize) -> Result<()> {
        for page in Listing::begin(self.ways.clone(), folder.clone(), Shown::All) {
            for entry in page? {
                let path = format!("{}/{}", self.path(folder), entry.name);
                match entry.what {
                    What::Folder if depth < super::FOLDERS_DEEP_MAX => {
                        if let Ok(inner) = folder.join(&entry.name) {
                            self.sweep_folders(&inner, depth + 1)?;
                        }
                    }
                    What::File(_) if super::is_new(&path) => {
                        self.run(
                            folder,
                            Kind::Unavailable,
                            |client| async move { client.remove(&path).await },
                        )?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Whether a file was open. It is closed, or gone, on return.
async fn end_one(client: &Client, path: &str) -> Result<bool> {
    if super::is_new(path) {
        client.remove(path).await?;
        return Ok(false);
    }
    let gone = |error: &Error| error.kind() == Kind::NotThere;
    match client.ask(0, || client.hdfs.recover_lease(path)).await {
        Ok(true) => return Ok(false),
        Ok(false) => {}
        // It is being closed right now.
        Err(seen) if seen.verdict == Verdict::Taken => {}
        Err(seen) => {
            let error = client.failed("taken over", path, seen);
            return if gone(&error) { Ok(true) } else { Err(error) };
        }
    }
    match end_lease(client, path).await {
        Ok(()) => Ok(true),
        Err(seen) => {
            let error = client.failed("taken over", path, seen);
            if gone(&error) { Ok(true) } else { Err(error) }
        }
    }
}

/// A new file under its name, open, that begins with `head` durably.
async fn create(client: &Client, path: &str, head: Bytes) -> Result<Fresh> {
    // Not what keeps two writers apart, but a name that is taken should not first cost a file.
    if client.status(path).await?.is_some() {
        return Err(not_named(client, path, Named::Taken));
    }
    let mut tries = Tries::begin(&client.patience);
    let mut fresh = loop {
        match begun(client, path, head.clone()).await {
            Ok(fresh) => break fresh,
            Err(seen) if seen.passes() && tries.pause().await => {}
            Err(seen) => return Err(client.failed("made", path, seen)),
        }
    };
    match rename(client, &fresh.path, path, Some(&mut fresh.writer)).await {
        Named::Yes => Ok(fresh),
        named => Err(not_named(client, path, named)),
    }
}

async fn begun(client: &Client, path: &str, head: Bytes) -> Result<Fresh, Seen> {
    let mut fresh = Fresh::create(client, path).await?;
    let time = client.patience.for_bytes(head.len() as u64);
    let written = match within(time, fresh.writer.write(head)).await {
        Ok(()) => fresh.writer.sync(client).await,
        failed => failed,
    };
    match written {
        Ok(()) => Ok(fresh),
        Err(seen) => {
            let _ = within(client.patience.attempt, client.hdfs.delete(&fresh.path, false)).await;
            Err(seen)
        }
    }
}

async fn set_aside(client: &Client, path: &str, to: &str) -> Result<()> {
    if client.status(path).await?.is_none() {
        return Err(Error::new(Kind::NotThere, format!("there is no such file: file={}", client.at(path))));
    }
    if let Some((folder, _)) = to.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
        let made = client.ask(0, || client.hdfs.mkdirs(folder, super::FOLDER_MODE, true)).await;
        made.map_err(|seen| client.failed("set aside", path, seen))?;
    }
    let mut tries = Tries::begin(&client.patience);
    let mut doubt = false;
    loop {
        let seen = match within(tries.time_for(0), client.hdfs.rename(path, to, false)).await {
            Ok(()) => return Ok(()),
            Err(seen) => seen,
        };
        doubt |= seen.in_doubt();
        if !seen.passes() || !tries.pause().await {
            return Err(match doubt {
                true => client.unknown("set aside", path, seen),
                false if seen.verdict == Verdict::Taken => not_named(client, to, Named::Taken),
                false => client.failed("set aside", path, seen),
            });
        }
    }
}

/// Nobody is kept out; it only says who has looked first.
#[derive(Debug)]
struct Owned(Arc<AtomicUsize>);

impl Owned {
    fn new(owned: Arc<AtomicUsize>) -> Self {
        owned.fetch_add(1, Ordering::AcqRel);
        Owned(owned)
    }
}

impl Own for Owned {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
