//! Reading records by their handles, anywhere in a log that the page cache holds; and the bare loop: a `pread`
//! and a checksum.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use headwater_benches::folder;
use headwater_benches::reading::Reading;
use headwater_benches::sizes::{self, list_or, named, one};

fn read(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let (log, reads) = (one("log"), one("reads"));
    for bytes in list_or("record", "1KiB") {
        let reading =
            Reading::new(&folder, log.div_ceil(bytes), bytes, one("segment") as u64).expect("a log");
        let mut group = criterion.benchmark_group("read");
        group.throughput(Throughput::Elements(reads as u64));
        let mut row = |name: &str, body: fn(&Reading, usize, u64) -> Duration| {
            group.bench_function(format!("{}/{}/{name}", named(log), named(bytes)), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|round| body(&reading, reads, round)).sum());
            });
        };
        row("bare", Reading::bare_reads);
        row("log", Reading::reads);
        row("reader", Reading::reader_reads);
        group.finish();
    }
}

criterion_group!(benches, read);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
