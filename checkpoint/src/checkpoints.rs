//! Looking at checkpoints: which there are, which is of use, and what is in them. Nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::{Name, Store, What};
use headwater_wal::{Error, Kind, Result};

use crate::checkpoint::{Checkpoint, Id, Lies, Part, Section};
use crate::format::name::{self, Origin};
use crate::format::{self, PREAMBLE_BYTES, PartHeader, Preamble};
use crate::held::Held;
use crate::section::{self, SectionReader};

/// So much of a head is read at once; most have no more.
const FIRST_READ_BYTES: u64 = 64 << 10;

/// The checkpoints in a store's root, for looking at: also beside their writer, which does not notice.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub(crate) store: Arc<dyn Store>,
}

/// What was found when the newest checkpoint was looked for.
#[derive(Debug)]
pub struct Latest {
    /// The newest that is of use, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that are not, and why, newest first. They were left alone.
    pub passed_over: Vec<(Id, Error)>,
}

/// What is in the folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// In their order.
    pub(crate) heads: Vec<Id>,
    pub(crate) claims: Vec<u64>,
}

impl Folder {
    pub(crate) fn newest_epoch(&self) -> Option<u64> {
        self.claims.last().copied().max(self.heads.last().map(|id| id.epoch))
    }
}

impl Checkpoints {
    /// The checkpoints in the store's root; there may be none yet.
    pub fn open(store: Arc<dyn Store>) -> Self {
        Checkpoints { store }
    }

    /// Which checkpoints are there, oldest first, good or bad, kept or left over.
    pub fn list(&self) -> Result<Vec<Id>> {
        Ok(self.folder()?.heads)
    }

    /// One checkpoint, as its head states it.
    ///
    /// `NotThere`; `Damaged`; `Unsupported`: written by a newer release.
    pub fn get(&self, id: Id) -> Result<Checkpoint> {
        let name = name::head(id);
        let mut bytes = self.store.read(&name, 0..FIRST_READ_BYTES)?;
        // The table's length is used only once the preamble that states it has verified.
        let preamble = Preamble::decode(id, &bytes)?;
        if bytes.len() as u64 >= FIRST_READ_BYTES && preamble.inside_at() > bytes.len() as u64 {
            bytes = self.store.read(&name, 0..preamble.inside_at())?;
        }
        let table = bytes.get(PREAMBLE_BYTES..preamble.inside_at() as usize).unwrap_or_default();
        let checkpoint = format::decode_table(id, &preamble, table)?;
        // Whether the sections inside are all there, and nothing behind them.
        let len = match bytes.len() as u64 {
            len if len < FIRST_READ_BYTES => len,
            _ => {
                let end = preamble.object_bytes;
                end - 1 + self.store.read(&name, end - 1..end + 1)?.len() as u64
            }
        };
        match len == preamble.object_bytes {
            true => Ok(checkpoint),
            false => {
                let message = "a head that is not as long as it says";
                Err(Error::new(Kind::Damaged, message).at(name.as_str(), len)) // K11
            }
        }
    }

    /// The newest checkpoint that is of use: its head verifies, its parts are there, and the logs still hold what it
    /// needs. Whether the parts' bytes are good shows when they are read; [`latest_below`](Self::latest_below) then
    /// gives the next one.
    ///
    /// `NotThere`, `Damaged`: there is none, although logs hold records that only a checkpoint could tell of; the text
    /// says what was found. `Damaged`: a log has lost what the newest checkpoint knows. `Unsupported`: the newest one
    /// that could be used was written by a newer release; an older one would not do, for what lies between them may be
    /// retired.
    pub fn latest(&self, held: &Held) -> Result<Latest> {
        let mut heads = self.folder()?.heads;
        loop {
            let newest = heads.last().copied();
            let found = self.latest_among(heads, held);
            if found.as_ref().is_ok_and(|latest| latest.passed_over.is_empty()) {
                return found;
            }
            // A writer may have pruned what was listed, but then it has written a newer one before.
            heads = self.folder()?.heads;
            if heads.last().copied() == newest {
                return found;
            }
        }
    }

    /// The same among those older than `below`, which was found to be of no use.
    pub fn latest_below(&self, below: Id, held: &Held) -> Result<Latest> {
        let mut heads = self.folder()?.heads;
        heads.retain(|id| *id < below);
        self.latest_among(heads, held)
    }

