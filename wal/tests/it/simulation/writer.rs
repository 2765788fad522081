//! One life of a writer, who records everything that it does and is told.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_wal::store::sim::{Process, Random};
use headwater_wal::{Clock, Handle, Kind, Log, Pinned, Position, Reader, Retired, Ticket, Time};
use parking_lot::Mutex;

use super::model::{Answer, Append};
use super::world::{World, records};

/// The appends that wait for their answers, in the order in which they were handed in.
type Tickets = Arc<Mutex<VecDeque<(usize, Ticket)>>>;

/// A started log and its tickets.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) world: World,
    pub(crate) process: Process,
    log: Option<Arc<Log>>,
    pub(crate) life: usize,
    tickets: Tickets,
    pins: Vec<Pinned>,
    pinned: Vec<Position>,
    /// Retirements that are still in the queue of a full disk: they do what they can when their turn comes.
    asked: Vec<Time>,
    closed: bool,
}

impl Writer {
    pub(super) fn new(world: World, process: Process, log: Log, life: usize) -> Self {
        Writer {
            world,
            process,
            log: Some(Arc::new(log)),
            life,
            tickets: Tickets::default(),
            pins: Vec::new(),
            pinned: Vec::new(),
            asked: Vec::new(),
            closed: false,
        }
    }

    pub(crate) fn log(&self) -> &Log {
        self.log.as_ref().expect("it lives")
    }

    /// Hands a record in.
    pub(crate) fn append(&mut self, len: usize) {
        let now = self.log().now();
        let (id, time, kind, payload) = {
            let mut model = self.world.model.lock();
            let id = model.book(self.life, len, now);
            let append = &model.appends[id];
            (id, append.time, append.kind, append.payload())
        };
        match self.log().append_kind(kind, time, payload) {
            Ok(ticket) => {
                self.world.model.lock().taken(id);
                self.tickets.lock().push_back((id, ticket));
                self.asked.iter().for_each(|&before| self.ask_to_retire(before));
            }
            Err(error) => {
                self.world.explained(&error);
                self.world.model.lock().refused(id, error.kind());
            }
        }
        self.collect();
    }

    /// Notes every answer that is there.
    pub(crate) fn collect(&mut self) {
        collect(&self.world, self.life, self.log.as_deref(), &self.tickets);
    }

    /// Somebody who takes turns of the writer beside others.
    pub(crate) fn lane(&self) -> Lane {
        let log = self.log.clone().expect("it lives");
        Lane { world: self.world.share(), life: self.life, log, tickets: self.tickets.clone() }
    }

    /// One turn of the writer.
    pub(crate) fn turn(&mut self) -> bool {
        let did = self.log().turn();
        self.collect();
        did
    }

    /// Waits for the oldest ticket, or as long as the writer does anything.
    pub(crate) fn wait(&mut self) {
        let oldest = || self.tickets.lock().front().map(|&(id, _)| id);
        let waits_for = oldest();
        while waits_for.is_some() && oldest() == waits_for && self.log().turn() {
            collect(&self.world, self.life, self.log.as_deref(), &self.tickets);
        }
        self.collect();
    }

    pub(crate) fn wait_for_all(&mut self) {
        while self.turn() {}
    }

    /// Nobody will hear what becomes of a record.
    pub(crate) fn drop_ticket(&mut self, chosen: impl FnOnce(usize) -> usize) {
        let mut tickets = self.tickets.lock();
        if !tickets.is_empty() {
            let at = chosen(tickets.len());
            tickets.remove(at);
        }
    }

    pub(crate) fn seal(&mut self) {
        let sealed = self.log().seal();
        self.collect();
        match sealed {
            Ok(()) => self.world.model.lock().synced(self.life),
            Err(error) => self.world.explained(&error),
        }
    }

    pub(crate) fn rest(&mut self) {
        // A job of which nobody hears may still be in the queue, and then the writer does not rest.
        let idle = self.asked.is_empty() && self.world.model.lock().all_answered(self.life);
        self.log().rest();
        self.collect();
        if idle && self.log().failure().is_none() {
            self.world.model.lock().synced(self.life);
        }
    }

