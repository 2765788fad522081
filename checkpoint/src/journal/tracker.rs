//! Which blocks arrived, up to where, and which batch has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_wal::{Error, Kind, Position, Result};

use super::batch::{Allotment, BatchId, DirectRange, Run, Taken, Wanted};
use super::block::{Block, ReceiverLog, SourceRange};
use super::event::{Event, RUNS_MAX};
use super::need::Need;
use super::queue::{Blocks, Queue};

/// What arrived and who has it: one of the two states that the events of a journal make.
///
/// For every receiver's log it knows how far blocks are settled, and for every partition of a source where its end is.
/// Neither is ever forgotten, so that a block is taken once, however often and however late it is reported, and the
/// same records are taken once, however they are cut into blocks. Of blocks it holds those that no batch has, and those
/// of batches that are not done.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    pub(super) logs: BTreeMap<ReceiverLog, Received>,
    pub(super) ends: BTreeMap<u32, Ends>,
    /// The batches that are not done.
    pub(super) batches: BTreeMap<BatchId, Arc<Taken>>,
    /// Below it the journal itself may be retired, as was intended.
    pub(super) journal_retires: Position,
    /// How many bytes the blocks take that are not done with.
    pub(super) pending_bytes: u64,
}

/// What is known of a receiver's log.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    /// The last block that was added or passed over.
    pub(super) settled: Option<Position>,
    /// Below it the log may be retired, as was intended.
    pub(super) retires: Position,
    pub(super) queue: Queue,
}

/// The ends of a stream's partitions, in the order of the partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(pub(super) Vec<(u32, u64)>);

impl Ends {
    fn get(&self, partition: u32) -> Option<u64> {
        let at = self.0.binary_search_by_key(&partition, |&(partition, _)| partition).ok()?;
        Some(self.0[at].1)
    }

    fn set(&mut self, partition: u32, end: u64) {
        match self.0.binary_search_by_key(&partition, |&(partition, _)| partition) {
            Ok(at) => self.0[at].1 = end,
            Err(at) => self.0.insert(at, (partition, end)),
        }
    }
}

/// The end of a partition: everything below it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The stream.
    pub stream: u32,
    /// The partition.
    pub partition: u32,
    /// Where it goes on; none if nothing of it ever arrived: then it begins where its first block does.
    pub end: Option<u64>,
}

/// What a reported block is to the tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one of its log, and extends the ends of its partitions.
    Next,
    /// It is the next one of its log, and all of its records arrived before, in other blocks.
    Known,
    /// It is at or below the last block of its log that was settled, and all of its records have arrived.
    Settled,
    /// The block before it in its log is not settled yet. The last one that is, is this.
    Early(Option<Position>),
    /// Some of its records do not follow what has arrived, or it was passed over and they have not arrived since: the
    /// ends of its partitions are these.
    Elsewhere(Vec<End>),
}

impl Tracker {
    /// What adding a block would come to.
    ///
    /// `Invalid`: it says that no block lies between the one before it and itself, and one does.
    pub fn arrival(&self, block: &Block) -> Result<Arrival> {
        let (log, position) = (block.log(), block.position());
        let follows = self.follows(log, position, block.previous)?;
        if let Follows::Early(settled) = follows {
            return Ok(Arrival::Early(settled));
        }
        let ends = self.ends.get(&block.stream);
        let (mut extends, mut known) = (0, 0);
        for range in &block.ranges {
            match ends.and_then(|ends| ends.get(range.partition)) {
                None => extends += 1,
                Some(end) if end == range.from => extends += 1,
                Some(end) if end >= range.to => known += 1,
                Some(_) => {}
            }
        }
        let all = block.ranges.len();
        Ok(match follows {
            // To be settled is not enough: of a block that was passed over the source must not hear that it is safe.
            Follows::Settled if known == all => Arrival::Settled,
            Follows::Next if extends == all => Arrival::Next,
            Follows::Next if known == all => Arrival::Known,
            _ => {
                let end = |range: &SourceRange| self.end(block.stream, range.partition);
                Arrival::Elsewhere(block.ranges.iter().map(end).collect())
            }
        })
    }

