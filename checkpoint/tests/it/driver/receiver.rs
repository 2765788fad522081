//! A receiver, the source's connection to it, and what is asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_checkpoint::journal::ReceiverLog;
use headwater_checkpoint::resume::release;
use headwater_wal::receiver::{Acknowledge, End, Lag, Pushed, Receiver, Reliable, Status, Unreliable};
use headwater_wal::store::sim::{Cut, Process, Random, Sim};
use headwater_wal::store::{Name, Store};
use headwater_wal::{Error, Kind, Log, Position, Result, Time};
use parking_lot::Mutex;

use super::line::Line;
use super::model::Model;
use super::source::{Item, PLAIN, exists, items};
use super::tally::Tally;
use super::world::{RECEIVERS, World, plan_a_fault};

/// A receiver at work, or one that was replaced and does not know it.
pub(crate) struct Reception {
    world: World,
    pub(crate) at: usize,
    pub(crate) process: Process,
    receiver: Either,
    /// From where on the source sends each partition next.
    cursors: BTreeMap<u32, u64>,
    /// Behind the last record of each partition that was handed in, and what of the plain source was.
    handed: BTreeMap<u32, u64>,
    plain: Vec<u64>,
    /// Where the log of the one that replaced it began.
    pub(crate) replaced_at: Option<Position>,
    /// Its machine dies at one of its next operations.
    pub(crate) doomed: bool,
}

enum Either {
    Numbered(Receiver<Reliable>),
    Plain(Receiver<Unreliable>),
}

/// A reception that several may use: one that was replaced goes on within its heir's start.
pub(crate) type Shared = Arc<Mutex<Reception>>;

/// A source that hears what is safe, if it can be reached.
struct Feed {
    line: Line,
    model: Arc<Mutex<Model>>,
    tally: Tally,
    random: Mutex<Random>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feed")
    }
}

impl Acknowledge for Feed {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let away = || Err(Error::new(Kind::Unavailable, "the source is away"));
        let lost = |random: &Mutex<Random>| !self.line.is_calm() && random.lock().one_in(12);
        if lost(&self.random) {
            self.tally.count("acknowledgements lost");
            return away();
        }
        let mut model = self.model.lock();
        ends.iter().for_each(|end| model.acknowledged(end.partition, end.end));
        if lost(&self.random) {
            self.tally.count("acknowledgements told twice");
            return away();
        }
        Ok(())
    }
}

impl Reception {
    /// Starts the log, or takes it over.
    pub(crate) fn begin(
        world: &World,
        at: usize,
        process: Process,
        line: &Line,
        seed: u64,
    ) -> Result<Reception> {
        let (stream, number) = RECEIVERS[at];
        let clock = world.clock.clone();
        let opened = Log::open_with(process.store(), world.receiving_log(), clock.clone())?;
        let random = Mutex::new(Random::new(seed));
        let (model, tally) = (world.model.clone(), world.tally.clone());
        let feed = Feed { line: line.clone(), model, tally, random };
        let (line, options) = (Arc::new(line.clone()), world.receiving.clone().of(stream, number));
        let receiver = match stream {
            PLAIN => Either::Plain(Receiver::start_stepped(opened, line, Unreliable, options, clock)?),
            _ => {
                let source = Reliable::new(Arc::new(feed));
                Either::Numbered(Receiver::start_stepped(opened, line, source, options, clock)?)
            }
        };
        let began = Reception {
            world: world.clone(),
            at,
            process,
            receiver,
            cursors: BTreeMap::new(),
            handed: BTreeMap::new(),
            plain: Vec::new(),
            replaced_at: None,
            doomed: false,
        };
        began.has_what_was_durable();
        world.tally.count("receivers started");
        Ok(began)
    }

    /// The log goes on behind everything that was ever acknowledged in it, and what a plain source has in it counts.
    fn has_what_was_durable(&self) {
        let end = self.log().range().end;
        let logged = self.world.model.lock().logged.get(&self.at).copied();
        assert!(logged.is_none_or(|logged| logged <= end), "a log has lost its end: {logged:?} end={end}");
        let mut found = 0;
        let own = Log::open(self.process.sim().store(), self.world.receiving_log()).unwrap();
        for record in own.replay(Position::START).unwrap() {
            let items = items(&record.unwrap().payload);
            found += 1;
            if RECEIVERS[self.at].0 == PLAIN {
                self.world.model.lock().sources.plain_safe.extend(items.iter().map(|item| item.number));
            }
        }
        self.world.tally.add("blocks found at takeover", found);
    }

    pub(crate) fn log(&self) -> &Log {
        match &self.receiver {
            Either::Numbered(receiver) => receiver.log(),
            Either::Plain(receiver) => receiver.log(),
        }
    }

    pub(crate) fn status(&self) -> Status {
        match &self.receiver {
            Either::Numbered(receiver) => receiver.status(),
            Either::Plain(receiver) => receiver.status(),
        }
    }

    /// Why it has ended, if it has.
    pub(crate) fn over(&self) -> Option<Error> {
        match &self.receiver {
            Either::Numbered(receiver) => receiver.failure(),
            Either::Plain(receiver) => receiver.failure(),
        }
    }

    pub(crate) fn name(&self) -> ReceiverLog {
        let (stream, receiver) = RECEIVERS[self.at];
        ReceiverLog { stream, receiver, identity: self.log().identity() }
    }

    /// Whether its machine is down, or will be soon, or another one has its log, if only by a request that came late. One
    /// that has nothing to do does not know it.
    pub(crate) fn is_dead(&self) -> bool {
        let mut pages = Store::list(&self.process, &Name::ROOT).into_iter().flatten();
        let newest =
            Log::open(self.process.sim().store(), self.world.receiving_log()).unwrap().survey().epoch();
        let down = pages.any(|page| page.is_err()) || self.log().failure().is_some();
        self.doomed || down || newest > self.log().epoch()
    }

