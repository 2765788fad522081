//! A folder of a bucket, with a log in it, near or through a proxy.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use headwater_stores::open;
use headwater_stores::proxy::Proxy;
use headwater_stores::servers::Bucket;
use headwater_wal::store::Store;
use headwater_wal::{Handle, Log, Options, Position, Record, Result, Ticket, Time};

/// Names the servers on which each of these facts is tried. A server that is not there is skipped, with a word.
macro_rules! on_servers {
    ($($fact:ident)*) => {
        mod s3 { $(#[test] fn $fact() { $crate::place::on(headwater_stores::servers::Server::S3, super::$fact); })* }
        mod azure { $(#[test] fn $fact() { $crate::place::on(headwater_stores::servers::Server::Azure, super::$fact); })* }
        mod gcs { $(#[test] fn $fact() { $crate::place::on(headwater_stores::servers::Server::Gcs, super::$fact); })* }
    };
}
pub(crate) use on_servers;

/// Likewise on HDFS.
macro_rules! on_hdfs {
    ($($fact:ident)*) => {
        mod hdfs { $(#[test] fn $fact() { $crate::place::on(headwater_stores::servers::Server::Hdfs, super::$fact); })* }
    };
}
pub(crate) use on_hdfs;

pub(crate) fn on(server: headwater_stores::servers::Server, fact: fn(&Bucket)) {
    if let Some(bucket) = server.bucket() {
        fact(&bucket);
    }
}

/// A place for a log, and what was acknowledged there.
pub(crate) struct Place {
    pub(crate) bucket: Bucket,
    folder: String,
    pub(crate) options: Options,
    pub(crate) acked: BTreeMap<String, Handle>,
}

/// Small segments, since what is tried is small.
pub(crate) fn options(text: &str) -> Options {
    let small = "record_bytes_max=64KiB&segment_bytes=64KiB&compression=off&linger=2ms";
    Options::from_text(&format!("{small}&{text}")).expect("good options")
}

pub(crate) fn text(record: &Record) -> String {
    String::from_utf8(record.payload.to_vec()).expect("the tests append text")
}

impl Place {
    /// A folder of its own.
    pub(crate) fn new(bucket: &Bucket, name: &str) -> Self {
        let url = bucket.folder(name);
        let (place, _) = url.split_once('?').unwrap_or((&url, ""));
        let folder = place.rsplit('/').next().expect("a folder").to_owned();
        Place { bucket: bucket.clone(), folder, options: options(""), acked: BTreeMap::new() }
    }

    /// The folder at a URL without options.
    pub(crate) fn at(url: &str) -> Self {
        let (bucket, folder) = url.rsplit_once('/').expect("a folder of a bucket");
        let (bucket, folder) = (Bucket::new(bucket), folder.to_owned());
        Place { bucket, folder, options: options(""), acked: BTreeMap::new() }
    }

    /// With a log in it, begun while nothing stood in the way.
    pub(crate) fn begun(self) -> Self {
        self.start().close().expect("it closes");
        self
    }

    pub(crate) fn with_options(mut self, text: &str) -> Self {
        self.options = options(text);
        self
    }

    /// With options of the store.
    pub(crate) fn asking(mut self, pairs: &[(&str, &str)]) -> Self {
        self.bucket = pairs.iter().fold(self.bucket, |bucket, (key, value)| bucket.with(key, value));
        self
    }

    /// Puts a proxy before it; none if it is not on plain HTTP.
    pub(crate) fn behind_a_proxy(mut self) -> Option<(Self, Proxy)> {
        let Some(address) = self.bucket.address() else {
            println!("skipped: no proxy can be put before {}", self.bucket.place());
            return None;
        };
        let proxy = Proxy::start(address).expect("a proxy");
        self.bucket = self.bucket.through(proxy.address());
        Some((self, proxy))
    }

    pub(crate) fn url(&self) -> String {
        self.bucket.inside(&self.folder)
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        open(&self.url()).expect("the store opens")
    }

    pub(crate) fn try_start(&self) -> Result<Log> {
        Log::open(open(&self.url())?, self.options.clone())?.start(Position::START)
    }

    pub(crate) fn start(&self) -> Log {
        self.try_start().expect("the log starts")
    }

    pub(crate) fn append(&self, log: &Log, record: impl Display) -> Ticket {
        log.append(Time(1), record.to_string()).expect("it is taken in")
    }

    /// Appends and hears that it is safe.
    pub(crate) fn write(&mut self, log: &Log, records: std::ops::Range<u64>) {
        let tickets: Vec<_> = records.map(|number| (number, self.append(log, number))).collect();
        for (number, ticket) in tickets {
            self.acked.insert(number.to_string(), ticket.wait().expect("it is acknowledged"));
        }
    }

    /// Everything acknowledged is there once, where it was acknowledged, and is read by its handle; nothing is there
    /// twice. How many records there are.
    pub(crate) fn agrees(&self, log: &Log) -> usize {
        let mut there = BTreeMap::new();
        for record in log.replay(Position::START).expect("a replay begins") {
            let record = record.expect("a record");
            let twice = there.insert(text(&record), record.handle);
            assert!(twice.is_none(), "{} is there twice: {twice:?} and {:?}", text(&record), record.handle);
        }
        for (record, handle) in &self.acked {
            assert_eq!(there.get(record), Some(handle), "{record} was acknowledged");
        }
        let handles: Vec<Handle> = self.acked.values().copied().collect();
        let read = log.read_many(&handles).map(|record| text(&record.expect("it is read by its handle")));
        assert!(read.eq(self.acked.keys().cloned()), "each handle gives its record");
        there.len()
    }
}
