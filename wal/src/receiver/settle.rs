//! From the log to the driver to the source: blocks are reported in the order of their log once they are durable, and
//! acknowledged once they are reported.

use std::collections::BTreeMap;
use std::time::Duration;

use super::anew::Anew;
use super::catch_up::CatchUp;
use super::core::Core;
use super::driver::{Answer, End, Report};
use super::intake::Phase;
use super::pace::BackOff;
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position};

/// So many blocks are reported at once, at most.
pub(super) const REPORTS_MAX: usize = 64;

/// So long is waited for a ticket before it is looked whether the receiver goes on.
const TICKET_WAIT: Duration = Duration::from_millis(50);

/// What whoever settles knows.
#[derive(Debug)]
pub(super) struct Settling {
    /// The last block of the log that is durable.
    pub(super) last: Option<Position>,
    pub(super) catch_up: Option<CatchUp>,
    pub(super) anew: Option<Anew>,
    /// Behind which block the driver missed something, if nothing has been settled since.
    pub(super) missed: Option<Option<Position>>,
    /// What the source is to be told.
    pub(super) owed: BTreeMap<u32, u64>,
    /// When to ask the driver again, and why it did not answer.
    pub(super) driver: BackOff,
    pub(super) driver_away: Option<Error>,
    pub(super) source: BackOff,
    pub(super) source_away: Option<Error>,
}

impl Core {
    /// Brings on what can be brought on; whether anything was done.
    pub(super) fn settle(&self) -> bool {
        if self.over().is_err() {
            return false;
        }
        let mut settling = self.settling.lock();
        let settling = &mut *settling;
        let mut did = self.collect(settling);
        if settling.driver.wait(self.clock.elapsed()).is_none() {
            did |= match (&settling.catch_up, &settling.anew) {
                (Some(_), _) => self.catch_up(settling),
                (None, Some(_)) => self.cut_anew(settling),
                (None, None) => self.report(settling),
            };
        }
        self.acknowledge(settling) || did
    }

    /// Takes in the answers of the log, in order.
    fn collect(&self, settling: &mut Settling) -> bool {
        let mut did = false;
        let mut failed = None;
        let mut intake = self.intake.lock();
        for flying in intake.flying.iter_mut().filter(|flying| flying.handle.is_none()) {
            match flying.ticket.as_ref().and_then(|ticket| ticket.answer()) {
                Some(Ok(handle)) => {
                    flying.ticket = None;
                    flying.handle = Some(handle);
                    flying.previous = settling.last.replace(handle.position());
                    did = true;
                }
                Some(Err(error)) => {
                    failed = Some(error);
                    break;
                }
                None => break,
            }
        }
        drop(intake);
        match failed {
            // It may be in the log or not: nobody was told, so the source has it still; and what is there is reported
            // by whoever takes the log over.
            Some(error) => self.end(error),
            None => return did,
        }
        true
    }

    /// Reports the blocks that are durable.
    fn report(&self, settling: &mut Settling) -> bool {
        let reports: Vec<Report> = {
            let intake = self.intake.lock();
            intake.flying.iter().map_while(|flying| self.report_of(flying)).take(REPORTS_MAX).collect()
        };
        if reports.is_empty() {
            return false;
        }
        let Some(answers) = self.ask(settling, &reports) else { return true };
        for (report, answer) in reports.iter().zip(answers) {
            match answer {
                Answer::Taken => self.taken(settling, report),
                Answer::PassedOver => {
                    let message =
                        "another receiver has taken the log over and passed over a block of this one";
                    self.end(Error::new(Kind::Fenced, format!("{message}: {}", place(report))));
                }
                Answer::Refused(ends) => match Anew::of(report, &ends) {
                    Ok(anew) => {
                        settling.anew = Some(anew);
                        self.intake.lock().phase = Phase::CuttingAnew;
                    }
                    Err(error) => self.end(error),
                },
                Answer::Early(settled) => self.missing(settling, settled, Some(report.handle.position())),
                Answer::Full => self.full(settling),
            }
            if answer_ends(settling) || self.over().is_err() {
                break;
            }
        }
        true
    }

    /// A block is settled, and every record of it known to the driver: its source can be told.
    fn taken(&self, settling: &mut Settling, report: &Report) {
        let mut intake = self.intake.lock();
        let flying = intake.flying.pop_front().expect("the oldest one is reported first");
        assert_eq!(flying.handle, Some(report.handle), "blocks are settled in their order");
        intake.give_room(flying.weight, flying.records);
        intake.settled = Some(report.handle.position());
        settling.missed = None;
        for range in &report.ranges {
            intake.is_safe(range.partition, range.to);
            settling.owes(range.partition, range.to);
        }
        drop(intake);
        self.room.notify_all();
    }

    pub(super) fn full(&self, settling: &mut Settling) {
        let message = "the driver has no room for more blocks until batches have finished";
        settling.driver_away = Some(Error::new(Kind::Unavailable, message));
        settling.driver.failed(self.clock.elapsed(), self.clock.random());
    }

