//! A connection to one peer: blocks go out as fast as it takes them, answers come back in the same order.

use std::collections::VecDeque;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use headwater_wal::{Error, Kind as ErrorKind, Result};

use super::blocks::Options;
use super::incoming::{Came, Incoming};
use super::wire::{Frame, HEADER_BYTES, Header, Kind, damaged, gone, send};

/// At most so much goes into one write.
const WRITE_BYTES: usize = 1 << 20;
const WRITE_FRAMES: usize = 64;

/// What a peer's answers are told to, outside any lock of the link's.
pub(super) trait Hears: Send + Sync + 'static {
    /// The peer has answered these puts, in order: with `false` if it is full.
    fn answered(&self, peer: usize, puts: &[(u64, bool)]);
    /// The peer will not answer these any more, nor will it be asked again.
    fn ended(&self, peer: usize, puts: &[u64], why: &Error);
}

/// A connection to one peer. Once it has ended it stays so.
#[derive(Debug)]
pub(super) struct Link {
    peer: usize,
    address: SocketAddr,
    /// None where there never was one.
    stream: Option<TcpStream>,
    answer_within: Duration,
    /// What went out, and what came back.
    carried: AtomicU64,
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(Asked, Frame)>,
    /// What was handed to the connection and is not answered, oldest first.
    sent: VecDeque<Asked>,
    is_writer_waiting: bool,
    is_closing: bool,
    ended: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// The put that it is for; a forgetting is for none.
    put: Option<u64>,
    number: u64,
    since: Instant,
}

impl Link {
    /// A link over a connection, or one that has ended for want of it.
    pub(super) fn new(
        peer: usize,
        address: SocketAddr,
        reached: Result<TcpStream>,
        options: &Options,
    ) -> Arc<Link> {
        let (stream, ended) = match reached {
            Ok(stream) => (Some(stream), None),
            Err(error) => (None, Some(of(address, &error))),
        };
        let state = Mutex::new(State { ended, ..State::default() });
        let answer_within = options.answer_within;
        let (carried, more) = (AtomicU64::new(0), Condvar::new());
        Arc::new(Link { peer, address, stream, answer_within, carried, state, more })
    }

