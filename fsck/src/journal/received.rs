//! One receiver's log, held against what the journal and the kept checkpoints know of it.

use std::fmt;
use std::sync::Arc;

use headwater_checkpoint::journal::{BatchId, Block, ReceiverLog, State, Tracker};
use headwater_wal::format::name;
use headwater_wal::store::Store;
use headwater_wal::{Depth, Error, Handle, Kind, Position, Reader, Result, Survey};

use super::findings::Findings;
use super::kept::Kept;
use super::report::{CheckedLog, plural};
use crate::{Finding, Severity};

/// So many blocks are read at once.
const HANDLES_AT_ONCE: usize = 256;

/// Who has blocks that are not done with.
#[derive(Clone, Copy, Debug)]
enum Holder {
    Batch(BatchId),
    Nobody,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Batch(batch) => write!(f, "the unfinished batch {batch} needs"),
            Holder::Nobody => write!(f, "no batch has yet"),
        }
    }
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    Retired,
    Absent(String),
    Damaged(String),
    Unsupported(String),
}

/// Blocks one behind the other with which the same is wrong.
struct Stretch {
    wrong: Wrong,
    first: Handle,
    end: Position,
    blocks: u64,
    records: u64,
}

/// A log of a receiver's folder that is there.
pub(super) struct There<'a> {
    pub(super) log: ReceiverLog,
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) survey: &'a Survey,
    pub(super) state: &'a State,
    pub(super) kept: &'a [Kept],
    pub(super) depth: Depth,
}

/// The name of a receiver's folder in its root.
pub(super) fn folder(log: ReceiverLog) -> String {
    format!("received/{}/{}", log.stream, log.receiver)
}

/// How many blocks of a log are not done with, and where the last of them ends.
fn pending(tracker: &Tracker, log: ReceiverLog) -> (u64, Position) {
    let (mut blocks, mut end) = (0, Position::START);
    for allotment in tracker.unfinished() {
        for run in allotment.runs().filter(|run| run.log == log) {
            blocks += run.blocks;
            end = end.max(run.last.plus(1));
        }
    }
    if let Some(run) = tracker.waiting_run(log) {
        blocks += run.blocks;
        end = end.max(run.last.plus(1));
    }
    (blocks, end)
}

pub(super) fn checked(tracker: &Tracker, log: ReceiverLog) -> CheckedLog {
    let (blocks, end) = pending(tracker, log);
    let behind = tracker.settled(log).map_or(Position::START, |settled| settled.plus(1));
    CheckedLog { log, is_there: false, at_least: behind.max(end), blocks, bad: 0 }
}

