//! A block was refused, because the driver has some of its records in other blocks: it and those behind it are passed
//! over, and their records cut anew without what is known.

use std::collections::BTreeMap;

use super::blocks::{self, Building};
use super::core::Core;
use super::driver::{Answer, End, Report};
use super::intake::{Cut, Flying, Phase};
use super::settle::{Settling, nonsense, place};
use crate::error::{Error, Kind, Result};

/// Where the driver wants partitions to go on.
#[derive(Debug)]
pub(super) struct Anew {
    ends: BTreeMap<u32, u64>,
    /// How many of the blocks in flight have been passed over.
    passed: usize,
}

impl Anew {
    /// `Invalid`: a refusal that no end explains; nothing would be cut off, and it would be refused for ever.
    /// `Unavailable`: records are missing before those of the block. They were handed to another receiver, which has not
    /// reported them; the source, which was not told that they are safe, has to send them again.
    pub(super) fn of(report: &Report, ends: &[End]) -> Result<Anew> {
        explains(report, ends)?;
        let ends: BTreeMap<_, _> = ends.iter().map(|end| (end.partition, end.end)).collect();
        let missing =
            |range: &&blocks::SourceRange| ends.get(&range.partition).is_some_and(|&end| end < range.from);
        match report.ranges.iter().find(missing) {
            None => Ok(Anew { ends, passed: 0 }),
            Some(range) => {
                let (partition, from) = (range.partition, range.from);
                let message = format!(
                    "the driver misses records before this block; start the receiver and its source again: {} \
                     partition={partition} from={from} end={}",
                    place(report),
                    ends[&partition]
                );
                Err(Error::new(Kind::Unavailable, message))
            }
        }
    }

    /// The records of a block that the driver does not know.
    fn rest(&self, flying: &Flying) -> Result<Building> {
        let mut building = Building::new(flying.payload.len());
        let from: BTreeMap<_, _> = flying.ranges.iter().map(|range| (range.partition, range.from)).collect();
        let mut behind = BTreeMap::new();
        for record in blocks::records(&flying.payload)? {
            let record = record?;
            let Some(at) = record.place else {
                building.push(record.bytes);
                continue;
            };
            let end = self.ends.get(&at.partition).copied().unwrap_or(0);
            if at.position >= end {
                let before = behind.insert(at.partition, at.position + 1);
                let from = before.unwrap_or_else(|| end.max(from[&at.partition]));
                building.push_numbered(at, from, record.bytes);
            }
        }
        Ok(building)
    }
}

/// Whether the ends give a reason to refuse a block: it does not begin where one of them is.
pub(super) fn explains(report: &Report, ends: &[End]) -> Result<()> {
    let begins = |end: &End| report.ranges.iter().find(|range| range.partition == end.partition);
    let explains = |end: &End| begins(end).is_some_and(|range| range.from != end.end);
    if ends.iter().any(explains) {
        return Ok(());
    }
    Err(nonsense(report, &[Answer::Refused(ends.to_vec())]))
}

impl Core {
    /// Passes the next of the blocks in flight over; when all are, cuts their records anew.
    pub(super) fn cut_anew(&self, settling: &mut Settling) -> bool {
        let Some(anew) = &mut settling.anew else { return false };
        let next = {
            let intake = self.intake.lock();
            // None comes to those in flight meanwhile, but one may be on its way there.
            if intake.appending || intake.flying.iter().any(|flying| flying.handle.is_none()) {
                return false;
            }
            intake.flying.get(anew.passed).and_then(|flying| self.report_of(flying))
        };
        let Some(report) = next else {
            match self.replace(settling) {
                Ok(()) => self.wake(),
                Err(error) => self.end(error),
            }
            return true;
        };
        match self.ask_to_pass_over(settling, &report) {
            Some(Answer::Early(settled)) => {
                self.missing(settling, settled, Some(report.handle.position()));
            }
            Some(_) => {
                if let Some(anew) = &mut settling.anew {
                    anew.passed += 1;
                }
                self.intake.lock().settled = Some(report.handle.position());
            }
            None => {}
        }
        true
    }

    /// Puts what is left of the blocks that were in flight before those that are cut already.
    fn replace(&self, settling: &mut Settling) -> Result<()> {
        let Some(anew) = settling.anew.take() else { return Ok(()) };
        let mut intake = self.intake.lock();
        for flying in std::mem::take(&mut intake.flying).into_iter().rev() {
            for range in &flying.ranges {
                if let Some(&end) = anew.ends.get(&range.partition) {
                    let known = end.min(range.to);
                    intake.is_safe(range.partition, known);
                    settling.owes(range.partition, known);
                }
            }
            let building = anew.rest(&flying)?;
            if building.is_empty() {
                intake.give_room(flying.weight, flying.records);
                continue;
            }
            let left = flying.weight * building.records() as usize / flying.records as usize;
            intake.give_room(flying.weight - left, flying.records - building.records());
            intake.cut.push_front(Cut { building, since: flying.since, weight: left });
        }
        intake.phase = Phase::Cutting;
        Ok(())
    }
}
