//! A driver that is stopped, killed or replaced, and comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_checkpoint::journal::{
    Added, BatchId, Block, Committed, Ended, OutputId, ReceiverLog, SourceRange, Standing, Wanted,
};
use headwater_checkpoint::resume::{self, Options, Resumed, Root, get_or_create, release};
use headwater_checkpoint::{Checkpoints, Held};
use headwater_wal::store::{Memory, Name, Store};
use headwater_wal::{Handle, Kind, Log, Position, Result, Time};
use parking_lot::Mutex;

/// Folders in memory, which outlive every driver.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<BTreeMap<Name, Arc<Memory>>>>);

impl Disk {
    fn root(&self) -> Root {
        let disk = self.clone();
        Root::new(move |name: &Name| Ok(disk.folder(name.as_str()) as Arc<dyn Store>))
    }

    fn folder(&self, name: &str) -> Arc<Memory> {
        let name = Name::new(name).unwrap();
        self.0.lock().entry(name).or_insert_with(|| Arc::new(Memory::growing())).clone()
    }

    fn lose(&self, folder: &str) {
        self.0.lock().remove(&Name::new(folder).unwrap());
    }

    /// Starts a driver whose application counts records.
    fn driver(&self) -> Resumed<u64> {
        self.try_driver().unwrap()
    }

    fn try_driver(&self) -> Result<Resumed<u64>> {
        let log = headwater_wal::Options::default().segment_bytes(8 << 10);
        let checkpoints =
            headwater_checkpoint::Options::default().keep_last(2).inside_bytes_max(0).uploads(0);
        let options = Options { log, checkpoints, background_bytes_max: None, ..Options::default() };
        get_or_create(
            &self.root(),
            options,
            || Ok(0),
            |restored| {
                let bytes = restored.section("count")?.read_all(8)?;
                Ok(u64::from_le_bytes(bytes.try_into().unwrap()))
            },
        )
    }

    fn receiver(&self, receiver: u32) -> Receiver {
        let options = headwater_wal::Options::default().segment_bytes(8 << 10);
        let store = self.root().received(0, receiver).unwrap();
        let log = Log::open(store, options).unwrap().start(Position::START).unwrap();
        Receiver { log, receiver, last: None, end: 0 }
    }
}

/// A receiver of one partition, which has its own number.
struct Receiver {
    log: Log,
    receiver: u32,
    last: Option<Handle>,
    end: u64,
}

impl Receiver {
    fn log_name(&self) -> ReceiverLog {
        ReceiverLog { stream: 0, receiver: self.receiver, identity: self.log.identity() }
    }

    /// Logs a block of so many records; it is not reported yet.
    fn receive(&mut self, records: u64) -> Block {
        let payload = format!("{} {}", self.end, records).repeat(100);
        let handle = self.log.append(Time(1), payload).unwrap().wait().unwrap();
        let ranges = vec![SourceRange { partition: self.receiver, from: self.end, to: self.end + records }];
        let previous = self.last.map(|last| last.position());
        self.end += records;
        self.last = Some(handle);
        let id = handle.position().0;
        Block {
            stream: 0,
            receiver: self.receiver,
            handle,
            previous,
            id,
            records,
            ranges,
            own: Default::default(),
        }
    }

    fn report(&mut self, to: &Resumed<u64>, records: u64) -> Block {
        let block = self.receive(records);
        assert_eq!(to.driver.journal().add(block.clone()).unwrap(), Added::Now);
        block
    }
}

/// Runs a batch from its blocks, which are read, and finishes it.
fn run(driver: &mut Resumed<u64>, batch: u64) -> u64 {
    let allotment = driver.driver.journal().allot(Wanted::all(BatchId(batch))).unwrap().has().unwrap();
    let records = allotment.blocks().map(|block| block.records).sum::<u64>();
    let output = OutputId { batch: BatchId(batch), partition: 0 };
    assert_eq!(driver.driver.journal().commit(output, 1).unwrap(), Committed::Recorded);
    assert_eq!(driver.driver.journal().finish(BatchId(batch)).unwrap(), Ended::Now);
    driver.app += records;
    records
}

fn checkpoint(driver: &Resumed<u64>) -> Result<headwater_checkpoint::Id> {
    let (snapshot, count) = (driver.driver.snapshot()?, driver.app);
    let write = move |draft: &mut headwater_checkpoint::Draft<'_>| draft.write("count", &count.to_le_bytes());
    driver.driver.checkpoint(snapshot, 8, write)?.wait()
}

