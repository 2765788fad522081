//! Headwater's log beside Redis and real Spark: the same blocks made safe, rounds interleaved, each system in a process
//! tree of its own. Prints the lines of `headwater_benches::replication`. `run` beside this installs what it needs.

mod args;
mod load;
mod loss;
mod ours;
mod redis;
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
    let outcome = args::Args::parse(&words).and_then(|args| match &args.session {
        Some(name) => session::run(&args, name),
        None => rounds::run(&args, &words),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
