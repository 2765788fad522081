//! Places by URL.

use std::sync::Arc;

#[cfg(unix)]
use super::Local;
use super::{Memory, Store};
use crate::error::{Error, Kind, Result};

/// Opens a place for logs by its URL.
///
/// | URL | what it is | feature |
/// |---|---|---|
/// | `/path`, `./path`, `file:///path` | a directory, as [`Local::open`](super::Local::open) takes it | |
/// | `memory:` | a new store in the memory of this process, as [`Memory::objects`] | |
/// | `s3://bucket/prefix`, `s3a:` | S3, and what speaks as it does | `s3` |
/// | `gs://bucket/prefix` | Google Cloud Storage | `gcs` |
/// | `az://container/prefix`, `azure:`, `adl:`, `abfs:`, `abfss:`, `abfss://container@account.dfs.core.windows.net/prefix` | Azure Blob Storage | `azure` |
///
/// | `hdfs://host:port/path`, `hdfs://nameservice/path`, `hdfs:///path`, `viewfs:` | HDFS, natively: files that grow and are synced | `hdfs` |
///
/// Object stores take options as `?key=value&key=value`: those of the crate `object_store` under its own names, in short
/// (`region`, `endpoint`, `access_key_id`, `allow_http`, `account_name`...) or in full (`aws_region`...), and before them
/// the environment variables that its users know (`AWS_REGION`, `AZURE_STORAGE_ACCOUNT_NAME`,
/// `GOOGLE_APPLICATION_CREDENTIALS`...). Ours are
///
/// | option | what it is |
/// |---|---|
/// | `attempt=10s` | how long one try waits for its answer, besides a second for each MiB |
/// | `deadline=60s` | after how long a call is not tried again |
/// | `pause=50ms`, `pause_max=5s` | the greatest pause before the second try, and before any |
/// | `unproven=accept` | begins a log even where the store failed its [probe](super::probe). Such a store may let two writers both be told that they wrote the same place, and one of them loses what it was told is safe: only for a place that never has a second writer, not even one that was thought dead |
///
/// HDFS reads `core-site.xml` and `hdfs-site.xml` where `HADOOP_CONF_DIR` or `HADOOP_HOME` says, and takes the first four of
/// these, Hadoop's own properties (`dfs.client.use.datanode.hostname=true`), and
///
/// | option | what it is |
/// |---|---|
/// | `user=NAME` | in whose name, where there is no Kerberos; else `HADOOP_USER_NAME`, or the user of the process |
/// | `replication=3` | on how many DataNodes each block lies; else as the cluster has it |
/// | `block_bytes=134217728` | the most that lies in one block |
///
/// Path and options are percent-decoded; a `+` is a plus. What is a secret shows in no message.
///
/// `Invalid`: the URL or an option is wrong. `Unsupported`: the feature for it is not built.
pub fn open(url: &str) -> Result<Arc<dyn Store>> {
    let Some(url) = Url::parse(url)? else {
        return local(url);
    };
    match &*url.scheme {
        "file" => local(&url.local_path()?),
        "memory" if url.authority.is_empty() && matches!(&*url.path, "" | "/") && url.options.is_empty() => {
            Ok(Arc::new(Memory::objects()))
        }
        "memory" => {
            Err(invalid("memory: is new at each call and takes no name and no options; write `memory:`"))
        }
        "s3" | "s3a" => s3(&url),
        "gs" => gcs(&url),
        "az" | "azure" | "adl" | "abfs" | "abfss" => azure(&url),
        "http" | "https" => Err(invalid(
            "a store is not named by the address of its server; write s3://BUCKET/PREFIX?endpoint=ADDRESS",
        )),
        "hdfs" | "viewfs" => hdfs(&url),
        other => Err(invalid(format!(
            "not a scheme that is known; they are file:, memory:, s3:, gs:, az: and hdfs:, and a path with a colon begins \
             with `./`: scheme={other}"
        ))),
    }
}

#[cfg(unix)]
fn local(path: &str) -> Result<Arc<dyn Store>> {
    if path.is_empty() {
        return Err(invalid("there is no path"));
    }
    Ok(Arc::new(Local::open(path)?))
}

#[cfg(not(unix))]
fn local(_path: &str) -> Result<Arc<dyn Store>> {
    Err(Error::new(Kind::Unsupported, "local disk is not supported on this system"))
}

