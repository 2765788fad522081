//! What a receiver does before it cuts anything: it reports the blocks of its log that the driver does not know. They
//! may be of another receiver, which died.

use std::collections::VecDeque;
use std::ops::Range;

use super::anew::explains;
use super::blocks::{self, RECORD_KIND};
use super::core::Core;
use super::driver::{Answer, Report};
use super::intake::Phase;
use super::settle::{REPORTS_MAX, Settling};
use crate::error::{Error, Kind, Result};
use crate::format::{Handle, Position};
use crate::group::Log;

/// A way through the log, from the last block that is settled on.
pub(super) struct CatchUp {
    records: Box<dyn Iterator<Item = Result<Block>> + Send>,
    /// Blocks from here on are held in memory and reported from there.
    until: Option<Position>,
    /// What was settled when it began.
    settled: Option<Position>,
    /// The last block that was read, of which epoch, and which of that one's it was.
    last: Option<Position>,
    number: Option<(u64, u64)>,
    pending: VecDeque<Report>,
    /// The first of those was refused, and is to be passed over.
    refused: bool,
    read_all: bool,
}

/// A record of the log, and what a block in it says of itself.
type Block = (Handle, Option<blocks::Header>);

impl std::fmt::Debug for CatchUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatchUp")
            .field("last", &self.last)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl CatchUp {
    /// From the last block on that is settled, itself included: its number tells whether the next one follows.
    pub(super) fn new(log: &Log, settled: Option<Position>, until: Option<Position>) -> Result<CatchUp> {
        // Nothing is removed from where the last settled block lies on. So a driver that has settled only what lies before
        // is not the newest one, or no longer what it was; what it misses here, another one has had.
        let begins = log.range().start;
        let behind = begins > settled.unwrap_or(Position::START);
        let survey = log.survey();
        // A beginning that was damaged, and accepted as lost, is another matter.
        if behind && survey.damages().is_empty() && survey.lost().is_empty() {
            let message = format!(
                "the log begins behind what the driver has settled: the driver was replaced and does not know it, or has \
                 lost events of its journal: log={:016x} begins={begins} settled={settled:?}",
                log.identity()
            );
            return Err(Error::new(Kind::Unavailable, message));
        }
        let replay = log.replay(if behind { Position::START } else { settled.unwrap_or(Position::START) })?;
        let blocks = replay.map(|record| {
            let record = record?;
            let block = record.kind == RECORD_KIND;
            let header = if block { Some(blocks::header(&record.payload)?) } else { None };
            Ok((record.handle, header))
        });
        Ok(CatchUp {
            records: Box::new(blocks),
            until,
            settled,
            last: settled,
            number: None,
            pending: VecDeque::new(),
            refused: false,
            read_all: false,
        })
    }

    /// Reads until there is enough to report, or nothing more to read.
    fn read(&mut self, core: &Core) -> Result<()> {
        while self.pending.len() < REPORTS_MAX && !self.read_all {
            let (handle, header) = match self.records.next() {
                None => (None, None),
                Some(block) => block.map(|(handle, header)| (Some(handle), header))?,
            };
            let Some(handle) =
                handle.filter(|handle| self.until.is_none_or(|until| handle.position() < until))
            else {
                self.read_all = true;
                break;
            };
            let Some(header) = header else { continue };
            self.take(core, handle, header)?;
        }
        Ok(())
    }

    /// Whether a loss was accepted between the last block and this place, now or when the log was started before. Then
    /// what is missing is known to be, a source that can resend was not told of it, and the driver settles what is behind.
    fn has_lost(&self, core: &Core, before: Position) -> bool {
        let lost =
            |range: &Range<Position>| range.start < before && self.last.is_none_or(|last| last < range.end);
        let survey = core.log.survey();
        // A log with a damage that was not accepted does not start.
        survey.damages().iter().map(|damage| &damage.range).chain(survey.lost()).any(lost)
    }

    fn take(&mut self, core: &Core, handle: Handle, header: blocks::Header) -> Result<()> {
        let wrong = |kind, what: &str| {
            let position = handle.position();
            let message = format!("{what}: log={:016x} position={position} {header:?}", handle.identity());
            Err(Error::new(kind, message))
        };
        let options = &core.options;
        if (header.stream, header.receiver) != (options.stream, options.receiver) {
            return wrong(Kind::Invalid, "the log is another receiver's");
        }
        let follows = self.number.is_none_or(|(epoch, number)| {
            let next = if header.epoch > epoch { 0 } else { number + 1 };
            header.epoch >= epoch && header.number == next
        });
        self.number = Some((header.epoch, header.number));
        if self.settled.is_some_and(|settled| handle.position() <= settled) {
            return Ok(());
        }
        // What was settled when it was cut lies at or before the block before it; else that one is not here any more.
        if (!follows || header.settled > self.last) && !self.has_lost(core, handle.position()) {
            return wrong(Kind::Damaged, "a block is missing that the driver has not settled");
        }
        let previous = self.last.replace(handle.position());
        let mut ranges = header.ranges;
        ranges.sort_unstable();
        self.pending.push_back(Report {
            stream: header.stream,
            receiver: header.receiver,
            handle,
            previous,
            number: header.number,
            records: header.records,
            ranges,
        });
        Ok(())
    }
}

