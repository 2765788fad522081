//! Resuming a driver whose journal knows many blocks: `resuming [BLOCKS] [BEHIND] [ROUNDS] [FOLDER]`, in release.
//!
//! One million blocks are in the journal, and the newest checkpoint is 10,000 of them old. A resume is set against what it
//! cannot do without: opening and starting the journal's log, replaying those 10,000 events, and reading the checkpoint's
//! bytes. Then the checkpoints are removed, and a process of its own resumes from the journal alone and says what memory
//! that took.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use headwater_benches::folder;
use headwater_benches::resuming::{Resuming, resume_at};
use headwater_checkpoint::resume::Root;

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
    let resuming = Resuming::new(&folder, blocks, behind).expect("a root");
    let (mut ratios, mut resumes, mut bares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let bare = resuming.bare().expect("a root");
        let resume = resuming.resume().expect("it resumes");
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
    std::fs::remove_dir_all(resuming.path().join("checkpoints")).expect("the checkpoints");
    let itself = std::env::current_exe().expect("a program");
    let ended = Command::new(itself)
        .arg("--from-the-journal-alone")
        .arg(resuming.path())
        .status()
        .expect("a process");
    assert!(ended.success());
}

fn from_the_journal_alone(root: &Root) {
    let began = Instant::now();
    let again = resume_at(root).expect("it resumes");
    let took = began.elapsed();
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: not known");
    println!(
        "from the journal alone             {:8.3} s, {again} batches again, {peak}",
        took.as_secs_f64()
    );
}
