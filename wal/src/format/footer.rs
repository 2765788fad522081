//! The footer of a sealed segment: what is in it, where to look, and where the next one begins.

use super::handle::Position;
use super::seed::{Life, set_u32, set_u64, u32_at, u64_at};
use crate::clock::Time;

/// The length of a footer without its index.
pub const FOOTER_BYTES: u64 = (HEAD_LEN + TRAILER_LEN) as u64;

/// The length of an entry of the index.
pub const INDEX_ENTRY_BYTES: u64 = ENTRY_LEN as u64;

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

    /// The bytes of the footer at `position`: its head, the index, the trailer.
    pub fn encode(&self, life: Life, position: Position, index: &[IndexEntry]) -> Vec<u8> {
        assert_eq!(index.len(), self.index_count as usize, "a footer counts its index");
        let mut bytes = vec![0; HEAD_LEN];
        bytes.reserve(index.len() * ENTRY_LEN + TRAILER_LEN);
        for entry in index {
            bytes.extend_from_slice(&entry.position.0.to_le_bytes());
            bytes.extend_from_slice(&entry.least.0.to_le_bytes());
            bytes.extend_from_slice(&entry.greatest.0.to_le_bytes());
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
        let index_check = life.check(position, &bytes[HEAD_LEN..]);
        set_u32(&mut bytes, AT_INDEX_CHECK, index_check);
        let check = life.check(position, &bytes[AT_COUNT..HEAD_LEN]);
        set_u32(&mut bytes, AT_CHECK, check);

        let trailer_position = position.plus(bytes.len() as u64);
        let mut trailer = [0; TRAILER_LEN];
        set_u64(&mut trailer, 0, self.footer_len());
        set_u32(&mut trailer, AT_TRAILER_MAGIC, TRAILER_MAGIC);
        let check = life.check(trailer_position, &trailer[..8]);
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
        let sound = footer.next >= position.plus(footer.footer_len()) && u32_at(bytes, AT_RESERVED) == 0;
        sound.then_some(footer) // T4
    }

    /// Reads the index and checks the trailer, given the whole footer; conditions T5 to T7.
    pub fn decode_index(&self, life: Life, position: Position, bytes: &[u8]) -> Option<Vec<IndexEntry>> {
        let len = usize::try_from(self.footer_len()).ok()?;
        let bytes = bytes.get(..len)?; // T5
        let (index, trailer) = bytes[HEAD_LEN..].split_at(len - HEAD_LEN - TRAILER_LEN);
        if u32_at(bytes, AT_INDEX_CHECK) != life.check(position, index) {
            return None; // T6
        }
        let trailer_position = position.plus((len - TRAILER_LEN) as u64);
        if footer_len(life, trailer_position, trailer)? != self.footer_len() {
            return None; // T7
        }
        let entries = index.chunks_exact(ENTRY_LEN).map(|entry| IndexEntry {
            position: Position(u64_at(entry, 0)),
            least: Time(u64_at(entry, 8)),
            greatest: Time(u64_at(entry, 16)),
        });
        Some(entries.collect())
    }
}

/// The length of the footer that ends with this trailer at `position`.
pub fn footer_len(life: Life, position: Position, trailer: &[u8]) -> Option<u64> {
    let trailer = trailer.get(..TRAILER_LEN)?;
    let right = u32_at(trailer, AT_TRAILER_MAGIC) == TRAILER_MAGIC
        && u32_at(trailer, AT_TRAILER_CHECK) == life.check(position, &trailer[..8]);
    right.then(|| u64_at(trailer, 0))
}
