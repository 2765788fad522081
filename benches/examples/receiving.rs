//! A receiver, below the folder that `HEADWATER_BENCH_DIR` names:
//!
//! - `cargo run --release -p headwater-benches --example receiving -- ROUNDS MIB` measures its throughput beside plain
//!   appends of the same blocks, in interleaved rounds;
//! - `cargo run --release -p headwater-benches --example receiving -- waits SECONDS` measures how long a record waits for
//!   its acknowledgement, as a table.

use std::path::Path;
use std::time::Duration;

use headwater_benches::folder;
use headwater_benches::receiving::{Load, append, receive, wait};
use headwater_wal::Result;

const RECORD_BYTES: usize = 1000;

fn throughput(folder: &Path, rounds: u64, mib: u64) -> Result<()> {
    let records = (mib << 20) / RECORD_BYTES as u64;
    let (_, blocks) = receive(folder, records, RECORD_BYTES, true)?; // it is warm, and shows the blocks
    let mut ratios = Vec::new();
    for round in 0..rounds {
        // Whoever comes second finds the disk as the first one left it: they take turns.
        let mut received = 0.0;
        if round % 2 == 0 {
            (received, _) = receive(folder, records, RECORD_BYTES, false)?;
        }
        let appended = append(folder, &blocks, RECORD_BYTES)?;
        if round % 2 == 1 {
            (received, _) = receive(folder, records, RECORD_BYTES, false)?;
        }
        ratios.push(received / appended);
        println!("received {:6.0} MB/s  appended {:6.0} MB/s", received / 1e6, appended / 1e6);
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio {:.2} ({:.2} to {:.2})", ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1]);
    Ok(())
}

fn waits(folder: &Path, seconds: u64) -> Result<()> {
    println!("| interval | records a second | came | p50 | p99 | p99.9 | most |");
    println!("|---|---|---|---|---|---|---|");
    let rows =
        [(50, Some(1e3)), (200, Some(1e3)), (50, Some(1e5)), (200, Some(1e5)), (200, Some(4e5)), (200, None)];
    for (interval, a_second) in rows {
        let load = Load {
            interval: Duration::from_millis(interval),
            block_bytes: 1 << 20,
            record_bytes: RECORD_BYTES,
            a_second,
            lasts: Duration::from_secs(seconds),
        };
        let waits = wait(folder, &load)?;
        let at = |part| format!("{:.1} ms", waits.at(part).as_secs_f64() * 1e3);
        let asked = a_second.map_or("as fast as they are taken".into(), |rate| format!("{rate}"));
        let (p50, p99, p999, most) = (at(0.5), at(0.99), at(0.999), at(1.0));
        println!("| {interval} ms | {asked} | {:.0} | {p50} | {p99} | {p999} | {most} |", waits.a_second);
    }
    Ok(())
}

fn main() -> Result<()> {
    let folder = folder(env!("CARGO_MANIFEST_DIR"));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(default, |arg| arg.parse().expect("a number"));
    match args.first().map(String::as_str) {
        Some("waits") => waits(&folder, number(1, 5)),
        _ => throughput(&folder, number(0, 5), number(1, 256)),
    }
}
