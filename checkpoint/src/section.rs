//! Reading a section: part by part, each verified before a byte of it is handed out.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::{Buf, Bytes};
use headwater_wal::store::{Fetch, Name, Store};
use headwater_wal::{Error, Kind, Result};

use crate::checkpoint::{Checkpoint, Lies, Part, Section};
use crate::format::name::{self, Origin};
use crate::format::{self, PartHeader};

/// The bytes of a section, in order. At most one part of it is in memory, and those that are [read
/// ahead](SectionReader::read_ahead).
///
/// An error is final: what came before it are the bytes that were written, and no more come.
#[derive(Debug)]
pub struct SectionReader {
    store: Arc<dyn Store>,
    identity: u64,
    section: Section,
    next: u32,
    current: Bytes,
    /// How many parts are read before they are asked for, and those that are, in their order.
    depth: usize,
    ahead: VecDeque<Coming>,
    failed: Option<Error>,
}

/// A part that is read before it is asked for.
#[derive(Debug)]
enum Coming {
    /// The medium begins reads by itself.
    Begun(PartHeader, Part, Fetch),
    /// Elsewhere a thread waits for it.
    Thread(JoinHandle<Result<Bytes>>),
}

impl Coming {
    /// None if no thread can be had.
    fn begin(store: &Arc<dyn Store>, header: PartHeader, part: Part) -> Option<Self> {
        let name = part_name(header.of, header.ordinal);
        if let Some(fetch) = store.fetch(&name, 0..part.object_bytes() + 1) {
            return Some(Coming::Begun(header, part, fetch));
        }
        let store = store.clone();
        let read = move || read_part(&*store, header, &part);
        let thread = std::thread::Builder::new().name("headwater-read-ahead".to_owned()).spawn(read);
        thread.ok().map(Coming::Thread)
    }

    fn wait(self) -> Result<Bytes> {
        match self {
            Coming::Begun(header, part, fetch) => verified(header, &part, fetch.wait()),
            Coming::Thread(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
}

impl SectionReader {
    pub(crate) fn open(store: Arc<dyn Store>, checkpoint: &Checkpoint, section: &Section) -> Result<Self> {
        let current = match &section.lies {
            Lies::Inside { .. } => inside(&*store, checkpoint, section)?,
            Lies::InParts { .. } => Bytes::new(),
        };
        let identity = checkpoint.identity;
        Ok(SectionReader {
            store,
            identity,
            section: section.clone(),
            next: 0,
            current,
            depth: 0,
            ahead: VecDeque::new(),
            failed: None,
        })
    }

    /// Reads so many parts before they are asked for, each in a thread of its own where the store does not begin reads by
    /// itself: they take their room in memory, and a store that takes its time is asked for several at once. Without it
    /// nothing is.
    #[must_use]
    pub fn read_ahead(mut self, parts: usize) -> Self {
        self.depth = parts;
        self
    }

    /// What has failed, if something has: whoever reads it as a stream is told no more than that it failed.
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// The next piece of the section, or `None` at its end.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.current.is_empty() {
            match self.next_part() {
                Ok(Some(bytes)) => self.current = bytes,
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(Some(std::mem::take(&mut self.current)))
    }

    fn next_part(&mut self) -> Result<Option<Bytes>> {
        while self.ahead.len() < self.depth
            && let Some((header, part)) = self.part(self.next)
        {
            // What no thread can be had for is read when it is asked for.
            let Some(coming) = Coming::begin(&self.store, header, part) else { break };
            self.ahead.push_back(coming);
            self.next += 1;
        }
        if let Some(coming) = self.ahead.pop_front() {
            return coming.wait().map(Some);
        }
        let Some((header, part)) = self.part(self.next) else { return Ok(None) };
        self.next += 1;
        read_part(&*self.store, header, &part).map(Some)
    }

    fn part(&self, ordinal: u32) -> Option<(PartHeader, Part)> {
        let (of, parts) = self.section.in_parts()?;
        let header = PartHeader { identity: self.identity, of, ordinal };
        parts.get(ordinal as usize).map(|part| (header, *part))
    }

    /// All that is left of it, if that is no more than so many bytes; `Invalid` if it is more.
    pub fn read_all(mut self, bytes_max: u64) -> Result<Vec<u8>> {
        if self.section.bytes > bytes_max {
            let message = format!(
                "the section is longer than was asked for: section={:?} bytes={} most={bytes_max}",
                self.section.name, self.section.bytes
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        let mut all = Vec::new();
        while let Some(piece) = self.next_piece()? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

impl io::Read for SectionReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty()
            && let Some(piece) = self.next_piece().map_err(io::Error::other)?
        {
            self.current = piece;
        }
        let len = into.len().min(self.current.len());
        self.current.copy_to_slice(&mut into[..len]);
        Ok(len)
    }
}

/// The bytes of a section that lies in its head.
pub(crate) fn inside(store: &dyn Store, checkpoint: &Checkpoint, section: &Section) -> Result<Bytes> {
    format::inside(checkpoint, section, inside_stored(store, checkpoint, section)?)
}

/// The same as they are stored, not verified.
pub(crate) fn inside_stored(store: &dyn Store, checkpoint: &Checkpoint, section: &Section) -> Result<Bytes> {
    let range = checkpoint.sections.inside_at(section, checkpoint.head_bytes);
    store.read(&name::head(checkpoint.id), range).map_err(|error| gone(error, &name::head(checkpoint.id)))
}

/// The bytes of a part that a head states.
pub(crate) fn read_part(store: &dyn Store, header: PartHeader, part: &Part) -> Result<Bytes> {
    let name = part_name(header.of, header.ordinal);
    // One byte more than there should be, to see that nothing follows.
    verified(header, part, store.read(&name, 0..part.object_bytes() + 1))
}

fn verified(header: PartHeader, part: &Part, read: Result<Bytes>) -> Result<Bytes> {
    let whole = read.map_err(|error| gone(error, &part_name(header.of, header.ordinal)))?;
    format::open(header, part, &whole)
}

fn part_name(of: Origin, ordinal: u32) -> Name {
    name::part(of, ordinal)
}

/// That it is not there says something else of a thing that a head states.
fn gone(error: Error, name: &Name) -> Error {
    match error.kind() {
        Kind::NotThere => {
            let message = "an object of the checkpoint is gone: the checkpoint has been pruned meanwhile, or is damaged";
            Error::new(Kind::Retired, message).at(name.as_str(), 0).because(error)
        }
        _ => error,
    }
}
