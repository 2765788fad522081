//! A proxy for HTTP between the engine and a store: it makes a server on loopback as far away as one in a cloud, and does
//! to requests what networks and servers do to them.

mod connection;
mod fault;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

pub use fault::{Fault, Faults, Request, mixed};

/// The ports that are tried: below those that the system gives to whoever connects, so that one that was given up can be
/// had again.
const PORTS: std::ops::Range<u16> = 12_000..20_000;

/// A proxy that runs until it is dropped.
///
/// Each connection has a thread and a connection of its own to the server, so that nothing is limited but by what is
/// asked for here.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
}

/// What was seen of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub requests: u64,
    /// Those that put.
    pub puts: u64,
    /// Those that were not simply passed on.
    pub faults: u64,
    /// The most that were under way at once.
    pub at_once: u64,
    /// Bytes of bodies that came from the client.
    pub sent_bytes: u64,
    /// Bytes of bodies that came from the server.
    pub got_bytes: u64,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    server: SocketAddr,
    state: Mutex<State>,
    /// Notified when the proxy is mended or ends.
    mended: Condvar,
}

#[derive(Debug)]
struct State {
    delay: Duration,
    faults: Faults,
    /// Counts the changes of what becomes of requests: what hangs is freed by the next one.
    times_mended: u64,
    listens: bool,
    tally: Tally,
    under_way: u64,
    connections: HashMap<u64, TcpStream>,
    next_connection: u64,
}

impl Proxy {
    /// A proxy before a server that passes everything on at once.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = listen()?;
        let state = State {
            delay: Duration::ZERO,
            faults: Faults::none(),
            times_mended: 0,
            listens: true,
            tally: Tally::default(),
            under_way: 0,
            connections: HashMap::new(),
            next_connection: 0,
        };
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { address, server, state: Mutex::new(state), mended: Condvar::new() });
        Shared::accept(&shared, listener)?;
        Ok(Proxy { shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Every request waits so long before it is passed on; any number of them at once.
    pub fn delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// From now on these are done to requests; what hangs is freed, by a cut.
    pub fn do_to_requests(&self, faults: Faults) {
        let mut state = self.shared.state();
        state.faults = faults;
        state.times_mended += 1;
        self.shared.mended.notify_all();
    }

    /// From now on every request is passed on again.
    pub fn mend(&self) {
        self.do_to_requests(Faults::none());
    }

    /// The store is away: nobody listens, and what was connected is cut.
    pub fn go_away(&self) {
        let mut state = self.shared.state();
        if std::mem::take(&mut state.listens) {
            state.cut_all();
            drop(state);
            // The thread that accepts looks again only when somebody comes; its listener ends with it.
            let _ = TcpStream::connect(self.shared.address);
            while TcpStream::connect(self.shared.address).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// The store is back, at the same address.
    pub fn come_back(&self) -> io::Result<()> {
        if self.shared.state().listens {
            return Ok(());
        }
        let listener = TcpListener::bind(self.shared.address)?;
        self.shared.state().listens = true;
        Shared::accept(&self.shared, listener)
    }

    /// What was seen so far.
    pub fn tally(&self) -> Tally {
        self.shared.state().tally
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.go_away();
        self.mend();
    }
}

/// A listener on a port that was free.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let mut dice = u64::from(std::process::id());
    loop {
        dice = mixed(dice ^ std::time::UNIX_EPOCH.elapsed().unwrap_or_default().subsec_nanos() as u64);
        let port = PORTS.start + (dice % PORTS.len() as u64) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    fn accept(shared: &Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let shared = shared.clone();
        thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                let Some((number, client)) = shared.begin(client) else { return };
                let shared = shared.clone();
                let served = thread::Builder::new().name("proxied".into()).spawn(move || {
                    // A connection that ends badly has told the client all there is to tell.
                    let _ = connection::serve(&shared, &client);
                    shared.state().connections.remove(&number);
                });
                served.expect("a thread for a connection");
            }
        })?;
        Ok(())
    }

    /// Takes a connection in, unless the store is away.
    fn begin(&self, client: TcpStream) -> Option<(u64, TcpStream)> {
        let mut state = self.state();
        if !state.listens {
            return None;
        }
        let number = state.next_connection;
        state.next_connection += 1;
        state.connections.insert(number, client.try_clone().ok()?);
        Some((number, client))
    }

    /// Waits until the proxy is mended or ends.
    fn hang(&self) {
        let state = self.state();
        let before = state.times_mended;
        let waited = self.mended.wait_while(state, |state| state.times_mended == before && state.listens);
        drop(waited);
    }
}

impl State {
    fn cut_all(&mut self) {
        for (_, connection) in self.connections.drain() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}
