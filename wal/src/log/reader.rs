//! Reading a log from another process or another machine: no lock, no survey, nothing changed.

use std::sync::Arc;

use super::chain::Segment;
use super::kept::Kept;
use super::look::{Depth, look};
use super::many::Many;
use super::read::{Record, read};
use super::replay::{damaged, record};
use super::source::{File, Ranged, segment_name};
use super::survey::{Damage, Survey};
use super::window::{WINDOW_BYTES, Window};
use crate::error::{Error, Kind, Result};
use crate::format::footer::{FOOTER_HEAD_BYTES, Footer};
use crate::format::frame::PAYLOAD_BYTES_LIMIT;
use crate::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::format::name;
use crate::format::scan::{Seen, Walk};
use crate::format::seed::Life;
use crate::format::{Handle, Position};
use crate::store::{Name, Store, What};

/// How much is read for the next group header or footer, at first.
const SCAN_BYTES_LEAST: u64 = 4096;

/// The longest of the two.
const HEAD_BYTES: usize = FOOTER_HEAD_BYTES as usize;

/// How many segments a reader keeps open, and for how many reads each: nobody tells it what was retired, and a file
/// that is open takes its room although it was removed.
const KEPT_SEGMENTS_MAX: usize = 16;
const KEPT_READS_MAX: u32 = 256;

/// Reads a log that others write.
///
/// It keeps up to 16 segments open where the medium has files, and so may read for a while what was retired a
/// moment ago. Drop it, or read on, to give the room of removed files free. Clones share what is open.
///
/// A handle that was acknowledged is read with one ranged read. What a log of durability `Process` lost with the power
/// may still lie in its file: only the started log knows ([`Log::read`](crate::Log::read)).
#[derive(Clone, Debug)]
pub struct Reader {
    store: Arc<dyn Store>,
    kept: Arc<Kept>,
    limit: u32,
}

impl Reader {
    /// A reader of the log at a store's root. Nothing is read yet.
    pub fn open(store: Arc<dyn Store>) -> Result<Self> {
        let kept = Kept::new(KEPT_SEGMENTS_MAX).renewed_after(KEPT_READS_MAX);
        Ok(Reader { store, kept: Arc::new(kept), limit: PAYLOAD_BYTES_LIMIT })
    }

    /// Refuses records longer than this, before anything is allocated for them.
    #[must_use]
    pub fn record_bytes_max(mut self, record_bytes_max: u32) -> Self {
        self.limit = record_bytes_max;
        self
    }

    /// The record of an acknowledged handle.
    pub fn read(&self, handle: &Handle) -> Result<Record> {
        read(&*self.store, &self.kept, handle, self.limit)
    }

    /// The records of many handles, in their order. Handles that follow one another closely in one segment are read at
    /// once, up to 256 KiB; on an object store, where they lie close together in whatever order, up to 1 MiB, and up to 64
    /// reads and 64 MiB are under way at once.
    pub fn read_many<'a>(&'a self, handles: &'a [Handle]) -> impl Iterator<Item = Result<Record>> + 'a {
        let mut many = Many::new(&*self.store, &self.kept, handles, self.limit);
        std::iter::from_fn(move || many.next(|handle| Ok(handle.base), |handle| self.read(handle)))
    }

    /// Follows the log from a position on, as its writer goes on.
    pub fn follow(&self, from: Position) -> Follow {
        Follow { store: self.store.clone(), limit: self.limit, from, identity: 0, seat: None, failed: false }
    }
}

/// The records of a live log, as they become safe to show: an iterator whose `None` means "nothing more for now"; ask
/// again later.
///
/// Only what no crash can take back is shown: what lies below a position that a group, a header or a footer says was
/// acknowledged. So the newest group shows when the next one, or an idle writer's word, is there.
#[derive(Debug)]
pub struct Follow {
    store: Arc<dyn Store>,
    limit: u32,
    from: Position,
    identity: u64,
    seat: Option<Seat>,
    failed: bool,
}

