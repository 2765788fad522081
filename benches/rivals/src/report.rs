//! What people read: a table for each shape, and the goals.

use std::fmt::Write;

use headwater_benches::replication::line::{Line, Load};

use crate::args::Args;
use crate::load::Shape;
use crate::session::prefix;
use crate::system::SYSTEMS;

/// A ratio that was promised: throughput of ours ÷ theirs, taken in every round.
struct Goal {
    ours: &'static str,
    theirs: &'static str,
    shape: Shape,
    /// None is shown and not judged; on HDFS nothing is.
    at_least: Option<f64>,
}

const fn goal(
    ours: &'static str,
    theirs: &'static str,
    block_bytes: u64,
    receivers: u64,
    outstanding: u64,
    at_least: Option<f64>,
) -> Goal {
    Goal { ours, theirs, shape: Shape { receivers, block_bytes, outstanding }, at_least }
}

/// Who; blocks of how many bytes, how many receivers, how many outstanding of each.
const GOALS: &[Goal] = &[
    goal("log-power", "copies-2", 64 << 10, 4, 128, Some(0.5)),
    goal("log-process", "copies-2", 64 << 10, 4, 128, Some(1.0)),
    goal("append-power", "spark-store-2", 64 << 10, 1, 1, Some(10.0)),
    goal("append-power-threads", "spark-receiver-log-synced", 1 << 10, 1, 16, Some(5.0)),
    goal("append-power-threads", "spark-receiver-log-synced", 1 << 10, 1, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced", 64 << 10, 1, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced", 64 << 10, 1, 16, None),
    goal("append-power-threads", "spark-receiver-log", 1 << 10, 1, 1, None),
    goal("append-power-threads", "spark-receiver-log", 1 << 10, 1, 16, None),
    goal("append-process-threads", "spark-receiver-log", 1 << 10, 1, 1, None),
    goal("append-process-threads", "spark-receiver-log", 1 << 10, 1, 16, None),
    goal("append-process-threads", "spark-receiver-log", 64 << 10, 1, 16, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 1 << 10, 1, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 1 << 10, 1, 16, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 64 << 10, 1, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 64 << 10, 1, 16, None),
    goal("append-power", "spark-store-1", 64 << 10, 1, 1, None),
    goal("append-power", "spark-store-log", 64 << 10, 1, 1, None),
    goal("append-power", "spark-store-log-synced", 64 << 10, 1, 1, None),
    goal("append-power", "redis-synced", 64 << 10, 1, 1, None),
    goal("append-power", "redis-wait-1", 64 << 10, 1, 1, None),
    goal("append-power", "redis-synced", 64 << 10, 1, 128, None),
    goal("append-power", "redis-wait-1", 64 << 10, 1, 128, None),
    goal("append-power", "redis-synced", 1 << 10, 1, 1024, None),
    goal("append-power", "redis-wait-1", 1 << 10, 1, 1024, None),
    goal("log-power", "copies-2", 64 << 10, 1, 1, None),
    goal("log-power", "copies-2", 64 << 10, 1, 128, None),
    goal("log-process", "copies-2", 64 << 10, 1, 128, None),
    goal("log-power", "copies-2", 1 << 10, 4, 1024, None),
    goal("log-process", "copies-2", 1 << 10, 4, 1024, None),
    goal("log-power", "copies-3", 64 << 10, 4, 128, None),
    goal("copies-2+log-power", "log-power", 64 << 10, 4, 128, None),
    goal("log-power", "redis-wait-1", 64 << 10, 4, 128, None),
    goal("log-power", "redis-synced", 64 << 10, 4, 128, None),
    goal("log-process", "redis-wait-1", 64 << 10, 4, 128, None),
    goal("copies-2", "redis-wait-1", 64 << 10, 4, 128, None),
];

