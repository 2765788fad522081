//! Opening a log: of a thousand sealed segments, and of one long segment that grows and so is scanned.

use criterion::{Criterion, criterion_group, criterion_main};
use headwater_benches::folder;
use headwater_benches::reading::Reading;

const SEGMENTS: usize = 1000;

fn recovery(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10);
    let sealed = Reading::sealed(&folder, SEGMENTS, 100).expect("a log");
    group.bench_function(format!("{SEGMENTS}-sealed-segments"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| sealed.open()).sum());
    });
    drop(sealed);
    let scanned = Reading::growing(&folder, 48 << 10, 1024, 64 << 20).expect("a log");
    group.bench_function("48MiB-scanned", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| scanned.open()).sum());
    });
    group.finish();
}

criterion_group!(benches, recovery);
criterion_main!(benches);
