//! Listing a log of very many segments, beside the bare loop that it is measured against.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_fsck::{Depth, find, list};
use headwater_wal::store::{Entry, Local, Memory, Name, Store, What};
use headwater_wal::{Compression, Durability, Log, Options, Position, Result, Time};
use tempfile::TempDir;

/// What the bare loop reads of each of the newest files.
const BLOCK: usize = 4096;
const NEWEST: usize = 100;

/// A log of many small segments on local disk.
#[derive(Debug)]
pub struct Listed {
    dir: TempDir,
    segments: usize,
}

impl Listed {
    /// One of so many segments that hold a record each. It is made in memory and copied out, for a disk would sync each.
    pub fn new(folder: &Path, segments: usize) -> Result<Listed> {
        let dir = crate::place(folder);
        let memory: Arc<dyn Store> = Arc::new(Memory::growing());
        let options = Options::default()
            .segment_bytes(8 << 10)
            .record_bytes_max(1 << 10)
            .compression(Compression::Off)
            .durability(Durability::Process);
        let log = Log::open(memory.clone(), options)?.start(Position::START)?;
        for number in 0..segments {
            log.append(Time(number as u64), vec![b'x'; 100])?.wait()?;
            log.seal()?;
        }
        log.close()?;
        let mut copied = 0;
        for page in memory.list(&Name::ROOT)? {
            for Entry { name, what } in page? {
                let What::File(len) = what else { continue };
                let bytes = memory.read(&Name::new(&*name)?, 0..len)?;
                std::fs::write(dir.path().join(&name), bytes).expect("a file");
                copied += 1;
            }
        }
        Ok(Listed { dir, segments: copied })
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// The names in order with their lengths, and one block of each of the newest hundred.
    pub fn bare(&self) -> Duration {
        let began = Instant::now();
        let mut files: Vec<(PathBuf, u64)> = self
            .names()
            .map(|entry| (entry.path(), entry.metadata().expect("a file that is there").len()))
            .collect();
        files.sort_unstable();
        let mut block = [0; BLOCK];
        for (path, _) in files.iter().rev().take(NEWEST) {
            let file = File::open(path).expect("a file that is there");
            black_box(file.read_at(&mut block, 0).expect("a read"));
        }
        assert_eq!(files.len(), self.segments);
        began.elapsed()
    }

    /// The names alone, in order.
    pub fn bare_names(&self) -> Duration {
        let began = Instant::now();
        let mut files: Vec<PathBuf> = self.names().map(|entry| entry.path()).collect();
        files.sort_unstable();
        assert_eq!(black_box(files).len(), self.segments);
        began.elapsed()
    }

    fn names(&self) -> impl Iterator<Item = std::fs::DirEntry> {
        std::fs::read_dir(self.dir.path()).expect("a folder").map(|entry| entry.expect("an entry"))
    }

    /// What `wal-inspect ls` asks of the library.
    pub fn list(&self) -> Duration {
        let began = Instant::now();
        let listing = list(&*self.store()).expect("a log");
        let read = listing.survey().chain().segments().len();
        assert_eq!(listing.unread.len() + read, self.segments);
        began.elapsed()
    }

    /// What `wal-inspect ls --long` asks of the library: both ends of every segment.
    pub fn look(&self) -> Duration {
        let began = Instant::now();
        let survey = find(&*self.store(), Position::START, Depth::Quick).expect("a log");
        assert_eq!(survey.chain().segments().len(), self.segments);
        began.elapsed()
    }

    /// The program itself, whose output goes nowhere.
    pub fn program(&self, program: &Path, options: &[&str]) -> Duration {
        let began = Instant::now();
        let mut command = Command::new(program);
        let status = command.arg("ls").arg(self.dir.path()).args(options).stdout(Stdio::null()).status();
        assert!(status.expect("wal-inspect runs").success());
        began.elapsed()
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(Local::open(self.dir.path()).expect("a folder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_sees_every_segment() {
        for segments in [30, 1_100] {
            let listed = Listed::new(&std::env::temp_dir(), segments).unwrap();
            assert_eq!(listed.segments(), segments + 1, "with the first one of the epoch");
            for body in [Listed::bare, Listed::bare_names, Listed::list, Listed::look] {
                assert!(body(&listed) > Duration::ZERO);
            }
        }
    }
}
