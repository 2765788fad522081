//! `stats`: what a log holds, in numbers.

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::{Sizes, Stats, Sum, find, stats};
use headwater_wal::{Depth, Position, Survey, Time};

use crate::asked::Asked;
use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::progress::{Progress, Watched};
use crate::text::{bytes, plural, table};

/// So many hours are shown to people, the newest.
const HOURS_SHOWN: usize = 48;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a URL
    path: OsString,
    #[command(flatten)]
    asked: Asked,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let wanted = args.asked.wanted()?;
    let store = place::open(&args.path)?;
    let survey = find(&*store, Position::START, Depth::Quick)?;
    let progress = Progress::new();
    let segments = survey.chain().segments().iter().filter(|segment| wanted.may_lie_in(segment));
    let all_bytes = segments.fold(0, |sum: u64, segment| sum.saturating_add(segment.end.since(segment.base)));
    progress.begin("counting", Some(all_bytes));
    let stats = stats(&*Watched::over(store, &progress), &survey, &wanted)?;
    progress.clear();
    match args.json {
        true => lines(&stats, &survey, out)?,
        false => page(&stats, &survey, out)?,
    }
    if stats.bad == 0 {
        return Ok(Answer::Sound);
    }
    out.flush()?;
    let _ = writeln!(
        std::io::stderr(),
        "wal-inspect: not everything could be counted: places={}; run `wal-inspect check {}`",
        stats.bad,
        survey.place()
    );
    Ok(Answer::Damaged)
}

fn ratio(sum: &Sum) -> String {
    sum.ratio().map_or("-".into(), |ratio| format!("{ratio:.2}"))
}

fn page(stats: &Stats, survey: &Survey, out: &mut dyn Write) -> Result<(), Failure> {
    let Stats { total, compressed, .. } = stats;
    writeln!(out, "{}", survey.place())?;
    let mut row = |label: &str, text: String| writeln!(out, "  {label:<11} {text}");
    row("records", total.records.to_string())?;
    row("raw", bytes(total.raw_bytes))?;
    row("stored", format!("{}, {} raw for each", bytes(total.stored_bytes), ratio(total)))?;
    if compressed.records > 0 {
        let share = format!("{} of the records, {} raw for each byte", compressed.records, ratio(compressed));
        row("compressed", share)?;
    }
    row("files", format!("{} in {}", bytes(stats.file_bytes), plural(stats.segments, "segment")))?;
    if let Some((least, greatest)) = stats.times {
        row("times", format!("{least} to {greatest}, {}", span(greatest.0 - least.0)))?;
    }
    if stats.backwards > 0 {
        row("out of turn", format!("{} older than the one before", plural(stats.backwards, "record")))?;
    }
    if stats.bad > 0 {
        row("damaged", format!("{} not counted", plural(stats.bad, "place")))?;
    }
    if stats.went > 0 {
        row("retired", format!("{} went while this was read", plural(stats.went, "segment")))?;
    }
    if total.records == 0 {
        return Ok(());
    }
    writeln!(out)?;
    sizes(stats, out)?;
    writeln!(out)?;
    sums("KIND", stats.kinds.iter().map(|(kind, sum)| (kind.to_string(), sum)), out)?;
    writeln!(out)?;
    let left_out = stats.hours.len().saturating_sub(HOURS_SHOWN);
    let hours = stats.hours.iter().skip(left_out).map(|(hour, sum)| (shown_hour(*hour), sum));
    let others = Some(("other hours".to_owned(), &stats.other_hours)).filter(|(_, sum)| sum.records > 0);
    sums("HOUR", hours.chain(others), out)?;
    if left_out > 0 {
        writeln!(out, "  and {} before; --json has all of them", plural(left_out as u64, "hour"))?;
    }
    if !stats.gaps.is_empty() {
        writeln!(out)?;
        let mut rows = vec![["LONGEST GAPS", "AFTER", "POSITION"].map(String::from)];
        rows.extend(
            stats.gaps.iter().map(|gap| [span(gap.millis), gap.after.to_string(), gap.at.to_string()]),
        );
        table(&rows, &[true, false, true], out)?;
    }
    Ok(())
}

