//! The same bytes as a person would store them who needs no more than that: a checksum, zstd at level 1, a write, a sync.
//! Nothing here survives a crash in the middle, nothing is shared, nothing is ever swept.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Sections;
use crate::place;

const LEVEL: i32 = 1;

/// Where the sections lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each in a file of its own, synced when it is written.
    FilePerSection,
    /// One behind the other in one file, synced at the end.
    OneFile,
}

/// Sections in a folder of their own, which goes with it.
#[derive(Debug)]
pub struct ByHand {
    shape: Shape,
    stored: Vec<Stored>,
    dir: TempDir,
}

/// Where a section lies and what it is.
#[derive(Debug)]
struct Stored {
    file: PathBuf,
    stored_bytes: usize,
    bytes: usize,
    check: u32,
}

impl ByHand {
    /// A new folder below `folder`.
    pub fn new(folder: &Path, shape: Shape) -> ByHand {
        ByHand { shape, stored: Vec::new(), dir: place(folder) }
    }

    /// How long it takes until all sections are durable, written by so many threads: one, if there is one file.
    pub fn write(&mut self, sections: &Sections, threads: usize) -> Duration {
        let began = Instant::now();
        self.stored = match self.shape {
            Shape::FilePerSection if threads > 1 => std::thread::scope(|scope| {
                let dir = self.dir.path();
                let share = |thread| (thread..sections.count()).step_by(threads);
                let write = |thread| scope.spawn(move || files(dir, sections, share(thread)));
                let threads: Vec<_> = (0..threads).map(write).collect();
                threads.into_iter().flat_map(|thread| thread.join().expect("a thread that writes")).collect()
            }),
            Shape::FilePerSection => files(self.dir.path(), sections, 0..sections.count()),
            Shape::OneFile => {
                assert_eq!(threads, 1, "one file is written by one thread");
                one_file(self.dir.path(), sections)
            }
        };
        sync(self.dir.path());
        began.elapsed()
    }

    /// How long it takes to read every section, verified, and how many bytes they were.
    pub fn restore(&self) -> (Duration, u64) {
        let began = Instant::now();
        let mut decompressor = zstd::bulk::Decompressor::new().expect("a decompressor");
        let (mut from, mut raw, mut all) = (Vec::new(), Vec::new(), 0);
        let mut open: Option<(&Path, File)> = None;
        for stored in &self.stored {
            if open.as_ref().is_none_or(|(path, _)| *path != stored.file) {
                open = Some((&stored.file, File::open(&stored.file).expect("a file")));
            }
            let (_, file) = open.as_mut().expect("it was opened");
            from.resize(stored.stored_bytes, 0);
            file.read_exact(&mut from).expect("a read");
            raw.clear();
            raw.reserve(stored.bytes);
            decompressor.decompress_to_buffer(&from, &mut raw).expect("a frame");
            assert_eq!((raw.len(), crc32c::crc32c(&raw)), (stored.bytes, stored.check));
            all += raw.len() as u64;
        }
        (began.elapsed(), all)
    }

    /// Drops what the page cache has of all files.
    pub fn cool(&self) {
        super::cool(self.dir.path());
    }
}

/// One section on its way: its checksum, and its bytes compressed. The buffer is used again for the next.
struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Packer {
    fn new() -> Packer {
        let compressor = zstd::bulk::Compressor::new(LEVEL).expect("a compressor");
        Packer { compressor, buffer: Vec::new() }
    }

    fn pack(&mut self, file: &Path, raw: &[u8]) -> (Stored, &[u8]) {
        let check = crc32c::crc32c(raw);
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor.compress_to_buffer(raw, &mut self.buffer).expect("a frame");
        let stored =
            Stored { file: file.to_owned(), stored_bytes: self.buffer.len(), bytes: raw.len(), check };
        (stored, &self.buffer)
    }
}

fn files(dir: &Path, sections: &Sections, numbers: impl Iterator<Item = usize>) -> Vec<Stored> {
    let mut packer = Packer::new();
    let write = |number| {
        let path = dir.join(format!("{number}"));
        let (stored, bytes) = packer.pack(&path, sections.get(number));
        let mut file = File::create(path).expect("a file");
        file.write_all(bytes).expect("a write");
        file.sync_all().expect("a sync");
        stored
    };
    numbers.map(write).collect()
}

fn one_file(dir: &Path, sections: &Sections) -> Vec<Stored> {
    let mut packer = Packer::new();
    let path = dir.join("all");
    let mut file = File::create(&path).expect("a file");
    let write = |number| {
        let (stored, bytes) = packer.pack(&path, sections.get(number));
        file.write_all(bytes).expect("a write");
        stored
    };
    let stored = (0..sections.count()).map(write).collect();
    file.sync_all().expect("a sync");
    stored
}

/// How long it takes to replace a small file durably: write another, sync it, rename it over, sync the folder.
pub fn replace_small(dir: &Path, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    let (new, path) = (dir.join("small.new"), dir.join("small"));
    let mut file = File::create(&new).expect("a file");
    file.write_all(bytes).expect("a write");
    file.sync_all().expect("a sync");
    std::fs::rename(new, path).expect("a rename");
    sync(dir);
    began.elapsed()
}

fn sync(dir: &Path) {
    File::open(dir).and_then(|dir| dir.sync_all()).expect("a sync of the folder");
}
