//! The footer of a sealed segment: what is in it, where to look, and where the next one begins.

use super::handle::Position;
use super::seed::{Life, set_u32, set_u64, u32_at, u64_at};
use crate::clock::Time;

/// The length of a footer without its index.
pub const FOOTER_BYTES: u64 = (HEAD_LEN + TRAILER_LEN) as u64;

/// The length of an entry of the index.
pub const INDEX_ENTRY_BYTES: u64 = ENTRY_LEN as u64;

/// The length of the head, which verifies by itself, whatever became of the index and the trailer.
pub const FOOTER_HEAD_BYTES: u64 = HEAD_LEN as u64;

/// How many entries are read and checked at once.
pub(super) const ENTRIES_AT_ONCE: usize = 1024;

/// An entry of the index stands for this many bytes of groups, or more where one group is longer.
pub const INDEX_STRETCH_BYTES: u64 = 64 * 1024;

/// The length of the trailer, a file's last bytes.
pub const TRAILER_BYTES: u64 = TRAILER_LEN as u64;

const HEAD_LEN: usize = 96;
const ENTRY_LEN: usize = 24;
const TRAILER_LEN: usize = 16;
pub(super) const MAGIC: u32 = 0x5254_4648; // "HFTR"
const TRAILER_MAGIC: u32 = 0x444E_4548; // "HEND"
const AT_CHECK: usize = 4;
const AT_COUNT: usize = 8;
const AT_SEAL: usize = 12;
const AT_NEXT: usize = 16;
const AT_RECORDS: usize = 24;
const AT_GROUPS: usize = 32;
const AT_LEAST: usize = 40;
const AT_GREATEST: usize = 48;
const AT_SEALED_AT: usize = 56;
const AT_ACKED: usize = 64;
const AT_BEGINS: usize = 72;
const AT_PAYLOAD: usize = 80;
const AT_INDEX_CHECK: usize = 88;
const AT_RESERVED: usize = 92;
const AT_TRAILER_CHECK: usize = 8;
const AT_TRAILER_MAGIC: usize = 12;

/// What a sealed segment says of itself at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Where the next segment begins.
    pub next: Position,
    /// The digest of the segment.
    pub seal: u32,
    /// How many records of callers it holds.
    pub records: u64,
    /// How many groups.
    pub groups: u64,
    /// The least time of its records; the greatest time there is, if it holds none.
    pub least: Time,
    /// The greatest time of its records.
    pub greatest: Time,
    /// The engine's time when it was sealed.
    pub sealed_at: Time,
    /// Everything below was acknowledged when it was sealed.
    pub acked: Position,
    /// Where the log began then.
    pub begins: Position,
    /// The payload bytes of its records as they were appended.
    pub payload_bytes: u64,
    /// How many entries its index has.
    pub index_count: u32,
}

/// An entry of the sparse index: a stretch of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where its first group begins.
    pub position: Position,
    /// The least time in it.
    pub least: Time,
    /// The greatest time in it.
    pub greatest: Time,
}

impl Footer {
    /// The length of the whole footer.
    pub fn footer_len(&self) -> u64 {
        FOOTER_BYTES + u64::from(self.index_count) * INDEX_ENTRY_BYTES
    }

    /// Whether its index is one that groups taking so many bytes can have; only then is the footer's length worth
    /// believing.
    pub fn index_fits(&self, groups_bytes: u64) -> bool {
        u64::from(self.index_count) <= groups_bytes.div_ceil(INDEX_STRETCH_BYTES) // T5
    }

    /// Whether the head of a footer at `position` can say this: what `encode` insists on and `decode` checks.
    fn is_sound(&self, position: Position) -> bool {
        self.next >= position.plus(self.footer_len())
            && self.next <= Position::LIMIT
            && self.acked <= position
            && self.begins <= position
    }

    /// The bytes of the footer at `position`: its head, the index, the trailer. It must be one that conditions T4 and
    /// T7 allow.
    pub fn encode(&self, life: Life, position: Position, index: &[IndexEntry]) -> Vec<u8> {
        assert_eq!(index.len(), self.index_count as usize, "a footer counts its index");
        assert!(self.is_sound(position), "a footer that nobody could read back: {self:?}");
        let mut bytes = vec![0; HEAD_LEN];
        bytes.reserve(index.len() * ENTRY_LEN + TRAILER_LEN);
        for entry in index {
            bytes.extend_from_slice(&entry.encode());
        }
        set_u32(&mut bytes, 0, MAGIC);
        set_u32(&mut bytes, AT_COUNT, self.index_count);
        set_u32(&mut bytes, AT_SEAL, self.seal);
        set_u64(&mut bytes, AT_NEXT, self.next.0);
        set_u64(&mut bytes, AT_RECORDS, self.records);
        set_u64(&mut bytes, AT_GROUPS, self.groups);
        set_u64(&mut bytes, AT_LEAST, self.least.0);
        set_u64(&mut bytes, AT_GREATEST, self.greatest.0);
        set_u64(&mut bytes, AT_SEALED_AT, self.sealed_at.0);
        set_u64(&mut bytes, AT_ACKED, self.acked.0);
        set_u64(&mut bytes, AT_BEGINS, self.begins.0);
        set_u64(&mut bytes, AT_PAYLOAD, self.payload_bytes);
        let mut index_check = IndexCheck::new(life, position, &bytes);
        assert!(index_check.add(&bytes[HEAD_LEN..]), "an index goes up, and ends before its footer");
        let index_check = index_check.check;
        set_u32(&mut bytes, AT_INDEX_CHECK, index_check);
        let check = life.check(position, &bytes[AT_COUNT..HEAD_LEN]);
        set_u32(&mut bytes, AT_CHECK, check);

        let mut trailer = [0; TRAILER_LEN];
        set_u64(&mut trailer, 0, self.footer_len());
        set_u32(&mut trailer, AT_TRAILER_MAGIC, TRAILER_MAGIC);
        let check = life.check(self.trailer_position(position), &trailer[..8]);
        set_u32(&mut trailer, AT_TRAILER_CHECK, check);
        bytes.extend_from_slice(&trailer);
        bytes
    }

