//! Records on their way to the device, and the groups that they become.

use bytes::Bytes;

use super::options::{Compression, Options};
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::codec;
use crate::format::frame::{Codec, FrameHeader, own};
use crate::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::format::seed::Life;
use crate::format::{Handle, Position};

/// Shorter payloads are stored as they are: what a compressor costs to set up outweighs what they save.
const COMPRESS_FROM: usize = 4096;

/// A record on its way: everything about its frame that does not depend on its place.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) time: Time,
    pub(crate) kind: u8,
    pub(crate) own: bool,
    pub(crate) codec: Codec,
    pub(crate) raw_len: u32,
    pub(crate) payload_check: u32,
    pub(crate) stored: Bytes,
}

impl Prepared {
    /// A caller's record: compressed if that pays, and checksummed, in the caller's own thread.
    pub(crate) fn new(options: &Options, kind: u8, time: Time, payload: Bytes) -> Result<Self> {
        let raw_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        if raw_len > options.record_bytes_max {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "a record is longer than record_bytes_max: bytes={} record_bytes_max={}",
                    payload.len(),
                    options.record_bytes_max
                ),
            ));
        }
        let (codec, stored) = match options.compression {
            Compression::Zstd(level) if payload.len() >= COMPRESS_FROM => {
                match codec::compress(&payload, level) {
                    Some(smaller) => (Codec::Zstd, smaller),
                    None => (Codec::Raw, payload),
                }
            }
            _ => (Codec::Raw, payload),
        };
        let payload_check = crc32c::crc32c(&stored);
        Ok(Prepared { time, kind, own: false, codec, raw_len, payload_check, stored })
    }

    /// A record of the log's own.
    pub(super) fn retire_mark(begins: Position, now: Time) -> Self {
        let stored = Bytes::copy_from_slice(&own::encode_retire(begins));
        Prepared {
            time: now,
            kind: own::RETIRE,
            own: true,
            codec: Codec::Raw,
            raw_len: stored.len() as u32,
            payload_check: crc32c::crc32c(&stored),
            stored,
        }
    }

    /// How many bytes its frame takes.
    pub(crate) fn frame_len(&self) -> u64 {
        crate::format::frame::frame_len(self.stored.len() as u32)
    }
}

/// A group as bytes, and what it adds up to.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) header: GroupHeader,
    pub(super) check: u32,
    pub(super) frames: Vec<(FrameHeader, u32)>,
    pub(super) handles: Vec<Handle>,
}

/// Encodes a group at `position`, in the segment at `base`.
pub(super) fn encode(
    life: Life,
    position: Position,
    acked: Position,
    block_bytes: u32,
    base: Position,
    records: &[Prepared],
) -> Encoded {
    let frames_bytes: u64 = records.iter().map(Prepared::frame_len).sum();
    let group_bytes = (GROUP_HEADER_BYTES + frames_bytes).next_multiple_of(u64::from(block_bytes));
    let times = || records.iter().filter(|record| !record.own).map(|record| record.time);
    let header = GroupHeader {
        group_bytes: group_bytes as u32,
        count: records.len() as u32,
        frames_bytes: frames_bytes as u32,
        least: times().min().unwrap_or(Time::MAX),
        greatest: times().max().unwrap_or(Time(0)),
        acked,
    };
    let mut bytes = Vec::with_capacity(group_bytes as usize);
    let encoded = header.encode(life, position);
    let check = u32::from_le_bytes([encoded[4], encoded[5], encoded[6], encoded[7]]);
    bytes.extend_from_slice(&encoded);
    let (mut frames, mut handles) = (Vec::with_capacity(records.len()), Vec::with_capacity(records.len()));
    for (index, record) in records.iter().enumerate() {
        let at = position.plus(bytes.len() as u64);
        let header = FrameHeader {
            codec: record.codec,
            own: record.own,
            kind: record.kind,
            stored_len: record.stored.len() as u32,
            raw_len: record.raw_len,
            payload_check: record.payload_check,
            index: index as u32,
            time: record.time,
        };
        let encoded = header.encode(life, at);
        let check = u32::from_le_bytes([encoded[0], encoded[1], encoded[2], encoded[3]]);
        bytes.extend_from_slice(&encoded);
        bytes.extend_from_slice(&record.stored);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        frames.push((header, check));
        handles.push(Handle {
            identity: life.identity,
            epoch: life.epoch,
            position: at,
            base,
            stored_len: header.stored_len,
            check,
        });
    }
    bytes.resize(group_bytes as usize, 0);
    Encoded { bytes, header, check, frames, handles }
}
