//! Walking the bytes of a segment, whatever they are.
//!
//! The walk never fails and believes nothing: a length is used only once the header that states it has verified, and
//! what does not verify is passed over up to the next thing that does. It holds one window of the file at a time. Its
//! only errors are those of reading.

use std::convert::Infallible;
use std::ops::Range;

use super::footer::{self, Footer};
use super::frame::{self, FRAME_HEADER_BYTES, FrameHeader};
use super::group::{self, GROUP_HEADER_BYTES, GroupHeader};
use super::handle::Position;
use super::header::Header;
use super::seed::{Life, all_zero, u32_at};

const WINDOW: usize = 64 * 1024;
const LONGEST_HEAD: usize = 96; // of a footer

/// Where the bytes come from.
pub trait Source {
    /// What reading may fail with.
    type Error;
    /// The length of the file.
    fn file_len(&self) -> u64;
    /// The bytes from `offset` on: `len` of them, or as many as the file has.
    fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Self::Error>;
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

/// Bytes that do not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Where they lie.
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
    /// A group whose frames do not add up, or are not followed by zeros.
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

/// The group that a walk is in.
#[derive(Debug)]
struct InGroup {
    at: u64,
    frames_end: u64,
    end: u64,
    count: u32,
    next_index: u32,
    in_order: bool,
    all_verified: bool,
}

/// A walk over the groups of one segment.
#[derive(Debug)]
pub struct Walk<S> {
    source: S,
    life: Life,
    base: Position,
    offset: u64,
    group: Option<InGroup>,
    done: bool,
}

impl<S: Source> Walk<S> {
    /// Over the segment with this header, from its first group.
    pub fn new(source: S, header: &Header) -> Self {
        Walk::from(source, header.life(), header.base, header.body())
    }

    /// Over a file that begins at `base`, from `offset`, where a group or the footer begins.
    pub fn from(source: S, life: Life, base: Position, offset: u64) -> Self {
        Walk { source, life, base, offset, group: None, done: false }
    }

