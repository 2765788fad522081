//! A driver in another process, as its receivers see it.

use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use headwater_wal::receiver::{Answer, Driver, ReceiverLog, Report};
use headwater_wal::{Error, Kind, Position, Result};
use parking_lot::Mutex;

use super::Options;
use super::channel::{self, Deaf, Heard};
use super::wire::{self, Call, Label, Reply};

/// A driver that is [served](super::serve()) by another process.
///
/// A call that has no answer, for whatever reason, is `Unavailable`, within the times of [`Options`]: it may have
/// happened or not, and a receiver asks again. A driver's own errors come as they are, in kind and text.
///
/// Calls go one at a time: give each receiver a `Remote` of its own.
pub struct Remote {
    find: Box<dyn Fn() -> Result<SocketAddr> + Send + Sync>,
    options: Options,
    line: Mutex<Line>,
}

/// The connection, if there is one on which no answer is outstanding, and when it was used.
struct Line {
    stream: Option<(TcpStream, Instant)>,
    /// Of the next call. Never used again, on no connection: an answer belongs to its call and to no other.
    number: u64,
}

impl Remote {
    /// A driver at the address that `find` tells. It is asked again for each connection: a driver that was started again
    /// listens elsewhere, and its errors are taken for its being away.
    pub fn new(
        find: impl Fn() -> Result<SocketAddr> + Send + Sync + 'static,
        options: Options,
    ) -> Result<Self> {
        options.check()?;
        let line = Mutex::new(Line { stream: None, number: 0 });
        Ok(Remote { find: Box::new(find), options, line })
    }

    /// Calls, and waits for the reply to this call.
    fn call(&self, call: &Call) -> Result<Reply> {
        let mut line = self.line.lock();
        let label = Label { number: line.number, driver: self.options.driver };
        let frame = call.frame(label)?;
        line.number += 1;
        // Taken out, and put back only with its answer: whatever goes wrong, a late answer finds nobody.
        let kept = line.stream.take().filter(|(_, used)| used.elapsed() < self.options.idle / 2);
        let stream = match kept {
            Some((stream, _)) => stream,
            None => self.connect()?,
        };
        let reply = self.exchange(&stream, &frame, label)?;
        // A driver that cannot do it may be one that was replaced: the next call looks where its heir is.
        if let Reply::Failed(error) = reply {
            return Err(error);
        }
        line.stream = Some((stream, Instant::now()));
        Ok(reply)
    }

    fn connect(&self) -> Result<TcpStream> {
        let away = |what: &str| Error::new(Kind::Unavailable, what);
        let address =
            (self.find)().map_err(|error| away("where the driver listens is not known").because(error))?;
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, self.options.connect_within)?;
            stream.set_nodelay(true)?; // a call is one frame, and waits for nothing
            Ok(stream)
        };
        let failed = |error: std::io::Error| {
            away(&format!("the driver cannot be reached: address={address}")).because(error)
        };
        connect().map_err(failed)
    }

    fn exchange(&self, stream: &TcpStream, frame: &[u8], label: Label) -> Result<Reply> {
        let lost = |what: &str| Error::new(Kind::Unavailable, format!("{what}: call={}", label.number));
        let until = Instant::now() + self.options.call_within;
        channel::send(stream, frame, until)
            .map_err(|error| lost("a call to the driver was not sent").because(error))?;
        let heard = match channel::hear(stream, until, || until) {
            Ok(Heard::Frame(frame)) => frame,
            Ok(Heard::Over) => return Err(lost("the driver has ended the connection without an answer")),
            Err(Deaf::Io(error)) => return Err(lost("no answer came from the driver").because(error)),
            Err(Deaf::Wrong(error)) => return Err(lost("no answer came from the driver").because(error)),
        };
        let (found, reply) = Reply::read(&heard)
            .map_err(|error| lost("what came from the driver is no answer").because(error))?;
        if found != label {
            let message =
                format!("what came from the driver answers another call: found={found:?} asked={label:?}");
            return Err(Error::new(Kind::Unavailable, message));
        }
        Ok(reply)
    }

    /// What came answers something else than what was asked.
    fn amiss<T>(&self, reply: &Reply) -> Result<T> {
        self.line.lock().stream = None;
        Err(Error::new(Kind::Unavailable, format!("the driver's answer is not one to this call: {reply:?}")))
    }
}

impl Driver for Remote {
    fn settled(&self, log: ReceiverLog) -> Result<Option<Position>> {
        match self.call(&Call::Settled(log))? {
            Reply::Settled(position) => Ok(position),
            reply => self.amiss(&reply),
        }
    }

    fn report(&self, blocks: &[Report]) -> Result<Vec<Answer>> {
        let mut all = Vec::with_capacity(blocks.len());
        for some in blocks.chunks(wire::BLOCKS_MAX) {
            let answers = match self.call(&Call::Report(some.to_vec()))? {
                Reply::Reported(answers) if answer(&answers, some.len()) => answers,
                reply => return self.amiss(&reply),
            };
            all.extend(answers);
            if all.last() != Some(&Answer::Taken) {
                break;
            }
        }
        Ok(all)
    }

    fn pass_over(&self, block: &Report) -> Result<Answer> {
        match self.call(&Call::PassOver(block.clone()))? {
            Reply::PassedOver(answer) => Ok(answer),
            reply => self.amiss(&reply),
        }
    }

    fn released(&self, log: ReceiverLog) -> Result<Position> {
        match self.call(&Call::Released(log))? {
            Reply::Released(position) => Ok(position),
            reply => self.amiss(&reply),
        }
    }
}

/// Whether these are answers to so many blocks: one to each, or up to the first one that was not taken.
fn answer(answers: &[Answer], blocks: usize) -> bool {
    match answers.split_last() {
        None => false,
        Some((last, before)) => {
            before.iter().all(|answer| *answer == Answer::Taken)
                && (answers.len() == blocks || (answers.len() < blocks && *last != Answer::Taken))
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("options", &self.options).finish_non_exhaustive()
    }
}
