//! `explain`: what holds each segment of a root's journal, or of a receiver's log; or what a handle is.

mod handle;

use std::ffi::OsString;
use std::io::Write;

use headwater_fsck::journal::{self, Explanation};
use headwater_wal::{Handle, Time};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::{bytes, plural};
use crate::when::When;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A root that has `journal` in it; for a handle a log, or a root with logs in it
    path: OsString,
    /// A handle, as `append` answered and `dump` shows it; or the receiver whose log is asked about, such as 0/1; without
    /// either, it is the journal
    #[arg(value_name = "HANDLE|STREAM/RECEIVER")]
    what: Option<What>,
    /// Only what was sealed before is to go, by the engine's time: 2026-11-21T10:00Z, `2h ago`, or milliseconds
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Handle(Handle),
    Receiver(u32, u32),
}

impl std::str::FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("hw1:") {
            return text.parse().map(What::Handle).map_err(|error| format!("{error}"));
        }
        let text = text.strip_prefix("received/").unwrap_or(text).trim_end_matches('/');
        let parts = text.split_once('/').and_then(|(stream, receiver)| {
            Some(What::Receiver(stream.parse().ok()?, receiver.parse().ok()?))
        });
        parts.ok_or_else(|| {
            "a receiver is two numbers, STREAM/RECEIVER, such as 0/1, and a handle begins with hw1:"
                .to_owned()
        })
    }
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    if let Some(What::Handle(handle)) = &args.what {
        return handle::run(&args.path, handle, args.json, out);
    }
    let (root, store) = place::open_root(&args.path)?;
    if !journal::is_below(&*store)? {
        let place = store.place();
        let root = place.strip_suffix("/journal");
        let message = match root.filter(|_| headwater_fsck::is_log(&*store).unwrap_or(false)) {
            Some(root) => format!(
                "what holds a journal, the root's checkpoints say; name the root:\n  wal-inspect explain {root}"
            ),
            None => format!(
                "no journal is in a folder `{}` here, so this is no root: place={place}",
                journal::FOLDER
            ),
        };
        return Err(Failure::Usage(message));
    }
    let receiver = match args.what {
        Some(What::Receiver(stream, receiver)) => Some((stream, receiver)),
        _ => None,
    };
    let before = args.before.map_or(Time::MAX, |when| when.0);
    let explanation = journal::explain(&root, receiver, before)?;
    match args.json {
        true => lines(&explanation, out)?,
        false => page(&explanation, &store.place(), out)?,
    }
    Ok(if explanation.is_known { Answer::Sound } else { Answer::Damaged })
}

fn page(explanation: &Explanation, root: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let survey = &explanation.survey;
    let what = match explanation.log {
        None => "the journal".to_owned(),
        Some(log) => format!("the log of receiver {}/{}", log.stream, log.receiver),
    };
    writeln!(out, "{}: {what}, positions {} to {}", survey.place(), survey.begins(), survey.end())?;
    // Segments that are held alike are told together.
    for alike in explanation.segments.chunk_by(|one, other| one.held_by == other.held_by) {
        let (Some(first), Some(last)) = (alike.first(), alike.last()) else { continue };
        let len = alike.iter().map(|one| one.segment.file_len).sum();
        let (from, to) = (first.segment.base, last.segment.end);
        let segments = plural(alike.len() as u64, "segment");
        writeln!(out, "\n{segments}, positions {from} to {to}, {}", bytes(len))?;
        match first.held_by.as_slice() {
            [] => writeln!(out, "  held by nothing: the next cleaning may remove it")?,
            held_by => held_by.iter().try_for_each(|held| writeln!(out, "  held: {held}"))?,
        }
    }
    let mut receivers: Vec<(u32, u32)> =
        explanation.logs.iter().map(|log| (log.stream, log.receiver)).collect();
    receivers.dedup();
    if explanation.log.is_none() && !receivers.is_empty() {
        writeln!(out, "\nfor the receivers' logs:")?;
        for (stream, receiver) in receivers.iter().take(10) {
            writeln!(out, "  wal-inspect explain {root} {stream}/{receiver}")?;
        }
        if receivers.len() > 10 {
            writeln!(out, "  and {} more", receivers.len() - 10)?;
        }
    }
    Ok(())
}

fn lines(explanation: &Explanation, out: &mut dyn Write) -> Result<(), Failure> {
    for hold in &explanation.holds {
        Line::new("hold").number("from", hold.from.0).text("who", &hold.who).write(out)?;
    }
    for explained in &explanation.segments {
        let segment = &explained.segment;
        let held = explained.held_by.iter().map(|held| Line::part().text("why", held));
        Line::new("segment")
            .text("file", headwater_wal::format::name::segment(segment.base))
            .number("base", segment.base.0)
            .number("end", segment.end.0)
            .number("next", segment.next.0)
            .number("file_bytes", segment.file_len)
            .number("epoch", segment.epoch)
            .flag("sealed", segment.sealed)
            .number_or_null("closed_at_ms", segment.closed_at.map(|at| at.0))
            .flag("held", !explained.held_by.is_empty())
            .list("held_by", held)
            .write(out)?;
    }
    let log = explanation.log;
    Line::new("explained")
        .text("place", explanation.survey.place())
        .text("of", if log.is_some() { "received" } else { "journal" })
        .number_or_null("stream", log.map(|log| u64::from(log.stream)))
        .number_or_null("receiver", log.map(|log| u64::from(log.receiver)))
        .flag("state_known", explanation.is_known)
        .number("begins", explanation.survey.begins().0)
        .number("end", explanation.survey.end().0)
        .number("segments", explanation.segments.len() as u64)
        .number("held", explanation.segments.iter().filter(|one| !one.held_by.is_empty()).count() as u64)
        .write(out)?;
    Ok(())
}