    /// Connects to a peer.
    pub(super) fn reach(address: SocketAddr, options: &Options) -> Result<TcpStream> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, options.answer_within)?;
            stream.set_nodelay(true)?;
            // Between answers the reader looks at the clock that often.
            stream.set_read_timeout(Some((options.answer_within / 8).max(Duration::from_millis(1))))?;
            Ok(stream)
        };
        connect().map_err(gone)
    }

    /// Starts what writes and what reads; they end with the link, and it ends if they cannot be started.
    pub(super) fn start(self: &Arc<Self>, hears: &Arc<dyn Hears>) -> Vec<JoinHandle<()>> {
        if self.stream.is_none() {
            return Vec::new();
        }
        let spawn = |name: &str, body: fn(&Link, &dyn Hears)| {
            let (link, heard) = (self.clone(), hears.clone());
            let thread = thread::Builder::new().name(name.into()).spawn(move || body(&link, &*heard));
            thread.map_err(|error| self.end(&**hears, &gone(error))).ok()
        };
        [spawn("replica-send", Link::write), spawn("replica-hear", Link::read)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Sends a block; false if the link has ended.
    pub(super) fn put(&self, put: u64, number: u64, frame: Frame) -> bool {
        self.push(Asked { put: Some(put), number, since: Instant::now() }, frame)
    }

    /// Sends that blocks are not needed, behind all blocks sent before.
    pub(super) fn forget(&self, owner: u64, below: u64) {
        let asked = Asked { put: None, number: below, since: Instant::now() };
        self.push(asked, Frame::bare(Kind::Forget, owner, below));
    }

    fn push(&self, asked: Asked, frame: Frame) -> bool {
        let mut state = self.state();
        if state.ended.is_some() {
            return false;
        }
        state.queue.push_back((asked, frame));
        // Waking costs a system call, also where nobody waits.
        if std::mem::take(&mut state.is_writer_waiting) {
            self.more.notify_one();
        }
        true
    }

    /// Sends what is queued and ends then.
    pub(super) fn close(&self) {
        self.state().is_closing = true;
        self.more.notify_one();
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many bytes it has sent, and got as answers.
    pub(super) fn carried_bytes(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Why it has ended, if it has.
    pub(super) fn why_ended(&self) -> Option<Error> {
        self.state().ended.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    fn stream(&self) -> &TcpStream {
        self.stream.as_ref().expect("only a link that is connected was started")
    }

    fn write(&self, hears: &dyn Hears) {
        let mut frames = Vec::new();
        while self.take(&mut frames) {
            if let Err(error) = send(self.stream(), &frames) {
                return self.end(hears, &gone(error));
            }
            let bytes = frames.iter().map(Frame::bytes).sum::<usize>();
            self.carried.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        // The peer reads to the end, answers, and closes in its turn.
        let _ = self.stream().shutdown(Shutdown::Write);
    }

    /// Waits for frames to write; false if there will be none.
    fn take(&self, frames: &mut Vec<Frame>) -> bool {
        frames.clear();
        let mut state = self.state();
        while state.queue.is_empty() {
            if state.is_closing || state.ended.is_some() {
                return false;
            }
            state.is_writer_waiting = true;
            state = self.more.wait(state).expect("nobody panics with it");
        }
        let mut bytes = 0;
        while frames.len() < WRITE_FRAMES && bytes < WRITE_BYTES {
            let Some((asked, frame)) = state.queue.pop_front() else { break };
            state.sent.push_back(asked);
            bytes += frame.bytes();
            frames.push(frame);
        }
        true
    }

    fn read(&self, hears: &dyn Hears) {
        let mut incoming = Incoming::new();
        let mut answered = Vec::new();
        let why = loop {
            let came = incoming.header(self.stream());
            let heard = came.and_then(|came| match came {
                Came::Header(header) => {
                    self.carried.fetch_add(HEADER_BYTES as u64, Ordering::Relaxed);
                    self.match_answer(&header).map(|answer| answered.extend(answer))
                }
                Came::Nothing => Ok(()),
                Came::Close => Err(gone(std::io::ErrorKind::UnexpectedEof.into())),
            });
            if heard.is_ok() && incoming.is_at_hand() {
                continue;
            }
            if !answered.is_empty() {
                hears.answered(self.peer, &answered);
                answered.clear();
            }
            // One that answers, but ever later, is late too.
            if let Err(error) = heard.and_then(|()| self.check_deadline()) {
                break error;
            }
        };
        self.end(hears, &why);
    }

    /// The put that an answer is for: the oldest, or the answer is none.
    fn match_answer(&self, header: &Header) -> Result<Option<(u64, bool)>> {
        if header.kind == Kind::Refused {
            return Err(damaged("the peer could not read what was sent"));
        }
        let asked = self.state().sent.pop_front();
        match (header.kind, asked) {
            (Kind::Kept | Kind::Full, Some(Asked { put: Some(put), number, .. }))
                if number == header.number =>
            {
                Ok(Some((put, header.kind == Kind::Kept)))
            }
            (Kind::Forgotten, Some(Asked { put: None, number, .. })) if number == header.number => Ok(None),
            (_, asked) => {
                // It goes back, for whoever tells what was not answered.
                asked.into_iter().for_each(|asked| self.state().sent.push_front(asked));
                Err(damaged(format!("an answer to another question kind={:?}", header.kind)))
            }
        }
    }

    fn check_deadline(&self) -> Result<()> {
        let state = self.state();
        let oldest = state.sent.front().or(state.queue.front().map(|(asked, _)| asked));
        match oldest {
            Some(asked) if asked.since.elapsed() >= self.answer_within => {
                let message = format!("no answer in time within={:?}", self.answer_within);
                Err(Error::new(ErrorKind::Unavailable, message))
            }
            // A peer that does not close has nothing to say any more.
            None if state.is_closing => Err(Error::new(ErrorKind::Closed, "the link is closed")),
            _ => Ok(()),
        }
    }

    /// Ends the link, once, and tells what it leaves unanswered.
    fn end(&self, hears: &dyn Hears, why: &Error) {
        let why = of(self.address, why);
        let unanswered = {
            let mut state = self.state();
            if state.ended.is_some() {
                return;
            }
            state.ended = Some(why.clone());
            let sent = std::mem::take(&mut state.sent);
            let queue = std::mem::take(&mut state.queue);
            sent.into_iter()
                .chain(queue.into_iter().map(|(asked, _)| asked))
                .filter_map(|asked| asked.put)
                .collect::<Vec<_>>()
        };
        // Wakes the other thread out of its read, write or wait.
        let _ = self.stream().shutdown(Shutdown::Both);
        self.more.notify_one();
        hears.ended(self.peer, &unanswered, &why);
    }
}

fn of(address: SocketAddr, why: &Error) -> Error {
    Error::new(why.kind(), format!("a peer is not asked any more peer={address}")).because(why.clone())
}
