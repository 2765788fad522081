//! A segment that is being followed.

use std::sync::Arc;

use super::onwards::Behind;
use crate::error::{Error, Result};
use crate::format::Position;
use crate::format::footer::{FOOTER_HEAD_BYTES, Footer};
use crate::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::format::header::Header;
use crate::format::scan::Walk;
use crate::format::seed::Life;
use crate::log::chain::Segment;
use crate::log::source::{File, Ranged, segment_name};
use crate::log::window::{WINDOW_BYTES, Window};
use crate::store::Store;

/// How much is read for the next group header or footer, at first.
const SCAN_BYTES_LEAST: u64 = 4096;

/// The longest of the two.
const HEAD_BYTES: usize = FOOTER_HEAD_BYTES as usize;

/// A segment that is being followed.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) segment: Segment,
    pub(super) life: Life,
    /// The offset of the next group header to look for.
    pub(super) scanned: u64,
    /// What lies below this offset may be shown.
    pub(super) shown: u64,
    /// What lies below this offset was shown, or is being.
    pub(super) taken: u64,
    /// What lies below this offset was told.
    pub(super) told: u64,
    /// Where the next segment begins, once this one has ended.
    pub(super) next: Option<Position>,
    /// What is damaged between the two.
    pub(super) damage: Option<Error>,
    /// Bytes of it that are here already: of an object, which never changes.
    pub(super) head: Window,
    pub(super) walk: Option<Walk<File<Arc<dyn Store>>>>,
}

impl Seat {
    /// In a segment of which everything below `shown` may be.
    pub(super) fn new(segment: Segment, life: Life, shown: Position) -> Self {
        Seat {
            life,
            scanned: segment.end.since(segment.base),
            shown: shown.since(segment.base),
            taken: segment.body,
            told: segment.body,
            next: None,
            damage: None,
            head: Window::default(),
            walk: None,
            segment,
        }
    }

    /// In an object with this header, of which nothing more is known yet than the bytes that are here.
    pub(super) fn at(header: &Header, head: Window) -> Self {
        let start = header.base.plus(header.body());
        let segment = Segment {
            base: header.base,
            end: start,
            next: start,
            file_len: 0,
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
        Seat { head, ..Seat::new(segment, header.life(), start) }
    }

    /// What the next one must follow, if it has ended with a footer.
    pub(super) fn behind(&self) -> Option<Behind> {
        let end = self.segment.base.plus(self.shown);
        Behind::of(&Segment { end, next: self.next?, ..self.segment.clone() })
    }

    /// Reads on over headers; whether anything new may be shown, or the segment has ended.
    ///
    /// What was read and is not proven is not kept: where a header will be, the next scan reads again.
    pub(super) fn scan(&mut self, store: &dyn Store) -> Result<bool> {
        let (name, base) = (segment_name(self.segment.base), self.segment.base);
        let file = Ranged::open(store, &name)?;
        let (mut window, mut window_bytes, mut headers) = (self.head.clone(), SCAN_BYTES_LEAST, 0);
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
            let (len, end) = (footer.footer_len(), at.saturating_add(footer.footer_len()));
            let bytes = match window.holds(at, end) {
                true => window.behind(at).slice(..len as usize),
                false => file.read(at..end)?,
            };
            if footer.decode_index(self.life, position, &bytes).is_none() {
                return Ok(false);
            }
            self.shown = at;
            self.next = Some(footer.next);
            (self.segment.sealed, self.segment.seal) = (true, Some(footer.seal));
            return Ok(true);
        }
    }
}
