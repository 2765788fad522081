//! Opening a log: of many sealed segments, and of one long segment that grows and so is scanned.

use criterion::{Criterion, criterion_group};
use headwater_benches::folder;
use headwater_benches::reading::Reading;
use headwater_benches::sizes::{self, named, one};

fn recovery(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10);
    let (segments, scanned_bytes) = (one("sealed"), one("scanned"));
    let sealed = Reading::sealed(&folder, segments, 100).expect("a log");
    group.bench_function(format!("{segments}-sealed-segments"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| sealed.open()).sum());
    });
    drop(sealed);
    let scanned =
        Reading::growing(&folder, scanned_bytes >> 10, 1024, 2 * scanned_bytes as u64).expect("a log");
    group.bench_function(format!("{}-scanned", named(scanned_bytes)), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| scanned.open()).sum());
    });
    group.finish();
}

criterion_group!(benches, recovery);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
