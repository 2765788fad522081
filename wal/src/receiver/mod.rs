//! Floor 5: records come in, blocks go into a log, and a source is told what is safe.
//!
//! A receiver takes the records of a source, cuts a block of them every 200 ms or every MiB, appends it to a log of its
//! own, reports it to the driver once it is durable, and acknowledges the source once it is reported: in this order, and
//! in the order in which the records came.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use headwater_wal::receiver::{Acknowledge, Answer, Driver, End, Receiver, ReceiverLog, Reliable, Report, blocks};
//! use headwater_wal::store::Memory;
//! use headwater_wal::{Log, Position, Result};
//!
//! /// A driver that takes everything. A real one is `headwater_checkpoint::receive::Reports`.
//! #[derive(Debug)]
//! struct TakesAll;
//!
//! impl Driver for TakesAll {
//!     fn settled(&self, _: ReceiverLog) -> Result<Option<Position>> {
//!         Ok(None)
//!     }
//!     fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
//!         Ok(vec![Answer::Taken; blocks.len()])
//!     }
//!     fn pass_over(&self, _: &Report) -> Result<Answer> {
//!         Ok(Answer::PassedOver)
//!     }
//!     fn released(&self, _: ReceiverLog) -> Result<Position> {
//!         Ok(Position::START) // it lets nothing go
//!     }
//! }
//!
//! /// A source that can send again.
//! #[derive(Debug)]
//! struct Queue;
//!
//! impl Acknowledge for Queue {
//!     fn acknowledge(&self, ends: &[End]) -> Result<()> {
//!         ends.iter().for_each(|end| println!("partition {} is safe below {}", end.partition, end.end));
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let opened = Log::open(Arc::new(Memory::growing()), Default::default())?;
//! let receiver = Receiver::start(opened, Arc::new(TakesAll), Reliable::new(Arc::new(Queue)), Default::default())?;
//! receiver.push(0, 100, b"a record")?; // of partition 0, at the source's own position 100
//! receiver.push(0, 101, b"the next one")?;
//! receiver.stop(Duration::from_secs(30))?; // cut, logged, reported, acknowledged; then the log is sealed
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **Acknowledged is reported, reported is durable.** Nothing is reported before its ticket has answered, and nothing
//!   acknowledged before the driver has said that it has it.
//! - **A [`Reliable`] source loses nothing, and its records are taken once**, whatever dies and whenever: it sends again
//!   what it was not told to be safe, and the driver knows by its positions what it has.
//! - **Of an [`Unreliable`] source** a kill costs what was not durable yet: what waits for its block to be cut, and for the
//!   device. What was durable is taken, at least once.
//! - **A stop loses nothing**: see [`Receiver::stop`].
//! - **Nothing durable is orphaned.** A receiver begins with the blocks of its log that the driver does not know, whoever
//!   cut them, and takes no record before they are settled ([`Receiver::start`]).
//! - **Bounded**: what is handed in and not settled takes `held_bytes_max`, and then [`push`](Receiver::push) waits, also
//!   while the driver is away for long.
//! - **Nothing that is needed is removed.** Its log grows until [`Receiver::release`] is called, which asks the driver below
//!   which position nothing is needed, and keeps what is not settled, whatever the answer.
//!
//! # When something goes wrong
//!
//! - The driver is away, or an answer is lost: it is asked again, the same in the same order, later each time.
//! - It refuses a block because it has some of its records: the block and those behind it are passed over and what it does
//!   not know is cut anew.
//! - It misses blocks before one that is reported: they are read from the log, and reported first.
//! - The log fails: the receiver ends, and every call says why. What it had not acknowledged, its source has still; start
//!   it again ([`Restarts`]), and have the source send from what it was told last.
//! - Another receiver has taken the log over, perhaps because this one seemed dead: `Fenced`.

