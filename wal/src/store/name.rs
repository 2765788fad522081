//! Names of files and objects, relative to a store's root.

use std::fmt;

use crate::error::{Error, Kind, Result};

const BYTES_MAX: usize = 512;

/// A name that is safe on every medium: one or more components of letters, digits, `-`, `_` and `.`, none of which
/// begins with a dot, joined by `/`. The root itself is the empty name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The root of the store, for listing it.
    pub const ROOT: Name = Name(String::new());

    /// Checks a name that came from outside.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let good = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        if text.len() <= BYTES_MAX && text.split('/').all(good) {
            return Ok(Name(text));
        }
        Err(Error::new(Kind::Invalid, format!("not a name that every store can hold: name={text:?}")))
    }

    /// The name as text, as tools and errors show it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of `part` in this folder.
    pub fn join(&self, part: &str) -> Result<Self> {
        if self.0.is_empty() { Name::new(part) } else { Name::new(format!("{}/{part}", self.0)) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_root() {
        for bad in
            ["", "/", "a/", "/a", "a//b", ".", "..", "a/..", "a/.b", "a\0", "a b", "a\n", "ä", "a\\b", "a:b"]
        {
            assert_eq!(Name::new(bad).unwrap_err().kind(), Kind::Invalid, "{bad:?}");
        }
        assert!(Name::new("x".repeat(BYTES_MAX + 1)).is_err());
        assert_eq!(Name::ROOT.join("epoch").unwrap().join("7").unwrap().as_str(), "epoch/7");
    }
}
