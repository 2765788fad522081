//! Resuming a driver whose journal knows many blocks: `resuming [BLOCKS] [BEHIND] [ROUNDS] [FOLDER]`, in release.
//!
//! One million blocks are in the journal, and the newest checkpoint is 10,000 of them old. A resume is set against what it
//! cannot do without: opening and starting the journal's log, replaying those 10,000 events, and reading the checkpoint's
//! bytes. Then the checkpoints are removed, and a process of its own resumes from the journal alone and says what memory
//! that took.

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use headwater_benches::folder;
use headwater_checkpoint::journal::{Block, SourceRange};
use headwater_checkpoint::resume::{self, Options, Resumed, Root, get_or_create};
use headwater_checkpoint::{Checkpoints, Held};
use headwater_wal::{Log, Position, Result, Time};

const OUTSTANDING: usize = 10_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, dir] = args.as_slice()
        && flag == "--from-the-journal-alone"
    {
        return from_the_journal_alone(&Root::local(dir));
    }
    let number = |at: usize, default: u64| args.get(at).map_or(default, |arg| arg.parse().expect("a number"));
    let (blocks, behind, rounds) = (number(0, 1_000_000), number(1, 10_000), number(2, 5));
    let folder = args.get(3).map_or_else(|| folder(env!("CARGO_MANIFEST_DIR")), Into::into);
    let dir = tempfile::tempdir_in(folder).expect("a folder");
    let root = Root::local(dir.path());
    fill(&root, blocks, behind).expect("a root");
    let (mut ratios, mut resumes, mut bares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let bare = timed(|| bare(&root));
        let resume = timed(|| drop(start(&root).expect("it resumes")));
        ratios.push(bare.as_secs_f64() / resume.as_secs_f64());
        resumes.push(resume.as_secs_f64());
        bares.push(bare.as_secs_f64());
    }
    let told = |name: &str, values: &mut Vec<f64>, unit: &str| {
        values.sort_by(f64::total_cmp);
        let (least, most) = (values[0], values[values.len() - 1]);
        println!("{name:34} {:8.3} {unit:2} ({least:.3} to {most:.3})", values[values.len() / 2]);
    };
    println!("{blocks} blocks, a checkpoint {behind} old, {rounds} rounds");
    told("log, events and checkpoint read", &mut bares, "s");
    told("resume", &mut resumes, "s");
    told("ratio of the two", &mut ratios, "");
    std::fs::remove_dir_all(dir.path().join("checkpoints")).expect("the checkpoints");
    let itself = std::env::current_exe().expect("a program");
    let ended =
        Command::new(itself).arg("--from-the-journal-alone").arg(dir.path()).status().expect("a process");
    assert!(ended.success());
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
            let some = (upto - known).min(OUTSTANDING as u64);
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

/// What no resume can do without.
fn bare(root: &Root) {
    let checkpoints = Checkpoints::open(root.checkpoints().expect("a folder"));
    let latest =
        checkpoints.latest(&Held::nothing()).expect("they are looked at").checkpoint.expect("there is one");
    let mut section = checkpoints.read_section(&latest, resume::STATE).expect("it is there");
    let mut window = vec![0; 1 << 20];
    while section.read(&mut window).expect("it is read") > 0 {}
    let from = latest.position(resume::JOURNAL).expect("it has one");
    let log = Log::open(root.journal().expect("a folder"), options().log).expect("it opens");
    let log = log.start(from).expect("it starts");
    let events =
        log.replay(from).expect("it is replayed").map(|record| record.expect("a record").payload.len());
    assert!(events.sum::<usize>() > 0);
}

fn from_the_journal_alone(root: &Root) {
    let mut again = 0;
    let took = timed(|| again = start(root).expect("it resumes").again.len());
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: not known");
    println!(
        "from the journal alone             {:8.3} s, {again} batches again, {peak}",
        took.as_secs_f64()
    );
}

fn timed(body: impl FnOnce()) -> Duration {
    let since = Instant::now();
    body();
    since.elapsed()
}
