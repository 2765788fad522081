//! `explain PATH HANDLE`: where a handle points, what lies there, and why it cannot be read.

use std::ffi::OsStr;
use std::io::Write;
use std::sync::Arc;

use headwater_fsck::{Explained, explain, find, is_log, logs_below};
use headwater_wal::store::Store;
use headwater_wal::{Depth, Error, Handle, Kind, Position};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::escaped_lines;

/// So many logs of a root are asked whether the handle is theirs.
const LOGS_MAX: usize = 1000;

pub(crate) fn run(
    path: &OsStr,
    handle: &Handle,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let explained = explain(&log(path, handle)?, handle)?;
    match as_json {
        true => json(&explained).write(out)?,
        // An error's text may quote what lies in a file.
        false => out.write_all(escaped_lines(&explained.to_string()).as_bytes())?,
    }
    Ok(match &explained.record {
        Ok(_) => Answer::Sound,
        Err(error) if error.kind() == Kind::Damaged => Answer::Damaged,
        Err(_) => Answer::Unsupported,
    })
}

/// The log at a place, or that one of the logs below it which the handle is of.
fn log(path: &OsStr, handle: &Handle) -> Result<Arc<dyn Store>, Failure> {
    let store = place::open(path)?;
    if is_log(&*store)? {
        return Ok(store);
    }
    let below = logs_below(&*store, LOGS_MAX)?;
    for folder in &below {
        let log = place::open_below(path, folder.as_str())?;
        let identity = find(&*log, Position::START, Depth::Quick).ok().and_then(|survey| survey.identity());
        if identity.is_some_and(|identity| identity.short() == handle.identity()) {
            return Ok(log);
        }
    }
    match below.len() {
        // What is here instead, it says itself.
        0 => Ok(store),
        count => {
            let message = format!(
                "the handle is of none of the {count} logs here: its={:016x} place={}",
                handle.identity(),
                store.place()
            );
            Err(Error::new(Kind::NotThere, message).into())
        }
    }
}

fn json(explained: &Explained) -> Line {
    let Explained { handle, survey, lies, record } = explained;
    let ok = record.as_ref().ok();
    Line::new("handle")
        .text("handle", handle)
        .text("place", survey.place())
        .number("position", handle.position().0)
        .number("end", handle.end().0)
        .number("epoch", handle.epoch())
        .text("identity", format_args!("{:016x}", handle.identity()))
        .text("file", headwater_wal::format::name::segment(handle.base()))
        .number("stored_bytes", u64::from(handle.stored_len()))
        .text("lies", lies.name())
        .flag("readable", ok.is_some())
        .number_or_null("bytes", ok.map(|record| record.payload.len() as u64))
        .number_or_null("time_ms", ok.map(|record| record.time.0))
        .number_or_null("kind", ok.map(|record| u64::from(record.kind)))
        .text("why", explained.why())
        .text_or_null("error", record.as_ref().err())
        .text_or_null("next", explained.next())
}
