//! What lies directly in a folder, page by page and in the order of names, as the NameNode sorts them.

use std::sync::Arc;

use hdfs_native::HdfsError;
use hdfs_native::client::ListStatusIterator;
use tokio::sync::Mutex;

use super::client::Seen;
use super::failure::Verdict;
use super::{Ways, is_new};
use crate::error::{Error, Kind, Result};
use crate::store::patience::Tries;
use crate::store::{Entry, Name, What};

/// So many entries a page, as many as a NameNode sends at once.
const PAGE_ENTRIES: usize = 1000;

const NO_NAME: &str = "not a name that every store can hold";

/// Whether files that have not got their name yet are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Named,
    All,
}

/// The pages of a folder; ends at the first error.
pub(super) struct Listing {
    ways: Ways,
    /// The folder's path.
    path: String,
    shown: Shown,
    asked: Option<Arc<Mutex<Asked>>>,
}

/// Where a listing stands at the NameNode.
struct Asked {
    /// `None`: it begins anew, and passes over what was given out.
    entries: Option<ListStatusIterator>,
    last: Option<String>,
}

impl Listing {
    pub(super) fn begin(ways: Ways, folder: Name, shown: Shown) -> Self {
        let path = ways.path(&folder);
        let asked = Some(Arc::new(Mutex::new(Asked { entries: None, last: None })));
        Listing { ways, path, shown, asked }
    }

    fn page(&self, asked: &Arc<Mutex<Asked>>) -> Result<Vec<Entry>> {
        let (client, asked, path) = (Arc::clone(&self.ways.client), Arc::clone(asked), self.path.clone());
        let shown = self.shown;
        let page = self.ways.pool.begin(async move {
            let mut asked = asked.lock().await;
            let mut page = Vec::new();
            let mut tries = Tries::begin(&client.patience);
            while page.len() < PAGE_ENTRIES {
                let begin = || client.hdfs.list_status_iter(&path, false);
                let next =
                    tokio::time::timeout(tries.time_for(0), asked.entries.get_or_insert_with(begin).next());
                let seen = match next.await {
                    Ok(None) => break,
                    Ok(Some(Ok(status))) => {
                        let Some(name) =
                            status.path.strip_prefix(&*path).and_then(|name| name.strip_prefix('/'))
                        else {
                            let message = format!("a file cannot be listed: file={}", client.at(&path));
                            return Err(Error::new(Kind::Invalid, message));
                        };
                        if asked.last.as_deref().is_some_and(|last| name <= last) {
                            continue;
                        }
                        asked.last = Some(name.to_owned());
                        let what = if status.isdir { What::Folder } else { What::File(status.length as u64) };
                        page.extend(entry(name, what, shown));
                        continue;
                    }
                    Ok(Some(Err(HdfsError::FileNotFound(_)))) => break,
                    Ok(Some(Err(error))) => Seen::from(error),
                    Err(_) => Seen::no_answer(),
                };
                if seen.verdict == Verdict::Missing {
                    break;
                }
                // One that has failed says that it has come to its end.
                asked.entries = None;
                if !seen.passes() || !tries.pause().await {
                    return Err(client.failed("listed", &path, seen));
                }
            }
            Ok(page)
        });
        let ended = || Error::new(Kind::Unavailable, "the listing came to no end; list again");
        page.wait().ok_or_else(ended)?
    }
}

impl Iterator for Listing {
    type Item = Result<Vec<Entry>>;

    fn next(&mut self) -> Option<Self::Item> {
        let asked = self.asked.clone()?;
        let page = self.page(&asked);
        match page {
            Ok(page) if page.is_empty() => {
                self.asked = None;
                None
            }
            Err(error) => {
                self.asked = None;
                Some(Err(error))
            }
            page => Some(page),
        }
    }
}

fn entry(name: &str, what: What, shown: Shown) -> Option<Entry> {
    if shown == Shown::Named && is_new(name) {
        return None;
    }
    let what = if Name::new(name).is_ok() || is_new(name) { what } else { What::Other(NO_NAME) };
    Some(Entry { name: name.to_owned(), what })
}
