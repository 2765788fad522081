//! `follow`: records as they become safe to show, until told to stop.

use std::ffi::OsString;
use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use headwater_fsck::find;
use headwater_wal::{Depth, Error, Follow, Kind, Position, Reader, Record, Time};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::payload::Payload;
use crate::place;
use crate::when::When;

const WIDTH: usize = 80;

/// So often is looked whether there is more.
const PAUSE: Duration = Duration::from_millis(200);

/// What cannot be reached for so many pauses on end, half a minute, is given up.
const FAILED_MAX: u32 = 150;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a URL
    path: OsString,
    /// Begin at this position; 0 is the beginning of the log [default: its end]
    #[arg(long, value_name = "POS")]
    from: Option<u64>,
    /// Only records of this time or a later one, from the beginning on
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only records of these kinds: 7, or 7,8
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<u8>,
    /// End after so many records
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// How payloads are shown
    #[arg(long, value_enum, default_value_t = Payload::Text)]
    payload: Payload,
    /// Let raw payloads go to a terminal
    #[arg(long)]
    force: bool,
    /// Characters of a payload that are shown; 0 for all, as with --json [default: 80]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    args.payload.allow(args.json, args.force)?;
    let store = place::open(&args.path)?;
    let survey = find(&*store, Position::START, Depth::Quick)?;
    let from = match (args.from, args.since) {
        (Some(from), _) => Position(from),
        (None, Some(_)) => Position::START,
        // What is there and is not said to be acknowledged yet shows when it is.
        (None, None) => survey.acked().max(survey.begins()),
    };
    let reader = Reader::open(store.clone())?;
    let mut following = Following {
        args,
        follow: reader.follow(from),
        out,
        width: args.width.unwrap_or(if args.json { 0 } else { WIDTH }),
        shown: 0,
        bad: 0,
    };
    let mut failed = 0;
    while args.count.is_none_or(|count| following.shown < count) {
        match following.follow.next() {
            Some(Ok(record)) => following.record(&record)?,
            Some(Err(error)) => match error.kind() {
                Kind::Retired => {
                    let asked = following.follow.position();
                    let begins = find(&*store, Position::START, Depth::Quick)?.begins();
                    following.gap(asked, begins)?;
                    following.follow = reader.follow(begins);
                }
                Kind::Damaged => following.damage(&error)?,
                Kind::Unavailable if failed < FAILED_MAX => {
                    failed += 1;
                    if failed == 1 {
                        let _ = writeln!(io::stderr(), "wal-inspect: {}; trying again", Failure::Log(error));
                    }
                    sleep(PAUSE);
                    continue;
                }
                _ => return Err(error.into()),
            },
            None => {
                following.out.flush()?;
                sleep(PAUSE);
            }
        }
        failed = 0;
    }
    Ok(if following.bad > 0 { Answer::Damaged } else { Answer::Sound })
}

struct Following<'a> {
    args: &'a Args,
    follow: Follow,
    out: &'a mut dyn Write,
    width: usize,
    shown: u64,
    bad: u64,
}

impl Following<'_> {
    fn record(&mut self, record: &Record) -> Result<(), Failure> {
        let Record { handle, time, kind, payload } = record;
        let Args { payload: show, kind: kinds, since, .. } = self.args;
        let since = since.map_or(Time(0), |when| when.0);
        if *time < since || !(kinds.is_empty() || kinds.contains(kind)) {
            return Ok(());
        }
        self.shown += 1;
        if *show == Payload::Raw {
            return Ok(self.out.write_all(payload)?);
        }
        if self.args.json {
            let line = Line::new("record")
                .number("position", handle.position().0)
                .text("handle", handle)
                .number("epoch", handle.epoch())
                .number("time_ms", time.0)
                .text("time", time)
                .number("kind", u64::from(*kind))
                .number("bytes", payload.len() as u64)
                .number("stored_bytes", u64::from(handle.stored_len()));
            return Ok(show.add_to(line, payload, self.width).write(self.out)?);
        }
        let text = show.shown(payload, self.width).map_or(String::new(), |text| format!("  {text}"));
        let at = handle.position();
        writeln!(self.out, "{at:>14}  {time}  kind {kind}  {} bytes  {handle}{text}", payload.len())?;
        Ok(())
    }

    /// What should be shown next is gone.
    fn gap(&mut self, from: Position, to: Position) -> Result<(), Failure> {
        if self.args.payload == Payload::Raw {
            let _ = writeln!(
                io::stderr(),
                "wal-inspect: a gap: retired before it was shown: from={from} to={to}"
            );
            return Ok(());
        }
        match self.args.json {
            true => Line::new("gap")
                .number("from", from.0)
                .number("to", to.0)
                .text("why", "retired")
                .write(self.out)?,
            false => writeln!(
                self.out,
                "{from:>14}  gap     {} bytes up to {to} were retired before they were shown",
                to.since(from)
            )?,
        }
        Ok(())
    }

    fn damage(&mut self, error: &Error) -> Result<(), Failure> {
        self.bad += 1;
        if self.args.payload == Payload::Raw {
            let _ = writeln!(io::stderr(), "wal-inspect: {}", Failure::Log(error.clone()));
            return Ok(());
        }
        let (file, offset) = error.site().map(|site| (site.name.clone(), site.offset)).unzip();
        match self.args.json {
            true => Line::new("bad")
                .number("to", self.follow.position().0)
                .text_or_null("file", file)
                .number_or_null("offset", offset)
                .text("what", error)
                .flag("in_log", true)
                .write(self.out)?,
            false => {
                let text = crate::text::escaped(error.to_string().as_bytes(), 0);
                writeln!(self.out, "{:>14}  BAD     {text}", self.follow.position())?;
            }
        }
        Ok(())
    }
}
