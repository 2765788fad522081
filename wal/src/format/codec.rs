//! How payloads are compressed, a frame at a time, so that a handle never needs its neighbours.

use bytes::Bytes;

use super::frame::{Codec, FrameHeader, PAYLOAD_BYTES_LIMIT};
use crate::error::{Error, Kind, Result};

/// The payload as one zstd frame, if that saves at least an eighth of it. Never without the feature `zstd`.
pub fn compress(payload: &[u8], level: i32) -> Option<Bytes> {
    zstd_frame::compress(payload, level)
}

/// The payload as it was appended, given the stored one, which [verifies](FrameHeader::verifies). A caller that wants
/// no more than `limit` bytes gets no more, and nothing is allocated for what is refused.
///
/// `Unsupported`: by a codec that this build does not have. `Invalid`: longer than `limit`. `Damaged`: the stored
/// bytes, which are what was written, are not what the header says of them.
pub fn expand(header: &FrameHeader, stored: Bytes, limit: usize) -> Result<Bytes> {
    let raw_len = header.raw_len as usize;
    if raw_len > limit.min(PAYLOAD_BYTES_LIMIT as usize) {
        let message = format!("the record is longer than was allowed: bytes={raw_len} limit={limit}");
        return Err(Error::new(Kind::Invalid, message)); // C1
    }
    expand_as(header.codec, stored, raw_len)
}

/// The bytes as they were before they were stored, given what was stated of them under a checksum that verifies: the
/// codec and the length. Whoever calls has bounded the length.
///
/// `Unsupported`: by a codec that this build does not have. `Damaged`: the stored bytes are not what was stated.
pub fn expand_as(codec: Codec, stored: Bytes, raw_len: usize) -> Result<Bytes> {
    match codec {
        Codec::Raw if stored.len() == raw_len => Ok(stored),
        Codec::Raw => Err(damaged("a payload of another length than its header says")),
        Codec::Zstd => zstd_frame::expand(&stored, raw_len),
        Codec::Other(code) => {
            let message = format!("the payload was compressed by a newer release: codec={code}");
            Err(Error::new(Kind::Unsupported, message))
        }
    }
}

fn damaged(message: &str) -> Error {
    Error::new(Kind::Damaged, message)
}

#[cfg(feature = "zstd")]
mod zstd_frame {
    use bytes::Bytes;
    use zstd::zstd_safe::{CCtx, CParameter, DCtx, find_frame_compressed_size, get_frame_content_size};

    use super::{PAYLOAD_BYTES_LIMIT, damaged};
    use crate::error::{Error, Result};

    const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

    /// A block takes four bytes at least and gives 128 KiB at most: so many times its length can a frame give.
    const RATIO_MAX: usize = 32 * 1024;

    pub(super) fn compress(payload: &[u8], level: i32) -> Option<Bytes> {
        if payload.len() > PAYLOAD_BYTES_LIMIT as usize {
            return None;
        }
        let mut context = CCtx::try_create()?;
        context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
        // The frame states its content's length; checksums and dictionaries it has none. Where it would not fit into
        // what pays, the compressor gives up.
        let mut stored = Vec::with_capacity(payload.len() - payload.len().div_ceil(8));
        context.compress2(&mut stored, payload).ok()?;
        Some(stored.into())
    }

    pub(super) fn expand(stored: &[u8], raw_len: usize) -> Result<Bytes> {
        if !stored.starts_with(&MAGIC) || find_frame_compressed_size(stored) != Ok(stored.len()) {
            return Err(damaged("a payload that is not one zstd frame")); // C2
        }
        // C3: the length is stated twice, and is one that so many bytes can give.
        let stated = get_frame_content_size(stored).ok().flatten();
        if stated != Some(raw_len as u64) || raw_len > stored.len().saturating_mul(RATIO_MAX) {
            return Err(damaged("a zstd frame of another length than its header says"));
        }
        // In one call the output itself is the window: whatever size of window the frame asks for, none is allocated.
        let mut raw = Vec::with_capacity(raw_len);
        let expanded = DCtx::create().decompress(&mut raw, stored);
        match expanded {
            Ok(len) if len == raw_len => Ok(raw.into()),
            Ok(_) => Err(damaged("a zstd frame of another length than it says")), // C4
            Err(code) => Err(zstd_error(code)),                                   // C4
        }
    }

    fn zstd_error(code: usize) -> Error {
        let name = zstd::zstd_safe::get_error_name(code);
        damaged(&format!("a zstd frame that does not expand: reason={name:?}"))
    }
}

#[cfg(not(feature = "zstd"))]
mod zstd_frame {
    use bytes::Bytes;

    use crate::error::{Error, Kind, Result};

    pub(super) fn compress(_payload: &[u8], _level: i32) -> Option<Bytes> {
        None
    }

