//! The receivers of all streams, those that replaced others, and those that were replaced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_checkpoint::journal::ReceiverLog;
use headwater_wal::store::sim::{Cut, Process, Random};
use headwater_wal::{Kind, Log, Position, Time};
use parking_lot::Mutex;

use super::line::Line;
use super::receiver::{Reception, Shared, crash_soon};
use super::source::{PARTITIONS, PLAIN};
use super::world::{RECEIVERS, World, plan_a_fault};

/// So many replaced receivers are still there, at most.
const REPLACED_MAX: usize = 3;

/// A quiet receiver comes to its end within so many turns.
const TURNS_MAX: usize = 20_000;

pub(crate) struct Fleet {
    world: World,
    pub(crate) line: Line,
    /// By their places in `RECEIVERS`.
    slots: Vec<Option<Shared>>,
    replaced: Vec<Shared>,
    /// Which receiver reads each partition.
    readers: [usize; PARTITIONS as usize],
}

impl std::fmt::Display for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.slots.iter().flatten().try_for_each(|receiver| {
            let receiver = receiver.lock();
            let log = receiver.log();
            write!(f, "{:?} full={:?} failed={:?} ", receiver.status(), log.waits_for_room(), log.failure())
        })
    }
}

impl Fleet {
    pub(crate) fn new(world: &World, line: Line, random: &mut Random) -> Fleet {
        let slots = RECEIVERS.iter().map(|_| None).collect();
        let readers = std::array::from_fn(|_| random.below(2) as usize);
        Fleet { world: world.clone(), line, slots, replaced: Vec::new(), readers }
    }

    /// A receiver does something; it is started first if it is not there.
    pub(crate) fn step(&mut self, random: &mut Random) {
        let at = random.below(RECEIVERS.len() as u64) as usize;
        self.bury(at);
        match self.slots[at].clone() {
            None => self.start(at, random),
            Some(receiver) => self.act(&receiver, random),
        }
    }

    /// A replaced one does something: it wakes, and goes on as if nothing had been.
    pub(crate) fn replaced_goes_on(&mut self, random: &mut Random) {
        if self.replaced.is_empty() {
            return;
        }
        let at = random.below(self.replaced.len() as u64) as usize;
        let receiver = self.replaced[at].clone();
        self.act(&receiver, random);
        self.world.tally.count("replaced receivers that went on");
        let over = receiver.lock().over();
        if let Some(error) = over {
            if error.kind() == Kind::Fenced {
                self.world.tally.count("replaced receivers told");
            }
            drop(self.replaced.remove(at));
        }
    }

    fn act(&self, receiver: &Shared, random: &mut Random) {
        let mut receiver = receiver.lock();
        match random.below(12) {
            0..5 => {
                let of = self.partitions(receiver.at);
                for _ in 0..1 + random.below(6) {
                    let partition = of.get(random.below(of.len().max(1) as u64) as usize);
                    receiver.send(partition.copied().unwrap_or(0), random);
                }
            }
            5..11 => {
                for _ in 0..1 + random.below(8) {
                    receiver.turn();
                }
            }
            _ => receiver.seal(),
        }
    }

    /// The partitions that a receiver reads.
    fn partitions(&self, at: usize) -> Vec<u32> {
        (0..PARTITIONS).filter(|of| RECEIVERS[at].0 == PLAIN || self.readers[*of as usize] == at).collect()
    }

    /// One that has ended is no more.
    fn bury(&mut self, at: usize) {
        let over = self.slots[at].as_ref().and_then(|receiver| receiver.lock().over());
        if let Some(error) = over {
            self.world.tally.count(format!("receivers ended: {:?}", error.kind()));
            drop(self.slots[at].take());
        }
    }

