//! Checkpoints on local disk.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_checkpoint::{Checkpoint, Checkpoints, Held, Options, Owner, Writer};
use headwater_wal::store::Local;
use headwater_wal::{Error, Kind, Position, Result};
use tempfile::TempDir;

use super::Sections;
use crate::place;

/// A section is handed over in pieces of this length.
const PIECE_BYTES: usize = 256 << 10;

/// A writer of checkpoints in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Ours {
    writer: Writer,
    dir: TempDir,
}

/// What a checkpoint took.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// From its beginning until it was durable and what is kept no longer was swept.
    pub took: Duration,
    /// Its head, and the parts that were written for it.
    pub stored_bytes: u64,
}

impl Ours {
    /// A writer below a folder; it has claimed its epoch and written no checkpoint.
    pub fn start(folder: &Path, options: Options) -> Result<Ours> {
        let dir = place(folder);
        let checkpoints = Checkpoints::open(Arc::new(Local::open(dir.path().join("checkpoints"))?));
        let owner = Owner::alone(&checkpoints)?;
        let (writer, _) = Writer::start(checkpoints, owner, options, &Held::nothing())?;
        Ok(Ours { writer, dir })
    }

    /// Writes a checkpoint: the sections that are `changed`; the others are kept.
    pub fn write(&mut self, sections: &Sections, changed: impl Fn(usize) -> bool) -> Result<Written> {
        let began = Instant::now();
        let mut draft = self.writer.draft()?;
        for number in 0..sections.count() {
            if changed(number) {
                let mut section = draft.section(&name(number))?;
                for piece in sections.get(number).chunks(PIECE_BYTES) {
                    section.write_all(piece).expect("a piece of a section");
                }
                section.finish()?;
            } else {
                draft.keep(&name(number))?;
            }
        }
        draft.publish(&[("journal", Position(4096))])?;
        let took = began.elapsed();
        if let Some(error) = self.writer.unswept() {
            return Err(error.clone());
        }
        Ok(Written { took, stored_bytes: self.newest()?.new_bytes() })
    }

    /// How long it takes to find the newest checkpoint and to read every byte of it, verified.
    pub fn restore(&self) -> Result<Duration> {
        let began = Instant::now();
        let (newest, mut bytes) = (self.newest()?, 0);
        for section in newest.sections() {
            let mut pieces = self.writer.checkpoints().read_section(&newest, section.name())?.read_ahead(2);
            while let Some(piece) = pieces.next_piece()? {
                bytes += piece.len() as u64;
            }
        }
        assert_eq!(bytes, newest.bytes());
        Ok(began.elapsed())
    }

    /// Whether the newest checkpoint has these sections; `Damaged` if it has others.
    pub fn restores(&self, sections: &Sections) -> Result<()> {
        let newest = self.newest()?;
        for number in 0..sections.count() {
            let reader = self.writer.checkpoints().read_section(&newest, &name(number))?;
            if reader.read_all(u64::MAX)? != sections.get(number) {
                return Err(Error::new(Kind::Damaged, format!("a section that is another: number={number}")));
            }
        }
        Ok(())
    }

    /// How many checkpoints there are.
    pub fn count(&self) -> Result<usize> {
        self.writer.checkpoints().list().map(|ids| ids.len())
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Drops what the page cache has of all files.
    pub fn cool(&self) {
        super::cool(self.dir.path());
    }

    fn newest(&self) -> Result<Checkpoint> {
        let latest = self.writer.checkpoints().latest(&Held::nothing())?;
        Ok(latest.checkpoint.expect("one was written"))
    }
}

fn name(number: usize) -> String {
    format!("section {number}")
}
