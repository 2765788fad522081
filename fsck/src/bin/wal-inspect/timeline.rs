//! `timeline`: a picture of a log.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use headwater_checkpoint::resume::JOURNAL;
use headwater_fsck::{Marks, checkpoints, clean_log, is_log, journal, timeline};
use headwater_wal::{Error, Kind, Position, Survey, Time};

use crate::failure::{Answer, Failure};
use crate::place;
use crate::when::When;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of a log; or a root, for its journal with the positions of its checkpoints
    path: OsString,
    /// The receiver of a root whose log is drawn, such as 0/1, instead of the journal
    #[arg(value_name = "STREAM/RECEIVER")]
    receiver: Option<String>,
    /// The file to write, which must not be there yet; - is the standard output
    #[arg(long, value_name = "FILE", required = true)]
    svg: OsString,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Show what would go if what was sealed before went: 2026-11-21T10:00Z, `2h ago`, or milliseconds [default: now]
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
}

pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Result<Answer, Failure> {
    let to_stdout = args.svg == "-";
    if to_stdout && io::stdout().is_terminal() && !args.force {
        return Err(Failure::Usage("an SVG is nothing for a terminal: name a file, or say --force".into()));
    }
    let (survey, marks) = look(args)?;
    let picture = timeline(&survey, &marks);
    if to_stdout {
        out.write_all(picture.as_bytes())?;
    } else {
        write(Path::new(&args.svg), &args.path, args.force, picture.as_bytes())?;
    }
    Ok(if survey.damage_count() == 0 { Answer::Sound } else { Answer::Damaged })
}

fn look(args: &Args) -> Result<(Survey, Marks), Failure> {
    let before = args.before.map_or(Time::MAX, |when| when.0);
    let rule = match args.before {
        Some(_) => format!("what was sealed before {before}"),
        None => "everything that nothing holds".to_owned(),
    };
    let store = place::open(&args.path)?;
    let a_log = is_log(&*store)?;
    if !a_log && journal::is_below(&*store)? {
        return of_root(args, before, &rule);
    }
    if args.receiver.is_some() {
        let message =
            format!("no journal is here, so this is no root and has no receivers: place={}", store.place());
        return Err(Failure::Usage(message));
    }
    // A place with neither says itself what is here instead.
    let cleaning = clean_log(&*store, before)?;
    let cleaned = Some((cleaning.begins(), format!("{rule}, if its owner says so; the last segment stays")));
    Ok((cleaning.survey, Marks { positions: Vec::new(), cleaned }))
}

/// The journal, or a receiver's log, with what its root knows of it.
fn of_root(args: &Args, before: Time, rule: &str) -> Result<(Survey, Marks), Failure> {
    let (root, _) = place::open_root(&args.path)?;
    let receiver = args.receiver.as_deref().map(receiver).transpose()?;
    let explained = journal::explain(&root, receiver, before)?;
    let held = explained.segments.iter().find(|one| !one.held_by.is_empty());
    let begins = held.map_or(explained.survey.begins(), |one| one.segment.base);
    let what = held
        .and_then(|one| one.held_by.first())
        .map_or(String::new(), |held| format!("; the next is held: {held}"));
    let mut marks = Marks { positions: Vec::new(), cleaned: Some((begins, format!("{rule}{what}"))) };
    if receiver.is_none() {
        marks.positions = positions(args)?;
    }
    // Only the beginning of what holds a receiver's log is a position in it.
    let holds = explained.holds.iter().filter(|hold| receiver.is_some() && hold.from > Position::START);
    marks.positions.extend(holds.map(|hold| (hold.from, hold.who.clone())));
    Ok((explained.survey, marks))
}

/// From where the kept checkpoints replay the journal.
fn positions(args: &Args) -> Result<Vec<(Position, String)>, Failure> {
    let survey = checkpoints::survey(&place::open_checkpoints(&args.path)?)?;
    let heads = survey.heads().iter().filter(|head| head.state.counts());
    let mut positions = Vec::new();
    for head in heads {
        let of_head = head.stated.iter().flat_map(|stated| &stated.positions);
        let of_journal = of_head.filter(|(name, _)| name == JOURNAL);
        positions.extend(of_journal.map(|(_, at)| (*at, format!("checkpoint {}", head.id))));
    }
    Ok(positions)
}

fn receiver(text: &str) -> Result<(u32, u32), Failure> {
    let parts = text
        .split_once('/')
        .and_then(|(stream, receiver)| Some((stream.parse().ok()?, receiver.parse().ok()?)));
    parts.ok_or_else(|| Failure::Usage("a receiver is two numbers, STREAM/RECEIVER, such as 0/1".into()))
}

/// Writes the picture, but never into what is looked at, whose files nobody but its owner makes.
fn write(file: &Path, looked_at: &OsStr, force: bool, bytes: &[u8]) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What a link leads to counts, for the file itself too.
    let ends_in = file.canonicalize().or_else(|_| folder.canonicalize());
    if let (Ok(ends_in), Some(Ok(looked_at))) =
        (ends_in, place::folder(looked_at).map(|path| path.canonicalize()))
        && ends_in.starts_with(&looked_at)
    {
        let message =
            format!("the picture does not go into the place that is looked at: file={}", file.display());
        return Err(Failure::Usage(message));
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Usage(format!(
            "the file is there already; name another, or say --force: file={}",
            file.display()
        )),
        _ => {
            let message = format!("the picture could not be written: file={}", file.display());
            Failure::Log(Error::new(Kind::Unavailable, message).because(error))
        }
    };
    let mut options = OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let mut file = options.open(file).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}
