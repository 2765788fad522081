//! Replaying a log from its beginning, verified, with the page cache warm; and the bare loop: a read of 1 MiB and a
//! checksum of every record.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use headwater_benches::folder;
use headwater_benches::reading::Reading;
use headwater_benches::sizes::{self, list_or, named, one};

fn replay(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let log = one("log");
    for bytes in list_or("record", "1KiB,64KiB,1MiB") {
        let reading =
            Reading::new(&folder, log.div_ceil(bytes), bytes, one("segment") as u64).expect("a log");
        let mut group = criterion.benchmark_group("replay");
        group.sample_size(10).throughput(Throughput::Bytes(reading.bytes()));
        let mut row = |name: &str, body: fn(&Reading) -> Duration| {
            group.bench_function(format!("{}/{}/{name}", named(log), named(bytes)), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| body(&reading)).sum());
            });
        };
        row("bare", Reading::bare_replay);
        row("replay", Reading::replay);
        row("follow", Reading::follow);
        group.finish();
    }
}

criterion_group!(benches, replay);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
