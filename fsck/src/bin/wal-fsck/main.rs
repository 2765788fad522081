//! Checks logs, journals and checkpoints, and mends what can be mended.

mod check;
#[path = "../shared/colour.rs"]
mod colour;
mod exit;
#[allow(dead_code, reason = "wal-inspect uses the rest of it")]
#[path = "../wal-inspect/failure.rs"]
mod failure;
#[allow(dead_code, reason = "wal-inspect uses the rest of it")]
#[path = "../wal-inspect/json.rs"]
mod json;
mod mend;
mod out;
#[path = "../shared/pages.rs"]
mod pages;
#[allow(dead_code, reason = "wal-inspect uses the rest of it")]
#[path = "../wal-inspect/place.rs"]
mod place;
mod probe;
#[path = "../shared/progress.rs"]
mod progress;
#[path = "../shared/report.rs"]
mod report;
mod salvage;
mod signals;
mod tally;
#[allow(dead_code, reason = "wal-inspect uses the rest of it")]
#[path = "../wal-inspect/text.rs"]
mod text;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::{CommandFactory, Parser, Subcommand};

use exit::Exit;
use failure::Failure;
use out::Out;
use progress::Progress;

const ABOUT: &str = "Checks logs, journals and checkpoints, and mends what can be mended";

const PLACES: &str = "\
URL is the folder of a log or of checkpoints, or a root that has `journal`, `received` and `checkpoints` in it: a path, or
a URL (file:///DIR, and built with the features s3, gcs, azure and hdfs s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
az://CONTAINER/PREFIX and hdfs://HOST:PORT/PATH, with options as ?key=value&key=value or from the environment). A folder that is called as a verb is
./check. Nothing is written without --repair, and a check works beside a live writer; a repair needs the writer to be gone.";

#[derive(Debug, Parser)]
#[command(name = "wal-fsck", version, about = ABOUT, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    check: Option<check::Args>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what is wrong, what that costs, and what to do; mends it if told to [the default]
    #[command(after_help = exit::CODES)]
    Check(check::Args),
    /// Copies every record that can be read into a new log
    #[command(after_help = exit::CODES)]
    Salvage(salvage::Args),
    /// Tries everything that a log needs of a place, in a folder of its own, and removes what it put there
    Probe(probe::Args),
}

const EXAMPLES: &str = "\
wal-fsck /var/lib/stream/received/0/1
    checks every byte of one log
wal-fsck --level quick --json s3://bucket/stream
    checks the headers, footers and the chain of every log of a root, in lines of JSON
wal-fsck --repair /var/lib/stream/received/0/1
    checks, shows what would be done, asks, and does what loses nothing
wal-fsck --repair --yes --allow-data-loss /var/lib/stream/received/0/1
    does all of it without asking, and gives up what cannot be read
wal-fsck salvage /mnt/dying/received/0/1 /mnt/new/received/0/1
    copies what can be read into a new log
wal-fsck probe s3://bucket/stream
    tells whether a place is fit for a log";

/// The definition from which the command line is read, and help, man page and completions are made.
fn definition() -> clap::Command {
    Args::command().after_help(format!("{PLACES}\n\n{}", exit::CODES))
}

fn main() -> ExitCode {
    let sections = [("PLACES", PLACES), ("EXIT STATUS", exit::CODES), ("EXAMPLES", EXAMPLES)];
    let args: Args = match pages::args(definition(), &sections, exit::USAGE) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let progress = Progress::new();
    let mut out = Out::new();
    let (mut exit, failure) = match run(args, &progress, &mut out) {
        Ok(exit) => (exit, out.flush().err().map(Failure::Output)),
        Err(failure) => (Exit::CLEAN, Some(failure)),
    };
    progress.clear();
    if progress.interrupted().load(Ordering::Relaxed) {
        let _ = out.flush();
        let _ = writeln!(io::stderr(), "wal-fsck: it was interrupted by a signal; run it again");
        return ExitCode::from((exit | Exit::INTERRUPTED).code());
    }
    if let Some(failure) = failure {
        // What was found so far is still worth showing; it comes first.
        let _ = out.flush();
        let _ = writeln!(io::stderr(), "wal-fsck: {failure}");
        exit = exit | Exit::of(&failure);
    }
    ExitCode::from(exit.code())
}

fn run(args: Args, progress: &Arc<Progress>, out: &mut dyn Write) -> Result<Exit, Failure> {
    match (args.verb, args.check) {
        (Some(Verb::Check(args)), _) | (None, Some(args)) => check::run(&args, progress, out),
        (Some(Verb::Salvage(args)), _) => salvage::run(&args, progress, out),
        (Some(Verb::Probe(args)), _) => probe::run(&args, out),
        (None, None) => Err(Failure::Usage("name what is to be checked: wal-fsck URL".into())),
    }
}
