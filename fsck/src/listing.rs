//! A log's segments, without reading all of them: names and lengths of all, and of the newest what they say.
//!
//! The names tell where segments begin, and so where those before them end; all else stands in the files. Looking at
//! each of a hundred thousand takes long, and who lists a log wants its end.

use std::ops::Range;

use bytes::Bytes;
use headwater_wal::format::name::{parse_segment, segment};
use headwater_wal::store::{Append, Entry, Name, Pages, Store, Survives, What, leasing};
use headwater_wal::{Damage, Depth, Error, Kind, Position, Result, Survey};

use crate::find;

/// A log of so many segments is read as a whole.
pub const WHOLE_MAX: usize = 1000;

/// Of a longer one so many are read, the newest.
pub const NEWEST: usize = 100;

/// A listing begins again while files come and go under it.
const TRIES: u32 = 20;

/// A log's segments.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Those that were not read, oldest first.
    pub unread: Vec<Unread>,
    /// What the others say. It knows nothing of what lies before them, and calls that missing.
    survey: Survey,
    read_from: Position,
}

/// A file with a segment's name that was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Where it begins, by its name.
    pub base: Position,
    /// Where the next one begins, by that one's name.
    pub next: Position,
    /// Its length.
    pub file_len: u64,
}

impl Listing {
    /// The log, as far as it was read.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// What is damaged among the segments that were read.
    pub fn damages(&self) -> impl Iterator<Item = &Damage> {
        self.survey.damages().iter().filter(|damage| damage.range.start >= self.read_from)
    }

    /// Whether a segment that was not read lies below the beginning, and so is only not removed yet.
    pub fn is_retired(&self, unread: &Unread) -> bool {
        unread.base < self.survey.begins()
    }
}

/// Lists a log on a medium whose files grow. On object stores a look rests on summaries, and [`find`] is as quick.
pub fn list(store: &dyn Store) -> Result<Listing> {
    let mut doubted = None;
    for _ in 0..TRIES {
        match once(store) {
            // Files have gone since they were listed.
            Err(error) if matches!(error.kind(), Kind::NotThere | Kind::Unavailable) && has_files(store)? => {
            }
            Err(error) => return Err(error),
            Ok(listing) => {
                // What is damaged is believed if it is so again, of names that were listed again; under leases also what is
                // torn, for a file that was closed since has another length than was listed.
                let torn = leasing(store).is_some() && listing.survey.torn().is_some();
                let damages = listing.damages().count() + usize::from(torn);
                if damages == 0 || doubted == Some((damages, listing.survey.end())) {
                    return Ok(listing);
                }
                doubted = Some((damages, listing.survey.end()));
            }
        }
    }
    let message =
        format!("files of the log keep going while it is listed; try again place={}", store.place());
    Err(Error::new(Kind::Unavailable, message))
}

fn has_files(store: &dyn Store) -> Result<bool> {
    crate::is_log(store)
}

fn once(store: &dyn Store) -> Result<Listing> {
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for page in store.list(&Name::ROOT)? {
        for entry in page? {
            match (entry.what, parse_segment(&entry.name)) {
                (What::File(file_len), Some(base)) => files.push((base, file_len)),
                _ => others.push(entry),
            }
        }
    }
    let unread = if files.len() > WHOLE_MAX { files.len() - NEWEST } else { 0 };
    let newest = files.split_off(unread);
    let read_from = newest.first().map_or(Position::START, |&(base, _)| base);
    let next = files.iter().skip(1).chain(newest.first()).map(|&(base, _)| base);
    let unread: Vec<Unread> =
        files.iter().zip(next).map(|(&(base, file_len), next)| Unread { base, next, file_len }).collect();
    let from = if unread.is_empty() { Position::START } else { read_from };
    let entries = newest.iter().map(|&(base, len)| Entry { name: segment(base), what: What::File(len) });
    let mut entries: Vec<Entry> = entries.chain(others).collect();
    entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let survey = find(&Newest { store, from, entries }, Position::START, Depth::Quick)?;
    Ok(Listing { unread, survey, read_from: from })
}

/// A log as if it had no segments before a position, and as it was listed.
#[derive(Debug)]
struct Newest<'a> {
    store: &'a dyn Store,
    from: Position,
    entries: Vec<Entry>,
}

impl Store for Newest<'_> {
    fn place(&self) -> String {
        self.store.place()
    }

    fn survives(&self) -> Survives {
        self.store.survives()
    }

    fn put(&self, _: &Name, _: Bytes) -> Result<()> {
        Err(looks_only())
    }

    fn read(&self, name: &Name, range: Range<u64>) -> Result<Bytes> {
        match parse_segment(name.as_str()) {
            Some(base) if base < self.from => Err(Error::new(Kind::NotThere, "it was left out")),
            _ => self.store.read(name, range),
        }
    }

    fn list(&self, folder: &Name) -> Result<Pages<'_>> {
        if *folder == Name::ROOT {
            return Ok(Box::new(std::iter::once(Ok(self.entries.clone()))));
        }
        self.store.list(folder)
    }

    fn remove(&self, _: &Name) -> Result<()> {
        Err(looks_only())
    }

    fn append(&self) -> Option<&dyn Append> {
        self.store.append()
    }
}

fn looks_only() -> Error {
    Error::new(Kind::Invalid, "who only looks changes nothing")
}
