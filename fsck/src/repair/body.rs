//! What a segment holds, added up whatever is bad in it; and the footer that says so.

use std::ops::Range;

use bytes::Bytes;
use headwater_wal::format::footer::Footer;
use headwater_wal::format::header::{HEADER_BYTES, Header, Previous};
use headwater_wal::format::name;
use headwater_wal::format::scan::{Seen, Walk};
use headwater_wal::format::seed::Life;
use headwater_wal::format::totals::Totals;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Because, Kind, Position, Result, Survey, Time};

use super::Action;
use super::affine::Affine;
use super::overlay::len;
use crate::File;

/// How many files behind a segment are asked whether they follow it.
const NEIGHBOURS_MAX: usize = 64;

/// What a walk over a segment found, good and bad.
pub(crate) struct Body {
    pub(crate) totals: Totals,
    /// Where the last group ends that is whole, or the first would begin.
    pub(crate) whole_end: Position,
    /// What comes first of what does not verify, footers apart.
    first_bad: Option<Range<Position>>,
    /// Something of groups verifies behind that.
    good_behind: bool,
    /// The footer, or its head if no more of it verifies.
    footer: Option<(Position, Footer)>,
    /// How many groups, frames and footers verify: none says that nothing here is of this life.
    pub(crate) verified: u64,
    /// The digest, for each of the checksums with which it could begin.
    digests: [u32; 33],
    /// Where the body begins, something verifies.
    start_is_good: bool,
}

impl Body {
    /// Of the first `file_len` bytes of a file, from `offset` on.
    pub(crate) fn read(
        store: &dyn Store,
        life: Life,
        base: Position,
        offset: u64,
        file_len: u64,
        header_check: u32,
    ) -> Result<Body> {
        let file = File::new(store, Name::new(name::segment(base))?, file_len);
        let mut walk = Walk::from(file, life, base, offset);
        let mut body = Body {
            totals: Totals::new(header_check),
            whole_end: base.plus(offset),
            first_bad: None,
            good_behind: false,
            footer: None,
            verified: 0,
            digests: Affine::trials(),
            start_is_good: false,
        };
        while let Some(seen) = walk.next()? {
            if let Seen::Group { at, .. } | Seen::Footer { at, .. } | Seen::FooterHead { at, .. } = &seen {
                body.start_is_good |= *at == base.plus(offset);
            }
            body.add(seen);
        }
        Ok(body)
    }

    fn add(&mut self, seen: Seen) {
        let is_bad = self.first_bad.is_some();
        match seen {
            Seen::Group { at, header, check } => {
                self.totals.group(at, &header, check);
                self.digest(check);
                self.verified += 1;
                self.good_behind |= is_bad;
            }
            Seen::Frame(frame) => {
                self.totals.frame(&frame.header, frame.check);
                self.digest(frame.check);
                self.verified += 1;
                self.good_behind |= is_bad;
                if !frame.in_group {
                    self.loose(frame.header.time);
                    self.first_bad.get_or_insert(frame.at..frame.end());
                    self.whole_end = self.whole_end.max(frame.end());
                }
            }
            Seen::Whole { end, .. } => self.whole_end = end,
            Seen::FooterHead { at, footer } => self.footer = Some((at, footer)),
            Seen::Footer { at, footer } => {
                self.footer = Some((at, footer));
                self.verified += 1;
            }
            Seen::Bad(bad) => {
                if self.footer.is_none() {
                    self.first_bad.get_or_insert(bad.range);
                }
            }
        }
    }

    /// The group of this frame is gone, and with it what said between which times its records lie.
    fn loose(&mut self, time: Time) {
        self.totals.least = self.totals.least.min(time);
        self.totals.greatest = self.totals.greatest.max(time);
    }

    fn digest(&mut self, check: u32) {
        let bytes = check.to_le_bytes();
        for digest in &mut self.digests {
            *digest = crc32c::crc32c_append(*digest, &bytes);
        }
    }

    /// Whether all groups verify, and they end where the segment's groups are said to.
    pub(crate) fn is_whole_to(&self, end: Position) -> bool {
        self.first_bad.as_ref().is_none_or(|bad| bad.start >= end) && self.whole_end == end
    }

    /// The checksum of the header with which the digest comes to `seal`, if all groups verify.
    pub(crate) fn header_check(&self, seal: u32) -> Option<u32> {
        Affine::new(&self.digests).solve(seal)
    }

    /// Where the footer lies and the digest that it states.
    pub(crate) fn sealed(&self) -> Option<(Position, u32)> {
        self.footer.map(|(at, footer)| (at, footer.seal))
    }

    /// Whether the first thing is where it should be.
    pub(crate) fn begins_there(&self) -> bool {
        self.start_is_good
    }

    /// Whether the first thing that verifies is a footer where the first group would be.
    pub(crate) fn is_empty_at(&self, start: Position) -> bool {
        self.footer.is_some_and(|(at, _)| at == start) && self.totals.groups == 0
    }
}

/// The header of a segment's file, if it verifies and is of this log, and its length.
pub(crate) fn header_at(store: &dyn Store, survey: &Survey, base: Position) -> Result<Option<Header>> {
    let head = match store.read(&Name::new(name::segment(base))?, 0..HEADER_BYTES) {
        Ok(head) => head,
        Err(error) if matches!(error.kind(), Kind::NotThere | Kind::Invalid) => return Ok(None),
        Err(error) => return Err(error),
    };
    let header = Header::decode(base, &head).ok();
    Ok(header.filter(|header| Some(header.identity) == survey.identity()))
}

