//! Records on their way to the device, and the groups that they become.

use bytes::Bytes;

use super::options::{Compression, Options};
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::codec;
use crate::format::frame::{Codec, FRAME_HEADER_BYTES, FrameHeader, own};
use crate::format::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::format::seed::Life;
use crate::format::{Handle, Position};

/// Shorter payloads are stored as they are: what a compressor costs to set up outweighs what they save.
const COMPRESS_FROM: usize = 4096;

/// A record on its way: everything about its frame that does not depend on its place.
#[derive(Debug)]
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

/// A group as bytes, but for the payloads, which stay where they are; and what it adds up to.
#[derive(Debug)]
pub(super) struct Encoded {
    /// Everything but payloads, in the order of the group: before the first payload, between each two, behind the last.
    between: Vec<u8>,
    pub(super) header: GroupHeader,
    pub(super) check: u32,
    pub(super) frames: Vec<(FrameHeader, u32)>,
    pub(super) handles: Vec<Handle>,
}

/// Where a group goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) life: Life,
    pub(super) position: Position,
    /// The base of its segment.
    pub(super) base: Position,
    pub(super) block_bytes: u32,
    /// Everything below is acknowledged as the group is handed over.
    pub(super) acked: Position,
}

/// How long a group of so many bytes of frames is.
pub(super) fn group_len(frames_bytes: u64, block_bytes: u32) -> u64 {
    (GROUP_HEADER_BYTES + frames_bytes).next_multiple_of(u64::from(block_bytes))
}

impl Encoded {
    pub(super) fn new(place: &Place, records: &[Prepared]) -> Encoded {
        let frames_bytes: u64 = records.iter().map(Prepared::frame_len).sum();
        let group_bytes = group_len(frames_bytes, place.block_bytes);
        let times = || records.iter().filter(|record| !record.own).map(|record| record.time);
        let header = GroupHeader {
            group_bytes: group_bytes as u32,
            count: records.len() as u32,
            frames_bytes: frames_bytes as u32,
            least: times().min().unwrap_or(Time::MAX),
            greatest: times().max().unwrap_or(Time(0)),
            acked: place.acked,
        };
        let payloads: u64 = records.iter().map(|record| record.stored.len() as u64).sum();
        let mut between = Vec::with_capacity((group_bytes - payloads) as usize);
        let encoded = header.encode(place.life, place.position);
        let check = u32::from_le_bytes([encoded[4], encoded[5], encoded[6], encoded[7]]);
        between.extend_from_slice(&encoded);
        let mut frames = Vec::with_capacity(records.len());
        let mut handles = Vec::with_capacity(records.len());
        let mut at = place.position.plus(GROUP_HEADER_BYTES);
        for (index, record) in records.iter().enumerate() {
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
            let encoded = header.encode(place.life, at);
            let check = u32::from_le_bytes([encoded[0], encoded[1], encoded[2], encoded[3]]);
            between.extend_from_slice(&encoded);
            between.resize(between.len() + padding(record), 0);
            frames.push((header, check));
            handles.push(Handle {
                identity: place.life.identity,
                epoch: place.life.epoch,
                position: at,
                base: place.base,
                stored_len: header.stored_len,
                check,
            });
            at = at.plus(record.frame_len());
        }
        between.resize((group_bytes - payloads) as usize, 0);
        Encoded { between, header, check, frames, handles }
    }

    pub(super) fn len(&self) -> u64 {
        u64::from(self.header.group_bytes)
    }

    /// The group's bytes in order, given the records that it was made of.
    pub(super) fn parts<'a>(&'a self, records: &'a [Prepared]) -> Vec<&'a [u8]> {
        let mut parts = Vec::with_capacity(2 * records.len() + 1);
        let (mut rest, mut head) = (&self.between[..], GROUP_HEADER_BYTES as usize);
        for record in records {
            let (before, behind) = rest.split_at(head + FRAME_HEADER_BYTES as usize);
            parts.extend([before, &record.stored[..]]);
            (rest, head) = (behind, padding(record));
        }
        parts.push(rest);
        parts
    }
}

/// The zeros behind a payload.
fn padding(record: &Prepared) -> usize {
    record.stored.len().next_multiple_of(8) - record.stored.len()
}
