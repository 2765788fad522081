//! What a segment adds up to: kept by its writer as it grows, made again by whoever scans it, and stated in its footer.

use super::footer::{FOOTER_BYTES, Footer, INDEX_ENTRY_BYTES, INDEX_STRETCH_BYTES, IndexEntry};
use super::frame::FrameHeader;
use super::group::GroupHeader;
use super::handle::Position;
use crate::clock::Time;

/// The sums over the groups of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The digest so far. It begins as the checksum in the segment's header and goes on, as one CRC-32C, over the
    /// checksum of every group header and frame header in order; those cover all the rest.
    pub seal: u32,
    /// Records of callers.
    pub records: u64,
    /// Groups.
    pub groups: u64,
    /// The least time of a record; the greatest time there is, if there is none.
    pub least: Time,
    /// The greatest time of a record.
    pub greatest: Time,
    /// Payload bytes of the callers' records as they were appended.
    pub payload_bytes: u64,
    /// The sparse index.
    pub index: Vec<IndexEntry>,
}

/// The sums as they were, without what has been added since.
#[derive(Clone, Debug)]
pub struct Mark {
    sums: Totals,
    index_len: usize,
    last: Option<IndexEntry>,
}

impl Totals {
    /// Of a segment whose header has this checksum, and nothing in it yet.
    pub fn new(header_check: u32) -> Self {
        Totals {
            seal: header_check,
            records: 0,
            groups: 0,
            least: Time::MAX,
            greatest: Time(0),
            payload_bytes: 0,
            index: Vec::new(),
        }
    }

    /// Adds a group, before its frames.
    pub fn group(&mut self, position: Position, header: &GroupHeader, check: u32) {
        self.seal = crc32c::crc32c_append(self.seal, &check.to_le_bytes());
        self.groups += 1;
        if header.count == 0 {
            return;
        }
        self.least = self.least.min(header.least);
        self.greatest = self.greatest.max(header.greatest);
        match self.index.last_mut() {
            Some(last) if position.since(last.position) < INDEX_STRETCH_BYTES => {
                last.least = last.least.min(header.least);
                last.greatest = last.greatest.max(header.greatest);
            }
            _ => self.index.push(IndexEntry { position, least: header.least, greatest: header.greatest }),
        }
    }

    /// Adds a frame of the group that was added last.
    pub fn frame(&mut self, header: &FrameHeader, check: u32) {
        self.seal = crc32c::crc32c_append(self.seal, &check.to_le_bytes());
        if !header.own {
            self.records += 1;
            // Of compressed frames, hostile ones state more than any file could hold.
            self.payload_bytes = self.payload_bytes.saturating_add(u64::from(header.raw_len));
        }
    }

    /// Remembers the sums, for taking back a group that turns out not to be whole.
    pub fn mark(&self) -> Mark {
        Mark {
            sums: Totals { index: Vec::new(), ..*self },
            index_len: self.index.len(),
            last: self.index.last().copied(),
        }
    }

    /// Takes back everything added since the mark.
    pub fn undo(&mut self, mark: Mark) {
        let mut index = std::mem::take(&mut self.index);
        index.truncate(mark.index_len);
        if let (Some(last), Some(before)) = (index.last_mut(), mark.last) {
            *last = before;
        }
        *self = Totals { index, ..mark.sums };
    }

    /// The most bytes that the footer of a segment can take whose groups take so many.
    pub fn footer_bytes_max(groups_bytes: u64) -> u64 {
        FOOTER_BYTES + groups_bytes.div_ceil(INDEX_STRETCH_BYTES) * INDEX_ENTRY_BYTES
    }

    /// Whether a footer states these sums, its index apart.
    pub fn are_in(&self, footer: &Footer) -> bool {
        (self.seal, self.records, self.groups) == (footer.seal, footer.records, footer.groups)
            && (self.least, self.greatest) == (footer.least, footer.greatest)
            && self.payload_bytes == footer.payload_bytes
            && self.index.len() as u64 == u64::from(footer.index_count)
    }

    /// The footer that states these sums, at `position`. Without `next` the next segment begins right behind it.
    pub fn footer(
        &self,
        position: Position,
        next: Option<Position>,
        acked: Position,
        begins: Position,
        sealed_at: Time,
    ) -> Footer {
        let mut footer = Footer {
            next: Position(0),
            seal: self.seal,
            records: self.records,
            groups: self.groups,
            least: self.least,
            greatest: self.greatest,
            sealed_at,
            acked,
            begins,
            payload_bytes: self.payload_bytes,
            index_count: u32::try_from(self.index.len()).expect("a segment has fewer stretches"),
        };
        let end = position.plus(footer.footer_len());
        footer.next = next.unwrap_or(end);
        assert!(footer.next >= end, "the next segment begins behind this one's footer");
        footer
    }
}
