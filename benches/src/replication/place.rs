//! Where the logs of a case lie, and their removal.

use std::path::Path;
use std::sync::Arc;

use headwater_wal::Error;
use headwater_wal::store::{Local, Name, Store, What, open};

use super::Result;

/// The stores of so many logs below a folder.
pub(super) fn on_disk(folder: &Path, logs: u64) -> Result<Vec<Arc<dyn Store>>> {
    let store = |number| Ok(Arc::new(Local::open(folder.join(format!("log-{number}")))?) as Arc<dyn Store>);
    (0..logs).map(store).collect()
}

/// The stores of so many logs below a URL.
pub(super) fn at_url(url: &str, logs: u64) -> Result<Vec<Arc<dyn Store>>> {
    let of = |number| open(&below(url, &format!("log-{number}")));
    Ok((0..logs).map(of).collect::<Result<Vec<_>, Error>>()?)
}

/// A folder of a place that a URL names; `memory:` has none, and is new at each call.
pub(super) fn below(place: &str, folder: &str) -> String {
    if place.starts_with("memory:") {
        return place.into();
    }
    match place.split_once('?') {
        Some((before, options)) => format!("{}/{folder}?{options}", before.trim_end_matches('/')),
        None => format!("{}/{folder}", place.trim_end_matches('/')),
    }
}

/// The same URL for who need not prove again that the store there is fit for logs.
pub(super) fn proven(url: &str) -> String {
    let is_a_cloud = url.contains("://") && !url.starts_with("file:");
    match is_a_cloud && !url.contains("unproven=") {
        true => format!("{url}{}unproven=accept", if url.contains('?') { '&' } else { '?' }),
        false => url.into(),
    }
}

/// A URL without its options, which may be secrets.
pub(super) fn shown(url: &str) -> &str {
    url.split_once('?').map_or(url, |(place, _)| place)
}

/// Removes everything in a store.
pub(super) fn clear(store: &dyn Store) -> Result<()> {
    let mut folders = vec![Name::ROOT];
    while let Some(folder) = folders.pop() {
        let mut names = Vec::new();
        for page in store.list(&folder)? {
            for entry in page? {
                let in_root = folder == Name::ROOT;
                let name = if in_root { entry.name } else { format!("{folder}/{}", entry.name) };
                match entry.what {
                    What::Folder => folders.push(Name::new(name)?),
                    _ => names.push(Name::new(name)?),
                }
            }
        }
        store.remove_all(&names).into_iter().collect::<Result<(), Error>>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_before_the_options_of_a_url_and_they_are_not_shown() {
        let url = below("s3://bucket/x/?region=y&secret_access_key=z", "log-1");
        assert_eq!(url, "s3://bucket/x/log-1?region=y&secret_access_key=z");
        assert_eq!(shown(&url), "s3://bucket/x/log-1");
        assert_eq!(below("memory:", "log-1"), "memory:");
        assert_eq!(proven("s3://bucket?region=y"), "s3://bucket?region=y&unproven=accept");
        assert_eq!([proven("memory:"), proven("file:///x")], ["memory:", "file:///x"]);
    }
}
