//! The frame: one record as it lies in a file.

use super::handle::Position;
use super::seed::{Life, Seed, set_u32, set_u64, u32_at, u64_at};
use crate::clock::Time;

/// The length of a frame header.
pub const FRAME_HEADER_BYTES: u64 = 32;

/// The longest payload that the format can hold, stored or raw.
pub const PAYLOAD_BYTES_LIMIT: u32 = 1 << 30;

/// No frame has more zeros behind its payload.
pub const PADDING_BYTES_MAX: usize = 7;

const LEN: usize = 32;
pub(super) const MARK: u8 = 0xF7; // never zero, so that zeros are never a frame
pub(super) const AT_MARK: usize = 4;
const AT_CODEC: usize = 5;
const AT_KIND: usize = 6;
const AT_RESERVED: usize = 7;
const AT_STORED: usize = 8;
const AT_RAW: usize = 12;
const AT_PAYLOAD_CHECK: usize = 16;
const AT_INDEX: usize = 20;
const AT_TIME: usize = 24;

const OWN: u8 = 0x80;
const CODEC_MASK: u8 = 0x0F;

/// How a payload is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    Raw,
    /// One zstd frame.
    Zstd,
    /// By a newer release.
    Other(u8),
}

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// How the payload is stored.
    pub codec: Codec,
    /// Whether the record is the log's own, such as a retire mark, and not a caller's.
    pub own: bool,
    /// The caller's kind; of the log's own records, theirs.
    pub kind: u8,
    /// The payload's length in the file.
    pub stored_len: u32,
    /// The payload's length as it was appended.
    pub raw_len: u32,
    /// CRC-32C of the stored payload, which knows no place, so that any thread can make it.
    pub payload_check: u32,
    /// Which frame of its group this is, from 0.
    pub index: u32,
    /// The record's time.
    pub time: Time,
}

/// How many bytes a frame takes with a payload of so many stored bytes, its padding included.
pub fn frame_len(stored_len: u32) -> u64 {
    (FRAME_HEADER_BYTES + u64::from(stored_len)).next_multiple_of(8)
}

impl FrameHeader {
    /// How many bytes the frame takes.
    pub fn frame_len(&self) -> u64 {
        frame_len(self.stored_len)
    }

    /// Whether `stored` is the payload that the header speaks of. Whoever hands out bytes asks this of the very bytes
    /// it hands out: what verified when it was read earlier proves nothing.
    pub fn verifies(&self, stored: &[u8]) -> bool {
        stored.len() as u64 == u64::from(self.stored_len) && crc32c::crc32c(stored) == self.payload_check // F5
    }

    /// Whether a header can say this: what `encode` insists on and `decode` checks.
    fn is_sound(&self) -> bool {
        self.stored_len <= PAYLOAD_BYTES_LIMIT
            && self.raw_len <= PAYLOAD_BYTES_LIMIT
            && match self.codec {
                Codec::Raw => self.raw_len == self.stored_len,
                Codec::Zstd => true,
                Codec::Other(code) => (2..=CODEC_MASK).contains(&code),
            }
    }

    /// The bytes of the header of a frame at `position`; the first four are its checksum. It must be one that condition
    /// F4 allows.
    pub fn encode(&self, life: Life, position: Position) -> [u8; LEN] {
        assert!(self.is_sound(), "a frame header that nobody could read back: {self:?}");
        let mut bytes = [0; LEN];
        let codec = match self.codec {
            Codec::Raw => 0,
            Codec::Zstd => 1,
            Codec::Other(code) => code,
        };
        bytes[AT_MARK] = MARK;
        bytes[AT_CODEC] = codec | if self.own { OWN } else { 0 };
        bytes[AT_KIND] = self.kind;
        set_u32(&mut bytes, AT_STORED, self.stored_len);
        set_u32(&mut bytes, AT_RAW, self.raw_len);
        set_u32(&mut bytes, AT_PAYLOAD_CHECK, self.payload_check);
        set_u32(&mut bytes, AT_INDEX, self.index);
        set_u64(&mut bytes, AT_TIME, self.time.0);
        let check = life.check(position, &bytes[AT_MARK..]);
        set_u32(&mut bytes, 0, check);
        bytes
    }

    /// Reads a frame header and its checksum; conditions F1 to F4 of the [specification](super).
    pub fn decode(life: Life, position: Position, bytes: &[u8]) -> Option<(Self, u32)> {
        Self::decode_seeded(life.seed(), position, bytes)
    }

    /// The same for who has the life's seed.
    #[inline(always)]
    pub fn decode_seeded(seed: Seed, position: Position, bytes: &[u8]) -> Option<(Self, u32)> {
        let bytes = bytes.get(..LEN)?; // F1
        if bytes[AT_MARK] != MARK {
            return None; // F2
        }
        let check = u32_at(bytes, 0);
        if check != seed.check(position, &bytes[AT_MARK..]) {
            return None; // F3
        }
        let codec = match bytes[AT_CODEC] & CODEC_MASK {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            code => Codec::Other(code),
        };
        let header = FrameHeader {
            codec,
            own: bytes[AT_CODEC] & OWN != 0,
            kind: bytes[AT_KIND],
            stored_len: u32_at(bytes, AT_STORED),
            raw_len: u32_at(bytes, AT_RAW),
            payload_check: u32_at(bytes, AT_PAYLOAD_CHECK),
            index: u32_at(bytes, AT_INDEX),
            time: Time(u64_at(bytes, AT_TIME)),
        };
        let sound =
            bytes[AT_RESERVED] == 0 && bytes[AT_CODEC] & !(OWN | CODEC_MASK) == 0 && header.is_sound();
        sound.then_some((header, check)) // F4
    }
}

/// The log's own kinds of record.
pub mod own {
    use super::super::handle::Position;
    use super::super::seed::u64_at;

    /// A retire mark: eight bytes, where the log begins from now on. It is acknowledged before anything is removed.
    pub const RETIRE: u8 = 1;

    /// The length of a retire mark's payload.
    pub const RETIRE_BYTES: u32 = 8;

    /// The payload of a retire mark.
    pub fn encode_retire(begins: Position) -> [u8; 8] {
        begins.0.to_le_bytes()
    }

    /// Where the log begins, by a retire mark.
    pub fn decode_retire(payload: &[u8]) -> Option<Position> {
        (payload.len() == 8).then(|| Position(u64_at(payload, 0)))
    }
}
