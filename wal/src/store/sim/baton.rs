//! Turns: several actors, each on a thread of its own, of which exactly one runs at a time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::{Op, Process, Random, Sim};

/// Somebody who takes turns with others, and a process for them.
pub type Actor<'a> = Box<dyn FnOnce(Process) + Send + 'a>;

/// Which of so many actors goes on, in their order; it is asked where there is more than one.
pub type Schedule = Box<dyn FnMut(usize) -> usize + Send>;

thread_local! {
    /// Where the actor of this thread sits. Whatever process it uses, and whoever else uses that one, it waits for its
    /// own turn.
    static SEAT: RefCell<Option<(Arc<Baton>, usize)>> = const { RefCell::new(None) };
}

/// Before an operation of the device: lets other actors run, if this thread is one.
pub(super) fn turn(op: Op) {
    if let Some((baton, seat)) = SEAT.with_borrow(Clone::clone) {
        baton.turn(seat, op);
    }
}

/// The actor of this thread waits for what another one does, and lets it run. Whether there is another one.
pub(super) fn pass() -> bool {
    SEAT.with_borrow(Clone::clone).is_some_and(|(baton, seat)| baton.pass(seat))
}

/// Who may run now. It is passed on before every operation of the device, and when an actor waits or ends.
struct Baton {
    turns: Mutex<Turns>,
    passed: Condvar,
}

struct Turns {
    order: Order,
    holder: usize,
    seats: Vec<usize>,
    /// How often somebody could have been chosen so far.
    count: u64,
    /// Until when a seat sleeps.
    asleep: BTreeMap<usize, u64>,
}

/// Who is next.
enum Order {
    /// By seed. The holder goes on but for one time in so many: some schedules change at every step, in some an actor
    /// sleeps through the whole life of another. Where there are sleepers, who makes way may sleep through several.
    Seeded { random: Random, patience: u64, sleepers: bool },
    /// As the test says, before operations of these kinds.
    Told(Vec<Op>, Schedule),
}

impl Baton {
    fn new(order: Order, seats: usize) -> Self {
        let seats = (0..seats).collect();
        let mut turns = Turns { order, holder: 0, seats, count: 0, asleep: BTreeMap::new() };
        turns.choose(turns.seats.clone());
        Baton { turns: Mutex::new(turns), passed: Condvar::new() }
    }

    /// Lets others run before the holder goes on. Who has left the game goes on at once.
    fn turn(&self, seat: usize, op: Op) {
        self.wait(seat);
        let mut turns = self.turns.lock();
        if turns.seats.contains(&seat) && turns.is_due(op) {
            turns.may_fall_asleep(seat);
            let seats = turns.seats.clone();
            turns.choose(seats);
            self.passed.notify_all();
        }
        drop(turns);
        self.wait(seat);
    }

    fn pass(&self, seat: usize) -> bool {
        self.wait(seat);
        let mut turns = self.turns.lock();
        let others: Vec<_> = turns.seats.iter().copied().filter(|other| *other != seat).collect();
        if others.is_empty() || !turns.seats.contains(&seat) {
            return false;
        }
        // Nothing happens while all who are awake wait: that shall not take long.
        turns.count += 64;
        turns.choose(others);
        self.passed.notify_all();
        drop(turns);
        self.wait(seat);
        true
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
            let seats = turns.seats.clone();
            turns.choose(seats);
        }
        self.passed.notify_all();
    }
}

impl Turns {
    /// Whether another one may be chosen now.
    fn is_due(&mut self, op: Op) -> bool {
        self.count += 1;
        match &mut self.order {
            Order::Seeded { random, patience, .. } => random.one_in(*patience),
            Order::Told(ops, _) => ops.contains(&op),
        }
    }

    /// Sleeps that last for a step and such that last for a whole life are equally likely.
    fn may_fall_asleep(&mut self, seat: usize) {
        if let Order::Seeded { random, sleepers: true, .. } = &mut self.order
            && random.one_in(3)
        {
            let reach = 1 << random.below(12);
            self.asleep.insert(seat, self.count + random.below(reach));
        }
    }

    /// If all sleep, the one who would wake first wakes.
    fn awake(&self, among: Vec<usize>) -> Vec<usize> {
        let until = |seat: &usize| self.asleep.get(seat).copied().filter(|&until| until > self.count);
        let earliest = among.iter().map(until).min().flatten();
        among.into_iter().filter(|seat| until(seat) <= earliest).collect()
    }

    fn choose(&mut self, among: Vec<usize>) {
        let among = self.awake(among);
        let chosen = match &mut self.order {
            Order::Seeded { random, .. } => random.below(among.len() as u64) as usize,
            Order::Told(..) if among.len() == 1 => 0,
            Order::Told(_, schedule) => schedule(among.len()),
        };
        self.holder = among[chosen];
    }
}

/// The seat of this thread. It passes the baton on when its actor ends, also by a panic.
struct Seat<'a>(&'a Arc<Baton>, usize);

impl<'a> Seat<'a> {
    fn take(baton: &'a Arc<Baton>, seat: usize) -> Self {
        SEAT.set(Some((baton.clone(), seat)));
        baton.wait(seat);
        Seat(baton, seat)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        SEAT.set(None);
        self.0.leave(self.1);
    }
}

pub(super) fn take_turns(sim: &Sim, actors: Vec<Actor<'_>>, told: Option<(Vec<Op>, Schedule)>) {
    if actors.is_empty() {
        return;
    }
    let order = told.map_or_else(
        || {
            let mut random = Random::new(sim.device.lock().random.draw());
            let patience = [1, 2, 4, 16, 64][random.below(5) as usize];
            let sleepers = random.coin();
            Order::Seeded { random, patience, sleepers }
        },
        |(ops, schedule)| Order::Told(ops, schedule),
    );
    let baton = &Arc::new(Baton::new(order, actors.len()));
    let processes: Vec<_> = actors.iter().map(|_| sim.process()).collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let run = |(seat, (actor, process)): (usize, (Actor<'_>, Process))| {
            let _seat = Seat::take(baton, seat);
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
