//! The writer of a log: it gives groups their places, takes them in when they have landed, seals and begins segments.
//! It runs in whatever thread calls it and knows no clock.

use std::sync::Arc;

use super::chain::Segment;
use super::fence;
use super::flight::{Flight, Leave, Put, Way};
use super::options::{MARKS_BYTES, Options};
use super::record::{Encoded, Place, Prepared, group_len};
use super::source::segment_name;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::header::{self, Header, Previous};
use crate::format::seed::Life;
use crate::format::totals::Totals;
use crate::format::{Durability, Handle, Identity, Position};
use crate::store::{Append, Own, Room, Store, Tail, leasing};

/// The length of a segment that is made from the reserve of a full disk, for retire marks alone.
const MARKS_SEGMENT_BYTES: u64 = 16 * 1024;

/// The room that is kept back for the day when the disk is full: for `start`, and for retiring.
const RESERVE_BYTES: u64 = 64 * 1024;

/// Where there is no room for all of the reserve, it is tried with so many bytes less each time.
const RESERVE_STEP_BYTES: u64 = 8 * 1024;

/// A write that did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no room for a next segment. Nothing was handed over and the writer goes on: try again.
    Full(Error),
    /// The writer is dead.
    Dead(Error),
}

impl Failed {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Failed::Full(error) | Failed::Dead(error) => error,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Dead(error)
    }
}

/// So much a `Process` log writes before it has it synced aside. Then little is left to sync when a segment is sealed.
const SYNC_ASIDE_BYTES: u64 = 8 << 20;

/// From so many bytes a group on the zeros that room is made of cost more than noting, with each sync, what was written to.
const ALLOTTED_FROM_BYTES: u64 = 64 << 10;

/// What a `Process` log has written and not synced.
#[derive(Debug)]
pub(crate) struct Unsynced {
    tail: Arc<dyn Tail>,
    /// Where it ends.
    end: Position,
}

impl Unsynced {
    pub(crate) fn sync(&self) -> Result<(), Failed> {
        Ok(self.tail.sync()?)
    }
}

