//! What the callers' threads and the receiver's own share, and a turn of the receiver's work.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::blocks::{Header, RECORD_KIND};
use super::driver::{Driver, ReceiverLog, Report};
use super::intake::{Flying, Intake, Life, Phase};
use super::options::Options;
use super::settle::Settling;
use super::source::Acknowledge;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::group::Log;

#[derive(Debug)]
pub(super) struct Core {
    pub(super) log: Log,
    pub(super) options: Options,
    pub(super) driver: Arc<dyn Driver>,
    /// Whom to acknowledge to, if it can resend.
    pub(super) source: Option<Arc<dyn Acknowledge>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stepped: bool,
    pub(super) intake: Mutex<Intake>,
    /// There is room for records, or none will come.
    pub(super) room: Condvar,
    /// There may be a block to cut.
    pub(super) to_cut: Condvar,
    /// There may be a block to settle.
    pub(super) to_settle: Condvar,
    /// Held by whoever settles. Taken before the intake, where both are.
    pub(super) settling: Mutex<Settling>,
}

impl Core {
    /// The log, as the driver knows it.
    pub(super) fn receiver_log(&self) -> ReceiverLog {
        ReceiverLog {
            stream: self.options.stream,
            receiver: self.options.receiver,
            identity: self.log.identity(),
        }
    }

    /// A turn of the work; whether anything was done. Nothing in it waits but for the log, the driver and the source.
    pub(super) fn turn(&self) -> bool {
        let cut = self.cut();
        #[cfg(feature = "sim")]
        let cut = (self.stepped && self.log.turn()) || cut;
        self.settle() || cut
    }

    /// Cuts the open block if it is due, and hands the oldest cut block to the log. Only one thread does.
    pub(super) fn cut(&self) -> bool {
        let now = self.clock.elapsed();
        let (cut, header) = {
            let mut intake = self.intake.lock();
            if matches!(intake.life, Life::Over(_)) {
                return false;
            }
            if intake.due(&self.options, now).is_some_and(|due| due.is_zero()) {
                intake.cut();
            }
            if intake.phase != Phase::Cutting || intake.appending {
                return false;
            }
            let Some(cut) = intake.cut.pop_front() else { return false };
            intake.appending = true;
            let header = Header {
                stream: self.options.stream,
                receiver: self.options.receiver,
                epoch: self.log.epoch(),
                number: intake.number,
                records: cut.building.records(),
                settled: intake.settled,
                ranges: Vec::new(),
            };
            intake.number += 1;
            (cut, header)
        };
        let ranges = cut.building.ranges().to_vec();
        let payload = Bytes::from(cut.building.finish(&header));
        let appended = self.log.append_kind(RECORD_KIND, self.log.now(), payload.clone());
        let mut intake = self.intake.lock();
        intake.appending = false;
        match appended {
            Ok(ticket) => intake.flying.push_back(Flying {
                ticket: Some(ticket),
                handle: None,
                previous: None,
                number: header.number,
                records: header.records,
                ranges,
                payload,
                since: cut.since,
                weight: cut.weight,
            }),
            Err(error) => {
                drop(intake);
                self.end(error);
                return true;
            }
        }
        self.to_settle.notify_one();
        true
    }

    /// Ends the receiver for good. What is not acknowledged is left to the source; what is durable and not reported, to
    /// the next receiver of this log.
    pub(super) fn end(&self, error: Error) {
        let mut intake = self.intake.lock();
        if !matches!(intake.life, Life::Over(_)) {
            intake.life = Life::Over(error);
        }
        drop(intake);
        self.wake();
    }

    pub(super) fn wake(&self) {
        self.room.notify_all();
        self.to_cut.notify_all();
        self.to_settle.notify_all();
    }

    /// Why the receiver is over, if it is.
    pub(super) fn over(&self) -> Result<()> {
        match &self.intake.lock().life {
            Life::Over(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// What is told of a block that is durable.
    pub(super) fn report_of(&self, flying: &Flying) -> Option<Report> {
        let mut ranges = flying.ranges.clone();
        ranges.sort_unstable();
        Some(Report {
            stream: self.options.stream,
            receiver: self.options.receiver,
            handle: flying.handle?,
            previous: flying.previous,
            number: flying.number,
            records: flying.records,
            ranges,
        })
    }
}
