//! What `dump` shows: one thing in a log's files, as a line for people or as a line of JSON.

use bytes::Bytes;
use headwater_wal::Position;
use headwater_wal::format::Handle;
use headwater_wal::format::footer::Footer;
use headwater_wal::format::frame::{Codec, FrameHeader, own};
use headwater_wal::format::group::GroupHeader;
use headwater_wal::format::header::Header;
use headwater_wal::format::scan::Bad;

use crate::json::Line;
use crate::payload::Payload;
use crate::text::{bytes, escaped, plural};

/// One thing in a log's files.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// A file begins; its header, if that verifies.
    File {
        file: &'a str,
        state: &'a str,
        file_len: u64,
        header: Option<&'a Header>,
    },
    Group {
        at: Position,
        header: &'a GroupHeader,
    },
    /// A record, and its payload or why there is none.
    Record {
        handle: Handle,
        header: &'a FrameHeader,
        payload: Result<Option<Bytes>, String>,
    },
    /// A record of the log's own.
    Own {
        at: Position,
        header: &'a FrameHeader,
        payload: Bytes,
    },
    /// A footer; or, if the rest does not verify, its head.
    Footer {
        at: Position,
        footer: &'a Footer,
        whole: bool,
    },
    Bad {
        file: &'a str,
        offset: u64,
        bad: &'a Bad,
        in_log: bool,
    },
    /// What the look found where no file shows it.
    Damage(&'a headwater_wal::Damage),
    Zeros {
        from: Position,
        len: u64,
    },
    Note(String),
}

/// How items are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show {
    pub(crate) payload: Payload,
    pub(crate) width: usize,
}

