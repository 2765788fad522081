//! The one who writes checkpoints: claims its epoch, publishes, and stops once it has been replaced.
//!
//! # Why a replaced writer does no harm
//!
//! Z is replaced by N, and may sleep or lag for any time. N claims its epoch before it lists the heads to find the one
//! that it will follow; Z puts a head before it lists the claims. So either Z sees the claim, stops, and reports no
//! success; or N sees Z's head. So:
//!
//! - the newest head that Z was told of, or a later one of Z's that nobody was told of, is what N follows;
//! - Z sweeps only after such a success, and never what that newest head names; so what N shares with it stays, also if
//!   Z's sweep was paused for hours in the middle. After a fall-back to an older head N shares nothing, for that one may
//!   be what Z is sweeping;
//! - every head names the heads that are kept with it. One that is older and not among them is dead, also if it appears
//!   later: a head that Z puts late, or one that a power cut brought back. So no late head is ever kept without its parts.
//!
//! Where there is a lock, on local disk, Z has ended before N begins.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::store::{Own, locking};
use headwater_wal::{Clock, Error, Kind, Log, Position, Result, SystemClock};

use crate::checkpoint::{Checkpoint, Id, Lies, Section};
use crate::checkpoints::{Checkpoints, Folder, Latest};
use crate::draft::Draft;
use crate::format::name::{self, Origin};
use crate::format::{self, Claim, TEXT_BYTES_MAX};
use crate::held::Held;
use crate::options::Options;
use crate::sections::Sections;
use crate::upload::{self, Rate, Way};

/// Whose checkpoints these are, and which writer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The short identity of the journal.
    pub identity: u64,
    /// The epoch of the journal's writer: of two writers the one of the newer epoch replaces the other.
    pub epoch: u64,
}

impl Owner {
    /// The writer of this started log.
    pub fn of(log: &Log) -> Owner {
        Owner { identity: log.identity(), epoch: log.epoch() }
    }

    /// A writer that has no log: it begins an epoch above all that there are. Where two do that at once, one of them is
    /// `Fenced` when it starts, and can try again.
    pub fn alone(checkpoints: &Checkpoints) -> Result<Owner> {
        let folder = checkpoints.folder()?;
        let known = checkpoints.latest(&Held::nothing())?.checkpoint.map(|newest| newest.identity);
        let [a, b, c, d, e, f, g, h, ..] = SystemClock::default().random();
        let identity = known.unwrap_or_else(|| u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        Ok(Owner { identity, epoch: folder.newest_epoch().map_or(Ok(1), above)? })
    }
}

/// The writer of an epoch's checkpoints.
#[derive(Debug)]
pub struct Writer {
    checkpoints: Checkpoints,
    pub(crate) owner: Owner,
    pub(crate) options: Options,
    clock: Arc<dyn Clock>,
    pub(crate) way: Arc<Way>,
    _own: Option<Box<dyn Own>>,
    /// The number of the next draft: no two drafts have one, so no name is ever used for other bytes.
    next: u64,
    /// What the next draft follows.
    base: Option<Checkpoint>,
    /// The sections inside it, as far as they are at hand.
    base_inside: BTreeMap<String, Bytes>,
    /// Whether the next draft may share with what it follows.
    shares: bool,
    /// The heads that are kept, newest first, and what they name, as far as that is known.
    pub(crate) links: VecDeque<Link>,
    pub(crate) litter: BTreeMap<Origin, u32>,
    /// The last checkpoint of this writer's own.
    pub(crate) published: Option<Id>,
    /// Whether what earlier epochs have left was looked for.
    pub(crate) swept_all: bool,
    pub(crate) unswept: Option<Error>,
    replaced: Option<Error>,
}

/// A head that is kept.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: Id,
    pub(crate) origins: Option<Vec<(Origin, u32)>>,
}

impl Writer {
    /// Begins the owner's epoch: claims it, and looks for the newest checkpoint of use, which is the one to restore from
    /// and the one that the first draft follows. If its bytes turn out to be damaged, [`fall_back`](Writer::fall_back).
    ///
    /// `Fenced`: a newer epoch has begun, or somebody else has begun this one. `Locked`: somebody writes here and is
    /// alive. `Unknown`: whether the epoch is claimed is not known; the journal has to be started again. Otherwise as
    /// [`Checkpoints::latest`].
    pub fn start(
        checkpoints: Checkpoints,
        owner: Owner,
        options: Options,
        held: &Held,
    ) -> Result<(Writer, Latest)> {
        Writer::start_with(checkpoints, owner, options, held, Arc::new(SystemClock::default()))
    }