    /// Reads the head of a footer; conditions T1 to T4 of the [specification](super).
    pub fn decode(life: Life, position: Position, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEAD_LEN)?; // T1
        if u32_at(bytes, 0) != MAGIC {
            return None; // T2
        }
        if u32_at(bytes, AT_CHECK) != life.check(position, &bytes[AT_COUNT..]) {
            return None; // T3
        }
        let footer = Footer {
            next: Position(u64_at(bytes, AT_NEXT)),
            seal: u32_at(bytes, AT_SEAL),
            records: u64_at(bytes, AT_RECORDS),
            groups: u64_at(bytes, AT_GROUPS),
            least: Time(u64_at(bytes, AT_LEAST)),
            greatest: Time(u64_at(bytes, AT_GREATEST)),
            sealed_at: Time(u64_at(bytes, AT_SEALED_AT)),
            acked: Position(u64_at(bytes, AT_ACKED)),
            begins: Position(u64_at(bytes, AT_BEGINS)),
            payload_bytes: u64_at(bytes, AT_PAYLOAD),
            index_count: u32_at(bytes, AT_COUNT),
        };
        let sound = footer.is_sound(position) && u32_at(bytes, AT_RESERVED) == 0;
        sound.then_some(footer) // T4
    }

    /// Reads the index and checks the trailer, given the whole footer; conditions T6 to T8. It allocates as much as it
    /// is given.
    pub fn decode_index(&self, life: Life, position: Position, bytes: &[u8]) -> Option<Vec<IndexEntry>> {
        let len = usize::try_from(self.footer_len()).ok()?;
        let (head, rest) = bytes.get(..len)?.split_at(HEAD_LEN);
        let (index, trailer) = rest.split_at(len - HEAD_LEN - TRAILER_LEN);
        let mut check = IndexCheck::new(life, position, head);
        if !check.add(index) || !check.verifies() {
            return None; // T6, T7
        }
        if footer_len(life, self.trailer_position(position), trailer)? != self.footer_len() {
            return None; // T8
        }
        Some(index.as_chunks().0.iter().map(IndexEntry::decode).collect())
    }

    /// Where the trailer of a footer at `position` lies.
    pub(super) fn trailer_position(&self, position: Position) -> Position {
        position.plus(self.footer_len() - TRAILER_BYTES)
    }
}

impl IndexEntry {
    pub(super) fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        set_u64(&mut bytes, 0, self.position.0);
        set_u64(&mut bytes, 8, self.least.0);
        set_u64(&mut bytes, 16, self.greatest.0);
        bytes
    }

    fn decode(bytes: &[u8; ENTRY_LEN]) -> Self {
        IndexEntry {
            position: Position(u64_at(bytes, 0)),
            least: Time(u64_at(bytes, 8)),
            greatest: Time(u64_at(bytes, 16)),
        }
    }
}

/// Checks an index that is read a piece at a time.
pub(super) struct IndexCheck {
    footer: Position,
    last: Option<Position>,
    wanted: u32,
    check: u32,
}

impl IndexCheck {
    /// For the index behind this head, which has verified, of the footer at `position`.
    pub(super) fn new(life: Life, position: Position, head: &[u8]) -> Self {
        let wanted = u32_at(head, AT_INDEX_CHECK);
        IndexCheck { footer: position, last: None, wanted, check: life.check(position, &[]) }
    }

    /// Adds the next entries, whole ones. No, if they do not go up as they should.
    pub(super) fn add(&mut self, entries: &[u8]) -> bool {
        self.check = crc32c::crc32c_append(self.check, entries);
        entries.as_chunks().0.iter().all(|entry| {
            let position = IndexEntry::decode(entry).position;
            let apart = self.last.is_none_or(|last| position >= last.plus(INDEX_STRETCH_BYTES));
            self.last = Some(position);
            apart && position < self.footer // T7
        })
    }

    /// Whether all entries that were added are what the head says.
    pub(super) fn verifies(&self) -> bool {
        self.check == self.wanted // T6
    }
}

/// The length of the footer that ends with this trailer at `position`. A footer is no longer than its index may be;
/// whether the file holds as much, the caller knows.
pub fn footer_len(life: Life, position: Position, trailer: &[u8]) -> Option<u64> {
    let trailer = trailer.get(..TRAILER_LEN)?;
    let len = u64_at(trailer, 0);
    let index_len = len.checked_sub(FOOTER_BYTES)?;
    let right = u32_at(trailer, AT_TRAILER_MAGIC) == TRAILER_MAGIC
        && u32_at(trailer, AT_TRAILER_CHECK) == life.check(position, &trailer[..8])
        && index_len.is_multiple_of(INDEX_ENTRY_BYTES)
        && index_len / INDEX_ENTRY_BYTES <= u64::from(u32::MAX);
    right.then_some(len) // T8
}
