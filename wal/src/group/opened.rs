//! A log that has been looked at: nothing is changed yet, and nothing can be appended.

use std::ops::Range;
use std::sync::Arc;

use super::core::Core;
use super::lane::Crew;
use super::{KEPT_SEGMENTS_MAX, Log};
use crate::clock::{Clock, SystemClock, Time};
use crate::error::Result;
use crate::format::Position;
use crate::log::{Depth, Given, Kept, Options, Replay, Survey, look_near, start};
use crate::store::Store;

/// A log that has been opened and not started. It can be looked at and replayed; a replay here is a look: what it shows
/// beyond [`Survey::acked`] may be gone after the next crash.
#[derive(Debug)]
pub struct Opened {
    store: Arc<dyn Store>,
    options: Options,
    clock: Arc<dyn Clock>,
    survey: Survey,
    accepted: Vec<Range<Position>>,
    stated: Vec<Range<Position>>,
}

impl Log {
    /// Opens the log at a store's root: reads, judges, changes nothing. A place without a log is a log to be.
    pub fn open(store: Arc<dyn Store>, options: Options) -> Result<Opened> {
        Log::open_with(store, options, Arc::new(SystemClock::default()))
    }

    /// Opens a log that gets its time and randomness from `clock`.
    pub fn open_with(store: Arc<dyn Store>, options: Options, clock: Arc<dyn Clock>) -> Result<Opened> {
        options.check()?;
        let survey = look_near(&*store, Position::START, Depth::Quick)?;
        let options = options.on(&*store);
        Ok(Opened { store, options, clock, survey, accepted: Vec::new(), stated: Vec::new() })
    }
}

impl Opened {
    /// What opening found. Of a long log on an object store its chain holds the newest segments only
    /// ([`Chain::whole`](crate::Chain::whole)).
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// The longest record that it will take.
    pub(crate) fn record_bytes_max(&self) -> u32 {
        self.options.record_bytes_max
    }

    /// Every record at or behind a position, oldest first.
    pub fn replay(&self, from: Position) -> Result<Replay> {
        self.replay_from(from, Time(0))
    }

    /// Every record whose time is at or behind `since`, oldest first.
    pub fn replay_since(&self, since: Time) -> Result<Replay> {
        self.replay_from(Position::START, since)
    }

    fn replay_from(&self, from: Position, since: Time) -> Result<Replay> {
        let chain = Arc::new(self.survey.chain().clone());
        let replay = Replay::new(self.store.clone(), chain, from, since, self.options.record_bytes_max)?;
        Ok(replay.telling(&self.survey))
    }

    /// Accepts that what is damaged in this range is lost, so that the log can be started without it: take the range from
    /// [`Damage::range`](crate::Damage), after `wal-inspect check` has said what that costs. Every damage must lie within
    /// an accepted range. The ranges are written into the log for ever ([`Survey::lost`]).
    ///
    /// Make sure first that the writer before has ended: on an object store one that still lives is not fenced by a
    /// start behind a loss.
    #[must_use]
    pub fn accept_loss(mut self, range: Range<Position>) -> Self {
        self.accepted.push(range);
        self
    }

    /// States in the next epoch that a range is lost which only a full look finds bad: it lies within a segment, and the
    /// log starts in spite of it. Checks call it lost from then on, and a replay passes over it. An epoch can state
    /// [`LOST_MAX`](crate::format::header::LOST_MAX) ranges, those that are accepted included.
    ///
    /// Nothing looks whether the range is bad: whoever states it has looked.
    #[must_use]
    pub fn state_loss(mut self, range: Range<Position>) -> Self {
        self.stated.push(range);
        self
    }

    /// Begins an epoch that says what was accepted and stated, and leaves the log as one that nobody writes. Errors as of
    /// [`start`](Opened::start).
    pub fn accept(self, at_least: Position) -> Result<()> {
        let Opened { store, options, clock, accepted, stated, .. } = self;
        let (accepted, stated) = (&accepted, &stated);
        let given = Given { at_least, accepted, stated, wall: clock.wall(), random: &|| clock.random() };
        start(store, &options, &given).map(drop)
    }

    /// Starts the log: takes it over, decides where it ends, begins an epoch. `at_least` is a position that the caller
    /// knows was acknowledged ([`Position::START`] if it knows of none): if the log ends before, it is damaged.
    ///
    /// `Damaged`: something is wrong that no crash explains, and nothing was changed. `Locked`, `Fenced`: somebody else
    /// has it. `Unknown`: it is not known whether it was started; start again.
    pub fn start(self, at_least: Position) -> Result<Log> {
        let core = Arc::new(self.begin(at_least, false)?);
        match Crew::start(&core) {
            Ok(crew) => Ok(Log { core, kept: Kept::new(KEPT_SEGMENTS_MAX), crew: Some(crew) }),
            Err(error) => {
                core.close_now();
                Err(error)
            }
        }
    }

    /// Starts the log without a thread: whoever waits for a ticket does the writer's work. A whole life of such a log
    /// replays from a seed.
    #[cfg(feature = "sim")]
    pub fn start_stepped(self, at_least: Position) -> Result<Log> {
        let core = Arc::new(self.begin(at_least, true)?);
        Ok(Log { core, kept: Kept::new(KEPT_SEGMENTS_MAX), crew: None })
    }

    fn begin(self, at_least: Position, stepped: bool) -> Result<Core> {
        let Opened { store, options, clock, accepted, stated, .. } = self;
        let (accepted, stated) = (&accepted, &stated);
        let given = Given { at_least, accepted, stated, wall: clock.wall(), random: &|| clock.random() };
        let started = start(store.clone(), &options, &given)?;
        Ok(Core::new(store, options, clock.clone(), started, stepped))
    }
}