impl Item<'_> {
    /// As a line for people, in an order that `sort` and `awk` cope with: the position comes first.
    pub(crate) fn text(&self, show: Show) -> String {
        match self {
            Item::File { file, state, file_len, header } => {
                let head = format!("== {file}  {state}, {}", bytes(*file_len));
                match header {
                    Some(header) => format!("{head}\n{}", header_text(header)),
                    None => format!(
                        "{head}\n   its header does not verify; what follows is read as of the epoch before"
                    ),
                }
            }
            Item::Group { at, header } if header.count == 0 => {
                format!("{at:>14}  group   empty; all below {} was acknowledged", header.acked)
            }
            Item::Group { at, header } => format!(
                "{at:>14}  group   {} in {}; all below {} was acknowledged; times {} to {}",
                plural(u64::from(header.count), "frame"),
                bytes(u64::from(header.group_bytes)),
                header.acked,
                header.least,
                header.greatest
            ),
            Item::Record { handle, header, payload } => {
                let stored = match header.codec {
                    Codec::Raw => String::new(),
                    Codec::Zstd => format!(" (zstd {})", header.stored_len),
                    Codec::Other(code) => format!(" (codec {code}: {})", header.stored_len),
                };
                let text = match payload {
                    Ok(payload) => {
                        payload.as_ref().and_then(|payload| show.payload.shown(payload, show.width))
                    }
                    Err(error) => Some(format!("!! {}", escaped(error.as_bytes(), 0))),
                };
                let text = text.map_or(String::new(), |text| format!("  {text}"));
                format!(
                    "{:>14}  {}  kind {}  {} bytes{stored}  {handle}{text}",
                    handle.position(),
                    header.time,
                    header.kind,
                    header.raw_len
                )
            }
            Item::Own { at, header, payload } => {
                format!("{at:>14}  the log's own: {}", own_text(header, payload))
            }
            Item::Footer { at, footer, whole } => format!(
                "{at:>14}  footer  {} in {}; next segment at {}; all below {} was acknowledged; sealed {}{}",
                plural(footer.records, "record"),
                plural(footer.groups, "group"),
                footer.next,
                footer.acked,
                footer.sealed_at,
                if *whole { "" } else { "; the index or the trailer does not verify" }
            ),
            Item::Bad { file, offset, bad, in_log } => {
                let mark = if *in_log { "BAD " } else { "bad " };
                let (start, end) = (bad.range.start, bad.range.end);
                format!(
                    "{start:>14}  {mark}    {}; {} up to {end}: file={file} offset={offset}",
                    bad.what,
                    bytes(end.since(start))
                )
            }
            Item::Damage(damage) => format!("{:>14}  BAD     {damage}", damage.range.start),
            Item::Zeros { from, len } => {
                format!("{from:>14}  zeros   {} to the end of the file", bytes(*len))
            }
            Item::Note(note) => format!("-- {note} --"),
        }
    }

    pub(crate) fn json(&self, show: Show) -> Line {
        match self {
            Item::File { file, state, file_len, header } => {
                let line =
                    Line::new("file").text("file", file).text("state", state).number("file_bytes", *file_len);
                match header {
                    Some(header) => line
                        .flag("header_verifies", true)
                        .number("base", header.base.0)
                        .number("epoch", header.epoch)
                        .number("acked", header.acked.0)
                        .number("begins", header.begins.0)
                        .number_or_null("previous_base", header.previous.map(|previous| previous.base.0))
                        .number_or_null("previous_end", header.previous.map(|previous| previous.end.0))
                        .number("in_flight_bytes_max", header.in_flight_bytes_max)
                        .number("made_at_ms", header.time.0),
                    None => line.flag("header_verifies", false),
                }
            }
            Item::Group { at, header } => Line::new("group")
                .number("position", at.0)
                .number("frames", u64::from(header.count))
                .number("bytes", u64::from(header.group_bytes))
                .number("acked", header.acked.0)
                .number("time_min_ms", header.least.0)
                .number("time_max_ms", header.greatest.0),
            Item::Record { handle, header, payload } => {
                let line = Line::new("record")
                    .number("position", handle.position().0)
                    .text("handle", handle)
                    .number("epoch", handle.epoch())
                    .number("time_ms", header.time.0)
                    .text("time", header.time)
                    .number("kind", u64::from(header.kind))
                    .number("bytes", u64::from(header.raw_len))
                    .number("stored_bytes", u64::from(header.stored_len));
                match payload {
                    Ok(Some(payload)) => show.payload.add_to(line, payload, show.width),
                    Ok(None) => line,
                    Err(error) => line.text("error", error),
                }
            }
            Item::Own { at, header, payload } => {
                Line::new("own").number("position", at.0).text("what", own_text(header, payload))
            }
            Item::Footer { at, footer, whole } => Line::new("footer")
                .number("position", at.0)
                .flag("whole", *whole)
                .number("records", footer.records)
                .number("groups", footer.groups)
                .number("next", footer.next.0)
                .number("acked", footer.acked.0)
                .number("begins", footer.begins.0)
                .number("sealed_at_ms", footer.sealed_at.0),
            Item::Bad { file, offset, bad, in_log } => Line::new("bad")
                .number("from", bad.range.start.0)
                .number("to", bad.range.end.0)
                .text("file", file)
                .number("offset", *offset)
                .text("what", bad.what)
                .flag("in_log", *in_log),
            Item::Damage(damage) => Line::new("bad")
                .number("from", damage.range.start.0)
                .number("to", damage.range.end.0)
                .text("file", &damage.file)
                .number("offset", damage.offset)
                .text("what", format!("{}; {}", damage.what, damage.why))
                .flag("in_log", true),
            Item::Zeros { from, len } => Line::new("zeros").number("from", from.0).number("bytes", *len),
            Item::Note(note) => Line::new("note").text("note", note),
        }
    }
}

fn header_text(header: &Header) -> String {
    let before = match header.previous {
        Some(previous) => format!("the segment {} before, up to {}", previous.base, previous.end),
        None => "no segment before".into(),
    };
    format!(
        "   epoch {}{}, made {}; {before}; the log begins at {}; all below {} was acknowledged;\n   groups on multiples of \
         {}; at most {} in flight",
        header.epoch,
        if header.begins_epoch { ", which begins here" } else { "" },
        header.time,
        header.begins,
        header.acked,
        header.block_bytes,
        bytes(header.in_flight_bytes_max)
    )
}

fn own_text(header: &FrameHeader, payload: &[u8]) -> String {
    match (header.kind, own::decode_retire(payload)) {
        (own::RETIRE, Some(begins)) => format!("a retire mark; the log begins at {begins}"),
        (kind, _) => format!("of kind {kind}, {} bytes", payload.len()),
    }
}
