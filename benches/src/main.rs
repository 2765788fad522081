//! The measurements that need processes of their own.

use std::process::ExitCode;

const USAGE: &str = "usage: headwater-benches replication [OPTION...]; --help says which";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((word, rest)) if word == "replication" => headwater_benches::replication::run(rest),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
