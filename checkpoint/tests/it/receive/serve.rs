//! The two ends of a connection, each against one that does not keep to what was agreed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use headwater_checkpoint::receive::wire::{self, Call, Label, Reply};
use headwater_checkpoint::receive::{Options, Remote, Server, serve_with};
use headwater_wal::receiver::{Answer, Driver, ReceiverLog, Report};
use headwater_wal::{Error, Kind, Position, Result};
use parking_lot::Mutex;

use super::wire::block;

const LOG: ReceiverLog = ReceiverLog { stream: 1, receiver: 2, identity: 3 };

/// A driver that says what it is told to.
#[derive(Debug)]
pub(super) struct Says {
    settled: Result<Option<Position>>,
    takes_time: Duration,
    panics: bool,
    /// How many blocks each report had.
    reported: Mutex<Vec<usize>>,
}

impl Says {
    pub(super) fn that(settled: Result<Option<Position>>) -> Says {
        Says { settled, takes_time: Duration::ZERO, panics: false, reported: Mutex::default() }
    }

    pub(super) fn settled(at: u64) -> Says {
        Says::that(Ok(Some(Position(at))))
    }
}

impl Driver for Says {
    fn settled(&self, log: ReceiverLog) -> Result<Option<Position>> {
        assert_eq!(log, LOG);
        assert!(!self.panics, "it was told to");
        thread::sleep(self.takes_time);
        self.settled.clone()
    }

    /// Takes all blocks but the one at 7000.
    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        self.reported.lock().push(blocks.len());
        let taken = blocks.iter().take_while(|block| block.handle.position() != Position(7000)).count();
        let mut answers = vec![Answer::Taken; taken];
        answers.extend((taken < blocks.len()).then_some(Answer::Full));
        Ok(answers)
    }

    fn pass_over(&self, _: &Report) -> Result<Answer> {
        Ok(Answer::PassedOver)
    }

    fn released(&self, log: ReceiverLog) -> Result<Position> {
        assert_eq!(log, LOG);
        Ok(Position(4096))
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn quick() -> Options {
    Options::default().call_within(Duration::from_secs(5)).connect_within(Duration::from_secs(5))
}

/// For those whose answer is not to come in time.
fn hasty() -> Options {
    quick().call_within(Duration::from_secs(1))
}

fn served(says: Says, options: Options) -> Server {
    serve_with(listener(), Arc::new(says), options).unwrap()
}

fn remote_to(server: &Server) -> Remote {
    let address = server.address();
    Remote::new(move || Ok(address), quick()).unwrap()
}

pub(super) fn settled(remote: &Remote) -> Result<Option<Position>> {
    remote.settled(LOG)
}

/// A driver that replies to each of its connections as `replies` says, in turn: whose call it is, and on which line.
fn played(mut replies: impl FnMut(Label, &mut TcpStream) + Send + 'static) -> Remote {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            while let Some((label, _)) = heard(&mut stream) {
                replies(label, &mut stream);
            }
        }
    });
    Remote::new(move || Ok(address), hasty()).unwrap()
}

