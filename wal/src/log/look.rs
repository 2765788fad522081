//! Looking at a log: lists names, reads headers and footers and whatever they do not prove, and sorts the names into
//! fates; then walks the chain. Nothing is changed, locked or created. Of a long log on an object store it looks only at
//! what lies behind the newest summary.

mod ends;
mod ground;
mod walk;

pub(crate) use ground::stretch;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::chain::Segment;
use super::source::{File, segment_name};
use super::survey::{Damage, Survey};
use crate::error::{Error, Kind, Result};
use crate::format::footer::Footer;
use crate::format::header::{HEADER_BYTES, Header, HeaderFault};
use crate::format::judge::{self, Candidate, Fate};
use crate::format::name::{self, CLAIMS, QUARANTINE, SUMMARIES, UNFILLED, UNFINISHED};
use crate::format::outline::{Beyond, Outline};
use crate::format::scan::{Fault, WINDOW_BYTES};
use crate::format::summary::Summary;
use crate::format::{Identity, Position};
use crate::store::{Name, Store, What, locking};

/// How many things of a kind a survey names; the rest is only counted.
const NAMED_MAX: usize = 100;

/// How often a look begins again because files went while it looked.
const TRIES: usize = 20;

/// How many retire marks that are not proven are tried.
const MARKS_TRIED_MAX: usize = 64;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Headers and footers, and every byte of what is not proven by them: what opening needs. Behind a summary, if there
    /// is one: what lies before is taken from it.
    Quick,
    /// Every byte; of summaries, whether they say the same.
    Full,
}

/// Looks at a log. `at_least`: a position that the caller knows was acknowledged.
///
/// The survey's chain is whole: where a quick look takes it from summaries, it reads all of them.
pub fn look(store: &dyn Store, at_least: Position, depth: Depth) -> Result<Survey> {
    for _ in 0..TRIES {
        let mut survey = look_near(store, at_least, depth)?;
        match survey.complete(store) {
            Err(gone) if gone.kind() == Kind::NotThere => {}
            other => return other.map(|()| survey),
        }
    }
    Err(restless(store))
}

/// As [`look`], and of a chain that summaries list holds the newest segments only.
///
/// Beside a live writer the look is repeated while files go. Damage is believed only if the end of the log has not moved
/// since the evidence was read. And where nobody can be locked out, the beginning is looked up again after the walk: one
/// from a beginning that has moved on could pass through names that retirement has freed.
pub(crate) fn look_near(store: &dyn Store, at_least: Position, depth: Depth) -> Result<Survey> {
    let mut before: Option<Survey> = None;
    for _ in 0..TRIES {
        let survey = match Looking::somewhere(store, at_least, depth).and_then(Looking::finish) {
            Err(error) if error.kind() == Kind::NotThere => {
                before = None;
                continue;
            }
            other => other?,
        };
        let same_end = before.as_ref().is_some_and(|before| before.end == survey.end);
        if locking(store).is_some() && (same_end || survey.damage_count == 0) {
            return Ok(survey);
        }
        // The earlier one is the answer: of the later one nobody knows yet what moved while it walked.
        match before.filter(|before| before.begins() == survey.begins()) {
            Some(before) if same_end || before.damage_count == 0 => return Ok(before),
            _ => before = Some(survey),
        }
    }
    Err(restless(store))
}

fn restless(store: &dyn Store) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("files of the log keep going while it is looked at; try again place={}", store.place()),
    )
}

/// A file with a segment's name.
struct Found {
    base: Position,
    len: u64,
    header: Result<(Header, u32), HeaderFault>,
    footer: Option<(Position, Footer)>,
    /// It is still being written, under a lease, and reads of it end early.
    open: bool,
}

impl Found {
    fn header(&self) -> Option<&Header> {
        self.header.as_ref().ok().map(|(header, _)| header)
    }
}

/// What is alive from some file on.
#[derive(Clone, Copy, Default)]
struct Rest {
    any: bool,
    beyond: Beyond,
    files_end: Option<Position>,
    bad_header: bool,
    in_flight: u64,
}

