//! Replaying a log from its beginning, verified, with the page cache warm; and the bare loop: a read of 1 MiB and a
//! checksum of every record.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::folder;
use headwater_benches::reading::Reading;

const MIB: usize = 256;

fn replay(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    for (size, record_bytes) in [("1KiB", 1024), ("64KiB", 64 << 10), ("1MiB", 1 << 20)] {
        let reading =
            Reading::new(&folder, (MIB << 20) / record_bytes, record_bytes, 64 << 20).expect("a log");
        let mut group = criterion.benchmark_group("replay");
        group.sample_size(10).throughput(Throughput::Bytes(reading.bytes()));
        let mut row = |name: &str, body: fn(&Reading) -> Duration| {
            group.bench_function(format!("{MIB}MiB/{size}/{name}"), |bencher| {
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
criterion_main!(benches);
