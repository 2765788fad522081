//! Puts what a store lists, in the order of its keys, into the order of names.
//!
//! The two differ, since a store sorts a folder by its name and the slash that follows: `a-b` and `a.b` come before
//! `a/1`, and the folder `a` comes before both. So what is listed is held back while a folder that belongs before it may
//! still come: for `00000000000000000007.wal` that is until the next key.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{Entry, What};

/// More is not held back without asking whether there is what it is held back for.
const HELD_MAX: usize = 4096;

/// What was listed and not yet given out.
#[derive(Debug, Default)]
pub(super) struct Order {
    held: BTreeMap<String, What>,
    /// The last key that came.
    key: String,
    /// The last name that was given out.
    given: Option<String>,
    /// Folders that were asked for apart, so nothing waits for them.
    known: BTreeSet<String>,
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
        // One that was asked for apart has been given out by now.
        if entry.what != What::Folder || !self.known.contains(&entry.name) {
            self.hold(entry);
        }
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
        let least = self.least_to_come().to_owned();
        let later = self.held.split_off(&least);
        let settled = std::mem::replace(&mut self.held, later);
        self.give(settled)
    }

    /// The folder for which more is held back than there should be: names that have all the same beginning and a dash or a
    /// dot behind it. Whoever asks the store for it tells what came of it.
    pub(super) fn waits_for(&self) -> Option<&str> {
        self.folder_to_come().filter(|_| self.held.len() > HELD_MAX)
    }

    /// Whether the folder is there for which much is held back.
    pub(super) fn tell(&mut self, folder: &str, there: bool) {
        if there {
            self.hold(Entry { name: folder.to_owned(), what: What::Folder });
        }
        self.known.insert(folder.to_owned());
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

    /// The least name that may follow the last key: of a folder that sorts behind it for its slash, or the key's own.
    fn least_to_come(&self) -> &str {
        self.folder_to_come().unwrap_or(self.key.trim_end_matches('/'))
    }

    fn folder_to_come(&self) -> Option<&str> {
        let name = self.key.trim_end_matches('/');
        let ends = name.bytes().enumerate().filter(|&(at, byte)| at > 0 && byte < b'/');
        let mut folders = ends.filter_map(|(at, _)| name.get(..at));
        folders.find(|folder| !self.known.contains(*folder))
    }

    fn give(&mut self, entries: BTreeMap<String, What>) -> Vec<Entry> {
        if let Some((last, _)) = entries.last_key_value() {
            self.given = Some(last.clone());
        }
        entries.into_iter().map(|(name, what)| Entry { name, what }).collect()
    }
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
    fn names_with_one_beginning_are_not_held_back_for_ever() {
        for there in [false, true] {
            let mut order = Order::default();
            let mut names: Vec<String> = Vec::new();
            let mut asked = Vec::new();
            for number in 0..3 * HELD_MAX {
                order.take(Entry { name: format!("a-b-{number:08}"), what: What::File(1) }).unwrap();
                while let Some(folder) = order.waits_for().map(str::to_owned) {
                    order.tell(&folder, there);
                    asked.push(folder);
                }
                names.extend(order.settled().into_iter().map(|entry| entry.name));
                assert!(order.held.len() <= HELD_MAX);
            }
            for late in ["a-b", "a"] {
                order.take(Entry { name: late.into(), what: What::Folder }).unwrap();
            }
            names.extend(order.rest().into_iter().map(|entry| entry.name));
            assert_eq!(asked, ["a", "a-b"]);
            assert!(names.is_sorted_by(|left, right| left < right));
            assert_eq!(names.len(), 3 * HELD_MAX + if there { 2 } else { 0 });
        }
    }

    #[test]
    fn a_key_out_of_order_is_noticed() {
        assert!(listed(&["b", "a"]).is_err());
        assert!(listed(&["a/", "a-b"]).is_err());
        assert!(listed(&["a", "a"]).is_ok(), "a page may begin with what the one before ended with");
    }
}