    /// The same with a clock of the caller's, which gives the times that people see, and paces what is bounded by a rate.
    pub fn start_with(
        checkpoints: Checkpoints,
        owner: Owner,
        options: Options,
        held: &Held,
        clock: Arc<dyn Clock>,
    ) -> Result<(Writer, Latest)> {
        options.check()?;
        let own = locking(&*checkpoints.store).map(|media| media.own()).transpose()?;
        newest_is(&checkpoints.folder()?, owner)?;
        let claim = Claim { epoch: owner.epoch, identity: owner.identity, token: clock.random() };
        upload::put_or_find(&*checkpoints.store, &name::claim(owner.epoch), claim.encode())?;
        // Only now: whoever is replaced by the claim either was seen here, or sees it.
        let folder = checkpoints.folder()?;
        newest_is(&folder, owner)?;
        let latest = checkpoints.latest_among(folder.heads.clone(), held)?;
        let way = Way {
            store: checkpoints.store.clone(),
            compression: options.compression,
            rate: options.bytes_per_second.map(|rate| Rate::new(clock.clone(), rate)),
        };
        let own_heads = folder.heads.iter().filter(|id| id.epoch == owner.epoch);
        let mut writer = Writer {
            owner,
            clock,
            way: Arc::new(way),
            _own: own,
            next: own_heads.map(|id| id.number).max().map_or(Ok(0), above)?,
            base: None,
            base_inside: BTreeMap::new(),
            shares: false,
            links: VecDeque::new(),
            litter: BTreeMap::new(),
            published: None,
            swept_all: false,
            unswept: None,
            replaced: None,
            checkpoints,
            options,
        };
        writer.follow(&latest, &folder.heads)?;
        Ok((writer, latest))
    }

    /// Passes over the checkpoint that was to be restored from, since its bytes were found to be bad, and looks for the
    /// next older one of use among those that are kept with it. Errors as of [`Checkpoints::latest`].
    ///
    /// `Invalid`: this writer has published already.
    pub fn fall_back(&mut self, held: &Held) -> Result<Latest> {
        let base = self.base.as_ref().filter(|_| self.published.is_none()).map(|base| base.id);
        let Some(base) = base else {
            let message =
                "there is nothing to fall back from: no checkpoint was found, or one was published since";
            return Err(Error::new(Kind::Invalid, message));
        };
        let mut heads = self.checkpoints.folder()?.heads;
        // The others are dead: their parts may be gone, or go yet, by a sweep that a replaced writer was paused in.
        heads.retain(|id| *id < base && self.links.iter().any(|link| link.id == *id));
        let latest = self.checkpoints.latest_among(heads.clone(), held)?;
        self.follow(&latest, &heads)?;
        self.shares = false;
        Ok(latest)
    }

