//! What one walk over a segment adds up to: how far it is whole, and what lies beyond.

use super::footer::{ENTRIES_AT_ONCE, FOOTER_HEAD_BYTES, Footer, INDEX_ENTRY_BYTES, IndexEntry};
use super::frame::{FRAME_HEADER_BYTES, own};
use super::group::{GROUP_HEADER_BYTES, GroupHeader};
use super::handle::Position;
use super::header::Header;
use super::scan::{Bad, Fault, Frame, Seen, Source, Walk};
use super::totals::{Mark, Totals};

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
    /// The footer, if the walk came to one that verifies, and where it lies. If anything before it is bad, whether it
    /// states what the segment adds up to is not known.
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
        let mut outline = Outline {
            end: header.base.plus(header.body()),
            totals: Totals::new(header_check),
            acked: header.acked,
            begins: None,
            footer: None,
            bad: Vec::new(),
            bad_count: 0,
            beyond: Beyond::default(),
        };
        let mut walk = Walk::new(source, header);
        let mut open = None;
        loop {
            // Nearly everything is a frame of which nothing is unusual.
            if let Some(open) = &mut open {
                while let Some(frame) = walk.next_in_turn() {
                    outline.add_frame(open, &mut walk, header.base, &frame)?;
                }
            }
            let Some(seen) = walk.next()? else { break };
            if outline.bad_count > 0 {
                outline.add_beyond(seen);
                continue;
            }
            match seen {
                Seen::Group { at, header, check } => {
                    open =
                        Some(Open { mark: outline.totals.mark(), at, header, begins: None, in_range: true });
                    outline.totals.group(at, &header, check);
                }
                Seen::Frame(frame) => {
                    // A frame where a group should begin: its group's header is gone.
                    let Some(open) = open.as_mut() else {
                        outline.add_bad(Bad { range: frame.at..frame.end(), what: Fault::Group });
                        continue;
                    };
                    outline.add_frame(open, &mut walk, header.base, &frame)?;
                }
                Seen::Whole { end, .. } => {
                    let Some(group) = open.take() else { continue };
                    if !group.in_range {
                        outline.totals.undo(group.mark);
                        outline.add_bad(Bad { range: group.at..end, what: Fault::Layout }); // G8
                        continue;
                    }
                    outline.end = end;
                    outline.acked = outline.acked.max(group.header.acked);
                    outline.begins = outline.begins.max(group.begins);
                }
                Seen::FooterHead { .. } => {} // what is bad of the footer follows
                Seen::Footer { at, footer } => {
                    if outline.totals.are_in(&footer)
                        && index_is(&mut walk, header.base, at, &outline.totals.index)?
                    {
                        outline.footer = Some((at, footer));
                    } else {
                        outline.add_bad(Bad { range: at..at.plus(footer.footer_len()), what: Fault::Footer }); // T9
                    }
                }
                Seen::Bad(bad) => {
                    if let Some(group) = open.take() {
                        outline.totals.undo(group.mark);
                    }
                    outline.add_bad(bad);
                }
            }
        }
        Ok(outline)
    }

    /// Adds a frame of the group that the walk is in.
    #[inline]
    fn add_frame<S: Source>(
        &mut self,
        open: &mut Open,
        walk: &mut Walk<S>,
        base: Position,
        frame: &Frame,
    ) -> Result<(), S::Error> {
        self.totals.frame(&frame.header, frame.check);
        open.in_range &=
            frame.header.own || (open.header.least..=open.header.greatest).contains(&frame.header.time);
        open.begins = open.begins.max(retired(walk, base, frame)?);
        Ok(())
    }

    fn add_bad(&mut self, bad: Bad) {
        self.bad_count += 1;
        if self.bad.len() < BAD_KEPT_MAX {
            self.bad.push(bad);
        }
    }

    fn add_beyond(&mut self, seen: Seen) {
        match seen {
            Seen::Group { at, header, .. } => self.beyond.add(at.plus(GROUP_HEADER_BYTES), header.acked),
            // A frame says nothing of what was acknowledged; that it is there still says how much was in flight.
            Seen::Frame(frame) => self.beyond.end = self.beyond.end.max(Some(frame.end())),
            Seen::FooterHead { at, footer } => self.beyond.add(at.plus(FOOTER_HEAD_BYTES), footer.acked),
            Seen::Footer { at, footer } => {
                self.beyond.add(at.plus(footer.footer_len()), footer.acked);
                self.footer = Some((at, footer));
            }
            Seen::Whole { .. } => {}
            Seen::Bad(bad) => self.add_bad(bad),
        }
    }
}

/// The group that the walk is in. It counts only once all of it has verified.
struct Open {
    mark: Mark, // the sums before it
    at: Position,
    header: GroupHeader,
    begins: Option<Position>,
    in_range: bool,
}

/// Where the log begins, if the frame is a retire mark.
fn retired<S: Source>(
    walk: &mut Walk<S>,
    base: Position,
    frame: &Frame,
) -> Result<Option<Position>, S::Error> {
    let header = &frame.header;
    if !(header.own && header.kind == own::RETIRE && header.stored_len == own::RETIRE_BYTES) {
        return Ok(None);
    }
    let offset = frame.at.since(base) + FRAME_HEADER_BYTES;
    let payload = walk.source().bytes(offset, own::RETIRE_BYTES as usize)?;
    Ok(if header.verifies(payload) { own::decode_retire(payload) } else { None })
}

/// Whether the footer at `at`, which verifies, has this index, and not one entry more.
fn index_is<S: Source>(
    walk: &mut Walk<S>,
    base: Position,
    at: Position,
    index: &[IndexEntry],
) -> Result<bool, S::Error> {
    let mut offset = at.since(base) + FOOTER_HEAD_BYTES;
    for entries in index.chunks(ENTRIES_AT_ONCE) {
        let bytes = walk.source().bytes(offset, entries.len() * INDEX_ENTRY_BYTES as usize)?;
        if !entries.iter().map(IndexEntry::encode).eq(bytes.as_chunks().0.iter().copied()) {
            return Ok(false);
        }
        offset += bytes.len() as u64;
    }
    Ok(true)
}
