//! A driver, its receivers and its checkpoints on an object store that loses requests and answers: they are replaced
//! while they live, and every record is counted once.

mod lossy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headwater_checkpoint::journal::{Allotment, BatchId, Committed, OutputId, Standing, Wanted};
use headwater_checkpoint::resume::{Driver, Options, Resumed, Root, get_or_create};
use headwater_wal::receiver::{self, Acknowledge, End, Receiver, Reliable, blocks};
use headwater_wal::store::Store;
use headwater_wal::store::object::{Bucket, Patience};
use headwater_wal::{Kind, Log, Reader, Result, Time};
use lossy::Lossy;
use parking_lot::Mutex;

const RECEIVERS: u32 = 2;
const RECORDS: u64 = 60;

/// What the source was told to be safe.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeMap<u32, u64>>);

impl Acknowledge for Told {
    fn acknowledge(&self, ends: &[End]) -> Result<()> {
        let mut told = self.0.lock();
        for end in ends {
            let before = told.entry(end.partition).or_default();
            *before = end.end.max(*before);
        }
        Ok(())
    }
}

struct World {
    store: Lossy,
    told: Arc<Told>,
    /// Which records came out, and how often.
    counted: BTreeMap<(u32, u64), u64>,
    batches: u64,
}

impl World {
    fn new(seed: u64) -> World {
        World { store: Lossy::new(seed), told: Arc::default(), counted: BTreeMap::new(), batches: 0 }
    }

    fn root(&self) -> Root {
        let store = self.store.clone();
        Root::new(move |folder| {
            let patience = Patience { pause: Duration::from_millis(1), ..Patience::default() };
            let bucket = Bucket::new(Arc::new(store.clone()), &format!("root/{folder}"))?;
            Ok(Arc::new(bucket.patience(patience)) as Arc<dyn Store>)
        })
    }

    /// Starts a driver whose application counts records; whoever was one before is replaced.
    fn driver(&mut self) -> Resumed<u64> {
        let checkpoints =
            headwater_checkpoint::Options::default().keep_last(2).inside_bytes_max(0).part_bytes(4 << 10);
        let options = Options { checkpoints, ..Options::default() };
        let mut resumed = get_or_create(
            &self.root(),
            options,
            || Ok(0),
            |restored| {
                let bytes = restored.section("count")?.read_ahead(4).read_all(1 << 20)?;
                Ok(u64::from_le_bytes(bytes[..8].try_into().unwrap()))
            },
        )
        .unwrap();
        for again in std::mem::take(&mut resumed.again) {
            self.run(&resumed.driver, &again.allotment, again.standing == Standing::Pending);
            resumed.app += again.allotment.blocks().map(|block| block.records).sum::<u64>();
        }
        resumed
    }

    fn receiver(&self, driver: &Driver, number: u32) -> Receiver<Reliable> {
        let opened = Log::open(self.root().received(0, number).unwrap(), Default::default()).unwrap();
        let options = receiver::Options::default().of(0, number).block_bytes(400);
        let source = Reliable::new(self.told.clone());
        let receiver = Receiver::start(opened, Arc::new(driver.reports()), source, options).unwrap();
        until(|| receiver.status().takes_records);
        receiver
    }

    /// Sends so many more records, and again what the source was not told to be safe.
    fn send(&self, receiver: &Receiver<Reliable>, number: u32, to: u64) {
        let from = self.told.0.lock().get(&number).copied().unwrap_or(0);
        for at in from..to {
            let _ =
                receiver.push(number, at, format!("{number} {at} {}", "x".repeat(50)).as_bytes()).unwrap();
        }
        until(|| self.told.0.lock().get(&number) == Some(&to));
    }

    fn run(&mut self, driver: &Driver, batch: &Allotment, is_pending: bool) {
        for run in batch.runs() {
            let reader = Reader::open(self.root().received_by(run.log).unwrap()).unwrap();
            let handles: Vec<_> = batch.blocks_of(run.log).map(|block| block.handle).collect();
            for block in reader.read_many(&handles) {
                for record in blocks::records(&block.unwrap().payload).unwrap() {
                    let place = record.unwrap().place.unwrap();
                    if is_pending {
                        *self.counted.entry((place.partition, place.position)).or_default() += 1;
                    }
                }
            }
        }
        if is_pending {
            let output = OutputId { batch: batch.batch(), partition: 0 };
            assert_eq!(driver.journal().commit(output, 1).unwrap(), Committed::Recorded);
            let _ = driver.journal().finish(batch.batch()).unwrap();
        }
    }

