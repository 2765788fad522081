//! Looks into a log, a journal or a folder of checkpoints: changes nothing, takes no lock, and works beside a live writer.

mod asked;
mod check;
mod checkpoints;
mod clean;
#[path = "../shared/colour.rs"]
mod colour;
mod compact;
mod dump;
mod explain;
mod failure;
mod find;
mod follow;
mod get;
mod info;
mod item;
mod journal;
mod json;
mod ls;
#[path = "../shared/pages.rs"]
mod pages;
mod payload;
mod place;
#[path = "../shared/progress.rs"]
#[allow(dead_code, reason = "wal-fsck alone ends in order on a signal; who only looks may be killed")]
mod progress;
#[path = "../shared/report.rs"]
mod report;
mod stats;
mod text;
mod timeline;
mod when;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::{Answer, Failure, USAGE};

const PLACES: &str = "\
PATH is the folder of a log or of checkpoints, or a root that has `journal`, `received` and `checkpoints` in it: a path,
or a URL (file:///DIR, and built with the features s3, gcs, azure and hdfs s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
az://CONTAINER/PREFIX and hdfs://HOST:PORT/PATH, with options as ?key=value&key=value or from the environment). Nothing is ever changed, created
or locked, and a writer may be at work.";

const CODES: &str = "\
Exit codes:
  0   all is well (a torn tail after a crash is)
  4   something is damaged, and stays as it is
  8   something could not be looked at
  16  the command line is wrong";

const EXAMPLES: &str = "\
wal-inspect info /var/lib/stream/received/0/1
    what the log is, how far it reaches, and in what state it is
wal-inspect dump /var/lib/stream/received/0/1 --tail 5
    its last records; with --since '2h ago' those of the last two hours
wal-inspect follow /var/lib/stream/received/0/1 --json
    records as they come, in lines of JSON
wal-inspect stats /var/lib/stream/received/0/1
    how many records there are, how large, how well compressed, and when none came
wal-inspect explain /var/lib/stream hw1:HANDLE
    where a handle points, and why it cannot be read
wal-inspect checkpoints /var/lib/stream show newest
    what the newest checkpoint of a root holds, and from where it is replayed
wal-inspect journal /var/lib/stream --state
    which batches are not done, and which blocks wait
wal-inspect clean /var/lib/stream --dry-run --before '7d ago'
    what cleaning would remove, and what holds the rest
wal-inspect timeline /var/lib/stream --svg journal.svg
    a picture of its journal
wal-inspect check --json s3://bucket/stream
    everything that is wrong in a root, in lines of JSON";

#[derive(Debug, Parser)]
#[command(
    name = "wal-inspect",
    version,
    about = "Looks into logs, journals and checkpoints, and changes nothing"
)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What the log is, how far it reaches, and in what state it is
    Info(info::Args),
    /// Its segments, and what lies beside them
    Ls(ls::Args),
    /// Its records
    Dump(dump::Args),
    /// Reads everything and says what is wrong, what that costs, and what to do
    Check(check::Args),
    /// One record, by its handle
    Get(get::Args),
    /// A folder of checkpoints: which there are, what is in them, and whether it is whole
    Checkpoints(checkpoints::Args),
    /// A driver's journal: its events, or with --state what they come to
    Journal(journal::Args),
    /// What a handle is, and why it cannot be read; or what holds each segment of a root's journal or a receiver's log
    Explain(explain::Args),
    /// Which record is first at or behind a position or a time
    Find(find::Args),
    /// Records as they come, beside a live writer
    Follow(follow::Args),
    /// Records, bytes, compression, sizes of groups, gaps in time; by kind and by hour
    Stats(stats::Args),
    /// What cleaning would remove, and what holds the rest
    Clean(clean::Args),
    /// A picture of a log: its segments by time and position, epochs, damage, checkpoints, what cleaning removes next
    Timeline(timeline::Args),
}

fn main() -> ExitCode {
    let after = format!("{PLACES}\n\n{CODES}");
    let examples = EXAMPLES.replace('\n', "\n  ");
    let long = format!("{after}\n\nExamples:\n  {examples}");
    let definition = Args::command().after_help(after).after_long_help(long);
    let sections = [("PLACES", PLACES), ("EXIT STATUS", CODES), ("EXAMPLES", EXAMPLES)];
    let args: Args = match pages::args(definition, &sections, USAGE) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let answer = run(args.verb, &mut out).and_then(|answer| {
        out.flush()?;
        Ok(answer)
    });
    match answer {
        Ok(answer) => ExitCode::from(answer.code()),
        // Whoever read the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // What was found so far is still worth showing; it comes first.
            let _ = out.flush();
            let _ = writeln!(io::stderr(), "wal-inspect: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(verb: Verb, out: &mut dyn Write) -> Result<Answer, Failure> {
    match verb {
        Verb::Info(args) => info::run(&args, out),
        Verb::Ls(args) => ls::run(&args, out),
        Verb::Dump(args) => dump::run(&args, out),
        Verb::Check(args) => check::run(&args, out),
        Verb::Get(args) => get::run(&args, out),
        Verb::Checkpoints(args) => checkpoints::run(&args, out),
        Verb::Journal(args) => journal::run(&args, out),
        Verb::Explain(args) => explain::run(&args, out),
        Verb::Find(args) => find::run(&args, out),
        Verb::Follow(args) => follow::run(&args, out),
        Verb::Stats(args) => stats::run(&args, out),
        Verb::Clean(args) => clean::run(&args, out),
        Verb::Timeline(args) => timeline::run(&args, out),
    }
}
