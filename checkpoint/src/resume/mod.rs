//! Coming back: a driver that is started on its root goes on where the one before it stopped, was killed, or still runs.
//!
//! ```
//! use std::sync::Arc;
//!
//! use headwater_checkpoint::journal::{BatchId, Block, SourceRange, Wanted};
//! use headwater_checkpoint::resume::{Options, Root, get_or_create};
//! use headwater_wal::store::{Memory, Name, Store};
//! use headwater_wal::{Log, Position, Time};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // `Root::local(directory)` on disk.
//! # let folders: Arc<std::sync::Mutex<std::collections::HashMap<Name, Arc<Memory>>>> = Default::default();
//! # let root = Root::new(move |name: &Name| {
//! #     let mut folders = folders.lock().unwrap();
//! #     let folder = folders.entry(name.clone()).or_insert_with(|| Arc::new(Memory::growing()));
//! #     Ok(folder.clone() as Arc<dyn Store>)
//! # });
//! let count = |root: &Root| {
//!     get_or_create(
//!         root,
//!         Options::default(),
//!         || Ok(0_u64), // nothing is there yet
//!         |restored| {
//!             let bytes = restored.section("count")?.read_all(8)?;
//!             Ok(u64::from_le_bytes(bytes.try_into().expect("it was written so")))
//!         },
//!     )
//! };
//! let resumed = count(&root)?;
//! let (driver, mut records) = (resumed.driver, resumed.app);
//!
//! // A receiver, here in the same process, logs a block and reports it.
//! let log = Log::open(root.received(0, 0)?, Default::default())?.start(Position::START)?;
//! let handle = log.append(Time(1), "three records")?.wait()?;
//! let ranges = vec![SourceRange { partition: 0, from: 0, to: 3 }];
//! let block = Block { stream: 0, receiver: 0, handle, previous: None, id: 0, records: 3, ranges, own: Default::default() };
//! let _ = driver.journal().add(block)?;
//!
//! // A batch takes it, and is done.
//! let batch = driver.journal().allot(Wanted::all(BatchId(1)))?.has().expect("it is new");
//! records += batch.blocks().map(|block| block.records).sum::<u64>();
//! let _ = driver.journal().finish(BatchId(1))?;
//! driver.checkpoint(driver.snapshot()?, 8, move |draft| draft.write("count", &records.to_le_bytes()))?.wait()?;
//! driver.close()?;
//!
//! assert_eq!(count(&root)?.app, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # The driver's cycle
//!
//! 1. Receivers report what they have logged to the driver's [`reports`](Driver::reports), which
//!    [add](crate::journal::Journal::add) it, also [from other processes](crate::receive::serve); a batch is [allotted](crate::journal::Journal::allot)
//!    its input before anything is done with it.
//! 2. [`checkpoint`](Driver::checkpoint), so that the allotment is found without much replay.
//! 3. The batch's outputs are published under [`OutputId`](crate::journal::OutputId), to a [`sink`](crate::sink), and then
//!    [committed](crate::journal::Journal::commit); the batch is [finished](crate::journal::Journal::finish).
//! 4. `checkpoint` again. Once its ticket has answered, [`clean`](Driver::clean): it retires the journal, and puts on record
//!    what receivers may remove. They ask for that and remove it themselves, by
//!    [`release`](headwater_wal::receiver::Receiver::release).
//!
//! A checkpoint holds exactly the effects of the journal's events below its position. So the application's own state has
//! to be that of the same moment: take [`snapshot`](Driver::snapshot) and a copy of the state in the thread that finishes
//! batches, between two batches, with exactly those batches in the state that are finished.
//!
//! # Coming back, step by step
//!
//! 1. Look for the newest checkpoint: the journal has to reach its position, or it has lost what was acknowledged.
//! 2. Start the journal: from here on an old driver that still runs is `Locked` out, or `Fenced` by its next append.
//! 3. Claim the journal's epoch among the checkpoints, and only then look for the newest one of use.
//! 4. Restore the application's state and the journal's from it; if its bytes are bad, from the next older one that still
//!    has all it needs. Where there is none, and nothing of the journal was ever retired, begin with nothing: the journal
//!    has everything. An empty root is begun afresh. Anything else is an error.
//! 5. Replay the journal from the checkpoint's position. Batches that have ended behind it are to be run again, for the
//!    application's state, as well as those that have not: [`Resumed::again`], with the very blocks they had. What they
//!    publish again is known by its name, and committing it again answers which attempt was recorded.
//! 6. Sources go on from [`Tracker::ends`](crate::journal::Tracker::ends); receivers report what their logs hold behind
//!    [`Tracker::settled`](crate::journal::Tracker::settled).

