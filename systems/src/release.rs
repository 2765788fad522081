//! How a receiver hears what it may remove of its log: by a file that the driver writes after each cleaning.

use headwater_checkpoint::journal::ReceiverLog;
use headwater_checkpoint::resume;
use headwater_wal::{Log, Position};

use crate::Result;
use crate::setup::{Setup, replace};

/// The driver says that everything of this log below a position may be removed.
pub(crate) fn permit(setup: &Setup, log: ReceiverLog, below: Position) -> Result<()> {
    replace(&setup.may_remove(log.receiver), &format!("{} {}", log.identity, below.0))
}

/// The receiver removes what it may, as far as whole segments go; how many files that were.
pub(crate) fn remove(setup: &Setup, receiver: u32, log: &Log) -> Result<u64> {
    let Ok(text) = std::fs::read_to_string(setup.may_remove(receiver)) else { return Ok(0) };
    let Some((identity, below)) = text.split_once(' ') else { return Ok(0) };
    if identity.parse() != Ok(log.identity()) {
        return Ok(0);
    }
    Ok(resume::release(log, Position(below.parse()?), log.now())?.removed as u64)
}
