//! A receiver's process: from its partition of the stream into its log, reported to the driver, acknowledged to the
//! stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use headwater_checkpoint::receive::{self, Remote};
use headwater_wal::receiver::{Driver, Options, Pushed, Receiver, Reliable, Restarts};
use headwater_wal::{Error, Kind, Log, SystemClock};
use tokio::runtime::Handle;

use crate::Result;
use crate::partition::Partition;
use crate::release;
use crate::setup::{Setup, log_options};
use crate::stream;
use crate::tell::{Told, told_to_end};

/// So often the supervisor is told what was delivered, and so often is looked for what may be removed.
const TELL_EVERY: Duration = Duration::from_millis(50);
const REMOVE_EVERY: Duration = Duration::from_millis(500);

/// Receives until told to end, and then ends without leaving anything behind.
pub(crate) fn run(setup: &Setup, number: u32) -> Result<()> {
    let end = told_to_end();
    let address = setup.address();
    let find = move || {
        let text = std::fs::read_to_string(&address).unwrap_or_default();
        text.parse().map_err(|_| Error::new(Kind::Unavailable, "the driver has not said where it listens"))
    };
    let driver: Arc<dyn Driver> = Arc::new(Remote::new(find, receive::Options::default())?);
    let runtime = stream::runtime()?;
    // The client wants to be dropped in there too.
    let _inside = runtime.enter();
    // Servers and the driver are killed many times in a short while.
    let restarts = Restarts { max: 100, within: Duration::from_secs(5), back_off: Duration::from_millis(20) };
    restarts.run(&SystemClock::default(), std::thread::sleep, |_| {
        live(setup, number, runtime.handle(), &driver, &end)
    })?;
    Ok(())
}

/// A life of the receiver: until told to end, or until it fails.
fn live(
    setup: &Setup,
    number: u32,
    runtime: &Handle,
    driver: &Arc<dyn Driver>,
    end: &AtomicBool,
) -> headwater_wal::Result<()> {
    let opened = Log::open(setup.root().received(0, number)?, log_options())?;
    let mut partition = Partition::connect(runtime, &setup.nats, number).map_err(away)?;
    let options = Options::default()
        .of(0, number)
        .interval(Duration::from_millis(50))
        .block_bytes(64 << 10)
        .record_bytes_max(64 << 10);
    let receiver = Receiver::start(opened, driver.clone(), Reliable::new(partition.source()), options)?;
    let (mut messages, mut known, mut ready) = (0, 0, false);
    let (mut told, mut removed) = (Instant::now(), Instant::now());
    while !end.load(Ordering::Relaxed) {
        if let Some(failure) = receiver.failure() {
            return Err(failure);
        }
        if told.elapsed() > TELL_EVERY {
            if !ready && receiver.status().takes_records {
                Told::Ready.tell();
                ready = true;
            }
            Told::Delivered { messages, known }.tell();
            (messages, known, told) = (0, 0, Instant::now());
        }
        if removed.elapsed() > REMOVE_EVERY {
            let files = release::remove(setup, number, receiver.log()).map_err(away)?;
            Told::Removed { files }.tell();
            removed = Instant::now();
        }
        if !partition.has_begun() {
            match partition.begin() {
                // Where it begins, if this receiver has not heard of the partition.
                Ok(from) => receiver.skip(number, from),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
            continue;
        }
        // What is wrong with the server shows again when the partition is begun anew.
        let Ok(Some((position, text))) = partition.next() else { continue };
        messages += 1;
        // The messages between are the other partition's.
        receiver.skip(number, position);
        match receiver.push(number, position, &text)? {
            Pushed::Known => known += 1,
            Pushed::Taken | Pushed::NotNow => {}
        }
    }
    Told::Delivered { messages, known }.tell();
    receiver.stop(Duration::from_secs(30))
}

fn away(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(Kind::Unavailable, format!("the receiver cannot go on: {error}"))
}
