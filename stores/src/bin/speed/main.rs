//! How fast the log is on an object store 30 ms away, beside what it promises, and beside SlateDB's log.
//!
//! `speed [--small] [ROW...]`, of the rows `puts`, `replay`, `open` and `slatedb`; all of them if none is named. The server
//! is the one of `HEADWATER_S3_URL`, or a plain one in memory; rows in which a server in Python would be what is
//! measured use the plain one, and say so. `--small` measures that it measures, and its figures say nothing.

mod far;
mod figures;
mod open;
mod puts;
mod replay;
mod slate;

use std::process::ExitCode;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["--serve"] => far::serve(),
        ["--read", how, url] => replay::read(how, url),
        _ => rows(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("speed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether it is to be small.
type Row = fn(bool) -> Result<()>;

fn rows(words: &[&str]) -> Result<()> {
    let small = words.contains(&"--small");
    let named: Vec<&str> = words.iter().copied().filter(|word| *word != "--small").collect();
    let all: [(&str, Row); 4] =
        [("puts", puts::row), ("replay", replay::row), ("open", open::row), ("slatedb", slate::row)];
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|row| row.0 == **name)) {
        return Err(format!("there is no row {unknown}; there are puts, replay, open and slatedb").into());
    }
    for (name, row) in all {
        if named.is_empty() || named.contains(&name) {
            println!("{name}:");
            row(small)?;
        }
    }
    Ok(())
}
