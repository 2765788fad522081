//! Appends: by record size, by threads that each wait for their own, by tickets outstanding of one thread, by durability;
//! and whether an append costs the same in a log of many segments as in a new one.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use headwater_benches::sizes::{self, list, list_or, named};
use headwater_benches::{Writing, folder};
use headwater_wal::Durability;

const RECORDS: &str = "100,1KiB,64KiB,1MiB";

fn writing(durability: Durability, bytes: usize) -> Writing {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    Writing::new(&folder, Writing::options(durability), bytes).expect("a log")
}

fn threads(criterion: &mut Criterion) {
    for (durability, name) in [(Durability::Power, "power"), (Durability::Process, "process")] {
        let mut group = criterion.benchmark_group(format!("append/{name}/threads"));
        for bytes in list_or("record", RECORDS) {
            for threads in list("threads").into_iter().map(|threads| threads as u64) {
                let log = writing(durability, bytes);
                group.throughput(Throughput::Bytes(bytes as u64 * threads));
                // One iteration is one append of every thread.
                group.bench_function(BenchmarkId::new(named(bytes), threads), |bencher| {
                    bencher.iter_custom(|rounds| log.wait_for_each(rounds, threads).expect("appends"));
                });
            }
        }
    }
}

fn tickets(criterion: &mut Criterion) {
    for (durability, name) in [(Durability::Power, "power"), (Durability::Process, "process")] {
        let mut group = criterion.benchmark_group(format!("append/{name}/tickets"));
        for bytes in list_or("record", RECORDS) {
            for outstanding in list("tickets") {
                if bytes * outstanding > 64 << 20 {
                    continue; // more than the queue takes
                }
                let log = writing(durability, bytes);
                group.throughput(Throughput::Bytes(bytes as u64));
                group.bench_function(BenchmarkId::new(named(bytes), outstanding), |bencher| {
                    bencher.iter_custom(|rounds| log.with_tickets(rounds, outstanding).expect("appends"));
                });
            }
        }
    }
}

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append/power/segments");
    let options = Writing::options(Durability::Power).segment_bytes(1 << 20);
    let log = Writing::new(&folder(env!("CARGO_TARGET_TMPDIR")), options, 1024).expect("a log");
    for segments in list("segments") {
        while log.segments() < segments {
            log.wait_for_each(1, 1).and_then(|_| log.seal()).expect("a segment more");
        }
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("1KiB", segments), |bencher| {
            bencher.iter_custom(|rounds| log.wait_for_each(rounds, 1).expect("appends"));
        });
    }
}

criterion_group!(benches, threads, tickets, growth);

fn main() {
    sizes::take();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
