//! Removing what nobody needs any more.
//!
//! What goes is decided by the kept checkpoints alone, and by time on top. A kept checkpoint needs the journal from its
//! position, and of each receiver's log the blocks that were waiting or in an unfinished batch at that moment, and
//! everything behind; so what the present state needs, each of them needs too, and so do the blocks that are not reported
//! yet. So the order is: a checkpoint is durable, and its head says which others are kept; then the intent is recorded;
//! then segments are removed. A crash anywhere leaves less removed than may be.
//!
//! While the disk is full, recording gives way: the journal's own segments are retired without it, since its log keeps
//! room for the mark that says so; and what receivers may remove is given out although the intent is not recorded, for it
//! only tells later of what the checkpoints already permit. A checkpoint that finds no room suspends nothing.

use std::time::Duration;

use headwater_wal::{Error, Kind, Log, Position, Result, Retired, Time};

use super::Driver;
use crate::journal::{Need, ReceiverLog, Retiring};

/// How often is looked whether the disk is full, while an intent is on its way.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a cleaning has come to.
#[derive(Debug)]
pub struct Cleaned {
    /// Why nothing was cleaned, if so: checkpoints fail, there is none yet, one cannot be read, or the clock has jumped.
    pub suspended: Option<Error>,
    /// What became of the journal's own segments.
    pub journal: Option<Retired>,
    /// What each receiver may [`release`] of its log: everything below the position.
    pub received: Vec<(ReceiverLog, Position)>,
    /// Intents that could not be recorded, since the disk is full.
    pub unrecorded: usize,
}

impl Driver {
    /// Removes from the journal what is older than `before`, by the engine's time, and needed by nobody; and says what
    /// each receiver may remove of its log.
    ///
    /// Nothing is cleaned while checkpoints fail: what the newest state does not need any more, the last good checkpoint
    /// may. The error says then why; the call itself fails only where the journal does. Only where they fail for want of
    /// room does cleaning go on, by what the kept ones need, for nothing else may ever make that room.
    pub fn clean(&self, before: Time) -> Result<Cleaned> {
        let mut cleaned = Cleaned { suspended: None, journal: None, received: Vec::new(), unrecorded: 0 };
        let suspend = |why: &str| Error::new(Kind::Unavailable, format!("nothing is cleaned: {why}"));
        let status = self.status();
        // A disk that is full is no reason to keep what fills it: what the kept checkpoints do not need goes.
        if let Some(failure) = status.failure.filter(|failure| failure.kind() != Kind::Full) {
            let why = format!("checkpoints fail: tries={}", status.failures);
            cleaned.suspended = Some(suspend(&why).because(failure));
            return Ok(cleaned);
        }
        let kept = match self.kept_needs() {
            Ok(kept) => kept,
            Err(error) => {
                cleaned.suspended = Some(suspend("a kept checkpoint cannot be read").because(error));
                return Ok(cleaned);
            }
        };
        let Some(journal_from) = kept.values().map(|needed| needed.journal).min() else {
            cleaned.suspended = Some(suspend("there is no checkpoint yet"));
            return Ok(cleaned);
        };
        let needs = kept.into_values().map(|needed| needed.received);
        let need = needs.reduce(|all, next| all.and(&next)).unwrap_or_default();
        match self.retire_journal(journal_from, before) {
            // The log's clock is in doubt: nothing that goes by time is to be trusted.
            Err(doubt) if doubt.kind() == Kind::Unavailable => {
                cleaned.suspended = Some(doubt);
                return Ok(cleaned);
            }
            outcome => cleaned.journal = Some(outcome?),
        }
        self.intend(&need, &mut cleaned)?;
        Ok(cleaned)
    }

    fn retire_journal(&self, from: Position, before: Time) -> Result<Retired> {
        let log = self.journal().log();
        // The old pin goes only once the new one stands.
        let mut pin = self.pin.lock();
        *pin = Some(log.pin(from.max(log.range().start))?);
        drop(pin);
        log.retire_before(before)
    }

    fn intend(&self, need: &Need, cleaned: &mut Cleaned) -> Result<()> {
        for (log, from) in need.logs().filter(|(_, from)| *from > Position::START) {
            match self.record(log, from)? {
                Some(Retiring::Intended) => {}
                // Needs only go up, so this never is; and if it were, the state is right.
                Some(Retiring::Needed { .. }) => continue,
                None => cleaned.unrecorded += 1,
            }
            cleaned.received.push((log, from));
        }
        Ok(())
    }

    /// Waits until the intent is on record; not for room, which perhaps only this cleaning would make, nor for somebody
    /// who waits for room.
    fn record(&self, log: ReceiverLog, from: Position) -> Result<Option<Retiring>> {
        let is_full = || self.journal().log().waits_for_room().is_some();
        let mut intent = loop {
            if is_full() {
                return Ok(None);
            }
            if let Some(intent) = self.journal().retire_within(log, from, LOOK_EVERY)? {
                break intent;
            }
        };
        loop {
            intent = match intent.wait_for(LOOK_EVERY) {
                Ok(recorded) => return recorded.map(Some),
                Err(waits) => waits,
            };
            if is_full() {
                return Ok(None);
            }
        }
    }
}

/// Removes whole segments of a receiver's log that lie below `below`, as [`Driver::clean`] says it may, and that are older
/// than `before` by the engine's time.
pub fn release(log: &Log, below: Position, before: Time) -> Result<Retired> {
    let range = log.range();
    let _pin = log.pin(below.clamp(range.start, range.end))?;
    log.retire_before(before)
}