/// Runs again what is to be run again, as an application does.
fn catch_up(driver: &mut Resumed<u64>) -> Vec<(u64, Standing)> {
    let mut ran = Vec::new();
    for again in std::mem::take(&mut driver.again) {
        driver.app += again.allotment.blocks().map(|block| block.records).sum::<u64>();
        let batch = again.allotment.batch();
        if again.standing == Standing::Pending {
            let _ = driver.driver.journal().commit(OutputId { batch, partition: 0 }, 2).unwrap();
            let _ = driver.driver.journal().finish(batch).unwrap();
        }
        ran.push((batch.0, again.standing));
    }
    ran
}

#[test]
fn an_empty_root_is_created_also_after_a_crash_before_the_first_checkpoint() {
    let disk = Disk::default();
    for _ in 0..3 {
        let driver = disk.driver();
        assert_eq!((driver.app, driver.restored, driver.again.len()), (0, None, 0));
        drop(driver);
    }
}

#[test]
fn a_batch_that_ended_behind_the_checkpoint_and_one_that_did_not_are_both_run_again() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    receiver.report(&driver, 3);
    run(&mut driver, 1);
    checkpoint(&driver).unwrap();
    receiver.report(&driver, 4);
    run(&mut driver, 2);
    receiver.report(&driver, 5);
    let taken = driver.driver.journal().allot(Wanted::all(BatchId(3))).unwrap().has().unwrap();
    let blocks: Vec<Block> = taken.blocks().collect();
    receiver.report(&driver, 6);
    drop(driver);

    let mut driver = disk.driver();
    assert_eq!(driver.app, 3);
    assert_eq!(driver.restored.unwrap().number, 0);
    assert_eq!(driver.again[1].allotment.blocks().collect::<Vec<_>>(), blocks, "the very same input");
    assert_eq!(catch_up(&mut driver), [(2, Standing::Finished), (3, Standing::Pending)]);
    assert_eq!(driver.app, 3 + 4 + 5);
    // The block that no batch had waits for the next one.
    assert_eq!(run(&mut driver, 4), 6);
    let recorded = driver.driver.journal().view().unwrap();
    let output = |batch| OutputId { batch: BatchId(batch), partition: 0 };
    assert_eq!(recorded.ledger().recorded(output(2)), Some(1));
    assert_eq!(recorded.ledger().recorded(output(3)), Some(2));
}

#[test]
fn blocks_are_read_by_handle_after_the_driver_came_back() {
    let disk = Disk::default();
    let driver = disk.driver();
    let mut receiver = disk.receiver(0);
    let block = receiver.report(&driver, 3);
    let _ = driver.driver.journal().allot(Wanted::all(BatchId(1))).unwrap();
    drop((driver, receiver));
    let driver = disk.driver();
    let found = driver.again[0].allotment.blocks().next().unwrap();
    let reader = headwater_wal::Reader::open(disk.root().received(0, 0).unwrap()).unwrap();
    assert_eq!(reader.read(&found.handle).unwrap().payload, "0 3".repeat(100));
    assert_eq!(found, block);
}

#[test]
fn a_second_driver_is_locked_out_while_the_first_one_lives() {
    let disk = Disk::default();
    let driver = disk.driver();
    assert_eq!(disk.try_driver().map(drop).unwrap_err().kind(), Kind::Locked);
    driver.driver.close().unwrap();
    disk.driver();
}

#[test]
fn without_a_checkpoint_everything_is_run_again_from_the_journal_s_beginning() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    for batch in 1..4 {
        receiver.report(&driver, batch);
        run(&mut driver, batch);
    }
    checkpoint(&driver).unwrap();
    drop(driver);
    disk.lose("checkpoints");
    let mut driver = disk.driver();
    assert_eq!((driver.app, driver.restored), (0, None));
    assert_eq!(catch_up(&mut driver).len(), 3);
    assert_eq!(driver.app, 6);
}

/// Batches and checkpoints until cleaning has removed something of the journal and of the receiver's log.
fn live_long(driver: &mut Resumed<u64>, receiver: &mut Receiver) -> u64 {
    let mut total = driver.app;
    for batch in 1..200 {
        total += 2;
        receiver.report(driver, 2);
        run(driver, batch);
        checkpoint(driver).unwrap();
        let cleaned = driver.driver.clean(Time::MAX).unwrap();
        assert!(cleaned.suspended.is_none(), "{cleaned:?}");
        let mut gone = 0;
        for (log, below) in cleaned.received {
            assert_eq!(log, receiver.log_name());
            gone += release(&receiver.log, below, Time::MAX).unwrap().removed;
        }
        let journal = driver.driver.journal().log().range().start;
        if gone > 0 && journal > Position::START {
            return total;
        }
        receiver.log.seal().unwrap();
        driver.driver.journal().log().seal().unwrap();
    }
    panic!("nothing was ever cleaned");
}