    /// The source, for reading what the walk has come upon.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The next thing; nothing at the end of the file or where only zeros follow.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would lend nothing and hide the read error"
    )]
    pub fn next(&mut self) -> Result<Option<Seen>, S::Error> {
        while !self.done {
            let seen = match self.group.take() {
                Some(group) => self.in_group(group)?,
                None => self.between_groups()?,
            };
            if seen.is_some() {
                return Ok(seen);
            }
        }
        Ok(None)
    }

    fn position(&self, offset: u64) -> Position {
        self.base.plus(offset)
    }

    fn bad(&self, from: u64, to: u64, what: Fault) -> Seen {
        Seen::Bad(Bad { range: self.position(from)..self.position(to), what })
    }

    fn between_groups(&mut self) -> Result<Option<Seen>, S::Error> {
        let (at, len) = (self.offset, self.source.file_len());
        if at >= len {
            self.done = true;
            return Ok(None);
        }
        if let Some(seen) = self.group_or_footer(at)? {
            return Ok(Some(seen));
        }
        let Some(found) = self.search(at, len, true)? else {
            self.done = true;
            let zero_from = self.last_nonzero(at, len)?;
            return Ok((zero_from > at).then(|| self.bad(at, zero_from, Fault::Group)));
        };
        if found > at {
            self.offset = found;
            return Ok(Some(self.bad(at, found, Fault::Group)));
        }
        // A frame whose group header is gone.
        self.frame(at, len, false).map(Some)
    }

    /// The group header or the footer at `at`, if one verifies there.
    fn group_or_footer(&mut self, at: u64) -> Result<Option<Seen>, S::Error> {
        let (position, life) = (self.position(at), self.life);
        let head = self.source.bytes(at, LONGEST_HEAD)?;
        if let Some((header, check)) = GroupHeader::decode(life, position, head) {
            self.offset = at + GROUP_HEADER_BYTES;
            self.group = Some(InGroup {
                at,
                frames_end: at + GROUP_HEADER_BYTES + u64::from(header.frames_bytes),
                end: at + u64::from(header.group_bytes),
                count: header.count,
                next_index: 0,
                in_order: true,
                all_verified: true,
            });
            return Ok(Some(Seen::Group { at: position, header, check }));
        }
        let Some(footer) = Footer::decode(life, position, head) else { return Ok(None) };
        self.footer(at, footer).map(Some)
    }

    fn footer(&mut self, at: u64, footer: Footer) -> Result<Seen, S::Error> {
        let (position, life, len) = (self.position(at), self.life, self.source.file_len());
        let end = at.saturating_add(footer.footer_len());
        self.done = true;
        // The length is proven, and no more than the file has is asked for.
        let wanted = usize::try_from(end.min(len) - at).unwrap_or(usize::MAX);
        if footer.decode_index(life, position, self.source.bytes(at, wanted)?).is_none() {
            return Ok(self.bad(at, end.min(len), Fault::Footer));
        }
        let nonzero = self.last_nonzero(end, len)?;
        if nonzero > end {
            return Ok(self.bad(end, nonzero, Fault::Behind));
        }
        Ok(Seen::Footer { at: position, footer })
    }

    fn in_group(&mut self, mut group: InGroup) -> Result<Option<Seen>, S::Error> {
        let (at, len) = (self.offset, self.source.file_len());
        let frames_end = group.frames_end.min(len);
        if group.next_index < group.count && at < frames_end {
            let (life, position) = (self.life, self.position(at));
            let head = self.source.bytes(at, FRAME_HEADER_BYTES as usize)?;
            let seen = if FrameHeader::decode(life, position, head).is_some() {
                self.frame(at, frames_end, true)?
            } else {
                self.offset = self.search(at, frames_end, false)?.unwrap_or(frames_end);
                self.bad(at, self.offset, Fault::Frame)
            };
            match &seen {
                Seen::Frame(frame) => {
                    group.in_order &= frame.header.index == group.next_index;
                    group.next_index = frame.header.index.saturating_add(1).max(group.next_index);
                }
                _ => group.all_verified = false,
            }
            self.group = Some(group);
            return Ok(Some(seen));
        }
        // All frames are behind us: they must have filled their room, and zeros the rest.
        self.offset = group.end.min(len);
        if !group.all_verified {
            return Ok(None); // its faults were told one by one
        }
        let adds_up = group.in_order
            && group.next_index == group.count
            && at == group.frames_end
            && group.end <= len
            && self.last_nonzero(at, group.end)? <= at;
        Ok(Some(if adds_up {
            Seen::Whole { at: self.position(group.at), end: self.position(group.end) }
        } else {
            self.bad(at.min(group.end), group.end, Fault::Layout)
        }))
    }

    /// The frame at `at`, whose header verifies; its payload is checked in windows.
    fn frame(&mut self, at: u64, limit: u64, in_group: bool) -> Result<Seen, S::Error> {
        let (position, life) = (self.position(at), self.life);
        let head = self.source.bytes(at, FRAME_HEADER_BYTES as usize)?;
        let Some((header, check)) = FrameHeader::decode(life, position, head) else {
            self.offset = limit.min(at + 8);
            return Ok(self.bad(at, self.offset, Fault::Frame));
        };
        let end = at + header.frame_len();
        if end > limit {
            self.offset = limit;
            return Ok(self.bad(at, limit, Fault::Payload));
        }
        self.offset = end;
        let mut payload_check = 0;
        let payload_end = at + FRAME_HEADER_BYTES + u64::from(header.stored_len);
        let mut from = at + FRAME_HEADER_BYTES;
        while from < payload_end {
            let wanted = WINDOW.min((payload_end - from) as usize);
            let part = self.source.bytes(from, wanted)?;
            if part.is_empty() {
                break;
            }
            payload_check = crc32c::crc32c_append(payload_check, part);
            from += part.len() as u64;
        }
        let padding = (end - payload_end) as usize;
        let right = from == payload_end
            && payload_check == header.payload_check
            && all_zero(self.source.bytes(payload_end, padding)?);
        if !right {
            return Ok(self.bad(at, end, Fault::Payload)); // F5, F6
        }
        Ok(Seen::Frame(Frame { at: position, header, check, in_group }))
    }

    /// The first offset from `from` on, in steps of eight bytes, where a frame header, or unless we are in a group a
    /// group header or a footer, verifies.
    fn search(&mut self, from: u64, limit: u64, between: bool) -> Result<Option<u64>, S::Error> {
        let (life, base) = (self.life, self.base);
        let mut at = from;
        while at < limit {
            let wanted = WINDOW.min(usize::try_from(limit - at).unwrap_or(WINDOW));
            let window = self.source.bytes(at, wanted)?;
            let last = at + window.len() as u64 >= limit;
            // Heads that straddle the window's end are looked at in the next one.
            let usable = if last { window.len() } else { window.len().saturating_sub(LONGEST_HEAD) };
            if window.is_empty() {
                return Ok(None);
            }
            for start in (0..usable).step_by(8) {
                let head = &window[start..];
                let position = base.plus(at + start as u64);
                if heads_something(life, position, head, between) {
                    return Ok(Some(at + start as u64));
                }
            }
            at += if last { window.len() as u64 } else { usable.next_multiple_of(8).max(8) as u64 };
        }
        Ok(None)
    }

    /// The end, rounded up to eight bytes, of the last byte in `from..to` that is not zero; `from` if all are.
    fn last_nonzero(&mut self, from: u64, to: u64) -> Result<u64, S::Error> {
        let (mut at, mut last) = (from, from);
        while at < to {
            let wanted = WINDOW.min(usize::try_from(to - at).unwrap_or(WINDOW));
            let window = self.source.bytes(at, wanted)?;
            if window.is_empty() {
                break;
            }
            if !all_zero(window) {
                let byte = window.iter().rposition(|&byte| byte != 0).unwrap_or(0) as u64;
                last = (at + byte + 1).next_multiple_of(8).min(to.max(at + byte + 1));
            }
            at += window.len() as u64;
        }
        Ok(last)
    }
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
