//! Replaying a log: every record from a position or a time on, oldest first.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::chain::{Chain, Segment};
use super::feed::Feed;
use super::look::{Depth, look_near};
use super::parts::Parts;
use super::read::Record;
use super::source::{File, Reads, segment_name};
use super::survey::Survey;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::codec;
use crate::format::footer::{Footer, IndexEntry};
use crate::format::frame::{Codec, FRAME_HEADER_BYTES};
use crate::format::scan::{Frame, Seen, Walk};
use crate::format::{Handle, Position};
use crate::store::{Store, leasing};

/// The records of a log, as it stood when the replay began.
///
/// Damage is an item of its own, an error that names file and offset; the records around it follow. What was lost and
/// accepted ([`Survey::lost`]) is passed over. Any other error, such as a failed read, ends the replay.
///
/// It holds a window of 256 KiB, or one record that is longer; of an object store a segment, or 8 MiB of one that is
/// longer, and up to 64 MiB that are read ahead, 64 reads at most. Dropped, it gives those up. A payload of 2 KiB or more
/// may share the window's memory with its neighbours, up to 128 times its length: copy what is kept for long. Shorter
/// ones are copies already.
#[derive(Debug)]
pub struct Replay {
    store: Arc<dyn Store>,
    /// The part of the chain that is being replayed, and those behind it.
    chain: Arc<Chain>,
    parts: Parts<Arc<dyn Store>>,
    from: Position,
    since: Time,
    limit: u32,
    next_segment: usize,
    current: Option<Current>,
    /// What segments are read by, between two of them.
    feed: Option<Feed>,
    /// What opening found damaged and is not told yet: where it begins, and what to say of it.
    damages: VecDeque<(Position, Error)>,
    done: bool,
}

/// What became of a segment that is not there.
enum Gone {
    Retired,
    /// Its loss was accepted.
    Accepted,
    Damaged(Error),
}

#[derive(Debug)]
struct Current {
    segment: Segment,
    walk: Walk<File<Feed>>,
    /// Everything below was told: as records, as the log's own, or as damage.
    told: Position,
}

