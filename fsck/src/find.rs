//! What lies at a place: a log, checkpoints, folders with logs in them, or nothing of ours.

use headwater_wal::format::header::{Header, HeaderFault, VERSION};
use headwater_wal::format::name::parse_segment;
use headwater_wal::store::{Entry, Name, Store, What};
use headwater_wal::{Depth, Error, Kind, Position, Result, Survey, look};

use crate::checkpoints;

const LOGS_NAMED_MAX: usize = 10;

/// A root holds its logs at most so deep: `received/STREAM/RECEIVER`.
const FOLDERS_DEEP_MAX: usize = 3;

/// No root that people keep has more; a look into a whole disk ends early.
const FOLDERS_MAX: usize = 1000;

/// Looks at the log at a store's root, and says so if none is there.
///
/// `NotThere`: no log; the message names the logs that lie in folders below, if there are any. `Damaged`: a segment
/// states a version of the format that it does not have. `Unsupported`: one that this release does not know.
pub fn find(store: &dyn Store, at_least: Position, depth: Depth) -> Result<Survey> {
    let survey = match look(store, at_least, depth) {
        Err(error) if error.kind() == Kind::Unsupported => return Err(version(store, error)),
        other => other?,
    };
    let nothing = survey.identity().is_none()
        && survey.chain().segments().is_empty()
        && survey.aside().is_empty()
        && survey.damages().is_empty();
    if nothing { Err(no_log(store)?) } else { Ok(survey) }
}

/// Whether a store's root holds files with a segment's name.
pub fn is_log(store: &dyn Store) -> Result<bool> {
    for page in store.list(&Name::ROOT)? {
        let is = |entry: &Entry| matches!(entry.what, What::File(_)) && parse_segment(&entry.name).is_some();
        if page?.iter().any(is) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn no_log(store: &dyn Store) -> Result<Error> {
    let place = store.place();
    if checkpoints::is_here(store)? {
        let message =
            format!("this is a folder of checkpoints and no log:\n  wal-inspect checkpoints {place}");
        return Ok(Error::new(Kind::NotThere, message));
    }
    let below = logs_below(store, LOGS_NAMED_MAX)?;
    let beside = match checkpoints::is_below(store)? {
        true => format!("\n  wal-inspect checkpoints {place}"),
        false => String::new(),
    };
    let message = match below.as_slice() {
        [] if !beside.is_empty() => {
            format!("no log is here or in the folders below, but checkpoints are:{beside}")
        }
        [] => format!(
            "no log is here, and none in the folders below: place={place}; whether one may be begun here tells:\n  \
             wal-fsck probe {place}"
        ),
        below => {
            let commands: Vec<String> =
                below.iter().map(|folder| format!("\n  wal-inspect info {place}/{folder}")).collect();
            format!(
                "this is no log, but logs lie in it; name one of them: place={place}{}{beside}",
                commands.concat()
            )
        }
    };
    Ok(Error::new(Kind::NotThere, message))
}

/// The folders below the root that hold files with a segment's name: at most so many, and three folders down.
pub fn logs_below(store: &dyn Store, most: usize) -> Result<Vec<Name>> {
    let (mut logs, mut seen) = (Vec::new(), 0);
    let mut folders = vec![(Name::ROOT, 0)];
    while let Some((folder, deep)) = folders.pop() {
        seen += 1;
        let (mut is_log, mut inside) = (false, Vec::new());
        for page in store.list(&folder)? {
            for Entry { name, what } in page? {
                match what {
                    What::File(_) => is_log |= parse_segment(&name).is_some(),
                    What::Folder if deep < FOLDERS_DEEP_MAX => {
                        inside.extend(folder.join(&name).ok().map(|name| (name, deep + 1)));
                    }
                    What::Folder | What::Other(_) => {}
                }
            }
        }
        match is_log {
            true => logs.push(folder),
            false => folders.extend(inside.into_iter().rev().take(FOLDERS_MAX)),
        }
        if logs.len() == most || seen == FOLDERS_MAX {
            break;
        }
    }
    Ok(logs)
}

/// A header that says a newer version, and would verify if it said ours, was damaged just there.
fn version(store: &dyn Store, error: Error) -> Error {
    let Some(site) = error.site() else { return error };
    let Some(base) = parse_segment(&site.name) else { return error };
    let head = Name::new(&*site.name).and_then(|name| store.read(&name, 0..512));
    let Ok(mut head) = head.map(Vec::from) else { return error };
    let Err(HeaderFault::Newer(stated)) = Header::decode(base, &head) else { return error };
    head[12..14].copy_from_slice(&VERSION.to_le_bytes());
    if Header::decode(base, &head).is_err() {
        let message = format!(
            "a segment states format version {stated}, and this release reads up to version {VERSION}: use the release \
             that wrote it (this one is told by `wal-fsck --version`); if none did, its header is damaged: put a copy of \
             it back, and run `wal-fsck {}`",
            store.place()
        );
        return Error::new(Kind::Unsupported, message).at(site.name.clone(), site.offset);
    }
    let message = format!(
        "a segment states format version {stated}, but verifies as version {VERSION}: the field was changed after it was \
         written, so no newer release is needed; put the file back from a copy, or the field back to {VERSION}, and run \
         `wal-fsck {}`",
        store.place()
    );
    Error::new(Kind::Damaged, message).at(site.name.clone(), 12)
}
