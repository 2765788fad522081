//! A sound segment, taken apart: where everything in it lies. It is read by the format's decoders alone, without the scanner
//! that the checks rest on, so that what is expected of them does not come from them.

use std::ops::Range;

use headwater_wal::Position;
use headwater_wal::format::footer::{FOOTER_HEAD_BYTES, Footer, TRAILER_BYTES, footer_len};
use headwater_wal::format::frame::{FRAME_HEADER_BYTES, FrameHeader};
use headwater_wal::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use headwater_wal::format::header::{HEADER_BYTES, Header};
use headwater_wal::format::name;

/// A segment, by the offsets in its file.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Its file.
    pub name: String,
    /// What its header says.
    pub header: Header,
    /// The groups, in order.
    pub groups: Vec<Group>,
    /// Where its footer lies and what that says.
    pub footer: Option<(u64, Footer)>,
    /// The length of the file.
    pub len: u64,
    /// Whether a later epoch begins right behind it, and says where its groups end.
    pub closed: bool,
}

/// A group in a segment.
#[derive(Clone, Debug)]
pub struct Group {
    /// Where it begins.
    pub at: u64,
    /// Where the next thing begins.
    pub end: u64,
    /// Its frames, in order.
    pub frames: Vec<Frame>,
}

/// A frame in a group.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where its header begins.
    pub at: u64,
    /// Where its payload ends.
    pub payload_end: u64,
    /// Where the next thing begins.
    pub end: u64,
    /// Which of the log's records it is, counted from the first; none if it is the log's own.
    pub record: Option<usize>,
}

impl Sound {
    /// Takes a sound segment apart. `first` is the number of its first record.
    pub(super) fn read(name: &str, bytes: &[u8], mut first: usize) -> Sound {
        let base = name::parse_segment(name).expect("a segment's name");
        let header = Header::decode(base, &bytes[..HEADER_BYTES as usize]).expect("a sound header");
        let (life, len) = (header.life(), bytes.len() as u64);
        let mut at = header.body();
        let mut groups = Vec::new();
        while at + GROUP_HEADER_BYTES <= len
            && let Some((group, _)) = GroupHeader::decode(life, base.plus(at), &bytes[at as usize..])
        {
            let mut frames = Vec::new();
            let mut from = at + GROUP_HEADER_BYTES;
            for _ in 0..group.count {
                let head = &bytes[from as usize..];
                let (frame, _) = FrameHeader::decode(life, base.plus(from), head).expect("a sound frame");
                let record = (!frame.own).then_some(first);
                first += usize::from(!frame.own);
                let payload_end = from + FRAME_HEADER_BYTES + u64::from(frame.stored_len);
                frames.push(Frame { at: from, payload_end, end: from + frame.frame_len(), record });
                from += frame.frame_len();
            }
            let end = at + u64::from(group.group_bytes);
            groups.push(Group { at, end, frames });
            at = end;
        }
        let footer = bytes.get(at as usize..).and_then(|rest| Footer::decode(life, base.plus(at), rest));
        let footer = footer.map(|footer| (at, footer));
        Sound { name: name.to_owned(), header, groups, footer, len, closed: false }
    }

    /// Where it begins.
    pub fn base(&self) -> Position {
        self.header.base
    }

    /// A position in it.
    pub fn at(&self, offset: u64) -> Position {
        self.base().plus(offset)
    }

    /// Where its groups end.
    pub fn groups_end(&self) -> u64 {
        self.groups.last().map_or(self.header.body(), |last| last.end)
    }

    /// The numbers of the records in it.
    pub fn records(&self) -> impl Iterator<Item = usize> + '_ {
        self.groups.iter().flat_map(Group::records)
    }

    /// Where the trailer begins.
    pub fn trailer(&self) -> u64 {
        self.footer.as_ref().map_or(self.len, |(at, footer)| at + footer.footer_len() - TRAILER_BYTES)
    }

    /// Where the index begins.
    pub fn index(&self) -> u64 {
        self.footer.as_ref().map_or(self.len, |(at, _)| at + FOOTER_HEAD_BYTES)
    }

    /// Whether its last bytes lead to its footer.
    pub(super) fn is_trimmed(&self, bytes: &[u8]) -> bool {
        let at = self.trailer();
        let trailer = bytes.get(at as usize..).unwrap_or_default();
        at + TRAILER_BYTES == self.len && footer_len(self.header.life(), self.at(at), trailer).is_some()
    }
}

impl Group {
    /// Where its frames end.
    pub fn frames_end(&self) -> u64 {
        self.frames.last().map_or(self.at + GROUP_HEADER_BYTES, |last| last.end)
    }

    /// The numbers of the records in it.
    pub fn records(&self) -> impl Iterator<Item = usize> + '_ {
        self.frames.iter().filter_map(|frame| frame.record)
    }
}

/// What the change of some bytes of one group costs.
#[derive(Debug, Default)]
pub(super) struct Spoilt {
    /// The stretches that do not verify any more, one by one.
    pub(super) stretches: Vec<Range<u64>>,
    /// The records that are gone.
    pub(super) records: Vec<usize>,
}

/// What is wrong with a group of which these bytes were and those are: the rule of the format, told forwards. A header that
/// is gone makes everything unknown up to the next header that is there; a payload costs its own frame.
pub(super) fn spoilt(group: &Group, before: &[u8], after: &[u8]) -> Spoilt {
    let hit = |range: Range<u64>| {
        let range = range.start as usize..range.end as usize;
        before[range.clone()] != after[range]
    };
    let mut spoilt = Spoilt::default();
    let headless = hit(group.at..group.at + GROUP_HEADER_BYTES);
    // Up to here all is known; what follows is not, up to the next header.
    let mut known = if headless { group.at } else { group.at + GROUP_HEADER_BYTES };
    for frame in &group.frames {
        let headed = !hit(frame.at..frame.at + FRAME_HEADER_BYTES);
        let whole = headed && !hit(frame.at + FRAME_HEADER_BYTES..frame.end);
        if headed {
            spoilt.stretches.extend((known < frame.at).then_some(known..frame.at));
            known = frame.end;
        }
        if !whole {
            spoilt.records.extend(frame.record);
            spoilt.stretches.extend(headed.then_some(frame.at..frame.end));
        }
    }
    // Without the group's header nothing says that the zeros behind the frames belong to it.
    let end = if headless { group.end } else { group.frames_end() };
    spoilt.stretches.extend((known < end).then_some(known..end));
    if !headless && hit(group.frames_end()..group.end) {
        spoilt.stretches.push(group.frames_end()..group.end);
    }
    spoilt
}
