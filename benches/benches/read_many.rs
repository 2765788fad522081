//! Reading many handles of records of 1 KiB: neighbours, which are read at once, and anywhere.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::folder;
use headwater_benches::reading::Reading;

const RECORD_BYTES: usize = 1024;
const MIB: usize = 256;
const READS: usize = 10_000;

fn read_many(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let reading = Reading::new(&folder, MIB << 10, RECORD_BYTES, 64 << 20).expect("a log");
    let mut group = criterion.benchmark_group("read_many");
    group.sample_size(10).throughput(Throughput::Elements(reading.handles().len() as u64));
    group.bench_function(format!("{MIB}MiB/1KiB/neighbours"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| reading.read_many()).sum());
    });
    group.throughput(Throughput::Elements(READS as u64));
    group.bench_function(format!("{MIB}MiB/1KiB/anywhere"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|round| reading.read_many_anywhere(READS, round)).sum());
    });
    group.finish();
}

criterion_group!(benches, read_many);
criterion_main!(benches);