struct Looking<'a> {
    store: &'a dyn Store,
    at_least: Position,
    depth: Depth,
    /// What this look rests on: the first file found is the last one that it lists.
    ground: Option<Summary>,
    /// Names from here on are left out.
    to: Option<Position>,
    found: Vec<Found>,
    fates: Vec<Fate>,
    /// Of each file, what is alive from it on; and of what follows the last.
    rests: Vec<Rest>,
    /// The first segment of the epoch that closed the segment at a base, if that did not seal itself.
    closers: BTreeMap<Position, usize>,
    outlines: BTreeMap<Position, Outline>,
    identity: Option<Identity>,
    begins: Position,
    /// Retire marks that are not proven yet, and the segments that hold them.
    marks: Vec<(Position, Position)>,
    acked: Position,
    foreign: Vec<String>,
    foreign_count: u64,
    segments: Vec<Segment>,
    damages: Vec<Damage>,
    damage_count: u64,
    /// What was lost and accepted, by the headers of the chain's epochs.
    lost: Vec<Range<Position>>,
    /// The same, of epochs that lie outside of what is looked at.
    lost_elsewhere: Arc<[Range<Position>]>,
    /// The mark of a repair or a salvage that was cut short.
    unfinished: Option<&'static str>,
}

impl<'a> Looking<'a> {
    /// A look at what lies behind `ground`, or at everything; nothing is read yet.
    fn new(store: &'a dyn Store, at_least: Position, depth: Depth, ground: Option<Summary>) -> Self {
        Looking {
            store,
            at_least,
            depth,
            ground,
            to: None,
            found: Vec::new(),
            fates: Vec::new(),
            rests: Vec::new(),
            closers: BTreeMap::new(),
            outlines: BTreeMap::new(),
            identity: None,
            begins: Position::START,
            marks: Vec::new(),
            acked: Position::START,
            foreign: Vec::new(),
            foreign_count: 0,
            segments: Vec::new(),
            damages: Vec::new(),
            damage_count: 0,
            lost: Vec::new(),
            unfinished: None,
            lost_elsewhere: Arc::default(),
        }
    }

    /// Reads names, headers and footers, and every byte of what they do not prove; sorts the names into fates. None if
    /// the segments do not bear out what it rests on.
    fn read(mut self) -> Result<Option<Self>> {
        let looking = &mut self;
        let files = looking.list()?;
        if let Some(ground) = &looking.ground {
            let last = ground.segments.last().map(|last| last.base);
            if files.first().map(|&(base, _)| base) != last {
                return Ok(None);
            }
        }
        looking.read_all(&files)?;
        if !looking.is_grounded() {
            return Ok(None);
        }
        looking.settle_identity();
        if let Some(ground) = &looking.ground {
            looking.begins = looking.begins.max(ground.begins);
            looking.acked = looking.acked.max(ground.end);
        }
        for found in &looking.found {
            let Some(header) = found.header() else { continue };
            looking.begins = looking.begins.max(header.begins);
            looking.acked = looking.acked.max(header.acked);
            if let Some((_, footer)) = found.footer {
                looking.begins = looking.begins.max(footer.begins);
                looking.acked = looking.acked.max(footer.acked);
            }
        }
        looking.sort();
        // Retire marks in what is not proven yet may move the beginning on, also in what looks dead: the epoch that seems
        // to have taken its range may have been begun by a starter that slept, under a name that retiring had freed.
        let unproven: Vec<usize> = (0..looking.found.len())
            .filter(|&at| looking.is_unproven(at) || looking.is_dead_with_header(at))
            .collect();
        for at in unproven {
            let outline = looking.outline(at, None)?;
            // An epoch's first segment decides which names are dead. If its footer did not show at first and does now,
            // what it says counts: the names were sorted without it.
            let found = &mut looking.found[at];
            let begins_epoch = found.header().is_some_and(|header| header.begins_epoch);
            if found.footer.is_none() && begins_epoch && outline.bad_count == 0 {
                found.footer = outline.footer;
                looking.sort();
            }
            let marked = outline.begins.filter(|&marked| marked > looking.begins);
            looking.marks.extend(marked.map(|marked| (marked, looking.found[at].base)));
        }
        looking.marks.sort_unstable();
        // Each is tried by a walk; a writer has only so many under way.
        let most = looking.marks.len().saturating_sub(MARKS_TRIED_MAX);
        looking.marks.drain(..most);
        Ok(Some(self))
    }