    fn next_batch(&mut self, resumed: &mut Resumed<u64>) {
        self.batches += 1;
        let wanted = Wanted::all(BatchId(self.batches));
        let batch = resumed.driver.journal().allot(wanted).unwrap().has().unwrap();
        self.run(&resumed.driver, &batch, true);
        resumed.app += batch.blocks().map(|block| block.records).sum::<u64>();
    }
}

#[track_caller]
fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it takes too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn checkpoint(resumed: &Resumed<u64>) {
    let count = resumed.app;
    let write = move |draft: &mut headwater_checkpoint::Draft<'_>| {
        // Some parts of it, so that there is something to read ahead.
        draft.write("count", &[&count.to_le_bytes()[..], &[7; 50_000]].concat())
    };
    let snapshot = resumed.driver.snapshot().unwrap();
    resumed.driver.checkpoint(snapshot, 60_000, write).unwrap().wait().unwrap();
    resumed.driver.clean(Time::MAX).unwrap();
}

fn live(seed: u64) -> Lossy {
    let mut world = World::new(seed);
    let mut replaced = Vec::new();
    let mut sent = 0;
    for life in 0..3 {
        let mut resumed = world.driver();
        assert_eq!(resumed.restored.is_some(), life > 0);
        assert_eq!(resumed.app, world.counted.len() as u64, "what was counted before is restored");
        let receivers: Vec<_> =
            (0..RECEIVERS).map(|number| world.receiver(&resumed.driver, number)).collect();
        for step in 0..3 {
            sent += RECORDS;
            (0..).zip(&receivers).for_each(|(number, receiver)| world.send(receiver, number, sent));
            world.next_batch(&mut resumed);
            if step != 2 {
                checkpoint(&resumed);
            }
            for receiver in &receivers {
                receiver.release(Time::MAX).unwrap();
            }
        }
        // These are safe, and no batch has them when the driver is replaced.
        sent += RECORDS;
        (0..).zip(&receivers).for_each(|(number, receiver)| world.send(receiver, number, sent));
        replaced.push((resumed, receivers));
    }
    let mut last = world.driver();
    let receivers: Vec<_> = (0..RECEIVERS).map(|number| world.receiver(&last.driver, number)).collect();
    for (resumed, receivers) in &replaced {
        let refused = resumed.driver.journal().allot(Wanted::all(BatchId(1000))).map(drop).unwrap_err();
        assert!(matches!(refused.kind(), Kind::Fenced | Kind::Closed), "{refused}");
        for (number, receiver) in (0..).zip(receivers) {
            // It hears of it when it hands a block to the store.
            let next = receiver.next(number).unwrap();
            let _ = receiver.push(number, next, b"too late");
            until(|| receiver.failure().is_some());
            // Where its heirs have retired the place that it wanted, it cannot know what became of its block.
            let failure = receiver.failure().unwrap();
            assert!(matches!(failure.kind(), Kind::Fenced | Kind::Unknown), "{failure}");
        }
    }
    world.next_batch(&mut last);
    let all = u64::from(RECEIVERS) * sent;
    assert_eq!((world.counted.len() as u64, last.app), (all, all), "nothing is lost");
    assert!(world.counted.values().all(|&times| times == 1), "and nothing comes twice");
    drop(receivers);
    last.driver.close().unwrap();
    world.store
}

#[test]
fn drivers_and_receivers_replace_one_another_on_a_bucket_that_loses_answers() {
    let only = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().expect("a number"));
    for seed in only.map_or(0..2, |seed: u64| seed..seed + 1) {
        println!("HEADWATER_SEED={seed}");
        let store = live(seed);
        let faults = &store.faults;
        for (what, count) in [
            ("puts lost", &faults.puts_lost),
            ("answers to puts lost", &faults.put_answers_lost),
            ("conflicts", &faults.conflicts),
            ("others", &faults.others),
        ] {
            let count = count.load(Ordering::Relaxed);
            println!("{what}: {count}");
            assert!(count > 10, "too few to show anything: {what}");
        }
    }
}