mod anew;
pub mod blocks;
mod catch_up;
mod core;
mod driver;
mod intake;
mod options;
mod pace;
mod settle;
mod source;
mod supervise;
mod threads;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use self::core::Core;
use crate::clock::{Clock, SystemClock, Time};
use crate::error::{Error, Kind, Result};
use crate::format::Position;
use crate::group::{Log, Opened, Retired};
use blocks::Place;
use catch_up::CatchUp;
pub use driver::{Answer, Driver, End, ReceiverLog, Report};
use intake::{Intake, Life, Phase};
pub use intake::{Lag, Pushed};
pub use options::{Options, Rate};
use pace::BackOff;
use settle::Settling;
pub use source::{Acknowledge, Reliable, Source, Unreliable};
pub use supervise::Restarts;
use threads::Threads;

/// A receiver. All calls may be made from any number of threads; records of one partition come from one.
///
/// Dropped without [`stop`](Receiver::stop) it ends as if it were killed, but for what the log has taken in.
#[derive(Debug)]
pub struct Receiver<S: Source> {
    core: Arc<Core>,
    threads: Threads,
    source: PhantomData<S>,
}

/// So long is waited for a call of the driver's or the source's at the end, and then no more.
const HANGS_AFTER: Duration = Duration::from_secs(1);

/// How a receiver stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// It has settled what its log held, and takes records.
    pub takes_records: bool,
    /// What was handed in and is not settled.
    pub lag: Lag,
    /// Why the driver cannot be reached, or takes nothing.
    pub driver_away: Option<Error>,
    /// Why the source cannot be told.
    pub source_away: Option<Error>,
}

impl<S: Source> Receiver<S> {
    /// Takes over a log, reports what the driver does not know of it, and then takes records.
    ///
    /// The log is this receiver's alone, by stream and number: it may be of a receiver that died, also on another machine,
    /// and then that one is fenced. `Invalid`: the log's records cannot be as long as the blocks, and nothing was touched;
    /// or later: the log is another receiver's. An error of the driver's, who is
    /// asked up to where the log must reach; an error of the log's start.
    pub fn start(opened: Opened, driver: Arc<dyn Driver>, source: S, options: Options) -> Result<Self> {
        Receiver::start_with(opened, driver, source, options, Arc::new(SystemClock::default()))
    }

    /// Starts a receiver that gets its time and randomness from `clock`.
    pub fn start_with(
        opened: Opened,
        driver: Arc<dyn Driver>,
        source: S,
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let receiver = Receiver::begin(opened, driver, source, options, clock, None)?;
        receiver.threads.start(&receiver.core)?;
        Ok(receiver)
    }

    /// Starts a receiver without threads: all its work is done by [`turn`](Receiver::turn), and by who waits. A whole life
    /// of it replays from a seed.
    #[cfg(feature = "sim")]
    pub fn start_stepped(
        opened: Opened,
        driver: Arc<dyn Driver>,
        source: S,
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        Receiver::begin(opened, driver, source, options, clock, Some(Opened::start_stepped))
    }

    fn begin(
        opened: Opened,
        driver: Arc<dyn Driver>,
        source: S,
        options: Options,
        clock: Arc<dyn Clock>,
        stepped: Option<fn(Opened, Position) -> Result<Log>>,
    ) -> Result<Self> {
        options.check()?;
        options.check_log(opened.record_bytes_max())?;
        let of = |identity| ReceiverLog { stream: options.stream, receiver: options.receiver, identity };
        // What the driver has settled was acknowledged: a log that ends before is damaged, and not taken over.
        let at_least = match opened.survey().identity() {
            Some(identity) => driver.settled(of(identity.short()))?.map_or(Position::START, |at| at.plus(1)),
            None => Position::START,
        };
        let log = match stepped {
            Some(start) => start(opened, at_least)?,
            None => opened.start(at_least)?,
        };
        // Asked again: until it was replaced, the one before may have reported more.
        let settled = driver.settled(of(log.identity()))?;
        let catch_up = CatchUp::new(&log, settled, None)?;
        let settling = Settling {
            last: settled,
            catch_up: Some(catch_up),
            anew: None,
            missed: None,
            owed: BTreeMap::new(),
            driver: BackOff::new(options.back_off, options.back_off_max),
            driver_away: None,
            source: BackOff::new(options.back_off, options.back_off_max),
            source_away: None,
        };
        let core = Core {
            log,
            driver,
            source: source.acknowledged(),
            clock,
            stepped: stepped.is_some(),
            intake: Mutex::new(Intake::new(&options, settled)),
            options,
            room: Condvar::new(),
            to_cut: Condvar::new(),
            to_settle: Condvar::new(),
            settling: Mutex::new(settling),
        };
        Ok(Receiver { core: Arc::new(core), threads: Threads::default(), source: PhantomData })
    }