    pub(crate) fn latest_among(&self, heads: Vec<Id>, held: &Held) -> Result<Latest> {
        let mut passed_over = Vec::new();
        // Those that the newest head that can be read is kept with. Others are dead: their parts may be gone, or go yet.
        let mut kept: Option<Vec<Id>> = None;
        for id in heads.into_iter().rev() {
            let found = self.get(id).map_err(Pass::from).and_then(|found| {
                match kept.get_or_insert_with(|| [&[id], found.kept()].concat()).contains(&id) {
                    true => self.usable(found, held),
                    false => Err(Pass::Over(dead(id))),
                }
            });
            match found {
                Ok(checkpoint) => return Ok(Latest { checkpoint: Some(checkpoint), passed_over }),
                Err(Pass::Over(error)) => passed_over.push((id, error)),
                Err(Pass::Fail(error)) => return Err(error),
            }
        }
        let Some(held) = held.forbids_none() else { return Ok(Latest { checkpoint: None, passed_over }) };
        let damaged = passed_over.iter().any(|(_, error)| error.kind() == Kind::Damaged);
        let kind = if damaged { Kind::Damaged } else { Kind::NotThere };
        let found: Vec<String> = passed_over.iter().map(|(id, error)| format!("[{id}: {error}]")).collect();
        let message = format!(
            "no checkpoint is of use, and the logs hold records of a life that had some; nothing is begun afresh: found={} \
             {held} {}",
            passed_over.len(),
            found.join(" ")
        );
        Err(Error::new(kind, message.trim_end()))
    }

    /// A section's bytes, read and verified as they are asked for.
    ///
    /// `NotThere`: the checkpoint has no section of that name. `Retired`: the checkpoint was pruned meanwhile; look for
    /// the newest again.
    pub fn read_section(&self, checkpoint: &Checkpoint, name: &str) -> Result<SectionReader> {
        let Some(section) = checkpoint.section(name) else {
            let names: Vec<_> = checkpoint.sections.iter().take(20).map(|section| &section.name).collect();
            let message = format!(
                "the checkpoint has no such section: checkpoint={} section={name:?} has={names:?}",
                checkpoint.id
            );
            return Err(Error::new(Kind::NotThere, message));
        };
        SectionReader::open(self.store.clone(), checkpoint, section)
    }

    /// One part of a section that lies in parts, verified; for checking each by itself.
    ///
    /// `NotThere`: the section has no such part. `Retired`: the object is gone.
    pub fn read_part(&self, checkpoint: &Checkpoint, section: &Section, part: u32) -> Result<Bytes> {
        let stated = section.in_parts().and_then(|(of, parts)| Some((of, parts.get(part as usize)?)));
        let Some((of, stated)) = stated else {
            let message = format!("the section has no such part: section={:?} part={part}", section.name);
            return Err(Error::new(Kind::NotThere, message));
        };
        let header = PartHeader { identity: checkpoint.identity, of, ordinal: part };
        section::read_part(&*self.store, header, stated)
    }