impl Core {
    /// The driver misses blocks that lie before one that was reported: they are read from the log and reported first.
    pub(super) fn missing(
        &self,
        settling: &mut Settling,
        settled: Option<Position>,
        until: Option<Position>,
    ) {
        // What has been asked for and could not be given would be asked for for ever.
        let again = settling.missed.replace(settled) == Some(settled);
        let catch_up = if again {
            let message = format!("the driver misses blocks that the log does not have: settled={settled:?}");
            Err(Error::new(Kind::Damaged, message))
        } else {
            CatchUp::new(&self.log, settled, until)
        };
        match catch_up {
            Ok(catch_up) => settling.catch_up = Some(catch_up),
            Err(error) => self.end(error),
        }
    }

    /// Reports what comes next.
    pub(super) fn catch_up(&self, settling: &mut Settling) -> bool {
        let Some(mut catch_up) = settling.catch_up.take() else { return false };
        if let Err(error) = catch_up.read(self) {
            self.end(error);
            return true;
        }
        let done = catch_up.pending.is_empty();
        let until = catch_up.until;
        if done {
            let mut intake = self.intake.lock();
            intake.settled = intake.settled.max(catch_up.last);
            if intake.phase == Phase::CatchingUp {
                intake.phase = Phase::Cutting;
                settling.last = catch_up.last;
            }
            drop(intake);
            self.wake();
            return true;
        }
        let answers = if catch_up.refused {
            self.ask_to_pass_over(settling, &catch_up.pending[0]).map(|answer| vec![answer])
        } else {
            self.ask(settling, catch_up.pending.make_contiguous())
        };
        settling.catch_up = Some(catch_up);
        for answer in answers.unwrap_or_default() {
            let Some(catch_up) = &mut settling.catch_up else { break };
            match answer {
                Answer::Taken => {
                    let report = catch_up.pending.pop_front().expect("an answer is one of a block");
                    settling.missed = None;
                    let mut intake = self.intake.lock();
                    for range in &report.ranges {
                        intake.is_safe(range.partition, range.to);
                        settling.owes(range.partition, range.to);
                    }
                }
                // Its source was not told that it is safe, and sends again what the driver does not know.
                Answer::PassedOver => {
                    catch_up.pending.pop_front();
                    catch_up.refused = false;
                    settling.missed = None;
                }
                Answer::Refused(ends) => match explains(&catch_up.pending[0], &ends) {
                    Ok(()) => catch_up.refused = true,
                    Err(error) => self.end(error),
                },
                Answer::Early(settled) => {
                    self.missing(settling, settled, until);
                    break;
                }
                Answer::Full => {
                    self.full(settling);
                    break;
                }
            }
            let refused = settling.catch_up.as_ref().is_some_and(|catch_up| catch_up.refused);
            if refused || self.over().is_err() {
                break;
            }
        }
        true
    }
}
