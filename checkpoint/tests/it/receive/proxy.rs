//! What lies between two processes: a relay that cuts connections anywhere, and holds bytes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use headwater_wal::store::sim::Random;
use parking_lot::Mutex;

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_millis(1);

/// A relay to wherever the driver listens now.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    road: Arc<Road>,
    thread: Option<JoinHandle<()>>,
}

struct Road {
    target: Mutex<Option<SocketAddr>>,
    over: AtomicBool,
    cuts: AtomicU64,
    /// So many bytes pass on a connection in one direction, at most; then it is cut.
    bytes_max: u64,
    /// So long is something held back, once in a while.
    delay: Duration,
}

impl Proxy {
    pub(super) fn new(seed: u64, bytes_max: u64, delay: Duration) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let road = Arc::new(Road {
            target: Mutex::default(),
            over: AtomicBool::default(),
            cuts: AtomicU64::default(),
            bytes_max,
            delay,
        });
        let its = road.clone();
        let thread = thread::spawn(move || its.relay(&listener, Random::new(seed)));
        Proxy { address, road, thread: Some(thread) }
    }

    /// From now on connections lead there; those that are there stay.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        *self.road.target.lock() = Some(target);
    }

    /// How many connections were cut.
    pub(super) fn cuts(&self) -> u64 {
        self.road.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.road.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

impl Road {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn relay(self: Arc<Self>, listener: &TcpListener, mut random: Random) {
        let mut pumps = Vec::new();
        while !self.is_over() {
            let Ok((near, _)) = listener.accept() else {
                thread::sleep(LOOK);
                continue;
            };
            let target = *self.target.lock();
            let Some(far) = target.and_then(|target| TcpStream::connect(target).ok()) else { continue };
            near.set_nonblocking(false).unwrap();
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let (its, random) = (self.clone(), Random::new(random.below(u64::MAX)));
                pumps.push(thread::spawn(move || its.pump(from, to, random)));
            }
        }
        pumps.into_iter().for_each(|pump| pump.join().unwrap());
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, mut random: Random) {
        from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut left = random.below(self.bytes_max) as usize;
        let mut bytes = [0; 256];
        while !self.is_over() {
            let read = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            if random.one_in(16) {
                thread::sleep(self.delay);
            }
            let passes = read.min(left);
            left -= passes;
            if to.write_all(&bytes[..passes]).is_err() {
                break;
            }
            if left == 0 {
                self.cuts.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
