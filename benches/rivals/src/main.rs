//! Headwater's log beside Redis and real Spark: the same blocks made safe, rounds interleaved, each system in a process
//! tree of its own. Prints the lines of `headwater_benches::replication`. `run` beside this installs what it needs.

mod args;
mod load;
mod loss;
mod ours;
mod redis;
mod replicated;
mod report;
mod resp;
mod rounds;
mod session;
mod spark;
mod started;
mod system;
mod usage;

use std::process::ExitCode;

/// What went wrong, for a person to read. Nothing here is told apart by a program.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    if let [first, rest @ ..] = words
        && first == "replication"
    {
        // The processes of a case of theirs are this program.
        return headwater_benches::replication::run(rest);
    }
    let args = args::Args::parse(words)?;
    match &args.session {
        Some(name) => session::run(&args, name),
        None => rounds::run(&args, words),
    }
}
