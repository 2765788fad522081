//! One error type for the whole engine. Its kind says what the caller can do; its text says what happened, to
//! what, and where.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::format::Unsettled;

/// What every fallible call of the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The log was closed, or has failed for good: open it again.
    Closed,
    /// Bytes that a crash does not explain: run the check, then repair or accept the loss.
    Damaged,
    /// The name is taken.
    Exists,
    /// Another writer has taken over: stop, or start again on purpose.
    Fenced,
    /// The disk or the quota is full, and nothing was written: free some room, then the call can be repeated.
    Full,
    /// The call or an option is wrong: fix the call.
    Invalid,
    /// Another process, or another `Log` of this one, owns the place: stop that one first.
    Locked,
    /// It is certainly not there.
    NotThere,
    /// It was there and has been retired.
    Retired,
    /// The medium did not do it, and certainly not by half: try again later, or mend the medium.
    Unavailable,
    /// It may have happened or not: the next started log settles it.
    Unknown,
    /// Written by a newer release, or with a feature that this build lacks.
    Unsupported,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Closed => "closed",
            Kind::Damaged => "damaged",
            Kind::Exists => "exists",
            Kind::Fenced => "fenced",
            Kind::Full => "full",
            Kind::Invalid => "invalid",
            Kind::Locked => "locked",
            Kind::NotThere => "not there",
            Kind::Retired => "retired",
            Kind::Unavailable => "unavailable",
            Kind::Unknown => "unknown",
            Kind::Unsupported => "unsupported",
        })
    }
}

/// A place in a file, by which an error can be followed up with the tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The file or object, relative to the store's root.
    pub name: String,
    /// The offset in it.
    pub offset: u64,
}

/// What went wrong. Cheap to clone: one failure answers many tickets.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    message: String,
    site: Option<Site>,
    unsettled: Option<Unsettled>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of the given kind. The message is lower case, with values as `key=value` at its end, and does not
    /// repeat what a source says.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner { kind, message: message.into(), site: None, unsettled: None, source: None }))
    }

    /// Names the file and the offset.
    #[must_use]
    pub fn at(self, name: impl Into<String>, offset: u64) -> Self {
        self.change(|inner| inner.site = Some(Site { name: name.into(), offset }))
    }

    /// Says what caused it.
    #[must_use]
    pub fn because(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Carries the place of a record whose outcome is not known.
    #[must_use]
    pub fn about(self, unsettled: Unsettled) -> Self {
        self.change(|inner| inner.unsettled = Some(unsettled))
    }

    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The file and offset concerned, where there is one.
    pub fn site(&self) -> Option<&Site> {
        self.0.site.as_ref()
    }

    /// Of an [`Kind::Unknown`] answer to an append: what the next started log is asked with
    /// ([`Log::settle`](crate::Log::settle)).
    pub fn unsettled(&self) -> Option<&Unsettled> {
        self.0.unsettled.as_ref()
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Error(Arc::new(inner))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.message)?;
        match &self.0.site {
            Some(site) => write!(f, " file={} offset={}", site.name, site.offset),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = StdError::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
