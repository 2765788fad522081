//! Resuming a driver whose journal knows many blocks, beside what no resume can do without.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use headwater_checkpoint::journal::{Block, SourceRange};
use headwater_checkpoint::resume::{self, Options, Resumed, Root, get_or_create};
use headwater_checkpoint::{Checkpoints, Held};
use headwater_wal::{Log, Position, Result, Time};
use tempfile::TempDir;

/// So many appends and events are on their way at once.
const OUTSTANDING: u64 = 10_000;

/// A root in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Resuming {
    root: Root,
    dir: TempDir,
}

impl Resuming {
    /// One whose journal knows so many blocks, the last of them `behind` its only checkpoint.
    pub fn new(folder: &Path, blocks: u64, behind: u64) -> Result<Resuming> {
        let dir = crate::place(folder);
        let root = Root::local(dir.path());
        fill(&root, blocks, behind)?;
        Ok(Resuming { root, dir })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A driver that resumes, and is given up.
    pub fn resume(&self) -> Result<Duration> {
        let began = Instant::now();
        drop(start(&self.root)?);
        Ok(began.elapsed())
    }

    /// What no resume can do without: opening and starting the journal's log, replaying what came after the checkpoint,
    /// and reading the checkpoint's bytes.
    pub fn bare(&self) -> Result<Duration> {
        let began = Instant::now();
        let checkpoints = Checkpoints::open(self.root.checkpoints()?);
        let latest = checkpoints.latest(&Held::nothing())?.checkpoint.expect("there is one");
        let mut section = checkpoints.read_section(&latest, resume::STATE)?;
        let mut window = vec![0; 1 << 20];
        while section.read(&mut window).expect("it is read") > 0 {}
        let from = latest.position(resume::JOURNAL).expect("it has one");
        let log = Log::open(self.root.journal()?, options().log)?.start(from)?;
        for record in log.replay(from)? {
            std::hint::black_box(record?.payload.len());
        }
        Ok(began.elapsed())
    }
}

/// Resumes the driver of a root; how many batches run again.
pub fn resume_at(root: &Root) -> Result<usize> {
    Ok(start(root)?.again.len())
}

fn options() -> Options {
    let journal = headwater_checkpoint::journal::Options::default().pending_bytes_max(1 << 30);
    Options { journal, background_bytes_max: None, ..Options::default() }
}

fn start(root: &Root) -> Result<Resumed<()>> {
    get_or_create(root, options(), || Ok(()), |_| Ok(()))
}

fn fill(root: &Root, blocks: u64, behind: u64) -> Result<()> {
    let driver = start(root)?.driver;
    let received =
        Log::open(root.received(0, 0)?, headwater_wal::Options::default())?.start(Position::START)?;
    let mut previous = None;
    let mut known = 0;
    for (upto, checkpoint) in [(blocks - behind, true), (blocks, false)] {
        while known < upto {
            let some = (upto - known).min(OUTSTANDING);
            let tickets: Vec<_> =
                (0..some).map(|_| received.append(Time(1), "a block")).collect::<Result<_>>()?;
            let mut adds = Vec::with_capacity(some as usize);
            for ticket in tickets {
                let handle = ticket.wait()?;
                let ranges = vec![SourceRange { partition: 0, from: known, to: known + 1 }];
                let block = Block {
                    stream: 0,
                    receiver: 0,
                    handle,
                    previous,
                    id: known,
                    records: 1,
                    ranges,
                    own: Default::default(),
                };
                adds.push(driver.journal().add_later(block)?);
                (previous, known) = (Some(handle.position()), known + 1);
            }
            for add in adds {
                let _ = add.wait()?;
            }
        }
        if checkpoint {
            driver.checkpoint(driver.snapshot()?, 0, |_| Ok(()))?.wait()?;
        }
    }
    driver.close()
}

#[cfg(test)]
mod tests {
    use headwater_checkpoint::journal::{BatchId, Wanted};

    use super::*;

    #[test]
    fn a_driver_resumes_with_every_block_that_its_journal_knows() {
        let resuming = Resuming::new(&std::env::temp_dir(), 300, 100).unwrap();
        assert!(resuming.bare().unwrap() > Duration::ZERO && resuming.resume().unwrap() > Duration::ZERO);
        let driver = start(&resuming.root).unwrap().driver;
        let batch = driver.journal().allot(Wanted::all(BatchId(1))).unwrap().has().unwrap();
        assert_eq!(batch.blocks().count(), 300);
    }
}
