//! Finds out whether a place is fit for logs.

#[allow(dead_code, reason = "wal-inspect uses the rest of it")]
#[path = "../wal-inspect/json.rs"]
mod json;
mod probe;
#[allow(dead_code, reason = "the verbs that need it follow")]
#[path = "../shared/progress.rs"]
mod progress;
#[allow(dead_code, reason = "wal-inspect uses the rest of it")]
#[path = "../wal-inspect/text.rs"]
mod text;

use std::error::Error as _;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use headwater_wal::{Error, Kind};

/// The place is not fit, or it could not be found out.
const FAILED: u8 = 8;

/// The command line is wrong.
const USAGE: u8 = 16;

const HELP_AFTER: &str = "\
Exit codes:
  0   the place is fit
  8   it is not, or could not be asked
  16  the command line is wrong";

#[derive(Debug, Parser)]
#[command(name = "wal-fsck", version, about = "Finds out whether a place is fit for logs", after_help = HELP_AFTER)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tries everything that a log needs of a place, in a folder of its own, and removes what it put there
    Probe(probe::Args),
}

/// Why nothing was found out.
#[derive(Debug)]
enum Failure {
    Usage(String),
    Store(Error),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Unsupported if error.to_string().contains("built without") => Failure::Usage(format!(
                "{error}; `cargo install headwater-fsck --features s3,gcs,azure` builds all of them"
            )),
            Kind::Invalid | Kind::Unsupported => Failure::Usage(error.to_string()),
            _ => Failure::Store(error),
        }
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // What was typed is quoted in it. If it cannot be written, nobody is there to be told.
            let text = text::escaped_lines(&error.to_string());
            if error.use_stderr() {
                let _ = io::stderr().write_all(text.as_bytes());
                return ExitCode::from(USAGE);
            }
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
    };
    let Verb::Probe(args) = args.verb;
    let mut out = BufWriter::new(io::stdout().lock());
    let fit = probe::run(&args, &mut out).and_then(|fit| {
        out.flush()?;
        Ok(fit)
    });
    let (message, code) = match fit {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => return ExitCode::from(FAILED),
        Err(Failure::Output(error)) => (format!("the output could not be written: {error}"), FAILED),
        Err(Failure::Usage(message)) => (message, USAGE),
        Err(Failure::Store(error)) => (with_causes(&error), FAILED),
    };
    // A path or a message may hold anything.
    let _ = writeln!(io::stderr(), "wal-fsck: {}", text::escaped_lines(&message));
    ExitCode::from(code)
}

fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