#[test]
fn cleaning_removes_what_no_kept_checkpoint_needs_and_the_driver_comes_back_from_the_older_one() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    let total = live_long(&mut driver, &mut receiver);
    drop(driver);
    let mut driver = disk.driver();
    assert_eq!(driver.app, total);
    assert!(driver.again.is_empty());
    // One more, and then the newest is damaged: the older one still has all that it needs.
    receiver.report(&driver, 7);
    run(&mut driver, 300);
    let newest = checkpoint(&driver).unwrap();
    let _ = driver.driver.clean(Time::MAX).unwrap();
    drop(driver);
    let store = disk.root().checkpoints().unwrap();
    crate::fixture::change(&store, &crate::fixture::head(newest), |bytes| bytes[20] ^= 1);
    let mut driver = disk.driver();
    assert_eq!(driver.passed_over[0].0, newest);
    assert_eq!(catch_up(&mut driver), [(300, Standing::Finished)]);
    assert_eq!(driver.app, total + 7);
}

#[test]
fn a_section_that_rots_is_fallen_back_from_and_so_is_the_journal_s_state() {
    for section in ["count", resume::STATE] {
        let disk = Disk::default();
        let mut driver = disk.driver();
        let mut receiver = disk.receiver(0);
        receiver.report(&driver, 3);
        run(&mut driver, 1);
        checkpoint(&driver).unwrap();
        receiver.report(&driver, 4);
        run(&mut driver, 2);
        let bad = checkpoint(&driver).unwrap();
        drop(driver);
        let store = disk.root().checkpoints().unwrap();
        let ordinal = if section == "count" { 1 } else { 0 };
        let part = format!("parts/{:020}-{:020}-{ordinal:010}-{:010}.part", bad.epoch, bad.number, 0);
        crate::fixture::change(&store, &Name::new(part).unwrap(), |bytes| *bytes.last_mut().unwrap() ^= 1);
        let mut driver = disk.driver();
        assert_eq!((driver.passed_over.len(), driver.passed_over[0].0, driver.app), (1, bad, 3), "{section}");
        catch_up(&mut driver);
        assert_eq!(driver.app, 7);
        checkpoint(&driver).unwrap();
    }
}

#[test]
fn all_checkpoints_gone_after_cleaning_is_an_error_and_not_a_fresh_start() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    live_long(&mut driver, &mut receiver);
    drop(driver);
    disk.lose("checkpoints");
    let error = disk.try_driver().map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::NotThere);
    assert!(error.to_string().contains("log=journal"), "{error}");
}

#[test]
fn a_journal_that_has_lost_what_the_checkpoint_knows_is_refused() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    disk.receiver(0).report(&driver, 3);
    run(&mut driver, 1);
    checkpoint(&driver).unwrap();
    drop(driver);
    disk.lose("journal");
    assert_eq!(disk.try_driver().map(drop).unwrap_err().kind(), Kind::Damaged);
}

#[test]
fn a_failed_batch_holds_its_blocks_until_it_is_done_or_given_up() {
    // In Spark two batches that threw once lose their input, 300 records: cleaning follows the last success.
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    let block = receiver.report(&driver, 100);
    let _ = driver.driver.journal().allot(Wanted::all(BatchId(1))).unwrap(); // it throws
    for batch in 2..9 {
        receiver.log.seal().unwrap();
        receiver.report(&driver, 100);
        run(&mut driver, batch);
        checkpoint(&driver).unwrap();
        for (_, below) in driver.driver.clean(Time::MAX).unwrap().received {
            release(&receiver.log, below, Time::MAX).unwrap();
        }
    }
    drop(driver);
    let mut driver = disk.driver();
    let found = driver.again[0].allotment.blocks().next().unwrap();
    assert_eq!((driver.again[0].allotment.batch(), &found), (BatchId(1), &block));
    receiver.log.read(&found.handle).unwrap();
    catch_up(&mut driver);
    assert_eq!(driver.app, 800);
    // Once it is done, and the kept checkpoints know that, its segment goes.
    for _ in 0..2 {
        checkpoint(&driver).unwrap();
    }
    let (log, below) = driver.driver.clean(Time::MAX).unwrap().received[0];
    assert_eq!(log, receiver.log_name());
    release(&receiver.log, below, Time::MAX).unwrap();
    assert_eq!(receiver.log.read(&found.handle).unwrap_err().kind(), Kind::Retired);
}