impl There<'_> {
    pub(super) fn check(&self, found: &mut Findings) -> Result<CheckedLog> {
        let tracker = self.state.tracker();
        let mut checked = CheckedLog { is_there: true, ..checked(tracker, self.log) };
        for allotment in tracker.unfinished() {
            let holder = Holder::Batch(allotment.batch());
            checked.bad += self.blocks(holder, &mut allotment.blocks_of(self.log), found)?;
        }
        checked.bad += self.blocks(Holder::Nobody, &mut tracker.waiting_blocks(self.log), found)?;
        if checked.bad == 0 {
            self.settled(found);
        }
        self.kept(found);
        Ok(checked)
    }

    /// Looks up the blocks of one holder. How many were not found to be good.
    fn blocks(
        &self,
        holder: Holder,
        blocks: &mut dyn Iterator<Item = Block>,
        found: &mut Findings,
    ) -> Result<u64> {
        let reader = Reader::open(self.store.clone())?;
        let mut bad = 0;
        let mut stretch: Option<Stretch> = None;
        loop {
            let some: Vec<Block> = blocks.take(HANDLES_AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            let wrongs = self.wrongs(&reader, &some)?;
            for (block, wrong) in some.iter().zip(wrongs) {
                bad += u64::from(wrong.is_some());
                match (&mut stretch, wrong) {
                    (Some(stretch), Some(wrong)) if stretch.wrong == wrong => {
                        stretch.end = block.handle.end();
                        stretch.blocks += 1;
                        stretch.records = stretch.records.saturating_add(block.records);
                    }
                    (_, wrong) => {
                        let next = wrong.map(|wrong| Stretch {
                            wrong,
                            first: block.handle,
                            end: block.handle.end(),
                            blocks: 1,
                            records: block.records,
                        });
                        if let Some(done) = std::mem::replace(&mut stretch, next) {
                            found.add(self.finding(holder, &done));
                        }
                    }
                }
            }
        }
        if let Some(done) = stretch {
            found.add(self.finding(holder, &done));
        }
        Ok(bad)
    }

    fn wrongs(&self, reader: &Reader, blocks: &[Block]) -> Result<Vec<Option<Wrong>>> {
        // What the chain tells without reading is not read.
        let mut wrongs: Vec<Option<Wrong>> = blocks.iter().map(|block| self.locate(&block.handle)).collect();
        if self.depth == Depth::Quick {
            return Ok(wrongs);
        }
        let handles = || blocks.iter().zip(&wrongs).filter(|(_, wrong)| wrong.is_none());
        let handles: Vec<Handle> = handles().map(|(block, _)| block.handle).collect();
        let mut unread = wrongs.iter_mut().filter(|wrong| wrong.is_none());
        for record in reader.read_many(&handles) {
            let Some(wrong) = unread.next() else { break };
            let Err(error) = record else { continue };
            *wrong = Some(match error.kind() {
                Kind::Retired => Wrong::Retired,
                Kind::NotThere | Kind::Invalid => Wrong::Absent(why(&error)),
                Kind::Damaged => Wrong::Damaged(why(&error)),
                Kind::Unsupported => Wrong::Unsupported(why(&error)),
                _ => return Err(error),
            });
        }
        Ok(wrongs)
    }

    /// What the chain says of a handle's place.
    fn locate(&self, handle: &Handle) -> Option<Wrong> {
        let (survey, position) = (self.survey, handle.position());
        if position < survey.begins() {
            return Some(Wrong::Retired);
        }
        // Where something is damaged, the chain does not tell what lies behind; reading does.
        if survey.damage_count() > 0 && self.depth == Depth::Full {
            return None;
        }
        let damaged = |damage: &&headwater_wal::Damage| damage.range.contains(&position);
        if let Some(damage) = survey.damages().iter().find(damaged) {
            return Some(Wrong::Damaged(damage.to_string()));
        }
        if position >= survey.end() {
            return Some(Wrong::Absent(format!("the log ends at {}", survey.end())));
        }
        let segments = survey.chain().segments();
        let segment = segments.iter().find(|segment| segment.end > position);
        match segment.filter(|segment| segment.start() <= position) {
            Some(segment) if segment.epoch != handle.epoch() => Some(Wrong::Absent(format!(
                "what lies there was written in epoch {}, and the blocks in epoch {}",
                segment.epoch,
                handle.epoch()
            ))),
            Some(segment) if handle.end() <= segment.end => None,
            _ => Some(Wrong::Absent("no segment of the log reaches there".into())),
        }
    }

    fn finding(&self, holder: Holder, stretch: &Stretch) -> Finding {
        let Stretch { wrong, first, end, blocks, records } = stretch;
        let place = self.store.place();
        let (base, position) = (first.base(), first.position());
        let which = match blocks {
            1 => format!("a block that {holder}"),
            blocks => format!("{blocks} blocks that {holder}"),
        };
        let begins = self.survey.begins();
        let (severity, what) = match wrong {
            Wrong::Retired => {
                let what =
                    format!("{which} lies below the beginning of its log, {begins}: retired while needed");
                (Severity::Damaged, what)
            }
            Wrong::Absent(why) => (Severity::Damaged, format!("{which} is not in its log: {why}")),
            Wrong::Damaged(why) => (Severity::Damaged, format!("{which} does not verify: {why}")),
            Wrong::Unsupported(why) => (Severity::Unsupported, format!("{which} cannot be read: {why}")),
        };
        let what = if *blocks == 1 { what } else { in_plural(what) };
        let without = match holder {
            Holder::Batch(batch) => {
                format!("give batch {batch} up on purpose (`Journal::give_up`), and the reason is on record")
            }
            Holder::Nobody => {
                "allot them to a batch and give that up on purpose (`Journal::give_up`), and the reason is on record"
                    .into()
            }
        };
        Finding {
            severity,
            file: Some(format!("{}/{}", folder(self.log), name::segment(base))),
            offset: Some(position.0.saturating_sub(base.0)),
            range: Some(position..*end),
            what,
            lost: match severity {
                Severity::Unsupported => String::new(),
                _ => format!("{}; the first block is {first}", plural(*records, "record")),
            },
            remedy: match severity {
                Severity::Unsupported => "use the release that wrote it".into(),
                _ => format!(
                    "put the log's files back from a copy, if there is one; where there is none, {without}"
                ),
            },
            next: Some(format!("wal-inspect get {place} {first} --payload none")),
        }
    }

    /// Whether the log reaches as far as the journal says it was settled, and begins no further on than is needed.
    fn settled(&self, found: &mut Findings) {
        let Some(settled) = self.state.tracker().settled(self.log) else { return };
        let (begins, end) = (self.survey.begins(), self.survey.end());
        let damaged = self.survey.damages().iter().any(|damage| damage.range.contains(&settled));
        let (what, lost) = if settled >= end && !damaged {
            (
                format!(
                    "the log ends at {end}, before the last block that the journal has of it, at {settled}"
                ),
                "what was acknowledged behind that end; nothing of it that the journal knows of is pending",
            )
        } else if begins > settled.plus(1) {
            (
                format!(
                    "the log begins at {begins}, behind the last block that the journal has of it, at {settled}: what lay between \
                     was retired before it was reported"
                ),
                "what lay between, if its source does not send it again",
            )
        } else {
            return;
        };
        found.add(Finding {
            severity: Severity::Damaged,
            file: Some(folder(self.log)),
            offset: None,
            range: Some(settled.min(end)..settled.max(begins)),
            what,
            lost: lost.into(),
            remedy: "put the log's files back from a copy, if there is one; where there is none, move the log away, so that \
                     its receiver begins a new one: the journal tells the two apart"
                .into(),
            next: Some(format!("wal-inspect check {} --at-least {}", self.store.place(), settled.plus(1))),
        });
    }

    /// Whether each kept checkpoint still has the blocks that it needs.
    fn kept(&self, found: &mut Findings) {
        let begins = self.survey.begins();
        for kept in self.kept {
            let Ok(said) = &kept.said else { continue };
            let from = said.need.from(self.log);
            if from < begins {
                found.add(spoiled(
                    kept,
                    self.log,
                    &format!("needs this log from {from} on, and it begins at {begins}"),
                ));
            }
        }
    }
}

