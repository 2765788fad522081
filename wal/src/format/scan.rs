//! Walking the bytes of a segment, whatever they are.
//!
//! The walk never fails and believes nothing: a length is used only once the header that states it has verified, and
//! what does not verify is passed over up to the next thing that does. It goes through the file once, each byte is read
//! a few times at most whatever the bytes are, and it holds one window of the file at a time. Its only errors are those
//! of reading.

use std::convert::Infallible;
use std::ops::Range;

use super::footer::{
    self, ENTRIES_AT_ONCE, FOOTER_HEAD_BYTES, Footer, INDEX_ENTRY_BYTES, IndexCheck, TRAILER_BYTES,
};
use super::frame::{self, FRAME_HEADER_BYTES, FrameHeader};
use super::group::{self, GROUP_HEADER_BYTES, GroupHeader};
use super::handle::{Handle, Position};
use super::header::Header;
use super::seed::{Life, Seed, all_zero, last_nonzero, u32_at};

/// The most bytes that a walk asks its source for at once.
pub const WINDOW_BYTES: usize = 64 * 1024;

/// Behind so many zeros a medium is asked whether they are a hole. No sooner: file systems have been seen that called a hole
/// what was written a moment ago, and no segment of an ordinary length may rest on their word.
pub const HOLE_FROM_BYTES: u64 = 128 << 20;

const WINDOW_BYTES_LEAST: usize = 256;
const LONGEST_HEAD: usize = FOOTER_HEAD_BYTES as usize;

/// No file is longer, whatever a listing says: offsets stay far from overflow.
const FILE_BYTES_LIMIT: u64 = 1 << 62;

/// Where the bytes come from.
pub trait Source {
    /// What reading may fail with.
    type Error;
    /// The length of the file. A walk asks once, and looks no further if the file grows.
    fn file_len(&self) -> u64;
    /// The bytes from `offset` on: `len` of them, or as many as the file has. `len` is at most [`WINDOW_BYTES`].
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Self::Error>;

    /// The `len` bytes from `offset` on, if they need not be fetched. A source may always say that they must be.
    fn held(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let _ = (offset, len);
        None
    }

    /// The first offset from `offset` on that may hold anything but zeros. A medium that knows its holes passes over them, so
    /// that the longest of files takes no longer than what is in it.
    fn data_from(&mut self, offset: u64) -> Result<u64, Self::Error> {
        Ok(offset)
    }

    /// Asked before a walk says of anything that it does not verify, or that nothing follows before the file's end. An error if the bytes may not be
    /// the file's own: some media use the room of a removed file again.
    fn confirm(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether there are `len` bytes from `offset` on and they have this CRC-32C. Window by window here; a source that
    /// hands the bytes out afterwards keeps them.
    fn sum_to(&mut self, offset: u64, len: u32, check: u32) -> Result<bool, Self::Error> {
        sum_by_windows(self, offset, len, check)
    }
}

/// What [`Source::sum_to`] answers, of a source that keeps nothing.
pub fn sum_by_windows<S: Source + ?Sized>(
    source: &mut S,
    offset: u64,
    len: u32,
    check: u32,
) -> Result<bool, S::Error> {
    let (mut from, end, mut sum) = (offset, offset + u64::from(len), 0);
    while from < end {
        let part = source.bytes(from, window(from, end))?;
        if part.is_empty() {
            return Ok(false);
        }
        sum = crc32c::crc32c_append(sum, part);
        from += part.len() as u64;
    }
    Ok(sum == check)
}

impl Source for &[u8] {
    type Error = Infallible;

    fn file_len(&self) -> u64 {
        self.len() as u64
    }

    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Infallible> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        Ok(&self[from..from.saturating_add(len).min(self.len())])
    }

    fn held(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset).ok()?;
        self.get(from..from.checked_add(len)?)
    }
}

