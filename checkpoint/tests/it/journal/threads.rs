//! Many threads on one journal, on a log with threads of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use headwater_checkpoint::journal::{
    Added, BatchId, Committed, Ended, Journal, OutputId, Refusal, State, Wanted,
};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{Log, Position};
use parking_lot::Mutex;

use super::driver::{Receiver, image, range, small};

fn start(store: &Arc<dyn Store>, state: State, from: Position) -> Journal {
    let log = Log::open(store.clone(), small()).unwrap().start(Position::START).unwrap();
    Journal::start(log, state, from).unwrap()
}

#[test]
fn receivers_batches_and_checkpoints_at_once_lose_nothing_and_take_nothing_twice() {
    const RECEIVERS: u32 = 4;
    const BLOCKS: u64 = 400;
    let store: Arc<dyn Store> = Arc::new(Memory::growing());
    let journal = start(&store, State::default(), Position::START);
    let seen = Mutex::new(BTreeMap::new());
    let kept = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for receiver in 0..RECEIVERS {
            let journal = &journal;
            scope.spawn(move || {
                let mut receiver = Receiver::new(0, receiver);
                let partition = receiver.log.receiver;
                let mut pending = Vec::new();
                for n in 0..BLOCKS {
                    let block = receiver.cut(&[range(partition, n, n + 1)]);
                    if n % 7 == 0 {
                        // Reported twice, the second time perhaps before the first is durable.
                        drop(journal.add_later(block.clone()).unwrap());
                        assert_eq!(journal.add(block).unwrap(), Added::Already);
                    } else {
                        pending.push(journal.add_later(block).unwrap());
                    }
                }
                pending.into_iter().for_each(|answer| assert_eq!(answer.wait().unwrap(), Added::Now));
            });
        }
        scope.spawn(|| {
            for batch in 1..=60 {
                let allotment = journal.allot(Wanted::all(BatchId(batch))).unwrap().has().unwrap();
                for block in allotment.blocks() {
                    let before = seen.lock().insert((block.receiver, block.position()), batch);
                    assert_eq!(before, None, "two batches have one block");
                }
                let output = OutputId { batch: BatchId(batch), partition: 0 };
                let run = |attempt| match journal.commit(output, attempt).unwrap() {
                    Committed::Recorded => attempt,
                    Committed::Other { attempt } => attempt,
                    Committed::Refused(standing) => panic!("{standing:?}"),
                };
                let run = &run;
                let recorded = thread::scope(|attempts| {
                    let both = [1, 2].map(|attempt| attempts.spawn(move || run(attempt)));
                    both.map(|one| one.join().unwrap())
                });
                assert_eq!(recorded[0], recorded[1]);
                if batch % 5 > 0 {
                    assert_eq!(journal.finish(BatchId(batch)).unwrap(), Ended::Now);
                }
            }
        });
        scope.spawn(|| {
            for _ in 0..30 {
                let snapshot = journal.snapshot().unwrap();
                kept.lock().push((image(&snapshot.state), snapshot.position));
            }
        });
    });
    let last = journal.allot(Wanted::all(BatchId(1000))).unwrap().has().unwrap();
    for block in last.blocks() {
        assert_eq!(seen.lock().insert((block.receiver, block.position()), 1000), None);
    }
    assert_eq!(seen.lock().len() as u64, u64::from(RECEIVERS) * BLOCKS);
    let now = image(&journal.view().unwrap());
    journal.close().unwrap();
    // Each checkpoint holds exactly what the events below its position make.
    for (saved, position) in kept.into_inner().into_iter().step_by(6) {
        let state = State::restore(&mut &saved[..]).unwrap();
        let journal = start(&store, state, position);
        assert_eq!(image(&journal.view().unwrap()), now);
        journal.close().unwrap();
    }
}

#[test]
fn of_two_receivers_that_race_for_a_partition_each_record_is_taken_once() {
    let store: Arc<dyn Store> = Arc::new(Memory::growing());
    let journal = start(&store, State::default(), Position::START);
    const END: u64 = 600;
    thread::scope(|scope| {
        for receiver in 0..3 {
            let journal = &journal;
            scope.spawn(move || {
                let mut receiver = Receiver::new(0, receiver);
                let mut from = 0;
                while from < END {
                    let block = receiver.cut(&[range(0, from, (from + 1 + from % 5).min(END))]);
                    match journal.add(block.clone()).unwrap() {
                        Added::Now | Added::Already => from = block.ranges[0].to,
                        Added::Refused(Refusal::Ends(ends)) => {
                            let _ = journal.pass_over(&block).unwrap();
                            from = ends[0].end.unwrap_or(0);
                        }
                        Added::Refused(other) => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    let batch = journal.allot(Wanted::all(BatchId(1))).unwrap().has().unwrap();
    let mut taken: Vec<_> = batch.blocks().map(|block| (block.ranges[0].from, block.ranges[0].to)).collect();
    taken.sort_unstable();
    assert!(taken.windows(2).all(|pair| pair[0].1 == pair[1].0), "{taken:?}");
    assert_eq!((taken[0].0, taken[taken.len() - 1].1), (0, END));
}
