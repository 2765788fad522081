//! What one walk over a segment adds up to: how far it is whole, and what lies beyond.

use super::frame::own;
use super::handle::Position;
use super::header::Header;
use super::scan::{Bad, Seen, Source, Walk};
use super::totals::Totals;
use super::{footer::Footer, frame::FRAME_HEADER_BYTES};
use crate::format::group::GROUP_HEADER_BYTES;

/// How many bad stretches of one segment are kept in memory; the rest is only counted.
pub const BAD_KEPT_MAX: usize = 64;

/// The outline of a segment.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Where the groups end of which everything verifies, from the first on without a gap.
    pub end: Position,
    /// What those groups add up to.
    pub totals: Totals,
    /// The greatest position that those groups say was acknowledged.
    pub acked: Position,
    /// Where the log begins, by the retire marks in those groups.
    pub begins: Option<Position>,
    /// The footer, if the walk came to one that verifies, and where it lies.
    pub footer: Option<(Position, Footer)>,
    /// What does not verify, the first so many, in order.
    pub bad: Vec<Bad>,
    /// How many stretches do not verify in all.
    pub bad_count: u64,
    /// What verifies behind `end`, its first bad stretch.
    pub beyond: Beyond,
}

/// Headers that verify behind something that does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// The greatest position that one of them says was acknowledged.
    pub acked: Option<Position>,
    /// Where the last of them ends.
    pub end: Option<Position>,
}

impl Beyond {
    /// Adds a header that ends at `end` and says that everything below `acked` was acknowledged.
    pub fn add(&mut self, end: Position, acked: Position) {
        self.end = self.end.max(Some(end));
        self.acked = self.acked.max(Some(acked));
    }
}

impl Outline {
    /// Walks the whole segment. `header_check` is the checksum in its header.
    pub fn of<S: Source>(source: S, header: &Header, header_check: u32) -> Result<Self, S::Error> {
        let start = header.base.plus(header.body());
        let mut outline = Outline {
            end: start,
            totals: Totals::new(header_check),
            acked: header.acked,
            begins: None,
            footer: None,
            bad: Vec::new(),
            bad_count: 0,
            beyond: Beyond::default(),
        };
        let mut walk = Walk::new(source, header);
        // The group that the walk is in counts only once all of it has verified: the sums before it, and its words.
        let mut open = None;
        let mut open_begins = None;
        while let Some(seen) = walk.next()? {
            match seen {
                Seen::Group { at, header, check } if outline.bad_count == 0 => {
                    open = Some((outline.totals.mark(), header.acked));
                    outline.totals.group(at, &header, check);
                }
                Seen::Group { at, header, .. } => {
                    outline.beyond.add(at.plus(GROUP_HEADER_BYTES), header.acked);
                }
                Seen::Frame(frame) if outline.bad_count == 0 => {
                    outline.totals.frame(&frame.header, frame.check);
                    if frame.header.own && frame.header.kind == own::RETIRE {
                        let offset = frame.at.since(header.base) + FRAME_HEADER_BYTES;
                        let payload = walk.source().bytes(offset, frame.header.stored_len as usize)?;
                        open_begins = open_begins.max(own::decode_retire(payload));
                    }
                }
                Seen::Frame(_) => {}
                Seen::Whole { end, .. } => {
                    if let Some((_, acked)) = open.take() {
                        outline.end = end;
                        outline.acked = outline.acked.max(acked);
                        outline.begins = open_begins;
                    }
                }
                Seen::Footer { at, footer } => {
                    if outline.bad_count > 0 {
                        outline.beyond.add(at.plus(footer.footer_len()), footer.acked);
                    }
                    outline.footer = Some((at, footer));
                }
                Seen::Bad(bad) => {
                    if let Some((mark, _)) = open.take() {
                        outline.totals.undo(mark);
                    }
                    outline.bad_count += 1;
                    if outline.bad.len() < BAD_KEPT_MAX {
                        outline.bad.push(bad);
                    }
                }
            }
        }
        Ok(outline)
    }
}
