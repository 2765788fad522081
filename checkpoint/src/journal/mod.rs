//! The driver's memory: what arrived, which batch has it, what is done.
//!
//! A journal is one log of typed [`Event`]s, and two states that they make: the [`Tracker`] (which blocks arrived, and
//! who has them) and the [`Ledger`] (which output of which batch is done). Every change is logged first: nobody is told
//! of it, and nothing is told that rests on it, before it is durable.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::journal::{Added, Block, BatchId, Ended, Journal, SourceRange, State, Wanted};
//! use headwater_wal::store::Memory;
//! use headwater_wal::{Log, Options, Position, Time};
//!
//! # fn main() -> headwater_wal::Result<()> {
//! let start = |store| Log::open(store, Options::default())?.start(Position::START);
//! let received = start(Arc::new(Memory::growing()))?; // a receiver's log
//! let handle = received.append(Time(1), "three records")?.wait()?;
//!
//! let journal = Journal::start(start(Arc::new(Memory::growing()))?, State::default(), Position::START)?;
//! let block = Block {
//!     stream: 0,
//!     receiver: 0,
//!     handle,
//!     previous: None,
//!     id: 7,
//!     records: 3,
//!     ranges: vec![SourceRange { partition: 0, from: 100, to: 103 }],
//!     own: Default::default(),
//! };
//! assert_eq!(journal.add(block.clone())?, Added::Now);
//! assert_eq!(journal.add(block.clone())?, Added::Already); // the answer was lost, say
//!
//! let batch = journal.allot(Wanted::all(BatchId(1000)))?.has().expect("it is new");
//! assert_eq!(batch.blocks().collect::<Vec<_>>(), [block]);
//! assert_eq!(journal.finish(BatchId(1000))?, Ended::Now);
//! # journal.close()
//! # }
//! ```
//!
//! # How it answers
//!
//! An operation is decided under one lock, on the states as they will be once everything handed in before it is durable;
//! its event goes to the log under the same lock, so the log has events in the order in which they were decided; and it
//! is answered once its ticket is. Many threads share the syncs of the log, and a thread can have many operations under
//! way ([`add_later`](Journal::add_later)). An answer that logs nothing, such as "already added", waits for what it rests
//! on: for everything that was handed in before it. So do [`view`](Journal::view) and [`snapshot`](Journal::snapshot).
//!
//! What fails to become durable fails the journal: the states are ahead of what the log will say, and nothing is told
//! from them any more. Each operation under way answers `Unknown` (`Fenced` if another driver has taken over, and then
//! it certainly did not happen), and each later one says why. Drop the journal, start the log again: the replay decides
//! for ever what happened and what did not.
//!
//! # What is promised
//!
//! - A block is taken once, and a record of a source with numbered positions is taken once, whatever is sent or reported
//!   again. Of a source without positions each record is taken at least once: see [`Block`].
//! - A batch has the same input every time it is asked for, until it is finished or given up on purpose.
//! - An output is recorded once, and every other attempt is told which one.
//! - Memory: the blocks that are not done with take at most [`Options::pending_bytes_max`], and then adding is refused;
//!   how much else there is grows with the receivers' logs, the partitions and the batches that are not forgotten.
//!
//! # Where what is
//!
//! [`event`] states the bytes of events, [`save`] those of saved states. The rules are in [`State`]'s parts, which are pure:
//! they know no log, no clock and no thread.

mod answer;
mod batch;
mod block;
pub mod event;
pub(crate) mod fields;
mod ledger;
mod made;
mod need;
mod pending;
mod queue;
pub mod save;
mod sealed;
mod state;
mod tracker;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use headwater_wal::format::name;
use headwater_wal::{Error, Kind, Log, Position, Record, Result};
use parking_lot::Mutex;

