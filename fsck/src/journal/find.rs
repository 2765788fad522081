//! Whether a place is a journal, told by its content.

use std::sync::Arc;

use headwater_checkpoint::journal::event;
use headwater_wal::format::name::parse_segment;
use headwater_wal::store::{Entry, Name, Store, What};
use headwater_wal::{Error, Kind, Log, Options, Position, Result};

use crate::{checkpoints, is_log};

/// Where a root has its journal.
pub const FOLDER: &str = "journal";

/// So many records are looked at to tell a journal from another log.
const RECORDS_LOOKED_AT: usize = 64;

/// What a log has for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Events: it is a journal.
    Events,
    /// None that could be read.
    Nothing,
    /// Others, the first of which is of this kind.
    Others(u8),
}

/// What the log at a store's root holds, by its first records.
pub fn what_is_here(store: &Arc<dyn Store>) -> Result<Holds> {
    let opened = Log::open(store.clone(), Options::default())?;
    let mut first = None;
    for record in opened.replay(Position::START)?.take(RECORDS_LOOKED_AT).flatten() {
        if record.kind == event::RECORD_KIND {
            return Ok(Holds::Events);
        }
        first = first.or(Some(record.kind));
    }
    Ok(first.map_or(Holds::Nothing, Holds::Others))
}

/// Whether a store's root has a log in it by the name that a journal has in a root.
pub fn is_below(store: &dyn Store) -> Result<bool> {
    for page in store.list(&Name::new(FOLDER)?)? {
        let is = |entry: &Entry| matches!(entry.what, What::File(_)) && parse_segment(&entry.name).is_some();
        if page?.iter().any(is) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says what is here instead of a journal.
pub fn none(store: &dyn Store) -> Result<Error> {
    let place = store.place();
    let message = if is_log(store)? {
        format!("this is a log, and its records are not a journal's events:\n  wal-inspect dump {place}")
    } else if is_below(store)? {
        format!(
            "the log in the folder `{FOLDER}` has records that are not a journal's events:\n  wal-inspect dump {place}/{FOLDER}"
        )
    } else if checkpoints::is_here(store)? {
        format!("this is a folder of checkpoints and no journal:\n  wal-inspect checkpoints {place}")
    } else {
        format!("no journal is here, and none in a folder `{FOLDER}`: place={place}")
    };
    Ok(Error::new(Kind::NotThere, message))
}
