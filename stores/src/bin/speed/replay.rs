//! Replaying 1 GiB in objects of 8 MiB, beside reading them one after the other, each in a process of its own.

use std::fs;
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use headwater_stores::open;
use headwater_wal::store::{Name, What};
use headwater_wal::{Log, Options, Position, Time};

use super::Result;
use super::far::Far;
use super::figures::{goal, median, noise};

const RECORD_BYTES: usize = 256 << 10;

fn options(group: &str) -> Options {
    let text = "segment_bytes=16MiB&record_bytes_max=1MiB&compression=off&linger=1s";
    Options::from_text(&format!("{text}&group_bytes_max={group}")).expect("good options")
}

pub(super) fn row(small: bool) -> Result<()> {
    let far = Far::plain()?;
    let (group, objects, rounds) = if small { ("1MiB", 4, 1) } else { ("8MiB", 128, 3) };
    let each = if small { 4 } else { 32 };
    let (near, url) = far.folder("replay");
    let log = Log::open(open(&near)?, options(group))?.start(Position::START)?;
    let records = objects * each;
    let record = Bytes::from(noise(RECORD_BYTES - 64, 3));
    let mut tickets = Vec::new();
    for _ in 0..records {
        tickets.push(log.append(Time(1), record.clone())?);
    }
    for ticket in tickets {
        let _ = ticket.wait()?;
    }
    log.close()?;
    let (mut serial, mut ahead, mut most) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        serial.push(apart("serial", &url, records)?.0);
        let (seconds, memory) = apart("replay", &url, records)?;
        ahead.push(seconds);
        most = most.max(memory);
    }
    let (serial, ahead) = (median(serial), median(ahead));
    println!(
        "  {} MiB in about {objects} objects: one after the other {serial:.2} s, replay {ahead:.2} s, resident at most \
         {most:.0} MiB",
        records * (RECORD_BYTES as u64 >> 10) / 1024
    );
    goal(small, "replay, times as fast", serial / ahead, ">=", 6.0);
    goal(small, "memory, MiB", most, "<=", 128.0);
    Ok(())
}

/// Reads in a process of its own: seconds, and MiB resident at most.
fn apart(how: &str, url: &str, records: u64) -> Result<(f64, f64)> {
    let output = Command::new(std::env::current_exe()?).args(["--read", how, url]).output()?;
    let said = String::from_utf8(output.stdout)?;
    let words: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match words[..] {
        [seconds, memory, read] if how == "serial" || read == records as f64 => Ok((seconds, memory)),
        _ => Err(format!("reading failed: {said} {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Reads everything, and prints seconds, MiB resident at most, and how many records or objects there were.
pub(super) fn read(how: &str, url: &str) -> Result<()> {
    let store = open(url)?;
    let (began, mut count) = (Instant::now(), 0_u64);
    if how == "serial" {
        for page in store.list(&Name::ROOT)? {
            for entry in page?.iter().filter(|entry| entry.name.ends_with(".wal")) {
                let What::File(len) = entry.what else { continue };
                store.read(&Name::new(&entry.name)?, 0..len)?;
                count += 1;
            }
        }
    } else {
        let opened = Log::open(store, options("8MiB"))?;
        let began = Instant::now();
        for record in opened.replay(Position::START)? {
            record?;
            count += 1;
        }
        return print(began, count);
    }
    print(began, count)
}

fn print(began: Instant, count: u64) -> Result<()> {
    let seconds = began.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("Linux says so")?;
    let kib: f64 = line.split_whitespace().next().ok_or("a number")?.parse()?;
    println!("{seconds} {} {count}", kib / 1024.0);
    Ok(())
}
