//! The folders of a device: the names as everybody sees them, and as the disk has them.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::cut::Fate;
use crate::store::{Entry, Name, What};

/// Which name stands for which file.
///
/// Every change is in force at once and durable later: when its folder is synced, or by chance when the power goes.
/// Changes are then kept or lost one by one; a file system with a journal keeps a prefix of them, which is one of
/// those outcomes. A rename is one change. A folder is there as long as a name lies beneath it.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seen: Table,
    disk: Table,
    changes: Vec<Change>,
}

/// Names with `/` written as a zero byte: a folder then sorts with its own name, before those that only begin so.
type Table = BTreeMap<String, usize>;

#[derive(Clone, Debug)]
struct Change {
    gone: Option<String>,
    come: Option<(String, usize)>,
    number: u64,
}

fn key(name: &str) -> String {
    name.replace('/', "\0")
}

fn folder(key: &str) -> &str {
    key.rfind('\0').map_or("", |at| &key[..at])
}

/// The folder that a name lies in.
pub(super) fn folder_of(name: &str) -> &str {
    name.rfind('/').map_or("", |at| &name[..at])
}

impl Names {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.seen.get(&key(name)).copied()
    }

    pub(super) fn is_folder(&self, name: &str) -> bool {
        let within = format!("{}\0", key(name));
        name.is_empty()
            || self.seen.range(within.clone()..).next().is_some_and(|(key, _)| key.starts_with(&within))
    }

    /// Whether a file stands where a folder would have to be.
    pub(super) fn blocked(&self, name: &str) -> bool {
        name.match_indices('/').any(|(at, _)| self.find(&name[..at]).is_some())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (String, usize)> {
        self.seen.iter().map(|(key, file)| (key.replace('\0', "/"), *file))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = usize> {
        self.seen.values().copied()
    }

    pub(super) fn link(&mut self, name: &str, file: usize, number: u64) {
        self.change(Change { gone: None, come: Some((key(name), file)), number });
    }

    pub(super) fn unlink(&mut self, name: &str, number: u64) {
        self.change(Change { gone: Some(key(name)), come: None, number });
    }

    pub(super) fn rename(&mut self, name: &str, to: &str, number: u64) {
        if let Some(file) = self.find(name) {
            self.change(Change { gone: Some(key(name)), come: Some((key(to), file)), number });
        }
    }

    /// Changes a name for good, at once.
    pub(super) fn settle(&mut self, name: &str, file: Option<usize>) {
        let key = key(name);
        for table in [&mut self.seen, &mut self.disk] {
            match file {
                Some(file) => table.insert(key.clone(), file),
                None => table.remove(&key),
            };
        }
        self.changes.retain(|change| {
            let (gone, come) = (change.gone.as_ref(), change.come.as_ref().map(|(key, _)| key));
            gone != Some(&key) && come != Some(&key)
        });
    }

    /// Makes the changes in these folders durable.
    pub(super) fn sync(&mut self, folders: &[&str]) {
        let folders: Vec<_> = folders.iter().map(|folder| key(folder)).collect();
        let disk = &mut self.disk;
        self.changes.retain(|change| {
            let keys = change.gone.iter().chain(change.come.iter().map(|(key, _)| key));
            let synced = keys.into_iter().any(|key| folders.iter().any(|synced| synced == folder(key)));
            if synced {
                change.apply(disk);
            }
            !synced
        });
    }

    pub(super) fn sync_all(&mut self) {
        for change in self.changes.drain(..) {
            change.apply(&mut self.disk);
        }
    }

    /// The least number of an unsynced change.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.changes.first().map(|change| change.number)
    }

    /// The power goes. Answers how many names were lost and how many removals were undone.
    pub(super) fn power_cut(&mut self, fate: &mut Fate) -> (u64, u64) {
        let (mut lost, mut undone) = (0, 0);
        for change in self.changes.drain(..) {
            if fate.keeps(change.number) {
                change.apply(&mut self.disk);
            } else {
                lost += u64::from(change.come.is_some());
                undone += u64::from(change.gone.is_some());
            }
        }
        self.seen.clone_from(&self.disk);
        (lost, undone)
    }

    /// Whether any name, durable or not, may still lead to this file.
    pub(super) fn reach(&self, file: usize) -> bool {
        let mut come = self.changes.iter().filter_map(|change| change.come.as_ref());
        let mut named = self.seen.values().chain(self.disk.values());
        named.any(|other| *other == file) || come.any(|(_, other)| *other == file)
    }

    /// Where the next page begins behind a thing in a folder: behind everything in it, before every longer name.
    pub(super) fn behind(folder: &str, name: &str) -> String {
        let within = if folder.is_empty() { String::new() } else { format!("{}\0", key(folder)) };
        format!("{within}{name}\u{1}")
    }

    /// The next `count` things that lie directly in a folder, in the order of names; `from` is where the last page
    /// ended. `len` answers for files. Objects may lie beside and beneath one name; the object then comes first.
    pub(super) fn page(
        &self,
        folder: &str,
        from: &mut Option<String>,
        count: usize,
        len: impl Fn(usize) -> u64,
    ) -> Vec<Entry> {
        let within = if folder.is_empty() { String::new() } else { format!("{}\0", key(folder)) };
        let mut page = Vec::new();
        while page.len() < count {
            let behind = from.as_ref().unwrap_or(&within);
            let bounds = (Bound::Excluded(behind.as_str()), Bound::Unbounded);
            let Some((key, file)) = self.seen.range::<str, _>(bounds).next() else { break };
            let Some(rest) = key.strip_prefix(&within) else { break };
            let name = rest.split('\0').next().unwrap_or(rest).to_owned();
            let is_file = rest.len() == name.len();
            // Behind everything in the folder, before every longer name.
            let end = if is_file { key.clone() } else { format!("{within}{name}\u{1}") };
            let what = match Name::new(name.as_str()) {
                Err(_) => What::Other("a name that the engine does not give"),
                Ok(_) if is_file => What::File(len(*file)),
                Ok(_) => What::Folder,
            };
            page.push(Entry { name, what });
            *from = Some(end);
        }
        page
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }
}

impl Change {
    fn apply(&self, table: &mut Table) {
        if let Some(gone) = &self.gone {
            table.remove(gone);
        }
        if let Some((come, file)) = &self.come {
            table.insert(come.clone(), *file);
        }
    }
}
