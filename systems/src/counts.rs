//! Counted words: what a batch adds, and the driver's state, which its checkpoints keep.

use std::collections::BTreeMap;

use headwater_checkpoint::resume::Restored;
use headwater_wal::{Error, Kind, Result};

use crate::words::words;

/// The name of the section that has them.
pub(crate) const SECTION: &str = "words";

/// How often each word came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(pub(crate) BTreeMap<String, u64>);

impl Counts {
    /// Counts the words of a message.
    pub(crate) fn take(&mut self, text: &str) {
        for word in words(text) {
            *self.0.entry(word.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn add(&mut self, other: &Counts) {
        for (word, count) in &other.0 {
            *self.0.entry(word.clone()).or_default() += count;
        }
    }

    pub(crate) fn restore(restored: &Restored<'_>) -> Result<Counts> {
        let bytes = restored.section(SECTION)?.read_all(1 << 20)?;
        let damaged =
            || Error::new(Kind::Damaged, "the section of the words does not say how often they came");
        Counts::from_text(&bytes).ok_or_else(damaged)
    }

    pub(crate) fn to_text(&self) -> String {
        self.0.iter().map(|(word, count)| format!("{word} {count}\n")).collect()
    }

    fn from_text(bytes: &[u8]) -> Option<Counts> {
        let line = |line: &str| {
            let (word, count) = line.split_once(' ')?;
            Some((word.to_owned(), count.parse().ok()?))
        };
        std::str::from_utf8(bytes).ok()?.lines().map(line).collect::<Option<_>>().map(Counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_back_from_their_text() {
        let mut counts = Counts::default();
        counts.take("7 reed heron reed");
        assert_eq!(counts.0, BTreeMap::from([("heron".into(), 1), ("reed".into(), 2)]));
        assert_eq!(Counts::from_text(counts.to_text().as_bytes()), Some(counts));
        assert_eq!(Counts::from_text(b"reed"), None);
    }
}