    /// How far it is behind: a signal to slow the source down by, or to ask for more receivers.
    pub fn lag(&self) -> Lag {
        self.core.intake.lock().lag(self.core.clock.elapsed())
    }

    /// Takes so much in a second from now on.
    pub fn set_rate(&self, rate: Rate) -> Result<()> {
        rate.check()?;
        self.core.intake.lock().pace.set(rate, self.core.clock.elapsed());
        self.core.room.notify_all();
        Ok(())
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        // Whoever settles may be at the driver's for long: what is not known now is not waited for.
        let away = self.core.settling.try_lock();
        let away = away.map(|settling| (settling.driver_away.clone(), settling.source_away.clone()));
        let (driver_away, source_away) = away.unwrap_or_default();
        let intake = self.core.intake.lock();
        Status {
            takes_records: intake.phase != Phase::CatchingUp && intake.is_open().is_ok(),
            lag: intake.lag(self.core.clock.elapsed()),
            driver_away,
            source_away,
        }
    }

    /// Why it has ended, if it has.
    pub fn failure(&self) -> Option<Error> {
        self.core.over().err()
    }

    /// The log, as its driver knows it.
    pub fn receiver_log(&self) -> ReceiverLog {
        self.core.receiver_log()
    }

    /// Its log, for reading and retiring.
    pub fn log(&self) -> &Log {
        &self.core.log
    }

    /// Removes whole segments of its log that the driver has no need of any more, and that are older than `before` by the
    /// engine's time. Call it now and then: nothing else removes them.
    pub fn release(&self, before: Time) -> Result<Retired> {
        let (driver, of, log) = (&self.core.driver, self.receiver_log(), self.log());
        let released = driver.released(of)?;
        // What is not settled is needed, whatever anybody says.
        let settled = driver.settled(of)?.unwrap_or(Position::START);
        let range = log.range();
        let _pin = log.pin(released.min(settled).clamp(range.start, range.end))?;
        log.retire_before(before)
    }

    /// Of a stepped receiver: some of its work; whether there was any.
    #[cfg(feature = "sim")]
    pub fn turn(&self) -> bool {
        self.core.turn()
    }

    /// Ends without losing anything that was handed in: nothing more is taken, the last block is cut, and when all blocks
    /// are logged, reported and acknowledged, the log is sealed. Whoever pushes meanwhile, or waits for room, gets `Closed`
    /// for what was not taken; so does who stops it a second time.
    ///
    /// `Unavailable`: the driver or the source was away for so long. What the log holds is safe there, and the next
    /// receiver of this log reports it; a reliable source was told of nothing that was not reported. A call of theirs that
    /// hangs is waited for a second longer, and then left alone.
    pub fn stop(&self, at_most: Duration) -> Result<()> {
        let core = &*self.core;
        let until = core.clock.elapsed().saturating_add(at_most);
        {
            let mut intake = core.intake.lock();
            intake.is_open()?;
            intake.life = Life::Stopping;
        }
        core.wake();
        let drained = loop {
            if let Err(error) = core.over() {
                break Err(error);
            }
            if core.is_drained() {
                break Ok(());
            }
            let left = until.saturating_sub(core.clock.elapsed());
            let stuck = if core.stepped { !core.turn() } else { left.is_zero() };
            if stuck {
                break Err(self.gave_up());
            }
            if !core.stepped {
                let mut intake = core.intake.lock();
                core.room.wait_for(&mut intake, left.min(Duration::from_millis(20)));
            }
        };
        drained.and(self.end(Error::new(Kind::Closed, "the receiver was stopped")))
    }

    fn gave_up(&self) -> Error {
        let Status { lag, driver_away, source_away, .. } = self.status();
        let message = format!("the receiver stopped before all of it was acknowledged: {lag:?}");
        let error = Error::new(Kind::Unavailable, message);
        match driver_away.or(source_away) {
            Some(cause) => error.because(cause),
            None => error,
        }
    }

