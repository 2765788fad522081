//! What no message may show.

use std::fmt;

/// Shorter ones are not looked for: hiding them would make a message unreadable, and guessing them is easy.
const LEN_MIN: usize = 6;
const HIDDEN: &str = "(secret)";

/// The secrets that a store was opened with.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Takes what may be a secret, by the name of its option.
    #[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
    pub(super) fn note(&mut self, option: &str, value: &str) {
        const MARKS: [&str; 6] = ["key", "secret", "token", "sas", "credential", "proxy"];
        let option = option.to_ascii_lowercase();
        if MARKS.iter().any(|mark| option.contains(mark)) {
            let value = value.trim();
            let plain = matches!(value, "true" | "false");
            if value.len() >= LEN_MIN && !plain && !self.0.iter().any(|known| known == value) {
                self.0.push(value.to_owned());
                // The longest first: one may be part of another.
                self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            }
        }
    }

    /// The text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0.iter().filter(|secret| secret.len() >= LEN_MIN).fold(text.to_owned(), |text, secret| {
            if text.contains(secret) { text.replace(secret, HIDDEN) } else { text }
        })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hidden", self.0.len())
    }
}
