//! What holds each segment of the journal or of a receiver's log, in words.

use headwater_checkpoint::Id;
use headwater_checkpoint::journal::{ReceiverLog, State};
use headwater_checkpoint::resume::{self, Explained, Hold, Root};
use headwater_wal::store::Store;
use headwater_wal::{Depth, Error, Kind, Position, Result, Survey, Time};

use super::kept::Kept;
use super::reading::Journal;
use crate::find;

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
/// `NotThere`: there is no such log.
pub fn explain(root: &Root, receiver: Option<(u32, u32)>, before: Time) -> Result<Explanation> {
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
        Some(state) => resume::holds(needs(journal.kept(), log), state, log),
        None => vec![Hold {
            from: Position::START,
            who: "what is pending is not known, since the journal is damaged or no checkpoint behind its beginning can be read"
                .into(),
        }],
    };
    let holds = unread(journal.kept()).chain(holds).collect::<Vec<_>>();
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

/// From where on each kept checkpoint that can be read needs a log.
fn needs(kept: &[Kept], log: Option<ReceiverLog>) -> impl Iterator<Item = (Id, Position)> {
    kept.iter().filter_map(move |kept| {
        let said = kept.said.as_ref().ok()?;
        Some((kept.id, log.map_or(said.position, |log| said.need.from(log))))
    })
}

/// A driver cleans nothing while it does not know what a kept checkpoint needs.
fn unread(kept: &[Kept]) -> impl Iterator<Item = Hold> {
    kept.iter().filter_map(|kept| {
        let error = kept.said.as_ref().err()?;
        let who = format!("checkpoint {}, of which is not known what it needs ({error})", kept.id);
        Some(Hold { from: Position::START, who })
    })
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
