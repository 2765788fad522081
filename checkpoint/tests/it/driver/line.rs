//! The line between receivers and whatever driver lives.
//!
//! Nobody may be at its other end; a message may be lost on it, or its answer; it may arrive once more, long after; and it
//! may lead to a driver that was replaced and does not know it.

use std::fmt;
use std::sync::Arc;

use headwater_checkpoint::journal::ReceiverLog;
use headwater_checkpoint::receive::Reports;
use headwater_wal::receiver::{self, Answer, Driver, Report};
use headwater_wal::store::sim::{Cut, Random, Sim};
use headwater_wal::{Error, Kind, Position, Reader, Result};
use parking_lot::Mutex;

use super::life::Life;
use super::source::{PLAIN, items};
use super::world::{Machine, World, receiver_at};

/// So many replaced drivers still answer, at most.
const REPLACED_MAX: usize = 2;

/// A line that all receivers use. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Line {
    world: World,
    state: Arc<Mutex<State>>,
}

struct State {
    random: Random,
    /// Nothing goes wrong on it any more.
    calm: bool,
    newest: Option<Place>,
    replaced: Vec<Place>,
    /// Messages that will arrive once more.
    late: Vec<Message>,
}

/// A driver at the other end.
#[derive(Clone)]
struct Place {
    reports: Reports,
    machine: Machine,
}

#[derive(Clone)]
enum Message {
    Report(Vec<Report>),
    PassOver(Report),
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line(late={})", self.state.lock().late.len())
    }
}

impl Line {
    pub(crate) fn new(world: &World, random: Random) -> Line {
        let state = State { random, calm: false, newest: None, replaced: Vec::new(), late: Vec::new() };
        Line { world: world.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// From now on this one is the newest driver.
    pub(crate) fn lead_to(&self, life: &Life) {
        let place = Place { reports: life.driver.reports(), machine: life.machine.clone() };
        let mut state = self.state.lock();
        let before = state.newest.replace(place);
        state.replaced.extend(before);
        let mut gone: Vec<_> = state.replaced.extract_if(.., |replaced| replaced.machine.is_dead()).collect();
        let more = state.replaced.len().saturating_sub(REPLACED_MAX);
        gone.extend(state.replaced.drain(..more));
        drop(state);
        drop(gone); // which may close a journal, on its device
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.state.lock().calm
    }

    pub(crate) fn calm(&self) {
        let mut state = self.state.lock();
        state.calm = true;
        let gone = std::mem::take(&mut state.replaced);
        drop(state);
        drop(gone);
    }

    /// A line for the stop of a receiver, perhaps: nothing goes wrong on it meanwhile.
    pub(crate) fn calm_while<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.state.lock().calm, true);
        let done = act();
        self.state.lock().calm = before;
        done
    }

    /// A message arrives once more, and nobody waits for its answer.
    pub(crate) fn something_arrives(&self) {
        let (message, place) = {
            let mut state = self.state.lock();
            let State { random, late, .. } = &mut *state;
            if late.is_empty() {
                return;
            }
            let message = late.swap_remove(random.below(late.len() as u64) as usize);
            (message, state.chosen(&self.world))
        };
        let Some(place) = place else { return };
        self.world.tally.count("messages that arrived once more");
        let told = match message {
            Message::Report(blocks) => {
                place.reports.report(&blocks).map(|answers| self.answered(&blocks, &answers))
            }
            Message::PassOver(block) => {
                place.reports.pass_over(&block).map(|answer| self.answered(&[block], &[answer]))
            }
        };
        if let Err(error) = told {
            self.world.explained(&error);
        }
    }

    /// Sends a message to a driver, and brings its answer back.
    fn send<T>(
        &self,
        copy: impl FnOnce() -> Option<Message>,
        ask: impl FnOnce(&Reports) -> Result<T>,
        answered: impl FnOnce(&T),
    ) -> Result<T> {
        let away = |why: &str| Err(Error::new(Kind::Unavailable, why));
        let (place, answer_lost) = {
            let mut state = self.state.lock();
            if !state.calm && state.random.one_in(12) {
                self.world.tally.count("messages lost");
                return away("the message was lost");
            }
            if !state.calm && state.random.one_in(12) {
                state.late.extend(copy());
            }
            let Some(place) = state.chosen(&self.world) else { return away("the driver is dead") };
            (place, !state.calm && state.random.one_in(10))
        };
        let answer = ask(&place.reports);
        match &answer {
            Ok(answer) => answered(answer),
            Err(error) => self.world.explained(error),
        }
        if answer_lost {
            self.world.tally.count("answers lost");
            return away("the answer was lost");
        }
        answer
    }

