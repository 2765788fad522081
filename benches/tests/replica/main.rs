//! Blocks in the memory of several processes: what a ticket's answer is worth, and what becomes of it without peers.

mod between;
mod faults;
mod process;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_benches::replica::{self, Blocks, Copies, Memory, Need, Options, Peer, Ticket};
use headwater_wal::{Kind, Result};

use between::{Harm, between};
use process::Process;

const OWNER: u64 = 7;

/// As many as a receiver process puts.
const BLOCKS: u64 = 2000;

/// What stands in a block: of another length in each, and nothing of it twice.
fn block(number: u64) -> Bytes {
    let length = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50;
    (0..length).map(|at| (at.wrapping_mul(number | 1) >> 3) as u8).collect()
}

/// A peer in this process, and its memory.
fn peer(bytes_max: usize) -> (Peer, Arc<Memory>) {
    let memory = Memory::new(bytes_max);
    (Peer::serve(TcpListener::bind("127.0.0.1:0").unwrap(), memory.clone()).unwrap(), memory)
}

fn connect(peers: &[SocketAddr], options: Options) -> Blocks {
    Blocks::connect(OWNER, Memory::new(64 << 20), peers, options).unwrap()
}

fn put(blocks: &Blocks, numbers: std::ops::Range<u64>) -> Vec<Ticket> {
    numbers.map(|number| blocks.put(number, block(number)).unwrap()).collect()
}

fn wait(tickets: Vec<Ticket>) -> Vec<Result<Copies>> {
    tickets.into_iter().map(Ticket::wait).collect()
}

/// What a process holds; each block is the one that was put.
fn held(address: SocketAddr) -> BTreeMap<u64, Bytes> {
    let held: BTreeMap<_, _> = replica::read(address, OWNER).unwrap().map(Result::unwrap).collect();
    assert!(held.iter().all(|(number, bytes)| *bytes == block(*number)), "blocks as they were put");
    held
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Random moments: the seed says which.
fn moments() -> impl FnMut() -> Duration {
    let seed = std::env::var("HEADWATER_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut state: u64 = seed.unwrap_or_else(|| std::process::id().into());
    eprintln!("HEADWATER_SEED={state}");
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((state >> 33) % 30_000)
    }
}

#[test]
fn the_factor_counts_all_copies() {
    let peers = [peer(1 << 20), peer(1 << 20)];
    let addresses = peers.each_ref().map(|(peer, _)| peer.address());
    for factor in 1..=3 {
        let own = Memory::new(1 << 20);
        let options = Options::default().factor(factor);
        let blocks = Blocks::connect(OWNER, own.clone(), &addresses, options).unwrap();
        for answer in wait(put(&blocks, 0..20)) {
            assert_eq!(answer.unwrap(), Copies { made: factor, wanted: factor });
        }
        let all: Vec<_> = (0..20).collect();
        assert_eq!(own.numbers(OWNER), all);
        for (at, address) in addresses.iter().enumerate() {
            let expected = if at + 1 < factor { 20 } else { 0 };
            assert_eq!(held(*address).len(), expected, "factor {factor} peer {at}");
        }
        blocks.forget(u64::MAX);
    }
    let error = Blocks::connect(OWNER, Memory::new(1), &addresses, Options::default().factor(4)).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "fewer processes than copies");
}

#[test]
fn blocks_that_a_killed_receiver_acknowledged_are_read_from_its_peer() {
    let mut moment = moments();
    for _ in 0..4 {
        let peer = Process::peer();
        let receiver = Process::receiver(peer.address());
        let own = receiver.address();
        std::thread::sleep(moment());
        let acknowledged = receiver.kill();
        assert_eq!(acknowledged, (0..acknowledged.len() as u64).collect::<Vec<_>>(), "in order");
        eprintln!("acknowledged {}", acknowledged.len());
        let held = held(peer.address());
        for number in &acknowledged {
            assert!(held.contains_key(number), "block {number} of {} is lost", acknowledged.len());
        }
        assert_eq!(replica::read(own, OWNER).unwrap_err().kind(), Kind::Unavailable);
        let address = peer.address();
        peer.kill();
        // Nobody has it any more, and reading does not say "nothing" but "nobody".
        assert_eq!(replica::read(address, OWNER).unwrap_err().kind(), Kind::Unavailable);
    }
}

#[test]
fn with_three_copies_a_peers_death_leaves_two_of_what_was_acknowledged() {
    let mut moment = moments();
    for round in 0..4 {
        let (dies, stays) = (Process::peer(), Process::peer());
        // A killed process's connections end as they would to a far one; which of the two dies must not matter.
        let mut addresses = [dies.address(), stays.address()];
        addresses.rotate_left(round % 2);
        let own = Memory::new(64 << 20);
        let options = Options::default().factor(3).in_flight_bytes(1 << 20);
        let blocks = Blocks::connect(OWNER, own.clone(), &addresses, options).unwrap();
        let later = moment();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(later);
            dies.kill();
        });
        let answers = wait(put(&blocks, 0..BLOCKS));
        killer.join().unwrap();
        let held = held(stays.address());
        for (number, answer) in (0..).zip(&answers) {
            match answer {
                Ok(copies) => {
                    assert_eq!(copies.made, 3);
                    assert!(held.contains_key(&number), "block {number} is lost");
                }
                Err(error) => assert_eq!(error.kind(), Kind::Unavailable),
            }
        }
        let first_error = answers.iter().position(Result::is_err).unwrap_or(answers.len());
        eprintln!("acknowledged {first_error}");
        assert!(
            answers[first_error..].iter().all(Result::is_err),
            "with no peer left there are no three copies"
        );
        assert_eq!(own.numbers(OWNER).len() as u64, BLOCKS);
        wait_until("the peer is known to be gone", || blocks.lost().len() == 1);
    }
}