/// One thing that a walk came upon, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A group header that verifies; its frames follow.
    Group {
        /// Where it lies.
        at: Position,
        /// What it says.
        header: GroupHeader,
        /// Its checksum.
        check: u32,
    },
    /// A frame that verifies, payload included.
    Frame(Frame),
    /// The end of a group of which everything verified.
    Whole {
        /// Where the group begins.
        at: Position,
        /// Where the next thing begins.
        end: Position,
    },
    /// The head of a footer, which verifies, and so its word counts; the rest of that footer does not, and is told as
    /// bad next.
    FooterHead {
        /// Where it lies.
        at: Position,
        /// What it says.
        footer: Footer,
    },
    /// A footer that verifies.
    Footer {
        /// Where it lies.
        at: Position,
        /// What it says.
        footer: Footer,
    },
    /// Something that does not verify.
    Bad(Bad),
}

impl Seen {
    /// Where what was seen ends, as far as is proven: who has walked to the end of a segment and was told of nothing up
    /// to there has found zeros in the place of groups.
    pub fn end(&self) -> Position {
        match self {
            Seen::Group { at, header, .. } => at.plus(u64::from(header.group_bytes)),
            Seen::Frame(frame) => frame.at.plus(frame.header.frame_len()),
            Seen::Whole { end, .. } => *end,
            Seen::FooterHead { at, footer } | Seen::Footer { at, footer } => at.plus(footer.footer_len()),
            Seen::Bad(bad) => bad.range.end,
        }
    }
}

/// A frame that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it lies.
    pub at: Position,
    /// What it says.
    pub header: FrameHeader,
    /// Its checksum.
    pub check: u32,
    /// Whether the group header before it verified too.
    pub in_group: bool,
}

impl Frame {
    /// Where the next thing begins.
    pub fn end(&self) -> Position {
        self.at.plus(self.header.frame_len())
    }

    /// The handle of its record, in the segment of that life that begins at `base`.
    pub fn handle(&self, life: Life, base: Position) -> Handle {
        let Life { identity, epoch } = life;
        Handle {
            identity,
            epoch,
            position: self.at,
            base,
            stored_len: self.header.stored_len,
            check: self.check,
        }
    }
}

/// Bytes that do not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Where they lie; never nothing. It may reach beyond the end of the file: what should lie there is missing.
    pub range: Range<Position>,
    /// What should be there.
    pub what: Fault,
}

/// What is wrong with bytes that do not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// Neither a group nor a footer.
    Group,
    /// Not the frame that the group should have here.
    Frame,
    /// A frame whose payload, or the zeros behind it, is not what its header says.
    Payload,
    /// A group whose frames do not add up to what it says, or are not followed by zeros.
    Layout,
    /// A footer whose index or trailer does not verify.
    Footer,
    /// Bytes behind the footer.
    Behind,
    /// A segment header.
    Header,
    /// A segment that should be here.
    Missing,
    /// A segment that does not follow the one before it.
    Chain,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fault::Group => "neither a group nor a footer",
            Fault::Frame => "a frame that does not verify",
            Fault::Payload => "a payload that does not verify",
            Fault::Layout => "a group that does not add up",
            Fault::Footer => "a footer that does not verify",
            Fault::Behind => "bytes behind the footer",
            Fault::Header => "a segment header that does not verify",
            Fault::Missing => "a segment is missing",
            Fault::Chain => "a segment that does not follow the one before it",
        })
    }
}

/// Where a walk is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Where a group or the footer should begin.
    BetweenGroups,
    /// In a group, at a frame or behind the last one.
    InGroup(InGroup),
    /// Behind the head of a footer whose rest, up to there, does not verify.
    InFooter { end: u64 },
    /// Behind the footer.
    BehindFooter,
    /// There is nothing more.
    End,
}

/// The group that a walk is in.
#[derive(Clone, Copy, Debug)]
struct InGroup {
    at: u64,
    frames_end: u64,
    end: u64,
    count: u32,
    next_index: u32,
    after_gap: bool, // frames are missing before the next one
    all_verified: bool,
}

