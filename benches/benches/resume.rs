//! Resuming a driver whose journal knows many blocks, of which some came after its newest checkpoint; and what no resume
//! can do without: the journal's log opened and started, those events replayed, the checkpoint's bytes read.

use criterion::{Criterion, Throughput, criterion_group};
use headwater_benches::folder;
use headwater_benches::resuming::Resuming;
use headwater_benches::sizes::{self, list, one};

fn resume(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    for blocks in list("blocks").into_iter().map(|blocks| blocks as u64) {
        let behind = blocks.min(one("behind") as u64);
        let resuming = Resuming::new(&folder, blocks, behind).expect("a root");
        let mut group = criterion.benchmark_group("resume");
        group.sample_size(10).throughput(Throughput::Elements(blocks));
        let name = format!("{blocks}-blocks/{behind}-behind");
        group.bench_function(format!("{name}/bare"), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| resuming.bare().expect("a root")).sum());
        });
        group.bench_function(format!("{name}/resume"), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| resuming.resume().expect("a driver")).sum());
        });
        group.finish();
    }
}

criterion_group!(benches, resume);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
