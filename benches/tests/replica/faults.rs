//! Peers that are full, slow, or say nonsense.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

#[test]
fn a_full_peer_is_an_error_that_says_so_or_one_copy_less() {
    let (full, memory) = peer(10_000);
    let own = Memory::new(30_000);
    for need in [Need::AllCopies, Need::BestEffort] {
        let options = Options::default().need(need);
        let blocks = Blocks::connect(OWNER, own.clone(), &[full.address()], options).unwrap();
        let put = |number: u64| blocks.put(number, vec![3; 4000].into());
        let mut answers: Vec<_> = (0..3).map(|number| put(number).unwrap().wait()).collect();
        let last = answers.pop().unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().made == 2));
        match need {
            Need::AllCopies => assert_eq!(last.unwrap_err().kind(), Kind::Full),
            Need::BestEffort => assert_eq!(last.unwrap(), Copies { made: 1, wanted: 2 }),
        }
        assert!(memory.bytes() <= 10_000);
        assert!(blocks.lost().is_empty(), "a full peer is one still");
        // The own memory is full a few blocks later; then nothing is done.
        (3..7).for_each(|number| drop(put(number).unwrap()));
        assert_eq!(put(7).unwrap_err().kind(), Kind::Full);
        assert!(own.bytes() <= 30_000);
        blocks.forget(8);
        assert_eq!(put(8).unwrap().wait().unwrap().made, 2, "what is forgotten makes room");
        blocks.forget(9);
    }
}

#[test]
fn a_block_that_had_to_go_to_another_peer_holds_back_the_answers_behind_it() {
    let ((small, _), (large, _)) = (peer(10_000), peer(1 << 20));
    let late = between(large.address(), Harm::Late(Duration::from_millis(100)));
    let blocks = connect(&[small.address(), late], Options::default());
    let too_large = blocks.put(0, vec![0; 20_000].into()).unwrap();
    let behind: Vec<_> = (1..3).map(|number| blocks.put(number, vec![1; 100].into()).unwrap()).collect();
    wait_until("the small ones are where they go", || {
        replica::read(small.address(), OWNER).unwrap().count() == behind.len()
    });
    std::thread::sleep(Duration::from_millis(20));
    if !too_large.is_answered() {
        assert!(!behind.iter().any(Ticket::is_answered), "answers in the order of the puts");
    }
    assert_eq!(behind.into_iter().next_back().unwrap().wait().unwrap().made, 2);
    assert!(too_large.is_answered());
    assert_eq!(too_large.wait().unwrap().made, 2);
}

#[test]
fn a_peer_that_does_not_answer_in_time_is_replaced() {
    let ((first, _), (second, _)) = (peer(1 << 20), peer(1 << 20));
    let silent = between(first.address(), Harm::Silent);
    let options = Options::default().answer_within(Duration::from_millis(100));
    let began = Instant::now();
    let blocks = connect(&[silent], options.clone());
    let answers = wait(put(&blocks, 0..20));
    assert!(
        answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind() == Kind::Unavailable))
    );
    let said = format!("{:?}", blocks.lost()[0].1);
    assert!(said.contains("no answer in time"), "{said}");
    let blocks = connect(&[silent, second.address()], options);
    assert!(wait(put(&blocks, 0..20)).iter().all(Result::is_ok));
    assert_eq!(held(second.address()).len(), 20);
    assert!(began.elapsed() < Duration::from_secs(5), "nobody hangs");
}

#[test]
fn a_peer_that_answers_ever_later_is_given_up() {
    let (peer, _) = peer(8 << 20);
    let trickle = between(peer.address(), Harm::Trickle(Duration::from_millis(10)));
    let options = Options::default().answer_within(Duration::from_millis(200));
    let blocks = connect(&[trickle], options);
    let began = Instant::now();
    let answers = wait(put(&blocks, 0..400));
    assert!(began.elapsed() < Duration::from_secs(2), "not four hundred pauses");
    assert!(answers[399].as_ref().is_err_and(|error| error.kind() == Kind::Unavailable));
}

#[test]
fn answers_in_another_order_acknowledge_nothing() {
    let (peer, _) = peer(1 << 20);
    let blocks = connect(&[between(peer.address(), Harm::Swap)], Options::default());
    for answer in wait(put(&blocks, 0..2)) {
        assert_eq!(answer.unwrap_err().kind(), Kind::Damaged);
    }
}

