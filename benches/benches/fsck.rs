//! A full check of a log that was closed, with the page cache warm; and the bare loop: the same files read, every byte
//! checksummed.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use headwater_benches::checking::Checking;
use headwater_benches::folder;
use headwater_benches::sizes::{self, list_or, named, one};

fn fsck(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let log = one("log");
    for bytes in list_or("record", "1KiB,64KiB") {
        let records = log.div_ceil(bytes) as u64;
        let checking = Checking::new(&folder, records, bytes, one("segment") as u64).expect("a log");
        let mut group = criterion.benchmark_group("fsck");
        group.sample_size(10).throughput(Throughput::Bytes(checking.bytes()));
        let mut row = |name: &str, body: fn(&Checking) -> Duration| {
            group.bench_function(format!("{}/{}/{name}", named(log), named(bytes)), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| body(&checking)).sum());
            });
        };
        row("bare", Checking::bare);
        row("check", Checking::check);
        group.finish();
    }
}

criterion_group!(benches, fsck);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