#[cfg(feature = "s3")]
fn s3(url: &Url) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(super::object::s3(url)?))
}

#[cfg(not(feature = "s3"))]
fn s3(url: &Url) -> Result<Arc<dyn Store>> {
    Err(not_built(url, "s3"))
}

#[cfg(feature = "gcs")]
fn gcs(url: &Url) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(super::object::gcs(url)?))
}

#[cfg(not(feature = "gcs"))]
fn gcs(url: &Url) -> Result<Arc<dyn Store>> {
    Err(not_built(url, "gcs"))
}

#[cfg(feature = "azure")]
fn azure(url: &Url) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(super::object::azure(url)?))
}

#[cfg(not(feature = "azure"))]
fn azure(url: &Url) -> Result<Arc<dyn Store>> {
    Err(not_built(url, "azure"))
}

#[cfg(feature = "hdfs")]
fn hdfs(url: &Url) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(super::hdfs::Hdfs::of_url(url)?))
}

#[cfg(not(feature = "hdfs"))]
fn hdfs(url: &Url) -> Result<Arc<dyn Store>> {
    Err(not_built(url, "hdfs"))
}

#[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure", feature = "hdfs")))]
fn not_built(url: &Url, feature: &str) -> Error {
    let message = format!(
        "this program was built without stores of this kind; build it with the feature `{feature}`: place={}",
        url.place()
    );
    Error::new(Kind::Unsupported, message)
}

/// A URL in its parts. Never shown whole: the options may be secrets.
pub(super) struct Url {
    pub(super) scheme: String,
    /// The bucket, or the container and its account.
    pub(super) authority: String,
    /// Decoded, with its leading slash if it has one.
    pub(super) path: String,
    /// Decoded, in their order, none twice.
    pub(super) options: Vec<(String, String)>,
}

impl Url {
    /// `None`: this is a plain path.
    fn parse(text: &str) -> Result<Option<Url>> {
        let Some((scheme, rest)) = text.split_once(':') else { return Ok(None) };
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        // One letter is a drive.
        if scheme.len() < 2
            || !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.chars().all(plain)
        {
            return Ok(None);
        }
        let scheme = scheme.to_ascii_lowercase();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if rest.contains('#') || query.contains('#') {
            return Err(invalid(
                "a `#` has no meaning here; write %23 where it belongs to a name or a value",
            ));
        }
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        if authority.split_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return Err(invalid(
                "a URL takes no user and password; give keys as options or as environment variables",
            ));
        }
        let decoded = |what: &str, text: &str| {
            percent_decoded(text).ok_or_else(|| {
                invalid(format!("{what} of the URL cannot be decoded; write a percent sign as %25"))
            })
        };
        let mut options: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) =
                (decoded("an option", key)?.to_ascii_lowercase(), decoded("an option", value)?);
            if options.iter().any(|(known, _)| *known == key) {
                return Err(invalid(format!("an option is given twice: option={key:?}")));
            }
            options.push((key, value));
        }
        let (authority, path) = (decoded("the bucket", authority)?, decoded("the path", path)?);
        Ok(Some(Url { scheme, authority, path, options }))
    }

    /// The path of a `file:` URL.
    fn local_path(&self) -> Result<String> {
        if let Some((option, _)) = self.options.first() {
            return Err(not_an_option(option, "file:", &[]));
        }
        if !matches!(&*self.authority, "" | "localhost") {
            return Err(invalid("a directory on another machine cannot be opened; write file:///PATH"));
        }
        if !self.path.starts_with('/') {
            return Err(invalid(
                "a path after file: begins with a slash; write file:///PATH, or the path alone",
            ));
        }
        Ok(self.path.clone())
    }

    /// The URL without what may be secret.
    pub(super) fn place(&self) -> String {
        format!("{}://{}/{}", self.scheme, self.authority, self.prefix())
    }

    /// The path without the slashes around it.
    pub(super) fn prefix(&self) -> &str {
        self.path.trim_matches('/')
    }
}

/// Options that belong to the log, which are given to it apart from its place.
const OF_THE_LOG: [&str; 14] = [
    "durability",
    "segment_bytes",
    "segment_age",
    "record_bytes_max",
    "group_bytes_max",
    "queue_bytes_max",
    "in_flight_bytes_max",
    "in_flight",
    "puts_in_flight",
    "linger",
    "group_linger",
    "idle_after",
    "clock_jump_max",
    "compression",
];