mod clean;
mod driver;
mod explain;
mod root;

use std::collections::BTreeMap;

use headwater_wal::{Error, Kind, Log, Position, Result};

pub use clean::{Cleaned, release};
pub use driver::Driver;
pub use explain::{Explained, Hold, explain, holds};
pub use root::Root;

use crate::checkpoint::{Checkpoint, Content, Id};
use crate::checkpoints::{Checkpoints, Latest};
use crate::held::Held;
use crate::journal::{Allotment, BatchId, Event, Journal, Standing, State};
use crate::section::SectionReader;
use crate::writer::{Owner, Writer};

/// The journal, as checkpoints call it in their positions.
pub const JOURNAL: &str = "journal";

/// The section that holds the journal's state.
pub const STATE: &str = "headwater/journal";

/// The choices of a driver.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of the journal's log.
    pub log: headwater_wal::Options,
    /// Of the journal.
    pub journal: crate::journal::Options,
    /// Of its checkpoints.
    pub checkpoints: crate::Options,
    /// How many bytes the states may take that are being checkpointed beside the work (1 GiB); `None`: checkpoints are
    /// written by whoever asks for them, who waits.
    pub background_bytes_max: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            log: headwater_wal::Options::default(),
            journal: crate::journal::Options::default(),
            checkpoints: crate::Options::default(),
            background_bytes_max: Some(1 << 30),
        }
    }
}

/// A driver that has come back, or has begun.
#[derive(Debug)]
pub struct Resumed<A> {
    /// The driver.
    pub driver: Driver,
    /// The application's state: as the checkpoint had it, or as it was created.
    pub app: A,
    /// The checkpoint that it was restored from.
    pub restored: Option<Id>,
    /// Newer ones that are of no use, and why, newest first.
    pub passed_over: Vec<(Id, Error)>,
    /// The batches that are not in `app`: to be run again, oldest first.
    pub again: Vec<Again>,
}

/// A batch that is to be run again.
#[derive(Clone, Debug)]
pub struct Again {
    /// The batch and its input, as they were.
    pub allotment: Allotment,
    /// How it stands: pending; or finished, and then only the application's state needs it.
    pub standing: Standing,
}

/// A checkpoint that an application is to be restored from.
#[derive(Debug)]
pub struct Restored<'a> {
    checkpoints: &'a Checkpoints,
    checkpoint: &'a Checkpoint,
}

impl Restored<'_> {
    /// The checkpoint, as its head states it.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.checkpoint
    }

    /// What the sections are, and in which version of the application's own.
    pub fn content(&self) -> &Content {
        self.checkpoint.content()
    }

    /// A section, to be read. What is wrong with its bytes is answered to the one who restores, who passes it on.
    pub fn section(&self, name: &str) -> Result<SectionReader> {
        self.checkpoints.read_section(self.checkpoint, name)
    }
}

