//! Files under names that are not theirs: given their own again, or taken away.

use std::collections::{BTreeMap, BTreeSet};

use headwater_wal::format::header::{HEADER_BYTES, Header, HeaderFault};
use headwater_wal::format::name::{self, QUARANTINE};
use headwater_wal::store::{Name, Store, What};
use headwater_wal::{Because, Identity, Kind, Position, Result, Survey};

use super::Action;

/// What a file in quarantine ends with that belongs at the name before it.
pub(crate) const READY: &str = ".new";

/// What a header that verifies says of the file that it is in.
enum Says {
    /// It belongs here, or says nothing.
    Nothing,
    /// It is another segment of this log.
    Segment(Position),
    /// It is a segment of another log.
    AnotherLog,
}

fn says(store: &dyn Store, identity: Option<Identity>, base: Position) -> Result<Says> {
    let head = match store.read(&Name::new(name::segment(base))?, 0..HEADER_BYTES) {
        Err(error) if matches!(error.kind(), Kind::NotThere | Kind::Invalid) => return Ok(Says::Nothing),
        head => head?,
    };
    let (stated, header) = match Header::decode(base, &head) {
        Ok(header) => (base, Some(header)),
        Err(HeaderFault::Elsewhere(stated)) => (stated, Header::decode(stated, &head).ok()),
        Err(_) => return Ok(Says::Nothing),
    };
    Ok(match header {
        None => Says::Nothing,
        Some(header) if Some(header.identity) != identity => Says::AnotherLog,
        Some(_) if stated == base => Says::Nothing,
        Some(_) => Says::Segment(stated),
    })
}

/// One thing to be done about names, and why.
pub(crate) struct Misplaced {
    pub(crate) file: Name,
    pub(crate) what: String,
    pub(crate) actions: Vec<Action>,
}

/// What is to be done about every file that lies under a name of another.
pub(crate) fn in_place(store: &dyn Store, survey: &Survey) -> Result<Vec<Misplaced>> {
    let mut belongs: BTreeMap<Position, Position> = BTreeMap::new();
    let mut done = Vec::new();
    for aside in survey.aside().iter().filter(|aside| aside.because != Because::Retired) {
        let file = Name::new(name::segment(aside.base))?;
        match says(store, survey.identity(), aside.base)? {
            Says::Nothing => {}
            Says::Segment(stated) => {
                belongs.insert(aside.base, stated);
            }
            Says::AnotherLog => done.push(Misplaced {
                what: "it is a segment of another log, and is taken away".into(),
                actions: vec![Action::SetAside {
                    file: file.clone(),
                    leaf: format!("{file}.of-another-log"),
                }],
                file,
            }),
        }
    }
    let mut taken = BTreeSet::new();
    let (mut moves, mut sets_aside) = (Vec::new(), Vec::new());
    for (&here, &there) in &belongs {
        let free = belongs.contains_key(&there) || is_free_or_spoilt(store, survey, there)?;
        match free && taken.insert(there) {
            true => moves.push((here, there)),
            false => sets_aside.push((here, there)),
        }
    }
    for (here, there) in sets_aside {
        let file = Name::new(name::segment(here))?;
        done.push(Misplaced {
            what: format!("it is a copy of {}, and is taken away", name::segment(there)),
            actions: vec![Action::SetAside { file: file.clone(), leaf: format!("{file}.copy") }],
            file,
        });
    }
    for (here, there) in moves {
        done.push(moved(store, &belongs, here, there)?);
    }
    Ok(done)
}

/// Whether nothing of the log lies at a place that anybody could want to keep there.
fn is_free_or_spoilt(store: &dyn Store, survey: &Survey, base: Position) -> Result<bool> {
    let in_chain = survey.chain().segments().binary_search_by_key(&base, |segment| segment.base).is_ok();
    let head = match store.read(&Name::new(name::segment(base))?, 0..HEADER_BYTES) {
        Err(gone) if gone.kind() == Kind::NotThere => return Ok(true),
        Err(error) if error.kind() == Kind::Invalid => return Ok(false),
        head => head?,
    };
    Ok(!in_chain && Header::decode(base, &head).is_err())
}

/// Brings a file to its own name: at once if that is free, else by way of quarantine, where what is in its place goes too.
fn moved(
    store: &dyn Store,
    belongs: &BTreeMap<Position, Position>,
    here: Position,
    there: Position,
) -> Result<Misplaced> {
    let (file, to) = (Name::new(name::segment(here))?, Name::new(name::segment(there))?);
    let free = matches!(store.read(&to, 0..1), Err(gone) if gone.kind() == Kind::NotThere);
    let what = format!("it is the segment {to}, and gets that name again");
    let mut actions = Vec::new();
    match (free, belongs.contains_key(&there)) {
        (true, _) => actions.push(Action::Move { from: file.clone(), to }),
        (false, false) => {
            actions.push(Action::SetAside { file: to.clone(), leaf: format!("{to}.spoilt") });
            actions.push(Action::Move { from: file.clone(), to });
        }
        // What is in its place is misplaced as well, and goes to its own by a step of its own.
        (false, true) => {
            actions.push(Action::SetAside { file: file.clone(), leaf: format!("{to}{READY}") });
        }
    }
    Ok(Misplaced { file, what, actions })
}

/// What lies in quarantine and belongs at a name that is missing: a repair was cut short in between, or one that is being
/// planned set it aside in `own` folder.
pub(crate) fn ready_made(store: &dyn Store, survey: &Survey, own: &Name) -> Result<Vec<Misplaced>> {
    let quarantine = Name::new(QUARANTINE)?;
    let mut found: BTreeMap<Position, Name> = BTreeMap::new();
    for page in store.list(&quarantine)? {
        for folder in page?.into_iter().filter(|entry| entry.what == What::Folder) {
            let Ok(folder) = quarantine.join(&folder.name) else { continue };
            for page in store.list(&folder)? {
                for entry in page? {
                    let Some(base) = entry.name.strip_suffix(READY).and_then(name::parse_segment) else {
                        continue;
                    };
                    let wanted = base >= survey.begins() && matches!(entry.what, What::File(_));
                    found.extend(folder.join(&entry.name).ok().filter(|_| wanted).map(|name| (base, name)));
                }
            }
        }
    }
    let mut ready = Vec::new();
    for (base, from) in found {
        let to = Name::new(name::segment(base))?;
        let missing = matches!(store.read(&to, 0..1), Err(gone) if gone.kind() == Kind::NotThere);
        let ours = |header: &Header| survey.identity().is_none_or(|identity| identity == header.identity);
        if !missing
            || !Header::decode(base, &store.read(&from, 0..HEADER_BYTES)?).is_ok_and(|header| ours(&header))
        {
            continue;
        }
        let leaf = format!("{to}{READY}");
        let (what, action) = match from == own.join(&leaf)? {
            true => ("it gets its place again", Action::Return { leaf, file: to.clone() }),
            false => (
                "a repair that was cut short had made this file ready, and is finished",
                Action::Move { from, to: to.clone() },
            ),
        };
        ready.push(Misplaced { file: to, what: what.into(), actions: vec![action] });
    }
    Ok(ready)
}
