//! Reading one record by its handle: one ranged read, verified.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::chain::{Chain, Lies};
use super::kept::Kept;
use super::look::{Depth, look_near};
use super::source::{confirm, segment_name};
use super::survey::Survey;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::codec;
use crate::format::frame::{FRAME_HEADER_BYTES, FrameHeader, PAYLOAD_BYTES_LIMIT};
use crate::format::seed::Life;
use crate::format::{Handle, Position};
use crate::store::{Store, leasing};

/// A record, as it was appended.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub handle: Handle,
    /// Its time, as the caller gave it.
    pub time: Time,
    /// Its kind, as the caller gave it.
    pub kind: u8,
    /// Its payload.
    pub payload: Bytes,
}

impl fmt::Debug for Record {
    /// Not the payload, which is the caller's and may be secret, only its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { handle, time, kind, payload } = self;
        write!(f, "Record({handle}, time={time}, kind={kind}, bytes={})", payload.len())
    }
}

impl Record {
    /// Where it lies.
    pub fn position(&self) -> Position {
        self.handle.position()
    }
}

/// Reads the record of an acknowledged handle: one ranged read of the file that the handle names, which stays open.
///
/// Nothing is looked up as long as all is well. If it is not, the log is looked at, to say why.
pub(crate) fn read(store: &Arc<dyn Store>, kept: &Kept, handle: &Handle, limit: u32) -> Result<Record> {
    match read_at(&**store, kept, handle, handle.base, limit) {
        Err(error) if matches!(error.kind(), Kind::NotThere | Kind::Damaged) => {
            let survey = look_near(&**store, Position::START, Depth::Quick)?;
            match locate_surely(store, survey.chain(), handle) {
                Ok(base) if base != handle.base => read_at(&**store, kept, handle, base, limit),
                Ok(_) => Err(lost(error)),
                // The log seems to end before the record, as a torn one does; but the handle says that the record was
                // acknowledged, so its bytes are damaged.
                Err(_) if is_damaged(&survey, handle) => Err(lost(error)),
                Err(_) if error.kind() == Kind::Damaged && is_promised(&survey, handle) => Err(error),
                Err(other) => Err(other),
            }
        }
        other => other,
    }
}

/// What a read that found nothing means where the chain has the record: a file, or a part of it, is gone.
fn lost(error: Error) -> Error {
    match error.kind() {
        Kind::NotThere => {
            let message =
                "the log has this record, and its file has gone or ends before it; run `wal-inspect check`";
            Error::new(Kind::Damaged, message).because(error)
        }
        _ => error,
    }
}

fn is_ours(survey: &Survey, handle: &Handle) -> bool {
    survey.identity().is_some_and(|identity| identity.short() == handle.identity)
}

/// Whether the place of the handle is damaged.
fn is_damaged(survey: &Survey, handle: &Handle) -> bool {
    let hit = survey.damages().iter().any(|damage| damage.range.contains(&handle.position));
    hit && is_ours(survey, handle)
}

/// Whether the place of the handle would be damaged if the handle were given as a promise: it is of the last writer's
/// epoch, and lies where the log seems to end.
fn is_promised(survey: &Survey, handle: &Handle) -> bool {
    is_ours(survey, handle) && handle.epoch == survey.epoch() && handle.end() > survey.end()
}

/// As [`locate`], and in a long chain by what lies there, not by what the handle says.
pub(crate) fn locate_surely(store: &Arc<dyn Store>, chain: &Chain, handle: &Handle) -> Result<Position> {
    let located = locate(chain, handle)?;
    if chain.at(handle.position) != Lies::Older {
        return Ok(located);
    }
    match Arc::new(chain.clone()).find(store, handle.position) {
        Ok(Some(segment)) if segment.epoch == handle.epoch && handle.end() <= segment.end => Ok(segment.base),
        // What went while it was looked at says nothing of this record.
        Err(gone) if gone.kind() == Kind::NotThere => {
            let message = "a part of the log was retired while it was looked at; try again";
            Err(Error::new(Kind::Unavailable, message).because(gone))
        }
        Err(error) => Err(error),
        Ok(_) => Err(Error::new(Kind::NotThere, format!("{} handle={handle}", cut(chain, handle)))),
    }
}

/// The base of the segment that holds the handle's record, in a chain that is known, so that what was cut is told from
/// what is damaged; or why none does. Of what only summaries know it is what the handle says: that its record was
/// acknowledged, and where.
pub(crate) fn locate(chain: &Chain, handle: &Handle) -> Result<Position> {
    let refuse = |kind, message: String| Err(Error::new(kind, format!("{message} handle={handle}")));
    if handle.identity != chain.identity {
        let message = format!(
            "the handle is of another log: this={:016x} its={:016x}",
            chain.identity, handle.identity
        );
        return refuse(Kind::Invalid, message);
    }
    match chain.at(handle.position) {
        Lies::Retired => {
            refuse(Kind::Retired, format!("the record was retired: the log begins at {}", chain.begins))
        }
        Lies::In(segment)
            if segment.epoch == handle.epoch
                && handle.end() <= segment.end
                && handle.end() <= chain.shown =>
        {
            Ok(segment.base)
        }
        Lies::Older => Ok(handle.base),
        Lies::In(_) | Lies::Nowhere => refuse(Kind::NotThere, cut(chain, handle)),
    }
}

