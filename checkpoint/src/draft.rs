//! A checkpoint that is being written.

use std::collections::{BTreeMap, HashSet};
use std::io;

use bytes::Bytes;
use headwater_wal::format::codec;
use headwater_wal::format::frame::Codec;
use headwater_wal::{Compression, Error, Kind, Position, Result};

use crate::checkpoint::{Id, Lies, Part, Section};
use crate::format::name::Origin;
use crate::format::{self, INSIDE_BYTES_MAX, PART_HEADER_BYTES, PartHeader, TEXT_BYTES_MAX};
use crate::upload::{self, Job, Put, Uploads};
use crate::writer::Writer;

/// Sections shorter than this are stored as they are.
const COMPRESS_FROM: usize = 4096;

/// A checkpoint on its way. Sections are added one after the other, and [`publish`](Draft::publish) makes it one; dropped
/// before, it was never there.
#[derive(Debug)]
pub struct Draft<'a> {
    pub(crate) writer: &'a mut Writer,
    pub(crate) id: Id,
    pub(crate) sections: Vec<Section>,
    pub(crate) inside: Vec<Bytes>,
    inside_bytes: u32,
    names: HashSet<String>,
    /// What was put, by the ordinals of section and part.
    parts: BTreeMap<(u32, u32), Part>,
    uploads: Option<Uploads>,
    keeps_by_name: bool,
    failed: Option<Error>,
}

/// A section that is being written: hand it its bytes as to a file, then [`finish`](SectionWriter::finish) it.
#[derive(Debug)]
pub struct SectionWriter<'d, 'a> {
    draft: &'d mut Draft<'a>,
    name: String,
    revision: Option<u64>,
    ordinal: u32,
    /// Room for a part's header, and what was written since the last part.
    buffer: Vec<u8>,
    parts: u32,
    bytes: u64,
    finished: bool,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(writer: &'a mut Writer, id: Id) -> Self {
        Draft {
            writer,
            id,
            sections: Vec::new(),
            inside: Vec::new(),
            inside_bytes: 0,
            names: HashSet::new(),
            parts: BTreeMap::new(),
            uploads: None,
            keeps_by_name: true,
            failed: None,
        }
    }

    /// Refuses to share by name, since whoever wrote the code for this draft cannot know what it follows.
    pub(crate) fn without_keeping_by_name(mut self) -> Self {
        self.keeps_by_name = false;
        self
    }

    /// Which checkpoint this will be.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The checkpoint that this one follows, and with which it can share sections; `None` if it shares with none.
    pub fn follows(&self) -> Option<Id> {
        self.writer.shares_with().map(|base| base.id())
    }

