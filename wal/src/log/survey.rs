//! What a log looks like, before anything is changed: which segments follow one another, where the log ends, what that
//! end means, and what lies about.

use std::fmt;
use std::ops::Range;

use super::chain::Chain;
use super::options::Options;
use crate::clock::Time;
use crate::error::{Error, Kind, Result};
use crate::format::judge::{Row, Verdict, Why};
use crate::format::scan::Fault;
use crate::format::{Durability, Identity, Position};
use crate::store::Store;

/// Damage: what no crash explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What does not verify or is missing.
    pub range: Range<Position>,
    /// The file.
    pub file: String,
    /// Where in it the range begins.
    pub offset: u64,
    /// What is wrong there.
    pub what: Fault,
    /// Why a crash does not explain it.
    pub why: Why,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { range, file, offset, what, why } = self;
        write!(f, "{what}; {why}: file={file} offset={offset} from={} to={}", range.start, range.end)
    }
}

/// Why a file of the log is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Because {
    /// It was retired.
    Retired,
    /// A newer epoch has taken its range.
    Dead,
    /// It lies beyond the end, and was never acknowledged.
    Torn,
    /// It is being written, where that cannot be read before it is closed.
    Open,
    /// It lies where the log is damaged, or where a loss was accepted.
    Damaged,
}

/// A file of the log that is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Where it begins, by its name.
    pub base: Position,
    /// Its length.
    pub file_len: u64,
    /// Why it is set aside.
    pub because: Because,
    /// Whether it begins an epoch.
    pub begins_epoch: bool,
}

/// A tail that a crash explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// From the end of the log to the end of what lies beyond.
    pub range: Range<Position>,
    /// The file where it begins, if there is one.
    pub file: Option<String>,
}

/// What opening found.
#[derive(Clone, Debug)]
pub struct Survey {
    pub(super) place: String,
    pub(super) identity: Option<Identity>,
    pub(super) durability: Durability,
    pub(super) chain: Chain,
    pub(super) end: Position,
    pub(super) acked: Position,
    pub(super) epoch: u64,
    pub(super) written_max: u64,
    pub(super) in_flight: u64,
    pub(super) verified_end: Position,
    pub(super) files_end: Position,
    pub(super) engine_time: Time,
    pub(super) clock_in_doubt: bool,
    pub(super) verdict: Verdict,
    pub(super) row: &'static Row,
    pub(super) damages: Vec<Damage>,
    pub(super) damage_count: u64,
    pub(super) torn: Option<Torn>,
    pub(super) aside: Vec<Aside>,
    pub(super) foreign: Vec<String>,
    pub(super) foreign_count: u64,
    pub(super) lost: Vec<Range<Position>>,
    /// Where the summary ends that the look rests on.
    pub(super) summarised: Position,
    /// What is to be removed below has been removed.
    pub(super) swept: Position,
    /// Summaries that say what the segments do not.
    pub(super) misleading: Vec<String>,
    /// The mark of a repair or a salvage that was cut short.
    pub(super) unfinished: Option<&'static str>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Survey {
    /// Where the log lies.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The identity of the log; none if there is no log yet.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// What an acknowledgement of it outlives.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Its segments.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Where it begins.
    pub fn begins(&self) -> Position {
        self.chain.begins
    }

    /// Where it ends: everything below verifies, as far as was read.
    pub fn end(&self) -> Position {
        self.end
    }

    /// The greatest position up to which the log itself says that all was acknowledged.
    pub fn acked(&self) -> Position {
        self.acked
    }