/// An option that nobody here takes: where it goes, or what may be meant.
pub(super) fn not_an_option(option: &str, scheme: &str, known: &[&str]) -> Error {
    if OF_THE_LOG.contains(&option) {
        return invalid(format!(
            "an option of the log, not of its place: give it to the log's own options: option={option}"
        ));
    }
    let near = known.iter().min_by_key(|known| distance(known, option));
    let near = near.filter(|near| distance(near, option) <= 1 + near.len() / 4);
    let hint = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
    invalid(format!("{scheme} takes no such option{hint} option={option:?}"))
}

/// How many letters differ.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut left = at + 1;
        let mut corner = at;
        for (column, &against) in other.iter().enumerate() {
            let above = row[column + 1];
            let best = (above + 1).min(left + 1).min(corner + usize::from(letter != against));
            (row[column], corner, left) = (left, above, best);
        }
        row[other.len()] = left;
    }
    row[other.len()]
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Url {
        Url::parse(text).unwrap().unwrap()
    }

    #[test]
    fn a_url_falls_into_its_parts() {
        let url = parsed("S3://bucket/a%20b/c?Region=eu-west-1&secret_access_key=a+b/c%3D%26&flag");
        assert_eq!((&*url.scheme, &*url.authority, url.prefix()), ("s3", "bucket", "a b/c"));
        let options: Vec<(&str, &str)> = url.options.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(options, [("region", "eu-west-1"), ("secret_access_key", "a+b/c=&"), ("flag", "")]);
        assert_eq!(url.place(), "s3://bucket/a b/c");
        assert_eq!(parsed("abfss://box@account.dfs.core.windows.net/x/").prefix(), "x");
        assert_eq!(parsed("s3://bucket").prefix(), "");
        for path in ["/a/b", "./a:b", "a/b:c", "C:\\logs", "a?b", "1s3:x"] {
            assert!(Url::parse(path).unwrap().is_none(), "{path}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_with_what_to_write() {
        for (url, says) in [
            ("", "no path"),
            ("file:relative", "begins with a slash"),
            ("file://host/path", "another machine"),
            ("file:///path?region=x", "takes no such option"),
            ("file:///path?segment_bytes=1MiB", "the log's own options"),
            ("memory:name", "write `memory:`"),
            ("https://host/bucket", "s3://BUCKET/PREFIX?endpoint"),
            ("ftp://host", "scheme=ftp"),
            ("s3://me:hunter22@bucket/x", "no user and password"),
            ("s3://bucket/a#b", "%23"),
            ("s3://bucket/a%2", "%25"),
            ("s3://bucket/a%ff", "%25"),
            ("s3://bucket/?a=1&A=2", "given twice"),
        ] {
            let error = open(url).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{url}");
            assert!(error.to_string().contains(says), "{url}: {error}");
            assert!(!error.to_string().contains("hunter22"), "{error}");
        }
    }

    #[test]
    fn a_path_a_file_url_and_memory_open() {
        let folder = std::env::temp_dir();
        let folder = folder.to_str().unwrap();
        for url in [folder.to_owned(), format!("file://{folder}"), format!("FILE:{folder}")] {
            assert!(open(&url).unwrap().place().contains(folder), "{url}");
        }
        assert_eq!(open("memory:").unwrap().place(), "memory:");
        assert_eq!(open("memory:///").unwrap().place(), "memory:");
    }

    #[test]
    #[cfg(not(any(feature = "s3", feature = "gcs", feature = "azure", feature = "hdfs")))]
    fn a_scheme_that_is_not_built_names_its_feature() {
        for (url, feature) in [
            ("s3://b/p?secret_access_key=hunter22", "`s3`"),
            ("gs://b", "`gcs`"),
            ("abfss://b", "`azure`"),
            ("hdfs://h:9000/p", "`hdfs`"),
        ] {
            let error = open(url).unwrap_err();
            assert_eq!(error.kind(), Kind::Unsupported);
            assert!(
                error.to_string().contains(feature) && !error.to_string().contains("hunter22"),
                "{error}"
            );
        }
    }
}
