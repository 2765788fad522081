//! Folders of HDFS by URL.

use std::sync::Arc;

use hdfs_native::{ClientBuilder, WriteOptions};

use super::{BLOCK_BYTES, FILE_MODE, Hdfs, Patience, Ways, failure};
use crate::error::{Error, Result};
use crate::store::pool::Pool;
use crate::store::url::{Url, invalid, not_an_option};

/// Our own options, and beginnings of those that Hadoop has.
const OURS: [&str; 3] = ["user", "replication", "block_bytes"];
const HADOOP: [&str; 4] = ["dfs.", "fs.", "hadoop.", "ipc."];

/// A chunk of a block, each with a checksum; blocks are multiples of it.
const CHUNK_BYTES: u64 = 512;

impl Hdfs {
    /// Opens `hdfs://HOST:PORT/PATH`, `hdfs://NAMESERVICE/PATH` or `hdfs:///PATH`. Nothing is asked of it yet.
    pub(in crate::store) fn of_url(url: &Url) -> Result<Hdfs> {
        let mut patience = Patience::default();
        let mut files = WriteOptions::default().permission(FILE_MODE).block_size(BLOCK_BYTES);
        // The client's own patience with a NameNode that is away is minutes: ours is what counts.
        let mut config = vec![
            ("dfs.client.failover.max.attempts".to_owned(), "4".to_owned()),
            ("dfs.client.failover.sleep.base.millis".to_owned(), "100".to_owned()),
            ("dfs.client.failover.sleep.max.millis".to_owned(), "1000".to_owned()),
        ];
        let mut builder = ClientBuilder::new();
        for (option, value) in &url.options {
            if patience.take(option, value)? {
                continue;
            }
            match &**option {
                "user" => builder = builder.with_user(value),
                "replication" => files = files.replication(number(option, value, 1..=512)? as u32),
                "block_bytes" => {
                    let bytes = number(option, value, 1 << 20..=1 << 40)?;
                    files = files.block_size(bytes / CHUNK_BYTES * CHUNK_BYTES);
                }
                of_hadoop if HADOOP.iter().any(|begin| of_hadoop.starts_with(begin)) => {
                    config.push((option.clone(), value.clone()));
                }
                other => {
                    let known: Vec<&str> = OURS.iter().chain(&Patience::OPTIONS).copied().collect();
                    return Err(not_an_option(other, "hdfs:", &known));
                }
            }
        }
        let place = format!("{}://{}", url.scheme, url.authority);
        if !url.authority.is_empty() {
            builder = builder.with_url(&place);
        }
        let pool = Pool::shared()?;
        let built = builder.with_config(config).with_io_runtime(pool.handle()).build();
        let hdfs = built.map_err(|error| {
            let says = failure::text(&error);
            invalid(format!(
                "HDFS cannot be opened so; write hdfs://HOST:PORT/PATH, or set HADOOP_CONF_DIR where a name service is \
                 meant; {says}: place={place}"
            ))
        })?;
        let root = match url.prefix() {
            "" => String::new(),
            path => format!("/{path}"),
        };
        if root.split('/').any(|part| part == "." || part == "..") {
            return Err(invalid("a path on HDFS has no part that is a dot or two"));
        }
        let client = super::Client { hdfs, patience, files, place };
        let ways = Ways { client: Arc::new(client), pool, root: root.into() };
        Ok(Hdfs { ways, owned: Arc::default() })
    }
}

fn number(option: &str, value: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, Error> {
    let wants = || {
        format!("option {option} wants a number from {} to {}: value={value:?}", range.start(), range.end())
    };
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| invalid(wants()))
}

#[cfg(test)]
mod tests {
    use crate::error::Kind;
    use crate::store::open;

    #[test]
    fn a_folder_opens_by_url_without_asking_anybody() {
        for (url, place) in [
            ("hdfs://127.0.0.1:9/logs/a", "hdfs://127.0.0.1:9/logs/a"),
            ("hdfs://127.0.0.1:9/?user=me&replication=3&attempt=2s", "hdfs://127.0.0.1:9"),
            (
                "hdfs://127.0.0.1:9/a?dfs.client.use.datanode.hostname=true&block_bytes=1048577",
                "hdfs://127.0.0.1:9/a",
            ),
        ] {
            let store = open(url).expect(url);
            assert_eq!(store.place(), place);
            assert!(crate::store::leasing(&*store).is_some(), "files grow there, under leases");
        }
    }

    #[test]
    fn a_wrong_option_is_refused_with_what_to_write() {
        for (url, says) in [
            ("hdfs://127.0.0.1:9/a?replicaton=3", "did you mean replication"),
            ("hdfs://127.0.0.1:9/a?replication=0", "a number from 1 to 512"),
            ("hdfs://127.0.0.1:9/a?deadline=soon", "wants a duration"),
            ("hdfs://127.0.0.1:9/a?segment_bytes=1MiB", "the log's own options"),
            ("hdfs://127.0.0.1:9/a/../b", "a dot or two"),
            ("hdfs://nobody-knows-this-one/a", "HADOOP_CONF_DIR"),
        ] {
            let error = open(url).expect_err(url);
            assert_eq!(error.kind(), Kind::Invalid, "{error}");
            assert!(error.to_string().contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn a_name_node_that_is_not_there_is_waited_for_and_then_said() {
        // Nobody listens at port 9 of this machine.
        let store = open("hdfs://127.0.0.1:9/a?attempt=1s&deadline=1s").expect("it opens");
        let error =
            store.read(&crate::store::Name::new("x").expect("a name"), 0..1).expect_err("nobody is there");
        assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    }
}