/// The segment that grows.
struct Active {
    tail: Arc<dyn Tail>,
    header: Header,
    /// Where the next group goes, as an offset: behind those in flight.
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
    /// Where the groups end that have landed, with all before them.
    pub(super) end: Position,
    pub(super) closed: Vec<Segment>,
    pub(super) owner: Option<Box<dyn Own>>,
    pub(super) idle_said: bool,
    /// What headers say of the engine's time, until somebody confirms it.
    pub(crate) clock_in_doubt: bool,
    /// How many bytes are kept back for the day when the disk is full.
    reserve: u64,
    /// Groups that have a place and have not landed.
    flying: usize,
    ahead_asked: bool,
    /// How the next segment's room is made.
    room: Room,
    sync_asked: bool,
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
        let (end, room) = (first.base.plus(first.body()), room(options.durability, 0));
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
            flying: 0,
            ahead_asked: false,
            room,
            sync_asked: false,
            active: None,
            dead: false,
        }
    }

    /// Where the log begins, by what has landed.
    pub(crate) fn begins(&self) -> Position {
        self.begins
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where the groups end that have landed.
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

    /// Sees to it that a group with so many bytes of frames can be handed over, if need be by sealing the active segment
    /// and beginning another one. `false`: not before everything in flight has landed.
    pub(crate) fn make_room(&mut self, frames: u64, now: Time) -> Result<bool, Failed> {
        self.alive()?;
        let result = self.room_for(frames, false, now);
        self.note(result)
    }

    /// Gives a group of these records its place, for which there is room.
    ///
    /// Where a group is a segment of its own, the next one's header names it by its digest and begins where it ends. So
    /// its bytes are made here, in the order of the places, and it may be at the device beside those that follow.
    pub(crate) fn leave(&mut self, records: Vec<Prepared>, now: Time) -> Leave {
        self.flying += 1;
        let (life, acked, block_bytes) = (self.life(), self.acked, self.options.block_bytes);
        if self.store.append().is_none() {
            let header = self.header(self.next, true, now);
            let position = header.base.plus(header.body());
            let place = Place { life, position, base: header.base, block_bytes, acked };
            let encoded = Encoded::new(&place, &records);
            let put = Put::new(self.store.clone(), header, &place, &encoded, &records);
            self.previous = put.segment().as_previous();
            self.next = put.segment().next;
            return Leave { place, way: Way::Put(Box::new(put)), records, encoded: Some(encoded) };
        }
        let frames = records.iter().map(Prepared::frame_len).sum();
        // A stream may keep in this process what is not synced.
        let through = self.options.durability == Durability::Power || leasing(&*self.store).is_some();
        let active = self.active.as_mut().expect("there is room in an active segment");
        let (base, offset) = (active.header.base, active.offset);
        active.offset += group_len(frames, block_bytes);
        self.idle_said = false;
        let place = Place { life, position: base.plus(offset), base, block_bytes, acked };
        let way = Way::Tail { store: self.store.clone(), tail: active.tail.clone(), offset, through };
        Leave { place, way, records, encoded: None }
    }

    /// Takes in a group that has landed, and before it all those with places before it: it is acknowledged. Returns its
    /// handles.
    pub(crate) fn land(&mut self, flight: Flight) -> Vec<Handle> {
        self.flying -= 1;
        let Flight { place, encoded, .. } = &flight;
        if let Way::Put(put) = &flight.way {
            let segment = put.segment();
            assert_eq!(segment.base, self.end, "groups are taken in in the order of their places");
            self.end = segment.next;
            self.acked = segment.next;
            self.closed.push(segment.clone());
            return flight.encoded.handles;
        }
        assert_eq!(place.position, self.end, "groups are taken in in the order of their places");
        let active = self.active.as_mut().expect("a segment stays active until all in flight have landed");
        active.totals.group(place.position, &encoded.header, encoded.check);
        encoded.frames.iter().for_each(|(header, check)| active.totals.frame(header, *check));
        self.end = flight.end();
        if self.options.durability == Durability::Power {
            self.acked = self.end;
        }
        flight.encoded.handles
    }

    /// Of a group of which nothing is there, the last that has left: its place is free again.
    pub(crate) fn call_back(&mut self, flight: &Flight) {
        let Way::Put(put) = &flight.way else { unreachable!("a place in a file that grows is used up") };
        assert_eq!(put.segment().next, self.next, "nothing has left behind it");
        self.previous = put.previous();
        self.next = put.segment().base;
        self.flying -= 1;
    }

    /// A group has failed: nothing more is handed over.
    pub(crate) fn give_up(&mut self) {
        self.dead = true;
    }

    /// Hands over a retire mark: the log begins at `begins` from now on. It works on a full disk.
    pub(crate) fn mark(&mut self, begins: Position, now: Time) -> Result<(), Failed> {
        self.alive()?;
        assert!(begins >= self.begins && begins <= self.next, "a log begins where a segment begins");
        let result = self.write_mark(begins, now);
        self.note(result)?;
        self.begins = begins;
        // Nobody can read the mark while its segment is open, and to whoever looks what it retires would seem to be lost.
        if leasing(&*self.store).is_some() { self.seal(now) } else { Ok(()) }
    }

    fn write_mark(&mut self, begins: Position, now: Time) -> Result<(), Failed> {
        let record = Prepared::retire_mark(begins, now);
        let alone = self.room_for(record.frame_len(), true, now)?;
        assert!(alone, "a mark is handed over when nothing is in flight");
        let flight = self.leave(vec![record], now).encode();
        match flight.fly() {
            Ok(()) => {
                self.land(flight);
                self.sync()
            }
            Err(failed) => {
                if matches!(failed, Failed::Full(_)) {
                    self.call_back(&flight);
                }
                Err(failed)
            }
        }
    }

    /// Says once in the log that everything was acknowledged; of a `Process` log, syncs it first.
    pub(crate) fn idle(&mut self, now: Time) -> Result<(), Failed> {
        self.alive()?;
        let result = self.sync().and_then(|()| self.say_idle(now));
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

    fn say_idle(&mut self, now: Time) -> Result<(), Failed> {
        if self.idle_said {
            return Ok(());
        }
        self.idle_said = true;
        let len = group_len(0, self.options.block_bytes);
        // Without room for it, the footer will say it.
        if self.active.as_ref().is_none_or(|active| active.room(MARKS_BYTES) < len) {
            return Ok(());
        }
        let mut leave = self.leave(Vec::new(), now);
        if let Way::Tail { through, .. } = &mut leave.way {
            *through = true;
        }
        let flight = leave.encode();
        flight.fly()?;
        self.land(flight);
        self.acked = self.end;
        self.idle_said = true;
        Ok(())
    }

    /// See [`make_room`](Writer::make_room). On an object store a group needs no room, but what is in flight is bounded
    /// there too. A mark goes alone: with its answer all before it is acknowledged.
    fn room_for(&mut self, frames: u64, mark: bool, now: Time) -> Result<bool, Failed> {
        let group = group_len(frames, self.options.block_bytes);
        if self.store.append().is_none() {
            let footer = Totals::footer_bytes_max(group);
            let end = self.next.plus(header::body(self.options.block_bytes) + group + footer);
            let bounded = end.since(self.acked) <= self.options.in_flight_bytes();
            return Ok(self.flying == 0 || (bounded && !mark));
        }
        let kept = if mark { 0 } else { MARKS_BYTES };
        let young = |active: &Active| now < self.options.sealed_by(active.header.time);
        let fits =
            |active: &Active| active.room(kept) >= group && (mark || (!active.marks_only && young(active)));
        if !self.active.as_ref().is_some_and(fits) {
            if self.flying > 0 {
                return Ok(false);
            }
            // Nothing of the group is handed over, so wherever the newer writer has cut, it is not in the log.
            self.roll(group, mark, now).map_err(|failed| self.told(failed, Position::LIMIT))?;
        }
        // A `Process` log bounds what is not synced as others bound what is not acknowledged.
        let active = self.active.as_ref().expect("a segment is active after rolling");
        let end = active.header.base.plus(active.offset + group);
        if end.since(self.acked) > self.options.in_flight_bytes() {
            if self.flying > 0 {
                return Ok(false);
            }
            self.sync()?;
        }
        Ok(true)
    }

    /// How long the next segment will be, if nothing large comes, and how its room is made. Says so once a segment.
    pub(crate) fn wants_ahead(&mut self) -> Option<(u64, Room)> {
        self.store.append()?;
        let asked = std::mem::replace(&mut self.ahead_asked, true);
        (!asked).then_some((self.options.segment_bytes, self.room))
    }

    /// What is to be synced aside now, if there is much of it. Says so once, until it was.
    pub(crate) fn wants_sync(&mut self) -> Option<Unsynced> {
        let much = self.end.since(self.acked) >= SYNC_ASIDE_BYTES.min(self.options.segment_bytes / 4);
        if self.options.durability == Durability::Power || !much || self.sync_asked {
            return None;
        }
        let tail = self.active.as_ref()?.tail.clone();
        self.sync_asked = true;
        Some(Unsynced { tail, end: self.end })
    }

    /// Everything below was synced aside.
    pub(crate) fn synced(&mut self, unsynced: &Unsynced) {
        self.sync_asked = false;
        self.acked = self.acked.max(unsynced.end);
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
        let room = self.room;
        match append.ahead(len, room) {
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
        let tail = match append.create(&segment_name(header.base), &bytes, len, room) {
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
        let tail = Arc::from(tail);
        self.end = header.base.plus(offset);
        // A header counts as acknowledged: it is durable before the segment has a name.
        self.acked = self.end;
        let totals = Totals::new(check_of(&bytes));
        self.active = Some(Active { tail, header, offset, len, totals, marks_only });
        self.ahead_asked = false;
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

    /// A failure that a newer writer's taking over explains is `Fenced`, for whatever was to lie from `from` on.
    fn told(&self, failed: Failed, from: Position) -> Failed {
        match failed {
            Failed::Dead(error) => {
                let base = self.active.as_ref().map_or(self.previous.base, |active| active.header.base);
                Failed::Dead(fence::cause(&*self.store, self.life(), base, from, error))
            }
            full => full,
        }
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
        self.room = room(self.options.durability, active.offset / active.totals.groups.max(1));
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
}

/// How room is made for groups of so many bytes on average, if more like those come.
fn room(durability: Durability, group_bytes: u64) -> Room {
    match durability {
        Durability::Power if group_bytes < ALLOTTED_FROM_BYTES => Room::Written,
        _ => Room::Allotted,
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
