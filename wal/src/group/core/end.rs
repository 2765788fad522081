//! How a log ends: closed, with everything written, or failed, with every ticket answered all the same.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::super::queue::{Job, Life};
use super::super::ticket::Slot;
use super::{Back, Core, Desk, Turn, caught};
use crate::error::{Error, Kind};
use crate::format::{Handle, Unsettled};
use crate::log::Failed;
use crate::store::Room;

impl Core {
    /// Ends the log: everything that was handed in is written, the active segment is sealed, and only then, when every
    /// operation of the device has returned, is the place given up. What a full disk has no room for is answered with
    /// `Full`.
    pub(in crate::group) fn close_now(&self) {
        // A log that has failed stays failed: its writer is not to touch the device again, not even to seal.
        let woken = self.queue.lock().closing();
        self.wake(woken);
        while matches!(self.turn(), Turn::Did | Turn::Busy) && self.until_landed() {}
        self.give_up_the_grounded();
        self.until_errands_are_done();
        let mut desk = loop {
            if !self.until_landed() {
                return;
            }
            let desk = self.desk();
            // On a full disk records may be left, and who waits for one may have brought it to the device since.
            if desk.flying.is_empty() {
                break desk;
            }
        };
        let Some(writer) = desk.writer.as_mut() else { return };
        let failed = matches!(self.queue.lock().life, Life::Failed(_));
        if !failed {
            match caught(|| writer.seal(self.now())) {
                Ok(()) | Err(Failed::Full(_)) => self.show(writer),
                Err(Failed::Dead(error)) => {
                    self.fail(desk, &error, Vec::new(), Vec::new(), 0);
                    desk = self.desk();
                }
            }
            if let Some(append) = self.store.append().filter(|_| !self.stepped) {
                // What was made ahead is not needed; who owns the place next removes it otherwise.
                let _ = caught(|| Ok(append.ahead(0, Room::Written)?));
            }
        }
        let mut queue = self.queue.lock();
        let jobs = queue.clear();
        // What was handed in and cannot be written is told by `close` too: its ticket may have been dropped.
        let full = queue.full.take();
        queue.full = full.clone().filter(|_| jobs.iter().any(|job| job.prepared().is_some()));
        if !matches!(queue.life, Life::Failed(_)) {
            queue.life = Life::Closed;
        }
        drop(queue);
        desk.writer = None; // the lock goes with the writer, after its last operation has returned
        drop(desk);
        let error = full.unwrap_or_else(|| Error::new(Kind::Closed, "the log was closed"));
        self.wake(jobs.into_iter().filter_map(|job| job.refuse(error.clone())));
    }

    /// Ends the log if there is still no room for a group behind which others have landed: those are not part of it.
    fn give_up_the_grounded(&self) {
        let desk = self.desk();
        let full = {
            let queue = self.queue.lock();
            queue.full.clone().filter(|_| queue.grounded > 0)
        };
        if let Some(full) = full {
            self.fail(desk, &full, Vec::new(), Vec::new(), 0);
        }
    }

    /// Waits until nothing is at the device. `false`: never, since who was there with a stepped log's group is gone, by a
    /// panic of a test's own.
    fn until_landed(&self) -> bool {
        let mut queue = self.queue.lock();
        while queue.flying > queue.grounded {
            if !self.stepped {
                self.landed.wait(&mut queue);
            } else if !MutexGuard::unlocked(&mut queue, || self.clock.wait_for_others()) {
                return false;
            }
        }
        true
    }

    /// Ends the log for good: nothing is acknowledged any more, and every ticket is answered; those of groups that are
    /// at the device when they come back.
    ///
    /// `handed` was handed over, to these places. `jobs` were not. So many groups at the device have places `before` what
    /// failed.
    pub(super) fn fail(
        &self,
        mut desk: MutexGuard<'_, Desk>,
        error: &Error,
        mut handed: Vec<(Arc<Slot<Handle>>, Unsettled)>,
        mut jobs: Vec<Job>,
        before: usize,
    ) -> Turn {
        if let Some(writer) = desk.writer.as_mut() {
            writer.give_up();
        }
        let mut queue = self.queue.lock();
        // What has landed behind a group that failed is not known to be safe either: a log has no gaps.
        let flying = std::mem::take(&mut desk.flying);
        // The payloads go last, off all locks.
        let (mut records, mut ahead) = (Vec::new(), Vec::new());
        for (index, flying) in flying.into_iter().enumerate() {
            let (mut flight, party) = match flying.back {
                Some(Back::Landed(flight, party) | Back::NoRoom(flight, party)) => (flight, party),
                None => {
                    desk.flying.push_back(flying);
                    continue;
                }
            };
            self.subside(&mut queue, 1, party.frames);
            records.push(flight.take_records());
            let side = if index < before { &mut ahead } else { &mut handed };
            side.extend(party.slots.into_iter().zip(flight.places()));
        }
        queue.grounded = 0;
        let mut woken = Vec::new();
        if !matches!(queue.life, Life::Failed(_)) {
            let (waiting, line) = queue.fail(error.clone());
            jobs.extend(waiting);
            woken.extend(line);
        }
        drop(queue);
        woken.extend(ahead.into_iter().filter_map(|(slot, place)| slot.set(Err(unknown(error, place)))));
        woken.extend(handed.into_iter().filter_map(|(slot, place)| slot.set(Err(refusal(error, place)))));
        woken.extend(jobs.iter().filter_map(|job| job.refuse(refusal(error, Unsettled::NOWHERE))));
        drop(desk);
        self.work.notify_all();
        self.wake(woken);
        Turn::Over
    }
}

/// What is answered when the log has failed. `Fenced` is known only where the newer epoch was read at this group's name,
/// or at one before it, or nothing was handed over, so nothing of it landed.
fn refusal(error: &Error, place: Unsettled) -> Error {
    match error.kind() {
        Kind::Fenced => error.clone(),
        _ => unknown(error, place),
    }
}

fn unknown(error: &Error, place: Unsettled) -> Error {
    Error::new(Kind::Unknown, "the log failed before this was acknowledged; start it again and settle it")
        .because(error.clone())
        .about(place)
}
