//! Appends: by record size, by threads that each wait for their own, by tickets outstanding of one thread, by durability;
//! and whether an append costs the same in a log of many segments as in a new one.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use headwater_benches::{Writing, folder};
use headwater_wal::Durability;

const SIZES: [usize; 4] = [100, 1024, 64 << 10, 1 << 20];
const SEGMENTS: [usize; 3] = [1, 1_000, 10_000];

fn named(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 => format!("{}MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 => format!("{}KiB", bytes >> 10),
        bytes => format!("{bytes}B"),
    }
}

fn writing(durability: Durability, bytes: usize) -> Writing {
    let folder = folder(env!("CARGO_TARGET_TMPDIR"));
    Writing::new(&folder, Writing::options(durability), bytes).expect("a log")
}

fn threads(criterion: &mut Criterion) {
    for (durability, name) in [(Durability::Power, "power"), (Durability::Process, "process")] {
        let mut group = criterion.benchmark_group(format!("append/{name}/threads"));
        for bytes in SIZES {
            for threads in [1, 16, 64] {
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
        for bytes in SIZES {
            for outstanding in [1, 32, 1024] {
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
    for segments in SEGMENTS {
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
criterion_main!(benches);
