//! A root on disk, of a driver with two receivers that really ran, that can be damaged in named ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use headwater_checkpoint::journal::{
    Added, BatchId, Block, Committed, Ended, Event, Moved, OutputId, PassedOver, SourceRange, State, Wanted,
    event,
};
use headwater_checkpoint::resume::{Driver, JOURNAL, Options, Root, STATE, get_or_create, release};
use headwater_checkpoint::{Checkpoints, Held, Owner, Writer};
use headwater_fsck::journal::{Report, check};
use headwater_fsck::{Depth, Finding};
use headwater_wal::format::name::segment;
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Handle, Log, Position, Time, look};
use tempfile::TempDir;

/// What a terminal would obey.
pub(crate) const REASON: &[u8] = b"no table \x1b[2J\x9b31m";

pub(crate) struct Place {
    dir: TempDir,
    pub(crate) path: PathBuf,
    driver: Option<Driver>,
    receivers: Vec<Receiver>,
}

/// A receiver of stream 0, with a partition of its own.
struct Receiver {
    log: Option<Log>,
    last: Option<Position>,
    end: u64,
}

fn log_options() -> headwater_wal::Options {
    headwater_wal::Options::default()
        .segment_bytes(16 << 10)
        .record_bytes_max(64 << 10)
        .compression(Compression::Off)
}

fn options() -> Options {
    Options {
        log: log_options(),
        checkpoints: headwater_checkpoint::Options::default().keep_last(2).uploads(0),
        background_bytes_max: None,
        ..Options::default()
    }
}