    /// Asks to retire what was closed before this; the greatest time means everything that can go.
    pub(crate) fn retire(&mut self, before: Time) -> Option<Retired> {
        self.ask_to_retire(before);
        let retired = self.log().retire_before(before);
        self.collect();
        match retired {
            Ok(retired) => {
                // A replaced writer that has nothing to retire hears of nothing.
                let replaced = self.is_replaced();
                let mut model = self.world.model.lock();
                assert!(
                    replaced || retired.begins >= model.begins,
                    "a retirement took the beginning back (P9)"
                );
                model.begins = model.begins.max(retired.begins);
                Some(retired)
            }
            Err(error) => {
                self.world.explained(&error);
                if error.kind() == Kind::Full {
                    self.asked.push(before);
                }
                None
            }
        }
    }

    fn ask_to_retire(&self, before: Time) {
        self.world.model.lock().ask_to_retire(self.life, before, self.pinned.iter().min().copied());
    }

    /// Pins an acknowledged record.
    pub(crate) fn pin(&mut self, chosen: impl FnOnce(usize) -> usize) {
        let acknowledged = self.acknowledged();
        if acknowledged.is_empty() {
            return;
        }
        let position = acknowledged[chosen(acknowledged.len())].position();
        match self.log().pin(position) {
            Ok(pin) => {
                self.pins.push(pin);
                self.pinned.push(position);
            }
            Err(error) => {
                assert!(matches!(error.kind(), Kind::Retired | Kind::Closed | Kind::Fenced), "{error:?}")
            }
        }
    }

    pub(crate) fn unpin(&mut self) {
        self.pins.clear();
        self.pinned.clear();
        self.asked.iter().for_each(|&before| self.ask_to_retire(before));
    }

    pub(crate) fn close(&mut self) {
        let closed = self.log().close();
        self.closed = true;
        self.collect();
        match closed {
            Ok(()) => self.world.model.lock().synced(self.life),
            Err(error) => self.world.explained(&error),
        }
    }

    /// What was acknowledged in any life, and is known to be there.
    fn acknowledged(&self) -> Vec<Handle> {
        let model = self.world.model.lock();
        let acknowledged = model.appends.iter().filter(|append| append.answer == Answer::Acknowledged);
        acknowledged.filter_map(|append| append.handle).collect()
    }

    /// The process dies as it stands.
    pub(crate) fn die(mut self) {
        self.collect();
        self.process.kill();
        self.tickets.lock().clear();
        self.pins.clear();
        drop(self.log.take());
    }

    /// Drops the log, which closes it, and hears what became of its tickets.
    pub(crate) fn leave(mut self) {
        self.pins.clear();
        drop(self.log.take());
        self.collect();
    }

