//! A driver for receivers in other processes.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use headwater_wal::receiver::Driver;
use headwater_wal::{Error, Kind, Result};
use parking_lot::{Condvar, Mutex};

use super::Options;
use super::channel::{self, Heard};
use super::wire::{self, Call, Label, Reply};

/// How often it is looked whether a receiver wants to connect: a listener cannot be woken otherwise on every system.
const LOOK: Duration = Duration::from_millis(20);

/// Serves a driver to receivers in other processes, with the default [`Options`].
pub fn serve(listener: TcpListener, driver: Arc<dyn Driver>) -> Result<Server> {
    serve_with(listener, driver, Options::default())
}

/// Serves a driver to receivers in other processes.
///
/// `Unavailable`: the listener does not listen, or there is no thread for it.
pub fn serve_with(listener: TcpListener, driver: Arc<dyn Driver>, options: Options) -> Result<Server> {
    options.check()?;
    let cannot = |error| Error::new(Kind::Unavailable, "receivers cannot be served").because(error);
    let address = listener.local_addr().map_err(cannot)?;
    listener.set_nonblocking(true).map_err(cannot)?;
    let hall = Arc::new(Hall { driver, options, state: Mutex::default(), changed: Condvar::new() });
    let its = hall.clone();
    let accept = move || its.accept_on(&listener);
    let thread = Builder::new().name("headwater-serve".to_owned()).spawn(accept).map_err(cannot)?;
    Ok(Server { address, hall, thread: Some(thread) })
}

/// A driver that is served. Dropped, it listens no more, ends all connections, and returns when its threads have ended:
/// calls that the driver has begun to answer are waited for, and their answers are lost.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    hall: Arc<Hall>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.hall.state.lock().open.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        {
            let mut state = self.hall.state.lock();
            state.over = true;
            for stream in state.open.values() {
                // One that is closed already needs no waking.
                let _ = stream.shutdown(Shutdown::Both);
            }
            self.hall.changed.notify_all();
        }
        // It waits for those of the connections.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where connections are.
#[derive(Debug)]
struct Hall {
    driver: Arc<dyn Driver>,
    options: Options,
    state: Mutex<State>,
    /// It is over, or a connection is.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Connections by the order in which they came, to end them by.
    open: BTreeMap<u64, TcpStream>,
    came: u64,
    over: bool,
}

impl Hall {
    fn accept_on(self: &Arc<Self>, listener: &TcpListener) {
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        while !self.state.lock().over {
            // A receiver for which there is no room, no thread or no socket finds its connection ended, and comes again.
            match listener.accept() {
                Ok((stream, _)) => threads.extend(self.begin(stream)),
                Err(_) => self.rest(),
            }
            threads = join_ended(threads);
        }
        for thread in threads {
            // One that panicked in the driver has said so itself.
            let _ = thread.join();
        }
    }

    fn rest(&self) {
        let mut state = self.state.lock();
        if !state.over {
            self.changed.wait_for(&mut state, LOOK);
        }
    }

    fn begin(self: &Arc<Self>, stream: TcpStream) -> Option<JoinHandle<()>> {
        stream.set_nonblocking(false).ok()?; // some systems have it from the listener
        stream.set_nodelay(true).ok()?;
        let place = {
            let mut state = self.state.lock();
            if state.over || state.open.len() >= self.options.connections_max {
                return None;
            }
            state.came += 1;
            let number = state.came;
            state.open.insert(number, stream.try_clone().ok()?);
            Place { hall: self.clone(), number }
        };
        let converse = move || place.hall.converse(&stream);
        Builder::new().name("headwater-driver".to_owned()).spawn(converse).ok()
    }

    /// Answers one call after the other, until something is wrong, or nothing comes any more.
    fn converse(&self, stream: &TcpStream) {
        let Options { call_within, idle, .. } = self.options;
        let whole = || Instant::now() + call_within;
        while let Ok(Heard::Frame(frame)) = channel::hear(stream, Instant::now() + idle, whole) {
            let (reply, goes_on) = self.reply(&frame);
            let Some(reply) = reply else { return };
            if channel::send(stream, &reply, whole()).is_err() || !goes_on {
                return;
            }
        }
    }

    /// The reply to a frame, if it can have one; and whether whatever comes next is listened to.
    fn reply(&self, frame: &[u8]) -> (Option<Vec<u8>>, bool) {
        let driver = self.options.driver;
        match Call::read(frame) {
            Ok((label, call)) if label.driver == driver => {
                let reply = self.answer(&call).unwrap_or_else(Reply::Failed);
                let framed = reply.frame(label).or_else(|error| Reply::Failed(error).frame(label));
                (framed.ok(), true)
            }
            Ok((label, _)) => {
                let message = format!("another driver listens here: driver={driver} asked={}", label.driver);
                let reply = Reply::Failed(Error::new(Kind::Unavailable, message));
                (reply.frame(label).ok(), false)
            }
            // Whose bytes verify is told what is wrong with them; who sends others is not believed to listen.
            Err(error) => {
                let number = wire::number(frame);
                let reply = |number| Reply::Failed(error).frame(Label { number, driver }).ok();
                (number.and_then(reply), false)
            }
        }
    }

    fn answer(&self, call: &Call) -> Result<Reply> {
        Ok(match call {
            Call::Settled(log) => Reply::Settled(self.driver.settled(*log)?),
            Call::Report(blocks) => Reply::Reported(self.driver.report(blocks)?),
            Call::PassOver(block) => Reply::PassedOver(self.driver.pass_over(block)?),
            Call::Released(log) => Reply::Released(self.driver.released(*log)?),
        })
    }
}

/// A connection's place, given back however it ends.
struct Place {
    hall: Arc<Hall>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.hall.state.lock();
        if let Some(stream) = state.open.remove(&self.number) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.hall.changed.notify_all();
    }
}

fn join_ended(threads: Vec<JoinHandle<()>>) -> Vec<JoinHandle<()>> {
    let (ended, live): (Vec<_>, Vec<_>) = threads.into_iter().partition(JoinHandle::is_finished);
    for thread in ended {
        let _ = thread.join();
    }
    live
}