/// A checkpoint that a log does not do for.
pub(super) fn spoiled(kept: &Kept, log: ReceiverLog, why: &str) -> Finding {
    Finding {
        severity: if kept.newest { Severity::Damaged } else { Severity::Lost },
        file: Some(folder(log)),
        offset: None,
        range: None,
        what: format!("checkpoint {} {why}: {log}", kept.id),
        lost: format!("checkpoint {}, as one to restore from", kept.id),
        remedy: match kept.newest {
            true => "put what the log has lost back from a copy, if there is one; batches that are run again after a restart \
                     do not find their blocks without it",
            false => "nothing: newer ones do without it",
        }
        .into(),
        next: None,
    }
}

/// The same of more than one.
fn in_plural(what: String) -> String {
    let what =
        what.replacen(" lies below the beginning of its log", " lie below the beginning of their log", 1);
    what.replacen(" is not in its log", " are not in their log", 1).replacen(
        " does not verify",
        " do not verify",
        1,
    )
}

fn why(error: &Error) -> String {
    // The handle differs from block to block, and is told once.
    let text = error.to_string();
    let text = text.strip_prefix(&format!("{}: ", error.kind())).unwrap_or(&text);
    let cut = [" handle=", " file=", "; run "].iter().filter_map(|word| text.find(word)).min();
    text[..cut.unwrap_or(text.len())].to_owned()
}
