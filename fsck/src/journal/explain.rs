//! What holds each segment of the journal or of a receiver's log, in words.

use headwater_checkpoint::Id;
use headwater_checkpoint::journal::{ReceiverLog, State};
use headwater_checkpoint::resume::{self, Explained, Hold, Root};
use headwater_wal::store::Store;
use headwater_wal::{Depth, Error, Kind, Position, Result, Survey, Time};

use super::kept::{Kept, Said};
use super::reading::Journal;
use crate::find;

/// An explanation is begun again while the driver goes on under it.
const TRIES: u32 = 5;

const UNKNOWN: &str = "what is pending is not known, since the journal is damaged or no checkpoint behind its beginning can be read";

/// What holds a log's segments.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The log.
    pub survey: Survey,
    /// Which receiver's log it is; none: it is the journal.
    pub log: Option<ReceiverLog>,
    /// Whoever needs it, and from where on.
    pub holds: Vec<Hold>,
    /// Its segments, and what holds each.
    pub segments: Vec<Explained>,
    /// Whether what is pending is known. If not, everything counts as held.
    pub is_known: bool,
    /// The receivers' logs that the journal knows, as far as its state is known.
    pub logs: Vec<ReceiverLog>,
}

/// Explains the journal of a root, or a receiver's log in it, if everything older than `before` is to go.
///
/// `NotThere`: there is no such log. `Unavailable`: a driver at work goes on faster than it can be looked at.
pub fn explain(root: &Root, receiver: Option<(u32, u32)>, before: Time) -> Result<Explanation> {
    for _ in 1..TRIES {
        match once(root, receiver, before) {
            Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Retired) => {}
            other => return other,
        }
    }
    once(root, receiver, before)
}

fn once(root: &Root, receiver: Option<(u32, u32)>, before: Time) -> Result<Explanation> {
    let journal = Journal::of(root)?;
    let reading = journal.read_newest()?;
    let known = reading.state();
    let state = known.cloned().unwrap_or_default();
    let (store, survey): (_, Survey) = match receiver {
        None => (root.journal()?, reading.survey().clone()),
        Some((stream, receiver)) => {
            let store = root.received(stream, receiver)?;
            let survey = find(&*store, Position::START, Depth::Quick)
                .map_err(|error| no_log(&*store, &state, (stream, receiver), error))?;
            (store, survey)
        }
    };
    drop(store);
    let log = receiver.map(|(stream, receiver)| ReceiverLog {
        stream,
        receiver,
        identity: survey.identity().map_or(0, |identity| identity.short()),
    });
    let holds = match known {
        Some(state) => resume::holds(needs(journal.kept(), log), state, log).into_iter(),
        None => vec![Hold { from: Position::START, who: UNKNOWN.into() }].into_iter(),
    };
    let holds: Vec<Hold> = holds.map(|hold| say(journal.kept(), hold)).collect();
    let segments = resume::explain(survey.chain(), &holds, before);
    Ok(Explanation {
        log,
        is_known: known.is_some(),
        holds,
        segments,
        logs: state.tracker().logs().collect(),
        survey,
    })
}

/// From where on each kept checkpoint needs a log. A driver cleans nothing while it does not know that of one.
fn needs(kept: &[Kept], log: Option<ReceiverLog>) -> impl Iterator<Item = (Id, Position)> {
    kept.iter().map(move |kept| {
        let needs = |said: &Said| log.map_or(said.position, |log| said.need.from(log));
        (kept.id, kept.said.as_ref().map_or(Position::START, needs))
    })
}

/// Says of a checkpoint that cannot be read that it is so.
fn say(kept: &[Kept], hold: Hold) -> Hold {
    let unread = kept.iter().find_map(|kept| {
        let error = kept.said.as_ref().err()?;
        (hold.who == format!("checkpoint {}", kept.id)).then_some(error)
    });
    match unread {
        Some(error) => {
            let who = format!("{}, of which is not known what it needs ({error})", hold.who);
            Hold { who, ..hold }
        }
        None => hold,
    }
}

fn no_log(store: &dyn Store, state: &State, (stream, receiver): (u32, u32), error: Error) -> Error {
    if error.kind() != Kind::NotThere {
        return error;
    }
    let mut folders: Vec<String> =
        state.tracker().logs().map(|log| format!("{}/{}", log.stream, log.receiver)).collect();
    folders.dedup();
    let known = match folders.as_slice() {
        [] => "the journal knows of none".to_owned(),
        folders => format!("the journal knows of {}", folders[..folders.len().min(20)].join(", ")),
    };
    let message = format!(
        "no log of this receiver is here: stream={stream} receiver={receiver} place={}; {known}",
        store.place()
    );
    Error::new(Kind::NotThere, message)
}
