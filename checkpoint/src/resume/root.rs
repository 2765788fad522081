//! A root: the folders in which everything of a driver lies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headwater_wal::Result;
use headwater_wal::store::{self, Name, Store};
use parking_lot::Mutex;

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

    /// A root at a URL, as [`store::open`](headwater_wal::store::open) takes it, or at a path. Its options are those of
    /// each folder in it. Where a folder keeps connections, it is opened once.
    ///
    /// Nothing is asked of the medium yet: whether the URL is a good one shows with the first folder.
    pub fn at(url: impl Into<String>) -> Root {
        let url = url.into();
        let kept: Mutex<BTreeMap<Name, Arc<dyn Store>>> = Mutex::default();
        Root::new(move |folder| {
            if let Some(store) = kept.lock().get(folder) {
                return Ok(store.clone());
            }
            let store = store::open(&below(&url, folder))?;
            if store.append().is_some() {
                return Ok(store);
            }
            Ok(kept.lock().entry(folder.clone()).or_insert(store).clone())
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

    /// Any folder of it, by its name in the root.
    pub fn folder(&self, name: &str) -> Result<Arc<dyn Store>> {
        (self.open)(&Name::new(name)?)
    }
}

/// The URL, or the path, of a folder in another one.
fn below(url: &str, folder: &Name) -> String {
    // A path may have any character; what has a scheme has its options behind the first question mark.
    let is_url = url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if url.strip_suffix('/').unwrap_or(url).eq_ignore_ascii_case("memory:") {
        return url.to_owned();
    }
    let (place, options) = match url.split_once('?') {
        Some((place, options)) if is_url => (place, format!("?{options}")),
        _ => (url, String::new()),
    };
    let root = if place.chars().all(|c| c == '/') { "" } else { place.trim_end_matches('/') };
    let slash = if place.is_empty() { "" } else { "/" };
    format!("{root}{slash}{folder}{options}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_before_the_options() {
        let folder = Name::new("received/0/1").unwrap();
        for (root, want) in [
            ("s3://bucket/app?region=x&deadline=5s", "s3://bucket/app/received/0/1?region=x&deadline=5s"),
            ("s3://bucket", "s3://bucket/received/0/1"),
            ("s3://bucket/app/", "s3://bucket/app/received/0/1"),
            ("file:///var/app", "file:///var/app/received/0/1"),
            ("/var/what?", "/var/what?/received/0/1"),
            ("./here", "./here/received/0/1"),
            ("here", "here/received/0/1"),
            ("/", "/received/0/1"),
            ("memory:", "memory:"),
        ] {
            assert_eq!(below(root, &folder), want);
        }
    }

    #[test]
    fn a_folder_in_memory_is_the_same_place_every_time_and_another_one_is_another() {
        let root = Root::at("memory:");
        let name = Name::new("a").unwrap();
        root.journal().unwrap().put(&name, "x".into()).unwrap();
        assert_eq!(root.journal().unwrap().read(&name, 0..9).unwrap(), "x");
        assert!(root.checkpoints().unwrap().read(&name, 0..9).is_err());
    }

    #[test]
    fn a_url_that_is_wrong_says_so_when_a_folder_is_opened() {
        assert!(Root::at("ftp://host").journal().unwrap_err().to_string().contains("scheme=ftp"));
    }
}