    /// Everything that was handed in is settled.
    pub(crate) fn is_quiet(&self) -> bool {
        let Status { takes_records, lag, .. } = self.status();
        takes_records && lag == Lag::default()
    }

    /// Some of its work; whether there was any.
    pub(crate) fn turn(&mut self) -> bool {
        let did = match &self.receiver {
            Either::Numbered(receiver) => receiver.turn(),
            Either::Plain(receiver) => receiver.turn(),
        };
        let end = self.log().range().end;
        if let Some(began) = self.replaced_at {
            assert!(
                end <= began,
                "two have acknowledged in one log (P5): end={end} its heir began at {began}"
            );
        }
        let mut model = self.world.model.lock();
        let logged = model.logged.entry(self.at).or_insert(end);
        *logged = end.max(*logged);
        drop(model);
        if self.log().waits_for_room().is_some() {
            self.world.tally.count("receivers that wait for room");
        }
        if let Some(error) = self.over() {
            self.world.explains_a_receiver(&error);
        }
        did
    }

    /// The source connects again: it sends from what it was told.
    pub(crate) fn connect(&mut self) {
        self.cursors.clear();
    }

    /// The source sends a record, if it has one; whether it has more.
    pub(crate) fn send(&mut self, partition: u32, random: &mut Random) -> bool {
        let sent = match &self.receiver {
            Either::Plain(_) => self.send_plain(),
            Either::Numbered(_) => self.send_numbered(partition, random),
        };
        match sent {
            Ok(Some(pushed)) => {
                self.world.tally.count(format!("pushed: {pushed:?}"));
                pushed != Pushed::NotNow
            }
            Ok(None) => false,
            Err(error) => {
                self.world.explains_a_receiver(&error);
                false
            }
        }
    }

    fn send_plain(&mut self) -> Result<Option<Pushed>> {
        let Either::Plain(receiver) = &self.receiver else { return Ok(None) };
        let number = self.world.model.lock().sources.plain;
        let pushed = receiver.try_push(&Item::plain(number).bytes())?;
        if pushed == Pushed::Taken {
            self.world.model.lock().sources.plain += 1;
            self.plain.push(number);
        }
        Ok(Some(pushed))
    }

    fn send_numbered(&mut self, partition: u32, random: &mut Random) -> Result<Option<Pushed>> {
        let Either::Numbered(receiver) = &self.receiver else { return Ok(None) };
        let (produced, acked) = self.world.model.lock().sources.numbered[partition as usize];
        let mut from = *self.cursors.entry(partition).or_insert_with(|| {
            // What lies between, another one has had.
            receiver.skip(partition, acked);
            // It may have more than was acknowledged; the source goes on there or sends it once more.
            receiver.next(partition).filter(|_| random.coin()).unwrap_or(acked).max(acked)
        });
        while from < produced && !exists(partition, from) {
            from += 1;
            receiver.skip(partition, from);
        }
        if from >= produced {
            return Ok(None);
        }
        let pushed = receiver.try_push(partition, from, &Item::numbered(partition, from).bytes())?;
        if pushed != Pushed::NotNow {
            self.cursors.insert(partition, from + 1);
            self.handed.insert(partition, from + 1);
        }
        Ok(Some(pushed))
    }

    /// It ends in order, if it can: then nothing is lost of what was handed in.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match &self.receiver {
            Either::Numbered(receiver) => receiver.stop(Duration::from_secs(1)),
            Either::Plain(receiver) => receiver.stop(Duration::from_secs(1)),
        }?;
        let Reception { world, handed, plain, .. } = self;
        world.tally.count("receivers stopped in order");
        let mut model = world.model.lock();
        model.sources.plain_safe.extend(&*plain);
        for (&partition, &end) in &*handed {
            let (_, acked) = model.sources.numbered[partition as usize];
            assert!(
                acked >= end,
                "stopped, and not all was acknowledged: partition={partition} {acked} {end}"
            );
        }
        Ok(())
    }

    /// Removes from its log what the driver says it may.
    pub(crate) fn release(&mut self, below: Position, before: Time) {
        match release(self.log(), below, before) {
            Ok(retired) => {
                self.world.tally.add("segments of receivers removed", retired.removed);
                self.world.model.lock().removed(self.name(), self.log().range().start);
            }
            Err(error) if error.to_string().contains("clock") => self.log().confirm_clock(),
            Err(error) => self.world.explained(&error),
        }
    }

    pub(crate) fn seal(&mut self) {
        if let Err(error) = self.log().seal() {
            self.world.explained(&error);
        }
    }

    /// A fault or a crash comes soon.
    pub(crate) fn trouble(&mut self, random: &mut Random) {
        let sim = self.process.sim();
        let growing = Store::append(&self.process).is_some();
        match random.below(3) {
            0 | 1 => plan_a_fault(&sim, &self.process, growing, random, 10),
            _ => {
                crash_soon(&self.process, &self.world.tally, random);
                self.doomed = true;
            }
        }
    }
}

/// A receiver's machine dies before one of its next operations, by being killed or by a power cut.
pub(crate) fn crash_soon(process: &Process, tally: &Tally, random: &mut Random) {
    let (dies, sim, tally): (Process, Sim, Tally) = (process.clone(), process.sim(), tally.clone());
    let power = random.coin().then_some(if random.one_in(3) { Cut::LoseAll } else { Cut::Seeded });
    process.before_operation(1 + random.below(20), move || {
        dies.kill();
        tally.count("receivers that died at an operation");
        if let Some(cut) = power {
            sim.power_cut_as(cut);
            tally.count("receivers' power cut at an operation");
        }
    });
}
