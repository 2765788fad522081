//! `info`: what the log is, on one page.

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::{being_written, find};
use headwater_wal::store::Store;
use headwater_wal::{Because, Depth, Durability, Position, Segment, Survey, Time};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::{bytes, plural};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a file: URL
    path: OsString,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let store = place::open(&args.path)?;
    let survey = find(&*store, Position::START, Depth::Quick)?;
    if args.json {
        json(&survey).write(out)?
    } else {
        page(&survey, &*store, out)?
    }
    Ok(Answer::Sound)
}

/// The word for what the log's durability outlives, which stays.
fn durability(survey: &Survey) -> &'static str {
    match survey.durability() {
        Durability::Power => "power",
        Durability::Process => "process",
    }
}

fn page(survey: &Survey, store: &dyn Store, out: &mut dyn Write) -> Result<(), Failure> {
    let place = store.place();
    let segments = survey.chain().segments();
    let count = |is: fn(&&Segment) -> bool| segments.iter().filter(is).count() as u64;
    writeln!(out, "{place}")?;
    let mut row = |label: &str, text: String| writeln!(out, "  {label:<11} {text}");
    if let Some(identity) = survey.identity() {
        row("log", identity.to_string())?;
        row("handles", format!("hw1:{:016x}:...", identity.short()))?;
    }
    row("state", state(survey))?;
    let outlives = match survey.durability() {
        Durability::Power => "power: what was acknowledged outlives a power cut",
        Durability::Process => {
            "process: what was acknowledged outlives its process; syncs follow in the background"
        }
    };
    row("durability", outlives.into())?;
    row("epoch", format!("{}, the number of the last writer", survey.epoch()))?;
    let begins = survey.begins();
    let retired = if begins > Position::START { "; what was before is retired" } else { "" };
    row("positions", format!("{begins} to {}{retired}", survey.end()))?;
    let behind = survey.end().since(survey.acked());
    let doubt = match behind {
        0 if being_written(survey).is_some() => "everything that can be read".into(),
        0 => "everything".into(),
        behind => {
            format!("below {}, by the log's own word; the {} behind it verify", survey.acked(), bytes(behind))
        }
    };
    row("acked", doubt)?;
    if let Some(open) = being_written(survey) {
        row("open", open)?;
    }
    let epochs = count(|segment| segment.begins_epoch);
    let holding = segments.len() as u64 - epochs;
    row("segments", format!("{} with records, {} to begin an epoch", holding, epochs))?;
    let known: Vec<u64> = segments.iter().filter_map(|segment| segment.records).collect();
    let unknown = segments.len() - known.len();
    let rest = if unknown > 0 {
        format!(", and those of {} that `check` counts", plural(unknown as u64, "segment"))
    } else {
        String::new()
    };
    row("records", format!("{}{rest}", known.iter().sum::<u64>()))?;
    if let Some((least, greatest)) = times(segments) {
        row("times", format!("{least} to {greatest}"))?;
    }
    let files: u64 = segments.iter().map(|segment| segment.file_len).sum();
    row("files", format!("{} in {}", bytes(files), plural(segments.len() as u64, "file")))?;
    row("engine time", survey.engine_time().to_string())?;
    for (because, what) in ASIDE {
        let aside: Vec<_> = survey.aside().iter().filter(|aside| aside.because == because).collect();
        let files = plural(aside.len() as u64, "file");
        let len = aside.iter().map(|aside| aside.file_len).sum();
        if !aside.is_empty() {
            row("beside it", format!("{files} {what}, {}", bytes(len)))?;
        }
    }
    if survey.foreign_count() > 0 {
        row("foreign", format!("{} not the log's, left alone", plural(survey.foreign_count(), "name")))?;
    }
    for lost in survey.lost() {
        row("lost", format!("positions {} to {}, accepted in an earlier life", lost.start, lost.end))?;
    }
    for damage in survey.damages().iter().take(3) {
        row("damage", damage.to_string())?;
    }
    let next = if survey.damage_count() > 0 { "check" } else { "ls" };
    row("next", format!("wal-inspect {next} {place}"))?;
    Ok(())
}

const ASIDE: [(Because, &str); 5] = [
    (Because::Retired, "retired"),
    (Because::Dead, "of replaced writers, dead"),
    (Because::Torn, "beyond the end, never acknowledged"),
    (Because::Open, "being written under a lease, not readable before it is closed"),
    (Because::Damaged, "where the log is damaged, or was and the loss was accepted"),
];

fn state(survey: &Survey) -> String {
    match (survey.damage_count(), survey.torn()) {
        (0, None) if survey.is_open() => {
            "sound as far as can be read; behind that it is being written under a lease".into()
        }
        (0, None) => "clean, as far as headers and footers tell".into(),
        (0, Some(torn)) => {
            let len = torn.range.end.since(torn.range.start);
            format!(
                "sound; a torn tail of {} at {}, as a crash or a live writer leaves it",
                bytes(len),
                torn.range.start
            )
        }
        (count, _) => format!("DAMAGED in {}", plural(count, "place")),
    }
}

/// The least and greatest time of the records, as far as they are known.
fn times(segments: &[Segment]) -> Option<(Time, Time)> {
    let times = segments.iter().filter_map(|segment| segment.times);
    times.reduce(|(least, greatest), (a, b)| (least.min(a), greatest.max(b)))
}

fn json(survey: &Survey) -> Line {
    let segments = survey.chain().segments();
    let state = match (survey.damage_count(), survey.torn()) {
        (0, None) => "clean",
        (0, Some(_)) => "torn",
        _ => "damaged",
    };
    Line::new("log")
        .text("place", survey.place())
        .text_or_null("identity", survey.identity())
        .text("state", state)
        .flag("open", being_written(survey).is_some())
        .text("durability", durability(survey))
        .number("epoch", survey.epoch())
        .number("begins", survey.begins().0)
        .number("end", survey.end().0)
        .number("acked", survey.acked().0)
        .number("segments", segments.len() as u64)
        .number("records_known", segments.iter().filter_map(|segment| segment.records).sum())
        .flag("records_all_known", segments.iter().all(|segment| segment.records.is_some()))
        .number_or_null("time_min_ms", times(segments).map(|(least, _)| least.0))
        .number_or_null("time_max_ms", times(segments).map(|(_, greatest)| greatest.0))
        .number("file_bytes", segments.iter().map(|segment| segment.file_len).sum())
        .number("engine_time_ms", survey.engine_time().0)
        .number("torn_bytes", survey.torn().map_or(0, |torn| torn.range.end.since(torn.range.start)))
        .number("set_aside", survey.aside().len() as u64)
        .number("foreign", survey.foreign_count())
        .number("damaged", survey.damage_count())
}
