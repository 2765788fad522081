//! Replaying a log from its beginning, verified, with the page cache warm.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::{Bench, folder};

const RECORD_BYTES: usize = 1024;
const MIB: u64 = 64;

fn replay(criterion: &mut Criterion) {
    let bench = Bench::new(&folder(env!("CARGO_TARGET_TMPDIR")), RECORD_BYTES).expect("a log");
    bench.fill((MIB << 20) / RECORD_BYTES as u64);
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(10).throughput(Throughput::Bytes(MIB << 20));
    group.bench_function(format!("{MIB}MiB/1KiB"), |bencher| bencher.iter(|| bench.replay()));
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
