//! Reading: replays, reads by handle, opening; and beside each the bare loop that it is measured against.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Durability, Handle, Log, Options, Position, Reader, Result, Time};
use rustix::fs::Advice;
use tempfile::TempDir;

/// What the bare loop reads at once.
const BARE_WINDOW: usize = 1 << 20;

/// A log on local disk, filled, and a file with the same payloads one behind the other.
#[derive(Debug)]
pub struct Reading {
    log: Log,
    handles: Vec<Handle>,
    bare: PathBuf,
    record_bytes: usize,
    dir: TempDir,
}

impl Reading {
    /// A log of so many records below a folder, and its bare twin; both are on the disk when this returns.
    pub fn new(folder: &Path, records: usize, record_bytes: usize, segment_bytes: u64) -> Result<Reading> {
        let reading = Reading::growing(folder, records, record_bytes, segment_bytes)?;
        reading.log.seal()?;
        Ok(reading)
    }

    /// The same, with the newest segment as its writer would leave it in a crash.
    pub fn growing(
        folder: &Path,
        records: usize,
        record_bytes: usize,
        segment_bytes: u64,
    ) -> Result<Reading> {
        let dir = tempfile::tempdir_in(folder).expect("a folder to bench in");
        let options = options(segment_bytes);
        let log = Log::open(local(dir.path())?, options)?.start(Position::START)?;
        let bare = dir.path().join("bare");
        let mut file = std::io::BufWriter::with_capacity(BARE_WINDOW, File::create(&bare).expect("a file"));
        let mut handles = Vec::with_capacity(records);
        let mut tickets = std::collections::VecDeque::new();
        for number in 0..records {
            let payload = payload(number, record_bytes);
            file.write_all(&payload).expect("a write");
            tickets.push_back(log.append(Time(number as u64), payload)?);
            if tickets.len() > 4096 {
                handles.push(tickets.pop_front().expect("it is there").wait()?);
            }
        }
        for ticket in tickets {
            handles.push(ticket.wait()?);
        }
        file.into_inner().expect("a flush").sync_all().expect("a sync");
        Ok(Reading { log, handles, bare, record_bytes, dir })
    }

    /// A log of so many sealed segments, each with a record, and one that grows.
    pub fn sealed(folder: &Path, segments: usize, record_bytes: usize) -> Result<Reading> {
        let mut reading = Reading::new(folder, 0, record_bytes, 64 << 10)?;
        for number in 0..=segments {
            reading.handles.push(reading.log.append(Time(1), payload(number, record_bytes))?.wait()?);
            if number < segments {
                reading.log.seal()?;
            }
        }
        Ok(reading)
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The handles of its records, in order.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// Every payload byte there is.
    pub fn bytes(&self) -> u64 {
        (self.handles.len() * self.record_bytes) as u64
    }

    /// Drops what the page cache has of all files.
    pub fn cool(&self) {
        for folder in [self.dir.path().to_owned(), self.dir.path().join("log")] {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    let file = File::open(path).expect("a file");
                    file.sync_all().expect("a sync");
                    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("advice");
                }
            }
        }
    }

    /// The bare loop: `read` of 1 MiB, and a checksum of each record.
    pub fn bare_replay(&self) -> Duration {
        let began = Instant::now();
        let mut file = File::open(&self.bare).expect("a file");
        let mut window = vec![0; BARE_WINDOW];
        let mut sum = 0;
        loop {
            let mut len = 0;
            while len < window.len() {
                match file.read(&mut window[len..]).expect("a read") {
                    0 => break,
                    more => len += more,
                }
            }
            for record in window[..len].chunks(self.record_bytes) {
                sum ^= crc32c::crc32c(record);
            }
            if len < window.len() {
                break;
            }
        }
        black_box(sum);
        began.elapsed()
    }

    /// The same of the log: every record of it, verified.
    pub fn replay(&self) -> Duration {
        let began = Instant::now();
        let (mut records, mut bytes) = (0, 0);
        for record in self.log.replay(Position::START).expect("a replay") {
            records += 1;
            bytes += record.expect("a record").payload.len();
        }
        assert_eq!((records, bytes as u64), (self.handles.len(), self.bytes()));
        began.elapsed()
    }

    /// The same by a reader that follows from the beginning.
    pub fn follow(&self) -> Duration {
        let began = Instant::now();
        let reader = Reader::open(local(self.dir.path()).expect("a store")).expect("a reader");
        let follow = reader.follow(Position::START);
        let bytes: usize = follow.map(|record| record.expect("a record").payload.len()).sum();
        assert_eq!(bytes as u64, self.bytes());
        began.elapsed()
    }

    /// `pread` and a checksum of `reads` records, anywhere by `seed`; where each lies is looked up, as a handle is.
    pub fn bare_reads(&self, reads: usize, seed: u64) -> Duration {
        let began = Instant::now();
        let file = File::open(&self.bare).expect("a file");
        let mut record = vec![0; self.record_bytes];
        let mut sum = 0;
        for at in anywhere(seed, self.handles.len()).take(reads) {
            black_box(self.handles[at]);
            file.read_exact_at(&mut record, (at * self.record_bytes) as u64).expect("a read");
            sum ^= crc32c::crc32c(&record);
        }
        black_box(sum);
        began.elapsed()
    }

    /// Reads of `reads` handles, anywhere by `seed`.
    pub fn reads(&self, reads: usize, seed: u64) -> Duration {
        let began = Instant::now();
        for at in anywhere(seed, self.handles.len()).take(reads) {
            black_box(self.log.read(&self.handles[at]).expect("a record"));
        }
        began.elapsed()
    }

    /// The same by a reader.
    pub fn reader_reads(&self, reads: usize, seed: u64) -> Duration {
        let reader = Reader::open(local(self.dir.path()).expect("a store")).expect("a reader");
        let began = Instant::now();
        for at in anywhere(seed, self.handles.len()).take(reads) {
            black_box(reader.read(&self.handles[at]).expect("a record"));
        }
        began.elapsed()
    }

    /// All handles at once, in order.
    pub fn read_many(&self) -> Duration {
        let began = Instant::now();
        let bytes: usize =
            self.log.read_many(&self.handles).map(|record| record.expect("a record").payload.len()).sum();
        assert_eq!(bytes as u64, self.bytes());
        began.elapsed()
    }

    /// `reads` handles anywhere by `seed`, all at once.
    pub fn read_many_anywhere(&self, reads: usize, seed: u64) -> Duration {
        let handles: Vec<Handle> =
            anywhere(seed, self.handles.len()).take(reads).map(|at| self.handles[at]).collect();
        let began = Instant::now();
        for record in self.log.read_many(&handles) {
            black_box(record.expect("a record"));
        }
        began.elapsed()
    }

    /// Opens the log beside the one that runs.
    pub fn open(&self) -> Duration {
        let began = Instant::now();
        black_box(Log::open(local(self.dir.path()).expect("a store"), Options::default()).expect("a look"));
        began.elapsed()
    }
}

