//! A receiver: it cuts blocks, logs them, reports them, and only then acknowledges their source.

use std::collections::BTreeMap;

use headwater_checkpoint::journal::{Added, Block, PassedOver, ReceiverLog, Refusal, SourceRange};
use headwater_checkpoint::resume::release;
use headwater_wal::store::sim::{Process, Random};
use headwater_wal::{Error, Handle, Log, Position, Result, Time};

use super::life::Life;
use super::source::{Content, NUMBERED, PARTITIONS, PLAIN};
use super::world::{RECEIVERS, World, plan_a_fault};

/// A receiver that has started its log, or taken it over.
pub(crate) struct Receiver {
    world: World,
    at: usize,
    pub(crate) process: Process,
    pub(crate) log: Log,
    /// The last block in the log.
    last: Option<Position>,
    /// What it has logged and was not told to be settled, in the order of the log.
    unreported: Vec<Block>,
    contents: BTreeMap<Position, Content>,
    /// From where on it reads its partitions next.
    cursors: BTreeMap<u32, u64>,
    plain: u64,
    pub(crate) over: Option<Error>,
}

impl Receiver {
    /// Starts the log, and finds what it holds behind the last block that the driver has settled.
    pub(crate) fn begin(
        world: &World,
        at: usize,
        process: Process,
        driver: &mut Life,
    ) -> Result<Option<Receiver>> {
        let Some(state) = driver.take(driver.driver.journal().view()) else { return Ok(None) };
        let clock = world.clock.clone();
        let opened = Log::open_with(process.store(), world.log.clone(), clock)?;
        let log = opened.start_stepped(Position::START)?;
        let settled = state.tracker().settled(name(at, &log));
        let mut receiver = Receiver {
            world: world.clone(),
            at,
            process,
            log,
            last: settled,
            unreported: Vec::new(),
            contents: BTreeMap::new(),
            cursors: BTreeMap::new(),
            plain: 0,
            over: None,
        };
        let from = settled.unwrap_or(Position::START).max(receiver.log.range().start);
        let found: Result<Vec<_>> = receiver.log.replay(from)?.collect();
        for record in found?.iter().filter(|record| Some(record.position()) > settled) {
            receiver.logged(record.handle, Content::parse(&record.payload));
            world.tally.count("blocks found at takeover");
        }
        world.tally.count("receivers started");
        Ok(Some(receiver))
    }

    fn logged(&mut self, handle: Handle, content: Content) {
        let (stream, receiver) = RECEIVERS[self.at];
        let position = handle.position();
        let block = Block {
            stream,
            receiver,
            handle,
            previous: self.last.replace(position),
            id: position.0,
            records: content.items().len() as u64,
            ranges: content.ranges(),
            own: Default::default(),
        };
        self.unreported.push(block);
        self.contents.insert(position, content);
    }

