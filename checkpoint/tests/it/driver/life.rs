//! One life of a driver: it comes back, runs batches, saves, cleans, until it dies, fails or is replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use headwater_checkpoint::journal::{
    Allotment, Allotted, BatchId, Block, Committed, DirectRange, Ended, Missed, OutputId, ReceiverLog,
    SourceRange, Standing, Wanted,
};
use headwater_checkpoint::resume::{self, Again, Cleaned, Driver, Restored, Resumed};
use headwater_checkpoint::{Checkpoints, Held, Owner, Writer};
use headwater_wal::store::sim::Random;
use headwater_wal::{Error, Kind, Log, Position, Result, Time};
use parking_lot::Mutex;

use super::model::{App, OUTPUTS, Saved, Totals, Tried};
use super::source::{DIRECT, Item, NUMBERED, PLAIN, STREAMS, direct, items};
use super::world::{Machine, World, receiver_at};

/// A driver at work.
pub(crate) struct Life {
    world: World,
    pub(crate) machine: Machine,
    pub(crate) driver: Driver,
    app: App,
    /// The batches that the application's state has.
    applied: BTreeSet<u64>,
    /// Batches that ended and are not in the application's state yet.
    behind: Vec<Again>,
    running: BTreeMap<u64, Allotment>,
    attempt: u64,
    /// Why it is over.
    pub(crate) over: Option<Error>,
}

impl Life {
    /// Comes back, as `get_or_create` does, on a stepped log.
    pub(crate) fn begin(world: &World, machine: Machine) -> Result<Life> {
        let checkpoints = Checkpoints::open(machine.checkpoints.store());
        let newest = checkpoints.latest(&Held::nothing())?.checkpoint;
        let at_least = newest.and_then(|newest| newest.position(resume::JOURNAL)).unwrap_or(Position::START);
        let clock = world.clock.clone();
        let opened = Log::open_with(machine.journal.store(), world.log.clone(), clock.clone())?;
        let log = opened.start_stepped(at_least)?;
        let (owner, held) = (Owner::of(&log), resume::held(&log));
        let (writer, latest) = Writer::start_with(checkpoints, owner, world.saving.clone(), &held, clock)?;
        let mut fresh = false;
        let create = || {
            fresh = true;
            Ok(App::default())
        };
        let Resumed { driver, app, restored, passed_over, again } =
            resume::resume(log, writer, latest, world.options(), create, restore)?;
        let state = driver.journal().view()?;
        let mut model = world.model.lock();
        if !passed_over.is_empty() {
            world.tally.count("fall-backs");
        }
        let saved = restored.map(|id| model.checkpoints.get(&id).expect("somebody wrote it").clone());
        let saved = saved.unwrap_or_default();
        assert_eq!(fresh, restored.is_none(), "created or restored");
        assert_eq!(app, saved.app, "the application's state is not what was saved: {restored:?}");
        let told = model.told.filter(|told| !model.spoiled.contains(told));
        assert!(restored.is_some() || model.told.is_none(), "begun afresh beside checkpoints");
        assert!(restored >= told, "a checkpoint that was told of is gone: told={told:?} found={restored:?}");
        model.check(&state);
        let ended = |batch: &u64| state.ledger().standing(BatchId(*batch)) == Standing::Finished;
        let finished = model.batches.keys().filter(|batch| ended(batch) && !saved.applied.contains(batch));
        let mut expected: BTreeSet<u64> = finished.copied().collect();
        expected.extend(state.tracker().unfinished().map(|allotment| allotment.batch().0));
        let found: Vec<u64> = again.iter().map(|again| again.allotment.batch().0).collect();
        assert_eq!(found, Vec::from_iter(expected), "not the right batches again: restored={restored:?}");
        again.iter().for_each(|again| model.allotted(&again.allotment));
        model.epoch = driver.journal().log().epoch();
        drop(model);
        let (running, behind): (Vec<_>, Vec<_>) =
            again.into_iter().partition(|again| again.standing == Standing::Pending);
        world.tally.add("batches again: pending", running.len() as u64);
        world.tally.add("batches again: finished", behind.len() as u64);
        world.tally.count(if fresh { "drivers created or rebuilt" } else { "drivers restored" });
        let running = running.into_iter().map(|again| (again.allotment.batch().0, again.allotment)).collect();
        let attempt = driver.journal().log().epoch() * 1000;
        let (world, applied) = (world.clone(), saved.applied);
        Ok(Life { world, machine, driver, app, applied, behind, running, attempt, over: None })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_some() || self.machine.is_dead()
    }

