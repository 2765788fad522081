//! The segment header: who wrote this file, where it belongs, and what was known when it was made.

use std::fmt;
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

/// The greatest block that groups can be aligned to.
pub const BLOCK_BYTES_MAX: u32 = 1 << 24;

/// Every epoch is below this: a number that a file states can be counted up.
pub const EPOCH_LIMIT: u64 = 1 << 62;

/// The most that a writer can say it may have in flight.
pub const IN_FLIGHT_BYTES_LIMIT: u64 = 1 << 40;

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
const AT_RESERVED: usize = 124;
const AT_LOST: usize = 128;

const FLAG_EPOCH: u8 = 1;
const FLAG_WHOLE: u8 = 2;
const FLAG_DOUBT: u8 = 4;

/// No segment begins at the greatest position, so that one says "none before".
const NONE: Previous = Previous { base: Position(u64::MAX), end: Position(0), seal: 0 };

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
    /// Whether the engine's time rests on a jump of the wall clock that nobody had confirmed when it was made.
    pub clock_in_doubt: bool,
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

    /// Its checksum, with which the digest of its segment begins.
    pub fn check(&self) -> u32 {
        u32_at(&self.encode(), AT_CHECK)
    }

    /// Whether a header can say this: what `encode` insists on and `decode` checks.
    fn is_sound(&self) -> bool {
        let possible = self.block_bytes.is_power_of_two()
            && (8..=BLOCK_BYTES_MAX).contains(&self.block_bytes)
            && self.in_flight_bytes_max <= IN_FLIGHT_BYTES_LIMIT
            && self.lost.len() <= LOST_MAX; // H6
        let before = self.epoch < EPOCH_LIMIT
            && self.base < Position::LIMIT
            && self.acked <= self.base
            && self.begins <= self.base
            && self.previous.is_none_or(|previous| {
                previous.base < self.base && previous.base <= previous.end && previous.end <= self.base
            }); // H7
        let mut lost_end = Position::START;
        let in_order = self.lost.iter().all(|lost| {
            let follows = lost_end <= lost.start && lost.start < lost.end && lost.end <= Position::LIMIT;
            lost_end = lost.end;
            follows
        }); // H8
        possible && before && in_order
    }

    /// The bytes of the header, which must be one that conditions H6 to H8 allow.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        assert!(self.is_sound(), "a segment header that nobody could read back: {self:?}");
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[AT_VERSION..AT_VERSION + 2].copy_from_slice(&VERSION.to_le_bytes());
        bytes[AT_DURABILITY] = match self.durability {
            Durability::Power => 0,
            Durability::Process => 1,
        };
        let flag = |flag: u8, set: bool| if set { flag } else { 0 };
        bytes[AT_FLAGS] = flag(FLAG_EPOCH, self.begins_epoch)
            | flag(FLAG_WHOLE, self.whole)
            | flag(FLAG_DOUBT, self.clock_in_doubt);
        bytes[AT_IDENTITY..AT_IDENTITY + 16].copy_from_slice(&self.identity.0);
        bytes[AT_TOKEN..AT_TOKEN + 16].copy_from_slice(&self.token);
        set_u64(&mut bytes, AT_EPOCH, self.epoch);
        set_u64(&mut bytes, AT_BASE, self.base.0);
        set_u64(&mut bytes, AT_TIME, self.time.0);
        set_u64(&mut bytes, AT_ACKED, self.acked.0);
        let previous = self.previous.unwrap_or(NONE);
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

    /// Reads the header of the file whose name says that it begins at `base`. Conditions H1 to H8 of the
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
        match version {
            VERSION => {}
            0 => return Err(HeaderFault::Check),            // H3
            newer => return Err(HeaderFault::Newer(newer)), // H3: before the checksum, which may have moved
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
        let lost_count = u32_at(bytes, AT_LOST_COUNT) as usize;
        let durability = match bytes[AT_DURABILITY] {
            0 => Durability::Power,
            1 => Durability::Process,
            _ => return Err(HeaderFault::Check), // H6
        };
        let known = bytes[AT_FLAGS] & !(FLAG_EPOCH | FLAG_WHOLE | FLAG_DOUBT) == 0
            && lost_count <= LOST_MAX
            && u32_at(bytes, AT_RESERVED) == 0
            && all_zero(&bytes[AT_LOST + 16 * lost_count.min(LOST_MAX)..]);
        if !known {
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
        let header = Header {
            identity,
            durability,
            begins_epoch: bytes[AT_FLAGS] & FLAG_EPOCH != 0,
            whole: bytes[AT_FLAGS] & FLAG_WHOLE != 0,
            clock_in_doubt: bytes[AT_FLAGS] & FLAG_DOUBT != 0,
            token,
            epoch,
            base,
            time: Time(u64_at(bytes, AT_TIME)),
            acked: Position(u64_at(bytes, AT_ACKED)),
            previous: (previous != NONE).then_some(previous),
            block_bytes: u32_at(bytes, AT_BLOCK),
            begins: Position(u64_at(bytes, AT_BEGINS)),
            in_flight_bytes_max: u64_at(bytes, AT_IN_FLIGHT),
            lost: lost.collect(),
        };
        if header.is_sound() { Ok(header) } else { Err(HeaderFault::Check) } // H6 to H8
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderFault::Short => f.write_str("shorter than a segment header"),
            HeaderFault::Zeros => f.write_str("nothing but zeros where a segment header should be"),
            HeaderFault::Check => f.write_str("a segment header that does not verify"),
            HeaderFault::Elsewhere(base) => write!(f, "the header of another segment: base={base}"),
            HeaderFault::Newer(version) => write!(f, "written by a newer release: version={version}"),
        }
    }
}

/// The offset of the first group in a segment whose groups begin on multiples of `block_bytes`, which is not zero.
pub fn body(block_bytes: u32) -> u64 {
    HEADER_BYTES.next_multiple_of(u64::from(block_bytes))
}
