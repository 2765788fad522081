//! From the kernel's errors to what a caller can do.

use std::fmt::Display;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

use crate::error::{Error, Kind};

/// A step failed that cannot have changed anything that anyone sees.
pub(super) fn before(doing: &str, at: impl Display, cause: impl Into<io::Error>) -> Error {
    let cause = cause.into();
    let (kind, advice) = match Errno::from_io_error(&cause) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
            (Kind::Full, "make room or raise the limit, then repeat it")
        }
        Some(Errno::NOENT) => (Kind::NotThere, "there is none"),
        Some(Errno::LOOP) => (Kind::Invalid, "a link is in its place; move it away, links are not followed"),
        Some(Errno::ISDIR) => (Kind::Invalid, "a folder is in its place; move it away"),
        Some(Errno::NOTDIR) => {
            (Kind::Invalid, "a folder is needed where a file or a link is; move that away")
        }
        Some(Errno::NXIO) => (Kind::Invalid, "what is in its place is no plain file; move it away"),
        Some(Errno::NAMETOOLONG) => (Kind::Invalid, "this file system has no names that long"),
        Some(Errno::ACCESS | Errno::PERM) => {
            (Kind::Unavailable, "this user lacks the right to; check owner and mode")
        }
        Some(Errno::NOMEM) => (Kind::Unavailable, "there is no memory for it; ask for less, or free some"),
        Some(Errno::ROFS) => {
            (Kind::Unavailable, "the file system is read-only; look why in the kernel's log")
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            (Kind::Unavailable, "too many files are open; raise the limit, then repeat it")
        }
        _ => (Kind::Unavailable, "look for the reason in the kernel's log, then try again"),
    };
    Error::new(kind, format!("cannot {doing}: {advice}: file={at}")).because(cause)
}

/// The same of a file that is to be made: where something is missing then, it was removed from under it.
pub(super) fn making(doing: &str, at: impl Display, cause: impl Into<io::Error>) -> Error {
    let cause = cause.into();
    if cause.kind() != io::ErrorKind::NotFound {
        return before(doing, at, cause);
    }
    let text = format!("cannot {doing}: its folder was removed, or a new owner swept; try again: file={at}");
    Error::new(Kind::Unavailable, text).because(cause)
}

/// A step that changes names failed; whether it did so before or after changing them hangs on how it failed.
pub(super) fn during(doing: &str, at: impl Display, cause: Errno) -> Error {
    if changes_nothing(cause) { before(doing, at, cause) } else { unknown(doing, at, cause) }
}

/// A step failed that may have happened, or may be undone by a power cut.
pub(super) fn unknown(doing: &str, at: impl Display, cause: impl Into<io::Error>) -> Error {
    let text =
        format!("cannot {doing}, or cannot be sure of it: start the log again, which settles it: file={at}");
    Error::new(Kind::Unknown, text).because(cause.into())
}

/// Whether the kernel answers so only before it changes a name. What it answers when a device, a server or a
/// signal came between is not among them.
pub(super) fn changes_nothing(cause: Errno) -> bool {
    matches!(
        cause,
        Errno::ACCESS
            | Errno::BUSY
            | Errno::DQUOT
            | Errno::EXIST
            | Errno::INVAL
            | Errno::ISDIR
            | Errno::LOOP
            | Errno::MFILE
            | Errno::MLINK
            | Errno::NAMETOOLONG
            | Errno::NFILE
            | Errno::NOENT
            | Errno::NOMEM
            | Errno::NOSPC
            | Errno::NOSYS
            | Errno::NOTDIR
            | Errno::NOTSUP
            | Errno::NXIO
            | Errno::PERM
            | Errno::ROFS
            | Errno::XDEV
    )
}

/// A path as a URL: whatever is in it, one line of plain text.
pub(super) fn url(path: &Path) -> String {
    let mut url = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
