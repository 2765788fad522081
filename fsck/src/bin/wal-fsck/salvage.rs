//! `salvage`: every record that can be read, copied into a new log.

use std::ffi::OsString;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use headwater_fsck::{Salvaged, salvage};
use headwater_wal::store;
use headwater_wal::{Error, Kind};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::json::Line;
use crate::progress::{Progress, Watched, all_bytes};
use crate::text::escaped_lines;
use crate::{place, signals};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log that is read, and not changed: a path or a URL
    #[arg(value_name = "FROM")]
    from: OsString,
    /// Where the new log is made: a path or a URL where nothing is yet
    #[arg(value_name = "TO")]
    to: OsString,
    /// As JSON, a line for each range that could not be read and one for what was copied
    #[arg(long)]
    json: bool,
}

/// What could not be read is told by [`Exit::LEFT`]: the new log is whole, and lacks it.
pub(crate) fn run(args: &Args, progress: &Arc<Progress>, out: &mut dyn Write) -> Result<Exit, Failure> {
    signals::watch(progress.interrupted())?;
    let from = Watched::over(place::open(&args.from)?, progress);
    let to = args.to.to_str().ok_or_else(|| {
        Error::new(Kind::Invalid, format!("the new log's path is no UTF-8: path={}", args.to.display()))
    });
    let to = store::open(to?).map_err(place::not_built)?;
    progress.begin("copying", all_bytes(progress, &*from)?);
    let salvaged = salvage(&from, &to)?;
    progress.clear();
    match args.json {
        true => json(&salvaged, &to.place(), out)?,
        false => {
            write!(out, "{}", escaped_lines(&salvaged.to_string()))?;
            writeln!(out, "\nnext     wal-fsck {}", to.place())?;
        }
    }
    Ok(if salvaged.unreadable_count > 0 { Exit::LEFT } else { Exit::CLEAN })
}

fn json(salvaged: &Salvaged, to: &str, out: &mut dyn Write) -> Result<(), Failure> {
    for Range { start, end } in &salvaged.unreadable {
        Line::new("unreadable").number("from", start.0).number("to", end.0).write(out)?;
    }
    Line::new("salvaged")
        .text("place", to)
        .number("records", salvaged.records)
        .number("bytes", salvaged.bytes)
        .number("unreadable", salvaged.unreadable_count)
        .write(out)?;
    Ok(())
}
