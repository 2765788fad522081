//! `find`: which record is first at or behind a position or a time, and where it lies.

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::{Goal, Place, find, seek};
use headwater_wal::format::name;
use headwater_wal::{Depth, Error, Kind, Position, Survey};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::ls::state;
use crate::place;
use crate::when::When;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a URL
    path: OsString,
    /// The record that lies at this position, or the first one behind it
    #[arg(long, value_name = "POS", required_unless_present = "time", conflicts_with = "time")]
    position: Option<u64>,
    /// The first record of this time or a later one: 2026-11-21T10:00Z, `2h ago`, or milliseconds
    #[arg(long, value_name = "TIME")]
    time: Option<When>,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let goal = match (args.position, args.time) {
        (Some(position), _) => Goal::Position(Position(position)),
        (None, Some(when)) => Goal::Time(when.0),
        (None, None) => return Err(Failure::Usage("name a --position or a --time".into())),
    };
    let store = place::open(&args.path)?;
    let survey = find(&*store, Position::START, Depth::Quick)?;
    if let Goal::Position(position) = goal
        && position < survey.begins()
        && position > Position::START
    {
        let message = format!("the log begins later: asked={position} begins={}", survey.begins());
        return Err(Error::new(Kind::Retired, message).into());
    }
    let Some(found) = seek(&*store, &survey, goal)? else { return Err(nothing(&survey, goal).into()) };
    match args.json {
        true => json(&found).write(out)?,
        false => page(&found, &survey, out)?,
    }
    Ok(Answer::Sound)
}

fn nothing(survey: &Survey, goal: Goal) -> Error {
    let asked = match goal {
        Goal::Position(at) => format!("no record lies at {at} or behind it"),
        Goal::Time(since) => format!("no record is of {since} or later"),
    };
    let (begins, end, place) = (survey.begins(), survey.end(), survey.place());
    let damaged = match survey.damage_count() {
        0 => String::new(),
        _ => format!("; the log is damaged: run `wal-inspect check {place}`"),
    };
    Error::new(Kind::NotThere, format!("{asked}{damaged}: begins={begins} end={end} place={place}"))
}

fn page(found: &Place, survey: &Survey, out: &mut dyn Write) -> Result<(), Failure> {
    let Place { segment, handle, header } = found;
    let (at, file) = (handle.position(), name::segment(segment.base));
    writeln!(out, "record    {handle}")?;
    writeln!(out, "position  {at} to {}, in {file} at offset {}", handle.end(), at.since(segment.base))?;
    writeln!(out, "time      {}, {} ms", header.time, header.time.0)?;
    writeln!(out, "kind      {}", header.kind)?;
    writeln!(out, "bytes     {}, stored as {}", header.raw_len, header.stored_len)?;
    writeln!(
        out,
        "segment   {}, epoch {}, positions {} to {}",
        state(segment),
        segment.epoch,
        segment.base,
        segment.end
    )?;
    writeln!(out, "next      wal-inspect dump {} --from {at} -n 10", survey.place())?;
    Ok(())
}

fn json(found: &Place) -> Line {
    let Place { segment, handle, header } = found;
    Line::new("found")
        .number("position", handle.position().0)
        .number("end", handle.end().0)
        .text("handle", handle)
        .number("epoch", handle.epoch())
        .number("time_ms", header.time.0)
        .text("time", header.time)
        .number("kind", u64::from(header.kind))
        .number("bytes", u64::from(header.raw_len))
        .number("stored_bytes", u64::from(header.stored_len))
        .text("file", name::segment(segment.base))
        .number("offset", handle.position().since(segment.base))
        .text("state", state(segment))
        .number("base", segment.base.0)
        .number("segment_end", segment.end.0)
}
