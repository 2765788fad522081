//! Durable appends of 1 KiB, one at a time and from sixteen threads, which share syncs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::{Bench, folder};

const RECORD_BYTES: usize = 1024;

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    for threads in [1, 16] {
        let bench = Bench::new(&folder(env!("CARGO_TARGET_TMPDIR")), RECORD_BYTES).expect("a log");
        group.throughput(Throughput::Elements(threads));
        // One iteration is one append of every thread.
        group.bench_function(format!("1KiB/power/{threads}-threads"), |bencher| {
            bencher.iter_custom(|rounds| bench.append(rounds * threads, threads));
        });
    }
    group.finish();
}

criterion_group!(benches, append);
criterion_main!(benches);
