//! Where a store comes from: built by URL, or handed in.

use std::sync::Arc;

use super::client::Client;
use crate::error::Result;
use crate::store::Survives;

/// Where a store comes from.
#[derive(Clone, Default)]
pub(super) struct Origin {
    /// Makes another client of the same store, with connections of its own.
    pub(super) connect: Option<Connect>,
    /// It need not prove anything.
    pub(super) unproven: bool,
}

type Connect = Arc<dyn Fn() -> Result<Client> + Send + Sync>;

/// What a store that was handed in says of itself: where it is, as a URL, and what it survives.
pub(super) fn told_by(store: &str, prefix: &str) -> (String, Survives) {
    let between = |from: &str, to: &str| {
        let (_, rest) = store.split_once(from)?;
        rest.split_once(to).map(|(name, _)| name.trim().to_owned())
    };
    let prefix = prefix.trim_matches('/');
    if store.contains("InMemory") {
        return (format!("memory:/{prefix}"), Survives::Nothing);
    }
    if let Some(root) = between("LocalFileSystem(", ")") {
        // It syncs only if it was asked to, and does not say whether it was.
        let root = root.trim_start_matches("file://").trim_end_matches('/');
        return (format!("file://{root}/{prefix}"), Survives::Kill);
    }
    let (scheme, bucket) = if let Some(bucket) = between("AmazonS3(", ")") {
        ("s3", bucket)
    } else if let Some(bucket) = between("GoogleCloudStorage(", ")") {
        ("gs", bucket)
    } else if let Some(container) = between("container: ", " }") {
        ("az", container)
    } else {
        ("object-store", store.chars().take_while(|c| c.is_ascii_alphanumeric()).collect())
    };
    (format!("{scheme}://{bucket}/{prefix}"), Survives::Machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_was_handed_in_is_named_by_a_url_without_secrets() {
        for (store, place, survives) in [
            ("AmazonS3(box)", "s3://box/p", Survives::Machine),
            ("PrefixObjectStore(x): AmazonS3(box)", "s3://box/p", Survives::Machine),
            ("GoogleCloudStorage(box)", "gs://box/p", Survives::Machine),
            ("MicrosoftAzure { account: a, container: box }", "az://box/p", Survives::Machine),
            ("InMemory", "memory:/p", Survives::Nothing),
            ("LocalFileSystem(file:///data/)", "file:///data/p", Survives::Kill),
            ("Mine(https://me:hunter2@host)", "object-store://Mine/p", Survives::Machine),
        ] {
            assert_eq!(told_by(store, "/p/"), (place.to_owned(), survives), "{store}");
        }
    }
}
