//! From what was typed to a store.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_checkpoint::Object;
use headwater_checkpoint::resume::Root;
use headwater_fsck::checkpoints;
use headwater_wal::format::name::parse_segment;
use headwater_wal::store::{self, Store};
use headwater_wal::{Error, Kind};

use crate::failure::Failure;

/// What was typed.
enum Place {
    Folder(PathBuf),
    /// On an object store.
    Url(String),
}

/// The folder that was typed, if it is one of this machine.
pub(crate) fn folder(text: &OsStr) -> Option<PathBuf> {
    match place(text) {
        Ok(Place::Folder(path)) => Some(path),
        _ => None,
    }
}

/// The store at a folder or a URL.
pub(crate) fn open(text: &OsStr) -> Result<Arc<dyn Store>, Failure> {
    let path = match place(text)? {
        Place::Folder(path) => path,
        Place::Url(url) => return store::open(&url).map_err(not_built),
    };
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => local(path),
        Ok(_) => Err(Failure::Usage(no_folder(&path))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!(
                "there is no such folder: path={shown}; what there is:\n  ls -la {}",
                nearest(&path).display()
            );
            Err(Error::new(Kind::NotThere, message).into())
        }
        Err(error) => {
            let message = format!(
                "the folder could not be opened: path={shown} because=`{error}`; who may open it:\n  namei -l {shown}"
            );
            Err(Error::new(Kind::Unavailable, message).into())
        }
    }
}

/// The store of the checkpoints at a place: the place itself, or the folder of a root that has them.
pub(crate) fn open_checkpoints(text: &OsStr) -> Result<Arc<dyn Store>, Failure> {
    let store = open(text)?;
    if !checkpoints::is_here(&*store)? && checkpoints::is_below(&*store)? {
        return open_below(text, checkpoints::FOLDER);
    }
    Ok(store)
}

/// A root, and the store of the root itself.
pub(crate) fn open_root(text: &OsStr) -> Result<(Root, Arc<dyn Store>), Failure> {
    Ok((root(text)?, open(text)?))
}

/// The store at a folder below.
pub(crate) fn open_below(text: &OsStr, folder: &str) -> Result<Arc<dyn Store>, Failure> {
    root(text)?.folder(folder).map_err(not_built)
}

#[cfg(unix)]
fn root(text: &OsStr) -> Result<Root, Failure> {
    Ok(match place(text)? {
        Place::Folder(path) => Root::local(path),
        Place::Url(url) => Root::at(url),
    })
}

#[cfg(not(unix))]
fn root(text: &OsStr) -> Result<Root, Failure> {
    Ok(match place(text)? {
        Place::Folder(path) => Root::new(move |folder| {
            local(path.join(folder.as_str()))
                .map_err(|failure| Error::new(Kind::Unsupported, failure.to_string()))
        }),
        Place::Url(url) => Root::at(url),
    })
}

/// The store that this build does not have comes with a command that builds it.
pub(crate) fn not_built(error: Error) -> Failure {
    match error.kind() {
        Kind::Unsupported if error.to_string().contains("built without") => Failure::Usage(format!(
            "{error}; `cargo install headwater-fsck --features s3,gcs,azure,hdfs` builds all of them"
        )),
        Kind::Invalid | Kind::Unsupported => Failure::Usage(error.to_string()),
        _ => Failure::Log(error),
    }
}

#[cfg(unix)]
fn local(path: PathBuf) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(headwater_wal::store::Local::open(path)?))
}

#[cfg(not(unix))]
fn local(path: PathBuf) -> Result<Arc<dyn Store>, Failure> {
    Err(Failure::Usage(format!("this build opens no folders on this system: path={}", path.display())))
}