#[test]
fn a_peer_that_takes_nothing_in_is_given_up() {
    // It accepts, and never reads: the kernel's buffers fill, and a write waits.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options::default().answer_within(Duration::from_millis(100)).need(Need::BestEffort);
    let blocks = connect(&[listener.local_addr().unwrap()], options);
    let tickets: Vec<_> =
        (0..24).map(|number| blocks.put(number, vec![0; 1 << 20].into()).unwrap()).collect();
    assert!(wait(tickets).iter().all(|answer| answer.as_ref().unwrap().is_short()));
    assert_eq!(blocks.lost().len(), 1);
}

#[test]
fn a_block_that_was_changed_on_its_way_is_not_kept() {
    let (peer, memory) = peer(1 << 20);
    for byte in [0, 7, 25, 32, 32 + 4999] {
        let blocks = connect(&[between(peer.address(), Harm::FlipSent(byte))], Options::default());
        let answer = blocks.put(1, vec![9; 5000].into()).unwrap().wait();
        assert_eq!(answer.unwrap_err().kind(), Kind::Damaged, "byte {byte}");
        assert_eq!(memory.bytes(), 0, "byte {byte}");
    }
}

#[test]
fn an_answer_that_was_changed_on_its_way_acknowledges_nothing() {
    let (peer, _) = peer(1 << 20);
    for byte in [0, 7, 16, 31] {
        let blocks = connect(&[between(peer.address(), Harm::FlipAnswered(byte))], Options::default());
        let answer = blocks.put(1, vec![9; 5000].into()).unwrap().wait();
        assert_eq!(answer.unwrap_err().kind(), Kind::Damaged, "byte {byte}");
    }
}

#[test]
fn nonsense_ends_its_own_connection_and_nothing_else() {
    let (peer, memory) = peer(1 << 20);
    let blocks = connect(&[peer.address()], Options::default());
    assert!(wait(put(&blocks, 0..5)).iter().all(Result::is_ok));
    let kept = memory.bytes();
    let mut noise = 0x5EED_u64;
    for length in [1, 31, 32, 33, 1000, 100_000] {
        let mut stream = TcpStream::connect(peer.address()).unwrap();
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        })
        .take(length)
        .collect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.len() <= 32, "a refusal at most");
    }
    assert_eq!(memory.bytes(), kept);
    assert!(wait(put(&blocks, 5..10)).iter().all(Result::is_ok));
    assert_eq!(held(peer.address()).len(), 10);
}

#[test]
fn a_reading_that_is_cut_is_an_error_and_not_an_end() {
    let (peer, _) = peer(1 << 20);
    let blocks = connect(&[peer.address()], Options::default());
    let tickets = (0..10).map(|number| blocks.put(number, vec![1; 1000].into()).unwrap()).collect();
    assert!(wait(tickets).iter().all(Result::is_ok));
    // In a header, in a block, between two, and before the frame that says that it was all.
    for behind in [0, 5, 3 * 1032, 3 * 1032 + 500, 10 * 1032] {
        let read = replica::read(between(peer.address(), Harm::CutAnswered(behind)), OWNER).unwrap();
        let read: Vec<_> = read.collect();
        assert_eq!(read.len(), behind / 1032 + 1);
        assert!(read[..behind / 1032].iter().all(Result::is_ok));
        assert!(read.last().unwrap().is_err(), "cut behind {behind}");
    }
    let flipped = replica::read(between(peer.address(), Harm::FlipAnswered(1032 + 500)), OWNER).unwrap();
    let flipped: Vec<_> = flipped.collect();
    assert_eq!(flipped.len(), 2);
    assert_eq!(flipped[1].clone().unwrap_err().kind(), Kind::Damaged);
}

#[test]
fn a_peer_that_is_dropped_ends_its_connections() {
    let (peer, memory) = peer(1 << 20);
    let blocks = connect(&[peer.address()], Options::default());
    assert!(wait(put(&blocks, 0..5)).iter().all(Result::is_ok));
    let address = peer.address();
    drop(peer);
    assert_eq!(memory.numbers(OWNER).len(), 5, "the memory is its owner's");
    assert_eq!(wait(put(&blocks, 5..6))[0].clone().unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(replica::read(address, OWNER).unwrap_err().kind(), Kind::Unavailable);
}
