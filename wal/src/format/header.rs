//! The segment header: who wrote this file, where it belongs, and what was known when it was made.

use std::ops::Range;

use super::handle::{Identity, Position};
use super::seed::{Life, all_zero, set_u32, set_u64, u16_at, u32_at, u64_at};
use crate::clock::Time;

/// The length of a segment header: one sector, which no later write touches.
pub const HEADER_BYTES: u64 = 512;

/// The version of the format that this release writes.
pub const VERSION: u16 = 1;

/// The most ranges an epoch's header can list as lost.
pub const LOST_MAX: usize = 24;

const HEADER_LEN: usize = 512;
const MAGIC: [u8; 8] = *b"\x89HWSEG\r\n";
const AT_CHECK: usize = 8;
const AT_VERSION: usize = 12;
const AT_DURABILITY: usize = 14;
const AT_FLAGS: usize = 15;
const AT_IDENTITY: usize = 16;
const AT_TOKEN: usize = 32;
const AT_EPOCH: usize = 48;
const AT_BASE: usize = 56;
const AT_TIME: usize = 64;
const AT_ACKED: usize = 72;
const AT_PREV_BASE: usize = 80;
const AT_PREV_END: usize = 88;
const AT_PREV_SEAL: usize = 96;
const AT_BLOCK: usize = 100;
const AT_BEGINS: usize = 104;
const AT_IN_FLIGHT: usize = 112;
const AT_LOST_COUNT: usize = 120;
const AT_LOST: usize = 128;

const FLAG_EPOCH: u8 = 1;
const FLAG_WHOLE: u8 = 2;

/// What an acknowledgement of a log outlives; chosen when the log is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// A power cut: a record is synced before it is acknowledged.
    #[default]
    Power,
    /// The death of the process only: syncs happen in the background.
    Process,
}

/// What a header says of the segment before its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// Where it begins.
    pub base: Position,
    /// Where its groups end. Anything behind that is cut.
    pub end: Position,
    /// Its digest up to there.
    pub seal: u32,
}

/// A segment header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The identity of the log.
    pub identity: Identity,
    /// What an acknowledgement outlives.
    pub durability: Durability,
    /// Whether this segment begins an epoch.
    pub begins_epoch: bool,
    /// Whether the file was put whole, and so cannot be torn.
    pub whole: bool,
    /// Random bytes of the writer.
    pub token: [u8; 16],
    /// The writer's epoch.
    pub epoch: u64,
    /// The segment's own position.
    pub base: Position,
    /// The engine's time when it was made.
    pub time: Time,
    /// Everything below was acknowledged (in a log of durability `Process`: synced) when it was made.
    pub acked: Position,
    /// The segment before, unless this is the first of the log.
    pub previous: Option<Previous>,
    /// Groups begin at offsets that are multiples of this.
    pub block_bytes: u32,
    /// Where the log begins: everything below was retired.
    pub begins: Position,
    /// The most that this writer may have in flight, in positions.
    pub in_flight_bytes_max: u64,
    /// Of an epoch begun after an accepted loss: what was lost.
    pub lost: Vec<Range<Position>>,
}

/// Why bytes are not a segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// There are fewer bytes than a header has.
    Short,
    /// Nothing but zeros.
    Zeros,
    /// It does not verify.
    Check,
    /// It verifies, and belongs to another place: the base it states.
    Elsewhere(Position),
    /// It was written by a newer release.
    Newer(u16),
}

impl Header {
    /// The life of the log that this segment belongs to.
    pub fn life(&self) -> Life {
        Life { identity: self.identity.short(), epoch: self.epoch }
    }

    /// The offset of the first group.
    pub fn body(&self) -> u64 {
        body(self.block_bytes)
    }

