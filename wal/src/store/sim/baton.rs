//! Turns: several actors, each on a thread of its own, of which exactly one runs at a time.

use std::panic;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::{Process, Random, Sim};

/// Somebody with a process of their own.
pub type Actor<'a> = Box<dyn FnOnce(Process) + Send + 'a>;

/// Who may run now. It is passed on before every operation of the device and when an actor ends, by seed.
#[derive(Debug)]
pub(super) struct Baton {
    turns: Mutex<Turns>,
    passed: Condvar,
}

#[derive(Debug)]
struct Turns {
    random: Random,
    holder: usize,
    seats: Vec<usize>,
    /// The holder goes on but for one time in so many: some schedules change at every step, in some an actor sleeps
    /// through the whole life of another.
    patience: u64,
}

impl Baton {
    fn new(seed: u64, seats: usize) -> Self {
        let mut random = Random::new(seed);
        let patience = [1, 2, 4, 16, 64][random.below(5) as usize];
        let holder = random.below(seats as u64) as usize;
        let turns = Turns { random, holder, seats: (0..seats).collect(), patience };
        Baton { turns: Mutex::new(turns), passed: Condvar::new() }
    }

    /// Lets others run before the holder goes on. Who has left the game goes on at once.
    pub(super) fn turn(&self, seat: usize) {
        self.wait(seat);
        let mut turns = self.turns.lock();
        let patience = turns.patience;
        if turns.seats.contains(&seat) && turns.random.one_in(patience) {
            turns.choose();
            self.passed.notify_all();
        }
        drop(turns);
        self.wait(seat);
    }

    fn wait(&self, seat: usize) {
        let mut turns = self.turns.lock();
        while turns.holder != seat && turns.seats.contains(&seat) {
            self.passed.wait(&mut turns);
        }
    }

    fn leave(&self, seat: usize) {
        let mut turns = self.turns.lock();
        turns.seats.retain(|other| *other != seat);
        if turns.holder == seat && !turns.seats.is_empty() {
            turns.choose();
        }
        self.passed.notify_all();
    }
}

impl Turns {
    fn choose(&mut self) {
        self.holder = self.seats[self.random.below(self.seats.len() as u64) as usize];
    }
}

/// Passes the baton on when an actor ends, also by a panic.
struct Seat<'a>(&'a Baton, usize);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

pub(super) fn take_turns(sim: &Sim, actors: Vec<Actor<'_>>) {
    if actors.is_empty() {
        return;
    }
    let baton = Arc::new(Baton::new(sim.device.lock().random.draw(), actors.len()));
    let processes: Vec<_> = (0..actors.len()).map(|seat| sim.seated(Some((baton.clone(), seat)))).collect();
    let baton = &*baton;
    let results: Vec<_> = std::thread::scope(|scope| {
        let run = |(seat, (actor, process)): (usize, (Actor<'_>, Process))| {
            let seat = Seat(baton, seat);
            baton.wait(seat.1);
            actor(process);
        };
        let threads: Vec<_> = actors
            .into_iter()
            .zip(processes)
            .enumerate()
            .map(|actor| scope.spawn(move || run(actor)))
            .collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    if let Some(panicked) = results.into_iter().find_map(Result::err) {
        panic::resume_unwind(panicked);
    }
}
