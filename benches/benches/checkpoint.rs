//! Writing and restoring checkpoints of sections that compress 2 to 3 times, with the page cache warm; and
//! the same bytes by hand.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use headwater_benches::checkpointing::{ByHand, Ours, Sections, Shape};
use headwater_benches::folder;
use headwater_benches::sizes::{self, named, one};
use headwater_checkpoint::Options;

/// The sections, and what they are called.
fn sections() -> (Sections, String) {
    let (count, bytes) = (one("sections"), one("section"));
    (Sections::records(count, bytes), format!("{count}x{}", named(bytes)))
}

fn checkpoint(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let (sections, name) = sections();
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(10).throughput(Throughput::Bytes(sections.bytes()));
    let mut row = |what: &str, changed: fn(usize) -> bool| {
        // Nothing but the last two is kept, so that a bench that runs for long does not fill the disk.
        let mut ours = Ours::start(&folder, Options::default().keep_last(2)).expect("a writer");
        ours.write(&sections, |_| true).expect("a checkpoint");
        group.bench_function(BenchmarkId::new(what, &name), |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds).map(|_| ours.write(&sections, changed).expect("a checkpoint").took).sum()
            });
        });
    };
    row("all", |_| true);
    row("one changed", |number| number == 0);
    row("none changed", |_| false);
    group.bench_function(BenchmarkId::new("by hand", &name), |bencher| {
        let mut by_hand = ByHand::new(&folder, Shape::OneFile);
        bencher.iter_custom(|rounds| (0..rounds).map(|_| by_hand.write(&sections, 1)).sum());
    });
}

fn restore(criterion: &mut Criterion) {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    let (sections, name) = sections();
    let mut group = criterion.benchmark_group("restore");
    group.sample_size(10).throughput(Throughput::Bytes(sections.bytes()));
    let mut ours = Ours::start(&folder, Options::default()).expect("a writer");
    ours.write(&sections, |_| true).expect("a checkpoint");
    group.bench_function(BenchmarkId::new("all", &name), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| ours.restore().expect("a checkpoint")).sum());
    });
    let mut by_hand = ByHand::new(&folder, Shape::OneFile);
    by_hand.write(&sections, 1);
    group.bench_function(BenchmarkId::new("by hand", &name), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| by_hand.restore().0).sum());
    });
}

criterion_group!(benches, checkpoint, restore);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
