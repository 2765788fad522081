//! Several puts in flight beside one at a time, and what an acknowledgement takes beside a put.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_stores::open;
use headwater_wal::store::Name;
use headwater_wal::{Log, Options, Position, Time};

use super::Result;
use super::far::Far;
use super::figures::{goal, median, milli, noise};

const RECORD_BYTES: usize = 16 << 10;

pub(super) fn row(small: bool) -> Result<()> {
    let far = Far::named()?;
    let (rounds, puts) = if small { (1, 8) } else { (5, 60) };
    let record = Bytes::from(noise(RECORD_BYTES, 1));
    let (mut one, mut eight, mut put) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        put.extend(put_times(&far, puts / 2, &record)?);
        one.push(rate(&far, 1, puts, &record)?);
        eight.push(rate(&far, 8, puts * 8, &record)?);
    }
    let (one, eight, put) = (median(one), median(eight), median(put));
    println!(
        "  a put of 16 KiB takes {put:.1} ms; groups of one record of 16 KiB, acknowledged a second: one put at a \
              time {one:.1}, eight in flight {eight:.1}"
    );
    goal(small, "eight in flight, times one at a time", eight / one, ">=", 6.0);
    let linger = 25.0;
    let acks = if small { 20 } else { 400 };
    let median_ack = median(acknowledgements(&far, acks)?);
    let small_put = median(put_times(&far, puts / 2, &record.slice(..1024))?);
    println!(
        "  records of 1 KiB, one every 10 ms, linger {linger} ms: median acknowledgement {median_ack:.1} ms, a put \
              {small_put:.1} ms"
    );
    goal(small, "median acknowledgement, ms", median_ack, "<=", 1.5 * small_put + linger);
    Ok(())
}

/// How long puts take, one after the other.
fn put_times(far: &Far, count: u64, bytes: &Bytes) -> Result<Vec<f64>> {
    let store = open(&far.folder("puts").1)?;
    let mut times = Vec::new();
    for number in 0..=count {
        let began = Instant::now();
        store.put(&Name::new(format!("{number:04}"))?, bytes.clone())?;
        times.push(milli(began.elapsed()));
    }
    times.remove(0); // it has made the connection
    Ok(times)
}

/// Groups of one record that are acknowledged a second.
fn rate(far: &Far, puts_in_flight: u32, count: u64, record: &Bytes) -> Result<f64> {
    let options =
        Options::from_text("group_bytes_max=1&compression=off&linger=0ms")?.puts_in_flight(puts_in_flight);
    let log = Log::open(open(&far.folder("rate").1)?, options)?.start(Position::START)?;
    // Connections are made, and the first group leaves alone.
    let warm: Vec<_> = (0..16).map(|_| log.append(Time(1), record.clone())).collect::<Result<_, _>>()?;
    for ticket in warm {
        let _ = ticket.wait()?;
    }
    let began = Instant::now();
    let tickets: Vec<_> =
        (0..count).map(|_| log.append(Time(1), record.clone())).collect::<Result<_, _>>()?;
    for ticket in tickets {
        let _ = ticket.wait()?;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// From each append to its acknowledgement, where a record comes every 10 ms.
fn acknowledgements(far: &Far, count: u64) -> Result<Vec<f64>> {
    let log = Log::open(open(&far.folder("acks").1)?, Options::default())?.start(Position::START)?;
    let record = Bytes::from(noise(1024, 2));
    thread::scope(|scope| {
        let began = Instant::now();
        let waits: Vec<_> = (0..count)
            .map(|number| {
                thread::sleep((Duration::from_millis(10) * number as u32).saturating_sub(began.elapsed()));
                let appended = Instant::now();
                let ticket = log.append(Time(1), record.clone());
                scope.spawn(move || ticket?.wait().map(|_| milli(appended.elapsed())))
            })
            .collect();
        let times = waits.into_iter().map(|wait| wait.join().expect("it waits"));
        Ok(times.collect::<headwater_wal::Result<Vec<f64>>>()?)
    })
}