    /// Whether the log has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.log().failure().is_some()
    }

    /// Whether it was closed or has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.has_failed() || self.closed
    }

    /// Whether a ticket has no answer yet.
    pub(crate) fn waits(&self) -> bool {
        !self.tickets.lock().is_empty()
    }

    /// Whether a newer writer has begun; then what this one sees may go under its hands.
    fn is_replaced(&self) -> bool {
        let epoch = self.log().epoch();
        self.world.model.lock().lives.iter().any(|life| life.epoch > epoch)
    }

    /// Reads from the middle, and from a time on: the same as from the beginning, less what lies before.
    pub(crate) fn check_some(&self, seed: u64) {
        let mut random = Random::new(seed);
        let log = self.log();
        let all = match log.replay(Position::START) {
            Ok(replay) => records(&self.world, replay),
            Err(error) => return self.world.explained(&error),
        };
        let Some(all) = all.filter(|all| !all.is_empty()) else { return };
        let chosen = &all[random.below(all.len() as u64) as usize];
        let (from, since) = (Position(chosen.position().0 + random.below(3)), chosen.time);
        let behind = match log.replay(from) {
            Ok(replay) => records(&self.world, replay),
            Err(error) => return self.world.explained(&error),
        };
        if let Some(behind) = behind {
            let expected: Vec<_> = all.iter().filter(|record| record.position() >= from).collect();
            assert!(behind.iter().eq(expected), "a replay from {from} is another one than from the start");
        }
        let late = log.replay_since(since).map(|replay| records(&self.world, replay));
        if let Ok(Some(late)) = late {
            let expected: Vec<_> = all.iter().filter(|record| record.time >= since).collect();
            assert!(late.iter().eq(expected), "a replay since {since} is another one than from the start");
        }
        let handles: Vec<_> = all.iter().map(|record| record.handle).collect();
        if let Some(many) = records(&self.world, log.read_many(&handles)) {
            assert!(many == all, "many reads give other records than a replay");
        }
    }

    /// Replays the log and holds it, and everything read by a handle, against what was recorded.
    pub(crate) fn check_recovered(&self) {
        let world = &self.world;
        let replay = match self.log().replay(Position::START) {
            Ok(replay) => records(world, replay),
            Err(error) => return world.explained(&error),
        };
        let Some(replayed) = replay.filter(|_| !self.is_replaced()) else { return };
        let (epoch, begins) = (self.log().epoch(), self.log().range().start);
        let earlier: Vec<Append> = {
            let mut model = world.model.lock();
            model.recovered(epoch, begins, &replayed);
            let earlier = |append: &&Append| model.lives[append.life].epoch < epoch;
            model.appends.iter().filter(earlier).cloned().collect()
        };
        earlier.iter().for_each(|append| self.check_settled(append));
        self.check_reads();
    }

    /// An unknown outcome is settled for ever.
    fn check_settled(&self, append: &Append) {
        let Some(unsettled) = append.unsettled else { return };
        match (self.log().settle(&unsettled), append.settled) {
            (Ok(handle), Some(true)) => {
                assert_eq!(Some(handle), append.handle, "settled to another place (P8)")
            }
            (Err(error), Some(false)) if error.kind() == Kind::NotThere => {}
            (Err(error), None) if error.kind() == Kind::NotThere => {}
            (Err(error), _) if error.kind() == Kind::Retired => {}
            (Err(error), _) if error.kind() == Kind::Unavailable || self.is_replaced() => {
                self.world.explained(&error)
            }
            (settled, known) => panic!("settled as {settled:?}, known as {known:?} (P8): {append:?}"),
        }
        // The place of a record that was cut gives no data, ask how one will; but where only summaries know what lies there,
        // a handle is taken at its word: it was acknowledged, and reading it is one request.
        let held = self.log().chain().segments().first().map(|first| first.base);
        let is_held = |handle: &Handle| held.is_some_and(|first| handle.position() >= first);
        if let (Some(false), Ok(handle)) = (append.settled, Handle::from_bytes(&unsettled.to_bytes()))
            && is_held(&handle)
        {
            assert!(self.log().read(&handle).is_err(), "a place that was cut gives data (P3): {append:?}");
        }
    }

    /// Everything acknowledged is read by its handle: through the log, and from elsewhere.
    fn check_reads(&self) {
        let world = &self.world;
        let reader = Reader::open(self.process.store()).unwrap();
        let (epoch, begins) = (self.log().epoch(), self.log().range().start);
        let there: Vec<Append> = {
            let model = world.model.lock();
            let there = model
                .appends
                .iter()
                .filter(|append| append.is_there() && model.lives[append.life].epoch <= epoch);
            there.cloned().collect()
        };
        for append in there {
            let handle = append.handle.unwrap();
            for (from_elsewhere, answer) in [(false, self.log().read(&handle)), (true, reader.read(&handle))]
            {
                match answer {
                    Ok(record) => {
                        // Until its file is removed, a retired record is read by who looks nothing up.
                        assert!(
                            from_elsewhere || handle.position() >= begins,
                            "a retired record was read: {handle}"
                        );
                        world.model.lock().recognise(&record);
                    }
                    Err(error) if error.kind() == Kind::Retired => {
                        assert!(handle.position() < begins || self.is_replaced(), "{error:?}");
                    }
                    Err(error) if error.kind() == Kind::Unavailable || self.is_replaced() => {
                        world.explained(&error)
                    }
                    Err(error) => panic!("a record that is there cannot be read: {error:?} (P1)"),
                }
            }
        }
    }
}

/// One of several who bring the groups of one writer to the device.
pub(crate) struct Lane {
    world: World,
    life: usize,
    log: Arc<Log>,
    tickets: Tickets,
}

impl Lane {
    /// One turn. Nothing comes between it and the note of what it answered, so the answers are noted in their order.
    pub(crate) fn turn(&self) -> bool {
        let did = self.log.turn();
        collect(&self.world, self.life, Some(&self.log), &self.tickets);
        did
    }

    /// Lets others go on; whether there are any.
    pub(crate) fn wait_for_others(&self) -> bool {
        self.world.clock.wait_for_others()
    }
}

/// Notes every answer that is there.
fn collect(world: &World, life: usize, log: Option<&Log>, tickets: &Tickets) {
    let (mut tickets, mut model) = (tickets.lock(), world.model.lock());
    model.a_log_failed |= log.is_some_and(|log| log.failure().is_some());
    tickets.retain(|(id, ticket)| match ticket.answer() {
        Some(answer) => {
            model.answered(*id, answer);
            false
        }
        None => true,
    });
    model.in_order(life, |waits| tickets.iter().any(|(id, _)| *id == waits));
}
