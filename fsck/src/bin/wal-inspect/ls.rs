//! `ls`: the segments, one a line, and what lies beside them.

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::find;
use headwater_wal::format::name;
use headwater_wal::{Aside, Because, Depth, Position, Segment};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a file: URL
    path: OsString,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let store = place::open(&args.path)?;
    let survey = find(&*store, Position::START, Depth::Quick)?;
    let segments = survey.chain().segments();
    if args.json {
        for segment in segments {
            json(segment).write(out)?;
        }
        for aside in survey.aside() {
            let line =
                Line::new("set-aside").text("file", name::segment(aside.base)).number("base", aside.base.0);
            line.number("file_bytes", aside.file_len).text("because", because(aside)).write(out)?;
        }
        for name in survey.foreign() {
            Line::new("foreign").text("file", name).write(out)?;
        }
        return Ok(Answer::Sound);
    }
    let mut rows = vec![HEAD.map(String::from)];
    rows.extend(segments.iter().map(row));
    table(&rows, &RIGHT, out)?;
    let unknown = segments.iter().any(|segment| segment.records.is_none());
    if unknown {
        writeln!(out, "?: not known without reading all of it, which `wal-inspect check` does")?;
    }
    if !survey.aside().is_empty() {
        writeln!(out, "\nset aside, no part of the log:")?;
        for aside in survey.aside() {
            writeln!(out, "  {}  {:>12} bytes  {}", name::segment(aside.base), aside.file_len, why(aside))?;
        }
    }
    if survey.foreign_count() > 0 {
        writeln!(out, "\nnot the log's, left alone ({}):", survey.foreign_count())?;
        for name in survey.foreign() {
            writeln!(out, "  {name}")?;
        }
    }
    if survey.damage_count() > 0 {
        writeln!(out, "\nthe log is DAMAGED; run `wal-inspect check {}`", survey.place())?;
    }
    Ok(Answer::Sound)
}

const HEAD: [&str; 8] = ["SEGMENT", "END", "NEXT", "FILE BYTES", "EPOCH", "STATE", "RECORDS", "TIMES"];
const RIGHT: [bool; 8] = [false, true, true, true, true, false, true, false];

fn row(segment: &Segment) -> [String; 8] {
    [
        name::segment(segment.base),
        segment.end.to_string(),
        segment.next.to_string(),
        segment.file_len.to_string(),
        segment.epoch.to_string(),
        state(segment).into(),
        segment.records.map_or("?".into(), |records| records.to_string()),
        match segment.times {
            Some((least, greatest)) if least == greatest => least.to_string(),
            Some((least, greatest)) => format!("{least} to {greatest}"),
            None => String::new(),
        },
    ]
}

/// The word for a segment's state, which stays.
pub(crate) fn state(segment: &Segment) -> &'static str {
    match segment {
        Segment { begins_epoch: true, .. } => "epoch",
        Segment { sealed: true, .. } => "sealed",
        Segment { closed_at: Some(_), .. } => "closed",
        _ => "active",
    }
}

/// The word for why a file is set aside, which stays.
pub(crate) fn because(aside: &Aside) -> &'static str {
    match aside.because {
        Because::Retired => "retired",
        Because::Dead => "dead",
        Because::Torn => "torn",
        Because::Damaged => "damaged",
    }
}

fn why(aside: &Aside) -> &'static str {
    match aside.because {
        Because::Retired if aside.begins_epoch => "retired; stays as the fence of its epoch",
        Because::Retired => "retired; not removed yet",
        Because::Dead => "dead: of a replaced writer, in a range that a newer epoch has taken",
        Because::Torn => "torn: beyond the end, never acknowledged",
        Because::Damaged => "damaged: `check` says how",
    }
}

fn json(segment: &Segment) -> Line {
    Line::new("segment")
        .text("file", name::segment(segment.base))
        .number("base", segment.base.0)
        .number("end", segment.end.0)
        .number("next", segment.next.0)
        .number("file_bytes", segment.file_len)
        .number("epoch", segment.epoch)
        .text("state", state(segment))
        .number_or_null("records", segment.records)
        .number_or_null("time_min_ms", segment.times.map(|(least, _)| least.0))
        .number_or_null("time_max_ms", segment.times.map(|(_, greatest)| greatest.0))
        .number("made_at_ms", segment.made_at.0)
        .number_or_null("closed_at_ms", segment.closed_at.map(|time| time.0))
}