/// Starts a driver on its root: goes on where the one before stopped, or creates it if there was none.
///
/// `create` makes the application's state from nothing, `restore` from a checkpoint. An error of theirs is passed on; but
/// if `restore` fails with `Damaged` or `Retired`, as reading a section does, the next older checkpoint is tried.
///
/// `Locked`: a driver is at work, and alive. `Fenced`: another one has been started meanwhile. `Damaged`: the journal has
/// lost what the newest checkpoint knows, or no checkpoint is of use. Otherwise as [`Log::open`](headwater_wal::Log::open)
/// and [`Writer::start`].
pub fn get_or_create<A>(
    root: &Root,
    options: Options,
    create: impl FnOnce() -> Result<A>,
    restore: impl FnMut(&Restored<'_>) -> Result<A>,
) -> Result<Resumed<A>> {
    let checkpoints = Checkpoints::open(root.checkpoints()?);
    let newest = checkpoints.latest(&Held::nothing())?.checkpoint;
    let at_least = newest.and_then(|newest| newest.position(JOURNAL)).unwrap_or(Position::START);
    let log = Log::open(root.journal()?, options.log.clone())?.start(at_least)?;
    let held = held(&log);
    let (writer, latest) = Writer::start(checkpoints, Owner::of(&log), options.checkpoints.clone(), &held)?;
    resume(log, writer, latest, options, create, restore)
}

/// What a checkpoint may count on, of this journal.
pub fn held(log: &Log) -> Held {
    let range = log.range();
    let whole = range.start == Position::START;
    let held = Held::nothing().log(JOURNAL, range);
    if whole { held.rebuilds() } else { held }
}

/// The second half of [`get_or_create`], for whoever starts the journal's log and the checkpoints' writer in a way of its
/// own: with the log's epoch, and [`held`] of the log.
pub fn resume<A>(
    log: Log,
    mut writer: Writer,
    mut latest: Latest,
    options: Options,
    create: impl FnOnce() -> Result<A>,
    mut restore: impl FnMut(&Restored<'_>) -> Result<A>,
) -> Result<Resumed<A>> {
    let held = held(&log);
    let mut passed_over = std::mem::take(&mut latest.passed_over);
    let (app, state, from, restored) = loop {
        let Some(checkpoint) = latest.checkpoint else {
            break (create()?, State::default(), log.range().start, None);
        };
        match restore_from(writer.checkpoints(), &checkpoint, &mut restore) {
            Ok((app, state, from)) => break (app, state, from, Some(checkpoint.id())),
            Err(error) if matches!(error.kind(), Kind::Damaged | Kind::Retired) => {
                passed_over.push((checkpoint.id(), error));
                latest = writer.fall_back(&held)?;
                passed_over.append(&mut latest.passed_over);
            }
            Err(error) => return Err(error),
        }
    };
    let mut ended: BTreeMap<BatchId, Allotment> = BTreeMap::new();
    let journal = Journal::start_watching(log, state, from, options.journal.clone(), &mut |state, event| {
        if let Event::Finished { batch } = event {
            ended.extend(state.tracker().allotment(*batch).map(|allotment| (*batch, allotment)));
        }
    })?;
    let state = journal.view()?;
    if restored.is_none() {
        is_rebuilt_from_all(&state)?;
    }
    let pending = state.tracker().unfinished().map(|allotment| (allotment.batch(), allotment));
    ended.extend(pending);
    let again = ended.into_values().map(|allotment| {
        let standing = state.ledger().standing(allotment.batch());
        Again { allotment, standing }
    });
    let again = again.collect();
    let driver = Driver::start(journal, writer, options.background_bytes_max)?;
    Ok(Resumed { driver, app, restored, passed_over, again })
}

fn restore_from<A>(
    checkpoints: &Checkpoints,
    checkpoint: &Checkpoint,
    restore: &mut impl FnMut(&Restored<'_>) -> Result<A>,
) -> Result<(A, State, Position)> {
    let Some(from) = checkpoint.position(JOURNAL) else {
        let message = format!(
            "the checkpoint is not a driver's: it has no journal position: checkpoint={}",
            checkpoint.id()
        );
        return Err(Error::new(Kind::Invalid, message));
    };
    let mut section = checkpoints.read_section(checkpoint, STATE)?;
    let state = State::restore(&mut section).map_err(|error| section.failure().cloned().unwrap_or(error))?;
    Ok((restore(&Restored { checkpoints, checkpoint })?, state, from))
}

/// Without a checkpoint every batch is run again from its blocks. That is no way back once blocks were removed.
fn is_rebuilt_from_all(state: &State) -> Result<()> {
    let tracker = state.tracker();
    let retired = tracker.logs().find(|log| tracker.retires(*log) > Position::START);
    let Some(log) = retired else { return Ok(()) };
    let message = format!(
        "there is no checkpoint, and blocks were removed that only one could stand for; nothing is begun afresh: {log} \
         removed_below={}",
        tracker.retires(log)
    );
    Err(Error::new(Kind::NotThere, message))
}