impl Replay {
    /// Everything at or behind `from` whose time is at or behind `since`.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        chain: Arc<Chain>,
        from: Position,
        since: Time,
        limit: u32,
    ) -> Result<Self> {
        if from < chain.begins && from != Position::START {
            return Err(Error::new(
                Kind::Retired,
                format!("the log begins later: asked={from} begins={}", chain.begins),
            ));
        }
        let mut parts = Parts::new(store.clone(), chain.clone(), from)?;
        let (mut chain, mut damages) = (chain, VecDeque::new());
        if let Some(part) = parts.next()? {
            damages.extend(part.damages(from));
            chain = part.chain;
        }
        let next_segment = chain.first_reaching(from);
        let feed = Some(Feed::new(store.clone(), chain.clone(), since));
        Ok(Replay {
            store,
            chain,
            parts,
            from,
            since,
            limit,
            next_segment,
            current: None,
            feed,
            damages,
            done: false,
        })
    }

    /// Says in its turn what opening found damaged: the chain alone passes over it.
    #[must_use]
    pub(crate) fn telling(mut self, survey: &Survey) -> Self {
        let wanted = survey.damages().iter().filter(|damage| damage.range.end > self.from);
        self.damages.extend(wanted.map(|damage| (damage.range.start, survey.refusal_for(damage))));
        self
    }

    fn step(&mut self) -> Result<Option<Result<Record>>> {
        loop {
            let Some(current) = &mut self.current else {
                let next = self.chain.segments.get(self.next_segment).map(|segment| segment.base);
                let last = self.parts.is_over();
                let due = |damage: &mut (Position, Error)| next.map_or(last, |next| damage.0 < next);
                if let Some((_, error)) = self.damages.pop_front_if(due) {
                    return Ok(Some(Err(error)));
                }
                let Some(segment) = self.chain.segments.get(self.next_segment).cloned() else {
                    let Some(part) = self.parts.next()? else { return Ok(None) };
                    self.damages.extend(part.damages(self.from));
                    self.damages.make_contiguous().sort_by_key(|&(at, _)| at);
                    (self.chain, self.next_segment) = (part.chain, 0);
                    self.feed = Some(self.feed());
                    continue;
                };
                let index = self.next_segment;
                self.next_segment += 1;
                if self.feed.as_ref().is_some_and(|feed| feed.wants(&segment)) {
                    if self.is_open(&segment)? {
                        let message =
                            "the newest segment is being written, and cannot be read before it is sealed";
                        return Ok(Some(Err(Error::new(Kind::Unavailable, message))));
                    }
                    self.current = Some(self.enter(index, segment)?);
                }
                continue;
            };
            let seen = current.walk.next()?;
            if let Some(seen) = &seen {
                current.told = current.told.max(seen.end());
            }
            match seen {
                None => {
                    let end = current.segment.end.min(self.chain.shown);
                    let (told, base) = (current.told.max(self.from), current.segment.base);
                    let over = self.current.take();
                    self.feed = over.map(|over| over.walk.into_source().into_reads());
                    let range = told..end;
                    if told < end && !self.chain.is_lost(&range) {
                        return Ok(Some(Err(damaged(
                            &*self.store,
                            base,
                            range,
                            "nothing where groups were",
                        ))));
                    }
                }
                Some(Seen::Frame(frame)) => {
                    let wanted =
                        frame.at >= self.from && frame.header.time >= self.since && !frame.header.own;
                    if wanted {
                        // If this one record is beyond us, the next one may not be.
                        return Ok(Some(current.record(frame, self.chain.identity, self.limit)));
                    }
                }
                Some(Seen::Bad(bad)) if bad.range.end > self.from && !self.chain.is_lost(&bad.range) => {
                    let (base, what) = (current.segment.base, bad.what.to_string());
                    return Ok(Some(Err(damaged(&*self.store, base, bad.range, &what))));
                }
                Some(_) => {}
            }
        }
    }

    /// Whether a segment is being written under a lease, so that not all of it shows.
    fn is_open(&self, segment: &Segment) -> Result<bool> {
        if segment.sealed || segment.begins_epoch || segment.closed_at.is_some() {
            return Ok(false);
        }
        leasing(&*self.store).map_or(Ok(false), |(_, leases)| leases.is_open(&segment_name(segment.base)))
    }

    /// A walk over the segment that begins at the last group it can begin at.
    fn enter(&mut self, index: usize, segment: Segment) -> Result<Current> {
        let end = segment.end.min(self.chain.shown);
        let life = self.chain.life(&segment);
        let mut offset = segment.body;
        if segment.sealed && self.from > segment.start() {
            let entry = self.index(&segment)?.into_iter().rev().find(|entry| entry.position <= self.from);
            offset = entry.map_or(offset, |entry| entry.position.since(segment.base));
        }
        let mut feed = self.feed.take().expect("between two segments the feed is here");
        feed.enter(index, offset);
        let file = File::new(feed, segment_name(segment.base), end.since(segment.base)).holding(self.limit);
        let walk = Walk::from(file, life, segment.base, offset);
        let told = segment.base.plus(offset);
        Ok(Current { segment, walk, told })
    }

    /// What to say of a segment that is not there and was not retired: a look that rests on a summary does not miss it.
    fn lost(&mut self) -> Result<Gone> {
        let Some(segment) = self.chain.segments.get(self.next_segment.wrapping_sub(1)) else {
            return Ok(Gone::Retired);
        };
        if self.store.append().is_some()
            || look_near(&*self.store, Position::START, Depth::Quick)?.begins() > segment.base
        {
            return Ok(Gone::Retired);
        }
        let (base, range) = (segment.base, segment.start().max(self.from)..segment.end);
        self.current = None;
        self.feed = Some(self.feed());
        if self.chain.is_lost(&range) {
            return Ok(Gone::Accepted);
        }
        Ok(Gone::Damaged(damaged(&*self.store, base, range, "the file has gone")))
    }

    /// What the segments of this part are read by, from the next one on.
    fn feed(&self) -> Feed {
        Feed::new(self.store.clone(), self.chain.clone(), self.since)
    }

    /// The sparse index of a sealed segment; empty if its footer does not verify, which costs only time.
    fn index(&self, segment: &Segment) -> Result<Vec<IndexEntry>> {
        let offset = segment.end.since(segment.base);
        let bytes = self.store.read(&segment_name(segment.base), offset..segment.file_len)?;
        let life = self.chain.life(segment);
        let footer = Footer::decode(life, segment.end, &bytes);
        Ok(footer.and_then(|footer| footer.decode_index(life, segment.end, &bytes)).unwrap_or_default())
    }
}

