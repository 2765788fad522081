//! Carrying a plan out.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater_wal::format::header::LOST_MAX;
use headwater_wal::format::name::UNFINISHED;
use headwater_wal::store::{Append, Name, Store, leasing, locking};
use headwater_wal::{Clock, Depth, Error, Kind, Log, Options, Position, Result, Survey, look};

use super::overlay::{Overlay, len};
use super::quarantine::{self, put};
use super::{Action, Repaired};
use crate::open::{open_segment, refusal};
use crate::plan::planned;
use crate::{Consent, Plan};

pub(super) fn execute(
    store: &Arc<dyn Store>,
    plan: &Plan,
    consent: Consent,
    clock: Arc<dyn Clock>,
) -> Result<Repaired> {
    let done = plan.steps_with(consent);
    let left = &plan.steps[done.len()..];
    let mut repaired =
        Repaired { place: store.place(), done: done.to_vec(), left: left.to_vec(), kept_in: None };
    // Owning would end the leases of whoever writes.
    if let Some(file) = plan.open.as_ref().filter(|_| !plan.by_hand.is_empty()) {
        return Err(refusal(&**store, file));
    }
    if done.is_empty() {
        return Ok(repaired);
    }
    if leasing(&**store).is_some() {
        must_be_closed(&**store)?;
    }
    let own = store.append().map(Append::own).transpose()?;
    let again = planned(store, plan.at_least, plan.depth, look(&**store, plan.at_least, plan.depth)?)?;
    if let Some(file) = &again.open {
        return Err(refusal(&**store, file));
    }
    if again.steps != plan.steps {
        let message = "the log is not as the plan found it; nothing was changed; check and plan again";
        return Err(Error::new(Kind::Invalid, message));
    }
    if let Some(append) = locking(&**store) {
        // What is found now is what the plan is about, also after the power goes.
        append.sync_names()?;
    }
    if done.iter().any(|step| !step.actions.is_empty()) {
        let folder = quarantine::folder(&**store)?;
        quarantine::keep(&**store, &mut Overlay::new(store.clone()), &folder, done)?;
        mark(&**store)?;
        let unmark = Action::Remove { file: Name::new(UNFINISHED)? };
        let is_left = left.iter().any(|step| step.actions.contains(&unmark));
        let actions = done.iter().flat_map(|step| &step.actions).filter(|&action| *action != unmark);
        // The mark of an earlier repair, of which something is left, stays.
        for action in actions.chain((!is_left).then_some(&unmark)) {
            match locking(&**store) {
                Some(append) => act(&**store, append, &folder, action)?,
                None => act_on_objects(store, &folder, action)?,
            }
        }
        repaired.kept_in = Some(folder.to_string());
    }
    drop(own);
    let lost: Vec<Range<Position>> = done.iter().filter_map(|step| step.states.clone()).collect();
    if done.iter().any(|step| step.settles) {
        state(store, plan.at_least, lost, &clock)?;
    }
    Ok(repaired)
}

/// Refuses where a segment is open by now.
fn must_be_closed(store: &dyn Store) -> Result<()> {
    let survey = look(store, Position::START, Depth::Quick)?;
    open_segment(store, &survey)?.map_or(Ok(()), |file| Err(refusal(store, &file)))
}

/// From here until it is removed, the log does not start: the newest segment may be on its way by quarantine, and without
/// it the log would seem to end earlier.
fn mark(store: &dyn Store) -> Result<()> {
    match store.put(&Name::new(UNFINISHED)?, Bytes::new()) {
        Err(error) if matches!(error.kind(), Kind::Exists | Kind::Unknown) => {
            store.read(&Name::new(UNFINISHED)?, 0..1).map(drop)
        }
        other => other,
    }
}

