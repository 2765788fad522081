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
