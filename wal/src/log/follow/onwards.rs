//! From one object to the next: where each group is an object of its own, the one before says where the next will be.
//!
//! An object that states the one before it, which was part of the chain, is part of the chain itself: whoever takes the
//! log over cannot have its own first segment at that name or at an earlier one, which are taken, and so begins behind
//! it. So it may be shown as soon as it is there, and neither a list nor a look is needed to know it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Kind, Result};
use crate::format::header::{HEADER_BYTES, Header, Previous};
use crate::format::{Position, name};
use crate::log::ahead::Ahead;
use crate::log::chain::Segment;
use crate::log::source::segment_name;
use crate::log::window::Window;
use crate::store::{Entry, Name, Store, What};

/// So much of an object is read at once.
const READ_BYTES: u64 = 8 << 20;

/// After so many objects in a row somebody has fallen behind, and the next ones are listed, to be read ahead.
const BEHIND_OBJECTS: u32 = 4;

/// One in so many times in a row that the next object is not there, it is asked whether it ever will be: a list costs more
/// than a read. The first time is after so many.
const MISSES_PER_LIST: u32 = 16;
const MISSES_BEFORE_LIST: u32 = 3;

/// The segment that was followed to its end, and where the next one begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    previous: Previous,
    epoch: u64,
    next: Position,
}

impl Behind {
    /// Nothing if it has no footer.
    pub(super) fn of(segment: &Segment) -> Option<Self> {
        let previous = Previous { base: segment.base, end: segment.end, seal: segment.seal? };
        let behind = Behind { previous, epoch: segment.epoch, next: segment.next };
        segment.sealed.then_some(behind)
    }

    /// Whether a segment says that it comes next.
    fn is_before(&self, header: &Header) -> bool {
        let epoch_fits =
            if header.begins_epoch { header.epoch > self.epoch } else { header.epoch == self.epoch };
        epoch_fits && header.previous == Some(self.previous)
    }
}

/// What is where the next segment begins.
#[derive(Debug)]
pub(super) enum Next {
    /// Its header, which follows the one before, and its first bytes.
    Here(Header, Window),
    /// Nothing, so far.
    NotYet,
    /// Something else, or it may be gone for good: a look has to say.
    Lost,
}

/// On the way.
#[derive(Debug)]
pub(super) struct Onwards {
    store: Arc<dyn Store>,
    identity: u64,
    behind: Behind,
    /// How many were there in a row, and how often the next one was not.
    found: u32,
    missed: u32,
    /// The last list ended with what is read already, or being read.
    all_listed: bool,
    /// What is known to follow, and not begun to be read.
    coming: VecDeque<(Position, u64)>,
    /// None where the medium begins no reads.
    ahead: Option<Ahead<Position>>,
}

impl Onwards {
    pub(super) fn new(store: Arc<dyn Store>, identity: u64, behind: Behind) -> Self {
        let (coming, ahead) = (VecDeque::new(), Some(Ahead::new()));
        Onwards { store, identity, behind, found: 0, missed: 0, all_listed: false, coming, ahead }
    }

    /// The same, a segment further on.
    pub(super) fn behind(self, behind: Behind) -> Self {
        Onwards { behind, ..self }
    }

    pub(super) fn next(&mut self) -> Result<Next> {
        let next = self.behind.next;
        let read = match self.arrived() {
            Some(bytes) => Ok(bytes),
            None => {
                self.all_listed = false;
                self.store.read(&segment_name(next), 0..READ_BYTES)
            }
        };
        match read {
            Ok(bytes) => {
                (self.found, self.missed) = (self.found + 1, 0);
                self.read_ahead()?;
                let header = Header::decode(next, &bytes).ok();
                let follows = |header: &Header| {
                    header.identity.short() == self.identity && self.behind.is_before(header)
                };
                Ok(match header.filter(follows) {
                    Some(header) => Next::Here(header, Window::new(0, bytes)),
                    None => Next::Lost,
                })
            }
            Err(error) if error.kind() == Kind::NotThere => {
                let asks = self.missed % MISSES_PER_LIST == MISSES_BEFORE_LIST;
                (self.found, self.missed) = (0, self.missed.wrapping_add(1));
                Ok(if asks && self.is_passed()? { Next::Lost } else { Next::NotYet })
            }
            Err(error) => Err(error),
        }
    }

    /// The next segment, if it was read ahead. What did not come is read by its name.
    fn arrived(&mut self) -> Option<Bytes> {
        let (ahead, next) = (self.ahead.as_mut()?, self.behind.next);
        while ahead.front().is_some_and(|&base| base < next) {
            drop(ahead.take());
        }
        ahead.front().filter(|&&base| base == next)?;
        ahead.wait()?.ok()
    }

    /// Begins to read what follows the next one, if many do.
    fn read_ahead(&mut self) -> Result<()> {
        if self.ahead.is_none() {
            return Ok(());
        }
        if self.coming.is_empty() && self.found >= BEHIND_OBJECTS && !self.all_listed {
            let last = self.ahead.as_ref().and_then(Ahead::back).copied();
            self.coming = self.listed_after(last.unwrap_or(self.behind.next))?.into();
            if self.coming.is_empty() {
                (self.found, self.all_listed) = (0, true);
            }
        }
        while let (Some(&(base, len)), Some(ahead)) = (self.coming.front(), &mut self.ahead) {
            let bytes = len.min(READ_BYTES);
            if !ahead.has_room(bytes) {
                break;
            }
            match self.store.fetch(&segment_name(base), 0..bytes) {
                Some(fetch) => ahead.push(base, bytes, fetch),
                None => self.ahead = None,
            }
            self.coming.pop_front();
        }
        Ok(())
    }

    /// The first page of the segments behind a position, and their lengths.
    fn listed_after(&self, at: Position) -> Result<Vec<(Position, u64)>> {
        for page in self.store.list_after(&Name::ROOT, segment_name(at).as_str())? {
            let listed: Vec<_> = segments(&page?).collect();
            if !listed.is_empty() {
                return Ok(listed);
            }
        }
        Ok(Vec::new())
    }

    /// Whether the log has gone on without the next segment, by what the greatest name says: it was retired, or is
    /// damaged. That a later group is there first happens all the time.
    fn is_passed(&self) -> Result<bool> {
        let next = self.behind.next;
        let mut greatest = None;
        for page in self.store.list_after(&Name::ROOT, segment_name(next).as_str())? {
            greatest = segments(&page?).map(|(base, _)| base).max().max(greatest);
        }
        let Some(greatest) = greatest else { return Ok(false) };
        let head = match self.store.read(&segment_name(greatest), 0..HEADER_BYTES) {
            Err(error) if error.kind() == Kind::NotThere => return Ok(true),
            head => head?,
        };
        Ok(Header::decode(greatest, &head).map_or(true, |header| {
            header.begins > next || header.acked > next || header.epoch > self.behind.epoch
        }))
    }
}

/// The segments on a page, and their lengths.
fn segments(page: &[Entry]) -> impl Iterator<Item = (Position, u64)> {
    page.iter().filter_map(|entry| match entry.what {
        What::File(len) => Some((name::parse_segment(&entry.name)?, len)),
        _ => None,
    })
}