    pub(crate) fn name(&self) -> ReceiverLog {
        name(self.at, &self.log)
    }

    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.world.explained(&error);
                self.over.get_or_insert(error);
                None
            }
        }
    }

    /// Reads its source and logs a block or two.
    pub(crate) fn cut(&mut self, random: &mut Random, owned: &[u32], driver: &mut Life) {
        let mut tickets = Vec::new();
        for _ in 0..1 + random.below(2) {
            let content = match RECEIVERS[self.at].0 {
                PLAIN => self.plain_content(random),
                _ => self.numbered_content(random, owned, driver),
            };
            let Some(content) = content else { break };
            let payload = content.payload(random.below(300) as usize);
            let appended = self.log.append(Time(1), payload);
            let Some(ticket) = self.take(appended) else { return };
            tickets.push((ticket, content));
        }
        for (ticket, content) in tickets {
            let answer = ticket.wait();
            let Some(handle) = self.take(answer) else { return };
            self.logged(handle, content);
        }
    }

    fn plain_content(&mut self, random: &mut Random) -> Option<Content> {
        let numbers = self.world.model.lock().sources.plain_from(self.plain, 1 + random.below(3) as usize);
        match numbers.last() {
            Some(last) => self.plain = last + 1,
            None => self.plain = 0, // what it has sent and was not told of comes again
        }
        (!numbers.is_empty()).then_some(Content::Plain(numbers))
    }

    fn numbered_content(&mut self, random: &mut Random, owned: &[u32], driver: &mut Life) -> Option<Content> {
        let mut ranges = Vec::new();
        for partition in (0..PARTITIONS).filter(|partition| owned.contains(partition)) {
            if random.one_in(3) {
                continue;
            }
            let state = driver.take(driver.driver.journal().view())?;
            let end = state.tracker().end(NUMBERED, partition).end;
            let (produced, acked) = self.world.model.lock().sources.numbered[partition as usize];
            let from = match self.cursors.get(&partition) {
                Some(cursor) => *cursor,
                // The source sends again what it was not told of; or goes on where the driver tells it to.
                None if random.coin() => acked,
                None => end.unwrap_or(0).max(acked),
            };
            if from < produced {
                let to = (from + 1 + random.below(4)).min(produced);
                ranges.push(SourceRange { partition, from, to });
                self.cursors.insert(partition, to);
            }
        }
        (!ranges.is_empty()).then_some(Content::Numbered(ranges))
    }

    pub(crate) fn content(&self, block: &Block) -> Option<Content> {
        self.contents.get(&block.position()).cloned()
    }

    pub(crate) fn forget_cursors(&mut self) {
        self.cursors.clear();
        self.plain = 0;
    }

    pub(crate) fn has_all_reported(&self) -> bool {
        self.unreported.is_empty()
    }

    /// Reports one of the blocks that are not settled, perhaps not the next one; the answer may be lost. Returns a block
    /// whose report is still under way somewhere.
    pub(crate) fn report(&mut self, random: &mut Random, driver: &mut Life, faulty: bool) -> Option<Block> {
        let at = match faulty && random.one_in(4) {
            true => random.below(self.unreported.len().max(1) as u64) as usize,
            false => 0,
        };
        let block = self.unreported.get(at)?.clone();
        let added = driver.add(&block)?;
        let lost = faulty && random.one_in(6);
        if lost {
            self.world.tally.count("answers to reports lost");
            return Some(block);
        }
        match added {
            Added::Now | Added::Already => {
                let now = added == Added::Now;
                self.world.tally.count(if now { "blocks added" } else { "blocks added already" });
                let mut model = self.world.model.lock();
                model.settled(&block);
                model.sources.acknowledge(&self.contents[&block.position()]);
                self.unreported.retain(|other| other.position() > block.position());
            }
            Added::Refused(Refusal::Ends(_)) => return self.pass_over(&block, driver),
            Added::Refused(Refusal::Early { .. }) => self.world.tally.count("reports that came early"),
            Added::Refused(Refusal::Room { .. }) => self.world.tally.count("reports that found no room"),
        }
        (faulty && random.one_in(8)).then_some(block)
    }

    /// A refused block is passed over, and its records are cut anew.
    fn pass_over(&mut self, block: &Block, driver: &mut Life) -> Option<Block> {
        let passed = driver.driver.journal().pass_over(block);
        match driver.take(passed)? {
            PassedOver::Now | PassedOver::Already => {
                self.world.tally.count("resends cut anew");
                self.world.model.lock().settled(block);
                self.unreported.retain(|other| other.position() > block.position());
                self.cursors.clear();
            }
            PassedOver::Early { .. } => self.world.tally.count("passed over too early"),
        }
        Some(block.clone())
    }

    /// Removes from its log what the driver says it may.
    pub(crate) fn release(&mut self, below: Position, before: Time) {
        match release(&self.log, below, before) {
            Ok(retired) => self.world.tally.add("segments of receivers removed", retired.removed),
            Err(error) if error.to_string().contains("clock") => self.log.confirm_clock(),
            Err(error) => drop(self.take::<()>(Err(error))),
        }
    }

    pub(crate) fn trouble(&self, random: &mut Random) {
        let sim = self.process.sim();
        let growing = headwater_wal::store::Store::append(&self.process).is_some();
        plan_a_fault(&sim, &self.process, growing, random, 10);
    }
}

fn name(at: usize, log: &Log) -> ReceiverLog {
    let (stream, receiver) = RECEIVERS[at];
    ReceiverLog { stream, receiver, identity: log.identity() }
}