    /// Whether a block is the next of its log to be settled.
    pub(super) fn follows(
        &self,
        log: ReceiverLog,
        position: Position,
        previous: Option<Position>,
    ) -> Result<Follows> {
        let settled = self.settled(log);
        if settled.is_some_and(|settled| position <= settled) {
            return Ok(Follows::Settled);
        }
        if previous > settled {
            return Ok(Follows::Early(settled));
        }
        if previous < settled {
            let message = format!(
                "a block was left out of the report of its log: {log} position={position} previous={previous:?} \
                 settled={settled:?}"
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        Ok(Follows::Next)
    }

    /// The last block of a receiver's log that was added or passed over. A receiver that takes the log over reports
    /// every block behind it, in their order.
    pub fn settled(&self, log: ReceiverLog) -> Option<Position> {
        self.logs.get(&log)?.settled
    }

    /// Every receiver's log that anything is known of.
    pub fn logs(&self) -> impl Iterator<Item = ReceiverLog> {
        self.logs.keys().copied()
    }

    /// The end of a partition: from where on its source has to send.
    pub fn end(&self, stream: u32, partition: u32) -> End {
        End { stream, partition, end: self.ends.get(&stream).and_then(|ends| ends.get(partition)) }
    }

    /// The ends of all partitions, by stream and partition.
    pub fn ends(&self) -> impl Iterator<Item = End> {
        let of = |(&stream, ends): (&u32, &Ends)| {
            let end = move |(partition, end)| End { stream, partition, end: Some(end) };
            ends.0.clone().into_iter().map(end)
        };
        self.ends.iter().flat_map(of)
    }

    /// The oldest block of a receiver's log that no batch has.
    pub fn oldest_waiting(&self, log: ReceiverLog) -> Option<Position> {
        self.logs.get(&log)?.queue.front()
    }

    /// The blocks of a receiver's log that no batch has, as the run that a batch would take.
    pub fn waiting_run(&self, log: ReceiverLog) -> Option<Run> {
        let queue = &self.logs.get(&log)?.queue;
        let blocks = queue.waiting();
        if blocks == 0 {
            return None;
        }
        let (first, last) = queue.ends_of_front(blocks);
        Some(Run { log, first, last, blocks })
    }

    /// The blocks of a receiver's log that no batch has, by position. They are read out of the memory that the journal
    /// has them in, one at a time.
    pub fn waiting_blocks(&self, log: ReceiverLog) -> impl Iterator<Item = Block> {
        let queue = self.logs.get(&log).map(|received| &received.queue);
        let stretch = queue.map(|queue| queue.stretch(queue.taken(), queue.waiting()));
        Blocks::of_own(log, stretch.unwrap_or_default())
    }

    /// How many blocks no batch has.
    pub fn waiting(&self) -> u64 {
        self.logs.values().map(|received| received.queue.waiting()).sum()
    }

    /// How many bytes the blocks take that are not done with.
    pub fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// Below it a receiver's log may be retired, as was logged; a removal that a crash has left half done goes on up to
    /// there.
    pub fn retires(&self, log: ReceiverLog) -> Position {
        self.logs.get(&log).map_or(Position::START, |received| received.retires)
    }

    /// The same of the journal itself.
    pub fn journal_retires(&self) -> Position {
        self.journal_retires
    }

    /// What a batch would take, or the first range of it that does not begin at its partition's end.
    ///
    /// `Invalid`: more receivers' logs have blocks than one batch takes; ask for some of the streams.
    pub fn would_take(&self, wanted: &Wanted) -> Result<Result<Vec<Run>, End>> {
        for direct in &wanted.direct {
            let end = self.end(direct.stream, direct.range.partition);
            if end.end.is_some_and(|end| end != direct.range.from) {
                return Ok(Err(end));
            }
        }
        let mut runs = Vec::new();
        for (&log, received) in &self.logs {
            let blocks = received.queue.waiting().min(wanted.blocks_max);
            if blocks == 0 || !wanted.wants(log.stream) {
                continue;
            }
            let (first, last) = received.queue.ends_of_front(blocks);
            runs.push(Run { log, first, last, blocks });
        }
        if runs.len() > RUNS_MAX {
            let message = format!(
                "more receivers' logs have blocks than a batch takes: logs={} most={RUNS_MAX}",
                runs.len()
            );
            return Err(Error::new(Kind::Invalid, message));
        }
        Ok(Ok(runs))
    }

    /// The input of a batch that is not done.
    pub fn allotment(&self, batch: BatchId) -> Option<Allotment> {
        let taken = self.batches.get(&batch)?.clone();
        let stretch = |(run, from): &(Run, u64)| {
            Some((run.log, self.logs.get(&run.log)?.queue.stretch(*from, run.blocks)))
        };
        let stretches = taken.runs.iter().filter_map(stretch).collect();
        Some(Allotment { batch, taken, stretches })
    }

    /// The batches that are not done, oldest first, with what they have.
    pub fn unfinished(&self) -> impl Iterator<Item = Allotment> {
        self.batches.keys().filter_map(|&batch| self.allotment(batch))
    }

    /// From where on each receiver's log is still needed.
    pub fn need(&self) -> Need {
        Need::of(self)
    }

    /// Takes in an event that was logged.
    ///
    /// `Damaged`: it contradicts those before it.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Added(block) => self.add(block),
            Event::PassedOver { log, position, previous, begins } => {
                self.pass_over(*log, *position, *previous, begins)
            }
            Event::EndMoved { stream, lost } => self.move_end(*stream, *lost),
            Event::Allotted { batch, since, runs, direct } => self.allot(*batch, *since, runs, direct),
            Event::Finished { batch } | Event::GivenUp { batch, .. } => self.release(*batch),
            Event::RetireIntended { log, below } => self.retire(*log, *below),
            Event::Committed { .. } | Event::Forgotten { .. } => Ok(()),
        }
    }

