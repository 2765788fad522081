//! Looking at a log: lists names, reads headers and footers and whatever they do not prove, walks the chain, and asks
//! the judge what its end means. Nothing is changed, locked or created.

use std::collections::BTreeMap;
use std::ops::Range;

use super::chain::{Chain, Segment};
use super::source::{File, segment_name};
use super::survey::{Aside, Because, Damage, Survey, Torn};
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::footer::{self, Footer, TRAILER_BYTES};
use crate::format::group::GROUP_HEADER_BYTES;
use crate::format::header::{self, HEADER_BYTES, Header, HeaderFault};
use crate::format::judge::{self, Candidate, Evidence, Fate, Verdict, Why};
use crate::format::name::{self, CLAIMS, QUARANTINE};
use crate::format::outline::{Beyond, Outline};
use crate::format::scan::{Fault, Seen, Walk};
use crate::format::seed::Life;
use crate::format::{Durability, Identity, Position};
use crate::store::{Name, Store, What};

/// How many things of a kind a survey names; the rest is only counted.
const NAMED_MAX: usize = 100;

/// How often a look begins again because files went while it looked.
const TRIES: usize = 20;

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

/// The segment before, as far as it is known.
struct Before {
    base: Position,
    end: Position,
    seal: Option<u32>,
    epoch: u64,
}