pub use answer::{Added, Allotted, Committed, Ended, Moved, PassedOver, Refusal, Retiring};
pub use batch::{Allotment, BatchId, DirectRange, Missed, OutputId, Run, Wanted};
pub use block::{BLOCK_RANGES_MAX, Block, OWN_BYTES_MAX, ReceiverLog, SourceRange};
pub use event::Event;
pub use ledger::{Ledger, Standing};
use made::Made;
pub use need::Need;
use pending::Logged;
pub use pending::Pending;
pub use state::State;
use state::{Adding, Decision};
pub use tracker::{Arrival, End, Tracker};

/// The choices of a journal.
#[derive(Clone, Debug)]
pub struct Options {
    pending_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { pending_bytes_max: 256 << 20 }
    }
}

impl Options {
    /// How many bytes the blocks may take that are not done with (256 MiB). A block takes 72 bytes, 20 for each of its
    /// ranges, and what it carries of the runtime's own.
    #[must_use]
    pub fn pending_bytes_max(mut self, bytes: u64) -> Self {
        self.pending_bytes_max = bytes;
        self
    }
}

/// The driver's journal: started, and the one that may write. All calls may be made from any number of threads.
#[derive(Debug)]
pub struct Journal {
    log: Log,
    options: Options,
    ahead: Mutex<Ahead>,
    failed: OnceLock<Error>,
}

/// The states as they will be once everything that was handed in is durable.
struct Ahead {
    state: State,
    /// The newest event that was handed in.
    newest: Option<Arc<Logged>>,
    /// Where replaying `state` goes on, if nothing has been handed in.
    from: Position,
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("events", &self.state.events()).finish_non_exhaustive()
    }
}

/// The states at one point of a journal: exactly the effects of the events below a position.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The states.
    pub state: State,
    /// The position to replay from.
    pub position: Position,
}

impl Journal {
    /// Starts on a log that was started, with a state that was restored from a checkpoint and the position that stands
    /// beside it; or with an empty state, from the beginning. Everything behind is replayed.
    ///
    /// `Damaged`: an event cannot be read, is missing, or contradicts those before it; the error names its place.
    /// `Retired`: the log begins behind that position.
    pub fn start(log: Log, state: State, from: Position) -> Result<Journal> {
        Journal::start_with(log, state, from, Options::default())
    }

    /// Starts with these options.
    pub fn start_with(log: Log, state: State, from: Position, options: Options) -> Result<Journal> {
        Journal::start_watching(log, state, from, options, &mut |_, _| {})
    }

    /// The same, and shows every event that is replayed, before it is taken into the state that it is shown with.
    pub(crate) fn start_watching(
        log: Log,
        mut state: State,
        from: Position,
        options: Options,
        watch: &mut dyn FnMut(&State, &Event),
    ) -> Result<Journal> {
        let mut end = from;
        for record in log.replay(from)? {
            let record = record?;
            end = record.handle.end();
            replay(&mut state, &record, watch)?;
        }
        let ahead = Mutex::new(Ahead { state, newest: None, from: end });
        Ok(Journal { log, options, ahead, failed: OnceLock::new() })
    }

    /// Adds a block that lies in its receiver's log.
    pub fn add(&self, block: Block) -> Result<Added> {
        self.add_later(block)?.wait()
    }

