//! A disk that is full while there is something to clean.

use std::sync::Arc;
use std::time::Duration;

use headwater_checkpoint::journal::{Added, BatchId, Block, Journal, SourceRange, Wanted};
use headwater_checkpoint::resume::{self, Driver, Options, release};
use headwater_checkpoint::{Checkpoints, Owner, Writer};
use headwater_wal::store::sim::{Fault, Op, Sim, SimClock, When};
use headwater_wal::{Compression, Kind, Log, Position, Result, Time};

/// A driver on one disk, its checkpoints and its receiver each on another.
struct Site {
    journal: Sim,
    checkpoints: Sim,
    driver: Driver,
    receiver: Log,
    last: Option<Position>,
    end: u64,
}

fn options() -> Options {
    let log = headwater_wal::Options::default()
        .segment_bytes(8 << 10)
        .record_bytes_max(2 << 10)
        .queue_bytes_max(2 << 10)
        .in_flight_bytes_max(1)
        .compression(Compression::Off);
    let checkpoints = headwater_checkpoint::Options::default().keep_last(2).uploads(0);
    Options { log, checkpoints, background_bytes_max: None, ..Options::default() }
}

impl Site {
    /// A driver that has done much, saved it, and cleaned nothing yet.
    fn begin(stepped: bool) -> Site {
        let (journal, checkpoints, received) = (Sim::growing(1), Sim::growing(2), Sim::growing(3));
        let driver = start(&journal, &checkpoints, stepped);
        let opened = Log::open(received.store(), options().log).unwrap();
        let receiver = opened.start_stepped(Position::START).unwrap();
        let mut site = Site { journal, checkpoints, driver, receiver, last: None, end: 0 };
        for batch in 1..30 {
            let block = site.block();
            assert_eq!(site.driver.journal().add(block).unwrap(), Added::Now);
            site.receiver.seal().unwrap();
            let _ = site.driver.journal().allot(Wanted::all(BatchId(batch))).unwrap().has().unwrap();
            let _ = site.driver.journal().finish(BatchId(batch)).unwrap();
        }
        for _ in 0..2 {
            site.checkpoint().unwrap();
        }
        site
    }

    fn block(&mut self) -> Block {
        let handle = self.receiver.append(Time(1), "a block").unwrap().wait().unwrap();
        let ranges = vec![SourceRange { partition: 0, from: self.end, to: self.end + 1 }];
        let previous = self.last.replace(handle.position());
        self.end += 1;
        let (id, own) = (self.end, vec![7; 700].into());
        Block { stream: 0, receiver: 0, handle, previous, id, records: 1, ranges, own }
    }

    fn journal(&self) -> &Journal {
        self.driver.journal()
    }

    fn checkpoint(&self) -> Result<headwater_checkpoint::Id> {
        self.driver.checkpoint(self.driver.snapshot()?, 0, |_| Ok(()))?.wait()
    }

    /// No byte more fits on the journal's disk.
    fn fill(&self) {
        let files: u64 =
            self.journal.names().iter().map(|name| self.journal.read_raw(name).len() as u64).sum();
        self.journal.set_capacity(Some(files + self.journal.reserved()));
    }
}

fn start(journal: &Sim, checkpoints: &Sim, stepped: bool) -> Driver {
    let clock = Arc::new(SimClock::new(1));
    let opened = Log::open_with(journal.store(), options().log, clock.clone()).unwrap();
    let log = if stepped { opened.start_stepped(Position::START) } else { opened.start(Position::START) };
    let log = log.unwrap();
    let looks = Checkpoints::open(checkpoints.store());
    let (owner, held) = (Owner::of(&log), resume::held(&log));
    let (writer, latest) = Writer::start_with(looks, owner, options().checkpoints, &held, clock).unwrap();
    resume::resume(log, writer, latest, options(), || Ok(()), |_| Ok(())).unwrap().driver
}

