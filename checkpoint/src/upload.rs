//! Parts on their way to the store: compressed, held back to the rate that is allowed, and put, several at once.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use headwater_wal::store::{Name, Store};
use headwater_wal::{Clock, Compression, Error, Kind, Result};

use crate::checkpoint::Part;
use crate::format::{self, PART_HEADER_BYTES, PartHeader, name};

/// What every part goes through.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) compression: Compression,
    pub(crate) rate: Option<Rate>,
}

/// A bound on bytes a second. It is spent evenly: no burst is saved up for.
#[derive(Debug)]
pub(crate) struct Rate {
    clock: Arc<dyn Clock>,
    bytes_per_second: u64,
    /// Until when the bytes so far keep the store, on the clock's own scale.
    busy_until: Mutex<Duration>,
}

/// A part to be put.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) header: PartHeader,
    /// Room for the header, and the part's bytes.
    pub(crate) buffer: Vec<u8>,
}

/// What became of a part.
pub(crate) struct Put {
    pub(crate) header: PartHeader,
    pub(crate) outcome: Result<Part>,
}

/// Several threads that put parts. At most one part waits beside those that are being put.
#[derive(Debug)]
pub(crate) struct Uploads {
    jobs: Option<SyncSender<Job>>,
    puts: Receiver<Put>,
    threads: Vec<JoinHandle<()>>,
}

impl Rate {
    pub(crate) fn new(clock: Arc<dyn Clock>, bytes_per_second: u64) -> Rate {
        Rate { clock, bytes_per_second, busy_until: Mutex::default() }
    }

    /// Waits until so many bytes may go.
    fn wait_for(&self, bytes: u64) {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let now = self.clock.elapsed();
        let begin = {
            let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = now.max(*busy_until);
            *busy_until = begin.saturating_add(takes);
            begin
        };
        std::thread::sleep(begin - now);
    }
}

impl Way {
    /// Brings one part to the store; on return it is durable.
    pub(crate) fn put(&self, job: Job) -> Put {
        let Job { header, buffer } = job;
        let (part, bytes) = format::seal(header, buffer, self.compression);
        if let Some(rate) = &self.rate {
            rate.wait_for(bytes.len() as u64);
        }
        let name = name::part(header.of, header.ordinal);
        Put { header, outcome: put_or_find(&*self.store, &name, bytes).map(|()| part) }
    }
}

impl Uploads {
    pub(crate) fn start(way: Arc<Way>, count: usize) -> Result<Uploads> {
        // Nothing waits in the channel: who hands a part over waits until a thread takes it.
        let (jobs, work) = sync_channel::<Job>(0);
        let (done, puts) = channel();
        let work = Arc::new(Mutex::new(work));
        let threads = (0..count).map(|_| {
            let (way, work, done) = (way.clone(), work.clone(), done.clone());
            let run = move || upload(&way, &work, &done);
            std::thread::Builder::new().name("headwater-checkpoint".to_owned()).spawn(run)
        });
        match threads.collect() {
            Ok(threads) => Ok(Uploads { jobs: Some(jobs), puts, threads }),
            Err(error) => {
                let message = "a thread that puts parts cannot be started";
                Err(Error::new(Kind::Unavailable, message).because(error))
            }
        }
    }

    /// Hands a part over, once a thread is free for it.
    pub(crate) fn hand_over(&self, job: Job) {
        let jobs = self.jobs.as_ref().expect("it is there until the uploads are ended");
        jobs.send(job).expect("the threads take jobs for as long as there is somebody to send them");
    }

    /// What has been put so far, and was not asked for before.
    pub(crate) fn done(&self) -> impl Iterator<Item = Put> {
        self.puts.try_iter()
    }

    /// Waits for all that was handed over.
    pub(crate) fn end(mut self) -> Vec<Put> {
        self.stop();
        self.puts.try_iter().collect()
    }

    fn stop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

fn upload(way: &Way, work: &Mutex<Receiver<Job>>, done: &Sender<Put>) {
    loop {
        let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Nobody listens any more: the draft was dropped, and what was put is litter that a sweep finds.
        let _ = done.send(way.put(job));
    }
}

/// Puts an object under a name that only this writer uses; that it exists is then an earlier try of this very put, whose
/// answer was lost, if it has the same bytes.
pub(crate) fn put_or_find(store: &dyn Store, name: &Name, bytes: Bytes) -> Result<()> {
    let exists = match store.put(name, bytes.clone()) {
        Err(error) if error.kind() == Kind::Exists => error,
        other => return other,
    };
    match store.read(name, 0..bytes.len() as u64 + 1) {
        Ok(found) if found == bytes => Ok(()),
        Ok(_) => {
            let message = "another writer has put this object: this one has been replaced, or two were started for one epoch";
            Err(Error::new(Kind::Fenced, message).at(name.as_str(), 0).because(exists))
        }
        Err(error) => {
            let message = "the store says that the object exists, and does not show it";
            Err(Error::new(Kind::Unknown, message).at(name.as_str(), 0).because(error))
        }
    }
}

/// Room for a part's header, with nothing behind it.
pub(crate) fn empty_buffer(part_bytes: usize) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(PART_HEADER_BYTES + part_bytes);
    buffer.resize(PART_HEADER_BYTES, 0);
    buffer
}
