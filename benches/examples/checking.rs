//! A full check of a log on local disk beside a bare loop over the same files, in interleaved rounds: `checking MIB ROUNDS
//! RECORD_BYTES`, below the folder that `HEADWATER_BENCH_DIR` names. Prints the medians, the ratio of each round, and what a
//! process that does nothing else takes of memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use headwater_benches::checking::{Checking, check_at};
use headwater_benches::folder;
use headwater_wal::Result;

const SEGMENT_BYTES: u64 = 64 << 20;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, path] = args.as_slice()
        && verb == "once"
    {
        return once(Path::new(path));
    }
    let number = |at: usize, default: u64| args.get(at).map_or(default, |arg| arg.parse().expect("a number"));
    let (mib, rounds, record_bytes) = (number(0, 4096), number(1, 5), number(2, 1024));
    let folder = folder(env!("CARGO_MANIFEST_DIR"));
    let records = (mib << 20) / record_bytes;
    let checking = Checking::new(&folder, records, record_bytes as usize, SEGMENT_BYTES)?;
    let bytes = checking.bytes() as f64;
    let rate = |took: Duration| bytes / 1e9 / took.as_secs_f64();
    checking.bare(); // the page cache is warm, as far as it goes
    let (mut bare, mut check, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // Whoever comes second finds the cache as the first one left it: they take turns.
        let first = (round % 2 == 0).then(|| rate(checking.bare()));
        let checked = rate(checking.check());
        let read = first.unwrap_or_else(|| rate(checking.bare()));
        println!("bare {read:5.2} GB/s  check {checked:5.2} GB/s  ratio {:.2}", checked / read);
        bare.push(read);
        check.push(checked);
        ratios.push(checked / read);
    }
    for (name, unit, values) in [("bare", "GB/s", bare), ("check", "GB/s", check), ("ratio", "", ratios)] {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        let (least, most) = (values[0], values[values.len() - 1]);
        println!("{name:5} {:.2} {unit} ({least:.2} to {most:.2})", values[values.len() / 2]);
    }
    let program = std::env::current_exe().expect("this program");
    let alone = Command::new(program).arg("once").arg(checking.path()).output().expect("it runs");
    println!("{} alone: {}", mib, String::from_utf8_lossy(&alone.stdout).trim());
    Ok(())
}

/// A check in a process of its own, and the most memory that it took.
fn once(path: &Path) -> Result<()> {
    let (took, records) = check_at(path)?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("VmHWM: not known here");
    println!("{records} records in {took:.1?}; {}", most.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(())
}
