//! The log's threads in every order that a scheduler comes up with. In each schedule everything ends, every ticket is
//! answered, once and in order, and the queue has as much room afterwards as before. That a schedule gets stuck, or that
//! a wait without end is ended only by chance, is a failure by itself.
//!
//! Half of the seeds choose the next thread at random; the other half keep to priorities that change at a few points,
//! which finds what needs one thread to stand still for long.

mod device;
mod ends;
mod full;
mod room;
mod waiting;
mod wakers;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use headwater_wal::store::Store;
use headwater_wal::{Clock, Durability, Log, Options, Position, Time};
use parking_lot::thread::{Thread, current, park};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use device::Device;

/// How many schedules a seed stands for, and how many seeds a scenario is run with.
const SCHEDULES: usize = 50;
const SEEDS: u64 = 40;

/// More than any schedule needs that ends.
const STEPS_MAX: usize = 200_000;

/// Which waits run out.
#[derive(Clone, Copy)]
enum Passing {
    /// All but those that are meant to last.
    Passes,
    /// Only a lane's dozes. Whatever else is woken in time must be woken by somebody.
    Creeps,
    /// None.
    StandsStill,
}

impl Passing {
    fn long(self) -> Duration {
        match self {
            Passing::Passes => Duration::from_secs(60),
            Passing::Creeps => Duration::from_millis(2),
            Passing::StandsStill => Duration::ZERO,
        }
    }
}

/// Runs a scenario in many schedules. It needs no wait to run out but a lane's dozes.
fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    explore_while(&[Passing::Creeps, Passing::Passes], scenario);
}

fn explore_while(times: &'static [Passing], scenario: impl Fn() + Send + Sync + 'static) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("HEADWATER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HEADWATER_SEEDS").unwrap_or(SEEDS),
    };
    let scenario = Arc::new(scenario);
    for seed in seeds {
        let scenario = scenario.clone();
        let run = move || {
            parking_lot::set_long(times[(seed / 2) as usize % times.len()].long());
            parking_lot::thread::spawns_left(usize::MAX);
            scenario();
        };
        let mut config = Config::new();
        config.stack_size = 256 << 10;
        config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
        config.failure_persistence = FailurePersistence::None;
        let ran = catch_unwind(AssertUnwindSafe(|| match seed % 2 {
            0 => Runner::new(RandomScheduler::new_from_seed(seed, SCHEDULES), config).run(run),
            _ => Runner::new(PctScheduler::new_from_seed(seed, 3, SCHEDULES), config).run(run),
        }));
        if let Err(panic) = ran {
            eprintln!("it failed with HEADWATER_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

/// A clock that stands still: time passes only where a wait runs out.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn wall(&self) -> Time {
        Time(1_000_000)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// A group on objects lingers for less than what counts as long where time creeps: that wait must be able to run out.
const LINGER: Duration = Duration::from_millis(1);

/// So long is a record: a few of them fill a segment.
const RECORD: usize = 1000;

/// So many of them the queue has room for.
const ROOM: usize = 3;

fn record(number: usize) -> Vec<u8> {
    vec![number as u8; RECORD]
}

fn options() -> Options {
    Options::default()
        .segment_bytes(8 << 10)
        .record_bytes_max(4 << 10)
        .group_bytes_max(2500)
        .queue_bytes_max(4000)
        .in_flight_bytes_max(16 << 10)
        .linger(LINGER)
}

fn start(store: impl Store + 'static) -> Log {
    start_with(store, options())
}

fn start_with(store: impl Store + 'static, options: Options) -> Log {
    let opened = Log::open_with(Arc::new(store), options, Arc::new(Still)).unwrap();
    opened.start(Position::START).unwrap()
}

/// The first byte of every record that a later life finds.
fn found(device: &Device) -> Vec<usize> {
    let opened = Log::open_with(Arc::new(device.memory.clone()), options(), Arc::new(Still)).unwrap();
    assert_eq!(opened.survey().damage_count(), 0);
    let records = opened.replay(Position::START).unwrap();
    records.map(|record| usize::from(record.unwrap().payload[0])).collect()
}

/// As much room is left as there was when the log was started.
fn has_all_its_room(log: &Log, device: &Device) {
    device.hold();
    let mut tickets = Vec::new();
    while let Some(ticket) = log.try_append(Time(1), record(99)).unwrap() {
        tickets.push(ticket);
    }
    assert_eq!(tickets.len(), ROOM, "room was lost, or given twice");
    device.release();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
}

/// Polls a future once, with a waker that wakes nobody.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// An executor for one future.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => park(),
        }
    }
}

/// The kinds of logs that differ in how groups go to the device: several at once, one after the other, as objects.
#[derive(Clone, Copy)]
enum Shape {
    Several,
    One,
    Objects,
}

impl Shape {
    fn start(self) -> (Log, Device) {
        let device = Device::new(!matches!(self, Shape::Objects));
        let durability = if matches!(self, Shape::One) { Durability::Process } else { Durability::Power };
        (start_with(device.clone(), options().durability(durability)), device)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Several => "several",
            Shape::One => "one",
            Shape::Objects => "objects",
        })
    }
}