    /// What a driver has answered is so, whoever hears of it.
    fn answered(&self, blocks: &[Report], answers: &[Answer]) {
        for (block, answer) in blocks.iter().zip(answers) {
            let log = ReceiverLog {
                stream: block.stream,
                receiver: block.receiver,
                identity: block.handle.identity(),
            };
            let what = match answer {
                Answer::Taken => "blocks taken",
                Answer::PassedOver => "blocks passed over",
                Answer::Refused(_) => "blocks refused",
                Answer::Early(_) => "reports that came early",
                Answer::Full => "reports that found no room",
            };
            self.world.tally.count(what);
            let lost = (*answer == Answer::Taken && block.stream == PLAIN).then(|| self.read(block));
            let mut model = self.world.model.lock();
            match answer {
                Answer::Taken => {
                    model.settled(log, block.handle.position());
                    block.ranges.iter().for_each(|range| model.arrived(range.partition, range.to));
                    model.sources.plain_safe.extend(lost.into_iter().flatten());
                }
                Answer::PassedOver => model.settled(log, block.handle.position()),
                Answer::Refused(ends) => ends.iter().for_each(|end| model.arrived(end.partition, end.end)),
                Answer::Early(_) | Answer::Full => {}
            }
        }
    }

    /// The numbers of a plain block's records. It is gone if it was taken long ago.
    fn read(&self, block: &Report) -> Vec<u64> {
        let received = &self.world.received[receiver_at(block.stream, block.receiver)];
        let read = |sim: &Sim| Reader::open(sim.store()).unwrap().read(&block.handle);
        let read = match read(received) {
            Err(error) if error.kind() == Kind::Unavailable => {
                // Its segment is being written: what was synced shows to whoever ends the lease.
                let ended = received.fork(block.number);
                ended.expire_leases();
                ended.power_cut_as(Cut::LoseAll);
                read(&ended)
            }
            read => read,
        };
        match read {
            Ok(record) => items(&record.payload).iter().map(|item| item.number).collect(),
            Err(error) if error.kind() == Kind::Retired => Vec::new(),
            Err(error) => panic!("a block was reported that is not durable: {block:?} {error:?}"),
        }
    }
}

impl State {
    /// Whom the line leads to now, if anybody.
    fn chosen(&mut self, world: &World) -> Option<Place> {
        let replaced: Vec<_> = self.replaced.iter().filter(|replaced| !replaced.machine.is_dead()).collect();
        if !self.calm && !replaced.is_empty() && self.random.one_in(3) {
            world.tally.count("messages to replaced drivers");
            return Some(replaced[self.random.below(replaced.len() as u64) as usize].clone());
        }
        let newest = self.newest.clone().filter(|newest| !newest.machine.is_dead());
        if newest.is_none() {
            world.tally.count("messages to nobody");
        }
        newest
    }
}

impl Driver for Line {
    fn settled(&self, log: receiver::ReceiverLog) -> Result<Option<Position>> {
        self.send(|| None, |driver| driver.settled(log), |_| {})
    }

    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        let copy = || Some(Message::Report(blocks.to_vec()));
        self.send(copy, |driver| driver.report(blocks), |answers| self.answered(blocks, answers))
    }

    fn pass_over(&self, block: &Report) -> Result<Answer> {
        let copy = || Some(Message::PassOver(block.clone()));
        let answered =
            |answer: &Answer| self.answered(std::slice::from_ref(block), std::slice::from_ref(answer));
        self.send(copy, |driver| driver.pass_over(block), answered)
    }

    fn released(&self, log: receiver::ReceiverLog) -> Result<Position> {
        self.send(|| None, |driver| driver.released(log), |_| {})
    }
}