/// A report of some lines.
pub(crate) fn markdown(args: &Args, lines: &[Line]) -> String {
    let mut text = String::new();
    let mut shapes: Vec<Shape> = lines.iter().map(shape).collect();
    shapes.sort_unstable_by_key(|shape| (shape.block_bytes, shape.outstanding, shape.receivers));
    shapes.dedup();
    for of in shapes {
        let Shape { receivers, block_bytes, outstanding } = of;
        let _ = write!(
            text,
            "\n{receivers} receivers, blocks of {block_bytes} bytes, {outstanding} outstanding\n\n"
        );
        text += "| system | survives | blocks a second | MB/s | p50 µs | p99 µs | p99.9 µs | CPU s | MiB |\n";
        text += "|---|---|---|---|---|---|---|---|---|\n";
        for system in SYSTEMS.iter() {
            let its: Vec<&Line> =
                lines.iter().filter(|line| is(args, line, system.name) && shape(line) == of).collect();
            let of_its = |what: fn(&Line) -> f64| spread(its.iter().map(|line| what(line)).collect());
            let Some([middle, least, most]) = of_its(|line| line.blocks_per_second) else { continue };
            let median = |what| of_its(what).map_or(0.0, |[middle, ..]| middle);
            let _ = writeln!(
                text,
                "| `{}` | {:?} | {middle:.0} ({least:.0}..{most:.0}) | {:.1} | {:.0} | {:.0} | {:.0} | {:.2} | {:.0} |",
                system.name,
                system.survives,
                median(|line| line.bytes_per_second / 1e6),
                median(|line| line.latency_us.p50),
                median(|line| line.latency_us.p99),
                median(|line| line.latency_us.p99_9),
                median(|line| line.cpu_seconds / line.seconds),
                median(|line| line.memory_bytes_max.unwrap_or(0) as f64 / f64::from(1 << 20)),
            );
        }
    }
    text + &goals(args, lines)
}

fn goals(args: &Args, lines: &[Line]) -> String {
    let mut text = String::from(
        "\n| blocks, receivers, outstanding | ratio of blocks a second | median | goal | |\n|---|---|---|---|---|\n",
    );
    for Goal { ours, theirs, shape: of, at_least } in GOALS {
        let made = |system, round| {
            let found = |line: &&Line| is(args, line, system) && line.round == round && shape(line) == *of;
            lines.iter().find(found).map(|line| line.blocks_per_second)
        };
        let ratios = (0..args.rounds).filter_map(|round| Some(made(ours, round)? / made(theirs, round)?));
        let Some([middle, least, most]) = spread(ratios.collect()) else { continue };
        let at_least = at_least.filter(|_| args.hdfs.is_none());
        let verdict = at_least.map_or("", |goal| if middle >= goal { "met" } else { "**missed**" });
        let goal = at_least.map_or(String::new(), |goal| goal.to_string());
        let _ = writeln!(
            text,
            "| {} KiB, {}, {} | `{ours}` ÷ `{theirs}` | {middle:.2} ({least:.2}..{most:.2}) | {goal} | {verdict} |",
            of.block_bytes >> 10,
            of.receivers,
            of.outstanding,
        );
    }
    text
}

fn is(args: &Args, line: &Line, system: &str) -> bool {
    line.system.strip_prefix(prefix(args)) == Some(system)
}

fn shape(line: &Line) -> Shape {
    let outstanding = match line.load {
        Load::Closed { outstanding } => outstanding,
        Load::Open { .. } => 0,
    };
    Shape { receivers: line.receivers, block_bytes: line.block_bytes, outstanding }
}

/// The middle, the least and the greatest.
fn spread(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    Some([f64::midpoint(low, high), least, most])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_both_ends() {
        assert_eq!(spread(vec![]), None);
        assert_eq!(spread(vec![3.0, 1.0, 2.0]), Some([2.0, 1.0, 3.0]));
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 3.0]), Some([2.5, 1.0, 4.0]));
    }

    #[test]
    fn every_goal_is_of_systems_that_are_measured_like_that() {
        for hdfs in [&[][..], &["--hdfs", "hdfs://host/folder"]] {
            let args = Args::parse(&hdfs.iter().map(|word| (*word).into()).collect::<Vec<_>>()).unwrap();
            for Goal { ours, theirs, shape, .. } in GOALS {
                let [ours, theirs] = [ours, theirs].map(|name| crate::system::named(name).unwrap());
                let belong = [ours, theirs].iter().all(|system| system.belongs(args.hdfs.is_some()));
                if belong {
                    assert!(ours.shapes(&args).contains(shape), "{} {shape:?}", ours.name);
                    assert!(theirs.shapes(&args).contains(shape), "{} {shape:?}", theirs.name);
                }
            }
        }
    }
}