    /// Follows the chain from the greatest beginning that is stated by a header, or by a mark that is itself part of
    /// the chain: one that was in flight behind a hole was not acknowledged, and retires nothing.
    fn finish(mut self) -> Result<Survey> {
        let stated = self.begins;
        while let Some((marked, holder)) = self.marks.pop() {
            self.begins = marked;
            self.sort();
            let survey = self.walk()?;
            if survey.chain.segments.iter().any(|segment| segment.base == holder) {
                return self.nothing_left_out(survey);
            }
        }
        self.begins = stated;
        self.sort();
        let survey = self.walk()?;
        self.nothing_left_out(survey)
    }

    /// A listing may be late with what was put a moment ago. So who is about to say that a segment is missing asks for it by
    /// its name, and for the one behind the end, which may say that the log begins later; if one is there that was not
    /// listed, whoever looks begins again.
    fn nothing_left_out(self, survey: Survey) -> Result<Survey> {
        let missing = survey.damages().iter().filter(|damage| damage.what == Fault::Missing);
        let missing: Vec<Position> = missing.map(|damage| damage.range.start).collect();
        let behind = (!missing.is_empty()).then_some(survey.end());
        let was_listed = |place| self.found.binary_search_by_key(&place, |found| found.base).is_ok();
        let asked_for = |&place: &Position| !was_listed(place) && self.to.is_none_or(|to| place < to);
        for place in missing.into_iter().chain(behind).filter(asked_for) {
            match self.store.read(&segment_name(place), 0..1) {
                Ok(_) => return Err(Error::new(Kind::NotThere, "a listing left out what is there")),
                // Nothing, or something that is no file: it was listed as what it is, and is not the segment.
                Err(gone) if matches!(gone.kind(), Kind::NotThere | Kind::Invalid) => {}
                Err(error) => return Err(error),
            }
        }
        self.checked(survey)
    }