#[test]
fn while_the_journal_s_disk_is_full_cleaning_gives_out_what_receivers_may_remove_and_makes_room_itself() {
    let mut site = Site::begin(true);
    site.fill();
    let blocks: Vec<Block> = (0..40).map(|_| site.block()).collect();
    let mut reported = blocks.iter();
    let waiting = loop {
        let added = site.journal().add_later(reported.next().unwrap().clone()).unwrap();
        if let Err(waits) = added.wait_for(Duration::from_millis(1)) {
            break waits;
        }
    };
    assert_eq!(site.journal().log().waits_for_room().unwrap().kind(), Kind::Full);
    // Nothing of the journal is old enough, so there is no room; what the receiver may remove is said all the same.
    let cleaned = site.driver.clean(Time(0)).unwrap();
    assert!(cleaned.suspended.is_none() && cleaned.unrecorded == 1, "{cleaned:?}");
    let (_, below) = cleaned.received[0];
    assert!(release(&site.receiver, below, Time::MAX).unwrap().removed > 20);
    assert!(site.journal().log().waits_for_room().is_some() && !waiting.is_ready());
    // The journal's own segments go with the room that is kept for the mark, and what waited goes on.
    let cleaned = site.driver.clean(Time::MAX).unwrap();
    assert!(cleaned.journal.unwrap().removed > 1 && cleaned.unrecorded == 0);
    assert_eq!(waiting.wait().unwrap(), Added::Now);
    assert!(site.journal().log().waits_for_room().is_none());
    for block in reported.take(3) {
        assert_eq!(site.journal().add(block.clone()).unwrap(), Added::Now);
    }
    let had = site.driver.journal().view().unwrap();
    let Site { journal, checkpoints, driver, receiver, .. } = site;
    drop(driver);
    let driver = start(&journal, &checkpoints, true);
    let found = driver.journal().view().unwrap();
    assert_eq!(found.tracker().waiting(), had.tracker().waiting());
    let taken = driver.journal().allot(Wanted::all(BatchId(99))).unwrap().has().unwrap();
    assert!(taken.block_count() > 3);
    taken.blocks().for_each(|block| drop(receiver.read(&block.handle).unwrap()));
}

#[test]
fn a_checkpoint_that_found_no_room_does_not_keep_cleaning_from_making_it() {
    let site = Site::begin(true);
    site.checkpoints.plan(When::from(1).of(Op::Create), Fault::Full);
    assert_eq!(site.checkpoint().unwrap_err().kind(), Kind::Full);
    let cleaned = site.driver.clean(Time::MAX).unwrap();
    assert!(cleaned.suspended.is_none(), "{cleaned:?}");
    assert!(cleaned.journal.unwrap().removed > 1);
    assert_eq!(cleaned.received.len(), 1);
    site.checkpoints.calm();
    site.checkpoint().unwrap();
    // Any other failure still keeps everything.
    site.checkpoints.plan(When::from(1).of(Op::Create), Fault::Error);
    let _ = site.checkpoint().unwrap_err();
    assert!(site.driver.clean(Time::MAX).unwrap().suspended.is_some());
}

#[test]
fn cleaning_waits_for_nobody_who_waits_for_room() {
    let mut site = Site::begin(false);
    site.fill();
    let blocks: Vec<Block> = (0..40).map(|_| site.block()).collect();
    let site = Arc::new(site);
    let adder = std::thread::spawn({
        let site = site.clone();
        move || blocks.into_iter().for_each(|block| drop(site.journal().add_later(block).unwrap()))
    });
    while site.journal().log().waits_for_room().is_none() {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(50)); // until the queue is full, too, and the next one waits for that
    assert!(!adder.is_finished());
    let (told, answer) = std::sync::mpsc::channel();
    std::thread::spawn({
        let site = site.clone();
        move || told.send(site.driver.clean(Time(0)).unwrap()).unwrap()
    });
    let cleaned = answer.recv_timeout(Duration::from_secs(10));
    // Whatever came of it, nobody is left waiting.
    site.journal.set_capacity(None);
    adder.join().unwrap();
    let cleaned = cleaned.expect("cleaning waits for room that only it would make");
    assert_eq!((cleaned.received.len(), cleaned.unrecorded), (1, 1));
}

#[test]
fn who_cleans_a_disk_that_is_found_full_just_then_waits_until_it_is_done() {
    let sim = Sim::growing(1);
    let log = Log::open(sim.store(), options().log).unwrap().start_stepped(Position::START).unwrap();
    let blocks: Vec<_> = (0..4)
        .map(|_| {
            let handle = log.append(Time(1), "a block").unwrap().wait().unwrap();
            log.seal().unwrap();
            handle
        })
        .collect();
    let files: u64 = sim.names().iter().map(|name| sim.read_raw(name).len() as u64).sum();
    sim.set_capacity(Some(files + sim.reserved()));
    let waiting = log.append(Time(1), vec![7; 1000]).unwrap();
    let retired = release(&log, blocks[2].position(), Time::MAX).unwrap();
    assert!(retired.removed >= 2, "{retired:?}");
    // Nothing that was pinned goes later, when nobody waits for it any more.
    sim.set_capacity(None);
    waiting.wait().unwrap();
    log.read(&blocks[2]).unwrap();
}