/// A segment that is being followed.
#[derive(Debug)]
struct Seat {
    segment: Segment,
    life: Life,
    /// The offset of the next group header to look for.
    scanned: u64,
    /// What lies below this offset may be shown.
    shown: u64,
    /// What lies below this offset was shown, or is being.
    taken: u64,
    /// What lies below this offset was told.
    told: u64,
    /// Where the next segment begins, once this one has ended.
    next: Option<Position>,
    /// What is damaged between the two.
    damage: Option<Error>,
    walk: Option<Walk<File<Arc<dyn Store>>>>,
}

impl Follow {
    /// Where to go on after the last record that was returned.
    pub fn position(&self) -> Position {
        self.from
    }

    fn step(&mut self) -> Result<Option<Record>> {
        loop {
            let Some(seat) = &mut self.seat else {
                if !self.sit()? {
                    return Ok(None);
                }
                continue;
            };
            if let Some(walk) = &mut seat.walk {
                let seen = walk.next()?;
                let base = seat.segment.base;
                if let Some(seen) = &seen {
                    seat.told = seat.told.max(seen.end().since(base));
                }
                match seen {
                    Some(Seen::Frame(frame)) if frame.at >= self.from && !frame.header.own => {
                        let record = record(walk, frame, &seat.segment, self.identity, self.limit)?;
                        self.from = record.handle.end();
                        return Ok(Some(record));
                    }
                    Some(Seen::Bad(bad)) if bad.range.end > self.from => {
                        self.from = bad.range.end;
                        return Err(damaged(&*self.store, base, bad.range, &bad.what.to_string()));
                    }
                    Some(_) => {}
                    None => {
                        seat.walk = None;
                        let (told, shown) = (base.plus(seat.told).max(self.from), base.plus(seat.taken));
                        if told < shown {
                            self.from = shown;
                            return Err(damaged(
                                &*self.store,
                                base,
                                told..shown,
                                "nothing where groups were",
                            ));
                        }
                    }
                }
                continue;
            }
            if seat.taken < seat.shown {
                let name = segment_name(seat.segment.base);
                let file = File::new(self.store.clone(), name, seat.shown).holding(self.limit);
                seat.walk = Some(Walk::from(file, seat.life, seat.segment.base, seat.taken));
                (seat.told, seat.taken) = (seat.taken, seat.shown);
                continue;
            }
            if let Some(next) = seat.next {
                self.from = self.from.max(next);
                let damage = seat.damage.take();
                self.seat = None;
                match damage {
                    Some(damage) => return Err(damage),
                    None => continue,
                }
            }
            if !seat.scan(&*self.store)? && !self.overtaken()? {
                return Ok(None);
            }
        }
    }

    /// Finds the segment that holds `from`, or the first one behind it.
    fn sit(&mut self) -> Result<bool> {
        let survey = look(&*self.store, Position::START, Depth::Quick)?;
        let chain = survey.chain();
        if self.from < chain.begins && self.from != Position::START {
            let message = format!("the log begins later: asked={} begins={}", self.from, chain.begins);
            return Err(Error::new(Kind::Retired, message));
        }
        let known = chain.segments.iter().find(|segment| {
            segment.end > self.from
                || (!segment.sealed && segment.closed_at.is_none() && !segment.begins_epoch)
        });
        let ended = |segment: &Segment| segment.sealed || segment.closed_at.is_some();
        // Behind what looked like the end of a segment that the look says has not ended: nothing to show for now.
        let Some(segment) = known.filter(|segment| ended(segment) || self.from <= segment.end) else {
            return Ok(false);
        };
        // What is damaged before it is told first.
        let before = |damage: &&Damage| damage.range.end > self.from && damage.range.start < segment.base;
        if let Some(damage) = survey.damages().iter().find(before) {
            self.from = damage.range.end;
            return Err(survey.refusal_for(damage));
        }
        let ended = ended(segment);
        let offset = |position: Position| position.since(segment.base);
        let shown = if ended { segment.end } else { survey.acked().min(segment.end).max(segment.start()) };
        self.identity = chain.identity;
        self.seat = Some(Seat {
            segment: segment.clone(),
            life: chain.life(segment),
            scanned: offset(segment.end),
            shown: offset(shown),
            taken: segment.body,
            told: segment.body,
            next: ended.then_some(segment.next),
            damage: damage_behind(&survey, segment),
            walk: None,
        });
        Ok(true)
    }