/// The header of the next file behind a segment that verifies and is no leftover.
pub(crate) fn header_behind(store: &dyn Store, survey: &Survey, base: Position) -> Result<Option<Header>> {
    let is_aside = |other: Position| {
        let aside = survey.aside().iter().find(|aside| aside.base == other);
        aside.is_some_and(|aside| aside.because == Because::Dead)
    };
    let mut asked = 0;
    for page in store.list_after(&Name::ROOT, &name::segment(base))? {
        for entry in page? {
            let Some(other) = name::parse_segment(&entry.name).filter(|&other| !is_aside(other)) else {
                continue;
            };
            if let Some(header) = header_at(store, survey, other)? {
                return Ok(Some(header));
            }
            asked += 1;
            if asked == NEIGHBOURS_MAX {
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// What the segment behind says of this one, and where it begins itself.
pub(crate) fn said_behind(behind: Option<&Header>, base: Position) -> Option<(Position, Previous)> {
    let previous = behind?.previous.filter(|previous| previous.base == base)?;
    Some((behind?.base, previous))
}

/// Seals a segment whose header verifies and whose end does not lead on: its footer made again from what it holds, and
/// from what the segment behind says of it; bytes behind the footer cut off. None if that does not help: nothing is bad
/// there, or nothing that verifies lies behind what is bad, and so is kept by it.
pub(crate) fn seal_again(store: &dyn Store, survey: &Survey, base: Position) -> Result<Option<Action>> {
    let file = Name::new(name::segment(base))?;
    let Some(header) = header_at(store, survey, base)? else { return Ok(None) };
    let Some(file_len) = len(store, &file)? else { return Ok(None) };
    let behind = header_behind(store, survey, base)?;
    let said = said_behind(behind.as_ref(), base);
    if said.is_some() && behind.as_ref().is_some_and(|behind| behind.begins_epoch) && !header.begins_epoch {
        return Ok(None); // a later epoch closes it: it needs no footer
    }
    let body = Body::read(store, header.life(), base, header.body(), file_len, header.check())?;
    let end = match (said, body.footer) {
        (Some((_, previous)), _) => previous.end,
        (None, Some((at, _))) if at >= body.whole_end => at,
        (None, _) => body.whole_end,
    };
    let whole = body.is_whole_to(end);
    let seal = match (said, body.footer) {
        (Some((_, previous)), _) if whole && previous.seal != body.totals.seal => return Ok(None),
        _ if whole => body.totals.seal,
        (Some((_, previous)), _) => previous.seal,
        (None, Some((_, footer))) => footer.seal,
        (None, None) => body.totals.seal,
    };
    // A tail of which nothing verifies: what it may have held is for the log's own start to decide.
    let is_tail = said.is_none() && body.footer.is_none() && store.append().is_some();
    if end < body.whole_end || (whole && is_tail) || !(whole || body.good_behind) {
        return Ok(None);
    }
    // Groups that begin where the footer should lie: what is said of the end is not of this segment.
    if body.totals.index.iter().any(|entry| entry.position >= end) {
        return Ok(None);
    }
    let footer = made(&header, behind.as_ref(), survey, &body, end, seal);
    let bytes = footer.encode(header.life(), end, &body.totals.index);
    let (offset, footer_end) = (end.since(base), end.since(base) + bytes.len() as u64);
    let there = store.read(&file, offset..footer_end)?;
    let writes = if there == bytes { Vec::new() } else { vec![(offset, Bytes::from(bytes))] };
    let cut = (file_len != footer_end).then_some(footer_end);
    if writes.is_empty() && cut.is_none() {
        return Ok(None);
    }
    Ok(Some(Action::Rewrite { file, writes, len: cut }))
}

/// The footer of a segment whose groups end at `end`.
fn made(
    header: &Header,
    behind: Option<&Header>,
    survey: &Survey,
    body: &Body,
    end: Position,
    seal: u32,
) -> Footer {
    let whole = body.is_whole_to(end);
    let stated = body.footer.filter(|&(at, _)| at == end).map(|(_, footer)| footer);
    let said = said_behind(behind, header.base);
    let closed = behind.map_or(survey.engine_time(), |behind| behind.time).max(header.time);
    let sealed_at = stated.map_or(closed, |footer| footer.sealed_at);
    let mut footer = Totals { seal, ..body.totals.clone() }.footer(
        end,
        None,
        // Where something is bad, what is kept counts as acknowledged from now on; else nothing is made of it.
        stated.filter(|_| whole).map_or(end, |footer| footer.acked),
        stated.map_or(survey.begins().min(end), |footer| footer.begins),
        sealed_at,
    );
    // An epoch's first segment leaves room for what the writer before it had in flight.
    let room = if header.begins_epoch { in_flight_behind(header, survey) } else { footer.next };
    let next = said.map(|(next, _)| next).or(stated.map(|footer| footer.next));
    footer.next = next.unwrap_or(room).max(footer.next);
    if let Some(stated) = stated.filter(|_| !whole) {
        // It was there when all could be counted.
        (footer.records, footer.groups) = (stated.records, stated.groups);
        (footer.least, footer.greatest) = (stated.least, stated.greatest);
        footer.payload_bytes = stated.payload_bytes;
    }
    footer
}

fn in_flight_behind(header: &Header, survey: &Survey) -> Position {
    let files_end = survey.aside().iter().map(|aside| aside.base.plus(aside.file_len)).max();
    let from = header.base.max(files_end.unwrap_or_default()).plus(header.in_flight_bytes_max);
    Position(from.0.next_multiple_of(8))
}
