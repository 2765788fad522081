//! Following a log as its writer goes on.

mod onwards;
mod seat;

use std::ops::Range;
use std::sync::Arc;

use self::onwards::{Behind, Next, Onwards};
use self::seat::Seat;
use super::chain::{Segment, is_lost};
use super::look::{Depth, look_near};
use super::parts::Reached;
use super::read::Record;
use super::replay::{damaged, record};
use super::source::{File, segment_name};
use super::survey::{Damage, Survey};
use crate::error::{Error, Kind, Result};
use crate::format::scan::{Seen, Walk};
use crate::format::{Position, name};
use crate::store::{Name, Store, What};

/// The records of a live log, as they become safe to show: an iterator whose `None` means "nothing more for now"; ask
/// again later.
///
/// Only what no crash can take back is shown: what lies below a position that a group, a header or a footer says was
/// acknowledged. So the newest group shows when the next one, or an idle writer's word, is there. On an object store a
/// group is an object of its own, which is final as soon as it is there; asking for more costs one read, and every now
/// and then a page of the list. Who has fallen behind is read ahead for: up to 64 reads and 64 MiB.
#[derive(Debug)]
pub struct Follow {
    store: Arc<dyn Store>,
    limit: u32,
    from: Position,
    identity: u64,
    /// What was lost and accepted: it is passed over.
    lost: Arc<[Range<Position>]>,
    seat: Option<Seat>,
    /// On an object store: from one segment to the next without a look at the log.
    onwards: Option<Onwards>,
    failed: bool,
}

impl Follow {
    pub(super) fn new(store: Arc<dyn Store>, limit: u32, from: Position) -> Self {
        Follow {
            store,
            limit,
            from,
            identity: 0,
            lost: Arc::default(),
            seat: None,
            onwards: None,
            failed: false,
        }
    }

    /// Where to go on after the last record that was returned.
    pub fn position(&self) -> Position {
        self.from
    }

