//! Looking at a log: lists names, reads headers and footers and whatever they do not prove, and sorts the names into
//! fates; then walks the chain. Nothing is changed, locked or created.

mod walk;

use std::collections::BTreeMap;
use std::ops::Range;

use super::chain::Segment;
use super::source::{File, Ranged, segment_name};
use super::survey::{Damage, Survey};
use crate::error::{Error, Kind, Result};
use crate::format::footer::{self, Footer, TRAILER_BYTES};
use crate::format::header::{self, HEADER_BYTES, Header, HeaderFault};
use crate::format::judge::{self, Candidate, Fate};
use crate::format::name::{self, CLAIMS, QUARANTINE};
use crate::format::outline::{Beyond, Outline};
use crate::format::scan::Fault;
use crate::format::{Identity, Position};
use crate::store::{Name, Store, What};

/// How many things of a kind a survey names; the rest is only counted.
const NAMED_MAX: usize = 100;

/// How often a look begins again because files went while it looked.
const TRIES: usize = 20;

/// So much of a file's end is read at once.
const LAST_BYTES: u64 = 4096;

/// How many retire marks that are not proven are tried.
const MARKS_TRIED_MAX: usize = 64;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Headers and footers, and every byte of what is not proven by them: what opening needs.
    Quick,
    /// Every byte.
    Full,
}

/// Looks at a log. `at_least`: a position that the caller knows was acknowledged.
///
/// Beside a live writer the look is repeated while files go. Damage is believed only if the end of the log has not moved
/// since the evidence was read. And where nobody can be locked out, the beginning is looked up again after the walk: one
/// from a beginning that has moved on could pass through names that retirement has freed.
pub fn look(store: &dyn Store, at_least: Position, depth: Depth) -> Result<Survey> {
    let mut before: Option<Survey> = None;
    for _ in 0..TRIES {
        let survey = match Looking::new(store, at_least, depth).and_then(Looking::finish) {
            Err(error) if error.kind() == Kind::NotThere => {
                before = None;
                continue;
            }
            other => other?,
        };
        let same_end = before.as_ref().is_some_and(|before| before.end == survey.end);
        if store.append().is_some() && (same_end || survey.damage_count == 0) {
            return Ok(survey);
        }
        // The earlier one is the answer: of the later one nobody knows yet what moved while it walked.
        match before.filter(|before| before.begins() == survey.begins()) {
            Some(before) if same_end || before.damage_count == 0 => return Ok(before),
            _ => before = Some(survey),
        }
    }
    Err(Error::new(
        Kind::Unavailable,
        format!("files of the log keep going while it is looked at; try again place={}", store.place()),
    ))
}

/// A file with a segment's name.
struct Found {
    base: Position,
    len: u64,
    header: Result<(Header, u32), HeaderFault>,
    footer: Option<(Position, Footer)>,
}

impl Found {
    fn header(&self) -> Option<&Header> {
        self.header.as_ref().ok().map(|(header, _)| header)
    }
}

fn read_footer(file: &Ranged<'_>, header: &Header, len: u64) -> Result<Option<(Position, Footer)>> {
    let (life, body) = (header.life(), header.body());
    let Some(trailer_at) = len.checked_sub(TRAILER_BYTES).filter(|&at| at >= body) else {
        return Ok(None);
    };
    // Of most footers all is read with their trailer.
    let last_at = len.saturating_sub(LAST_BYTES).max(body);
    let last = file.read(last_at..len)?;
    if (last.len() as u64) < len - last_at {
        // It is another file than was listed, or it was trimmed: whoever looks begins again.
        return Err(Error::new(Kind::NotThere, "a file changed while it was looked at"));
    }
    let trailer = &last[(trailer_at - last_at) as usize..];
    let Some(footer_len) = footer::footer_len(life, header.base.plus(trailer_at), trailer) else {
        return Ok(None);
    };
    let Some(at) = len.checked_sub(footer_len).filter(|&at| at >= body) else { return Ok(None) };
    let bytes = match at.checked_sub(last_at) {
        Some(from) => last.slice(from as usize..),
        None => file.read(at..len)?,
    };
    let position = header.base.plus(at);
    let footer = Footer::decode(life, position, &bytes)
        .filter(|footer| footer.decode_index(life, position, &bytes).is_some());
    Ok(footer.map(|footer| (position, footer)))
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
}

impl<'a> Looking<'a> {
    /// Reads names, headers and footers, and every byte of what they do not prove; sorts the names into fates.
    fn new(store: &'a dyn Store, at_least: Position, depth: Depth) -> Result<Self> {
        let mut looking = Looking {
            store,
            at_least,
            depth,
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
        };
        looking.list()?;
        looking.settle_identity();
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
        Ok(looking)
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
    fn nothing_left_out(&self, survey: Survey) -> Result<Survey> {
        let missing = survey.damages().iter().filter(|damage| damage.what == Fault::Missing);
        let missing: Vec<Position> = missing.map(|damage| damage.range.start).collect();
        let behind = (!missing.is_empty()).then_some(survey.end());
        let was_listed =
            |place: &Position| self.found.binary_search_by_key(place, |found| found.base).is_ok();
        for place in missing.into_iter().chain(behind).filter(|place| !was_listed(place)) {
            match self.store.read(&segment_name(place), 0..1) {
                Ok(_) => return Err(Error::new(Kind::NotThere, "a listing left out what is there")),
                Err(gone) if gone.kind() == Kind::NotThere => {}
                Err(error) => return Err(error),
            }
        }
        Ok(survey)
    }

    fn list(&mut self) -> Result<()> {
        let mut bases = Vec::new();
        for page in self.store.list(&Name::ROOT)? {
            for entry in page? {
                match (entry.what, name::parse_segment(&entry.name)) {
                    (What::File(len), Some(base)) => bases.push((base, len)),
                    (What::Folder, _) if entry.name == CLAIMS || entry.name == QUARANTINE => {}
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
        for (base, len) in bases {
            let found = self.read_ends(base, len)?;
            self.found.push(found);
        }
        Ok(())
    }

    /// Reads the header, and the footer that the file's last bytes point at.
    fn read_ends(&self, base: Position, len: u64) -> Result<Found> {
        let name = segment_name(base);
        let file = Ranged::open(self.store, &name)?;
        let head = file.read(0..HEADER_BYTES)?;
        let header = match Header::decode(base, &head) {
            Ok(header) => Ok((header, u32::from_le_bytes([head[8], head[9], head[10], head[11]]))),
            Err(HeaderFault::Newer(version)) => {
                let message = format!(
                    "a segment of format version {version}, this release reads up to version {}; if no newer release \
                     wrote here, the header is damaged: run `wal-inspect check {}`",
                    header::VERSION,
                    self.store.place()
                );
                return Err(Error::new(Kind::Unsupported, message).at(name.as_str(), 0));
            }
            Err(fault) => Err(fault),
        };
        let footer = match &header {
            Ok((header, _)) => read_footer(&file, header, len)?,
            Err(_) => None,
        };
        Ok(Found { base, len, header, footer })
    }

    /// The identity is what most headers say; a segment of another log is not ours.
    fn settle_identity(&mut self) {
        let mut counts: BTreeMap<[u8; 16], usize> = BTreeMap::new();
        for header in self.found.iter().filter_map(Found::header) {
            *counts.entry(header.identity.0).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|&(_, count)| count);
        self.identity = most.map(|(identity, _)| Identity(identity));
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
        let file = File::new(self.store, segment_name(found.base), len);
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
    }
}