fn cut(chain: &Chain, handle: &Handle) -> String {
    let all = chain.older.is_none();
    match chain.epoch_range(handle.epoch).filter(|_| all) {
        Some(range) => format!(
            "the record is not in the log: its epoch {} has positions {} to {}",
            handle.epoch, range.start, range.end
        ),
        None if all => format!("the record is not in the log: nothing of its epoch {} is", handle.epoch),
        None => "the record is not in the log".into(),
    }
}

/// Reads the record of a handle in the segment at `base`: one read, if the segment is kept open.
///
/// `Unavailable` on a medium of leases, while the segment is being written.
pub(crate) fn read_at(
    store: &dyn Store,
    kept: &Kept,
    handle: &Handle,
    base: Position,
    limit: u32,
) -> Result<Record> {
    let read = || read_once(store, kept, handle, base, limit);
    let Some((_, leases)) = leasing(store) else { return read() };
    match read() {
        Err(error) if matches!(error.kind(), Kind::NotThere | Kind::Damaged) => {
            if !leases.is_open(&segment_name(base))? {
                // It may have been closed since it was read.
                return read();
            }
            let message = "the record's segment is being written, and cannot be read before it is sealed or its writer \
                           replaced; try again then";
            Err(Error::new(Kind::Unavailable, message).because(error))
        }
        other => other,
    }
}

fn read_once(store: &dyn Store, kept: &Kept, handle: &Handle, base: Position, limit: u32) -> Result<Record> {
    let range = range(handle, base, limit)?;
    if let Some(object) = kept.get(base) {
        let read = object.read(range.clone());
        if let Ok(record) = read.and_then(|bytes| decode(store, handle, base, bytes, limit)) {
            return Ok(record);
        }
        // That may be a file which has the name no more.
        kept.forget(base);
    }
    let name = segment_name(base);
    match store.open(&name)? {
        Some(object) => {
            let record = decode(store, handle, base, object.read(range)?, limit);
            match record {
                Ok(_) => kept.keep(base, object),
                Err(_) => confirm(&*object)?,
            }
            record
        }
        None => decode(store, handle, base, store.read(&name, range)?, limit),
    }
}

/// Where the frame of a handle's record lies in the file of the segment at `base`.
pub(super) fn range(handle: &Handle, base: Position, limit: u32) -> Result<Range<u64>> {
    if handle.stored_len > limit.min(PAYLOAD_BYTES_LIMIT) {
        let message = format!("the record is longer than record_bytes_max={limit} allows: handle={handle}");
        return Err(Error::new(Kind::Invalid, message));
    }
    let Some(offset) = handle.position.0.checked_sub(base.0) else {
        let message = format!("the handle's hint of its segment is wrong: handle={handle}");
        return Err(Error::new(Kind::NotThere, message));
    };
    let len = FRAME_HEADER_BYTES + u64::from(handle.stored_len);
    Ok(offset..offset.saturating_add(len))
}

/// The record of a handle out of the bytes that lie where the handle says.
pub(super) fn decode(
    store: &dyn Store,
    handle: &Handle,
    base: Position,
    bytes: Bytes,
    limit: u32,
) -> Result<Record> {
    let here = |error: Error| error.at(segment_name(base).as_str(), handle.position.0.saturating_sub(base.0));
    let life = Life { identity: handle.identity, epoch: handle.epoch };
    let damaged = |message: &str| {
        let message = format!("{message}; run `wal-inspect check {}` handle={handle}", store.place());
        here(Error::new(Kind::Damaged, message))
    };
    if bytes.is_empty() {
        let message = format!("the file ends before the record handle={handle}");
        return Err(here(Error::new(Kind::NotThere, message)));
    }
    let Some((header, check)) = FrameHeader::decode(life, handle.position, &bytes) else {
        return Err(damaged(
            "no record of the handle's log and epoch begins here: the log is damaged, or the handle is",
        ));
    };
    if check != handle.check || header.stored_len != handle.stored_len || header.own {
        let message =
            format!("another record lies here: check={check:08x} len={} handle={handle}", header.stored_len);
        return Err(here(Error::new(Kind::Invalid, message)));
    }
    let mut stored = bytes;
    stored.advance(FRAME_HEADER_BYTES as usize);
    if !header.verifies(&stored) {
        return Err(damaged("the record's payload does not verify"));
    }
    let payload = codec::expand(&header, stored, limit as usize).map_err(here)?;
    let handle = Handle { base, ..*handle };
    Ok(Record { handle, time: header.time, kind: header.kind, payload })
}
