//! The fixture: a driver that dies and comes back, and receivers that cut blocks.

use std::sync::Arc;

use headwater_checkpoint::journal::{
    Added, Allotment, Allotted, BatchId, Block, Committed, DirectRange, End, Ended, Journal, OutputId,
    PassedOver, Pending, ReceiverLog, Snapshot, SourceRange, State, Wanted,
};
use headwater_wal::store::sim::{Process, Sim};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{Compression, Handle, Kind, Log, Options, Position, Result};

/// A driver with its journal.
pub(crate) struct Driver {
    pub(crate) sim: Option<Sim>,
    pub(crate) process: Option<Process>,
    store: Arc<dyn Store>,
    journal: Option<Journal>,
}

pub(crate) fn small() -> Options {
    Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .group_bytes_max(4 << 10)
        .in_flight_bytes_max(0)
        .compression(Compression::Off)
}

/// Runs a test on memory and on simulated disks and buckets.
pub(crate) fn everywhere(test: impl Fn(Driver)) {
    test(Driver::on(Arc::new(Memory::growing())));
    test(Driver::on(Arc::new(Memory::objects())));
    test(Driver::on_sim(Sim::growing(1)));
    test(Driver::on_sim(Sim::objects(1)));
    test(Driver::on_sim(Sim::leases(1)));
}

impl Driver {
    pub(crate) fn on(store: Arc<dyn Store>) -> Driver {
        let mut driver = Driver { sim: None, process: None, store, journal: None };
        driver.restart();
        driver
    }

    pub(crate) fn on_sim(sim: Sim) -> Driver {
        let process = sim.process();
        let store = process.store();
        let mut driver = Driver { sim: Some(sim), process: Some(process), store, journal: None };
        driver.restart();
        driver
    }

    pub(crate) fn on_disk() -> Driver {
        Driver::on_sim(Sim::growing(1))
    }

    pub(crate) fn on_bucket() -> Driver {
        Driver::on_sim(Sim::objects(1))
    }

    pub(crate) fn sim(&self) -> &Sim {
        self.sim.as_ref().expect("a simulated device")
    }

    pub(crate) fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("a driver that lives")
    }

    /// Ends as a driver does that is asked to, and starts from the journal alone.
    pub(crate) fn restart(&mut self) {
        self.restart_from(State::default(), Position::START).unwrap();
    }

    /// The same, from a state that was saved.
    pub(crate) fn restart_from(&mut self, state: State, from: Position) -> Result<()> {
        self.journal = None;
        let log = Log::open(self.store.clone(), small())?.start_stepped(Position::START)?;
        self.journal = Some(Journal::start(log, state, from)?);
        Ok(())
    }

    /// The power goes, and comes back.
    pub(crate) fn crash(&mut self) {
        self.die();
        self.restart();
    }

    /// The power goes.
    pub(crate) fn die(&mut self) {
        match &self.sim {
            Some(sim) => {
                sim.power_cut();
                self.journal = None;
                sim.calm();
                let process = sim.process();
                self.store = process.store();
                self.process = Some(process);
            }
            None => self.journal = None,
        }
    }

    /// Ends as it is asked to, or as one that is killed, and leaves the place to another process.
    pub(crate) fn leave(&mut self, killed: bool) {
        if let (true, Some(process)) = (killed, &self.process) {
            process.kill();
        }
        self.journal = None;
        let process = self.sim().process();
        self.store = process.store();
        self.process = Some(process);
    }

    /// Another driver takes over, and this one does not know. The one who was there comes back.
    pub(crate) fn replaced(&mut self) -> Journal {
        let process = self.sim().process();
        let old = self.journal.take().expect("a driver that lives");
        self.store = process.store();
        self.process = Some(process);
        self.restart();
        old
    }

    pub(crate) fn add(&self, block: &Block) -> Added {
        self.journal().add(block.clone()).unwrap()
    }

    pub(crate) fn add_later(&self, block: &Block) -> Pending<'_, Added> {
        self.journal().add_later(block.clone()).unwrap()
    }

    pub(crate) fn pass_over(&self, block: &Block) -> PassedOver {
        self.journal().pass_over(block).unwrap()
    }

    /// A batch that takes all there is.
    pub(crate) fn allot(&self, batch: u64) -> Vec<Block> {
        self.allotment(Wanted::all(BatchId(batch))).blocks().collect()
    }

    pub(crate) fn allotment(&self, wanted: Wanted) -> Allotment {
        match self.journal().allot(wanted).unwrap() {
            Allotted::Has(allotment) => allotment,
            other => panic!("no allotment: {other:?}"),
        }
    }

    pub(crate) fn commit(&self, batch: u64, partition: u32, attempt: u64) -> Committed {
        self.journal().commit(output(batch, partition), attempt).unwrap()
    }

    pub(crate) fn finish(&self, batch: u64) -> Ended {
        self.journal().finish(BatchId(batch)).unwrap()
    }

    pub(crate) fn view(&self) -> State {
        self.journal().view().unwrap()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.journal().snapshot().unwrap()
    }

    /// The states as bytes: the same states are the same bytes.
    pub(crate) fn image(&self) -> Vec<u8> {
        image(&self.view())
    }

    /// The batches that are not done, with what they have.
    pub(crate) fn unfinished(&self) -> Vec<(u64, Vec<Block>)> {
        let state = self.view();
        state.tracker().unfinished().map(|one| (one.batch().0, one.blocks().collect())).collect()
    }

    pub(crate) fn end(&self, partition: u32) -> Option<u64> {
        self.view().tracker().end(0, partition).end
    }
}