    /// The epoch of its last writer; 0 if there was none.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What its end means.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The name of the judge's row that decided.
    pub fn row(&self) -> &'static str {
        self.row.name
    }

    /// What no crash explains, the first hundred.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// How many damages there are in all.
    pub fn damage_count(&self) -> u64 {
        self.damage_count
    }

    /// The tail that a crash explains, if there is one.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    /// Files of the log that are not part of it.
    pub fn aside(&self) -> &[Aside] {
        &self.aside
    }

    /// Names in the log's folder that are not the log's, escaped; the first hundred.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// What was lost and accepted in earlier lives.
    pub fn lost(&self) -> &[Range<Position>] {
        &self.lost
    }

    /// Of a full look: names of summaries that do not verify, or do not say what the segments say. They cost a look time
    /// and can be removed.
    pub fn misleading(&self) -> &[String] {
        &self.misleading
    }

    /// The mark of a repair or a salvage that was cut short here, by its [name](crate::format::name): the log does not
    /// start. The next repair finishes a repair; what a salvage left is a part of a log, and is removed.
    pub fn unfinished(&self) -> Option<&'static str> {
        self.unfinished
    }

    /// Where the summary ends that the look rests on.
    pub(crate) fn summarised(&self) -> Position {
        self.summarised
    }

    /// The engine's time that the log had reached.
    pub fn engine_time(&self) -> Time {
        self.engine_time
    }

    /// How many names are not the log's in all.
    pub fn foreign_count(&self) -> u64 {
        self.foreign_count
    }

    /// Whether the wall clock has gone further since the last life of the log than is believed without being confirmed,
    /// or had before, and nobody has confirmed it: a restart confirms nothing.
    pub(crate) fn doubts(&self, wall: Time, options: &Options) -> bool {
        let jumped = self.identity.is_some() && wall > self.engine_time.after(options.clock_jump_max);
        jumped || self.clock_in_doubt
    }

    /// Reads what only summaries know of the chain.
    pub(super) fn complete(&mut self, store: &dyn Store) -> Result<()> {
        if self.chain.older.is_none() {
            return Ok(());
        }
        let (mut damages, mut count) = (Vec::new(), 0);
        self.chain = self.chain.whole_by(store, |found| {
            count += found.damage_count;
            damages.extend(found.damages);
        })?;
        if let Some(first) = damages.first() {
            self.verdict = Verdict::Damaged(first.why);
        }
        self.damage_count += count;
        self.damages.splice(0..0, damages);
        Ok(())
    }

    /// Whether the log goes on behind its end in a file that a writer holds open, on a medium of leases: what is in there
    /// cannot be read until it is closed, by its writer or by the next one.
    pub fn is_open(&self) -> bool {
        self.verdict == Verdict::Open
    }

    /// The error that refuses this log, if it is damaged.
    pub fn refusal(&self) -> Option<Error> {
        self.damages.first().map(|first| self.refusal_for(first))
    }

    pub(super) fn refusal_for(&self, damage: &Damage) -> Error {
        let more = match self.damage_count {
            1 => String::new(),
            count => format!(", one of {count} damages"),
        };
        let message = format!(
            "{}; {}{more}; nothing was changed; run `wal-inspect check {}` from={} to={}",
            damage.what, damage.why, self.place, damage.range.start, damage.range.end
        );
        Error::new(Kind::Damaged, message).at(damage.file.clone(), damage.offset)
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(identity) = self.identity else {
            let what = if self.is_open() {
                "a file that is being written, and not readable yet"
            } else {
                "no log yet"
            };
            return write!(f, "{}: {what}", self.place);
        };
        let bytes: u64 = self.chain.segments.iter().map(|segment| segment.end.since(segment.start())).sum();
        write!(
            f,
            "{}: log {identity}, epoch {}, {} segments, {bytes} bytes of groups, positions {} to {}",
            self.place,
            self.epoch,
            self.chain.segments.len(),
            self.chain.older.unwrap_or(self.begins()),
            self.end
        )?;
        if self.chain.older.is_some() {
            write!(f, "; before them, from {}, what summaries list", self.begins())?;
        }
        for name in &self.misleading {
            write!(f, "; summary/{name} does not say what the segments say")?;
        }
        if let Some(torn) = &self.torn {
            let bytes = torn.range.end.since(torn.range.start);
            write!(f, "; torn tail of {bytes} bytes at {} set aside", torn.range.start)?;
        }
        if self.is_open() {
            write!(f, "; behind {} it is being written, and not readable yet", self.end)?;
        }
        for damage in &self.damages {
            write!(f, "; damaged: {damage}")?;
        }
        Ok(())
    }
}