    fn step(&mut self) -> Result<Option<Record>> {
        loop {
            let Some(seat) = &mut self.seat else {
                if !self.go_on()? {
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
                        if is_lost(&self.lost, &bad.range) {
                            continue;
                        }
                        return Err(damaged(&*self.store, base, bad.range, &bad.what.to_string()));
                    }
                    Some(_) => {}
                    None => {
                        seat.walk = None;
                        let (told, shown) = (base.plus(seat.told).max(self.from), base.plus(seat.taken));
                        if told < shown {
                            self.from = shown;
                            if is_lost(&self.lost, &(told..shown)) {
                                continue;
                            }
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
                let file = file.having(seat.head.clone());
                seat.walk = Some(Walk::from(file, seat.life, seat.segment.base, seat.taken));
                (seat.told, seat.taken) = (seat.taken, seat.shown);
                continue;
            }
            if let Some(next) = seat.next {
                self.from = self.from.max(next);
                let (damage, behind) = (seat.damage.take(), seat.behind());
                self.seat = None;
                if let Some(damage) = damage {
                    self.onwards = None;
                    return Err(damage);
                }
                self.go_behind(behind);
                continue;
            }
            if !seat.scan(&*self.store)? && !self.overtaken()? {
                return Ok(None);
            }
        }
    }

    /// Finds the next segment: by its name where that will do, else by a look at the log.
    fn go_on(&mut self) -> Result<bool> {
        let Some(onwards) = &mut self.onwards else { return self.sit() };
        match onwards.next()? {
            Next::Here(header, head) => {
                let mut seat = Seat::at(&header, head);
                if seat.scan(&*self.store)? && seat.next.is_some() {
                    self.seat = Some(seat);
                    return Ok(true);
                }
                // An object that is not whole is damaged.
                self.sit()
            }
            Next::NotYet => Ok(false),
            Next::Lost => self.sit(),
        }
    }

    /// A segment has been followed to its end, or that is where the log ends for now.
    fn go_behind(&mut self, behind: Option<Behind>) {
        let behind = behind.filter(|_| self.store.append().is_none());
        self.onwards = match (behind, self.onwards.take()) {
            (Some(behind), Some(onwards)) => Some(onwards.behind(behind)),
            (Some(behind), None) => Some(Onwards::new(self.store.clone(), self.identity, behind)),
            (None, _) => None,
        };
    }

    /// Finds the segment that holds `from`, or the first one behind it.
    fn sit(&mut self) -> Result<bool> {
        self.onwards = None;
        let survey = look_near(&*self.store, Position::START, Depth::Quick)?;
        let chain = survey.chain();
        if self.from < chain.begins && self.from != Position::START {
            let message = format!("the log begins later: asked={} begins={}", self.from, chain.begins);
            return Err(Error::new(Kind::Retired, message));
        }
        let older = match Arc::new(chain.clone()).find_older(&self.store, self.from)? {
            Reached::Segment(segment) => Some(segment),
            Reached::Damage(end, error) => {
                self.from = end;
                return Err(error);
            }
            Reached::Nothing => None,
        };
        let known = older.as_ref().or_else(|| {
            chain.segments.iter().find(|segment| {
                segment.end > self.from
                    || (!segment.sealed && segment.closed_at.is_none() && !segment.begins_epoch)
            })
        });
        let ended = |segment: &Segment| segment.sealed || segment.closed_at.is_some();
        // Behind what looked like the end of a segment that the look says has not ended: nothing to show for now.
        let Some(segment) = known.filter(|segment| ended(segment) || self.from <= segment.end) else {
            (self.identity, self.lost) = (chain.identity, chain.lost.clone());
            if survey.damage_count() == 0 {
                self.go_behind(chain.segments.last().and_then(Behind::of));
            }
            return Ok(false);
        };
        // What is damaged before it is told first.
        let before = |damage: &&Damage| damage.range.end > self.from && damage.range.start < segment.base;
        if let Some(damage) = survey.damages().iter().find(before) {
            self.from = damage.range.end;
            return Err(survey.refusal_for(damage));
        }
        let ended = ended(segment);
        let shown = if ended { segment.end } else { survey.acked().min(segment.end).max(segment.start()) };
        (self.identity, self.lost) = (chain.identity, chain.lost.clone());
        let mut seat = Seat::new(segment.clone(), chain.life(segment), shown);
        seat.next = ended.then_some(segment.next);
        seat.damage = damage_behind(&survey, segment);
        self.seat = Some(seat);
        Ok(true)
    }

    /// Whether a newer segment has a name, so that this one may have been closed by a later epoch: then it is looked
    /// up anew.
    fn overtaken(&mut self) -> Result<bool> {
        let Some(seat) = &mut self.seat else { return Ok(false) };
        let mut newer = false;
        for page in self.store.list_after(&Name::ROOT, segment_name(seat.segment.base).as_str())? {
            newer |= page?.iter().any(|entry| {
                matches!(entry.what, What::File(_))
                    && name::parse_segment(&entry.name).is_some_and(|base| base > seat.segment.base)
            });
        }
        if !newer {
            return Ok(false);
        }
        let survey = look_near(&*self.store, Position::START, Depth::Quick)?;
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

impl Iterator for Follow {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.step() {
            Err(error) if error.kind() == Kind::NotThere => {
                self.onwards = None;
                // A file went: the next call looks it up again.
                self.seat.take().and_then(|seat| self.lost(&seat.segment).err()).map(Err)
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

impl Follow {
    /// Tells of a segment that is not there and was not retired: a look that rests on a summary does not miss it.
    fn lost(&mut self, segment: &Segment) -> Result<()> {
        let survey = look_near(&*self.store, Position::START, Depth::Quick)?;
        let listed = survey.chain().older().is_some_and(|older| segment.base < older);
        if !listed || survey.begins() > segment.base {
            return Ok(());
        }
        let range = segment.start().max(self.from)..segment.end;
        self.from = self.from.max(segment.next);
        if survey.chain().is_lost(&range) {
            return Ok(());
        }
        Err(damaged(&*self.store, segment.base, range, "the file has gone"))
    }
}

/// What is damaged between the end of a segment and the one that follows it.
fn damage_behind(survey: &Survey, segment: &Segment) -> Option<Error> {
    let behind = segment.end..segment.next;
    let damage = survey.damages().iter().find(|damage| behind.contains(&damage.range.start));
    damage.map(|damage| survey.refusal_for(damage))
}