    /// The log is closed first: a thread may wait for room there.
    fn end(&self, error: Error) -> Result<()> {
        self.core.end(error);
        let closed = self.core.log.close();
        self.threads.end(&self.core, HANGS_AFTER);
        closed
    }

    /// Hands a record in; waits for room, if it shall.
    fn hand_in(&self, place: Option<Place>, record: &[u8], waits: bool) -> Result<Pushed> {
        let core = &*self.core;
        let mut intake = core.intake.lock();
        loop {
            let now = core.clock.elapsed();
            let blocks = intake.cut.len();
            let (pushed, wait) = intake.push(&core.options, now, place, record)?;
            if pushed == Pushed::Taken && (intake.cut.len() > blocks || intake.just_opened()) {
                core.to_cut.notify_one();
            }
            if pushed == Pushed::Known && !intake.resent.is_empty() {
                core.to_settle.notify_one();
            }
            if pushed != Pushed::NotNow || !waits {
                return Ok(pushed);
            }
            if core.stepped {
                drop(intake);
                if !core.turn() {
                    return Ok(Pushed::NotNow);
                }
                intake = core.intake.lock();
                continue;
            }
            // Room comes with a wake-up; a rate is waited for.
            core.room.wait_for(&mut intake, wait.unwrap_or(Duration::from_secs(1)));
        }
    }
}

impl Receiver<Reliable> {
    /// Hands a record in, and waits for room; its source is told when it is safe. It was known if it was handed in
    /// before.
    ///
    /// Positions of a partition go up one by one; `Invalid` if this one is further on, unless [`skip`](Self::skip) has
    /// said why. The first one of a partition is where it begins. In a stepped receiver that can do nothing more it comes
    /// back as `NotNow`.
    pub fn push(&self, partition: u32, position: u64, record: &[u8]) -> Result<Pushed> {
        self.hand_in(Some(Place { partition, position }), record, true)
    }

    /// Hands a record in if there is room for it now.
    pub fn try_push(&self, partition: u32, position: u64, record: &[u8]) -> Result<Pushed> {
        self.hand_in(Some(Place { partition, position }), record, false)
    }

    /// The source has no record of this partition between what was handed in and `to` that is still to come: its numbers
    /// have a hole, or it was told that they are safe while another receiver had the partition. What is skipped otherwise
    /// is lost: the driver takes it for a hole.
    ///
    /// Of a partition that is new to this receiver it says where it begins. A source whose numbers have holes says so
    /// first, with what it was told to be safe, and skips to the first record that it sends then: or the driver, which has
    /// everything up to there, would find records missing before that one.
    pub fn skip(&self, partition: u32, to: u64) {
        self.core.intake.lock().skip(partition, to);
    }

    /// From where on the source has to send a partition, as far as this receiver knows: behind what was handed in, or
    /// what its log held.
    pub fn next(&self, partition: u32) -> Option<u64> {
        self.core.intake.lock().next(partition)
    }
}

impl Receiver<Unreliable> {
    /// Hands a record in, and waits for room.
    pub fn push(&self, record: &[u8]) -> Result<Pushed> {
        self.hand_in(None, record, true)
    }

    /// Hands a record in if there is room for it now.
    pub fn try_push(&self, record: &[u8]) -> Result<Pushed> {
        self.hand_in(None, record, false)
    }
}

impl<S: Source> Drop for Receiver<S> {
    fn drop(&mut self) {
        // A log that has failed has told so before.
        let _ = self.end(Error::new(Kind::Closed, "the receiver was dropped"));
    }
}

impl Core {
    /// Everything that was handed in is settled, and its source told.
    fn is_drained(&self) -> bool {
        // Held together: what is settled between two looks is owed to the source, and neither would see it.
        let Some(settling) = self.settling.try_lock() else { return false };
        let intake = self.intake.lock();
        let told = (self.source.is_none() || settling.owed.is_empty()) && settling.catch_up.is_none();
        told && intake.is_drained() && intake.resent.is_empty()
    }
}