/// On media whose files grow. Each change is durable before the next begins.
fn act(store: &dyn Store, append: &dyn Append, folder: &Name, action: &Action) -> Result<()> {
    match action {
        Action::Rewrite { file, writes, len: cut } => {
            let tail = append.reopen(file)?;
            for (offset, bytes) in writes {
                tail.write(*offset, &[bytes])?;
            }
            tail.sync()?;
            // Cut only when what then is the end is durable.
            match cut {
                Some(cut) if len(store, file)?.is_some_and(|len| *cut < len) => tail.trim(*cut),
                _ => Ok(()),
            }
        }
        Action::SetAside { file, leaf } => append.set_aside(file, &folder.join(leaf)?),
        Action::Return { leaf, file } => append.set_aside(&folder.join(leaf)?, file),
        Action::Move { from, to } => append.set_aside(from, to),
        Action::Remove { file } => store.remove(file).and_then(|()| append.sync_names()),
    }
}

/// Where nothing is written over: what belongs at a name is put into quarantine first, so that it is known between the
/// removal of what was there and the put.
fn act_on_objects(store: &Arc<dyn Store>, folder: &Name, action: &Action) -> Result<()> {
    let moved = |from: &Name, to: &Name| {
        put(&**store, to, whole(&**store, from)?)?;
        store.remove(from)
    };
    match action {
        Action::Rewrite { file, .. } => {
            let mut as_it_will_be = Overlay::new(store.clone());
            as_it_will_be.apply(action, folder)?;
            let bytes = whole(&as_it_will_be, file)?;
            let ready = folder.join(&format!("{file}{}", super::names::READY))?;
            put(&**store, &ready, bytes.clone())?;
            store.remove(file)?;
            put(&**store, file, bytes)?;
            store.remove(&ready)
        }
        Action::SetAside { file, leaf } => moved(file, &folder.join(leaf)?),
        Action::Return { leaf, file } => moved(&folder.join(leaf)?, file),
        Action::Move { from, to } => moved(from, to),
        Action::Remove { file } => store.remove(file),
    }
}

fn whole(store: &dyn Store, file: &Name) -> Result<Bytes> {
    let len = len(store, file)?.unwrap_or(0);
    let bytes = store.read(file, 0..len)?;
    if bytes.len() as u64 == len {
        return Ok(bytes);
    }
    Err(Error::new(Kind::Unavailable, "the file changed while it was read; plan again").at(file.as_str(), 0))
}

/// Begins the epochs that state what is lost: one, or as many as it takes to list all.
fn state(
    store: &Arc<dyn Store>,
    at_least: Position,
    mut lost: Vec<Range<Position>>,
    clock: &Arc<dyn Clock>,
) -> Result<()> {
    lost.sort_by_key(|range| range.start);
    loop {
        let survey = look(&**store, at_least, Depth::Quick)?;
        let refusing = refusing(&survey, &lost)?;
        let stated = |range: &Range<Position>| {
            survey.lost().iter().any(|lost| lost.start <= range.start && range.end <= lost.end)
        };
        lost.retain(|range| !stated(range) && !refusing.contains(range));
        let room = LOST_MAX.saturating_sub(refusing.len());
        let rest = lost.split_off(lost.len().min(room));
        let options = Options::default().durability(survey.durability());
        let mut opened = Log::open_with(store.clone(), options, clock.clone())?;
        opened = refusing.into_iter().fold(opened, |opened, range| {
            // A start that rests on a summary does not come to what lies below it, and states it all the same.
            opened.accept_loss(range.clone()).state_loss(range)
        });
        opened = lost.into_iter().fold(opened, |opened, range| opened.state_loss(range));
        opened.accept(at_least)?;
        if rest.is_empty() {
            return Ok(());
        }
        lost = rest;
    }
}

/// What keeps the log from starting; all of it must be in the plan.
fn refusing(survey: &Survey, lost: &[Range<Position>]) -> Result<Vec<Range<Position>>> {
    let planned = |range: &Range<Position>| {
        lost.iter().any(|lost| lost.start <= range.start && range.end <= lost.end.max(lost.start.plus(1)))
    };
    let refusing: Vec<Range<Position>> = survey.damages().iter().map(|damage| damage.range.clone()).collect();
    match refusing.iter().find(|range| !planned(range)) {
        None => Ok(refusing),
        Some(other) => {
            let message = format!(
                "the log is damaged where the plan did not find it; check and plan again: from={} to={}",
                other.start, other.end
            );
            Err(Error::new(Kind::Invalid, message))
        }
    }
}