    fn is_replaced(&self) -> bool {
        self.driver.journal().log().epoch() < self.world.model.lock().epoch
    }

    /// What the driver does next.
    pub(crate) fn step(&mut self, random: &mut Random) {
        if self.is_over() {
            return;
        }
        match random.below(24) {
            0..5 => self.allot(random),
            5..12 => self.run(random),
            12..15 => self.checkpoint(None),
            15 => self.checkpoint(Some(random)),
            16..19 => drop(self.clean(random)),
            19 => self.forget(random),
            20 => self.look(),
            21 => self.take(self.driver.journal().log().seal()).unwrap_or_default(),
            22 => self.driver.journal().log().rest(),
            _ => self.catch_up(),
        }
    }

    /// A result, or the end of this life.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.world.explained(&error);
                self.over.get_or_insert(error);
                None
            }
        }
    }

    fn allot(&mut self, random: &mut Random) {
        let Some(state) = self.take(self.driver.journal().view()) else { return };
        let newest = state.ledger().newest().map_or(0, |newest| newest.0);
        let mut wanted = match random.below(6) {
            0 => Missed::AsOne.due(BatchId(newest), BatchId(newest + 3), 1).collect(),
            1 => Missed::Each.due(BatchId(newest), BatchId(newest + 2), 1).collect(),
            _ => vec![Wanted::all(BatchId(newest + 1 + random.below(2)))],
        };
        for wanted in &mut wanted {
            match random.below(6) {
                0 => wanted.streams = Some(vec![[NUMBERED, PLAIN][random.below(2) as usize]]),
                1 => wanted.blocks_max = 1 + random.below(3),
                2 => wanted.streams = Some(Vec::new()),
                _ => {}
            }
            let produced = self.world.model.lock().sources.direct;
            let from = state.tracker().end(DIRECT, 0).end.unwrap_or(0);
            let taken_before = wanted.batch.0 > newest + 2 && random.coin();
            if from < produced && !taken_before && random.one_in(3) {
                let to = from + 1 + random.below(produced - from);
                let range = SourceRange { partition: 0, from, to };
                wanted.direct.push(DirectRange { stream: DIRECT, range });
                self.world.tally.count("direct batches");
            }
        }
        for wanted in wanted {
            let batch = wanted.batch;
            let Some(allotted) = self.take(self.driver.journal().allot(wanted)) else { return };
            match allotted {
                Allotted::Has(allotment) => {
                    self.world.model.lock().allotted(&allotment);
                    self.running.insert(batch.0, allotment);
                    self.world.tally.count("batches allotted");
                }
                Allotted::Elsewhere(_) => self.world.tally.count("direct ranges elsewhere"),
                Allotted::Over(standing) => panic!("a new batch is over: {batch} {standing:?}"),
            }
        }
    }

    /// Some of what a running batch has to do; it may fail on the way.
    fn run(&mut self, random: &mut Random) {
        let Some(&batch) = self.running.keys().nth(random.below(4) as usize % self.running.len().max(1))
        else {
            return;
        };
        if random.one_in(40) {
            self.give_up(batch);
            return;
        }
        let speculative = random.one_in(4);
        for _ in 0..1 + u64::from(speculative) {
            self.attempt += 1;
            let attempt = self.attempt;
            for output in 0..OUTPUTS {
                if random.one_in(10) {
                    self.world.tally.count("batches that failed");
                    return;
                }
                if !self.output(batch, output, attempt) {
                    return;
                }
            }
        }
        if speculative {
            self.world.tally.count("speculative attempts");
        }
        if !random.one_in(5) {
            self.finish(batch);
        }
    }

    /// Publishes an output and has it recorded. Whether that went well.
    fn output(&mut self, batch: u64, partition: u32, attempt: u64) -> bool {
        let allotment = self.running[&batch].clone();
        let Some(items) = self.read(&allotment) else { return false };
        let output = OutputId { batch: BatchId(batch), partition };
        self.publish(output, &items);
        let Some(committed) = self.take(self.driver.journal().commit(output, attempt)) else { return false };
        match committed {
            Committed::Recorded => self.world.model.lock().recorded(output, attempt),
            Committed::Other { attempt } => {
                self.world.model.lock().recorded(output, attempt);
                self.world.tally.count("commits that found another one's");
            }
            Committed::Refused(standing) => panic!("a running batch is over: {output:?} {standing:?}"),
        }
        true
    }

    fn publish(&self, output: OutputId, items: &[Item]) {
        let mine = |item: &&Item| item.number % u64::from(OUTPUTS) == u64::from(output.partition);
        let items = items.iter().filter(mine).copied().collect();
        self.world.model.lock().publish(output.batch.0, output.partition, items);
    }

    /// The records of a batch, read by handle from its receivers' logs; nothing if a medium fails meanwhile.
    fn read(&mut self, allotment: &Allotment) -> Option<Vec<Item>> {
        let mut found = Vec::new();
        for block in allotment.blocks() {
            let reader = self.machine.reader(receiver_at(block.stream, block.receiver));
            match reader.read(&block.handle) {
                Ok(record) => {
                    let items = items(&record.payload);
                    assert_eq!(items.len() as u64, block.records, "a block holds something else");
                    assert!(
                        items.iter().all(|item| is_of(item, &block)),
                        "a block holds something else: {block:?}"
                    );
                    found.extend(items);
                }
                Err(error) => {
                    let failed = matches!(error.kind(), Kind::Unavailable | Kind::Unknown);
                    // The heir of one that was replaced may have done it all, and cleaned.
                    assert!(
                        failed || self.is_replaced(),
                        "a block is gone that is needed (P9): {allotment:?} {error:?}"
                    );
                    self.world.tally.count("reads of blocks that failed");
                    return None;
                }
            }
        }
        found.extend(allotment.direct().iter().flat_map(|of| direct(of.range)));
        self.world.model.lock().read(allotment.batch().0, &found);
        Some(found)
    }

    fn finish(&mut self, batch: u64) {
        self.world.model.lock().known(batch).tried.insert(Tried::Finish);
        match self.take(self.driver.journal().finish(BatchId(batch))) {
            Some(Ended::Now | Ended::Already) => {
                let mut model = self.world.model.lock();
                model.ended(batch, Standing::Finished);
                let items = model.known(batch).items.clone().expect("it was read");
                drop(model);
                self.apply(batch, &items);
                self.running.remove(&batch);
            }
            Some(Ended::Refused(standing)) => panic!("a running batch has ended: {batch} {standing:?}"),
            None => {}
        }
    }

    fn apply(&mut self, batch: u64, items: &[Item]) {
        assert!(self.applied.insert(batch), "a batch is in the state twice: {batch}");
        self.app.add(items);
    }

    fn give_up(&mut self, batch: u64) {
        // What is lost has to be known.
        let allotment = self.running[&batch].clone();
        if self.read(&allotment).is_none() {
            return;
        }
        self.world.model.lock().known(batch).tried.insert(Tried::GiveUp);
        match self.take(self.driver.journal().give_up(BatchId(batch), "it cannot be done")) {
            Some(Ended::Now | Ended::Already) => {
                self.world.model.lock().ended(batch, Standing::GivenUp);
                self.world.tally.count("batches given up");
                self.running.remove(&batch);
            }
            Some(Ended::Refused(standing)) => panic!("a running batch has ended: {batch} {standing:?}"),
            None => {}
        }
    }

    /// Runs again what had ended and is not in the restored state.
    pub(crate) fn catch_up(&mut self) {
        while let Some(again) = self.behind.pop() {
            let batch = again.allotment.batch();
            let Some(items) = self.read(&again.allotment) else {
                self.behind.push(again);
                return;
            };
            for partition in 0..OUTPUTS {
                let output = OutputId { batch, partition };
                self.publish(output, &items);
                self.attempt += 1;
                match self.take(self.driver.journal().commit(output, self.attempt)) {
                    Some(Committed::Other { attempt }) => self.world.model.lock().recorded(output, attempt),
                    Some(Committed::Refused(Standing::Forgotten)) => {}
                    Some(committed) => panic!("a finished batch has its outputs: {output:?} {committed:?}"),
                    None => {
                        self.behind.push(again);
                        return;
                    }
                }
            }
            self.apply(batch.0, &items);
        }
    }

    /// Has a checkpoint written, of this moment, perhaps after something else has happened; not before everything below the journal's position is in the application's state.
    pub(crate) fn checkpoint(&mut self, meanwhile: Option<&mut Random>) {
        self.catch_up();
        if !self.behind.is_empty() || self.is_over() {
            return;
        }
        let Some(snapshot) = self.take(self.driver.snapshot()) else { return };
        let saved = Saved { app: self.app.clone(), applied: self.applied.clone() };
        if let Some(random) = meanwhile {
            self.allot(random);
        }
        let model = self.world.model.clone();
        let written = self.driver.checkpoint(snapshot, 100, move |draft| {
            model.lock().checkpoints.insert(draft.id(), saved.clone());
            for (stream, totals) in saved.app.streams.iter().enumerate() {
                let text = totals.text();
                let write = |to: &mut dyn Write| to.write_all(text.as_bytes());
                draft.keep_or_write(&format!("totals-{stream}"), totals.revision, write)?;
            }
            Ok(())
        });
        match written.and_then(|ticket| ticket.wait()) {
            Ok(id) => {
                let mut model = self.world.model.lock();
                assert!(
                    model.told < Some(id) && model.epoch <= id.epoch,
                    "a replaced driver saves: {id} told={:?}",
                    model.told
                );
                model.told = Some(id);
                model.spoiled.clear();
                self.world.tally.count("checkpoints");
            }
            Err(error) => {
                self.world.tally.count("checkpoints that failed");
                self.world.explained(&error);
                if error.kind() == Kind::Fenced {
                    self.over.get_or_insert(error);
                }
            }
        }
    }

    /// Cleans, and says what receivers may remove.
    pub(crate) fn clean(&mut self, random: &mut Random) -> Option<Cleaned> {
        let before = match random.below(3) {
            0 => self.driver.journal().log().now().before(std::time::Duration::from_secs(random.below(100))),
            _ => Time::MAX,
        };
        let expected = self.explained(before);
        // A report that failed behind a block may have added that one, and nobody was told.
        let state = self.take(self.driver.journal().view())?;
        self.world.model.lock().knows(state.tracker());
        let cleaned = self.take(self.driver.clean(before))?;
        if let Some(why) = &cleaned.suspended {
            self.world.tally.count("cleanings suspended");
            let clock = why.to_string().contains("clock");
            if clock && random.coin() {
                self.driver.journal().log().confirm_clock();
                self.world.tally.count("clocks confirmed");
            }
            assert!(cleaned.received.is_empty(), "nothing is cleaned meanwhile");
        } else {
            let retired = cleaned.journal.as_ref().expect("it was cleaned");
            self.world.tally.count("cleanings");
            if retired.removed > 0 {
                self.world.tally.add("segments of the journal removed", retired.removed);
            }
            if let Some(expected) = expected {
                assert_eq!(retired.begins, expected, "explained otherwise than done");
                self.world.tally.count("explained as done");
            }
            self.world.model.lock().released.extend(&cleaned.received);
        }
        Some(cleaned)
    }

    /// Where the journal will begin after cleaning, as is explained.
    fn explained(&self, before: Time) -> Option<Position> {
        let holds = self.driver.holds(None).ok()?;
        begins(&self.driver.journal().log().chain(), &holds, before)
    }

    /// Where a receiver's log will begin once it was cleaned, as is explained.
    pub(crate) fn explained_of(&self, log: ReceiverLog, of: &Log, before: Time) -> Option<Position> {
        let holds = self.driver.holds(Some(log)).ok()?;
        begins(&of.chain(), &holds, before)
    }

    fn forget(&mut self, random: &mut Random) {
        let before = self.world.model.lock().batches.keys().next_back().copied().unwrap_or(0);
        let before = BatchId(before.saturating_sub(random.below(4)));
        match self.driver.forget(before) {
            Ok(0) => {}
            Ok(count) => self.world.tally.add("batches forgotten", count as u64),
            Err(error) => {
                self.world.tally.count("forgetting failed");
                // A replaced one may read checkpoints that its heir has removed.
                let failure = self.driver.journal().failure();
                if let Some(error) = failure.or(Some(error).filter(|error| error.kind() == Kind::Fenced)) {
                    self.take::<()>(Err(error));
                }
            }
        }
    }

    /// Holds the journal's states against what anybody was told.
    fn look(&mut self) {
        let Some(state) = self.take(self.driver.journal().view()) else { return };
        // One that was replaced and was not told yet knows what was so before.
        if !self.is_replaced() {
            self.world.model.lock().check(&state);
        }
    }

    /// Runs everything to its end, on media that do their duty.
    pub(crate) fn complete(&mut self) {
        let mut random = Random::new(1);
        self.catch_up();
        let Some(state) = self.take(self.driver.journal().view()) else { return };
        let produced = self.world.model.lock().sources.direct;
        let next = BatchId(state.ledger().newest().map_or(0, |newest| newest.0) + 1);
        let from = state.tracker().end(DIRECT, 0).end.unwrap_or(0);
        let mut wanted = Wanted::all(next);
        if from < produced {
            let range = SourceRange { partition: 0, from, to: produced };
            wanted.direct.push(DirectRange { stream: DIRECT, range });
        }
        let allotment = self.driver.journal().allot(wanted).unwrap().has().expect("it is new");
        self.world.model.lock().allotted(&allotment);
        self.running.insert(next.0, allotment);
        while let Some(&batch) = self.running.keys().next() {
            self.attempt += 1;
            for output in 0..OUTPUTS {
                assert!(self.output(batch, output, self.attempt), "a calm medium: {:?}", self.over);
            }
            self.finish(batch);
        }
        for _ in 0..4 {
            self.checkpoint(None);
        }
        self.driver.journal().log().seal().unwrap();
        self.driver.journal().log().confirm_clock();
        self.look();
        let _ = self.clean(&mut random);
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Whether nothing is to be run.
    pub(crate) fn has_all_done(&self) -> bool {
        self.behind.is_empty() && self.running.is_empty()
    }
}

/// Whether a record is of this block, by what the journal says of that.
fn is_of(item: &Item, block: &Block) -> bool {
    let has = |range: &SourceRange| {
        range.partition == item.partition && (range.from..range.to).contains(&item.number)
    };
    item.stream == block.stream && (item.stream == PLAIN || block.ranges.iter().any(has))
}

fn begins(chain: &headwater_wal::Chain, holds: &[resume::Hold], before: Time) -> Option<Position> {
    let explained = resume::explain(chain, holds, before);
    explained.iter().find(|one| !one.held_by.is_empty()).map(|one| one.segment.base)
}

fn restore(restored: &Restored<'_>) -> Result<App> {
    let mut app = App::default();
    for stream in 0..STREAMS as usize {
        let bytes = restored.section(&format!("totals-{stream}"))?.read_all(1 << 20)?;
        app.streams[stream] = Totals::parse(std::str::from_utf8(&bytes).expect("it was verified"));
    }
    Ok(app)
}

/// A driver that several may use: one that was replaced goes on within another one's operation.
pub(crate) type Shared = Arc<Mutex<Life>>;