/// The chain cannot be followed beyond `at`.
struct Stop {
    at: Position,
    file: Position,
    what: Fault,
    inside_whole: bool,
    /// Bytes that do not verify lie here.
    bytes: bool,
    beyond: Beyond,
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
                return Ok(survey);
            }
        }
        self.begins = stated;
        self.sort();
        self.walk()
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
        let head = self.store.read(&name, 0..HEADER_BYTES)?;
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
            Ok((header, _)) => self.read_footer(&name, header, len)?,
            Err(_) => None,
        };
        Ok(Found { base, len, header, footer })
    }

    fn read_footer(&self, name: &Name, header: &Header, len: u64) -> Result<Option<(Position, Footer)>> {
        let (life, body) = (header.life(), header.body());
        let Some(trailer_at) = len.checked_sub(TRAILER_BYTES).filter(|&at| at >= body) else {
            return Ok(None);
        };
        let trailer = self.store.read(name, trailer_at..len)?;
        if (trailer.len() as u64) < TRAILER_BYTES {
            // It is another file than was listed, or it was trimmed: whoever looks begins again.
            return Err(Error::new(Kind::NotThere, "a file changed while it was looked at"));
        }
        let Some(footer_len) = footer::footer_len(life, header.base.plus(trailer_at), &trailer) else {
            return Ok(None);
        };
        let Some(at) = len.checked_sub(footer_len).filter(|&at| at >= body) else { return Ok(None) };
        let bytes = self.store.read(name, at..len)?;
        let position = header.base.plus(at);
        let footer = Footer::decode(life, position, &bytes)
            .filter(|footer| footer.decode_index(life, position, &bytes).is_some());
        Ok(footer.map(|footer| (position, footer)))
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
        if end.is_none() {
            self.outlines.insert(found.base, outline.clone());
        }
        Ok(outline)
    }

    /// Follows the chain to its end and judges that.
    fn walk(&mut self) -> Result<Survey> {
        self.segments.clear();
        self.damages.clear();
        self.damage_count = 0;
        let (mut at, mut before) = (self.begins, None);
        let (stop, row, verdict, beyond) = loop {
            let Some(stop) = self.follow(&mut at, &mut before)? else { continue };
            let accepted = self.lost.iter().find(|range| range.contains(&stop.at));
            let (beyond, evidence) = self.evidence(&stop);
            let (row, verdict) = judge::judge(&evidence);
            let from = accepted.map_or(stop.at.plus(1), |range| range.end);
            let onwards = self.next_alive(from).or_else(|| self.next_alive(stop.at.plus(1)));
            match (accepted, verdict, onwards) {
                (Some(_), _, Some(next)) => at = next,
                (None, Verdict::Damaged(why), next) => {
                    let last = || self.last_beyond(&stop, &beyond);
                    self.damage(Damage {
                        range: stop.at..next.unwrap_or_else(last),
                        file: segment_name(stop.file).to_string(),
                        offset: stop.at.since(stop.file),
                        what: stop.what,
                        why,
                    });
                    match next {
                        Some(next) => at = next,
                        None => break (stop, row, verdict, beyond),
                    }
                }
                _ => break (stop, row, verdict, beyond),
            }
            before = None;
            let made_at = self.found.get(self.index_of(at)).and_then(|found| Some(found.header()?.time));
            if let Some(last) = self.segments.last_mut() {
                // Nothing will be added to it any more.
                last.next = at;
                last.closed_at = last.closed_at.or(made_at);
            }
        };
        Ok(self.survey(&stop, row, verdict, beyond))
    }

    /// Goes one segment on. `at` is where it begins by the one before.
    fn follow(&mut self, at: &mut Position, before: &mut Option<Before>) -> Result<Option<Stop>> {
        let stop = |what, inside_whole, bytes| {
            Ok(Some(Stop { at: *at, file: *at, what, inside_whole, bytes, beyond: Beyond::default() }))
        };
        let index = self.found.partition_point(|found| found.base < *at);
        let here =
            self.found.get(index).filter(|found| found.base == *at && self.fates[index] == Fate::Alive);
        let Some(found) = here else { return stop(Fault::Missing, false, false) };
        let header = match &found.header {
            Ok((header, _)) => header.clone(),
            Err(_) => {
                let inside_whole = self.has_bad_header(found);
                let beyond = self.groups_without_header(index, before.as_ref())?;
                return Ok(Some(Stop {
                    at: *at,
                    file: *at,
                    what: Fault::Header,
                    inside_whole,
                    bytes: true,
                    beyond,
                }));
            }
        };
        if !follows(&header, before.as_ref()) {
            return stop(Fault::Chain, true, true);
        }
        let (base, len, footer) = (found.base, found.len, found.footer);
        let closer = self.closers.get(&base).map(|&closer| &self.found[closer]);
        let closing =
            closer.and_then(|closer| Some((closer.base, closer.header()?.time, closer.header()?.previous?)));
        let mut segment = Segment {
            base,
            end: header.base.plus(header.body()),
            next: *at,
            file_len: len,
            epoch: header.epoch,
            body: header.body(),
            begins_epoch: header.begins_epoch,
            sealed: false,
            seal: None,
            made_at: header.time,
            closed_at: None,
            times: None,
            records: None,
        };
        let mut stop = None;
        if let Some((next, time, previous)) = closing.filter(|(.., previous)| {
            // Sealed by its writer, and the epoch follows: the footer says more.
            footer.is_none_or(|(footer_at, _)| footer_at != previous.end)
        }) {
            segment.end = previous.end;
            segment.next = next;
            segment.seal = Some(previous.seal);
            segment.closed_at = Some(time);
            if self.depth == Depth::Full {
                let outline = self.outline(index, Some(previous.end))?;
                if outline.bad_count == 0 {
                    let totals = &outline.totals;
                    segment.records = Some(totals.records);
                    segment.times = (totals.records > 0).then_some((totals.least, totals.greatest));
                }
                self.damages_in(&segment, &outline, None);
            }
        } else {
            let unproven = self.is_unproven(index);
            let outline = if unproven || self.depth == Depth::Full || footer.is_none() {
                Some(self.outline(index, None)?)
            } else {
                None
            };
            match (footer.or(outline.as_ref().and_then(|outline| outline.footer)), outline) {
                (Some((footer_at, footer)), outline)
                    if !unproven
                        || outline.as_ref().is_none_or(|outline| is_whole(outline, footer_at, &footer)) =>
                {
                    segment.end = footer_at;
                    segment.next = closing.map_or(footer.next, |(next, ..)| next);
                    segment.sealed = true;
                    segment.seal = Some(footer.seal);
                    segment.closed_at = Some(footer.sealed_at);
                    segment.times = (footer.records > 0).then_some((footer.least, footer.greatest));
                    segment.records = Some(footer.records);
                    if let Some(outline) = outline {
                        self.damages_in(&segment, &outline, Some(&footer));
                    }
                }
                (_, Some(outline)) => {
                    segment.end = outline.end;
                    segment.seal = Some(outline.totals.seal);
                    segment.times = (outline.totals.records > 0)
                        .then_some((outline.totals.least, outline.totals.greatest));
                    segment.records = Some(outline.totals.records);
                    segment.next = outline.end;
                    self.acked = self.acked.max(outline.acked.min(outline.end));
                    // Where nothing is torn and the next name stands, that file is what the chain comes to: a header
                    // in it that does not verify was durable before it had a name, and no crash explains it.
                    let next = self.found.partition_point(|found| found.base < outline.end);
                    let spoilt = |found: &Found| {
                        found.base == outline.end
                            && found.header.as_ref().is_err_and(|fault| *fault != HeaderFault::Zeros)
                    };
                    let is_next = self.found.get(next).is_some_and(spoilt) && self.fates[next] == Fate::Alive;
                    stop = (outline.bad_count > 0 || header.whole || !is_next).then_some(Stop {
                        at: outline.end,
                        file: base,
                        what: outline.bad.first().map_or(Fault::Group, |bad| bad.what),
                        inside_whole: header.whole,
                        bytes: outline.bad_count > 0 || header.whole,
                        beyond: outline.beyond,
                    });
                }
                (Some(_), None) | (None, None) => unreachable!("what has no footer is outlined"),
            }
        }
        *before = Some(Before { base, end: segment.end, seal: segment.seal, epoch: segment.epoch });
        *at = segment.next;
        self.segments.push(segment);
        Ok(stop)
    }

    /// What a full walk found in a segment that its footer or a later epoch vouches for.
    fn damages_in(&mut self, segment: &Segment, outline: &Outline, footer: Option<&Footer>) {
        let file = segment_name(segment.base).to_string();
        for bad in &outline.bad {
            self.damage(Damage {
                range: bad.range.clone(),
                file: file.clone(),
                offset: bad.range.start.since(segment.base),
                what: bad.what,
                why: Why::Acknowledged,
            });
        }
        self.damage_count += outline.bad_count - outline.bad.len() as u64;
        let adds_up = outline.end == segment.end
            && segment.seal.is_none_or(|seal| seal == outline.totals.seal)
            && footer.is_none_or(|footer| states(footer, outline));
        if outline.bad_count == 0 && !adds_up {
            let at = outline.end.min(segment.end);
            self.damage(Damage {
                range: at..segment.end.max(at),
                file,
                offset: at.since(segment.base),
                what: Fault::Footer,
                why: Why::Acknowledged,
            });
        }
    }

    fn damage(&mut self, damage: Damage) {
        let accepted =
            |lost: &Range<Position>| lost.start <= damage.range.start && damage.range.end <= lost.end;
        if self.lost.iter().any(accepted) {
            return;
        }
        self.damage_count += 1;
        if self.damages.len() < NAMED_MAX {
            self.damages.push(damage);
        }
    }

    /// Groups that verify, as of the epoch before, in a file whose header does not: its header was durable once.
    fn groups_without_header(&self, index: usize, before: Option<&Before>) -> Result<Beyond> {
        let (found, mut beyond) = (&self.found[index], Beyond::default());
        let Some(identity) = self.identity else { return Ok(beyond) };
        let life = Life { identity: identity.short(), epoch: before.map_or(1, |before| before.epoch) };
        let file = File::new(self.store, segment_name(found.base), found.len);
        let mut walk = Walk::from(file, life, found.base, HEADER_BYTES);
        while let Some(seen) = walk.next()? {
            match seen {
                Seen::Group { at, header, .. } => beyond.add(at.plus(GROUP_HEADER_BYTES), header.acked),
                Seen::Footer { at, footer } | Seen::FooterHead { at, footer } => {
                    beyond.add(at.plus(footer.footer_len()), footer.acked);
                }
                _ => {}
            }
        }
        Ok(beyond)
    }

    /// The index of the first file that begins at `base` or behind it.
    fn index_of(&self, base: Position) -> usize {
        self.found.partition_point(|found| found.base < base)
    }

    /// What is alive behind a position, added up.
    fn alive_beyond(&self, at: Position) -> Rest {
        self.rests[self.found.partition_point(|found| found.base <= at)]
    }

    fn next_alive(&self, from: Position) -> Option<Position> {
        let mut behind = self.index_of(from)..self.found.len();
        let next = behind.find(|&at| self.fates[at] == Fate::Alive && self.found[at].header.is_ok());
        next.map(|at| self.found[at].base)
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

    fn file_end(&self, base: Position) -> Position {
        self.found
            .get(self.index_of(base))
            .filter(|found| found.base == base)
            .map_or(base, |found| base.plus(found.len))
    }

    /// Where damage ends behind which no segment of the chain follows: behind everything that lies there or was promised,
    /// and never where it begins, for what is lost has a place.
    fn last_beyond(&self, stop: &Stop, beyond: &Beyond) -> Position {
        let files = self.alive_beyond(stop.at).files_end;
        let known = beyond.end.max(files).max(Some(self.file_end(stop.file))).max(Some(self.at_least));
        known.unwrap_or_default().max(stop.at.plus(1))
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

    fn evidence(&self, stop: &Stop) -> (Beyond, Evidence) {
        let rest = self.alive_beyond(stop.at);
        let beyond = Beyond {
            acked: stop.beyond.acked.max(rest.beyond.acked),
            end: stop.beyond.end.max(rest.beyond.end),
        };
        let evidence = Evidence {
            promised: self.at_least > stop.at,
            acked_beyond: beyond.acked > Some(stop.at),
            inside_whole: (stop.inside_whole && stop.bytes) || rest.bad_header,
            overflow: beyond.end.is_some_and(|end| end.since(stop.at) > self.in_flight()),
            anything: stop.bytes || rest.any || beyond.end.is_some(),
        };
        (beyond, evidence)
    }

    /// The most that any writer whose leavings are seen may have had in flight.
    fn in_flight(&self) -> u64 {
        self.rests[0].in_flight
    }

    fn survey(&mut self, stop: &Stop, row: &'static judge::Row, verdict: Verdict, beyond: Beyond) -> Survey {
        let end = stop.at;
        let in_chain =
            |base: Position| self.segments.binary_search_by_key(&base, |segment| segment.base).is_ok();
        let in_damage =
            |base: Position| base < end || self.damages.iter().any(|damage| damage.range.contains(&base));
        let aside = self.found.iter().zip(&self.fates).filter(|(found, _)| !in_chain(found.base));
        let aside: Vec<Aside> = aside
            .map(|(found, fate)| Aside {
                base: found.base,
                file_len: found.len,
                because: match fate {
                    Fate::Retired => Because::Retired,
                    Fate::Dead => Because::Dead,
                    Fate::Alive if in_damage(found.base) => Because::Damaged,
                    Fate::Alive => Because::Torn,
                },
                begins_epoch: found.header().is_some_and(|header| header.begins_epoch),
            })
            .collect();
        let headers = || self.found.iter().filter_map(Found::header);
        let engine_time = headers().map(|header| header.time).max().unwrap_or(Time(0));
        let sealed_at = self.found.iter().filter_map(|found| Some(found.footer?.1.sealed_at)).max();
        let last_header = self.segments.last().and_then(|last| {
            let index = self.found.partition_point(|found| found.base < last.base);
            self.found[index].header()
        });
        let torn = (verdict == Verdict::Torn).then(|| Torn {
            range: end..beyond.end.unwrap_or(end).max(self.outline_end(stop)),
            file: stop.bytes.then(|| segment_name(stop.file).to_string()),
        });
        let verdict = match self.damages.first() {
            Some(damage) => Verdict::Damaged(damage.why),
            None => verdict,
        };
        Survey {
            place: self.store.place(),
            identity: self.identity,
            durability: last_header.map_or(Durability::Power, |header| header.durability),
            end,
            acked: self.acked.min(end),
            epoch: self.segments.last().map_or(0, |last| last.epoch),
            written_max: headers().map(|header| header.epoch).max().unwrap_or(0),
            in_flight: self.in_flight(),
            verified_end: beyond.end.unwrap_or(end).max(end),
            files_end: self
                .found
                .iter()
                .map(|found| found.base.plus(found.len.max(1)))
                .max()
                .unwrap_or_default(),
            clock_in_doubt: last_header.is_some_and(|header| header.clock_in_doubt),
            engine_time: engine_time.max(sealed_at.unwrap_or_default()),
            verdict,
            row,
            damages: std::mem::take(&mut self.damages),
            damage_count: self.damage_count,
            torn,
            aside,
            foreign: self.foreign.clone(),
            foreign_count: self.foreign_count,
            lost: self.lost.clone(),
            chain: Chain {
                identity: self.identity.map_or(0, Identity::short),
                begins: self.begins,
                shown: end,
                segments: std::mem::take(&mut self.segments),
            },
        }
    }

    /// Where the last bytes end that do not verify, in the file where the chain stopped.
    fn outline_end(&self, stop: &Stop) -> Position {
        let bad = self.outlines.get(&stop.file).and_then(|outline| outline.bad.last());
        bad.map_or(if stop.bytes { self.file_end(stop.file) } else { stop.at }, |bad| bad.range.end)
    }
}

/// Whether a segment states the one before it as its predecessor, as far as that is known.
fn follows(header: &Header, before: Option<&Before>) -> bool {
    let Some(before) = before else { return true };
    let Some(previous) = header.previous else { return false };
    let epoch_fits =
        if header.begins_epoch { header.epoch > before.epoch } else { header.epoch == before.epoch };
    epoch_fits
        && previous.base == before.base
        && previous.end == before.end
        && before.seal.is_none_or(|seal| seal == previous.seal)
}

/// Whether everything up to the footer verifies and adds up to what the footer says.
fn is_whole(outline: &Outline, footer_at: Position, footer: &Footer) -> bool {
    outline.bad_count == 0 && outline.end == footer_at && states(footer, outline)
}

fn states(footer: &Footer, outline: &Outline) -> bool {
    let totals = &outline.totals;
    (footer.seal, footer.records, footer.groups, footer.payload_bytes)
        == (totals.seal, totals.records, totals.groups, totals.payload_bytes)
        && (footer.least, footer.greatest) == (totals.least, totals.greatest)
}
