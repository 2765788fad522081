//! A full check of a log on local disk, beside a bare loop that reads the same files and checksums all of them.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_fsck::{Depth, check};
use headwater_wal::store::{Local, Store};
use headwater_wal::{Compression, Durability, Log, Options, Position, Result, Time};
use tempfile::TempDir;

/// What the bare loop reads at once.
const BARE_WINDOW: usize = 1 << 20;

/// So many appends are on their way at once.
const TICKETS: usize = 4096;

/// A log that was closed, in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Checking {
    dir: TempDir,
    records: u64,
}

impl Checking {
    /// A log of so many records below a folder.
    pub fn new(folder: &Path, records: u64, record_bytes: usize, segment_bytes: u64) -> Result<Checking> {
        let dir = super::place(folder);
        let options = Options::default()
            .compression(Compression::Off)
            .durability(Durability::Process)
            .segment_bytes(segment_bytes);
        let log = Log::open(store(dir.path())?, options)?.start(Position::START)?;
        let mut tickets = std::collections::VecDeque::new();
        for number in 0..records {
            let mut payload = vec![0x5A; record_bytes];
            let stamp = number.to_le_bytes();
            payload.iter_mut().zip(stamp).for_each(|(byte, stamp)| *byte = stamp);
            tickets.push_back(log.append(Time(number), payload)?);
            if tickets.len() > TICKETS {
                tickets.pop_front().expect("it is there").wait()?;
            }
        }
        for ticket in tickets {
            ticket.wait()?;
        }
        log.close()?;
        Ok(Checking { dir, records })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// How long its files are together.
    pub fn bytes(&self) -> u64 {
        segments(self.path()).iter().map(|path| path.metadata().expect("a file").len()).sum()
    }

    /// Every byte of every segment, read and checksummed.
    pub fn bare(&self) -> Duration {
        let began = Instant::now();
        let mut window = vec![0; BARE_WINDOW];
        let mut sum = 0;
        for path in segments(self.path()) {
            let mut file = File::open(path).expect("a file");
            loop {
                match file.read(&mut window).expect("a read") {
                    0 => break,
                    len => sum = crc32c::crc32c_append(sum, &window[..len]),
                }
            }
        }
        black_box(sum);
        began.elapsed()
    }

    /// A full check of it.
    pub fn check(&self) -> Duration {
        let (took, records) = check_at(self.path()).expect("a check");
        assert_eq!(records, self.records);
        took
    }
}

/// A full check of the log in a folder, which must be sound: how long it took, and how many records it found.
pub fn check_at(path: &Path) -> Result<(Duration, u64)> {
    let began = Instant::now();
    let report = check(&*store(path)?, Position::START, Depth::Full)?;
    assert!(report.is_sound(), "{report}");
    Ok((began.elapsed(), report.records()))
}

fn store(path: &Path) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Local::open(path)?))
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut segments: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|is| is == "wal")).collect();
    segments.sort();
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_read_what_was_written() {
        let checking = Checking::new(&std::env::temp_dir(), 300, 1024, 64 << 10).unwrap();
        assert!(checking.bytes() > 300 << 10);
        assert!(checking.bare() > Duration::ZERO && checking.check() > Duration::ZERO);
    }
}
