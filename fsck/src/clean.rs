//! What cleaning would remove, and what holds the rest. Nothing is removed here.

use headwater_checkpoint::journal::ReceiverLog;
use headwater_checkpoint::resume::{self, Explained, Hold, Root};
use headwater_wal::store::Store;
use headwater_wal::{Depth, Kind, Position, Result, Survey, Time};

use crate::{find, journal, logs_below};

/// A root has no more receivers' logs than this that are not in its journal.
const LOGS_MAX: usize = 1000;

/// What cleaning one log would come to.
#[derive(Clone, Debug)]
pub struct Cleaning {
    /// The log.
    pub survey: Survey,
    /// What it is to its root.
    pub what: Cleaned,
    /// Its segments, and what holds each. Those that nothing holds go.
    pub segments: Vec<Explained>,
    /// Whether what needs it is known. If not, everything counts as held.
    pub is_known: bool,
}

/// Which log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaned {
    /// A log by itself: its owner alone says what it needs.
    Alone,
    /// A driver's journal.
    Journal,
    /// The log of a receiver.
    Received(ReceiverLog),
}

impl Cleaning {
    /// The segments that would go: a run from the beginning.
    pub fn goes(&self) -> &[Explained] {
        let held = self.segments.iter().position(|one| !one.held_by.is_empty());
        &self.segments[..held.unwrap_or(self.segments.len())]
    }

    /// The segments that would stay.
    pub fn stays(&self) -> &[Explained] {
        &self.segments[self.goes().len()..]
    }

    /// Where the log would begin then.
    pub fn begins(&self) -> Position {
        self.stays().first().map_or(self.survey.begins(), |one| one.segment.base.max(self.survey.begins()))
    }
}

/// What would go of a log by itself, if its owner retired what was sealed before `before`, by the engine's time. Pins are
/// of the process that writes, and are not seen.
pub fn clean_log(store: &dyn Store, before: Time) -> Result<Cleaning> {
    let survey = find(store, Position::START, Depth::Quick)?;
    Ok(of(survey, Cleaned::Alone, &[], before, true))
}

/// What would go of a root, if everything that was sealed before `before` went that nobody needs: its journal first, then
/// the receivers' logs that the journal knows, and those that lie in it and are not known, which are all held.
pub fn clean_root(root: &Root, store: &dyn Store, before: Time) -> Result<Vec<Cleaning>> {
    let explained = journal::explain(root, None, before)?;
    let known = explained.logs.clone();
    let mut cleanings = vec![from(explained, Cleaned::Journal)];
    for log in &known {
        match journal::explain(root, Some((log.stream, log.receiver)), before) {
            Ok(explained) => {
                let log = explained.log.unwrap_or(*log);
                cleanings.push(from(explained, Cleaned::Received(log)));
            }
            // What is not here is not cleaned here: it may lie on the receiver's own disk.
            Err(error) if error.kind() == Kind::NotThere => {}
            Err(error) => return Err(error),
        }
    }
    for folder in logs_below(store, LOGS_MAX)? {
        let Some((stream, receiver)) = receiver_of(folder.as_str()) else { continue };
        if known.iter().any(|log| (log.stream, log.receiver) == (stream, receiver)) {
            continue;
        }
        let survey = find(&*root.received(stream, receiver)?, Position::START, Depth::Quick)?;
        let identity = survey.identity().map_or(0, |identity| identity.short());
        let who = "the journal does not know this log: nothing of it is reported yet".to_owned();
        let hold = Hold { from: Position::START, who };
        cleanings.push(of(
            survey,
            Cleaned::Received(ReceiverLog { stream, receiver, identity }),
            &[hold],
            before,
            true,
        ));
    }
    Ok(cleanings)
}

/// The receiver of a folder `received/STREAM/RECEIVER`.
fn receiver_of(folder: &str) -> Option<(u32, u32)> {
    let (stream, receiver) = folder.strip_prefix("received/")?.split_once('/')?;
    Some((stream.parse().ok()?, receiver.parse().ok()?))
}

fn from(explained: journal::Explanation, what: Cleaned) -> Cleaning {
    let journal::Explanation { survey, segments, is_known, .. } = explained;
    damaged(Cleaning { survey, what, segments, is_known })
}

fn of(survey: Survey, what: Cleaned, holds: &[Hold], before: Time, is_known: bool) -> Cleaning {
    let segments = resume::explain(survey.chain(), holds, before);
    damaged(Cleaning { survey, what, segments, is_known })
}

/// A log that is refused is not cleaned: nobody can start it.
fn damaged(mut cleaning: Cleaning) -> Cleaning {
    if cleaning.survey.damage_count() > 0 {
        for one in &mut cleaning.segments {
            one.held_by.push("the log is damaged, and does not start until it is repaired".to_owned());
        }
    }
    cleaning
}