impl Place {
    /// A root in which nothing has happened yet, with a driver and two receivers at work.
    pub(crate) fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        let mut place = Place { dir, path, driver: None, receivers: Vec::new() };
        place.start();
        for receiver in 0..2 {
            let store: Arc<dyn Store> = Arc::new(Local::open(place.received(receiver)).unwrap());
            let log = Log::open(store, log_options()).unwrap().start(Position::START).unwrap();
            place.receivers.push(Receiver { log: Some(log), last: None, end: 100 });
        }
        place
    }

    /// Batch 1 is done, batch 2 has two blocks and one output, batch 3 was given up, one block waits; one was passed
    /// over, an end was moved. The checkpoint was written after batch 1.
    pub(crate) fn with_history() -> Place {
        let mut place = Place::new();
        for receiver in [0, 1, 0] {
            place.receive(receiver, 3);
        }
        place.allot(1);
        place.commit(1, 0, 1);
        place.finish(1);
        place.checkpoint();
        for receiver in [0, 1] {
            place.receive(receiver, 2);
        }
        place.allot(2);
        place.commit(2, 0, 7);
        place.pass_over(1);
        place.receive(0, 1);
        place.allot(3);
        assert_eq!(
            place.driver().journal().give_up(BatchId(3), Bytes::from_static(REASON)).unwrap(),
            Ended::Now
        );
        place.move_end(0, 50);
        place.receive(0, 4);
        place
    }

    /// So many batches that are done, each with six blocks, a checkpoint and a cleaning.
    pub(crate) fn that_cleans(batches: u64) -> Place {
        let mut place = Place::new();
        place.cycles(batches);
        place
    }

    pub(crate) fn cycles(&mut self, batches: u64) {
        for batch in 1..=batches {
            (0..6).for_each(|block| _ = self.receive(block % 2, 3));
            self.allot(batch);
            self.commit(batch, 0, 1);
            self.finish(batch);
            self.checkpoint();
            self.clean();
        }
    }

    pub(crate) fn start(&mut self) {
        let resumed = get_or_create(&self.root(), options(), || Ok(()), |_| Ok(())).unwrap();
        self.driver = Some(resumed.driver);
    }

    pub(crate) fn driver(&self) -> &Driver {
        self.driver.as_ref().unwrap()
    }

    pub(crate) fn root(&self) -> Root {
        Root::local(&self.path)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(crate) fn received(&self, receiver: u32) -> PathBuf {
        self.path.join(format!("received/0/{receiver}"))
    }

    fn cut(&mut self, receiver: u32, records: u64) -> Block {
        let of = &mut self.receivers[receiver as usize];
        let log = of.log.as_ref().unwrap();
        let handle = log.append(Time(1), vec![b'.'; 4000]).unwrap().wait().unwrap();
        let ranges = vec![SourceRange { partition: receiver, from: of.end, to: of.end + records }];
        let previous = of.last.replace(handle.position());
        let own = Bytes::from_static(b"\x00own");
        Block { stream: 0, receiver, handle, previous, id: of.end, records, ranges, own }
    }

    /// A block arrives.
    pub(crate) fn receive(&mut self, receiver: u32, records: u64) -> Handle {
        let block = self.cut(receiver, records);
        self.receivers[receiver as usize].end += records;
        let handle = block.handle;
        assert_eq!(self.driver().journal().add(block).unwrap(), Added::Now);
        handle
    }

    pub(crate) fn pass_over(&mut self, receiver: u32) {
        let block = self.cut(receiver, 5);
        assert_eq!(self.driver().journal().pass_over(&block).unwrap(), PassedOver::Now);
    }

    pub(crate) fn move_end(&mut self, receiver: u32, by: u64) {
        let of = &mut self.receivers[receiver as usize];
        let lost = SourceRange { partition: receiver, from: of.end, to: of.end + by };
        of.end = lost.to;
        assert_eq!(self.driver().journal().move_end(0, lost).unwrap(), Moved::Now);
    }

    pub(crate) fn allot(&self, batch: u64) {
        let allotted = self.driver().journal().allot(Wanted::all(BatchId(batch))).unwrap();
        allotted.has().unwrap();
    }

    pub(crate) fn commit(&self, batch: u64, partition: u32, attempt: u64) {
        let output = OutputId { batch: BatchId(batch), partition };
        assert_eq!(self.driver().journal().commit(output, attempt).unwrap(), Committed::Recorded);
    }

    pub(crate) fn finish(&self, batch: u64) {
        assert_eq!(self.driver().journal().finish(BatchId(batch)).unwrap(), Ended::Now);
    }

    pub(crate) fn checkpoint(&self) {
        let driver = self.driver();
        driver.checkpoint(driver.snapshot().unwrap(), 0, |_| Ok(())).unwrap().wait().unwrap();
    }

    /// Removes from the journal and from the receivers' logs what nobody needs.
    pub(crate) fn clean(&self) {
        let cleaned = self.driver().clean(Time(u64::MAX)).unwrap();
        assert!(cleaned.suspended.is_none(), "{cleaned:?}");
        for (log, below) in cleaned.received {
            let of = &self.receivers[log.receiver as usize];
            release(of.log.as_ref().unwrap(), below, Time(u64::MAX)).unwrap();
        }
    }

    /// Removes whole segments of a receiver's log, whoever needs them.
    pub(crate) fn retire(&self, receiver: u32) {
        self.receivers[receiver as usize].log.as_ref().unwrap().seal().unwrap();
        let retired = self.receivers[receiver as usize].log.as_ref().unwrap().retire_before(Time(u64::MAX));
        assert!(retired.unwrap().removed > 0);
    }

    /// Everybody ends as they are asked to.
    pub(crate) fn stop(mut self) -> Place {
        for log in self.receivers.iter_mut().filter_map(|receiver| receiver.log.take()) {
            log.close().unwrap();
        }
        if let Some(driver) = self.driver.take() {
            driver.close().unwrap();
        }
        self
    }

    /// Appends to the journal, which nobody writes at the moment, whatever it says.
    pub(crate) fn forge(&self, kind: u8, payload: Vec<u8>) -> Handle {
        let store: Arc<dyn Store> = Arc::new(Local::open(self.journal()).unwrap());
        let log = Log::open(store, log_options()).unwrap().start(Position::START).unwrap();
        let handle = log.append_kind(kind, Time(0), payload).unwrap().wait().unwrap();
        log.close().unwrap();
        handle
    }

    /// Appends an event that may contradict those before it.
    pub(crate) fn forge_event(&self, number: u64, event: &Event) -> Handle {
        self.forge(event::RECORD_KIND, event.encode(number))
    }

    /// Every event's record, oldest first.
    pub(crate) fn entries(&self) -> Vec<Handle> {
        self.replayed().into_iter().map(|(handle, _)| handle).collect()
    }

    /// Every event's bytes, oldest first.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        self.replayed().into_iter().map(|(_, payload)| payload).collect()
    }

    fn replayed(&self) -> Vec<(Handle, Vec<u8>)> {
        let store: Arc<dyn Store> = Arc::new(Local::open(self.journal()).unwrap());
        let opened = Log::open(store, log_options()).unwrap();
        let records = opened.replay(Position::START).unwrap().map(Result::unwrap);
        records.map(|record| (record.handle, record.payload.to_vec())).collect()
    }

    /// The state that all events make.
    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        for payload in self.payloads() {
            let (number, event) = Event::decode(&payload).unwrap();
            state.apply(number, &event).unwrap();
        }
        state
    }

    /// Where the journal ends.
    pub(crate) fn end(&self) -> Position {
        look(&Local::open(self.journal()).unwrap(), Position::START, Depth::Quick).unwrap().end()
    }

    /// Publishes a checkpoint that says this, right or wrong.
    pub(crate) fn forge_checkpoint(&self, epoch: u64, state: &State, position: Position) {
        let folder = Checkpoints::open(Arc::new(Local::open(self.path.join("checkpoints")).unwrap()));
        let journal = look(&Local::open(self.journal()).unwrap(), Position::START, Depth::Quick).unwrap();
        let owner = Owner { identity: journal.identity().unwrap().short(), epoch };
        let options = options().checkpoints;
        let (mut writer, _) = Writer::start(folder, owner, options, &Held::nothing()).unwrap();
        let mut draft = writer.draft().unwrap();
        let mut section = draft.section(STATE).unwrap();
        state.save(&mut section).unwrap();
        section.finish().unwrap();
        draft.publish(&[(JOURNAL, position)]).unwrap();
    }

    /// Flips a bit of an event's payload.
    pub(crate) fn flip_event(&self, event: Handle) {
        let offset = event.position().since(event.base());
        self.flip(&self.journal().join(segment(event.base())), offset + u64::from(event.stored_len()));
    }

    /// The files of a receiver's log that hold records, oldest first.
    pub(crate) fn segments(&self, receiver: u32) -> Vec<PathBuf> {
        let files = fs::read_dir(self.received(receiver)).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|is| is == "wal")).collect();
        files.sort();
        files
    }

    /// A log with a record, of another root.
    pub(crate) fn lone_log(&self) -> PathBuf {
        let path = self.dir.path().join("lone");
        let store: Arc<dyn Store> = Arc::new(Local::open(&path).unwrap());
        let log = Log::open(store, log_options()).unwrap().start(Position::START).unwrap();
        log.append(Time(0), "lone").unwrap().wait().unwrap();
        log.close().unwrap();
        path
    }

    /// Everybody has ended, and a receiver's log is gone.
    pub(crate) fn without(self, receiver: u32) -> Place {
        let place = self.stop();
        fs::remove_dir_all(place.received(receiver)).unwrap();
        place
    }

    pub(crate) fn check(&self) -> Report {
        self.check_at(Depth::Full)
    }

    pub(crate) fn check_at(&self, depth: Depth) -> Report {
        check(&self.root(), &Local::open(&self.path).unwrap(), depth).unwrap()
    }

    /// The only finding of a full check.
    pub(crate) fn finding(&self) -> Finding {
        let report = self.check();
        assert_eq!(report.findings().len(), 1, "{report}");
        report.findings()[0].clone()
    }

    /// Flips a bit of a file.
    pub(crate) fn flip(&self, file: &Path, offset: u64) {
        let mut bytes = fs::read(file).unwrap();
        bytes[offset as usize] ^= 0x10;
        fs::write(file, bytes).unwrap();
    }
}
