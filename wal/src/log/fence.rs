//! Of a writer whose file takes no more, on a medium of leases: whether a newer one has replaced it.
//!
//! A lease that has ended says nothing of who ended it, nor where: a starter that is about to decide, an heir that has
//! decided, or the server by itself. The log says it, once the heir's epoch is in the chain: its first segment's header
//! states where the file ends for ever. What begins there or behind is certainly not in the log; what lies before was
//! kept, and belongs to it although its writer never heard so.

use super::look::{Depth, look_near};
use super::source::segment_name;
use crate::error::{Error, Kind};
use crate::format::Position;
use crate::format::seed::Life;
use crate::store::{Store, leasing};

/// What `error` means for what was to lie from `from` on, in the segment at `base` or behind it: `Fenced` if a newer
/// epoch is known to have cut the log there or before, else what it said. In doubt it is not known.
pub(super) fn cause(store: &dyn Store, life: Life, base: Position, from: Position, error: Error) -> Error {
    let Some((_, leases)) = leasing(store).filter(|_| error.kind() != Kind::Fenced) else { return error };
    // An heir ends the lease before it decides: while it holds, a server is what failed, and looking would wait for it.
    if leases.is_open(&segment_name(base)).unwrap_or(true) {
        return error;
    }
    // A segment that is not in the chain any more may have been retired, and what was in it part of the log.
    let Ok(survey) = look_near(store, Position::START, Depth::Quick) else { return error };
    let segments = survey.chain().segments();
    let ours = segments.iter().position(|segment| segment.base == base && segment.epoch == life.epoch);
    let is_ours = survey.identity().is_some_and(|identity| identity.short() == life.identity);
    let Some(ours) = ours.filter(|_| is_ours) else { return error };
    match segments[ours + 1..].iter().find(|segment| segment.epoch > life.epoch) {
        Some(newer) if newer.begins_epoch && newer.base <= from => {
            let message = format!(
                "a newer writer has taken this log over; stop, or start again: epoch={} newer={}",
                life.epoch, newer.epoch
            );
            Error::new(Kind::Fenced, message).because(error).at(segment_name(newer.base).as_str(), 0)
        }
        _ => error,
    }
}
