//! The verb that measures a store.

use std::io::Write;

use headwater_wal::store;
use headwater_wal::store::probe::{Finding, Findings, Held, probe};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::json::Line;
use crate::place::not_built;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The place: a path or a URL (file:///DIR, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX), with
    /// options as ?key=value&key=value or from the environment; it is written to
    #[arg(value_name = "URL")]
    url: String,

    /// As JSON, a line for each property and one for the place
    #[arg(long)]
    json: bool,
}

/// Tells whether a log may lie there.
pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Exit, Failure> {
    let found = probe(&*store::open(&args.url).map_err(not_built)?)?;
    if args.json {
        json(&found, out)?;
    } else {
        writeln!(out, "{}", crate::text::escaped_lines(&found.to_string()))?;
    }
    Ok(if found.fit() { Exit::CLEAN } else { Exit::FAILED })
}

fn json(found: &Findings, out: &mut dyn Write) -> Result<(), Failure> {
    for finding in found.list() {
        line(finding).write(out)?;
    }
    Ok(Line::new("place").text("place", found.place()).flag("fit", found.fit()).write(out)?)
}

fn line(finding: &Finding) -> Line {
    let (held, seen) = match finding.held() {
        Held::Yes => ("yes", None),
        Held::No(seen) => ("no", Some(seen)),
        Held::Undecided(why) => ("undecided", Some(why)),
    };
    Line::new("property")
        .text("property", finding.property())
        .text("held", held)
        .text_or_null("seen", seen)
        .text("tried", finding.tried())
        .text("means", finding.means())
}