fn no_folder(path: &std::path::Path) -> String {
    let base = path.file_name().and_then(|name| parse_segment(name.to_str()?));
    match (base, path.parent()) {
        (Some(base), Some(folder)) => {
            let folder = if folder.as_os_str().is_empty() { std::path::Path::new(".") } else { folder };
            format!(
                "this is one file of a log, name the log's folder; for what the scanner sees in this file:\n  \
                 wal-inspect dump {} --groups --from {base}",
                folder.display()
            )
        }
        (None, Some(folder)) if is_of_checkpoints(path) => {
            let folder = if folder.as_os_str().is_empty() { std::path::Path::new(".") } else { folder };
            format!(
                "this is one object of a folder of checkpoints, name the folder:\n  wal-inspect checkpoints {}",
                folder.display()
            )
        }
        _ => format!(
            "this is a file, and a log or checkpoints are a folder: path={}; what lies beside it:\n  ls -la {}",
            path.display(),
            nearest(path).display()
        ),
    }
}

/// The next folder above that there is.
fn nearest(path: &std::path::Path) -> &std::path::Path {
    let above = path.ancestors().skip(1).find(|above| above.is_dir() || above.as_os_str().is_empty());
    above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."))
}

fn is_of_checkpoints(path: &std::path::Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| Object::parse(name).is_some())
}

fn place(text: &OsStr) -> Result<Place, Failure> {
    // A path that is no UTF-8 is no URL.
    let Some(url) = text.to_str() else { return Ok(Place::Folder(text.into())) };
    let Some((scheme, rest)) = url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Ok(Place::Folder(text.into()));
    };
    match &*scheme.to_ascii_lowercase() {
        "file" => file_url(rest).map(Place::Folder).ok_or_else(|| {
            let message =
                format!("a file: URL looks like file:///var/log or file:here, without options: url={url}");
            Failure::Usage(message)
        }),
        "s3" | "s3a" | "gs" | "az" | "azure" | "adl" | "abfs" | "abfss" | "hdfs" | "viewfs" => {
            Ok(Place::Url(url.into()))
        }
        "memory" | "sim" => Err(Failure::Usage(format!("this is the memory of another process: url={url}"))),
        // A folder may well be called so.
        _ if fs::metadata(url).is_ok() => Ok(Place::Folder(url.into())),
        // What it is not says it best.
        _ => match store::open(url) {
            Err(error) => Err(Failure::Usage(format!("{error} (a folder of that name is ./{url})"))),
            Ok(_) => Ok(Place::Url(url.into())),
        },
    }
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The path of a `file:` URL: no host but this one, no query, `%` and two digits for a byte.
fn file_url(rest: &str) -> Option<PathBuf> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest),
        None => rest,
    };
    let absolute = !rest.starts_with("//") || path.starts_with('/');
    if path.is_empty() || !absolute || path.contains(['?', '#']) {
        return None;
    }
    let mut decoded = Vec::new();
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'))?;
                decoded.push(u8::from_str_radix(digits, 16).ok()?);
            }
            byte => decoded.push(byte),
        }
    }
    os_path(decoded)
}

#[cfg(unix)]
fn os_path(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn os_path(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_urls_are_paths_and_nothing_else_is() {
        for (url, want) in [
            ("///var/log", Some("/var/log")),
            ("/var/log", Some("/var/log")),
            ("here", Some("here")),
            ("//localhost/var", Some("/var")),
            ("///a%20b%25", Some("/a b%")),
            ("//host/var", None),
            ("//", None),
            ("", None),
            ("///a?segment_bytes=1", None),
            ("///a%2", None),
            ("///a%zz", None),
            ("///a%+1", None),
        ] {
            assert_eq!(file_url(url), want.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let refused = |url: &str| open(url.as_ref()).unwrap_err().to_string();
        for (url, says) in [
            (
                "hdfs://h:9000/x?regoin=x",
                if cfg!(feature = "hdfs") { "no such option" } else { "--features s3" },
            ),
            ("ftp:x", "not a scheme that is known"),
            ("memory:", "the memory of another process"),
            (
                "s3://b/x?regoin=x&secret_access_key=hunter22",
                if cfg!(feature = "s3") { "region" } else { "--features s3" },
            ),
            ("gs://b/x", if cfg!(feature = "gcs") { "" } else { "--features s3,gcs" }),
        ] {
            if !says.is_empty() {
                let said = refused(url);
                assert!(said.contains(says) && !said.contains("hunter22"), "{said}");
            }
        }
        assert!(matches!(place("c:/x".as_ref()), Ok(Place::Folder(path)) if path.as_os_str() == "c:/x"));
    }
}