    /// Whether a newer segment has a name, so that this one may have been closed by a later epoch: then it is looked
    /// up anew.
    fn overtaken(&mut self) -> Result<bool> {
        let Some(seat) = &mut self.seat else { return Ok(false) };
        let mut newer = false;
        for page in self.store.list(&Name::ROOT)? {
            newer |= page?.iter().any(|entry| {
                matches!(entry.what, What::File(_))
                    && name::parse_segment(&entry.name).is_some_and(|base| base > seat.segment.base)
            });
        }
        if !newer {
            return Ok(false);
        }
        let survey = look(&*self.store, Position::START, Depth::Quick)?;
        let now = survey.chain().segments.iter().find(|segment| segment.base == seat.segment.base);
        match now {
            Some(now) if now.sealed || now.closed_at.is_some() => {
                let end = now.end.since(now.base);
                seat.shown = end.max(seat.taken);
                seat.next = Some(now.next);
                seat.damage = damage_behind(&survey, now);
                Ok(true)
            }
            Some(_) => Ok(false),
            None => {
                self.seat = None; // retired under us: looking it up says so
                Ok(true)
            }
        }
    }
}

/// What is damaged between the end of a segment and the one that follows it.
fn damage_behind(survey: &Survey, segment: &Segment) -> Option<Error> {
    let behind = segment.end..segment.next;
    let damage = survey.damages().iter().find(|damage| behind.contains(&damage.range.start));
    damage.map(|damage| survey.refusal_for(damage))
}

impl Seat {
    /// Reads on over headers; whether anything new may be shown, or the segment has ended.
    ///
    /// What was read and is not proven is not kept: where a header will be, the next scan reads again.
    fn scan(&mut self, store: &dyn Store) -> Result<bool> {
        let (name, base) = (segment_name(self.segment.base), self.segment.base);
        let file = Ranged::open(store, &name)?;
        let (mut window, mut window_bytes, mut headers) = (Window::default(), SCAN_BYTES_LEAST, 0);
        let mut gained = false;
        loop {
            let (at, position) = (self.scanned, base.plus(self.scanned));
            if window.get(at, HEAD_BYTES).is_none() {
                if gained {
                    return Ok(true);
                }
                // Small groups lie close together: many headers come with one read.
                window_bytes =
                    if headers < 4 { SCAN_BYTES_LEAST } else { WINDOW_BYTES.min(2 * window_bytes) };
                headers = 0;
                window = Window::new(at, file.read(at..at.saturating_add(window_bytes))?);
            }
            let head = window.get_some(at, HEAD_BYTES);
            if let Some((header, _)) = GroupHeader::decode(self.life, position, head) {
                headers += 1;
                let acked = header.acked.since(base);
                self.scanned += u64::from(header.group_bytes).max(GROUP_HEADER_BYTES);
                if acked > self.shown {
                    self.shown = acked;
                    gained = true;
                }
                continue;
            }
            if gained {
                return Ok(true);
            }
            let Some(footer) = Footer::decode(self.life, position, head) else { return Ok(false) };
            let bytes = file.read(at..at.saturating_add(footer.footer_len()))?;
            if footer.decode_index(self.life, position, &bytes).is_none() {
                return Ok(false);
            }
            self.shown = at;
            self.next = Some(footer.next);
            return Ok(true);
        }
    }
}

impl Iterator for Follow {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.step() {
            Err(error) if error.kind() == Kind::NotThere => {
                self.seat = None; // a file went: the next call looks it up again
                None
            }
            // A retired beginning will not come back; anything else may be asked again.
            Err(error) => {
                self.failed = error.kind() == Kind::Retired;
                Some(Err(error))
            }
            Ok(item) => item.map(Ok),
        }
    }
}