    /// Begins a checkpoint.
    pub fn draft(&mut self) -> Result<Draft<'_>> {
        self.still_here()?;
        let id = Id { epoch: self.owner.epoch, number: self.next };
        self.next = above(self.next)?;
        Ok(Draft::new(self, id))
    }

    /// Looks at the checkpoints that this one writes.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// What the next draft follows: the last checkpoint that was published, or the one to restore from.
    pub fn follows(&self) -> Option<&Checkpoint> {
        self.base.as_ref()
    }

    /// How many are kept from the next one on, that one among them; from 2 to 1000. What is older is swept once it is
    /// published.
    pub fn keep_last(&mut self, count: usize) -> Result<()> {
        let options = self.options.clone().keep_last(count);
        options.check()?;
        self.options = options;
        Ok(())
    }

    /// What the sections of the next checkpoint are: said by an application that changes them while it runs.
    pub fn set_content(&mut self, content: crate::checkpoint::Content) -> Result<()> {
        let options = self.options.clone().content(content);
        options.check()?;
        self.options = options;
        Ok(())
    }

    /// The checkpoints that are kept now, newest first: what they need must stay.
    pub fn kept(&self) -> impl Iterator<Item = Id> {
        self.links.iter().map(|link| link.id)
    }

    /// What the next draft may share sections with.
    pub(crate) fn shares_with(&self) -> Option<&Checkpoint> {
        self.base.as_ref().filter(|_| self.shares)
    }

    /// The stored bytes of a section that lies inside the checkpoint that is followed; they verify.
    pub(crate) fn inside_of_base(&mut self, name: &str) -> Result<Bytes> {
        if let Some(bytes) = self.base_inside.get(name) {
            return Ok(bytes.clone());
        }
        let base = self.base.as_ref().expect("a section of it was found");
        let stored = match self.checkpoints.inside_stored(base, name) {
            // An heir has pruned it: that is what the caller has to hear.
            Err(gone) if gone.kind() == Kind::Retired => {
                let folder = self.checkpoints.folder()?;
                self.newest_is_ours(&folder)?;
                return Err(gone);
            }
            stored => stored?,
        };
        format::inside(base, base.section(name).expect("it was found"), stored.clone())?;
        self.base_inside.insert(name.to_owned(), stored.clone());
        Ok(stored)
    }

    /// Puts the head, and looks whether anybody has begun a newer epoch.
    pub(crate) fn publish(
        &mut self,
        id: Id,
        positions: &[(&str, Position)],
        sections: Vec<Section>,
        inside: &[Bytes],
    ) -> Result<()> {
        self.still_here()?;
        let keep = self.options.keep_last - 1;
        let mut checkpoint = Checkpoint {
            id,
            identity: self.owner.identity,
            time: self.clock.wall(),
            content: self.options.content.clone(),
            positions: checked(positions)?,
            chain: self.kept().take(keep).collect(),
            sections: Sections::new(sections).expect("a draft has each name once"),
            head_bytes: 0,
        };
        let bytes = format::encode(&checkpoint, inside)?;
        checkpoint.head_bytes = bytes.len() as u64;
        upload::put_or_find(&*self.checkpoints.store, &name::head(id), bytes)
            .map_err(|error| self.note(error))?;
        // Until this answers, nobody may be told, and the next draft does not follow this one.
        let folder = self.checkpoints.folder().map_err(|error| {
            let message =
                format!("the checkpoint was put, and whether its writer was replaced is not known: id={id}");
            Error::new(Kind::Unknown, message).because(error)
        })?;
        newest_is(&folder, self.owner).map_err(|error| self.note(error))?;
        for gone in self.links.drain(keep.min(self.links.len())..) {
            self.litter.extend(gone.origins.into_iter().flatten());
        }
        self.links.push_front(Link { id, origins: Some(checkpoint.origins().collect()) });
        let within = checkpoint.sections.iter().filter(|section| matches!(section.lies, Lies::Inside { .. }));
        let names = within.map(|section| section.name.clone());
        self.base_inside = names.zip(inside.iter().cloned()).collect();
        (self.base, self.shares, self.published) = (Some(checkpoint), true, Some(id));
        Ok(())
    }

    /// Keeps in mind that this writer is replaced, if the error says so.
    pub(crate) fn note(&mut self, error: Error) -> Error {
        if error.kind() == Kind::Fenced {
            self.replaced = Some(error.clone());
        }
        error
    }

    pub(crate) fn newest_is_ours(&mut self, folder: &Folder) -> Result<()> {
        newest_is(folder, self.owner).map_err(|error| self.note(error))
    }

    fn still_here(&self) -> Result<()> {
        self.replaced.clone().map_or(Ok(()), Err)
    }

    fn follow(&mut self, latest: &Latest, listed: &[Id]) -> Result<()> {
        let base = latest.checkpoint.clone();
        if let Some(base) = base.as_ref().filter(|base| base.identity != self.owner.identity) {
            let message = format!(
                "the checkpoints belong to another log; is this the right folder? checkpoint={} its_log={:016x} \
                 this_log={:016x}",
                base.id, base.identity, self.owner.identity
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        let kept = base.iter().flat_map(|base| std::iter::once(base.id).chain(base.chain.iter().copied()));
        self.links = kept.filter(|id| listed.contains(id)).map(|id| Link { id, origins: None }).collect();
        self.shares = latest.passed_over.is_empty();
        (self.base, self.base_inside) = (base, BTreeMap::new());
        Ok(())
    }
}

/// The next number. Names with the greatest one were not put by any writer, who counts from 0.
fn above(number: u64) -> Result<u64> {
    number.checked_add(1).ok_or_else(|| {
        let message = format!(
            "a file's name has the greatest number that there is, so none comes after it; no writer has put it, remove it: \
             number={number}"
        );
        Error::new(Kind::Invalid, message)
    })
}

/// `Fenced` if there is a newer epoch than the owner's.
fn newest_is(folder: &Folder, owner: Owner) -> Result<()> {
    match folder.newest_epoch() {
        Some(newest) if newest > owner.epoch => {
            let message = format!(
                "a newer writer of checkpoints has begun; stop, or start the journal again: epoch={} newest={newest}",
                owner.epoch
            );
            Err(Error::new(Kind::Fenced, message))
        }
        _ => Ok(()),
    }
}

/// The positions in the order of their logs.
fn checked(positions: &[(&str, Position)]) -> Result<Vec<(String, Position)>> {
    let mut sorted: Vec<_> = positions.iter().map(|(log, position)| ((*log).to_owned(), *position)).collect();
    sorted.sort();
    let long = sorted.iter().any(|(log, _)| log.len() > TEXT_BYTES_MAX);
    if long || sorted.len() > u16::MAX.into() || !sorted.is_sorted_by(|(a, _), (b, _)| a < b) {
        let message = "positions name a log twice, or too many logs, or one by a name of more than 255 bytes";
        return Err(Error::new(Kind::Invalid, message));
    }
    Ok(sorted)
}
