//! How payloads are shown: never so that a terminal obeys them.

use std::io::{self, IsTerminal};

use crate::compact::compact;
use crate::failure::Failure;
use crate::json::Line;
use crate::text::{cut, escaped, hex};

/// How payloads are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Payload {
    /// Not at all, and not read a second time
    None,
    /// As text, with everything escaped that is not printable
    Text,
    /// As hexadecimal digits
    Hex,
    /// As JSON in one line, if it is JSON, else as text
    Json,
    /// As it was appended, and nothing else; one payload right behind the other, and not to a terminal
    Raw,
}

impl Payload {
    /// Refuses what a terminal would obey, unless forced.
    pub(crate) fn allow(self, json: bool, force: bool) -> Result<(), Failure> {
        match self {
            Payload::Raw if json => {
                Err(Failure::Usage("raw bytes do not go into JSON: use --payload hex with --json".into()))
            }
            Payload::Raw if !force && io::stdout().is_terminal() => {
                let message = "a payload may hold anything, also what a terminal obeys: send it to a file or a pipe, or \
                               say --force";
                Err(Failure::Usage(message.into()))
            }
            _ => Ok(()),
        }
    }

    /// The payload as it is shown, cut after `width` characters unless that is 0.
    pub(crate) fn shown(self, payload: &[u8], width: usize) -> Option<String> {
        match self {
            Payload::None | Payload::Raw => None,
            Payload::Text => Some(escaped(payload, width)),
            Payload::Hex => Some(hex(payload, width)),
            Payload::Json => {
                Some(compact(payload).map_or_else(|| escaped(payload, width), |json| cut(json, width)))
            }
        }
    }

    /// As a member of a line of JSON: `payload_text`, `payload_hex`, or `payload` for JSON itself.
    pub(crate) fn add_to(self, line: Line, payload: &[u8], width: usize) -> Line {
        match self {
            Payload::None | Payload::Raw => line,
            Payload::Text => line.text("payload_text", escaped(payload, width)),
            Payload::Hex => line.text("payload_hex", hex(payload, width)),
            Payload::Json => match compact(payload) {
                Some(json) => line.json("payload", &json),
                None => line.text("payload_text", escaped(payload, width)),
            },
        }
    }
}
