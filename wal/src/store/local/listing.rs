//! A folder's names, in order, in a fixed amount of memory.
//!
//! A directory gives its names in no order, so each pass over it keeps the least ones that are still to come, as many
//! as a run holds. Nearly every folder takes one pass.

use std::collections::BinaryHeap;
use std::ffi::{CStr, CString};
use std::vec;

use rustix::io::Errno;

use super::dir::Dir;
use super::{LOCK, NEW, RESERVE};
use crate::store::{Entry, Name, What};

const RUN_NAMES: usize = 65_536;
const PAGE_ENTRIES: usize = 256;

/// The pages of a folder's listing. Ends at the first error.
#[derive(Debug)]
pub(super) struct Listing {
    dir: Dir,
    folder: Name,
    run_names: usize,
    run: vec::IntoIter<CString>,
    /// Up to where the runs so far have come; `None` once there is no more.
    after: Option<CString>,
}

impl Listing {
    pub(super) fn new(dir: Dir, folder: Name) -> Listing {
        let run = Vec::new().into_iter();
        Listing { dir, folder, run_names: RUN_NAMES, run, after: Some(CString::default()) }
    }

    /// One pass: the least names behind `after`.
    fn fetch(&mut self, after: &CStr) -> Result<(), Errno> {
        let mut least = BinaryHeap::new();
        let mut more = false;
        self.dir.each_name(|name, _| {
            if name <= after || is_own(name) {
                return Ok(());
            }
            if least.len() == self.run_names {
                more = true;
                // The greatest of the least has to go, if it is not this one.
                match least.peek_mut() {
                    Some(mut greatest) if name < CString::as_c_str(&greatest) => *greatest = name.to_owned(),
                    _ => {}
                }
            } else {
                least.push(name.to_owned());
            }
            Ok(())
        })?;
        let mut names = least.into_sorted_vec();
        // A file system may show a name twice when the directory changes under the pass.
        names.dedup();
        self.after = if more { names.last().cloned() } else { None };
        self.run = names.into_iter();
        Ok(())
    }

    /// What stands under a name; nothing if that has gone since.
    fn entry(&self, name: &CStr) -> Result<Option<Entry>, Errno> {
        let good = name.to_str().is_ok_and(|part| self.folder.join(part).is_ok());
        let what = match self.dir.what(name) {
            Ok(What::File(_) | What::Folder) if !good => What::Other("a name that no store makes"),
            Ok(what) => what,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Entry { name: name.to_string_lossy().into_owned(), what }))
    }

    fn page(&mut self) -> Result<Vec<Entry>, Errno> {
        let mut page = Vec::new();
        loop {
            while let Some(name) = self.run.next() {
                page.extend(self.entry(&name)?);
                if page.len() == PAGE_ENTRIES {
                    return Ok(page);
                }
            }
            match self.after.take() {
                Some(after) => self.fetch(&after)?,
                None => return Ok(page),
            }
        }
    }
}

impl Iterator for Listing {
    type Item = Result<Vec<Entry>, Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.page() {
            Ok(page) if page.is_empty() => None,
            Ok(page) => Some(Ok(page)),
            Err(error) => {
                self.run = Vec::new().into_iter();
                self.after = None;
                Some(Err(error))
            }
        }
    }
}

/// Whether a name is of this module's own making.
pub(super) fn is_own(name: &CStr) -> bool {
    let name = name.to_bytes();
    name == LOCK.as_bytes() || name == RESERVE.as_bytes() || is_new(name)
}

/// Whether a name is that of a file that had none of the store's yet.
pub(super) fn is_new(name: &[u8]) -> bool {
    name.starts_with(NEW.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_larger_than_a_run_is_listed_in_order_and_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = (0..1000).map(|at| format!("{at:04}")).collect();
        for name in names.iter().rev() {
            std::fs::write(folder.path().join(name), "x").expect("a file");
        }
        for run_names in [1, 7, 999, 1000, 1001] {
            let dir = Dir::open(folder.path()).expect("a directory");
            let listing = Listing { run_names, ..Listing::new(dir, Name::ROOT) };
            let pages: Vec<Vec<Entry>> = listing.map(|page| page.expect("a page")).collect();
            assert!(pages.iter().all(|page| page.len() <= PAGE_ENTRIES), "a page is bounded");
            let found: Vec<String> = pages.into_iter().flatten().map(|entry| entry.name).collect();
            assert_eq!(found, names, "in runs of {run_names}");
        }
    }
}
