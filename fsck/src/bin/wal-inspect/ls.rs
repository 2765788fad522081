//! `ls`: the segments, one a line, and what lies beside them.

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::{NEWEST, Unread, being_written, find, list};
use headwater_wal::format::name;
use headwater_wal::{Aside, Because, Depth, Position, Segment, Survey};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::{widths, write_row};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a file: URL
    path: OsString,
    /// Read both ends of every segment; without it, of more than a thousand only the newest hundred are read
    #[arg(long)]
    long: bool,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let store = place::open(&args.path)?;
    // Where files do not grow, a look rests on summaries.
    if args.long || store.append().is_none() {
        let survey = find(&*store, Position::START, Depth::Quick)?;
        let is_damaged = survey.damage_count() > 0;
        return show(args, &survey, &[], is_damaged, out);
    }
    let listing = list(&*store)?;
    let retired = listing.unread.partition_point(|unread| listing.is_retired(unread));
    let is_damaged = listing.damages().next().is_some();
    if args.json {
        for unread in &listing.unread[..retired] {
            aside_json(unread.base, unread.file_len, "retired").write(out)?;
        }
    }
    show(args, listing.survey(), &listing.unread[retired..], is_damaged, out)
}

fn show(
    args: &Args,
    survey: &Survey,
    unread: &[Unread],
    is_damaged: bool,
    out: &mut dyn Write,
) -> Result<Answer, Failure> {
    let segments = survey.chain().segments();
    if args.json {
        for unread in unread {
            unread_json(unread).write(out)?;
        }
        for segment in segments {
            json(segment).write(out)?;
        }
        for aside in survey.aside() {
            aside_json(aside.base, aside.file_len, because(aside)).write(out)?;
        }
        for name in survey.foreign() {
            Line::new("foreign").text("file", name).write(out)?;
        }
        return Ok(Answer::Sound);
    }
    let mut rows = vec![HEAD.map(String::from)];
    // Of many rows the greatest ones are known: all are as wide, and none need be kept.
    rows.extend(unread.iter().max_by_key(|unread| unread.file_len).map(unread_row));
    let kept = rows.len();
    rows.extend(segments.iter().map(row));
    let widths = widths(&rows);
    write_row(&rows[0], &widths, &RIGHT, out)?;
    for unread in unread {
        write_row(&unread_row(unread), &widths, &RIGHT, out)?;
    }
    for row in &rows[kept..] {
        write_row(row, &widths, &RIGHT, out)?;
    }
    if !unread.is_empty() {
        writeln!(
            out,
            "-: not read; the newest {NEWEST} were, and `wal-inspect ls --long {}` reads all",
            survey.place()
        )?;
    }
    let unknown = segments.iter().any(|segment| segment.records.is_none());
    if unknown {
        writeln!(out, "?: not known without reading all of it, which `wal-inspect check` does")?;
    }
    if let Some(open) = being_written(survey) {
        writeln!(out, "\n{open}")?;
    }
    let mut aside = survey.aside().iter().filter(|aside| aside.because != Because::Open).peekable();
    if aside.peek().is_some() {
        writeln!(out, "\nset aside, no part of the log:")?;
        for aside in aside {
            writeln!(out, "  {}  {:>12} bytes  {}", name::segment(aside.base), aside.file_len, why(aside))?;
        }
    }
    if survey.foreign_count() > 0 {
        writeln!(out, "\nnot the log's, left alone ({}):", survey.foreign_count())?;
        for name in survey.foreign() {
            writeln!(out, "  {name}")?;
        }
    }
    if is_damaged {
        writeln!(out, "\nthe log is DAMAGED; run `wal-inspect check {}`", survey.place())?;
    }
    Ok(Answer::Sound)
}

fn unread_row(unread: &Unread) -> [String; 8] {
    let Unread { base, next, file_len } = unread;
    let not_read = || "-".to_owned();
    [
        name::segment(*base),
        not_read(),
        next.to_string(),
        file_len.to_string(),
        not_read(),
        not_read(),
        not_read(),
        String::new(),
    ]
}

fn unread_json(unread: &Unread) -> Line {
    Line::new("segment")
        .text("file", name::segment(unread.base))
        .number("base", unread.base.0)
        .number_or_null("end", None)
        .number("next", unread.next.0)
        .number("file_bytes", unread.file_len)
        .number_or_null("epoch", None)
        .text_or_null("state", None::<&str>)
        .number_or_null("records", None)
        .number_or_null("time_min_ms", None)
        .number_or_null("time_max_ms", None)
        .number_or_null("made_at_ms", None)
        .number_or_null("closed_at_ms", None)
}

fn aside_json(base: Position, file_len: u64, because: &str) -> Line {
    Line::new("set-aside")
        .text("file", name::segment(base))
        .number("base", base.0)
        .number("file_bytes", file_len)
        .text("because", because)
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
        Because::Open => "open",
        Because::Damaged => "damaged",
    }
}

fn why(aside: &Aside) -> &'static str {
    match aside.because {
        Because::Retired if aside.begins_epoch => "retired; stays as the fence of its epoch",
        Because::Retired => "retired; not removed yet",
        Because::Dead => "dead: of a replaced writer, in a range that a newer epoch has taken",
        Because::Torn => "torn: beyond the end, never acknowledged",
        Because::Open => "open: being written under a lease, and cannot be read before it is closed",
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
