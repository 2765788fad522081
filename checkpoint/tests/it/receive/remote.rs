//! Receivers whose driver is in another process, as far as they can tell: it is reached over TCP alone.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use headwater_checkpoint::journal::{BatchId, Journal, State, Wanted};
use headwater_checkpoint::receive::{self, Remote, Reports, Server};
use headwater_wal::receiver::{Options, Pushed, Receiver, Reliable, blocks};
use headwater_wal::store::sim::{Random, Sim};
use headwater_wal::store::{Memory, Store};
use headwater_wal::{Error, Kind, Log, Position, Reader, Result};
use parking_lot::Mutex;

use super::proxy::Proxy;
use super::{Told, small, text};

const RECEIVERS: u32 = 2;
const RECORDS: u64 = 500; // of each partition
const LONG: Duration = Duration::from_secs(60);

/// A driver's process, which dies and is started again, and the way to it.
struct Driver {
    sim: Sim,
    proxy: Proxy,
    lives: Mutex<Option<(Server, Arc<Journal>)>>,
}

impl Driver {
    fn new(seed: u64) -> Driver {
        let proxy = Proxy::new(seed, 4000, Duration::from_millis(130));
        let driver = Driver { sim: Sim::growing(seed), proxy, lives: Mutex::default() };
        driver.start();
        driver
    }