#[test]
fn blocks_that_are_not_reported_are_never_cleaned() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    receiver.report(&driver, 1);
    receiver.log.seal().unwrap();
    let unreported = receiver.receive(2);
    receiver.log.seal().unwrap();
    receiver.receive(3);
    run(&mut driver, 1);
    for _ in 0..3 {
        checkpoint(&driver).unwrap();
    }
    for (_, below) in driver.driver.clean(Time::MAX).unwrap().received {
        release(&receiver.log, below, Time::MAX).unwrap();
    }
    receiver.log.read(&unreported.handle).unwrap();
    assert_eq!(driver.driver.journal().add(unreported).unwrap(), Added::Now);
}

#[test]
fn nothing_is_cleaned_before_there_is_a_checkpoint_or_while_one_cannot_be_read() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    receiver.report(&driver, 1);
    run(&mut driver, 1);
    let cleaned = driver.driver.clean(Time::MAX).unwrap();
    assert!(cleaned.suspended.is_some() && cleaned.journal.is_none() && cleaned.received.is_empty());
    let older = checkpoint(&driver).unwrap();
    checkpoint(&driver).unwrap();
    drop(driver);
    let store = disk.root().checkpoints().unwrap();
    crate::fixture::change(&store, &crate::fixture::head(older), |bytes| bytes[20] ^= 1);
    let driver = disk.driver();
    let cleaned = driver.driver.clean(Time::MAX).unwrap();
    assert!(cleaned.suspended.unwrap().to_string().contains("cannot be read"));
    checkpoint(&driver).unwrap();
    assert!(driver.driver.clean(Time::MAX).unwrap().suspended.is_none(), "the bad one is kept no longer");
}

#[test]
fn explain_names_what_holds_each_segment() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    receiver.report(&driver, 1);
    run(&mut driver, 1);
    receiver.log.seal().unwrap();
    receiver.report(&driver, 2);
    let _ = driver.driver.journal().allot(Wanted::all(BatchId(2))).unwrap();
    receiver.log.seal().unwrap();
    receiver.report(&driver, 3);
    for _ in 0..2 {
        checkpoint(&driver).unwrap();
    }
    let holds = driver.driver.holds(Some(receiver.log_name())).unwrap();
    let explained = resume::explain(&receiver.log.chain(), &holds, Time::MAX);
    let held: Vec<String> = explained.iter().map(|segment| segment.held_by.join("; ")).collect();
    let records: Vec<_> = explained.iter().filter(|segment| !segment.segment.begins_epoch).collect();
    assert!(records[0].held_by.is_empty(), "{held:?}");
    assert!(records[1].held_by.iter().any(|who| who.contains("the unfinished batch 2")), "{held:?}");
    assert!(records[1].held_by.iter().any(|who| who.contains("checkpoint 1-0")), "{held:?}");
    assert!(records[2].held_by.iter().any(|who| who.contains("blocks that no batch has")), "{held:?}");
    let young = resume::explain(&receiver.log.chain(), &[], Time(0));
    assert!(young[1].held_by[0].contains("sealed at"), "{young:?}");
}

#[test]
fn a_checkpoint_is_of_the_moment_of_its_snapshot() {
    let disk = Disk::default();
    let mut driver = disk.driver();
    let mut receiver = disk.receiver(0);
    receiver.report(&driver, 3);
    let snapshot = driver.driver.snapshot().unwrap();
    run(&mut driver, 1);
    let _ = driver
        .driver
        .checkpoint(snapshot, 8, |draft| draft.write("count", &0_u64.to_le_bytes()))
        .unwrap()
        .wait()
        .unwrap();
    drop(driver);
    let mut driver = disk.driver();
    assert_eq!(driver.app, 0);
    assert_eq!(catch_up(&mut driver), [(1, Standing::Finished)]);
    assert_eq!(driver.app, 3);
    let newest = Checkpoints::open(disk.root().checkpoints().unwrap()).latest(&Held::nothing()).unwrap();
    assert!(newest.checkpoint.unwrap().section(resume::STATE).is_some());
}
