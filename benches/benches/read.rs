//! Reading records of 1 KiB by their handles, anywhere in a log that the page cache holds; and the bare loop: a `pread`
//! and a checksum.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::folder;
use headwater_benches::reading::Reading;

const RECORD_BYTES: usize = 1024;
const MIB: usize = 256;
const READS: usize = 10_000;

fn read(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let reading = Reading::new(&folder, MIB << 10, RECORD_BYTES, 64 << 20).expect("a log");
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(READS as u64));
    let mut row = |name: &str, body: fn(&Reading, usize, u64) -> Duration| {
        group.bench_function(format!("{MIB}MiB/1KiB/{name}"), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|round| body(&reading, READS, round)).sum());
        });
    };
    row("bare", Reading::bare_reads);
    row("log", Reading::reads);
    row("reader", Reading::reader_reads);
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