    /// Starts a receiver where there is none, or beside the one that is there, which seems to be dead; with trouble on its
    /// way perhaps.
    fn start(&mut self, at: usize, random: &mut Random) {
        let process = self.world.received[at].process();
        let growing = headwater_wal::store::Store::append(&process).is_some();
        let trouble = random.below(6);
        match trouble {
            0 => plan_a_fault(&process.sim(), &process, growing, random, 30),
            1 => crash_soon(&process, &self.world.tally, random),
            _ => {}
        }
        let starts = Arc::new(AtomicBool::new(true));
        let before =
            self.slots[at].clone().or_else(|| self.replaced.iter().find(|old| old.lock().at == at).cloned());
        if let Some(before) = before.filter(|_| random.coin()) {
            let within = "receivers at work within their heir's start";
            self.visit(&process, vec![before], &starts, within, random);
        }
        let begun = Reception::begin(&self.world, at, process.clone(), &self.line, random.draw());
        starts.store(false, Ordering::Relaxed);
        match begun {
            Ok(mut begun) => {
                begun.doomed = trouble == 1;
                let began_at = begun.log().range().end;
                let before = self.slots[at].replace(Arc::new(Mutex::new(begun)));
                if before.is_some() {
                    self.world.tally.count("receivers replaced while they lived");
                }
                self.replaced.extend(before);
                for old in self.replaced.iter().filter(|old| old.lock().at == at) {
                    let mut old = old.lock();
                    old.replaced_at = Some(old.replaced_at.map_or(began_at, |before| before.min(began_at)));
                }
                if self.replaced.len() > REPLACED_MAX {
                    drop(self.replaced.remove(0));
                }
            }
            Err(error) => {
                self.world.explains_a_receiver(&error);
                self.world.tally.count("receivers' starts that failed");
                if error.kind() == Kind::Locked {
                    self.world.tally.count("receivers locked out");
                }
                process.kill();
            }
        }
    }

    /// These go on before an operation of a process, if that is one of its start.
    fn visit(
        &self,
        process: &Process,
        who: Vec<Shared>,
        starts: &Arc<AtomicBool>,
        what: &'static str,
        random: &mut Random,
    ) {
        let (starts, tally) = (starts.clone(), self.world.tally.clone());
        let mut random = Random::new(random.draw());
        process.before_operation(1 + random.below(25), move || {
            // Once at most: what they do may lead to an operation that is visited too.
            if !starts.swap(false, Ordering::Relaxed) {
                return;
            }
            for receiver in who {
                let Some(mut receiver) = receiver.try_lock() else { continue };
                for _ in 0..1 + random.below(12) {
                    if random.one_in(3) {
                        receiver.send(random.below(u64::from(PARTITIONS)) as u32, &mut random);
                    }
                    receiver.turn();
                }
            }
            tally.count(what);
        });
    }

    /// Receivers go on while a driver comes back, as long as it has not.
    pub(crate) fn visit_a_driver(&self, process: &Process, random: &mut Random) -> Arc<AtomicBool> {
        let starts = Arc::new(AtomicBool::new(true));
        let who = self.slots.iter().flatten().cloned().collect();
        self.visit(process, who, &starts, "receivers at work within a driver's coming back", random);
        starts
    }

    /// A receiver's fault or crash comes soon.
    pub(crate) fn trouble(&self, random: &mut Random) {
        if let Some(receiver) = &self.slots[random.below(RECEIVERS.len() as u64) as usize] {
            receiver.lock().trouble(random);
        }
    }

    /// A receiver ends, in one of the ways there are.
    pub(crate) fn one_ends(&mut self, random: &mut Random) {
        let at = random.below(RECEIVERS.len() as u64) as usize;
        if self.slots[at].is_none() {
            return;
        }
        match random.below(6) {
            0 => self.replace(at, random),
            1 | 2 => self.stop(at, random),
            3 => drop(self.slots[at].take()), // as if it were killed, but for what the log has taken in
            4 => {
                let Some(killed) = self.slots[at].take() else { return };
                killed.lock().process.kill();
                self.world.tally.count("receivers killed");
                // What it had sent to others is still on its way, perhaps.
                if random.coin() {
                    self.replaced.push(killed);
                }
            }
            _ => {
                self.world.received[at].power_cut_as(Cut::Seeded);
                self.world.tally.count("receivers' power cut");
                drop(self.slots[at].take());
            }
        }
    }

    /// It is only asleep, and another one takes its log over. On a disk it has the lock.
    fn replace(&mut self, at: usize, random: &mut Random) {
        self.start(at, random);
    }

    fn stop(&mut self, at: usize, random: &mut Random) {
        let Some(receiver) = self.slots[at].take() else { return };
        let (mut receiver, line) = (receiver.lock(), self.line.clone());
        let stopped = if random.coin() { line.calm_while(|| receiver.stop()) } else { receiver.stop() };
        if let Err(error) = stopped {
            self.world.explains_a_receiver(&error);
            self.world.tally.count("stops that gave up");
        }
    }

    /// The source of a partition turns to another receiver.
    pub(crate) fn rebalance(&mut self, random: &mut Random) {
        let partition = random.below(u64::from(PARTITIONS)) as usize;
        self.readers[partition] = 1 - self.readers[partition];
        self.slots.iter().flatten().for_each(|receiver| receiver.lock().connect());
        self.world.tally.count("partitions moved");
    }