    /// Adds a block, and answers when the answer is waited for.
    pub fn add_later(&self, block: Block) -> Result<Pending<'_, Added>> {
        block.check()?;
        // Whatever can be done before the lock is: it is what the threads that add wait for.
        let made = Made::new(|bytes| Event::put_added(0, &block, bytes), &self.log);
        let mut ahead = self.ahead.lock();
        self.is_open()?;
        let (answer, adding) = ahead.state.add(&block, self.options.pending_bytes_max)?;
        match adding {
            Adding::Nothing => {}
            Adding::PassesOver(event) => self.hand_in(&mut ahead, &event)?,
            Adding::Adds => {
                let number = ahead.state.events();
                ahead.newest = Some(made.append(number, &self.log)?);
                ahead.state.take_in(&block);
            }
        }
        let behind = ahead.newest.clone();
        drop(ahead);
        Ok(Pending { journal: self, answer, behind })
    }

    /// Settles a block without taking it: its records are known already, or its source, which was not told that they
    /// are safe, sends them again. A partition of which nothing has arrived begins where it begins in this block, so that
    /// no block that was cut behind it is taken for the first.
    pub fn pass_over(&self, block: &Block) -> Result<PassedOver> {
        self.run(|state| state.pass_over(block))?.wait()
    }

    /// Moves the end of a partition forward on purpose, from the lost range's beginning to its end: the source no longer
    /// has what lies between. It is on record from then on that this was lost.
    pub fn move_end(&self, stream: u32, lost: SourceRange) -> Result<Moved> {
        self.run(|state| state.move_end(stream, lost))?.wait()
    }

    /// Gives a batch its input, or says which it has. If this fails, the blocks are where they were.
    pub fn allot(&self, wanted: Wanted) -> Result<Allotted<Allotment>> {
        let batch = wanted.batch;
        let (allotted, behind) = {
            let mut ahead = self.ahead.lock();
            let pending = self.run_on(&mut ahead, |state| state.allot(wanted))?;
            let allotment = || ahead.state.tracker().allotment(batch).expect("it was allotted");
            let Pending { answer, behind, .. } = pending;
            (answer.map(|()| allotment()), behind)
        };
        Pending { journal: self, answer: allotted, behind }.wait()
    }

    /// Records that an attempt has published an output; or says which other one has. It is never leave to publish.
    pub fn commit(&self, output: OutputId, attempt: u64) -> Result<Committed> {
        self.commit_later(output, attempt)?.wait()
    }

    /// Records an output, and answers when the answer is waited for.
    pub fn commit_later(&self, output: OutputId, attempt: u64) -> Result<Pending<'_, Committed>> {
        self.run(|state| Ok(state.commit(output, attempt)))
    }

    /// Records that a batch is done: its blocks are needed no more.
    pub fn finish(&self, batch: BatchId) -> Result<Ended> {
        self.run(|state| Ok(state.finish(batch)))?.wait()
    }

    /// Gives a batch up on purpose: its input is lost, and the reason is on record.
    pub fn give_up(&self, batch: BatchId, reason: impl Into<Bytes>) -> Result<Ended> {
        let reason = reason.into();
        self.run(|state| state.give_up(batch, reason))?.wait()
    }

    /// Forgets the batches below `before` that have ended and whose end every kept checkpoint knows of: `floor` is
    /// [`State::events`] of the oldest one. Returns how many they were. Ends of partitions and settled positions are never
    /// forgotten.
    pub fn forget(&self, before: BatchId, floor: u64) -> Result<usize> {
        self.run(|state| Ok(state.forget(before, floor)))?.wait()
    }

    /// Records that what lies below a position of a receiver's log, or of the journal itself, is about to be removed.
    ///
    /// It is refused while these states need it. What kept checkpoints need is the caller's to know ([`Need`]).
    pub fn retire(&self, log: Option<ReceiverLog>, below: Position) -> Result<Retiring> {
        self.retire_later(log, below)?.wait()
    }

    /// Records it, and answers when the answer is waited for.
    pub fn retire_later(&self, log: Option<ReceiverLog>, below: Position) -> Result<Pending<'_, Retiring>> {
        self.run(|state| state.retire(log, below))
    }

    /// The same of a receiver's log, unless somebody else is at it for so long: who waits for room in the log's queue
    /// keeps all others waiting.
    pub(crate) fn retire_within(
        &self,
        log: ReceiverLog,
        below: Position,
        at_most: Duration,
    ) -> Result<Option<Pending<'_, Retiring>>> {
        let Some(mut ahead) = self.ahead.try_lock_for(at_most) else { return Ok(None) };
        self.run_on(&mut ahead, |state| state.retire(Some(log), below)).map(Some)
    }

    /// The states, once everything that is in them is durable. Adding goes on meanwhile.
    pub fn view(&self) -> Result<State> {
        self.snapshot().map(|snapshot| snapshot.state)
    }

    /// The states and the position to replay from, for a checkpoint: exactly the effects of the events below that
    /// position, all of them durable. Adding goes on meanwhile.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let (state, newest, from) = {
            let ahead = self.ahead.lock();
            self.is_open()?;
            (ahead.state.clone(), ahead.newest.clone(), ahead.from)
        };
        let position = match newest {
            None => from,
            Some(newest) => newest.wait().map_err(|error| self.fail(error))?.end(),
        };
        Ok(Snapshot { state, position })
    }

    /// The states as they will be, not all of it durable: for telling people, and for nothing else. `None` if somebody
    /// is at it for so long, who waits for room.
    pub(crate) fn ahead_within(&self, at_most: Duration) -> Option<State> {
        self.ahead.try_lock_for(at_most).map(|ahead| ahead.state.clone())
    }

    /// The log, for what is not an event: sealing, retiring, reading.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Why the journal answers nothing more, if so.
    pub fn failure(&self) -> Option<Error> {
        self.failed.get().cloned()
    }

    /// Writes everything that was handed in, seals the log and gives it up. After it every call fails.
    pub fn close(&self) -> Result<()> {
        self.log.close()
    }

    fn run<T>(&self, decide: impl FnOnce(&State) -> Result<Decision<T>>) -> Result<Pending<'_, T>> {
        self.run_on(&mut self.ahead.lock(), decide)
    }

    /// Decides, logs and takes in, under the one lock: the log has the events in the order of the decisions.
    fn run_on<T>(
        &self,
        ahead: &mut Ahead,
        decide: impl FnOnce(&State) -> Result<Decision<T>>,
    ) -> Result<Pending<'_, T>> {
        self.is_open()?;
        let answer = match decide(&ahead.state)? {
            Decision::Stands(answer) => answer,
            Decision::Logs(event, answer) => {
                self.hand_in(ahead, &event)?;
                answer
            }
        };
        Ok(Pending { journal: self, answer, behind: ahead.newest.clone() })
    }

    /// Hands an event to the log, and takes it in.
    fn hand_in(&self, ahead: &mut Ahead, event: &Event) -> Result<()> {
        let number = ahead.state.events();
        let made = Made::new(|bytes| event.put(number, bytes), &self.log);
        ahead.newest = Some(made.append(number, &self.log)?);
        // What was decided on this very state does not contradict it; if it does, nothing more is told from it.
        ahead.state.apply(number, event).map_err(|error| self.fail(error))
    }

    fn is_open(&self) -> Result<()> {
        match self.failed.get() {
            None => Ok(()),
            Some(error) if error.kind() == Kind::Fenced => Err(error.clone()),
            Some(error) => Err(Error::new(
                Kind::Closed,
                "the journal has failed and answers nothing more; drop it, then start its log again",
            )
            .because(error.clone())),
        }
    }

    /// Something that was decided is not durable, so nothing may be told from the states any more.
    fn fail(&self, error: Error) -> Error {
        self.failed.get_or_init(|| error.clone());
        error
    }
}

/// Takes in a record of the journal.
fn replay(state: &mut State, record: &Record, watch: &mut dyn FnMut(&State, &Event)) -> Result<()> {
    let place = |error: Error| {
        let base = record.handle.base();
        error.at(name::segment(base), record.position().since(base))
    };
    if record.kind != event::RECORD_KIND {
        let message = format!("a record of another kind in the journal: kind={}", record.kind);
        return Err(place(Error::new(Kind::Damaged, message)));
    }
    let (number, event) = Event::decode(&record.payload).map_err(place)?;
    watch(state, &event);
    state.apply(number, &event).map_err(place)
}
