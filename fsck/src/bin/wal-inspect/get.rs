//! `get`: one record, by its handle.

use std::ffi::OsString;
use std::io::Write;

use headwater_wal::format::name;
use headwater_wal::{Handle, Reader, Record};

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::payload::Payload;
use crate::place;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log, or a file: URL
    path: OsString,
    /// The handle, as `append` answered and `dump` shows it
    handle: String,
    /// How the payload is shown
    #[arg(long, value_enum, default_value_t = Payload::Text)]
    payload: Payload,
    /// The same as --payload raw
    #[arg(long, conflicts_with_all = ["payload", "json"])]
    raw: bool,
    /// Let a raw payload go to a terminal
    #[arg(long)]
    force: bool,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let handle: Handle = args.handle.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
    let payload = if args.raw { Payload::Raw } else { args.payload };
    payload.allow(args.json, args.force)?;
    let store = place::open(&args.path)?;
    let record = Reader::open(store)?.read(&handle)?;
    if payload == Payload::Raw {
        out.write_all(&record.payload)?;
    } else if args.json {
        let line = Line::new("record")
            .number("position", record.position().0)
            .text("handle", record.handle)
            .number("epoch", record.handle.epoch())
            .number("time_ms", record.time.0)
            .text("time", record.time)
            .number("kind", u64::from(record.kind))
            .number("bytes", record.payload.len() as u64)
            .number("stored_bytes", u64::from(record.handle.stored_len()));
        payload.add_to(line, &record.payload, 0).write(out)?;
    } else {
        page(&record, payload, out)?;
    }
    Ok(Answer::Sound)
}

fn page(record: &Record, payload: Payload, out: &mut dyn Write) -> Result<(), Failure> {
    let Record { handle, time, kind, payload: bytes } = record;
    let offset = handle.position().since(handle.base());
    let file = name::segment(handle.base());
    writeln!(out, "handle    {handle}")?;
    writeln!(out, "position  {}, in {file} at offset {offset}", handle.position())?;
    writeln!(out, "epoch     {}", handle.epoch())?;
    writeln!(out, "time      {time}")?;
    writeln!(out, "kind      {kind}")?;
    writeln!(out, "bytes     {}, stored as {}", bytes.len(), handle.stored_len())?;
    if let Some(text) = payload.shown(bytes, 0) {
        writeln!(out, "payload   {text}")?;
    }
    Ok(())
}
