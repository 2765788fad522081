//! The writer of a log: one group after the other goes to the device, segments are sealed and begun. It runs in
//! whatever thread calls it and knows no clock.

use std::sync::Arc;

use bytes::Bytes;

use super::chain::Segment;
use super::look::{Depth, look};
use super::options::{MARKS_BYTES, Options};
use super::record::{Prepared, encode};
use super::source::segment_name;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::group::GROUP_HEADER_BYTES;
use crate::format::header::{Header, Previous};
use crate::format::seed::Life;
use crate::format::totals::Totals;
use crate::format::{Durability, Handle, Identity, Position, Unsettled};
use crate::store::{Append, Own, Store, Tail};

/// The length of a segment that is made from the reserve of a full disk, for retire marks alone.
const MARKS_SEGMENT_BYTES: u64 = 16 * 1024;

/// The room that is kept back for the day when the disk is full: for `start`, and for retiring.
const RESERVE_BYTES: u64 = 64 * 1024;

/// Where there is no room for all of the reserve, it is tried with so many bytes less each time.
const RESERVE_STEP_BYTES: u64 = 8 * 1024;

/// How often a put whose outcome is unknown is repeated, with the same name and the same bytes.
const PUT_TRIES: usize = 3;

/// A write that did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no room for a next segment. Nothing was handed over and the writer goes on: try again.
    Full(Error),
    /// The writer is dead. If the group was handed over, these are the places of its records.
    Dead(Error, Vec<Unsettled>),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Dead(error, Vec::new())
    }
}

/// The segment that grows.
struct Active {
    tail: Box<dyn Tail>,
    header: Header,
    /// Where the next group goes, as an offset.
    offset: u64,
    len: u64,
    totals: Totals,
    /// Made from the reserve of a full disk: callers' records do not go here.
    marks_only: bool,
}

impl Active {
    fn room(&self, kept: u64) -> u64 {
        let footer = Totals::footer_bytes_max(self.len) + u64::from(self.header.block_bytes);
        self.len.saturating_sub(self.offset + footer + kept)
    }
}

/// The writer.
pub(crate) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) options: Options,
    pub(super) identity: Identity,
    pub(super) token: [u8; 16],
    pub(super) epoch: u64,
    pub(super) begins: Position,
    pub(super) previous: Previous,
    /// Where the next segment begins.
    pub(super) next: Position,
    /// Everything below was acknowledged; of a `Process` log, synced.
    pub(super) acked: Position,
    /// Where the groups handed over end.
    pub(super) end: Position,
    pub(super) closed: Vec<Segment>,
    pub(super) owner: Option<Box<dyn Own>>,
    pub(super) idle_said: bool,
    /// What headers say of the engine's time, until somebody confirms it.
    pub(crate) clock_in_doubt: bool,
    /// How many bytes are kept back for the day when the disk is full.
    reserve: u64,
    /// The places of the group that is at the device, for the case that handing it over panics.
    pub(crate) handed: Vec<Unsettled>,
    active: Option<Active>,
    dead: bool,
}

impl Writer {
    pub(super) fn new(
        store: Arc<dyn Store>,
        options: Options,
        first: &Header,
        seal: u32,
        next: Position,
        owner: Option<Box<dyn Own>>,
    ) -> Self {
        let end = first.base.plus(first.body());
        Writer {
            store,
            options,
            identity: first.identity,
            token: first.token,
            epoch: first.epoch,
            begins: first.begins,
            previous: Previous { base: first.base, end, seal },
            next,
            acked: next,
            end: next,
            closed: Vec::new(),
            owner,
            idle_said: true,
            clock_in_doubt: first.clock_in_doubt,
            reserve: 0,
            handed: Vec::new(),
            active: None,
            dead: false,
        }
    }

    /// Where the groups that were handed over end.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// The segment that grows, as readers of this process see it.
    pub(crate) fn active(&self) -> Option<Segment> {
        let active = self.active.as_ref()?;
        Some(self.describe(active, self.end, self.end, None))
    }