    pub(super) fn expand(_stored: &[u8], _raw_len: usize) -> Result<Bytes> {
        let message = "the payload is compressed, and this build lacks the feature `zstd`";
        Err(Error::new(Kind::Unsupported, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn header(codec: Codec, stored: &[u8], raw_len: usize) -> FrameHeader {
        FrameHeader {
            codec,
            own: false,
            kind: 0,
            stored_len: stored.len() as u32,
            raw_len: raw_len as u32,
            payload_check: crc32c::crc32c(stored),
            index: 0,
            time: Time(0),
        }
    }

    #[cfg(feature = "zstd")]
    fn expand_zstd(stored: &[u8], raw_len: usize, limit: usize) -> Result<Bytes, Kind> {
        let header = header(Codec::Zstd, stored, raw_len);
        expand(&header, Bytes::copy_from_slice(stored), limit).map_err(|error| error.kind())
    }

    #[test]
    fn raw_payloads_pass_and_unknown_codecs_are_unsupported() {
        let stored = Bytes::from_static(b"as it is");
        assert_eq!(expand(&header(Codec::Raw, &stored, 8), stored.clone(), 8).unwrap(), stored);
        assert_eq!(
            expand(&header(Codec::Raw, &stored, 8), stored.clone(), 7).unwrap_err().kind(),
            Kind::Invalid
        );
        let newer = expand(&header(Codec::Other(7), &stored, 8), stored, 8).unwrap_err();
        assert_eq!(newer.kind(), Kind::Unsupported);
        assert!(newer.to_string().contains("codec=7"), "{newer}");
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn a_build_without_zstd_names_the_feature() {
        assert_eq!(compress(&[7; 4096], 3), None);
        let error = expand(&header(Codec::Zstd, b"x", 9), Bytes::from_static(b"x"), 9).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("`zstd`"), "{error}");
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn what_pays_is_compressed_and_comes_back() {
        for len in [64, 1000, 70_000, 300_000] {
            let payload: Vec<u8> = (0..len).map(|at| (at / 24) as u8).collect();
            let stored = compress(&payload, 1).expect("pays");
            assert!(stored.len() <= payload.len() - payload.len() / 8, "{len}");
            assert_eq!(expand_zstd(&stored, len, len).unwrap(), payload);
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn what_does_not_pay_stays_raw() {
        let noise: Vec<u8> = (0..20_000_u64)
            .map(|at| (at * at).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[7])
            .collect();
        assert_eq!(compress(&noise, 3), None);
        assert_eq!(compress(&[], 3), None);
        assert_eq!(compress(b"short", 3), None);
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn only_one_whole_frame_of_the_stated_length_expands() {
        let payload = vec![5; 10_000];
        let stored = compress(&payload, 3).expect("pays").to_vec();
        assert_eq!(expand_zstd(&stored, 10_000, 10_000).unwrap(), payload);
        for wrong in [0, 1, 9_999, 10_001, 1 << 30] {
            assert_eq!(expand_zstd(&stored, wrong, 1 << 30), Err(Kind::Damaged), "{wrong}");
        }
        let (twice, padded) = ([stored.clone(), stored.clone()].concat(), [stored.clone(), vec![0]].concat());
        let skippable = vec![0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
        let before = [skippable.clone(), stored.clone()].concat();
        let behind = [stored.clone(), skippable].concat();
        for (name, bytes) in [
            ("twice", twice),
            ("padded", padded),
            ("skippable before", before),
            ("skippable behind", behind),
            ("none", vec![]),
        ] {
            assert_eq!(expand_zstd(&bytes, 10_000, 20_000), Err(Kind::Damaged), "{name}");
            assert_eq!(expand_zstd(&bytes, 20_000, 20_000), Err(Kind::Damaged), "{name}");
        }
        for len in 0..stored.len() {
            assert_eq!(expand_zstd(&stored[..len], 10_000, 10_000), Err(Kind::Damaged), "cut at {len}");
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn a_frame_that_does_not_state_its_length_is_refused() {
        // A window of 1 KiB, and one raw block that is the last.
        let hello = b"\x28\xB5\x2F\xFD\x00\x00\x29\x00\x00hello";
        assert_eq!(zstd::bulk::decompress(hello, 5).expect("zstd itself takes it"), b"hello");
        assert_eq!(expand_zstd(hello, 5, 5), Err(Kind::Damaged));
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn a_bomb_is_refused_before_it_goes_off() {
        // A frame of 1 GiB: its header says so, and its blocks repeat one byte 128 KiB at a time.
        let mut bomb = vec![0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0, 0, 0, 0x40];
        for block in 1..=8192_u32 {
            let head = u32::from(block == 8192) | 1 << 1 | (128 * 1024) << 3;
            bomb.extend_from_slice(&head.to_le_bytes()[..3]);
            bomb.push(0);
        }
        assert_eq!(expand_zstd(&bomb, 1 << 30, 1 << 20), Err(Kind::Invalid));
        assert_eq!(expand_zstd(&bomb, 1 << 20, 1 << 20), Err(Kind::Damaged));
        // Cut short it can no longer give as much as it says, and is not believed.
        let head_and_last = [&bomb[..9], &bomb[bomb.len() - 4..]].concat();
        let header = header(Codec::Zstd, &head_and_last, 1 << 30);
        let refused = expand(&header, head_and_last.into(), 1 << 30).unwrap_err().to_string();
        assert!(refused.contains("another length than its header says"), "{refused}");
    }
}
