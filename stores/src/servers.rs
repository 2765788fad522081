//! Where the servers are: `stores/up` and `stores/hdfs-up` start them and say so in the environment; anybody else's are named in the same
//! way.

use std::env;
use std::net::{SocketAddr, ToSocketAddrs};

/// A server, and why it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Any S3 server that keeps what S3 says; here ministack.
    S3,
    /// Azure's blobs; here Azurite.
    Azure,
    /// Google's; none is started here.
    Gcs,
    /// A NameNode and a DataNode.
    Hdfs,
    /// One that ignores the condition of a put; here s3rver.
    Ignoring,
    /// One that checks the condition and stores later; here s3s-fs.
    Racy,
}

impl Server {
    /// The variable that names it by a URL: one that [`headwater_wal::store::open`] takes, of a bucket of which the tests
    /// may fill folders.
    pub fn variable(self) -> &'static str {
        match self {
            Server::S3 => "HEADWATER_S3_URL",
            Server::Azure => "HEADWATER_AZURE_URL",
            Server::Gcs => "HEADWATER_GCS_URL",
            Server::Hdfs => "HEADWATER_HDFS_URL",
            Server::Ignoring => "HEADWATER_IGNORING_URL",
            Server::Racy => "HEADWATER_RACY_URL",
        }
    }

    /// Whether `stores/up` or `stores/hdfs-up` starts it, so that it is never missing where CI is set.
    fn is_ours(self) -> bool {
        self != Server::Gcs
    }

    /// Its bucket, or none if it is not there: then it was said that what needs it is skipped.
    ///
    /// # Panics
    ///
    /// If it is not there, one that we start, and `CI` is set.
    pub fn bucket(self) -> Option<Bucket> {
        let name = self.variable();
        if let Some(url) = env::var(name).ok().filter(|url| !url.is_empty()) {
            return Some(Bucket(url));
        }
        assert!(
            !self.is_ours() || env::var_os("CI").is_none(),
            "{name} is not set, and where CI is set nothing is skipped: run stores/run"
        );
        println!(
            "skipped: {name} is not set; stores/up starts what it names, or set it to a bucket of your own"
        );
        None
    }
}

/// A URL of a bucket: `s3://name?key=value`.
#[derive(Clone, Debug)]
pub struct Bucket(String);

impl Bucket {
    /// One whose URL is this.
    pub fn new(url: impl Into<String>) -> Self {
        Bucket(url.into())
    }

    /// One of the plain server in memory.
    pub fn plain(address: SocketAddr) -> Self {
        Bucket(format!(
            "s3://headwater?aws_endpoint=http://{address}&allow_http=true&aws_region=us-east-1&\
             aws_access_key_id=nobody&aws_secret_access_key=nothing"
        ))
    }

    /// The URL of a folder in it that nobody else uses.
    pub fn folder(&self, name: &str) -> String {
        use std::hash::{BuildHasher, RandomState};
        let random = RandomState::new().hash_one((std::process::id(), name));
        self.inside(&format!("{name}-{random:016x}"))
    }

    /// The URL of a folder in it.
    pub fn inside(&self, folder: &str) -> String {
        let (place, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let question = if query.is_empty() { "" } else { "?" };
        format!("{}/{folder}{question}{query}", place.trim_end_matches('/'))
    }

    /// Its URL without options.
    pub fn place(&self) -> &str {
        self.0.split('?').next().unwrap_or("")
    }

    /// The value of an option whose name ends so: `endpoint` finds `aws_endpoint` too.
    pub fn option(&self, end: &str) -> Option<&str> {
        let query = self.0.split_once('?')?.1;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.ends_with(end)).map(|(_, value)| value)
    }

    /// The same with another value of an option that it has, or with the option, if it has none of that name.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        let (place, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let is_it = |pair: &&str| pair.split('=').next() == Some(key);
        let mut pairs: Vec<String> =
            query.split('&').filter(|pair| !pair.is_empty() && !is_it(pair)).map(str::to_owned).collect();
        pairs.push(format!("{key}={value}"));
        Bucket(format!("{place}?{}", pairs.join("&")))
    }

    /// Where it listens, if it is plain HTTP at an endpoint that the URL names: then a proxy can be put before it.
    pub fn address(&self) -> Option<SocketAddr> {
        let rest = self.option("endpoint")?.strip_prefix("http://")?;
        rest.split('/').next()?.to_socket_addrs().ok()?.next()
    }

    /// The same through a proxy.
    #[must_use]
    pub fn through(&self, proxy: SocketAddr) -> Self {
        let there = self.address().expect("a server at a plain endpoint");
        let endpoint = self.option("endpoint").expect("it has one");
        let authority = endpoint["http://".len()..].split('/').next().unwrap_or("");
        debug_assert!(authority.ends_with(&there.port().to_string()));
        Bucket(self.0.replace(endpoint, &endpoint.replace(authority, &proxy.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_the_options_and_a_proxy_takes_the_servers_place() {
        let bucket = Bucket::new("az://box?azure_endpoint=http://127.0.0.1:10000/account&allow_http=true");
        assert_eq!(
            bucket.inside("a/b"),
            "az://box/a/b?azure_endpoint=http://127.0.0.1:10000/account&allow_http=true"
        );
        assert_eq!(bucket.address(), Some("127.0.0.1:10000".parse().unwrap()));
        let near = bucket.through("127.0.0.1:9".parse().unwrap());
        assert_eq!(near.option("endpoint"), Some("http://127.0.0.1:9/account"));
        assert_eq!(near.with("allow_http", "no").option("allow_http"), Some("no"));
    }
}
