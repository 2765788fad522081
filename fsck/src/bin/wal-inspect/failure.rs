//! How the program ends: its exit codes, as fsck(8) has them, and what it says when it fails.

use std::error::Error as _;
use std::{fmt, io};

use headwater_wal::{Error, Kind};

use crate::text::escaped_lines;

const DAMAGED: u8 = 4;
const FAILED: u8 = 8;

/// The exit code of a command line that is wrong.
pub(crate) const USAGE: u8 = 16;

/// What a verb that did its work found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Sound,
    /// Some of it could not be looked at, of a newer release, say.
    Unsupported,
    Damaged,
}

impl Answer {
    pub(crate) fn code(self) -> u8 {
        match self {
            Answer::Sound => 0,
            Answer::Damaged => DAMAGED,
            Answer::Unsupported => FAILED,
        }
    }
}

/// Why a verb could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for what cannot be.
    Usage(String),
    /// The log could not be looked at.
    Log(Error),
    /// The output could not be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Log(error) if error.kind() == Kind::Damaged => DAMAGED,
            Failure::Log(_) | Failure::Output(_) => FAILED,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Log(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Failure::Usage(message) => message.clone(),
            Failure::Output(error) => format!("the output could not be written: {error}"),
            Failure::Log(error) => {
                let mut text = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    text += &format!(": {cause}");
                    source = cause.source();
                }
                text
            }
        };
        // A path or a message may hold anything.
        f.write_str(&escaped_lines(&text))
    }
}