    /// The segments that were sealed since the last call.
    pub(crate) fn take_closed(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.closed)
    }

    /// The engine's time when the active segment was made.
    pub(crate) fn active_since(&self) -> Option<Time> {
        self.active.as_ref().map(|active| active.header.time)
    }

    fn life(&self) -> Life {
        Life { identity: self.identity.short(), epoch: self.epoch }
    }

    fn block(&self) -> u64 {
        u64::from(self.options.block_bytes)
    }

    /// Hands a group over and returns its handles once it is durable (of a `Process` log: once it is written).
    pub(crate) fn write(&mut self, records: &[Prepared], now: Time) -> Result<Vec<Handle>, Failed> {
        assert!(!records.is_empty(), "a group of records has records");
        self.alive()?;
        let frames: u64 = records.iter().map(Prepared::frame_len).sum();
        let group = (GROUP_HEADER_BYTES + frames).next_multiple_of(self.block());
        let result = match self.store.clone().append() {
            None => self.put_group(records, now),
            Some(_) => self.append_group(records, group, false, now),
        };
        self.note(result)
    }

    /// Hands over a retire mark: the log begins at `begins` from now on. It works on a full disk.
    pub(crate) fn mark(&mut self, begins: Position, now: Time) -> Result<(), Failed> {
        self.alive()?;
        assert!(begins >= self.begins && begins <= self.next, "a log begins where a segment begins");
        let records = [Prepared::retire_mark(begins, now)];
        let group = (GROUP_HEADER_BYTES + records[0].frame_len()).next_multiple_of(self.block());
        let result = match self.store.clone().append() {
            None => self.put_group(&records, now),
            Some(_) => self.append_group(&records, group, true, now),
        };
        let result = match result {
            Ok(_) => self.sync(),
            Err(failed) => Err(failed),
        };
        self.note(result)?;
        self.begins = begins;
        Ok(())
    }

    /// Says once in the log that everything was acknowledged; of a `Process` log, syncs it first.
    pub(crate) fn idle(&mut self) -> Result<(), Failed> {
        self.alive()?;
        let result = self.sync().and_then(|()| self.say_idle());
        self.note(result)
    }

    /// Syncs what a `Process` log has only written.
    pub(crate) fn sync(&mut self) -> Result<(), Failed> {
        if let Some(active) = self.active.as_ref().filter(|_| self.acked < self.end) {
            active.tail.sync()?;
            self.acked = self.end;
        }
        Ok(())
    }

    /// Seals the active segment, if there is one: its footer, then nothing.
    pub(crate) fn seal(&mut self, now: Time) -> Result<(), Failed> {
        self.alive()?;
        let result = self.seal_active(now);
        self.note(result)
    }

    fn alive(&self) -> Result<()> {
        if self.dead { Err(Error::new(Kind::Closed, "the writer has failed before")) } else { Ok(()) }
    }

    fn note<T>(&mut self, result: Result<T, Failed>) -> Result<T, Failed> {
        self.dead |= matches!(result, Err(Failed::Dead(..)));
        result
    }

    fn say_idle(&mut self) -> Result<(), Failed> {
        if self.idle_said {
            return Ok(());
        }
        self.idle_said = true;
        let encoded =
            encode(self.life(), self.end, self.acked, self.options.block_bytes, Position::START, &[]);
        let len = encoded.bytes.len() as u64;
        // Without room for it, the footer will say it.
        let Some(active) = self.active.as_mut().filter(|active| active.room(MARKS_BYTES) >= len) else {
            return Ok(());
        };
        active.tail.write(active.offset, &[&encoded.bytes])?;
        active.tail.sync()?;
        active.totals.group(self.end, &encoded.header, encoded.check);
        active.offset += len;
        self.end = self.end.plus(len);
        self.acked = self.end;
        Ok(())
    }

    fn append_group(
        &mut self,
        records: &[Prepared],
        group: u64,
        mark: bool,
        now: Time,
    ) -> Result<Vec<Handle>, Failed> {
        let kept = if mark { 0 } else { MARKS_BYTES };
        let young = |active: &Active| now < active.header.time.after(self.options.segment_age);
        let fits =
            |active: &Active| active.room(kept) >= group && (mark || (!active.marks_only && young(active)));
        if !self.active.as_ref().is_some_and(fits) {
            self.roll(group, mark, now)?;
        }
        let position = self.end;
        // A `Process` log bounds what is not synced as others bound what is not acknowledged.
        if self.end.plus(group).since(self.acked) > self.options.in_flight_bytes() {
            self.sync()?;
        }
        let (life, acked) = (self.life(), self.acked);
        let active = self.active.as_mut().expect("a segment is active after rolling");
        let encoded = encode(life, position, acked, self.options.block_bytes, active.header.base, records);
        assert_eq!(encoded.bytes.len() as u64, group, "a group is as long as was planned");
        let power = self.options.durability == Durability::Power;
        self.handed = encoded.handles.iter().copied().map(Unsettled).collect();
        let written = active.tail.write(active.offset, &[&encoded.bytes]);
        let written = written.and_then(|()| if power { active.tail.sync() } else { Ok(()) });
        if let Err(error) = written {
            return Err(Failed::Dead(error, std::mem::take(&mut self.handed)));
        }
        self.handed.clear();
        active.totals.group(position, &encoded.header, encoded.check);
        encoded.frames.iter().for_each(|(header, check)| active.totals.frame(header, *check));
        active.offset += group;
        self.end = position.plus(group);
        self.idle_said = false;
        if power {
            self.acked = self.end;
        }
        Ok(encoded.handles)
    }

    /// Seals the active segment and begins one that holds a group of so many bytes.
    ///
    /// The next segment's room is found before the footer is written: on a full disk the active segment stays, and
    /// takes retire marks.
    fn roll(&mut self, group: u64, mark: bool, now: Time) -> Result<(), Failed> {
        let store = self.store.clone();
        let append = store.append().expect("only growing media roll");
        if let Some(owner) = &self.owner {
            owner.check()?;
        }
        let mut len = self.options.segment_len(group).max(self.options.segment_bytes);
        let mut marks_only = false;
        match append.ahead(len) {
            Err(full) if full.kind() == Kind::Full && mark => {
                append.release()?;
                self.reserve = 0;
                len = MARKS_SEGMENT_BYTES.max(self.options.segment_len(group));
                marks_only = true;
            }
            Err(full) if full.kind() == Kind::Full => return Err(Failed::Full(full)),
            other => other?,
        }
        self.seal_active(now)?;
        let header = self.header(self.next, false, now);
        let bytes = header.encode();
        let tail = match append.create(&segment_name(header.base), &bytes, len) {
            Err(full) if full.kind() == Kind::Full => {
                self.restore_reserve()?;
                return Err(Failed::Full(full));
            }
            Err(error) if error.kind() == Kind::Exists => {
                return Err(Failed::from(
                    Error::new(Kind::Fenced, "another writer has begun a segment here").because(error),
                ));
            }
            other => other?,
        };
        let offset = header.body();
        self.end = header.base.plus(offset);
        // A header counts as acknowledged: it is durable before the segment has a name.
        self.acked = self.end;
        let totals = Totals::new(check_of(&bytes));
        self.active = Some(Active { tail, header, offset, len, totals, marks_only });
        self.reserve = keep_reserve(append)?;
        Ok(())
    }

    /// Keeps back again what a full disk took of the reserve, as far as there is room now. Whoever filled the disk may
    /// take every byte that comes free, so this is done at once wherever some may have.
    pub(crate) fn restore_reserve(&mut self) -> Result<()> {
        if let Some(append) = self.store.append().filter(|_| self.reserve < RESERVE_BYTES) {
            self.reserve = keep_reserve(append)?;
        }
        Ok(())
    }

    fn seal_active(&mut self, now: Time) -> Result<(), Failed> {
        self.sync()?;
        let (life, acked, begins) = (self.life(), self.acked, self.begins);
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        let position = self.end;
        let footer = active.totals.footer(position, None, acked, begins, now);
        let bytes = footer.encode(life, position, &active.totals.index);
        // Durable before the next segment's header is; then nothing may lie behind it.
        active.tail.write(active.offset, &[&bytes])?;
        active.tail.sync()?;
        let len = active.offset + bytes.len() as u64;
        active.tail.trim(len)?;
        let active = self.active.take().expect("it was there");
        let mut segment = self.describe(&active, position, footer.next, Some(now));
        segment.file_len = len;
        self.previous = segment.as_previous();
        self.closed.push(segment);
        self.next = footer.next;
        self.end = footer.next;
        self.acked = footer.next;
        Ok(())
    }

    fn describe(&self, active: &Active, end: Position, next: Position, sealed_at: Option<Time>) -> Segment {
        let Totals { records, least, greatest, seal, .. } = active.totals;
        Segment {
            base: active.header.base,
            end,
            next,
            file_len: active.len,
            epoch: self.epoch,
            body: active.header.body(),
            begins_epoch: false,
            sealed: sealed_at.is_some(),
            seal: Some(seal),
            made_at: active.header.time,
            closed_at: sealed_at,
            times: (records > 0).then_some((least, greatest)),
            records: Some(records),
        }
    }

    fn header(&self, base: Position, whole: bool, now: Time) -> Header {
        Header {
            identity: self.identity,
            durability: self.options.durability,
            begins_epoch: false,
            whole,
            clock_in_doubt: self.clock_in_doubt,
            token: self.token,
            epoch: self.epoch,
            base,
            time: now,
            acked: self.acked,
            previous: Some(self.previous),
            block_bytes: self.options.block_bytes,
            begins: self.begins,
            in_flight_bytes_max: self.options.in_flight_bytes(),
            lost: Vec::new(),
        }
    }

    /// Puts a group as a sealed segment of its own.
    fn put_group(&mut self, records: &[Prepared], now: Time) -> Result<Vec<Handle>, Failed> {
        let header = self.header(self.next, true, now);
        let head = header.encode();
        let position = header.base.plus(header.body());
        let encoded = encode(self.life(), position, self.acked, header.block_bytes, header.base, records);
        let mut totals = Totals::new(check_of(&head));
        totals.group(position, &encoded.header, encoded.check);
        encoded.frames.iter().for_each(|(header, check)| totals.frame(header, *check));
        let end = position.plus(encoded.bytes.len() as u64);
        let footer = totals.footer(end, None, self.acked, self.begins, now);
        let mut bytes = vec![0; header.body() as usize];
        bytes[..head.len()].copy_from_slice(&head);
        bytes.extend_from_slice(&encoded.bytes);
        bytes.extend_from_slice(&footer.encode(self.life(), end, &totals.index));
        let file_len = bytes.len() as u64;
        self.handed = encoded.handles.iter().copied().map(Unsettled).collect();
        if let Err(error) = self.put_settled(header.base, bytes.into()) {
            let places = std::mem::take(&mut self.handed);
            // For want of room nothing of it is there, and the name is free for another try.
            let nothing = error.kind() == Kind::Full;
            return Err(if nothing { Failed::Full(error) } else { Failed::Dead(error, places) });
        }
        self.handed.clear();
        let segment = Segment {
            base: header.base,
            end,
            next: footer.next,
            file_len,
            epoch: self.epoch,
            body: header.body(),
            begins_epoch: false,
            sealed: true,
            seal: Some(footer.seal),
            made_at: now,
            closed_at: Some(now),
            times: (footer.records > 0).then_some((footer.least, footer.greatest)),
            records: Some(footer.records),
        };
        self.previous = segment.as_previous();
        self.closed.push(segment);
        self.next = footer.next;
        self.end = footer.next;
        self.acked = footer.next;
        Ok(encoded.handles)
    }

    /// Puts a segment, and settles an answer that was lost: with the same name and the same bytes, or not at all.
    fn put_settled(&self, base: Position, bytes: Bytes) -> Result<()> {
        let name = segment_name(base);
        let (mut doubt, mut last) = (None, None);
        for _ in 0..PUT_TRIES {
            match self.store.put(&name, bytes.clone()) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == Kind::Exists => return self.settle_exists(base, &bytes, error),
                // Once a put may have landed, only these bytes may be put under this name, whatever hinders them.
                Err(error) if error.kind() == Kind::Unknown => doubt = Some(error),
                Err(error) if error.kind() == Kind::Unavailable => last = Some(error),
                Err(error) => return Err(doubt.unwrap_or(error)),
            }
        }
        Err(doubt.or(last).expect("it was tried"))
    }

    /// The name is taken: by our own put whose answer was lost, by the segment that replaced us, or nobody knows.
    fn settle_exists(&self, base: Position, bytes: &Bytes, exists: Error) -> Result<()> {
        let name = segment_name(base);
        let unknown = |because: Error| {
            Error::new(Kind::Unknown, "the name is taken, and what is there could not be read")
                .because(because)
        };
        let there = self.store.read(&name, 0..bytes.len() as u64 + 1).map_err(unknown)?;
        if there == *bytes {
            return Ok(());
        }
        let newer = match Header::decode(base, &there) {
            Ok(header) if header.identity == self.identity && header.epoch > self.epoch => header.epoch,
            _ => {
                let message = "the name is taken by what this writer did not put";
                return Err(Error::new(Kind::Unknown, message).because(exists).at(name.as_str(), 0));
            }
        };
        // A name below the beginning proves nothing: our group may have been there, become part of the log, been
        // retired and removed, and the newer segment landed late in the hole. The order matters: first that one was
        // read, then where the log begins.
        let begins = look(&*self.store, Position::START, Depth::Quick).map_err(unknown)?.begins();
        let message = format!(
            "a newer writer has taken this log over; stop, or start again: epoch={} newer={newer}",
            self.epoch
        );
        let kind = if begins > base { Kind::Unknown } else { Kind::Fenced };
        Err(Error::new(kind, message).at(name.as_str(), 0))
    }
}

/// Keeps room back for the day when the disk is full: all of it, or as much as there is room for. How much that is.
pub(super) fn keep_reserve(append: &dyn Append) -> Result<u64> {
    let mut len = RESERVE_BYTES;
    while len > 0 {
        match append.reserve(len) {
            Err(full) if full.kind() == Kind::Full => len -= RESERVE_STEP_BYTES,
            other => return other.map(|()| len),
        }
    }
    Ok(0)
}

/// The checksum in an encoded header.
pub(super) fn check_of(header: &[u8]) -> u32 {
    u32::from_le_bytes([header[8], header[9], header[10], header[11]])
}
