//! A receiver's process: it takes the records of one partition, logs them in blocks, reports these, and tells the source
//! what is safe.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use headwater::checkpoint::receive::Remote;
use headwater::receiver::{self, Acknowledge, End, Pushed, Receiver, Reliable, Restarts, Source, Unreliable};
use headwater::{Clock, Error, Kind, Log, SystemClock};

use crate::copies::Copying;
use crate::options::{Fault, Options, SourceKind};
use crate::place::Place;
use crate::{Result, tell};

/// How long a graceful stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// How old a segment gets that nobody can read before it is sealed.
const SEALED_WITHIN: Duration = Duration::from_millis(500);

/// How long blocks that lie in memory only are kept when the receiver has stopped.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(2);

pub(crate) fn run(options: &Options, place: &Place, number: u32) -> Result<()> {
    let finding = place.clone();
    let remote = Remote::new(move || finding.find("driver"), Default::default())?;
    let store = place.root(options.wal).received(0, number)?;
    let driver = Arc::new(Copying::new(remote, options, place, store.clone(), number)?);
    let line = Arc::new(Line::to(place.find("source")?, options.fault == Fault::BeforeAcknowledging)?);
    let choices = receiver::Options::default().of(0, number).back_off(Duration::from_millis(5));
    // It cannot start before it has asked the driver, which may be dead at this moment.
    let restarts = Restarts { max: 10, within: Duration::from_secs(60), back_off: Duration::from_millis(10) };
    // Small segments, so that some of them are done with in half a minute; on HDFS also young ones, for the driver can
    // read a block when its segment is sealed.
    let log = headwater::Options::default().segment_bytes(256 << 10);
    let is_leased = store.append().is_some_and(|append| append.leases().is_some());
    let log = if is_leased { log.segment_age(SEALED_WITHIN) } else { log };
    let open = || Log::open(store.clone(), log.clone());
    let clock = SystemClock::default();
    if options.source == SourceKind::Reliable {
        let start = || Receiver::start(open()?, driver.clone(), Reliable::new(line.clone()), choices.clone());
        let receiver = restarts.run(&clock, thread::sleep, |_| start())?;
        receive(receiver, &line, number, |receiver, at, text| receiver.push(number, at, text))?;
    } else {
        let start = || Receiver::start(open()?, driver.clone(), Unreliable, choices.clone());
        let receiver = restarts.run(&clock, thread::sleep, |_| start())?;
        receive(receiver, &line, number, |receiver, _, text| receiver.push(text))?;
    }
    if options.may_lose_blocks() {
        driver.is_needed_until(FORGOTTEN_WITHIN);
    }
    Ok(())
}

fn receive<S: Source>(
    receiver: Receiver<S>,
    line: &Arc<Line>,
    number: u32,
    push: impl Fn(&Receiver<S>, u64, &[u8]) -> headwater::Result<Pushed>,
) -> Result<()> {
    // What its log holds and nobody has reported yet comes first.
    while !receiver.status().takes_records {
        receiver.failure().map_or(Ok(()), Err)?;
        thread::sleep(Duration::from_millis(1));
    }
    tell("ready");
    let stopping = line.clone();
    crate::when_told_to_stop(move || drop(stopping.say("enough")));
    line.say(&format!("partition {number}"))?;
    let (mut known, mut told) = (0_u64, Instant::now());
    let mut records = BufReader::with_capacity(64 << 10, line.stream.try_clone()?);
    let mut record = String::new();
    // Half a record was not sent.
    while records.read_line(&mut record).is_ok_and(|_| record.ends_with('\n')) {
        let text = record.trim_end();
        let at =
            text.split(' ').nth(1).and_then(|at| at.parse().ok()).ok_or("a record without its number")?;
        known += u64::from(push(&receiver, at, text.as_bytes())? == Pushed::Known);
        if told.elapsed() > Duration::from_millis(50) {
            tell(&format!("known {known}"));
            (known, told) = (0, Instant::now());
            // What the driver has recorded to need no more goes. If it is away, later.
            let removed =
                receiver.release(SystemClock::default().wall()).map_or(0, |retired| retired.removed);
            tell(&format!("removed {removed}"));
        }
        record.clear();
    }
    tell(&format!("known {known}"));
    receiver.stop(STOP_WITHIN)?;
    tell("stopped");
    Ok(())
}

/// The line to the source: records come in, and what is safe goes out.
#[derive(Debug)]
struct Line {
    stream: TcpStream,
    /// One says its line at a time.
    saying: Mutex<u32>,
    dies: bool,
}

impl Line {
    fn to(source: SocketAddr, dies: bool) -> Result<Line> {
        Ok(Line { stream: TcpStream::connect(source)?, saying: Mutex::new(0), dies })
    }

    fn say(&self, what: &str) -> headwater::Result<()> {
        let mut said = self.saying.lock().expect("nobody panics with it");
        if self.dies && what.starts_with("safe") && *said > 3 {
            // What it is about to acknowledge is durable and reported. Its source will not know.
            std::process::abort();
        }
        *said += 1;
        (&self.stream)
            .write_all(format!("{what}\n").as_bytes())
            .map_err(|error| Error::new(Kind::Unavailable, format!("the source is away: {error}")))
    }
}

impl Acknowledge for Line {
    fn acknowledge(&self, ends: &[End]) -> headwater::Result<()> {
        ends.iter().try_for_each(|End { partition, end }| self.say(&format!("safe {partition} {end}")))
    }
}