/// What a search came upon.
enum Found {
    At(u64),
    /// Nothing that verifies, and nothing but zeros from here on.
    Nothing {
        zeros_from: u64,
    },
}

/// A walk over the groups of one segment.
#[derive(Debug)]
pub struct Walk<S> {
    source: S,
    life: Life,
    seed: Seed,
    base: Position,
    len: u64,
    offset: u64,
    place: Place,
}

impl<S: Source> Walk<S> {
    /// Over the segment with this header, from its first group.
    pub fn new(source: S, header: &Header) -> Self {
        Walk::from(source, header.life(), header.base, header.body())
    }

    /// Over a file that begins at `base`, from `offset`, where a group or the footer begins.
    pub fn from(source: S, life: Life, base: Position, offset: u64) -> Self {
        let len = source.file_len().min(FILE_BYTES_LIMIT);
        Walk { source, life, seed: life.seed(), base, len, offset, place: Place::BetweenGroups }
    }

    /// The source, for reading what the walk has come upon. What is read now is not what was verified then: verify it
    /// again.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The source back, when the walk is over.
    pub fn into_source(self) -> S {
        self.source
    }

    /// The next thing; nothing at the end of the file or where only zeros follow. A failed read leaves the walk where
    /// it was.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would lend nothing and hide the read error"
    )]
    pub fn next(&mut self) -> Result<Option<Seen>, S::Error> {
        loop {
            let (place, offset) = (self.place, self.offset);
            if matches!(place, Place::End) {
                // Who has come to the end of the file has missed nothing of it.
                return if offset < self.len { self.source.confirm().map(|()| None) } else { Ok(None) };
            }
            self.place = Place::End; // unless the step says where it goes on
            let step = match self.step(place) {
                Ok(Some(Seen::Bad(bad))) => self.source.confirm().map(|()| Some(Seen::Bad(bad))),
                step => step,
            };
            match step {
                Ok(None) => {}
                Ok(seen) => return Ok(seen),
                Err(error) => {
                    self.go(offset, place);
                    return Err(error);
                }
            }
        }
    }

    /// The next thing, if it is a frame that lies wholly in what the source holds, and nothing about it is unusual: what
    /// [`next`](Walk::next) would answer, in a fraction of the time. Else the walk stays where it is, and `next` says
    /// what is there.
    ///
    /// A record of 1 KiB is checksummed in 35 ns: every move of what is known of it through memory shows beside that.
    #[inline(always)]
    pub fn next_in_turn(&mut self) -> Option<Frame> {
        let Place::InGroup(group) = &mut self.place else { return None };
        let at = self.offset;
        if group.next_index == group.count || at >= group.frames_end || group.end > self.len {
            return None;
        }
        let position = self.base.plus(at);
        let head = self.source.held(at, FRAME_HEADER_BYTES as usize)?;
        let (header, check) = FrameHeader::decode_seeded(self.seed, position, head)?;
        let (from, end) = (at + FRAME_HEADER_BYTES, at + header.frame_len());
        if !group.awaits(&header, end) {
            return None;
        }
        let payload_end = from + u64::from(header.stored_len);
        let padding = self.source.held(payload_end, (end - payload_end) as usize)?;
        if !padding.iter().all(|&byte| byte == 0)
            || self.source.held(from, header.stored_len as usize).is_none()
        {
            return None;
        }
        if !matches!(self.source.sum_to(from, header.stored_len, header.payload_check), Ok(true)) {
            return None;
        }
        group.next_index = header.index + 1;
        group.after_gap = false;
        self.offset = end;
        Some(Frame { at: position, header, check, in_group: true })
    }

    #[inline]
    fn step(&mut self, place: Place) -> Result<Option<Seen>, S::Error> {
        match place {
            Place::BetweenGroups => self.between_groups(),
            Place::InGroup(group) => self.in_group(group),
            Place::InFooter { end } => {
                let from = self.go(end, Place::BehindFooter);
                Ok(Some(self.bad(from, end, Fault::Footer)))
            }
            Place::BehindFooter => {
                let nonzero_end = self.nonzero_end(self.offset, self.len)?;
                Ok((nonzero_end > self.offset).then(|| self.bad(self.offset, nonzero_end, Fault::Behind)))
            }
            Place::End => Ok(None),
        }
    }

    fn position(&self, offset: u64) -> Position {
        self.base.plus(offset)
    }

    fn bad(&self, from: u64, to: u64, what: Fault) -> Seen {
        Seen::Bad(Bad { range: self.position(from)..self.position(to), what })
    }

    /// Goes on at `offset`; answers where we were.
    fn go(&mut self, offset: u64, place: Place) -> u64 {
        self.place = place;
        std::mem::replace(&mut self.offset, offset)
    }

    fn between_groups(&mut self) -> Result<Option<Seen>, S::Error> {
        let (at, len) = (self.offset, self.len);
        if at >= len {
            return Ok(None);
        }
        let (position, life) = (self.position(at), self.life);
        let head = self.source.bytes(at, LONGEST_HEAD)?;
        if let Some((header, check)) = GroupHeader::decode(life, position, head) {
            let group = InGroup {
                at,
                frames_end: at + GROUP_HEADER_BYTES + u64::from(header.frames_bytes),
                end: at + u64::from(header.group_bytes),
                count: header.count,
                next_index: 0,
                after_gap: false,
                all_verified: true,
            };
            self.go(at + GROUP_HEADER_BYTES, Place::InGroup(group));
            return Ok(Some(Seen::Group { at: position, header, check }));
        }
        if let Some(footer) = Footer::decode(life, position, head) {
            let index = IndexCheck::new(life, position, head);
            return self.footer(footer, index).map(Some);
        }
        if let Some((header, check)) = FrameHeader::decode(life, position, head) {
            return self.loose_frame(header, check).map(Some);
        }
        Ok(match self.search(at, len, true)? {
            Found::At(found) => {
                self.go(found, Place::BetweenGroups);
                Some(self.bad(at, found, Fault::Group))
            }
            Found::Nothing { zeros_from } => {
                (zeros_from > at).then(|| self.bad(at, zeros_from, Fault::Group))
            }
        })
    }

    /// The footer whose head, which verifies, is here.
    fn footer(&mut self, footer: Footer, index: IndexCheck) -> Result<Seen, S::Error> {
        let (at, position) = (self.offset, self.position(self.offset));
        let end = at + footer.footer_len();
        if self.rest_verifies(&footer, index)? {
            self.go(end, Place::BehindFooter);
            return Ok(Seen::Footer { at: position, footer });
        }
        self.go(at + FOOTER_HEAD_BYTES, Place::InFooter { end });
        Ok(Seen::FooterHead { at: position, footer })
    }

    fn rest_verifies(&mut self, footer: &Footer, mut index: IndexCheck) -> Result<bool, S::Error> {
        let (at, life) = (self.offset, self.life);
        let trailer_at = at + footer.footer_len() - TRAILER_BYTES;
        if trailer_at + TRAILER_BYTES > self.len || !footer.index_fits(at) {
            return Ok(false); // T5
        }
        let mut from = at + FOOTER_HEAD_BYTES;
        while from < trailer_at {
            let wanted = (ENTRIES_AT_ONCE as u64 * INDEX_ENTRY_BYTES).min(trailer_at - from);
            let entries = self.source.bytes(from, wanted as usize)?;
            if entries.len() as u64 != wanted || !index.add(entries) {
                return Ok(false); // T7
            }
            from += wanted;
        }
        let position = self.position(trailer_at);
        let stated =
            footer::footer_len(life, position, self.source.bytes(trailer_at, TRAILER_BYTES as usize)?);
        Ok(index.verifies() && stated == Some(footer.footer_len())) // T6, T8
    }

    #[inline]
    fn in_group(&mut self, mut group: InGroup) -> Result<Option<Seen>, S::Error> {
        let (at, len) = (self.offset, self.len);
        let (position, frames_end) = (self.position(at), group.frames_end.min(len));
        if group.next_index == group.count || at >= frames_end {
            return self.behind_frames(&group);
        }
        let head = self.source.bytes(at, FRAME_HEADER_BYTES as usize)?;
        let Some((header, check)) = FrameHeader::decode_seeded(self.seed, position, head) else {
            let found = match self.search(at, frames_end, false)? {
                Found::At(found) => found,
                Found::Nothing { .. } => frames_end,
            };
            return Ok(Some(self.bad_frame(group, found, Fault::Frame)));
        };
        let end = at + header.frame_len();
        if !group.awaits(&header, end) {
            return Ok(Some(self.bad_frame(group, end.min(frames_end), Fault::Frame))); // F7, and so G5
        }
        group.next_index = header.index + 1;
        group.after_gap = false;
        if !self.payload_verifies(&header)? {
            return Ok(Some(self.bad_frame(group, end.min(len), Fault::Payload)));
        }
        self.go(end, Place::InGroup(group));
        Ok(Some(Seen::Frame(Frame { at: position, header, check, in_group: true })))
    }

    fn bad_frame(&mut self, group: InGroup, end: u64, what: Fault) -> Seen {
        let after_gap = group.after_gap || what == Fault::Frame;
        let group = InGroup { after_gap, all_verified: false, ..group };
        let from = self.go(end, Place::InGroup(group));
        self.bad(from, end, what)
    }

    /// All frames are behind us, or the file's end is here. That the frames fill their room was seen to one by one.
    fn behind_frames(&mut self, group: &InGroup) -> Result<Option<Seen>, S::Error> {
        let (at, len) = (self.offset, self.len);
        let laid_out = group.end <= len // G6
            && self.nonzero_end(at, group.end)? == at; // G7
        self.go(group.end.min(len), Place::BetweenGroups);
        Ok(match (laid_out, group.all_verified) {
            (true, true) => Some(Seen::Whole { at: self.position(group.at), end: self.position(group.end) }),
            (true, false) => None, // its faults were told one by one
            (false, _) => Some(self.bad(at, group.end, Fault::Layout)),
        })
    }

    /// The frame here, whose header this is and whose group's header is gone.
    fn loose_frame(&mut self, header: FrameHeader, check: u32) -> Result<Seen, S::Error> {
        let (at, position) = (self.offset, self.position(self.offset));
        let verifies = self.payload_verifies(&header)?;
        let end = (at + header.frame_len()).min(self.len);
        self.go(end, Place::BetweenGroups);
        Ok(if verifies {
            Seen::Frame(Frame { at: position, header, check, in_group: false })
        } else {
            self.bad(at, end, Fault::Payload)
        })
    }

    /// Whether the payload of the frame here, whose header this is, and the zeros behind it verify; window by window.
    #[inline]
    fn payload_verifies(&mut self, header: &FrameHeader) -> Result<bool, S::Error> {
        let from = self.offset + FRAME_HEADER_BYTES;
        let (payload_end, end) = (from + u64::from(header.stored_len), self.offset + header.frame_len());
        if end > self.len || !self.source.sum_to(from, header.stored_len, header.payload_check)? {
            return Ok(false); // F5
        }
        if payload_end == end {
            return Ok(true);
        }
        let padding = self.source.bytes(payload_end, (end - payload_end) as usize)?;
        Ok(padding.len() as u64 == end - payload_end && all_zero(padding)) // F6
    }

    /// The first offset behind `from`, in steps of eight bytes, where a frame header, or unless we are in a group a
    /// group header or a footer, verifies. At `from` itself nothing does.
    fn search(&mut self, from: u64, to: u64, between: bool) -> Result<Found, S::Error> {
        let (life, base) = (self.life, self.base);
        let (mut at, mut zeros_from) = (from, from);
        // What is found is mostly near, and what was read behind it is read again: so the windows begin small.
        let mut window_bytes = WINDOW_BYTES_LEAST;
        while at < to {
            let window = self.source.bytes(at, window_bytes.min(window(at, to)))?;
            window_bytes = WINDOW_BYTES.min(2 * window_bytes);
            if window.is_empty() {
                break;
            }
            // Heads that straddle the window's end are looked at in the next one, which begins with them.
            let last = at + window.len() as u64 >= to;
            let usable =
                if last { window.len() } else { (window.len().saturating_sub(LONGEST_HEAD) & !7).max(8) };
            if let Some(nonzero) = last_nonzero(window) {
                zeros_from = (at + nonzero as u64 + 1).next_multiple_of(8).min(to);
                for start in (0..usable.min(nonzero + 1)).step_by(8) {
                    let offset = at + start as u64;
                    // Not even where it does now, in a file that changes under us, is `from` an answer.
                    if heads_something(life, base.plus(offset), &window[start..], between) && offset > from {
                        return Ok(Found::At(offset));
                    }
                }
            }
            at += usable as u64;
            at = self.behind_zeros(at, zeros_from)?;
        }
        Ok(Found::Nothing { zeros_from })
    }

    /// The end, rounded up to eight bytes, of the last byte in `from..to` that is not zero; `from` if all are.
    fn nonzero_end(&mut self, from: u64, to: u64) -> Result<u64, S::Error> {
        let (mut at, mut nonzero_end) = (from, from);
        while at < to {
            let window = self.source.bytes(at, window(at, to))?;
            if window.is_empty() {
                break;
            }
            if let Some(nonzero) = last_nonzero(window) {
                nonzero_end = (at + nonzero as u64 + 1).next_multiple_of(8).min(to);
            }
            at += window.len() as u64;
            at = self.behind_zeros(at, nonzero_end)?;
        }
        Ok(nonzero_end)
    }

    /// Where to look on at `at`, if all has been zeros from `zeros_from` on.
    fn behind_zeros(&mut self, at: u64, zeros_from: u64) -> Result<u64, S::Error> {
        if at < zeros_from.saturating_add(HOLE_FROM_BYTES) {
            return Ok(at);
        }
        // Heads begin at multiples of eight bytes, and one that straddles the hole's end may begin in it.
        Ok((self.source.data_from(at)?.saturating_sub(LONGEST_HEAD as u64) & !7).max(at))
    }
}