    /// The files with segments' names, in the order of their bases.
    fn list(&mut self) -> Result<Vec<(Position, u64)>> {
        let from = self.ground.as_ref().and_then(|ground| ground.segments.last()).map(|last| last.base);
        let from = from.or(self.to.map(|_| self.begins)).filter(|&from| from > Position::START);
        let pages = match from {
            Some(from) => self.store.list_after(&Name::ROOT, &name::segment(Position(from.0 - 1)))?,
            None => self.store.list(&Name::ROOT)?,
        };
        let known = [CLAIMS, QUARANTINE, SUMMARIES];
        let mut bases = Vec::new();
        'pages: for page in pages {
            for entry in page? {
                match (entry.what, name::parse_segment(&entry.name)) {
                    (_, Some(base)) if self.to.is_some_and(|to| base >= to) => break 'pages,
                    (What::File(len), Some(base)) => bases.push((base, len)),
                    (What::Folder, _) if known.contains(&entry.name.as_str()) => {}
                    (What::File(_), _) if entry.name == UNFINISHED => self.unfinished = Some(UNFINISHED),
                    (What::File(_), _) if entry.name == UNFILLED => self.unfinished = Some(UNFILLED),
                    _ => {
                        self.foreign_count += 1;
                        if self.foreign.len() < NAMED_MAX {
                            self.foreign.push(entry.name.escape_default().to_string());
                        }
                    }
                }
            }
        }
        bases.sort_unstable();
        Ok(bases)
    }

    /// The identity is what most headers say; a segment of another log is not ours.
    fn settle_identity(&mut self) {
        let mut counts: BTreeMap<[u8; 16], usize> = BTreeMap::new();
        for header in self.found.iter().filter_map(Found::header) {
            *counts.entry(header.identity.0).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|&(_, count)| count);
        let grounded = self.ground.as_ref().map(|ground| ground.identity);
        self.identity = grounded.or(most.map(|(identity, _)| Identity(identity)));
        for found in &mut self.found {
            if found.header().is_some_and(|header| Some(header.identity) != self.identity) {
                found.header = Err(HeaderFault::Check);
                found.footer = None;
            }
        }
    }

    /// Of an epoch's first segment: where the next one begins. If its footer is gone, nothing of its own epoch shall die
    /// of that; if there is nothing either, it still takes what its predecessor may have had in flight.
    fn epoch_next(&self, first: &Found) -> Option<Position> {
        let header = first.header().filter(|header| header.begins_epoch)?;
        if let Some((_, footer)) = first.footer {
            return Some(footer.next);
        }
        let behind = self.found.partition_point(|found| found.base <= first.base);
        let of_it = |found: &&Found| found.header().is_some_and(|other| other.epoch == header.epoch);
        let next = self.found[behind..].iter().find(of_it).map(|found| found.base);
        Some(next.unwrap_or(first.base.plus(header.in_flight_bytes_max)))
    }

    fn sort(&mut self) {
        let candidates: Vec<Candidate> = self
            .found
            .iter()
            .map(|found| Candidate {
                base: found.base,
                epoch: found.header().map(|header| header.epoch),
                epoch_next: self.epoch_next(found),
            })
            .collect();
        self.fates = judge::fates(self.begins, &candidates);
        self.closers.clear();
        self.lost.clear();
        let before = self.ground.iter().flat_map(|ground| &ground.lost).chain(&*self.lost_elsewhere);
        self.lost.extend(before.filter(|lost| lost.end > self.begins).cloned());
        for (at, found) in self.found.iter().enumerate() {
            let first = found.header().filter(|header| header.begins_epoch && self.fates[at] == Fate::Alive);
            let Some(first) = first else { continue };
            self.lost.extend(first.lost.iter().cloned());
            if let Some(previous) = first.previous {
                self.closers.insert(previous.base, at);
            }
        }
        self.add_up();
    }

    /// Whether nothing that was acknowledged proves the segment whole.
    fn is_unproven(&self, at: usize) -> bool {
        let found = &self.found[at];
        let proven = match found.footer {
            Some((footer_at, _)) => footer_at <= self.acked,
            None => self.closers.contains_key(&found.base),
        };
        self.fates[at] == Fate::Alive && found.header.is_ok() && !proven
    }

    fn is_dead_with_header(&self, at: usize) -> bool {
        self.fates[at] == Fate::Dead && self.found[at].header.is_ok()
    }

    /// The outline of a segment whose header verifies, up to `end` if it is cut there.
    fn outline(&mut self, at: usize, end: Option<Position>) -> Result<Outline> {
        let found = &self.found[at];
        let Ok((header, check)) = &found.header else {
            unreachable!("only segments with a header are outlined")
        };
        if let Some(outline) = self.outlines.get(&found.base).filter(|_| end.is_none()) {
            return Ok(outline.clone());
        }
        let len = end.map_or(found.len, |end| end.since(found.base).min(found.len));
        // Payloads that fit into a window are summed where they lie.
        let file = File::new(self.store, segment_name(found.base), len).holding(WINDOW_BYTES as u32);
        let outline = Outline::of(file, header, *check)?;
        // What is proven is needed once; a full look at a long log does not keep the outlines of all of it.
        if end.is_none() && self.is_unproven(at) {
            self.outlines.insert(found.base, outline.clone());
        }
        Ok(outline)
    }

    /// The index of the first file that begins at `base` or behind it.
    fn index_of(&self, base: Position) -> usize {
        self.found.partition_point(|found| found.base < base)
    }

    /// Adds up what is alive from each file on, so that a walk with many stops asks in no time.
    fn add_up(&mut self) {
        let mut rest = Rest::default();
        let mut rests = vec![rest; self.found.len() + 1];
        for (at, found) in
            self.found.iter().enumerate().rev().filter(|&(at, _)| self.fates[at] == Fate::Alive)
        {
            rest.any = true;
            rest.files_end = rest.files_end.max(Some(found.base.plus(found.len)));
            rest.bad_header |= self.has_bad_header(found);
            if let Some(header) = found.header() {
                rest.beyond.add(found.base.plus(HEADER_BYTES), header.acked);
                rest.in_flight = rest.in_flight.max(header.in_flight_bytes_max);
            }
            if let Some((footer_at, footer)) = found.footer {
                rest.beyond.add(footer_at.plus(footer.footer_len()), footer.acked);
            }
            rests[at] = rest;
        }
        // The dead between say what the next one alive says.
        for at in (0..self.found.len()).rev().filter(|&at| self.fates[at] != Fate::Alive) {
            rests[at] = rests[at + 1];
        }
        self.rests = rests;
    }

    /// Whether a file has a header that no crash explains: it does not verify, or not in this place.
    fn has_bad_header(&self, found: &Found) -> bool {
        // A file that grows gets its name only once its header is durable; zeros are what other media may show if the
        // power goes between the two. An object is whole or not there.
        found
            .header
            .as_ref()
            .is_err_and(|fault| self.store.append().is_none() || *fault != HeaderFault::Zeros)
            && !found.open
    }
}
