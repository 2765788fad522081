//! `journal`: the events of a driver's journal as a table, or the state that they come to.

mod row;
mod state;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};

use headwater_checkpoint::journal::BatchId;
use headwater_fsck::journal::{self, Entry, Holds, Journal, Report, Seen};
use headwater_fsck::{Finding, Severity, is_log};
use headwater_wal::{Error, Kind, Position};

use crate::failure::{Answer, Failure};
use crate::{check, colour, place, report};

/// The state is read again while the driver goes on under it.
const TRIES: u32 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A root that has `journal` in it, or the folder of a journal alone, or a file: URL
    path: OsString,
    /// What the events come to: batches that are not done, blocks that wait, ends of partitions, recorded outputs
    #[arg(long, conflicts_with_all = ["batch", "stream", "from", "to", "count", "tail"])]
    state: bool,
    /// Only events of this batch
    #[arg(long, value_name = "BATCH")]
    batch: Option<u64>,
    /// Only events of this stream
    #[arg(long, value_name = "STREAM")]
    stream: Option<u32>,
    /// The first position of interest
    #[arg(long, value_name = "POS", default_value_t = 0, hide_default_value = true)]
    from: u64,
    /// The first position of no interest any more
    #[arg(long, value_name = "POS", default_value_t = u64::MAX, hide_default_value = true)]
    to: u64,
    /// At most so many events
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Only the last so many events
    #[arg(long, value_name = "N", conflicts_with = "count")]
    tail: Option<usize>,
    /// Lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    if args.from >= args.to {
        let message = format!("nothing lies between --from {} and --to {}", args.from, args.to);
        return Err(Failure::Usage(message));
    }
    if !args.state {
        return Table::of(args, out).run(&open(args)?);
    }
    for _ in 1..TRIES {
        match state::run(&open(args)?, args.json, out) {
            // A driver at work goes on, and nothing was shown yet.
            Err(Failure::Log(error)) if error.kind() == Kind::Unavailable => {}
            other => return other,
        }
    }
    state::run(&open(args)?, args.json, out)
}

fn open(args: &Args) -> Result<Journal, Failure> {
    let store = place::open(&args.path)?;
    let journal = if is_log(&*store)? {
        let holds = journal::what_is_here(&store)?;
        (holds != Holds::Nothing).then_some((Journal::alone(store.clone())?, holds))
    } else if journal::is_below(&*store)? {
        let (root, _) = place::open_root(&args.path)?;
        Some((Journal::of(&root)?, journal::what_is_here(&root.journal()?)?))
    } else {
        None
    };
    match journal {
        Some((journal, Holds::Events | Holds::Nothing)) => Ok(journal),
        Some((_, Holds::Others(_))) => Err(journal::none(&*store)?.into()),
        None if is_log(&*store)? => Ok(Journal::alone(store)?),
        None => Err(journal::none(&*store)?.into()),
    }
}

/// The events as they are shown.
struct Table<'a> {
    args: &'a Args,
    out: &'a mut dyn Write,
    shown: u64,
    damaged: u64,
    unsupported: u64,
    /// With `--tail`: the lines of the last events, each with what was found before it.
    tail: VecDeque<String>,
    line: String,
}

impl<'a> Table<'a> {
    fn of(args: &'a Args, out: &'a mut dyn Write) -> Self {
        Table { args, out, shown: 0, damaged: 0, unsupported: 0, tail: VecDeque::new(), line: String::new() }
    }

