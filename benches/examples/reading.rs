//! Reads beside bare loops, in interleaved rounds: `reading MIB ROUNDS [FOLDER]`. Prints the medians, and of each pair
//! the median of the rounds' ratios.

use std::path::Path;
use std::time::Duration;

use headwater_benches::folder;
use headwater_benches::reading::Reading;

const RECORD_BYTES: usize = 1024;
const READS: usize = 200_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default: usize| args.next().map_or(default, |arg| arg.parse().expect("a number"));
    let (mib, rounds) = (number(512), number(5));
    let folder = folder(env!("CARGO_MANIFEST_DIR"));
    let reading = Reading::new(Path::new(&folder), mib << 10, RECORD_BYTES, 64 << 20).expect("a log");
    let warm = |body: &dyn Fn() -> Duration| {
        body();
        body()
    };
    let cold = |body: &dyn Fn() -> Duration| {
        reading.cool();
        body()
    };
    let bytes = reading.bytes() as f64;
    let mut rows: Vec<(&str, &str, f64, Vec<f64>)> = Vec::new();
    let mut row = |name: &'static str, unit: &'static str, amount: f64, time: Duration| {
        let value = amount / time.as_secs_f64();
        match rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.3.push(value),
            None => rows.push((name, unit, amount, vec![value])),
        }
    };
    for round in 0..rounds as u64 {
        row("bare replay, warm", "GB/s", bytes / 1e9, warm(&|| reading.bare_replay()));
        row("replay, warm", "GB/s", bytes / 1e9, warm(&|| reading.replay()));
        row("read_many, warm", "GB/s", bytes / 1e9, warm(&|| reading.read_many()));
        row("follow, warm", "GB/s", bytes / 1e9, warm(&|| reading.follow()));
        row("bare replay, cold", "GB/s", bytes / 1e9, cold(&|| reading.bare_replay()));
        row("replay, cold", "GB/s", bytes / 1e9, cold(&|| reading.replay()));
        let reads = READS as f64 / 1e6;
        row("bare reads", "M/s", reads, warm(&|| reading.bare_reads(READS, round)));
        row("reads", "M/s", reads, warm(&|| reading.reads(READS, round)));
        row("reader's reads", "M/s", reads, warm(&|| reading.reader_reads(READS, round)));
        row("read_many anywhere", "M/s", reads, warm(&|| reading.read_many_anywhere(READS, round)));
    }
    let mut bare: Vec<f64> = Vec::new();
    for (name, unit, _, values) in &rows {
        if name.starts_with("bare") {
            bare = values.clone();
        }
        let ratios: Vec<f64> = values.iter().zip(&bare).map(|(value, bare)| value / bare).collect();
        println!(
            "{name:20} {:6.2} {unit:4}  ratio {:4.2}  ({:.2} to {:.2})",
            median(values),
            median(&ratios),
            values.iter().copied().fold(f64::INFINITY, f64::min),
            values.iter().copied().fold(0.0, f64::max),
        );
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