impl InGroup {
    /// Whether a frame with this header, which would end at `end`, is the one that the group should have here: the
    /// next, or after a gap any later one; and those behind it still have room, or the last one ends the frames.
    #[inline]
    fn awaits(&self, header: &FrameHeader, end: u64) -> bool {
        let in_turn = header.index == self.next_index || (self.after_gap && header.index > self.next_index);
        let Some(behind) = self.count.checked_sub(header.index).and_then(|left| left.checked_sub(1)) else {
            return false;
        };
        let least_end = end + u64::from(behind) * FRAME_HEADER_BYTES;
        in_turn && if behind == 0 { end == self.frames_end } else { least_end <= self.frames_end }
    }
}

fn window(from: u64, to: u64) -> usize {
    (to - from).min(WINDOW_BYTES as u64) as usize
}

fn heads_something(life: Life, position: Position, head: &[u8], between: bool) -> bool {
    if head.len() < FRAME_HEADER_BYTES as usize {
        return false;
    }
    if head[frame::AT_MARK] == frame::MARK && FrameHeader::decode(life, position, head).is_some() {
        return true;
    }
    if !between {
        return false;
    }
    match u32_at(head, 0) {
        group::MAGIC => GroupHeader::decode(life, position, head).is_some(),
        footer::MAGIC => Footer::decode(life, position, head).is_some(),
        _ => false,
    }
}