#[test]
fn another_peer_takes_over_from_one_that_died() {
    let mut moment = moments();
    let (dies, stays) = (Process::peer(), Process::peer());
    let blocks = connect(&[dies.address(), stays.address()], Options::default().in_flight_bytes(1 << 20));
    let later = moment();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(later);
        dies.kill();
    });
    for answer in wait(put(&blocks, 0..BLOCKS)) {
        assert_eq!(answer.unwrap(), Copies { made: 2, wanted: 2 });
    }
    killer.join().unwrap();
    wait_until("the peer is known to be gone", || blocks.lost().len() == 1);
    for answer in wait(put(&blocks, BLOCKS..BLOCKS + 50)) {
        assert_eq!(answer.unwrap(), Copies { made: 2, wanted: 2 });
    }
    let held = held(stays.address());
    assert!((BLOCKS..BLOCKS + 50).all(|number| held.contains_key(&number)));
}

#[test]
fn without_peers_the_best_effort_is_the_own_copy_and_says_so() {
    let dead = Process::peer();
    let address = dead.address();
    let blocks = connect(&[address], Options::default().need(Need::BestEffort));
    assert_eq!(wait(put(&blocks, 0..1))[0].clone().unwrap().made, 2);
    dead.kill();
    wait_until("the peer is known to be gone", || !blocks.lost().is_empty());
    let copies = wait(put(&blocks, 1..2))[0].clone().unwrap();
    assert_eq!(copies, Copies { made: 1, wanted: 2 });
    assert!(copies.is_short());
    // One that comes back has nothing, and takes what comes from now on.
    let back = Process::peer();
    blocks.add_peer(back.address()).unwrap();
    assert!(!wait(put(&blocks, 2..3))[0].clone().unwrap().is_short());
    assert_eq!(held(back.address()).into_keys().collect::<Vec<_>>(), [2]);
}

#[test]
fn many_blocks_are_on_their_way_at_once() {
    let (peer, _) = peer(64 << 20);
    let by = Duration::from_millis(100);
    let blocks = connect(&[between(peer.address(), Harm::Late(by))], Options::default());
    let began = Instant::now();
    let mut tickets = put(&blocks, 0..50);
    assert!(!tickets[0].is_answered(), "no answer has come back yet");
    let last = tickets.pop().unwrap();
    assert!(last.wait().is_ok());
    let took = began.elapsed();
    assert!(took >= by, "{took:?}");
    assert!(took < by * 10, "fifty waits one after another: {took:?}");
    assert!(tickets.iter().all(Ticket::is_answered), "in order");
}

#[test]
fn what_goes_over_sockets_is_counted() {
    let peers = [peer(64 << 20), peer(64 << 20)];
    let addresses = peers.each_ref().map(|(peer, _)| peer.address());
    let blocks = connect(&addresses, Options::default().factor(3));
    assert!(wait(put(&blocks, 0..20)).iter().all(Result::is_ok));
    let payloads: u64 = (0..20).map(|number| block(number).len() as u64).sum();
    // To each peer, with a header, and answered by one.
    let expected = 2 * (payloads + 20 * 32 + 20 * 32);
    wait_until("all of it is counted", || blocks.carried_bytes() == expected);
}

#[test]
fn a_put_waits_for_room_on_the_way() {
    let (peer, _) = peer(64 << 20);
    let by = Duration::from_millis(50);
    let peers = [between(peer.address(), Harm::Late(by))];
    let blocks = connect(&peers, Options::default().in_flight_bytes(2000));
    let began = Instant::now();
    let block = Bytes::from_static(&[1; 1000]);
    let tickets = (0..6).map(|number| blocks.put(number, block.clone()).unwrap()).collect();
    assert!(began.elapsed() >= by * 2, "six blocks, two of them at a time");
    assert!(wait(tickets).iter().all(Result::is_ok));
    // One that is larger than all room goes alone.
    assert!(blocks.put(6, vec![0; 5000].into()).unwrap().wait().is_ok());
}

#[test]
fn what_is_forgotten_is_gone_everywhere() {
    let (peer, memory) = peer(1 << 20);
    let own = Memory::new(1 << 20);
    let blocks = Blocks::connect(OWNER, own.clone(), &[peer.address()], Options::default()).unwrap();
    assert!(wait(put(&blocks, 0..20)).iter().all(Result::is_ok));
    blocks.forget(15);
    assert_eq!(own.numbers(OWNER), [15, 16, 17, 18, 19]);
    // Behind what was sent before, and before what is sent afterwards.
    assert!(wait(put(&blocks, 20..21))[0].is_ok());
    assert_eq!(memory.numbers(OWNER), [15, 16, 17, 18, 19, 20]);
    drop(blocks);
    replica::forget(peer.address(), OWNER, 20).unwrap();
    assert_eq!(held(peer.address()).into_keys().collect::<Vec<_>>(), [20]);
    assert_eq!(replica::read(peer.address(), OWNER + 1).unwrap().count(), 0, "an owner who has none");
}
