//! Reading many handles: neighbours, which are read at once, and anywhere.

use criterion::{Criterion, Throughput, criterion_group};
use headwater_benches::folder;
use headwater_benches::reading::Reading;
use headwater_benches::sizes::{self, list_or, named, one};

fn read_many(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let (log, reads) = (one("log"), one("reads"));
    for bytes in list_or("record", "1KiB") {
        let reading =
            Reading::new(&folder, log.div_ceil(bytes), bytes, one("segment") as u64).expect("a log");
        let name = format!("{}/{}", named(log), named(bytes));
        let mut group = criterion.benchmark_group("read_many");
        group.sample_size(10).throughput(Throughput::Elements(reading.handles().len() as u64));
        group.bench_function(format!("{name}/neighbours"), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| reading.read_many()).sum());
        });
        group.throughput(Throughput::Elements(reads as u64));
        group.bench_function(format!("{name}/anywhere"), |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds).map(|round| reading.read_many_anywhere(reads, round)).sum()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, read_many);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