    /// It comes up, and listens at another port.
    fn start(&self) {
        let log = Log::open(self.sim.store(), small()).unwrap().start(Position::START).unwrap();
        let journal = Arc::new(Journal::start(log, State::default(), Position::START).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = receive::serve_with(listener, Arc::new(Reports::to(&journal)), options()).unwrap();
        self.proxy.lead_to(server.address());
        *self.lives.lock() = Some((server, journal));
    }

    /// Its machine loses its power, in the middle of whatever it does.
    fn kill(&self) {
        self.sim.power_cut();
        drop(self.lives.lock().take());
        self.sim.calm();
    }
}

fn options() -> receive::Options {
    receive::Options::default().call_within(Duration::from_millis(100)).driver(7)
}

/// A receiver, from its beginning or from where the one before it ended.
fn start(
    receiver: u32,
    store: Arc<dyn Store>,
    to: SocketAddr,
    told: Arc<Told>,
) -> Result<Receiver<Reliable>> {
    let choices = Options::default()
        .of(0, receiver)
        .interval(Duration::from_millis(2))
        .block_bytes(400)
        .record_bytes_max(4 << 10)
        .held_bytes_max(4 << 10)
        .back_off(Duration::from_millis(1))
        .back_off_max(Duration::from_millis(20));
    let remote = Remote::new(move || Ok(to), options())?;
    Receiver::start(Log::open(store, small())?, Arc::new(remote), Reliable::new(told), choices)
}

/// The life of a receiver with two partitions of its own. Some time it is dropped, and started again.
fn receive(seed: u64, number: u32, store: Arc<dyn Store>, to: SocketAddr, told: Arc<Told>) {
    let mut random = Random::new(seed);
    let until = Instant::now() + LONG;
    let again = || loop {
        match start(number, store.clone(), to, told.clone()) {
            Ok(receiver) => return receiver,
            Err(error) => assert!(Instant::now() < until, "receiver={number}: {error:?}"),
        }
    };
    let partitions = [number * 2, number * 2 + 1];
    let mut receiver = again();
    let mut next = [0, 0];
    let dies = random.below(RECORDS);
    let mut died = false;
    while next != [RECORDS; 2] {
        let at = random.below(2) as usize;
        if next[at] == RECORDS {
            continue;
        }
        if next[0] == dies && !died {
            died = true;
            drop(receiver);
            receiver = again();
            next = partitions.map(|partition| told.below(partition));
        }
        match receiver.try_push(partitions[at], next[at], &text(partitions[at], next[at])).unwrap() {
            Pushed::Taken | Pushed::Known => next[at] += 1,
            Pushed::NotNow => thread::sleep(Duration::from_millis(1)),
        }
        if random.one_in(6) {
            thread::sleep(Duration::from_millis(1)); // so that more happens meanwhile
        }
        assert!(Instant::now() < until, "receiver={number} next={next:?} {:?}", receiver.status());
    }
    receiver.stop(LONG).unwrap();
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let driver = Driver::new(seed);
    let told = Arc::new(Told::default());
    let stores: Vec<Arc<dyn Store>> = (0..RECEIVERS).map(|_| Arc::new(Memory::growing()) as _).collect();
    let mut kills = 0;
    thread::scope(|scope| {
        let to = driver.proxy.address;
        let lives: Vec<_> = (0..RECEIVERS)
            .zip(&stores)
            .map(|(number, store)| {
                let (seed, told) = (random.below(u64::MAX), told.clone());
                scope.spawn(move || receive(seed, number, store.clone(), to, told))
            })
            .collect();
        while !lives.iter().all(|life| life.is_finished()) {
            thread::sleep(Duration::from_millis(20 + random.below(150)));
            driver.kill();
            kills += 1;
            thread::sleep(Duration::from_millis(random.below(20)));
            driver.start();
        }
    });
    let lives = driver.lives.lock();
    let (_, journal) = lives.as_ref().unwrap();
    let readers: Vec<_> = stores.iter().map(|store| Reader::open(store.clone()).unwrap()).collect();
    let mut found: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let batch = journal.allot(Wanted::all(BatchId(1))).unwrap().has().expect("it is new");
    for block in batch.blocks() {
        let payload = readers[block.receiver as usize].read(&block.handle).unwrap().payload;
        for record in blocks::records(&payload).unwrap() {
            let record = record.unwrap();
            let at = record.place.unwrap();
            assert_eq!(record.bytes, text(at.partition, at.position));
            found.entry(at.partition).or_default().push(at.position);
        }
    }
    for partition in 0..RECEIVERS * 2 {
        assert_eq!(found.get(&partition), Some(&(0..RECORDS).collect()), "partition={partition}");
        assert_eq!(told.below(partition), RECORDS);
    }
    let cuts = driver.proxy.cuts();
    println!("seed={seed} kills={kills} cuts={cuts}");
    assert!(kills > 1 && cuts > 1, "too little went wrong: kills={kills} cuts={cuts}");
}

#[test]
fn every_acknowledged_record_is_taken_once_whatever_is_cut_and_wherever_the_driver_listens() {
    let one = std::env::var("HEADWATER_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = one.map_or(0..4, |seed| seed..seed + 1);
    for seed in seeds {
        std::panic::catch_unwind(|| live(seed)).unwrap_or_else(|_| panic!("HEADWATER_SEED={seed}"));
    }
}

#[test]
fn where_the_driver_listens_is_asked_again_for_each_connection() {
    let served = |answer: u64| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        receive::serve(listener, Arc::new(super::serve::Says::settled(answer))).unwrap()
    };
    let address = Arc::new(Mutex::new(None));
    let known = address.clone();
    let find = move || known.lock().ok_or_else(|| Error::new(Kind::Invalid, "no such file"));
    let remote = Remote::new(find, receive::Options::default()).unwrap();
    // Only the driver's own `Invalid` would end a receiver.
    assert_eq!(super::serve::settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    let first = served(1);
    *address.lock() = Some(first.address());
    assert_eq!(super::serve::settled(&remote).unwrap(), Some(Position(1)));
    let second = served(2);
    *address.lock() = Some(second.address());
    assert_eq!(super::serve::settled(&remote).unwrap(), Some(Position(1)), "while the connection is good");
    drop(first);
    assert_eq!(super::serve::settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(super::serve::settled(&remote).unwrap(), Some(Position(2)));
}

#[test]
fn a_driver_that_was_replaced_is_left_for_its_heir() {
    let served = |says| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        receive::serve(listener, Arc::new(says)).unwrap()
    };
    let fenced = Error::new(Kind::Fenced, "another driver has taken over");
    let (old, heir) = (served(super::serve::Says::that(Err(fenced))), served(super::serve::Says::settled(2)));
    let addresses = Mutex::new(vec![heir.address(), old.address()]);
    let find = move || Ok(addresses.lock().pop().expect("it is asked twice"));
    let remote = Remote::new(find, receive::Options::default()).unwrap();
    assert_eq!(super::serve::settled(&remote).unwrap_err().kind(), Kind::Fenced);
    assert_eq!(super::serve::settled(&remote).unwrap(), Some(Position(2)));
    assert_eq!(super::serve::settled(&remote).unwrap(), Some(Position(2)), "it is asked no third time");
}