    /// Reports blocks: the driver's answers to the first of them, one at least, if there are any.
    pub(super) fn ask(&self, settling: &mut Settling, reports: &[Report]) -> Option<Vec<Answer>> {
        let answers = self.driver.report(reports).and_then(|answers| match answers.len() {
            0 => Err(Error::new(Kind::Unavailable, "the driver gave no answer")),
            len if len > reports.len() => Err(nonsense(&reports[0], &answers)),
            _ => Ok(answers),
        });
        self.asked(settling, answers)
    }

    /// Has a block passed over that was refused: it was, or the driver misses what is before it.
    pub(super) fn ask_to_pass_over(&self, settling: &mut Settling, report: &Report) -> Option<Answer> {
        let answer = self.driver.pass_over(report).and_then(|answer| match answer {
            Answer::PassedOver | Answer::Early(_) => Ok(answer),
            answer => Err(nonsense(report, &[answer])),
        });
        self.asked(settling, answer)
    }

    /// The driver's answer, if there is one. If it could not be reached, it is asked again later; if it finds fault, the
    /// receiver ends.
    fn asked<T>(&self, settling: &mut Settling, answer: Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => {
                settling.driver.went_well();
                settling.driver_away = None;
                Some(answer)
            }
            Err(error) if error.kind() == Kind::Invalid => {
                self.end(error);
                None
            }
            Err(error) => {
                settling.driver_away = Some(error);
                settling.driver.failed(self.clock.elapsed(), self.clock.random());
                None
            }
        }
    }

    /// Tells the source what is safe.
    fn acknowledge(&self, settling: &mut Settling) -> bool {
        let Some(source) = &self.source else { return false };
        {
            let mut intake = self.intake.lock();
            for partition in std::mem::take(&mut intake.resent) {
                if let Some(safe) = intake.safe(partition) {
                    settling.owes(partition, safe);
                }
            }
        }
        if settling.owed.is_empty() || settling.source.wait(self.clock.elapsed()).is_some() {
            return false;
        }
        let ends: Vec<End> = settling.owed.iter().map(|(&partition, &end)| End { partition, end }).collect();
        match source.acknowledge(&ends) {
            Ok(()) => {
                settling.owed.clear();
                settling.source.went_well();
                settling.source_away = None;
                self.room.notify_all(); // who waits for the end of a stop waits for this too
            }
            Err(error) => {
                settling.source_away = Some(error);
                settling.source.failed(self.clock.elapsed(), self.clock.random());
            }
        }
        true
    }

    /// Waits for something to settle, or until something is to be tried again.
    pub(super) fn wait_to_settle(&self) {
        let now = self.clock.elapsed();
        let (again, waits_for_driver) = {
            let settling = self.settling.lock();
            let driver = settling.driver.wait(now);
            let source = settling.source.wait(now);
            let soonest = driver.into_iter().chain(source).min();
            (soonest.unwrap_or(Duration::from_secs(1)), driver.is_some())
        };
        let mut intake = self.intake.lock();
        if self.has_ended(&intake) {
            return;
        }
        let unanswered = intake.flying.iter().position(|flying| flying.handle.is_none());
        let Some(at) = unanswered.filter(|_| !waits_for_driver) else {
            // With blocks that are durable and no wait for the driver there is something to do at once, unless a block
            // is on its way to the log that has to be there first.
            let idle = intake.flying.is_empty() && intake.resent.is_empty();
            if idle || waits_for_driver || intake.appending {
                self.to_settle.wait_for(&mut intake, again);
            }
            return;
        };
        // Only whoever settles takes blocks out, so it will be in the same place.
        let Some(ticket) = intake.flying[at].ticket.take() else { return };
        drop(intake);
        let ticket = match ticket.wait_for(again.min(TICKET_WAIT)) {
            Err(ticket) => ticket,
            Ok(answer) => {
                self.answered(at, answer);
                return;
            }
        };
        self.intake.lock().flying[at].ticket = Some(ticket);
    }

    /// A ticket has answered, and is gone.
    fn answered(&self, at: usize, answer: Result<Handle>) {
        match answer {
            Ok(handle) => {
                let mut settling = self.settling.lock();
                let flying = &mut self.intake.lock().flying[at];
                flying.handle = Some(handle);
                flying.previous = settling.last.replace(handle.position());
            }
            Err(error) => self.end(error),
        }
    }
}

impl Settling {
    pub(super) fn owes(&mut self, partition: u32, end: u64) {
        let owed = self.owed.entry(partition).or_default();
        *owed = end.max(*owed);
    }
}

/// Whether what was answered last has to be dealt with before anything else is reported.
fn answer_ends(settling: &Settling) -> bool {
    settling.anew.is_some() || settling.catch_up.is_some() || settling.driver.tries() > 0
}

/// No driver that keeps to its contract answers so. Believing it could cost records, or go round in circles.
pub(super) fn nonsense(report: &Report, answers: &[Answer]) -> Error {
    let message = format!("the driver's answer makes no sense: {} answers={answers:?}", place(report));
    Error::new(Kind::Invalid, message)
}

pub(super) fn place(report: &Report) -> String {
    format!(
        "stream={} receiver={} log={:016x} position={}",
        report.stream,
        report.receiver,
        report.handle.identity(),
        report.handle.position()
    )
}
