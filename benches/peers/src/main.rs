//! Headwater's log beside raw loops and the crates that would be used instead: every case in a process of its own,
//! rounds interleaved, syncs and device flushes counted, so that nobody wins by not syncing. The README beside this says
//! what each row is, what it survives, and which traps there are.

mod appending;
mod args;
mod case;
mod contestant;
mod machine;
mod memory;
mod payload;
mod pin;
mod reading;
mod report;
mod root;
mod rounds;
mod run;
mod stop;
mod summary;
mod window;
mod worker;
mod workload;

use std::process::ExitCode;

/// What went wrong, for a person to read. Nothing here is told apart by a program.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if words.first().is_some_and(|word| word == "case") {
        words.remove(0);
        run::child(&words)
    } else {
        args::Args::parse(&words).and_then(|args| rounds::run(&args))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error and what it came of, as far as they say something new: some peers keep the reason to their sources.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
