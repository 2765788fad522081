//! `checkpoints`: a folder of them, or those of a root.

mod compare;
mod list;
mod show;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;

use headwater_checkpoint::{Checkpoint, Checkpoints, Id};
use headwater_fsck::checkpoints::{self, Survey};
use headwater_wal::store::Store;
use headwater_wal::{Error, Kind, Position};

pub(crate) use verify::show as show_report;

use crate::failure::{Answer, Failure};
use crate::json::Line;
use crate::place;
use crate::text::escaped;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder of checkpoints, or a root that has `checkpoints` in it, or a file: URL
    path: OsString,
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Lines of JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Every checkpoint, oldest first, and what the folder takes [the default]
    List,
    /// One checkpoint: its sections and where they lie, what it needs, what it keeps
    Show {
        /// Which one, such as 3-17, or `newest`
        id: Which,
    },
    /// What differs between two
    Compare {
        /// The one that is compared with, such as 3-17, or `newest`
        one: Which,
        /// The other one
        other: Which,
    },
    /// Reads every byte, of all that count or of those that are named
    Verify {
        /// Which ones, such as 3-17, or `newest`
        ids: Vec<Which>,
    },
}

/// A checkpoint as it was typed.
#[derive(Clone, Debug)]
enum Which {
    Newest,
    One(Id),
}

impl std::str::FromStr for Which {
    type Err = Error;

    fn from_str(text: &str) -> Result<Which, Error> {
        match text {
            "newest" => Ok(Which::Newest),
            text => text.parse().map(Which::One),
        }
    }
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let store = place::open_checkpoints(&args.path)?;
    match &args.verb {
        None | Some(Verb::List) => list::run(&store, args.json, out),
        Some(Verb::Show { id }) => show::run(&Folder::open(store)?, id, args.json, out),
        Some(Verb::Compare { one, other }) => {
            compare::run(&Folder::open(store)?, [one, other], args.json, out)
        }
        Some(Verb::Verify { ids }) => verify::run(store, ids, args.json, out),
    }
}

/// A folder that was looked at.
struct Folder {
    survey: Survey,
    checkpoints: Checkpoints,
}

impl Folder {
    fn open(store: Arc<dyn Store>) -> Result<Folder, Failure> {
        Ok(Folder { survey: checkpoints::survey(&store)?, checkpoints: Checkpoints::open(store) })
    }

    fn get(&self, which: &Which) -> Result<Checkpoint, Failure> {
        let id = id(&self.survey, which)?;
        self.checkpoints.get(id).map_err(|error| match error.kind() {
            Kind::NotThere => no_such(&self.survey, id),
            _ => error.into(),
        })
    }
}

fn id(survey: &Survey, which: &Which) -> Result<Id, Failure> {
    match which {
        Which::One(id) if survey.head(*id).is_none() => Err(no_such(survey, *id)),
        Which::One(id) => Ok(*id),
        Which::Newest => survey.newest().ok_or_else(|| {
            let message =
                format!("there is no checkpoint of use:\n  wal-inspect checkpoints {}", survey.place());
            Error::new(Kind::NotThere, message).into()
        }),
    }
}

fn no_such(survey: &Survey, id: Id) -> Failure {
    let newest = survey.newest().map_or(String::new(), |newest| format!(" newest={newest}"));
    let message = format!(
        "there is no such checkpoint: checkpoint={id}{newest}; for those that there are:\n  wal-inspect checkpoints {}",
        survey.place()
    );
    Error::new(Kind::NotThere, message).into()
}

/// A name that people gave, as one line that no terminal obeys.
fn name(text: &str) -> String {
    match text {
        "" => "\"\"".to_owned(),
        text => escaped(text.as_bytes(), 0),
    }
}

fn positions(positions: &[(String, Position)]) -> String {
    let texts: Vec<String> =
        positions.iter().map(|(log, position)| format!("{} from {position}", name(log))).collect();
    if texts.is_empty() { "nothing".into() } else { texts.join(", ") }
}

fn position_lines(id: Id, positions: &[(String, Position)], out: &mut dyn Write) -> Result<(), Failure> {
    for (log, position) in positions {
        Line::new("position").text("id", id).text("log", log).number("position", position.0).write(out)?;
    }
    Ok(())
}