impl Current {
    #[inline(always)]
    fn record(&mut self, frame: Frame, identity: u64, limit: u32) -> Result<Record> {
        record(&mut self.walk, frame, &self.segment, identity, limit)
    }
}

/// The error that says, in its place, what does not verify.
pub(crate) fn damaged(store: &dyn Store, base: Position, range: Range<Position>, what: &str) -> Error {
    let message = format!(
        "{what}; the records around it follow; run `wal-inspect check {}` from={} to={}",
        store.place(),
        range.start,
        range.end
    );
    Error::new(Kind::Damaged, message).at(segment_name(base).as_str(), range.start.since(base))
}

/// The record of a frame that a walk has come upon.
#[inline(always)]
pub(crate) fn record<R: Reads>(
    walk: &mut Walk<File<R>>,
    frame: Frame,
    segment: &Segment,
    identity: u64,
    limit: u32,
) -> Result<Record> {
    let Frame { at, header, check, .. } = frame;
    let offset = at.since(segment.base);
    let here = |error: Error| error.at(segment_name(segment.base).as_str(), offset);
    if header.stored_len > limit {
        let message = format!("the record is longer than record_bytes_max={limit} allows");
        return Err(here(Error::new(Kind::Invalid, message)));
    }
    // The very bytes that the walk has verified: read again, they might be others.
    let Some(mut payload) = walk.source().verified(offset + FRAME_HEADER_BYTES, header.stored_len) else {
        unreachable!("the file holds payloads up to the same limit, and the walk has verified this one")
    };
    if header.codec != Codec::Raw {
        payload = codec::expand(&header, payload, limit as usize).map_err(here)?;
    }
    let handle = Handle {
        identity,
        epoch: segment.epoch,
        position: at,
        base: segment.base,
        stored_len: header.stored_len,
        check,
    };
    Ok(Record { handle, time: header.time, kind: header.kind, payload })
}

impl Iterator for Replay {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(current) = &mut self.current {
            while let Some(frame) = current.walk.next_in_turn() {
                current.told = current.told.max(frame.end());
                if frame.at >= self.from && frame.header.time >= self.since && !frame.header.own {
                    return Some(current.record(frame, self.chain.identity, self.limit));
                }
            }
        }
        if self.done {
            return None;
        }
        loop {
            let failed = match self.step() {
                Ok(Some(item)) => return Some(item),
                Ok(None) => {
                    self.done = true;
                    return None;
                }
                Err(gone) if gone.kind() == Kind::NotThere => match self.lost() {
                    Ok(Gone::Accepted) => continue,
                    Ok(Gone::Damaged(lost)) => return Some(Err(lost)),
                    Ok(Gone::Retired) => {
                        let message =
                            "a segment went while it was replayed: it was retired; pin what is still needed";
                        Error::new(Kind::Retired, message).because(gone)
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.done = true;
            return Some(Err(failed));
        }
    }
}