    /// The bytes of the header.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        assert!(self.lost.len() <= LOST_MAX, "an epoch's header lists at most {LOST_MAX} lost ranges");
        assert!(self.block_bytes.is_power_of_two() && self.block_bytes >= 8);
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[AT_VERSION..AT_VERSION + 2].copy_from_slice(&VERSION.to_le_bytes());
        bytes[AT_DURABILITY] = match self.durability {
            Durability::Power => 0,
            Durability::Process => 1,
        };
        bytes[AT_FLAGS] =
            if self.begins_epoch { FLAG_EPOCH } else { 0 } | if self.whole { FLAG_WHOLE } else { 0 };
        bytes[AT_IDENTITY..AT_IDENTITY + 16].copy_from_slice(&self.identity.0);
        bytes[AT_TOKEN..AT_TOKEN + 16].copy_from_slice(&self.token);
        set_u64(&mut bytes, AT_EPOCH, self.epoch);
        set_u64(&mut bytes, AT_BASE, self.base.0);
        set_u64(&mut bytes, AT_TIME, self.time.0);
        set_u64(&mut bytes, AT_ACKED, self.acked.0);
        // A segment before never begins at the greatest position, so that one says "none".
        let previous = self.previous.unwrap_or(Previous { base: Position(u64::MAX), ..Previous::default() });
        set_u64(&mut bytes, AT_PREV_BASE, previous.base.0);
        set_u64(&mut bytes, AT_PREV_END, previous.end.0);
        set_u32(&mut bytes, AT_PREV_SEAL, previous.seal);
        set_u32(&mut bytes, AT_BLOCK, self.block_bytes);
        set_u64(&mut bytes, AT_BEGINS, self.begins.0);
        set_u64(&mut bytes, AT_IN_FLIGHT, self.in_flight_bytes_max);
        set_u32(&mut bytes, AT_LOST_COUNT, self.lost.len() as u32);
        for (index, range) in self.lost.iter().enumerate() {
            set_u64(&mut bytes, AT_LOST + 16 * index, range.start.0);
            set_u64(&mut bytes, AT_LOST + 16 * index + 8, range.end.0);
        }
        let check = self.life().check(self.base, &bytes[AT_VERSION..]);
        set_u32(&mut bytes, AT_CHECK, check);
        bytes
    }

    /// Reads the header of the file whose name says that it begins at `base`. Conditions H1 to H6 of the
    /// [specification](super).
    pub fn decode(base: Position, bytes: &[u8]) -> Result<Self, HeaderFault> {
        if bytes.get(..HEADER_LEN).unwrap_or(bytes).iter().all(|&byte| byte == 0) {
            return Err(HeaderFault::Zeros);
        }
        let bytes = bytes.get(..HEADER_LEN).ok_or(HeaderFault::Short)?; // H1
        if bytes[..8] != MAGIC {
            return Err(HeaderFault::Check); // H2
        }
        let version = u16_at(bytes, AT_VERSION);
        if version > VERSION {
            return Err(HeaderFault::Newer(version)); // H3, before the checksum, whose place a newer version may move
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&bytes[AT_IDENTITY..AT_IDENTITY + 16]);
        let mut token = [0; 16];
        token.copy_from_slice(&bytes[AT_TOKEN..AT_TOKEN + 16]);
        let (identity, epoch) = (Identity(identity), u64_at(bytes, AT_EPOCH));
        let stated = Position(u64_at(bytes, AT_BASE));
        let life = Life { identity: identity.short(), epoch };
        if u32_at(bytes, AT_CHECK) != life.check(stated, &bytes[AT_VERSION..]) {
            return Err(HeaderFault::Check); // H4
        }
        if stated != base {
            return Err(HeaderFault::Elsewhere(stated)); // H5
        }
        let block_bytes = u32_at(bytes, AT_BLOCK);
        let lost_count = u32_at(bytes, AT_LOST_COUNT) as usize;
        let durability = match bytes[AT_DURABILITY] {
            0 => Durability::Power,
            1 => Durability::Process,
            _ => return Err(HeaderFault::Check),
        };
        let sound = version == VERSION
            && bytes[AT_FLAGS] & !(FLAG_EPOCH | FLAG_WHOLE) == 0
            && block_bytes.is_power_of_two()
            && block_bytes >= 8
            && block_bytes <= 1 << 24
            && lost_count <= LOST_MAX
            && all_zero(&bytes[AT_LOST + 16 * lost_count.min(LOST_MAX)..]);
        if !sound {
            return Err(HeaderFault::Check); // H6
        }
        let lost = (0..lost_count).map(|index| {
            let at = AT_LOST + 16 * index;
            Position(u64_at(bytes, at))..Position(u64_at(bytes, at + 8))
        });
        let previous = Previous {
            base: Position(u64_at(bytes, AT_PREV_BASE)),
            end: Position(u64_at(bytes, AT_PREV_END)),
            seal: u32_at(bytes, AT_PREV_SEAL),
        };
        Ok(Header {
            identity,
            durability,
            begins_epoch: bytes[AT_FLAGS] & FLAG_EPOCH != 0,
            whole: bytes[AT_FLAGS] & FLAG_WHOLE != 0,
            token,
            epoch,
            base,
            time: Time(u64_at(bytes, AT_TIME)),
            acked: Position(u64_at(bytes, AT_ACKED)),
            previous: (previous.base.0 != u64::MAX).then_some(previous),
            block_bytes,
            begins: Position(u64_at(bytes, AT_BEGINS)),
            in_flight_bytes_max: u64_at(bytes, AT_IN_FLIGHT),
            lost: lost.collect(),
        })
    }
}

/// The offset of the first group in a segment whose groups begin on multiples of `block_bytes`.
pub fn body(block_bytes: u32) -> u64 {
    HEADER_BYTES.next_multiple_of(u64::from(block_bytes))
}
