//! What the journal costs, on a real directory. Run one at a time, as
//! `cargo test --release -p headwater-checkpoint --test it journal::speed -- --ignored --nocapture --test-threads 1`;
//! `HEADWATER_DIR` says where.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use headwater_checkpoint::journal::{Added, BatchId, Block, Ended, Event, Journal, Options, State, Wanted};
use headwater_wal::store::{Local, Memory, Store};
use headwater_wal::{Compression, Log, Position, Time};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::driver::{Receiver, range};

const ROUNDS: usize = 5;
const WAITING: u64 = 1_000_000;

fn place() -> TempDir {
    let folder = std::env::var_os("HEADWATER_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::tempdir_in(folder).unwrap()
}

fn start(store: Arc<dyn Store>) -> Log {
    let options = headwater_wal::Options::default().compression(Compression::Off);
    Log::open(store, options).unwrap().start(Position::START).unwrap()
}

fn journal(log: Log) -> Journal {
    let options = Options::default().pending_bytes_max(1 << 30);
    Journal::start_with(log, State::default(), Position::START, options).unwrap()
}

/// So many blocks of one receiver, of one range each.
fn blocks(receiver: u32, count: u64) -> Vec<Block> {
    let mut receiver = Receiver::new(0, receiver);
    let partition = receiver.log.receiver;
    let cut = |n| Block { own: Default::default(), ..receiver.cut(&[range(partition, n, n + 1)]) };
    (0..count).map(cut).collect()
}

/// Hands things in with so many answers outstanding at most.
fn keep_outstanding<T>(most: usize, tickets: impl Iterator<Item = T>, wait: impl Fn(T)) {
    let mut outstanding = VecDeque::with_capacity(most);
    for ticket in tickets {
        if outstanding.len() == most {
            outstanding.pop_front().into_iter().for_each(&wait);
        }
        outstanding.push_back(ticket);
    }
    outstanding.into_iter().for_each(wait);
}

/// Events a second beside plain appends of their size: by one thread with many outstanding, and by threads that wait.
fn compare(events: u64, threads: u32, outstanding: usize) {
    let payload = bytes::Bytes::from(Event::Added(blocks(0, 1).remove(0)).encode(0));
    let per_thread = events / u64::from(threads);
    let timed = |run: &(dyn Fn(u32) + Sync)| {
        let began = Instant::now();
        thread::scope(|scope| {
            (0..threads).for_each(|thread| drop(scope.spawn(move || run(thread))));
        });
        began.elapsed()
    };
    let plain = || {
        let dir = place();
        let log = start(Arc::new(Local::open(dir.path().join("log")).unwrap()));
        log.append(Time(0), "first").unwrap().wait().unwrap();
        let took = timed(&|_| {
            let appends = (0..per_thread).map(|n| log.append(Time(n), payload.clone()).unwrap());
            keep_outstanding(outstanding, appends, |ticket| assert!(ticket.wait().is_ok()));
        });
        log.close().unwrap();
        took
    };
    let ours = || {
        let dir = place();
        let journal = journal(start(Arc::new(Local::open(dir.path().join("log")).unwrap())));
        assert_eq!(journal.add(blocks(1000, 1).remove(0)).unwrap(), Added::Now);
        let given: Vec<_> = (0..threads).map(|thread| Mutex::new(blocks(thread, per_thread))).collect();
        let took = timed(&|thread| {
            let given = std::mem::take(&mut *given[thread as usize].lock());
            let adds = given.into_iter().map(|block| journal.add_later(block).unwrap());
            keep_outstanding(outstanding, adds, |answer| assert_eq!(answer.wait().unwrap(), Added::Now));
        });
        journal.close().unwrap();
        took
    };
    let rate = |took: Duration| events as f64 / took.as_secs_f64();
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (rate(plain()), rate(ours()))).collect();
    let median = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<_> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "{threads} threads, {outstanding} outstanding: plain {:.0}/s, events {:.0}/s, ratio {:.2} (bytes={})",
        median(&|round| round.0),
        median(&|round| round.1),
        median(&|round| round.1 / round.0),
        payload.len(),
    );
}

#[test]
#[ignore = "a measurement"]
fn events_a_second_beside_plain_appends_of_their_size() {
    compare(1_000_000, 1, 4096);
    compare(1_000_000, 4, 1024);
    compare(4_000, 8, 1);
}

/// Resident bytes of this process, and the most there ever were.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[test]
#[ignore = "a measurement"]
fn memory_and_times_with_a_million_blocks_that_wait() {
    let dir = place();
    let store: Arc<dyn Store> = Arc::new(Local::open(dir.path().join("log")).unwrap());
    let adding = journal(start(store.clone()));
    for receiver in 0..10 {
        let mut receiver = Receiver::new(0, receiver);
        let partition = receiver.log.receiver;
        let adds = (0..WAITING / 10).map(|n| {
            let block = Block { own: Default::default(), ..receiver.cut(&[range(partition, n, n + 1)]) };
            adding.add_later(block).unwrap()
        });
        keep_outstanding(4096, adds, |answer| assert_eq!(answer.wait().unwrap(), Added::Now));
    }
    println!("a million blocks added: resident MiB {:?} (now, most)", resident());
    let bytes = adding.view().unwrap().tracker().pending_bytes();
    adding.close().unwrap();

    let timed = |what: &str, run: &mut dyn FnMut()| {
        let began = Instant::now();
        run();
        println!("{what}: {:.2} ms", began.elapsed().as_secs_f64() * 1e3);
    };
    let mut again = None;
    let mut log = Some(start(store));
    timed("replayed from the beginning", &mut || again = log.take().map(journal));
    let journal = again.unwrap();
    println!("resident MiB {:?} (now, most), blocks' bytes {bytes}", resident());
    let mut snapshot = None;
    timed("snapshot", &mut || snapshot = Some(journal.snapshot().unwrap()));
    let snapshot = snapshot.unwrap();
    let saved = dir.path().join("saved");
    timed("saved", &mut || snapshot.state.save(&mut std::fs::File::create(&saved).unwrap()).unwrap());
    println!("saved bytes {}", std::fs::metadata(&saved).unwrap().len());
    timed("its need read", &mut || drop(State::outline(&mut std::fs::File::open(&saved).unwrap()).unwrap()));
    timed("an add behind a snapshot", &mut || {
        assert_eq!(journal.add(blocks(50, 1).remove(0)).unwrap(), Added::Now);
    });
    timed("all allotted", &mut || drop(journal.allot(Wanted::all(BatchId(1))).unwrap()));
    println!("resident MiB {:?} (now, most)", resident());
    drop(snapshot);
    timed("finished", &mut || assert_eq!(journal.finish(BatchId(1)).unwrap(), Ended::Now));
    println!("resident MiB {:?} (now, most)", resident());
    journal.close().unwrap();
    let mut restored = None;
    timed("restored", &mut || {
        restored = Some(State::restore(&mut std::fs::File::open(&saved).unwrap()).unwrap());
    });
    assert_eq!(restored.unwrap().tracker().waiting(), WAITING);
}

#[test]
fn the_bodies_of_the_measurements_do_what_they_say() {
    let journal = journal(start(Arc::new(Memory::growing())));
    let given = blocks(0, 200);
    let adds = given.iter().map(|block| journal.add_later(block.clone()).unwrap());
    keep_outstanding(16, adds, |answer| assert_eq!(answer.wait().unwrap(), Added::Now));
    let batch = journal.allot(Wanted::all(BatchId(1))).unwrap().has().unwrap();
    assert!(batch.blocks().eq(given));
    journal.close().unwrap();
}
