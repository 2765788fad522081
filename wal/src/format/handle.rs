//! Positions and handles: where a record lies, and what it must be.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

/// A place in a log: one byte address over all its segments.
///
/// The position of anything is its segment's base plus its offset in that segment's file. Positions only go up; they
/// have gaps where one segment or epoch ends and the next begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Position(pub u64);

impl Position {
    /// Where every log begins.
    pub const START: Position = Position(0);

    /// Every segment begins below this, and says of no other that it begins beyond: what is added to a position that
    /// a file states stays far from overflow.
    pub const LIMIT: Position = Position(1 << 62);

    /// The place `bytes` further on; positions saturate, and no log gets there.
    #[must_use]
    pub const fn plus(self, bytes: u64) -> Position {
        Position(self.0.saturating_add(bytes))
    }

    /// How many bytes lie between `earlier` and here; none if it is not earlier.
    pub const fn since(self, earlier: Position) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a log: random bytes drawn when it is created, in the header of each of its segments.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity(pub [u8; 16]);

impl Identity {
    /// The part that handles carry and that every checksum is seeded with.
    pub fn short(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// The length of a handle as fixed bytes.
pub const HANDLE_BYTES: usize = 40;

const TEXT_PREFIX: &str = "hw1";
const TEXT_FORM: &str = "hw1:IDENTITY:EPOCH:POSITION:BASE:LENGTH:CHECK";
const TEXT_SHOWN_MAX: usize = 160; // characters, of what is not a handle

/// Where a record lies and what it must be.
///
/// A handle is a plain value: it stays good across restarts, on other machines, and when the log's files are moved.
/// It names its log, so that it cannot be read in another one, and it holds the checksum of the frame's header, which
/// covers place, epoch and payload: the same payload at the same place in another life of the log is another record.
///
/// As bytes (little-endian):
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 8 | short identity of the log |
/// | 8 | 8 | epoch |
/// | 16 | 8 | position of the frame |
/// | 24 | 8 | base of its segment: a hint |
/// | 32 | 4 | stored length of the payload |
/// | 36 | 4 | checksum of the frame's header |
///
/// As text: `hw1:IDENTITY:EPOCH:POSITION:BASE:LENGTH:CHECK`, identity and check in hexadecimal, the rest decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    pub(crate) identity: u64,
    pub(crate) epoch: u64,
    pub(crate) position: Position,
    pub(crate) base: Position,
    pub(crate) stored_len: u32,
    pub(crate) check: u32,
}

impl Handle {
    /// The short identity of the log.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// The epoch of the writer that appended the record.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Where the record lies.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Where its segment begins, as far as is known.
    pub fn base(&self) -> Position {
        self.base
    }

    /// How many bytes its payload takes in the file.
    pub fn stored_len(&self) -> u32 {
        self.stored_len
    }

    /// The first position behind the record: a reader that has seen it goes on here.
    pub fn end(&self) -> Position {
        self.position.plus(super::frame::frame_len(self.stored_len))
    }

    /// The fixed bytes.
    pub fn to_bytes(&self) -> [u8; HANDLE_BYTES] {
        let mut bytes = [0; HANDLE_BYTES];
        bytes[0..8].copy_from_slice(&self.identity.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.position.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.base.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.check.to_le_bytes());
        bytes
    }

    /// Reads the fixed bytes. Any forty bytes are a handle of something; whether it exists, reading it tells. Nothing
    /// in it is proven, its length least of all.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bytes: &[u8; HANDLE_BYTES] = bytes.try_into().map_err(|_| {
            Error::new(Kind::Invalid, format!("a handle has {HANDLE_BYTES} bytes: bytes={}", bytes.len()))
        })?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let last = word(32).to_le_bytes();
        let [a, b, c, d, e, f, g, h] = last;
        Ok(Handle {
            identity: word(0),
            epoch: word(8),
            position: Position(word(16)),
            base: Position(word(24)),
            stored_len: u32::from_le_bytes([a, b, c, d]),
            check: u32::from_le_bytes([e, f, g, h]),
        })
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handle { identity, epoch, position, base, stored_len, check } = self;
        write!(f, "{TEXT_PREFIX}:{identity:016x}:{epoch}:{position}:{base}:{stored_len}:{check:08x}")
    }
}

impl FromStr for Handle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.split(':');
            if parts.next()? != TEXT_PREFIX {
                return None;
            }
            let handle = Handle {
                identity: u64::from_str_radix(parts.next()?, 16).ok()?,
                epoch: parts.next()?.parse().ok()?,
                position: Position(parts.next()?.parse().ok()?),
                base: Position(parts.next()?.parse().ok()?),
                stored_len: parts.next()?.parse().ok()?,
                check: u32::from_str_radix(parts.next()?, 16).ok()?,
            };
            // One spelling only: what prints differently (a plus sign, leading zeros) is not a handle.
            (parts.next().is_none() && handle.to_string() == text).then_some(handle)
        };
        parse().ok_or_else(|| {
            let shown: String = text.chars().take(TEXT_SHOWN_MAX).collect();
            let message = format!("not a handle, which looks like {TEXT_FORM}: text={shown:?}");
            Error::new(Kind::Invalid, message)
        })
    }
}

#[cfg(feature = "serde")]
mod serde_impl {
    use super::{HANDLE_BYTES, Handle};
    use serde::de::{Error as _, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    impl Serialize for Handle {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if serializer.is_human_readable() {
                serializer.collect_str(self)
            } else {
                serializer.serialize_bytes(&self.to_bytes())
            }
        }
    }

    impl<'de> Deserialize<'de> for Handle {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Seen;
            impl<'de> Visitor<'de> for Seen {
                type Value = Handle;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "a handle as text or as {HANDLE_BYTES} bytes")
                }

                fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Handle, E> {
                    text.parse().map_err(E::custom)
                }

                fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Handle, E> {
                    Handle::from_bytes(bytes).map_err(E::custom)
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Handle, A::Error> {
                    let mut bytes = [0; HANDLE_BYTES];
                    for (at, byte) in bytes.iter_mut().enumerate() {
                        *byte = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
                    }
                    match seq.next_element::<u8>()? {
                        None => Handle::from_bytes(&bytes).map_err(A::Error::custom),
                        Some(_) => Err(A::Error::invalid_length(HANDLE_BYTES + 1, &self)),
                    }
                }
            }
            if deserializer.is_human_readable() {
                deserializer.deserialize_str(Seen)
            } else {
                deserializer.deserialize_bytes(Seen)
            }
        }
    }
}

/// Where a record would lie whose append answered "unknown". It cannot be read; the next started log settles it for
/// ever, into a [`Handle`] or into "not there".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unsettled(pub(crate) Handle);

impl Unsettled {
    /// The place of a record that was never handed to the device: it settles as "not there".
    pub(crate) const NOWHERE: Unsettled = Unsettled(Handle {
        identity: u64::MAX,
        epoch: u64::MAX,
        position: Position(u64::MAX),
        base: Position(u64::MAX),
        stored_len: u32::MAX,
        check: u32::MAX,
    });

    /// The fixed bytes, as those of a handle.
    pub fn to_bytes(&self) -> [u8; HANDLE_BYTES] {
        self.0.to_bytes()
    }

    /// Reads the fixed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Handle::from_bytes(bytes).map(Unsettled)
    }
}