fn options(segment_bytes: u64) -> Options {
    Options::default()
        .compression(Compression::Off)
        .durability(Durability::Process)
        .segment_bytes(segment_bytes)
}

fn local(dir: &Path) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Local::open(dir.join("log"))?))
}

/// Bytes that no two records share.
fn payload(number: usize, len: usize) -> Vec<u8> {
    let mut payload = vec![0x5A; len];
    let stamp = (number as u64).to_le_bytes();
    payload.iter_mut().zip(stamp).for_each(|(byte, stamp)| *byte = stamp);
    payload
}

/// Numbers below `bound`, by a seed.
fn anywhere(seed: u64, bound: usize) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * bound as u128) >> 64) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_read_what_was_written() {
        let reading = Reading::new(&std::env::temp_dir(), 300, 1024, 64 << 10).unwrap();
        reading.cool();
        for body in
            [Reading::bare_replay, Reading::replay, Reading::follow, Reading::read_many, Reading::open]
        {
            assert!(body(&reading) > Duration::ZERO);
        }
        for body in [Reading::bare_reads, Reading::reads, Reading::reader_reads, Reading::read_many_anywhere]
        {
            assert!(body(&reading, 100, 7) > Duration::ZERO);
        }
        let sealed = Reading::sealed(&std::env::temp_dir(), 20, 100).unwrap();
        assert!(sealed.log().chain().segments().len() > 20);
        assert!(sealed.open() > Duration::ZERO);
    }

    /// The memory that is no file's, of this whole process.
    #[cfg(target_os = "linux")]
    fn anonymous_bytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_replay_takes_the_same_little_memory_however_long_the_log_is() {
        const RECORDS: usize = 96 << 10;
        let reading = Reading::new(&std::env::temp_dir(), RECORDS, 1024, 16 << 20).unwrap();
        let before = anonymous_bytes();
        let mut most = before;
        let mut kept = Vec::new();
        for (number, record) in reading.log().replay(Position::START).unwrap().enumerate() {
            let record = record.unwrap();
            if number.is_multiple_of(1000) {
                // Who keeps a small record keeps no window of it alive.
                kept.push(record.payload);
                most = most.max(anonymous_bytes());
            }
        }
        assert_eq!(kept.len(), RECORDS.div_ceil(1000));
        assert!(most - before < 8 << 20, "{} KiB more than before", (most - before) >> 10);
    }
}