fn sizes(stats: &Stats, out: &mut dyn Write) -> Result<(), Failure> {
    let mut rows =
        vec![["SIZES", "COUNT", "LEAST", "P50", "P90", "P99", "GREATEST", "MEAN"].map(String::from)];
    for (_, label, sizes) in all_sizes(stats) {
        let cell = |size: Option<u64>| size.map_or("-".into(), |size| size.to_string());
        rows.push([
            label.into(),
            sizes.count().to_string(),
            cell(sizes.least()),
            cell(sizes.percentile(50)),
            cell(sizes.percentile(90)),
            cell(sizes.percentile(99)),
            cell(sizes.greatest()),
            cell(sizes.mean()),
        ]);
    }
    Ok(table(&rows, &[false, true, true, true, true, true, true, true], out)?)
}

fn all_sizes(stats: &Stats) -> [(&'static str, &'static str, &Sizes); 3] {
    [
        ("record_bytes", "bytes of a record", &stats.record_bytes),
        ("group_bytes", "bytes of a group", &stats.group_bytes),
        ("group_records", "records of a group", &stats.group_records),
    ]
}

fn sums<'a>(
    head: &str,
    sums: impl Iterator<Item = (String, &'a Sum)>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut rows = vec![[head, "RECORDS", "RAW BYTES", "STORED BYTES", "RATIO"].map(String::from)];
    rows.extend(sums.map(|(label, sum)| {
        let Sum { records, raw_bytes, stored_bytes } = sum;
        [label, records.to_string(), raw_bytes.to_string(), stored_bytes.to_string(), ratio(sum)]
    }));
    Ok(table(&rows, &[false, true, true, true, true], out)?)
}

/// `2026-11-21T10:00`.
fn shown_hour(hour: Time) -> String {
    hour.to_string().split_once(":00.").map_or_else(|| hour.to_string(), |(shown, _)| shown.to_owned())
}

/// So many milliseconds as people say them.
fn span(millis: u64) -> String {
    let (seconds, minutes, hours) = (millis / 1_000, millis / 60_000, millis / 3_600_000);
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

fn lines(stats: &Stats, survey: &Survey, out: &mut dyn Write) -> Result<(), Failure> {
    for (name, _, sizes) in all_sizes(stats) {
        Line::new("sizes")
            .text("of", name)
            .number("count", sizes.count())
            .number_or_null("least", sizes.least())
            .number_or_null("p50", sizes.percentile(50))
            .number_or_null("p90", sizes.percentile(90))
            .number_or_null("p99", sizes.percentile(99))
            .number_or_null("greatest", sizes.greatest())
            .number_or_null("mean", sizes.mean())
            .write(out)?;
    }
    for (kind, sum) in &stats.kinds {
        add(Line::new("kind").number("kind", u64::from(*kind)), sum).write(out)?;
    }
    for (hour, sum) in &stats.hours {
        add(Line::new("hour").number("from_ms", hour.0).text("from", hour), sum).write(out)?;
    }
    if stats.other_hours.records > 0 {
        let line = Line::new("hour").number_or_null("from_ms", None).text_or_null("from", None::<&str>);
        add(line, &stats.other_hours).write(out)?;
    }
    for gap in &stats.gaps {
        Line::new("time-gap")
            .number("millis", gap.millis)
            .number("after_ms", gap.after.0)
            .text("after", gap.after)
            .number("position", gap.at.0)
            .write(out)?;
    }
    let line = Line::new("stats").text("place", survey.place());
    add(line, &stats.total)
        .number("compressed_records", stats.compressed.records)
        .number("compressed_raw_bytes", stats.compressed.raw_bytes)
        .number("compressed_stored_bytes", stats.compressed.stored_bytes)
        .number_or_null("time_min_ms", stats.times.map(|(least, _)| least.0))
        .number_or_null("time_max_ms", stats.times.map(|(_, greatest)| greatest.0))
        .number("backwards", stats.backwards)
        .number("segments", stats.segments)
        .number("file_bytes", stats.file_bytes)
        .number("bad", stats.bad)
        .number("went", stats.went)
        .write(out)?;
    Ok(())
}

fn add(line: Line, sum: &Sum) -> Line {
    line.number("records", sum.records)
        .number("raw_bytes", sum.raw_bytes)
        .number("stored_bytes", sum.stored_bytes)
}
