//! `clean --dry-run`: what cleaning would remove, and what holds the rest.

use std::ffi::OsString;
use std::io::Write;

use headwater_checkpoint::resume::Explained;
use headwater_fsck::{Cleaned, Cleaning, clean_log, clean_root, is_log, journal};
use headwater_wal::Time;
use headwater_wal::format::name;

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::{bytes, plural};
use crate::when::When;

const UNSEEN: &str = "Not seen from outside: pins, which are of the process that writes, and that a driver whose checkpoints fail \
                      cleans nothing.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A root, for its journal and its receivers' logs; or the folder of one log
    path: OsString,
    /// Only shows: wal-inspect removes nothing, and the log's own process cleans
    #[arg(long, required = true)]
    dry_run: bool,
    /// What was sealed before goes, by the engine's time: 2026-11-21T10:00Z, `2h ago`, or milliseconds [default: now]
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let before = args.before.map_or(Time::MAX, |when| when.0);
    let store = place::open(&args.path)?;
    let cleanings = if is_log(&*store)? {
        vec![clean_log(&*store, before)?]
    } else if journal::is_below(&*store)? {
        let (root, _) = place::open_root(&args.path)?;
        clean_root(&root, &*store, before)?
    } else {
        // What is here instead, it says itself.
        vec![clean_log(&*store, before)?]
    };
    for cleaning in &cleanings {
        match args.json {
            true => lines(cleaning, out)?,
            false => page(cleaning, out)?,
        }
    }
    if !args.json {
        writeln!(out, "{UNSEEN}")?;
    }
    Ok(if cleanings.iter().all(|cleaning| cleaning.is_known) { Answer::Sound } else { Answer::Damaged })
}

fn file_bytes(segments: &[Explained]) -> u64 {
    segments.iter().fold(0, |sum, one| sum.saturating_add(one.segment.file_len))
}

fn page(cleaning: &Cleaning, out: &mut dyn Write) -> Result<(), Failure> {
    let Cleaning { survey, what, .. } = cleaning;
    let what = match what {
        Cleaned::Alone => "a log by itself: its owner says what it needs".to_owned(),
        Cleaned::Journal => "the journal".to_owned(),
        Cleaned::Received(log) => format!("the log of receiver {}/{}", log.stream, log.receiver),
    };
    writeln!(out, "{}: {what}, positions {} to {}", survey.place(), survey.begins(), survey.end())?;
    let goes = cleaning.goes();
    let begins = cleaning.begins();
    match goes {
        [] => writeln!(out, "  goes    nothing")?,
        goes => writeln!(
            out,
            "  goes    {}, {}; the log begins at {begins} then",
            plural(goes.len() as u64, "segment"),
            bytes(file_bytes(goes))
        )?,
    }
    for alike in cleaning.stays().chunk_by(|one, other| one.held_by == other.held_by) {
        let (Some(first), Some(last)) = (alike.first(), alike.last()) else { continue };
        let (from, to) = (first.segment.base, last.segment.end);
        let segments = plural(alike.len() as u64, "segment");
        writeln!(out, "  stays   {segments}, positions {from} to {to}, {}", bytes(file_bytes(alike)))?;
        first.held_by.iter().try_for_each(|held| writeln!(out, "            {held}"))?;
    }
    writeln!(out)?;
    Ok(())
}

fn lines(cleaning: &Cleaning, out: &mut dyn Write) -> Result<(), Failure> {
    let (of, log) = match cleaning.what {
        Cleaned::Alone => ("log", None),
        Cleaned::Journal => ("journal", None),
        Cleaned::Received(log) => ("received", Some(log)),
    };
    let goes = cleaning.goes().len();
    for (at, one) in cleaning.segments.iter().enumerate() {
        let segment = &one.segment;
        Line::new("segment")
            .text("place", cleaning.survey.place())
            .text("file", name::segment(segment.base))
            .number("base", segment.base.0)
            .number("end", segment.end.0)
            .number("file_bytes", segment.file_len)
            .number_or_null("closed_at_ms", segment.closed_at.map(|at| at.0))
            .flag("goes", at < goes)
            .list("held_by", one.held_by.iter().map(|held| Line::part().text("why", held)))
            .write(out)?;
    }
    Line::new("cleaning")
        .text("place", cleaning.survey.place())
        .text("of", of)
        .number_or_null("stream", log.map(|log| u64::from(log.stream)))
        .number_or_null("receiver", log.map(|log| u64::from(log.receiver)))
        .flag("state_known", cleaning.is_known)
        .number("begins", cleaning.survey.begins().0)
        .number("would_begin", cleaning.begins().0)
        .number("goes", goes as u64)
        .number("goes_bytes", file_bytes(cleaning.goes()))
        .number("stays", cleaning.stays().len() as u64)
        .number("stays_bytes", file_bytes(cleaning.stays()))
        .flag("pins_seen", false)
        .write(out)?;
    Ok(())
}