    fn run(mut self, journal: &Journal) -> Result<Answer, Failure> {
        let reading = journal.read(self.start(journal))?;
        if !self.args.json {
            writeln!(self.out, "{}", row::HEAD)?;
        }
        for seen in reading {
            match seen.map_err(|error| went(journal, error))? {
                Seen::Event(entry) => {
                    if entry.position() >= Position(self.args.to) {
                        break;
                    }
                    if self.wants(&entry) {
                        self.event(&entry)?;
                    }
                }
                Seen::Finding(finding) => self.finding(&finding)?,
            }
            if self.args.count.is_some_and(|count| self.shown >= count) {
                break;
            }
        }
        let Table { out, args, tail, line, shown, damaged, unsupported, .. } = self;
        for line in tail.iter().chain([&line]) {
            out.write_all(line.as_bytes())?;
        }
        if shown == 0 && !args.json {
            let all = args.batch.is_none() && args.stream.is_none() && args.from == 0 && args.to == u64::MAX;
            writeln!(out, "-- {} --", if all { "no event yet" } else { "no event is like that" })?;
        }
        let answer = match (damaged, unsupported) {
            (0, 0) => return Ok(Answer::Sound),
            (0, _) => Answer::Unsupported,
            _ => Answer::Damaged,
        };
        out.flush()?;
        let places = damaged + unsupported;
        let next = match journal.has_root() {
            true => journal.place().strip_suffix("/journal").map(str::to_owned),
            false => None,
        };
        let _ = writeln!(
            io::stderr(),
            "wal-inspect: something is wrong in the journal: places={places}; run `wal-inspect check {}`",
            next.unwrap_or_else(|| journal.place())
        );
        Ok(answer)
    }

    /// Where reading begins: where the state is known from, at or before what is of interest.
    fn start(&self, journal: &Journal) -> Position {
        let positions = journal.kept().iter().filter_map(|kept| Some(kept.said.as_ref().ok()?.position));
        let from = Position(self.args.from);
        positions.filter(|position| *position <= from).max().unwrap_or(Position::START)
    }

    fn wants(&self, entry: &Entry) -> bool {
        let args = self.args;
        entry.position() >= Position(args.from)
            && args.batch.is_none_or(|batch| row::is_of_batch(&entry.event, BatchId(batch)))
            && args.stream.is_none_or(|stream| row::is_of_stream(&entry.event, stream))
    }

    fn event(&mut self, entry: &Entry) -> Result<(), Failure> {
        self.shown += 1;
        let line = match self.args.json {
            true => format!("{}\n", row::json(entry)),
            false => format!("{}\n", row::text(entry)),
        };
        let Some(last) = self.args.tail else { return Ok(self.out.write_all(line.as_bytes())?) };
        self.line += &line;
        self.tail.push_back(std::mem::take(&mut self.line));
        if self.tail.len() > last {
            self.tail.pop_front();
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), Failure> {
        let wanted = finding
            .range
            .as_ref()
            .is_none_or(|range| range.end > Position(self.args.from) && range.start < Position(self.args.to));
        if !wanted {
            return Ok(());
        }
        match finding.severity {
            Severity::Damaged => self.damaged += 1,
            _ => self.unsupported += 1,
        }
        let line = match self.args.json {
            true => format!("{}\n", report::line(finding)),
            false => format!("{}\n", row::finding(finding)),
        };
        match self.args.tail {
            Some(_) => self.line += &line,
            None => self.out.write_all(line.as_bytes())?,
        }
        Ok(())
    }
}

/// A driver at work has retired what was being read.
fn went(journal: &Journal, error: Error) -> Error {
    match error.kind() {
        Kind::Retired => {
            let message = "the driver has retired what was being read; run it again";
            Error::new(Kind::Unavailable, format!("{message}: place={}", journal.place())).because(error)
        }
        _ => error,
    }
}

/// Shows a report, and answers as its findings are.
pub(crate) fn show_report(report: &Report, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let shown = if json {
        report::journal(report, out)
    } else {
        out.write_all(colour::page(&report.to_string()).as_bytes())
    };
    let answer = match report.state() {
        "clean" => Answer::Sound,
        "damaged" => Answer::Damaged,
        _ => Answer::Unsupported,
    };
    check::answered(shown.map_err(Failure::from), answer, out)
}
