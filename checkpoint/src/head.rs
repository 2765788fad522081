//! The bytes of a checkpoint's head.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `\x89HWCKP\r\n` |
//! | 8 | 2 | version, 1 |
//! | 10 | 2 | zero |
//! | 12 | 4 | checksum of bytes 16 to 48 |
//! | 16 | 8 | epoch of the writer |
//! | 24 | 8 | number |
//! | 32 | 8 | position of the journal |
//! | 40 | 4 | length of the state |
//! | 44 | 4 | checksum of the state |
//! | 48 | | the state, and nothing behind it |
//!
//! Little-endian. A checksum is CRC-32C, continued from that of the object's name.
//!
//! A head is valid if: K1 it has 48 bytes or more; K2 its magic, K3 its version and K4 its zeros are as said; K5 its
//! checksum verifies; K6 epoch and number are those of its name; K7 the state is as long as it says, and nothing follows;
//! K8 the state's checksum verifies.

use bytes::Bytes;
use headwater_wal::store::Name;
use headwater_wal::{Error, Kind, Position, Result};

use crate::Id;

/// The longest state that a head holds.
pub const STATE_BYTES_MAX: usize = 64 << 20;

/// The length of a head without the state.
pub(crate) const HEAD_BYTES: usize = 48;

const MAGIC: [u8; 8] = *b"\x89HWCKP\r\n";
const VERSION: u16 = 1;
const AT_VERSION: usize = 8;
const AT_ZERO: usize = 10;
const AT_CHECK: usize = 12;
const AT_EPOCH: usize = 16;
const AT_NUMBER: usize = 24;
const AT_JOURNAL: usize = 32;
const AT_LEN: usize = 40;
const AT_STATE_CHECK: usize = 44;

const DIGITS: usize = 20; // of the greatest u64
const SUFFIX: &str = ".ckpt";

/// The name of a head: epoch and number in a fixed width, so that names sort as checkpoints do.
pub(crate) fn name(id: Id) -> Name {
    let text = format!("{:0DIGITS$}-{:0DIGITS$}{SUFFIX}", id.epoch, id.number);
    Name::new(text).expect("a head's name is a name")
}

/// The checkpoint of the head of that name, if it is one.
pub(crate) fn parse_name(text: &str) -> Option<Id> {
    let (epoch, number) = text.strip_suffix(SUFFIX)?.split_once('-')?;
    let id = Id { epoch: epoch.parse().ok()?, number: number.parse().ok()? };
    // One spelling only.
    (name(id).as_str() == text).then_some(id)
}

pub(crate) fn encode(id: Id, journal: Position, state: &[u8]) -> Bytes {
    assert!(state.len() <= STATE_BYTES_MAX, "a state that no head holds");
    let mut bytes = vec![0; HEAD_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[AT_VERSION..AT_ZERO].copy_from_slice(&VERSION.to_le_bytes());
    bytes[AT_EPOCH..AT_NUMBER].copy_from_slice(&id.epoch.to_le_bytes());
    bytes[AT_NUMBER..AT_JOURNAL].copy_from_slice(&id.number.to_le_bytes());
    bytes[AT_JOURNAL..AT_LEN].copy_from_slice(&journal.0.to_le_bytes());
    bytes[AT_LEN..AT_STATE_CHECK].copy_from_slice(&(state.len() as u32).to_le_bytes());
    bytes[AT_STATE_CHECK..].copy_from_slice(&check(id, state).to_le_bytes());
    let head = check(id, &bytes[AT_EPOCH..]);
    bytes[AT_CHECK..AT_EPOCH].copy_from_slice(&head.to_le_bytes());
    bytes.extend_from_slice(state);
    bytes.into()
}

/// What the first bytes of a head say: the position of the journal, and the length of the whole object.
pub(crate) fn decode(id: Id, bytes: &[u8]) -> Result<(Position, u64)> {
    let damaged = |what: &str, at: usize| Error::new(Kind::Damaged, what).at(name(id).as_str(), at as u64);
    let Some(bytes) = bytes.get(..HEAD_BYTES) else {
        return Err(damaged("shorter than a checkpoint's head", 0));
    }; // K1
    if bytes[..8] != MAGIC {
        return Err(damaged("no checkpoint", 0)); // K2
    }
    let version = u16::from_le_bytes([bytes[AT_VERSION], bytes[AT_VERSION + 1]]);
    if version > VERSION {
        let message = format!("a checkpoint of format version {version}, this release reads up to {VERSION}");
        return Err(Error::new(Kind::Unsupported, message).at(name(id).as_str(), AT_VERSION as u64)); // K3
    }
    if version != VERSION || bytes[AT_ZERO..AT_CHECK] != [0, 0] {
        return Err(damaged("the version does not verify", AT_VERSION)); // K3, K4
    }
    let stated = Id { epoch: u64_at(bytes, AT_EPOCH), number: u64_at(bytes, AT_NUMBER) };
    if u32_at(bytes, AT_CHECK) != check(id, &bytes[AT_EPOCH..]) || stated != id {
        return Err(damaged("the head does not verify under this name", AT_CHECK)); // K5, K6
    }
    let len = HEAD_BYTES as u64 + u64::from(u32_at(bytes, AT_LEN));
    Ok((Position(u64_at(bytes, AT_JOURNAL)), len))
}

/// The state of a head, all of whose bytes these are and whose first ones [decode].
pub(crate) fn state(id: Id, whole: &Bytes, len: u64) -> Result<Bytes> {
    let damaged = |what: &str| Error::new(Kind::Damaged, what).at(name(id).as_str(), HEAD_BYTES as u64);
    if whole.len() as u64 != len {
        return Err(damaged("the state is not as long as the head says")); // K7
    }
    let state = whole.slice(HEAD_BYTES..);
    match u32_at(whole, AT_STATE_CHECK) == check(id, &state) {
        true => Ok(state),
        false => Err(damaged("the state does not verify")), // K8
    }
}

fn check(id: Id, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(name(id).as_str().as_bytes()), bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Id = Id { epoch: 3, number: 7 };

    #[test]
    fn names_sort_as_checkpoints_do_and_have_one_spelling() {
        let newer = Id { epoch: 10, number: 0 };
        assert!(name(ID) < name(newer));
        assert_eq!(parse_name(name(newer).as_str()), Some(newer));
        for foreign in ["3-7.ckpt", "x.ckpt", "00000000000000000003-00000000000000000007", ""] {
            assert_eq!(parse_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = encode(ID, Position(99), b"the state");
        let verifies = |bytes: &[u8]| {
            let whole = Bytes::copy_from_slice(bytes);
            decode(ID, &whole).and_then(|(_, len)| state(ID, &whole, len)).is_ok()
        };
        assert!(verifies(&good));
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(&bad), "bit={bit}");
        }
        for len in 0..good.len() {
            assert!(!verifies(&good[..len]), "len={len}");
        }
        assert!(!verifies(&[&good[..], &[0]].concat()), "nothing follows the state");
        let elsewhere = Id { number: 8, ..ID };
        assert!(decode(elsewhere, &good).is_err());
    }

    #[test]
    fn version_1_is_these_bytes() {
        let hex: String = encode(ID, Position(99), b"s").iter().map(|byte| format!("{byte:02x}")).collect();
        // Made by another implementation of the specification.
        let head = "894857434b500d0a01000000ee76d8bb0300000000000000070000000000000063000000000000000100000014bfbf1473";
        assert_eq!(hex, head);
    }
}