    /// Reads every byte of these checkpoints, what they share once, and says what is wrong with which of them.
    ///
    /// A part that rots spoils every checkpoint that names it, so each of them has the error.
    pub fn verify(&self, ids: &[Id]) -> Result<BTreeMap<Id, Vec<Error>>> {
        let mut found: BTreeMap<Id, Vec<Error>> = BTreeMap::new();
        let mut of_origin: BTreeMap<(Origin, Vec<u32>), Vec<Error>> = BTreeMap::new();
        for id in ids {
            let errors = found.entry(*id).or_default();
            let checkpoint = match self.get(*id) {
                Ok(checkpoint) => checkpoint,
                // One of a newer release keeps nobody from looking at the others.
                Err(error) if is_of_the_thing(&error) || error.kind() == Kind::Unsupported => {
                    errors.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for section in checkpoint.sections.iter() {
                match &section.lies {
                    Lies::Inside { .. } => {
                        errors.extend(thing(section::inside(&*self.store, &checkpoint, section).map(drop))?);
                    }
                    Lies::InParts { of, parts } => {
                        // Two heads that state a part differently cannot both be right.
                        let key = (*of, parts.iter().map(|part| part.check).collect());
                        if !of_origin.contains_key(&key) {
                            let bad = self.verify_parts(checkpoint.identity, *of, parts)?;
                            of_origin.insert(key.clone(), bad);
                        }
                        errors.extend(of_origin[&key].iter().cloned());
                    }
                }
            }
        }
        Ok(found)
    }

    fn verify_parts(&self, identity: u64, of: Origin, parts: &[Part]) -> Result<Vec<Error>> {
        let mut errors = Vec::new();
        for (ordinal, part) in (0..).zip(parts) {
            let header = PartHeader { identity, of, ordinal };
            errors.extend(thing(section::read_part(&*self.store, header, part).map(drop))?);
        }
        Ok(errors)
    }

    /// Whether everything that the checkpoint names is there, by names and lengths.
    fn usable(&self, checkpoint: Checkpoint, held: &Held) -> Result<Checkpoint, Pass> {
        if let Some(error) = held.lacks(&checkpoint).map_err(Pass::Fail)? {
            return Err(Pass::Over(error));
        }
        match self.missing(&checkpoint).map_err(Pass::Fail)? {
            None => Ok(checkpoint),
            Some(name) => {
                let message = format!(
                    "a part of the checkpoint is not there, or not whole: checkpoint={}",
                    checkpoint.id
                );
                Err(Pass::Over(Error::new(Kind::Damaged, message).at(name.as_str(), 0)))
            }
        }
    }

    /// A part that is not there, or not as long as the head says.
    pub(crate) fn missing(&self, checkpoint: &Checkpoint) -> Result<Option<Name>> {
        let mut wanted: BTreeSet<(Origin, u32)> = checkpoint
            .origins()
            .flat_map(|(of, count)| (0..count).map(move |ordinal| (of, ordinal)))
            .collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let stated: BTreeMap<Origin, &[Part]> =
            checkpoint.sections.iter().filter_map(Section::in_parts).collect();
        self.each_part(|of, ordinal, len| {
            let part = stated.get(&of).and_then(|parts| parts.get(ordinal as usize));
            if part.is_some_and(|part| part.object_bytes() == len) {
                wanted.remove(&(of, ordinal));
            }
        })?;
        Ok(wanted.first().map(|(of, ordinal)| name::part(*of, *ordinal)))
    }

    /// Every part in the folder of parts, and its length.
    pub(crate) fn each_part(&self, mut each: impl FnMut(Origin, u32, u64)) -> Result<()> {
        for page in self.store.list(&name::parts())? {
            for entry in page? {
                if let (What::File(len), Some((of, ordinal))) = (entry.what, name::parse_part(&entry.name)) {
                    each(of, ordinal, len);
                }
            }
        }
        Ok(())
    }

    /// The heads and claims there are.
    pub(crate) fn folder(&self) -> Result<Folder> {
        let mut folder = Folder::default();
        for page in self.store.list(&Name::ROOT)? {
            for entry in page?.into_iter().filter(|entry| matches!(entry.what, What::File(_))) {
                folder.heads.extend(name::parse_head(&entry.name));
                folder.claims.extend(name::parse_claim(&entry.name));
            }
        }
        folder.heads.sort_unstable();
        folder.claims.sort_unstable();
        Ok(folder)
    }

    /// The bytes of a section that lies in the head, as stored.
    pub(crate) fn inside_stored(&self, checkpoint: &Checkpoint, name: &str) -> Result<Bytes> {
        let section = checkpoint.section(name).expect("it was found there");
        section::inside_stored(&*self.store, checkpoint, section)
    }
}

/// Why a checkpoint was not taken.
enum Pass {
    /// It is of no use; an older one may be.
    Over(Error),
    /// Nothing can be said.
    Fail(Error),
}

impl From<Error> for Pass {
    /// Absence and damage are told of the thing; everything else of the medium or the release.
    fn from(error: Error) -> Pass {
        if is_of_the_thing(&error) { Pass::Over(error) } else { Pass::Fail(error) }
    }
}

/// Why a head is not taken that a newer one was published without.
fn dead(id: Id) -> Error {
    let message =
        format!("a newer checkpoint was published that is not kept together with it: checkpoint={id}");
    Error::new(Kind::Retired, message).at(name::head(id).as_str(), 0)
}

fn is_of_the_thing(error: &Error) -> bool {
    matches!(error.kind(), Kind::Damaged | Kind::NotThere | Kind::Retired)
}

/// What is wrong with the thing that was read; `Err` where the reading itself failed.
fn thing(outcome: Result<()>) -> Result<Option<Error>> {
    match outcome {
        Ok(()) => Ok(None),
        Err(error) if is_of_the_thing(&error) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}