    /// A receiver's disk is full for a while.
    pub(crate) fn fill(&self, random: &mut Random) {
        let sim = &self.world.received[random.below(RECEIVERS.len() as u64) as usize];
        let used: usize = sim.names().iter().map(|name| sim.read_raw(name).len()).sum();
        sim.set_capacity(Some(used as u64 + sim.reserved() + random.below(4000)));
        self.world.tally.count("receivers' disks full");
    }

    pub(crate) fn make_room(&self) {
        self.world.received.iter().for_each(|sim| sim.set_capacity(None));
    }

    /// Receivers remove what they were told they may, now or later; replaced ones try to.
    pub(crate) fn release(&mut self, random: &mut Random) {
        let released = std::mem::take(&mut self.world.model.lock().released);
        for (log, below) in released {
            if random.one_in(4)
                && let Some(old) = self.replaced.iter().find(|old| old.lock().name() == log)
            {
                old.lock().release(below, Time::MAX);
                self.world.tally.count("replaced receivers that clean");
            }
            let receiver = self.slots.iter().flatten().find(|receiver| receiver.lock().name() == log);
            match receiver {
                Some(receiver) if !random.one_in(5) => receiver.lock().release(below, Time::MAX),
                _ => self.world.model.lock().released.push((log, below)),
            }
        }
    }

    /// From now on nothing goes wrong; those that were replaced are gone, and so is one or the other that was not.
    pub(crate) fn calm_down(&mut self, random: &mut Random) {
        self.line.calm();
        self.make_room();
        self.replaced.drain(..).for_each(|old| old.lock().process.kill());
        for (slot, sim) in self.slots.iter_mut().zip(&self.world.received) {
            if slot.take_if(|receiver| receiver.lock().is_dead() || random.one_in(3)).is_some()
                || slot.is_none()
            {
                sim.process_crash(); // also for who only seems to have ended
            }
        }
    }

    /// Every receiver takes what there is, and works until it has nothing more to do. Whether all is settled.
    pub(crate) fn drain(&mut self, random: &mut Random) -> bool {
        for (at, (stream, _)) in RECEIVERS.into_iter().enumerate() {
            self.bury(at);
            if let Some(dead) = self.slots[at].take_if(|receiver| receiver.lock().is_dead()) {
                dead.lock().process.kill();
            }
            if self.slots[at].is_none() {
                let process = self.world.received[at].process();
                let begun = Reception::begin(&self.world, at, process, &self.line, random.draw());
                let begun = begun.expect("a calm medium, and a driver");
                self.slots[at] = Some(Arc::new(Mutex::new(begun)));
            }
            let receiver = self.slots[at].clone().expect("it was started");
            let mut receiver = receiver.lock();
            receiver.connect();
            let mut turns = 0;
            loop {
                self.world.clock.advance(Duration::from_secs(40));
                while receiver.turn() {
                    turns += 1;
                    assert!(turns < TURNS_MAX, "a receiver comes to no end: {:?}", receiver.status());
                }
                let of = self.partitions(at);
                let sends = stream != PLAIN;
                if !sends || !of.iter().any(|partition| receiver.send(*partition, random)) {
                    break;
                }
                of.iter().for_each(|partition| while receiver.send(*partition, random) {});
            }
        }
        self.slots.iter().flatten().all(|receiver| receiver.lock().is_quiet())
    }

    pub(crate) fn seal_all(&self) {
        for receiver in self.slots.iter().flatten() {
            receiver.lock().seal();
            receiver.lock().log().confirm_clock();
        }
    }

    /// Receivers remove what they may: as was explained before, and then little is left.
    pub(crate) fn release_all(
        &self,
        released: &[(ReceiverLog, Position)],
        explain: impl Fn(ReceiverLog, &Log) -> Option<Position>,
    ) {
        for receiver in self.slots.iter().flatten() {
            let mut receiver = receiver.lock();
            let name = receiver.name();
            let below = released.iter().filter(|(log, _)| *log == name).map(|(_, below)| *below).max();
            let Some(below) = below else { continue };
            let explained = explain(name, receiver.log());
            receiver.release(below, Time::MAX);
            let (start, failed) = (receiver.log().range().start, receiver.log().failure());
            assert_eq!(
                Some(start),
                explained,
                "explained otherwise than done: {name} below={below} {failed:?}"
            );
            let left = receiver.log().chain();
            let left = left.segments().iter().filter(|segment| segment.records > Some(0)).count();
            assert!(left <= 1, "a receiver's log keeps what nobody needs: segments={left}");
        }
    }

    /// All stop in order, with a record in hand that was not there before.
    pub(crate) fn stop_all(&mut self) {
        for slot in &mut self.slots {
            let receiver = slot.take().expect("it is there");
            receiver.lock().stop().expect("calm media, a driver and a source");
        }
    }
}