    /// Writes a whole section.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write_as(name, None, bytes)
    }

    /// Begins a section. It may be of any length; no more than a few parts of it are in memory.
    ///
    /// `Invalid`: the checkpoint has a section of that name already, or the name is longer than 255 bytes.
    pub fn section<'d>(&'d mut self, name: &str) -> Result<SectionWriter<'d, 'a>> {
        self.begin(name, None)
    }

    /// Takes a section over, unchanged, from the checkpoint that this one follows: nothing is read, and nothing written.
    ///
    /// `NotThere`: that one has no section of that name, or there is none to share with, as after a damaged checkpoint
    /// was passed over: then write it.
    pub fn keep(&mut self, name: &str) -> Result<()> {
        if !self.keeps_by_name {
            let message = format!(
                "which checkpoint is followed is not known in the background; keep sections by revision: section={name:?}"
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        match self.take_over(name, None)? {
            true => Ok(()),
            false => {
                let message = match self.follows() {
                    Some(id) => format!(
                        "the checkpoint before has no such section to keep: section={name:?} checkpoint={id}"
                    ),
                    None => {
                        format!("there is no checkpoint to keep a section of; write it: section={name:?}")
                    }
                };
                Err(Error::new(Kind::NotThere, message))
            }
        }
    }

    /// Takes the section over if the checkpoint before has it in this very revision, and else has it written by `write`.
    ///
    /// A revision is a number of the application's own that says which state of the section it is. Two states of one
    /// section never have the same, restarts included: go on from [`Section::revision`] of what was restored.
    pub fn keep_or_write(
        &mut self,
        name: &str,
        revision: u64,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<()> {
        match self.take_over(name, Some(revision)) {
            Ok(true) => return Ok(()),
            // What is in the head before has rotted since: then it is written anew.
            Err(error) if error.kind() != Kind::Damaged || self.failed.is_some() => return Err(error),
            Ok(false) | Err(_) => {}
        }
        let mut section = self.begin(name, Some(revision))?;
        match write(&mut section) {
            Ok(()) => section.finish(),
            Err(error) => {
                let known = section.draft.failed.clone();
                Err(known.unwrap_or_else(|| {
                    let message = format!("the section could not be written by its writer: section={name:?}");
                    Error::new(Kind::Invalid, message).because(error)
                }))
            }
        }
    }

    /// Makes it a checkpoint: on return it is durable, and the newest. Then sweeps what is kept no longer; what could not
    /// be swept is tried again the next time ([`Writer::unswept`]).
    ///
    /// `positions`: of each log that has to be replayed after restoring this, from where. Its sections hold exactly the
    /// effects of what lies below.
    ///
    /// `Fenced`: a newer writer has begun, so this one is of no use, and the writer is done for. `Unknown`: it may be
    /// there, or may yet come; go on with the next draft, which follows the last one that is known. Any other kind: it is
    /// not there.
    pub fn publish(self, positions: &[(&str, Position)]) -> Result<Id> {
        let (id, writer) = self.publish_only(positions)?;
        writer.sweep_or_note();
        Ok(id)
    }

    pub(crate) fn publish_only(mut self, positions: &[(&str, Position)]) -> Result<(Id, &'a mut Writer)> {
        let puts = self.uploads.take().map(Uploads::end).unwrap_or_default();
        self.take_in(puts);
        if let Some(error) = self.failed {
            return Err(error);
        }
        let id = self.id;
        for ((section, _), part) in std::mem::take(&mut self.parts) {
            match &mut self.sections[section as usize].lies {
                Lies::InParts { parts, .. } => parts.push(part),
                Lies::Inside { .. } => unreachable!("a section that has parts"),
            }
        }
        let sections = std::mem::take(&mut self.sections);
        for section in &sections {
            let in_parts =
                section.in_parts().map(|(_, parts)| parts.iter().map(|part| u64::from(part.bytes)).sum());
            assert!(in_parts.is_none_or(|sum: u64| sum == section.bytes), "a section has all its parts");
        }
        self.writer.publish(id, positions, sections, &self.inside)?;
        Ok((id, self.writer))
    }

    fn write_as(&mut self, name: &str, revision: Option<u64>, bytes: &[u8]) -> Result<()> {
        let mut section = self.begin(name, revision)?;
        section.take(bytes)?;
        section.finish()
    }

    fn begin<'d>(&'d mut self, name: &str, revision: Option<u64>) -> Result<SectionWriter<'d, 'a>> {
        self.name(name)?;
        let ordinal = self.sections.len() as u32;
        let buffer = upload::empty_buffer(0);
        let name = name.to_owned();
        Ok(SectionWriter {
            draft: self,
            name,
            revision,
            ordinal,
            buffer,
            parts: 0,
            bytes: 0,
            finished: false,
        })
    }

    fn name(&mut self, name: &str) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if name.len() > TEXT_BYTES_MAX {
            let message = format!("a section's name is too long: bytes={} most={TEXT_BYTES_MAX}", name.len());
            return Err(Error::new(Kind::Invalid, message));
        }
        if !self.names.insert(name.to_owned()) {
            let message = format!("the checkpoint has this section already: section={name:?}");
            return Err(Error::new(Kind::Invalid, message));
        }
        Ok(())
    }

    /// Whether the section could be taken over from the checkpoint before.
    fn take_over(&mut self, name: &str, revision: Option<u64>) -> Result<bool> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let found = self.writer.shares_with().and_then(|base| base.section(name));
        let Some(section) = found.filter(|section| revision.is_none() || section.revision == revision) else {
            return Ok(false);
        };
        let section = section.clone();
        if let Lies::Inside { stored, .. } = section.lies {
            let bytes = self.writer.inside_of_base(name)?;
            if self.inside_bytes + stored > INSIDE_BYTES_MAX {
                // The head before had room for it, this one has not.
                let raw =
                    format::inside(self.writer.follows().expect("it was found there"), &section, bytes)?;
                self.write_as(name, section.revision, &raw)?;
                return Ok(true);
            }
            self.name(name)?;
            self.inside_bytes += stored;
            self.inside.push(bytes);
        } else {
            self.name(name)?;
        }
        self.sections.push(section);
        Ok(true)
    }

    fn hand_over(&mut self, job: Job) -> Result<()> {
        let options = &self.writer.options;
        if options.uploads == 0 {
            let put = self.writer.way.put(job);
            self.take_in([put]);
        } else {
            if self.uploads.is_none() {
                match Uploads::start(self.writer.way.clone(), options.uploads) {
                    Ok(uploads) => self.uploads = Some(uploads),
                    // The part is lost, and with it the draft, whatever its writer makes of the error.
                    Err(error) => self.failed = Some(error),
                }
            }
            let Some(uploads) = &self.uploads else { return self.failed.clone().map_or(Ok(()), Err) };
            uploads.hand_over(job);
            let done: Vec<Put> = uploads.done().collect();
            self.take_in(done);
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn take_in(&mut self, puts: impl IntoIterator<Item = Put>) {
        for Put { header, outcome } in puts {
            match outcome {
                Ok(part) => _ = self.parts.insert((header.of.section, header.ordinal), part),
                Err(error) => _ = self.failed.get_or_insert(self.writer.note(error)),
            }
        }
    }
}

impl SectionWriter<'_, '_> {
    /// What has failed in the draft, if something has.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.draft.failed.clone()
    }

    /// Ends the section.
    pub fn finish(mut self) -> Result<()> {
        self.finished = true;
        let draft = &mut *self.draft;
        if let Some(error) = &draft.failed {
            return Err(error.clone());
        }
        let raw = &self.buffer[PART_HEADER_BYTES..];
        let fits = raw.len() as u64 + u64::from(draft.inside_bytes) <= u64::from(INSIDE_BYTES_MAX);
        let small = raw.len() <= draft.writer.options.inside_bytes_max as usize;
        let lies = if self.parts == 0 && (raw.is_empty() || small && fits) {
            let check = crc32c::crc32c(raw);
            let smaller = match draft.writer.options.compression {
                Compression::Zstd(level) if raw.len() >= COMPRESS_FROM => codec::compress(raw, level),
                _ => None,
            };
            let (codec, bytes) = match smaller {
                Some(smaller) => (Codec::Zstd, smaller),
                None => (Codec::Raw, Bytes::copy_from_slice(raw)),
            };
            let (stored, stored_check) = (bytes.len() as u32, crc32c::crc32c(&bytes));
            draft.inside_bytes += stored;
            draft.inside.push(bytes);
            Lies::Inside { codec, stored, stored_check, check }
        } else {
            if !raw.is_empty() {
                self.cut()?;
            }
            // What each part came to is filled in once all are put.
            Lies::InParts { of: self.origin(), parts: Vec::new() }
        };
        let (name, revision, bytes) = (std::mem::take(&mut self.name), self.revision, self.bytes);
        self.draft.sections.push(Section { name, revision, bytes, lies });
        Ok(())
    }

    /// Takes bytes of the section.
    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        let part_bytes = self.draft.writer.options.part_bytes as usize;
        while !bytes.is_empty() {
            let filled = self.buffer.len() - PART_HEADER_BYTES;
            if filled == part_bytes {
                self.cut()?;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(part_bytes - filled));
            if filled + now.len() > self.draft.writer.options.inside_bytes_max as usize {
                self.buffer.reserve_exact(part_bytes - filled);
            }
            self.buffer.extend_from_slice(now);
            self.bytes += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Sends off what was written since the last part.
    fn cut(&mut self) -> Result<()> {
        let header =
            PartHeader { identity: self.draft.writer.owner.identity, of: self.origin(), ordinal: self.parts };
        // Until a head names it, it is litter, whatever comes of this draft.
        self.draft.writer.litter.insert(header.of, header.ordinal + 1);
        let buffer = std::mem::replace(&mut self.buffer, upload::empty_buffer(0));
        self.parts += 1;
        self.draft.hand_over(Job { header, buffer })
    }

    fn origin(&self) -> Origin {
        Origin { id: self.draft.id, section: self.ordinal }
    }
}

impl io::Write for SectionWriter<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SectionWriter<'_, '_> {
    /// A section that was begun and not ended is not a whole one, so neither is the checkpoint.
    fn drop(&mut self) {
        if !self.finished {
            let message = format!("a section was begun and not finished: section={:?}", self.name);
            self.draft.failed.get_or_insert(Error::new(Kind::Invalid, message));
        }
    }
}