pub(crate) fn image(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.save(&mut bytes).unwrap();
    bytes
}

pub(crate) fn output(batch: u64, partition: u32) -> OutputId {
    OutputId { batch: BatchId(batch), partition }
}

pub(crate) fn range(partition: u32, from: u64, to: u64) -> SourceRange {
    SourceRange { partition, from, to }
}

pub(crate) fn direct(stream: u32, partition: u32, from: u64, to: u64) -> DirectRange {
    DirectRange { stream, range: range(partition, from, to) }
}

pub(crate) fn end(partition: u32, end: u64) -> End {
    End { stream: 0, partition, end: Some(end) }
}

pub(crate) fn kind<T>(result: Result<T>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}

/// A receiver and its log, of which only the places are made up.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) log: ReceiverLog,
    pub(crate) last: Option<Position>,
}

impl Receiver {
    pub(crate) fn new(stream: u32, receiver: u32) -> Receiver {
        let identity = 0x1D00 + u64::from(stream) * 100 + u64::from(receiver);
        Receiver { log: ReceiverLog { stream, receiver, identity }, last: None }
    }

    /// The next block of its log, with these records.
    pub(crate) fn cut(&mut self, ranges: &[SourceRange]) -> Block {
        let position = Position(self.last.map_or(512, |last| last.0 + 512));
        let previous = self.last.replace(position);
        let records = ranges.iter().map(|range| range.to - range.from).sum();
        Block {
            stream: self.log.stream,
            receiver: self.log.receiver,
            handle: handle(self.log.identity, position),
            previous,
            id: position.0 / 512,
            records,
            ranges: ranges.to_vec(),
            own: bytes::Bytes::copy_from_slice(&position.0.to_le_bytes()[..3]),
        }
    }
}

pub(crate) fn handle(identity: u64, position: Position) -> Handle {
    let mut bytes = [0; 40];
    bytes[0..8].copy_from_slice(&identity.to_le_bytes());
    bytes[8..16].copy_from_slice(&1_u64.to_le_bytes());
    bytes[16..24].copy_from_slice(&position.0.to_le_bytes());
    bytes[32..36].copy_from_slice(&400_u32.to_le_bytes());
    bytes[36..40].copy_from_slice(&0xC4EC_u32.to_le_bytes());
    Handle::from_bytes(&bytes).unwrap()
}