fn heard(stream: &mut TcpStream) -> Option<(Label, Call)> {
    let mut head = [0; wire::HEAD_BYTES];
    stream.read_exact(&mut head).ok()?;
    let mut body = vec![0; wire::body_len(head).unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(Call::read(&[&head[..], &body].concat()).unwrap())
}

/// An answer to a call, or what would be one.
fn says(stream: &mut TcpStream, label: Label, at: u64) {
    let frame = Reply::Settled(Some(Position(at))).frame(label).unwrap();
    let _ = stream.write_all(&frame);
}

#[test]
fn an_answer_that_comes_too_late_is_not_taken_for_the_next_one() {
    let remote = played(|label, stream| {
        if label.number == 0 {
            thread::sleep(Duration::from_millis(1200));
        }
        says(stream, label, label.number);
    });
    assert_eq!(settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    for number in 1..4 {
        assert_eq!(settled(&remote).unwrap(), Some(Position(number)));
    }
}

#[test]
fn an_answer_that_comes_twice_is_not_taken_for_the_next_one() {
    let remote = played(|label, stream| {
        says(stream, label, label.number);
        says(stream, label, label.number);
    });
    assert_eq!(settled(&remote).unwrap(), Some(Position(0)));
    assert_eq!(settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(settled(&remote).unwrap(), Some(Position(2)));
}

#[test]
fn an_answer_from_another_driver_or_to_another_question_is_none() {
    let remote = played(|label, stream| match label.number {
        0 => says(stream, Label { driver: 1, ..label }, 9),
        1 => says(stream, Label { number: 0, ..label }, 9),
        2 => stream.write_all(&Reply::PassedOver(Answer::Taken).frame(label).unwrap()).unwrap(),
        3 => stream.write_all(&Call::Settled(LOG).frame(label).unwrap()).unwrap(),
        4 => stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap(),
        _ => says(stream, label, 1),
    });
    for _ in 0..5 {
        assert_eq!(settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    }
    assert_eq!(settled(&remote).unwrap(), Some(Position(1)));
}

#[test]
fn answers_that_are_not_to_these_blocks_are_none() {
    let answers = [
        vec![],
        vec![Answer::Taken],
        vec![Answer::Taken; 3],
        vec![Answer::Full, Answer::Taken],
        vec![Answer::Taken, Answer::Taken],
    ];
    let remote = played(move |label, stream| {
        let reply = Reply::Reported(answers[label.number as usize].clone());
        stream.write_all(&reply.frame(label).unwrap()).unwrap();
    });
    let blocks = [block(100, 0), block(200, 6)];
    for _ in 0..4 {
        assert_eq!(remote.report(&blocks).unwrap_err().kind(), Kind::Unavailable);
    }
    assert_eq!(remote.report(&blocks).unwrap(), [Answer::Taken, Answer::Taken]);
}

#[test]
fn a_driver_that_says_nothing_is_away_in_time() {
    let silent = listener();
    let address = silent.local_addr().unwrap();
    let dead = listener().local_addr().unwrap();
    for address in [address, dead] {
        let remote = Remote::new(move || Ok(address), hasty()).unwrap();
        let began = Instant::now();
        assert_eq!(settled(&remote).unwrap_err().kind(), Kind::Unavailable);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[test]
fn a_driver_that_sends_its_answer_byte_by_byte_is_away_in_time() {
    let remote = played(|label, stream| {
        for byte in Reply::Settled(None).frame(label).unwrap() {
            thread::sleep(Duration::from_millis(100));
            let _ = stream.write_all(&[byte]);
        }
    });
    let began = Instant::now();
    assert_eq!(settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    assert!(began.elapsed() < Duration::from_millis(3500), "{:?}", began.elapsed());
}

#[test]
fn errors_of_the_driver_stay_what_they_are() {
    for kind in [Kind::Fenced, Kind::Damaged, Kind::Invalid, Kind::Closed, Kind::Unknown, Kind::Full] {
        let error = Error::new(kind, "as it is");
        let server = served(Says::that(Err(error.clone())), quick());
        let found = settled(&remote_to(&server)).unwrap_err();
        assert_eq!((found.kind(), found.to_string()), (kind, error.to_string()));
    }
}

#[test]
fn a_call_for_another_driver_is_turned_away() {
    let server = served(Says::settled(1), quick().driver(1));
    let error = settled(&remote_to(&server)).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("another driver"), "{error}");
}

#[test]
fn more_blocks_than_a_call_has_are_reported_in_several_up_to_the_first_that_is_not_taken() {
    let driver = Arc::new(Says::settled(1));
    let server = serve_with(listener(), driver.clone(), quick()).unwrap();
    let remote = remote_to(&server);
    let blocks: Vec<_> = (1..=150).map(|at| block(at * 100, at * 6)).collect();
    let answers = remote.report(&blocks).unwrap();
    assert_eq!((answers.len(), &answers[69]), (70, &Answer::Full));
    assert_eq!(remote.report(&blocks[70..]).unwrap(), vec![Answer::Taken; 80]);
    assert_eq!(*driver.reported.lock(), [64, 64, 64, 16]);
    assert_eq!(remote.report(&[]).unwrap(), []);
    assert_eq!(remote.pass_over(&blocks[0]).unwrap(), Answer::PassedOver);
    assert_eq!(remote.released(LOG).unwrap(), Position(4096));
}

#[test]
fn a_frame_that_is_none_ends_its_connection_and_no_other() {
    let server = served(Says::settled(1), quick());
    let remote = remote_to(&server);
    let sound = Call::Settled(LOG).frame(Label { number: 0, driver: 0 }).unwrap();
    for at in 0..sound.len() {
        let mut frame = sound.clone();
        frame[at] ^= 0xFF;
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _ = stream.write_all(&frame);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut back = Vec::new();
        let _ = stream.read_to_end(&mut back);
        assert!(back.is_empty(), "at={at}");
        assert_eq!(settled(&remote).unwrap(), Some(Position(1)));
    }
}

#[test]
fn what_a_newer_release_asks_is_answered_with_unsupported() {
    let server = served(Says::settled(1), quick());
    let mut frame = Call::Settled(LOG).frame(Label { number: 77, driver: 0 }).unwrap();
    frame[8] = 2;
    let check = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]);
    frame[4..8].copy_from_slice(&check.to_le_bytes());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(&frame).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    let (label, reply) = Reply::read(&back).unwrap();
    let unsupported = matches!(&reply, Reply::Failed(error) if error.kind() == Kind::Unsupported);
    assert!(label.number == 77 && unsupported, "{reply:?}");
}

#[test]
fn a_driver_that_panics_is_away_and_answers_others() {
    let server = served(Says { panics: true, ..Says::settled(1) }, quick());
    let remote = remote_to(&server);
    assert_eq!(settled(&remote).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(remote.pass_over(&block(1, 0)).unwrap(), Answer::PassedOver);
}

#[test]
fn one_connection_too_many_is_ended_and_finds_room_later() {
    let server = served(Says::settled(1), quick().connections_max(2));
    let [first, second, third] = [(); 3].map(|()| remote_to(&server));
    for remote in [&first, &second] {
        assert_eq!(settled(remote).unwrap(), Some(Position(1)));
    }
    assert_eq!(settled(&third).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(settled(&first).unwrap(), Some(Position(1)));
    drop(second);
    let until = Instant::now() + Duration::from_secs(10);
    while settled(&third).is_err() {
        assert!(Instant::now() < until, "no room came");
    }
}

#[test]
fn a_connection_on_which_nothing_comes_is_given_up() {
    let server = served(Says::settled(1), quick().idle(Duration::from_millis(100)));
    let idle = TcpStream::connect(server.address()).unwrap();
    let mut half = TcpStream::connect(server.address()).unwrap();
    half.write_all(&[56, 0]).unwrap();
    for mut stream in [idle, half] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    // A receiver that has been idle is not in doubt: it connects anew.
    let address = server.address();
    let options = quick().idle(Duration::from_millis(100));
    let remote = Remote::new(move || Ok(address), options).unwrap();
    for _ in 0..3 {
        assert_eq!(settled(&remote).unwrap(), Some(Position(1)));
        thread::sleep(Duration::from_millis(150));
    }
}

#[test]
fn a_server_that_is_dropped_ends_its_threads_and_listens_no_more() {
    let driver = Arc::new(Says { takes_time: Duration::from_millis(200), ..Says::settled(1) });
    let server = serve_with(listener(), driver.clone(), Options::default()).unwrap();
    let idle = remote_to(&server);
    assert_eq!(settled(&idle).unwrap(), Some(Position(1)));
    let mut half = TcpStream::connect(server.address()).unwrap();
    half.write_all(&[56, 0, 0, 0, 1]).unwrap();
    let busy = remote_to(&server);
    let asks = thread::spawn(move || settled(&busy));
    let until = Instant::now() + Duration::from_secs(10);
    while server.connections() < 3 {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(1));
    }
    let (began, address) = (Instant::now(), server.address());
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(Arc::strong_count(&driver), 1, "a thread has it still");
    assert!(TcpStream::connect(address).is_err());
    assert!(asks.join().unwrap().is_err_and(|error| error.kind() == Kind::Unavailable));
    assert!(settled(&idle).is_err_and(|error| error.kind() == Kind::Unavailable));
}

#[test]
fn options_that_cannot_be_are_refused() {
    let zero = Duration::ZERO;
    let defaults = Options::default;
    for wrong in [
        defaults().call_within(zero),
        defaults().connect_within(zero),
        defaults().idle(Duration::MAX),
        defaults().connections_max(0),
    ] {
        let refused = Remote::new(|| unreachable!(), wrong.clone()).unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid);
        let refused = serve_with(listener(), Arc::new(Says::settled(1)), wrong).unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid);
    }
}
