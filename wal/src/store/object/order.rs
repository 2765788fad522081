//! Puts what a store lists, in the order of its keys, into the order of names.
//!
//! The two differ, since a store sorts a folder by its name and the slash that follows: `a-b` and `a.b` come before
//! `a/1`, and the folder `a` comes before both. So what is listed is held back while a folder that belongs before it may
//! still come: for `00000000000000000007.wal` that is until the next key.

use std::collections::BTreeMap;

use crate::store::{Entry, What};

/// What was listed and not yet given out.
#[derive(Debug, Default)]
pub(super) struct Order {
    held: BTreeMap<String, What>,
    /// The last key that came.
    key: String,
    /// The last name that was given out.
    given: Option<String>,
}

/// A key came that belongs before one that had come earlier.
#[derive(Debug)]
pub(super) struct OutOfOrder;

impl Order {
    /// Takes the next thing by its key: its name, and for a folder a slash.
    pub(super) fn take(&mut self, entry: Entry) -> Result<(), OutOfOrder> {
        let mut key = entry.name.clone();
        if entry.what == What::Folder {
            key.push('/');
        }
        if key < self.key {
            return Err(OutOfOrder);
        }
        self.key = key;
        self.hold(entry);
        Ok(())
    }

    /// Keeps it, whatever came before. Where a file and a folder have one name, the file is what can be opened.
    pub(super) fn hold(&mut self, entry: Entry) {
        if entry.what == What::Folder {
            self.held.entry(entry.name).or_insert(entry.what);
        } else {
            self.held.insert(entry.name, entry.what);
        }
    }

    /// What nothing that is still to come belongs before.
    pub(super) fn settled(&mut self) -> Vec<Entry> {
        let later = self.held.split_off(&least_to_come(&self.key));
        let settled = std::mem::replace(&mut self.held, later);
        self.give(settled)
    }

    /// All the rest.
    pub(super) fn rest(&mut self) -> Vec<Entry> {
        let held = std::mem::take(&mut self.held);
        self.give(held)
    }

    /// Whether anything was given out.
    pub(super) fn has_given(&self) -> bool {
        self.given.is_some()
    }

    fn give(&mut self, entries: BTreeMap<String, What>) -> Vec<Entry> {
        if let Some((last, _)) = entries.last_key_value() {
            self.given = Some(last.clone());
        }
        entries.into_iter().map(|(name, what)| Entry { name, what }).collect()
    }
}

/// The least name that may follow a key: of a folder that sorts behind it for its slash, or the key's own.
fn least_to_come(key: &str) -> String {
    let name = key.trim_end_matches('/');
    let before_slash = |&(at, byte): &(usize, u8)| at > 0 && byte < b'/' && name.is_char_boundary(at);
    let least = name.bytes().enumerate().find(before_slash).map_or(name.len(), |(at, _)| at);
    name[..least].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(keys: &[&str]) -> Result<Vec<Vec<String>>, OutOfOrder> {
        let mut order = Order::default();
        let mut pages = Vec::new();
        let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        for key in keys {
            let what = if key.ends_with('/') { What::Folder } else { What::File(1) };
            order.take(Entry { name: key.trim_end_matches('/').into(), what })?;
            pages.push(names(order.settled()));
        }
        pages.push(names(order.rest()));
        Ok(pages)
    }

    #[test]
    fn a_folder_comes_before_what_its_slash_sorts_it_behind() {
        let pages = listed(&["A", "_", "a-b", "a.b", "a/", "ab/", "b"]).unwrap();
        assert_eq!(pages.concat(), ["A", "_", "a", "a-b", "a.b", "ab", "b"]);
        let pages = listed(&["x-y-1", "x-y/", "x/"]).unwrap();
        assert_eq!(pages.concat(), ["x", "x-y", "x-y-1"]);
        let pages = listed(&["a", "a/"]).unwrap();
        assert_eq!(pages.concat(), ["a"]);
    }

    #[test]
    fn segments_are_held_back_no_longer_than_until_the_next() {
        let pages = listed(&["00000000000000000000.wal", "00000000000000000512.wal", "epoch/"]).unwrap();
        assert_eq!(pages[1], ["00000000000000000000.wal"]);
        assert_eq!(pages[2], ["00000000000000000512.wal"]);
    }

    #[test]
    fn a_key_out_of_order_is_noticed() {
        assert!(listed(&["b", "a"]).is_err());
        assert!(listed(&["a/", "a-b"]).is_err());
        assert!(listed(&["a", "a"]).is_ok(), "a page may begin with what the one before ended with");
    }
}