    fn add(&mut self, block: &Block) -> Result<()> {
        match self.arrival(block) {
            Ok(Arrival::Next) => {}
            other => return contradiction(format!("a block was added that is {other:?}: {}", block.log())),
        }
        self.take_in(block);
        Ok(())
    }

    /// Takes in a block that is the next one.
    pub(super) fn take_in(&mut self, block: &Block) {
        debug_assert!(matches!(self.arrival(block), Ok(Arrival::Next)), "it was decided on this state");
        if !block.ranges.is_empty() {
            let ends = self.ends.entry(block.stream).or_default();
            block.ranges.iter().for_each(|range| ends.set(range.partition, range.to));
        }
        let received = self.logs.entry(block.log()).or_default();
        received.settled = Some(block.position());
        received.queue.push(block);
        self.pending_bytes += block.body_len() as u64;
    }

    fn pass_over(
        &mut self,
        log: ReceiverLog,
        position: Position,
        previous: Option<Position>,
        begins: &[(u32, u64)],
    ) -> Result<()> {
        let next = matches!(self.follows(log, position, previous), Ok(Follows::Next));
        if !next || begins.iter().any(|&(partition, _)| self.end(log.stream, partition).end.is_some()) {
            return contradiction(format!("a block was passed over out of turn: {log} position={position}"));
        }
        if !begins.is_empty() {
            let ends = self.ends.entry(log.stream).or_default();
            begins.iter().for_each(|&(partition, from)| ends.set(partition, from));
        }
        self.logs.entry(log).or_default().settled = Some(position);
        Ok(())
    }

    fn move_end(&mut self, stream: u32, lost: SourceRange) -> Result<()> {
        let end = self.end(stream, lost.partition);
        if end.end != Some(lost.from) {
            return contradiction(format!(
                "an end was moved that lies elsewhere: {end:?} from={}",
                lost.from
            ));
        }
        self.ends.entry(stream).or_default().set(lost.partition, lost.to);
        Ok(())
    }

    fn allot(&mut self, batch: BatchId, since: BatchId, runs: &[Run], direct: &[DirectRange]) -> Result<()> {
        for run in runs {
            let received = self.logs.get(&run.log);
            let there = received.filter(|received| received.queue.waiting() >= run.blocks);
            let there = there.map(|received| received.queue.ends_of_front(run.blocks));
            if there != Some((run.first, run.last)) {
                let message = format!("a batch has blocks that did not wait: batch={batch} {}", run.log);
                return contradiction(message);
            }
        }
        for range in direct {
            let end = self.end(range.stream, range.range.partition);
            if end.end.is_some_and(|end| end != range.range.from) {
                return contradiction(format!(
                    "a batch has a range that begins elsewhere: batch={batch} {end:?}"
                ));
            }
        }
        let mut taken = Taken { since, runs: Vec::with_capacity(runs.len()), direct: direct.to_vec() };
        for run in runs {
            let received = self.logs.get_mut(&run.log).expect("it was looked at");
            taken.runs.push((*run, received.queue.take(run.blocks)));
        }
        for DirectRange { stream, range } in direct {
            self.ends.entry(*stream).or_default().set(range.partition, range.to);
        }
        match self.batches.insert(batch, Arc::new(taken)) {
            None => Ok(()),
            Some(_) => contradiction(format!("a batch was allotted twice: batch={batch}")),
        }
    }

    fn release(&mut self, batch: BatchId) -> Result<()> {
        let Some(taken) = self.batches.remove(&batch) else {
            return contradiction(format!("a batch ended that was not pending: batch={batch}"));
        };
        for (run, from) in &taken.runs {
            let received = self.logs.get_mut(&run.log).expect("a batch has blocks of logs that are known");
            self.pending_bytes -= received.queue.release(*from, run.blocks);
        }
        Ok(())
    }

    fn retire(&mut self, log: Option<ReceiverLog>, below: Position) -> Result<()> {
        let Some(log) = log else {
            self.journal_retires = self.journal_retires.max(below);
            return Ok(());
        };
        let need = self.needed_of(log);
        match self.logs.get_mut(&log) {
            Some(received) if below <= need => received.retires = received.retires.max(below),
            _ => {
                return contradiction(format!(
                    "what is needed was to be retired: {log} below={below} need={need}"
                ));
            }
        }
        Ok(())
    }

    /// From where on one log is needed. It looks at the batches that are not done.
    pub(super) fn needed_of(&self, log: ReceiverLog) -> Position {
        let Some(received) = self.logs.get(&log) else { return Position::START };
        let of = |taken: &Arc<Taken>| {
            let at = taken.runs.binary_search_by_key(&log, |(run, _)| run.log).ok()?;
            Some(taken.runs[at].0.first)
        };
        let behind = received.settled.map_or(Position::START, |settled| settled.plus(1));
        let pending = self.batches.values().filter_map(of).chain(received.queue.front());
        pending.fold(behind, Position::min)
    }
}

/// Where a block stands in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    Next,
    Settled,
    Early(Option<Position>),
}

fn contradiction(message: String) -> Result<()> {
    Err(Error::new(Kind::Damaged, format!("the journal contradicts itself: {message}")))
}
