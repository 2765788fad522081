//! A folder on a store that a URL names: made for a run, proven once, and removed.

use std::sync::Arc;

use headwater::store::{Name, Store, What};
use headwater::{Clock, Kind, SystemClock};

use crate::Result;

/// The folder of a run.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Its URL.
    pub(crate) url: String,
    /// The same for the processes of the run, which need not prove again what was proven here.
    pub(crate) proven: String,
    store: Arc<dyn Store>,
}

impl Folder {
    /// A new one at this place, which is proven to be fit for a log.
    pub(crate) fn new(place: &str) -> Result<Folder> {
        let number = SystemClock::default().wall().0;
        let url = below(place, &format!("zero-loss-{number:x}-{:x}", std::process::id()));
        let store = open(&url)?;
        store.prove()?;
        let proven = match feature(&url) {
            // HDFS has nothing to prove.
            Some("hdfs") => url.clone(),
            Some(_) if !url.contains("unproven=") => {
                format!("{url}{}unproven=accept", if url.contains('?') { '&' } else { '?' })
            }
            _ => url.clone(),
        };
        Ok(Folder { url, proven, store })
    }

    /// Removes everything in it.
    pub(crate) fn remove(&self) -> Result<()> {
        if feature(&self.url).is_none() {
            // A directory, and nothing else is in it.
            let path = self
                .url
                .strip_prefix("file:")
                .map_or(&*self.url, |path| path.strip_prefix("//").unwrap_or(path));
            return Ok(std::fs::remove_dir_all(path)?);
        }
        let mut folders = vec![Name::ROOT];
        while let Some(folder) = folders.pop() {
            let mut names = Vec::new();
            for page in self.store.list(&folder)? {
                for entry in page? {
                    let name =
                        if folder == Name::ROOT { entry.name } else { format!("{folder}/{}", entry.name) };
                    match entry.what {
                        What::Folder => folders.push(Name::new(name)?),
                        _ => names.push(Name::new(name)?),
                    }
                }
            }
            self.store.remove_all(&names).into_iter().collect::<headwater::Result<()>>()?;
        }
        Ok(())
    }
}

/// The store at a URL. Where it was not built, how to build it.
fn open(url: &str) -> Result<Arc<dyn Store>> {
    headwater::store::open(url).map_err(|error| match (error.kind(), feature(url)) {
        (Kind::Unsupported, Some(feature)) => format!(
            "{error}\nrun it with that: cargo run --release --features {feature} --example zero_loss -- --store ..."
        )
        .into(),
        _ => error.into(),
    })
}

/// What has to be built for a URL, if it is one of an object store or of HDFS.
pub(crate) fn feature(url: &str) -> Option<&'static str> {
    match &*url.split_once(':')?.0.to_ascii_lowercase() {
        "s3" | "s3a" => Some("s3"),
        "gs" => Some("gcs"),
        "az" | "azure" | "adl" | "abfs" | "abfss" => Some("azure"),
        "hdfs" | "viewfs" => Some("hdfs"),
        _ => None,
    }
}

/// A URL without its options, which may be secrets.
pub(crate) fn shown(url: &str) -> &str {
    url.split_once('?').filter(|_| feature(url).is_some()).map_or(url, |(place, _)| place)
}

fn below(place: &str, folder: &str) -> String {
    let (before, options) = match place.split_once('?') {
        Some((before, options)) if feature(place).is_some() => (before, format!("?{options}")),
        _ => (place, String::new()),
    };
    format!("{}/{folder}{options}", before.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_folder_of_its_own_before_the_options_which_are_not_shown() {
        let url = below("s3://bucket/x/?region=y&secret_access_key=z", "run");
        assert_eq!(url, "s3://bucket/x/run?region=y&secret_access_key=z");
        assert_eq!(shown(&url), "s3://bucket/x/run");
        assert_eq!(below("file:///what?", "run"), "file:///what?/run");
    }

    #[test]
    fn a_folder_on_disk_is_made_for_a_run_and_goes_with_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(&format!("file://{}", place.path().display())).unwrap();
        folder.store.put(&Name::new("a/b").unwrap(), "x".into()).unwrap();
        assert_eq!(place.path().read_dir().unwrap().count(), 1);
        folder.remove().unwrap();
        assert_eq!(place.path().read_dir().unwrap().count(), 0);
    }
}
