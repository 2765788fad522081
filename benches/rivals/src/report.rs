//! What people read: a table for each shape, and the goals.

use std::fmt::Write;

use headwater_benches::replication::line::{Line, Load};

use crate::args::Args;
use crate::session::prefix;
use crate::system::SYSTEMS;

/// A ratio that was promised: throughput of ours ÷ theirs, taken in every round.
struct Goal {
    ours: (&'static str, u64, u64),
    theirs: (&'static str, u64, u64),
    /// None is shown and not judged; on HDFS nothing is.
    at_least: Option<f64>,
}

const fn goal(
    ours: &'static str,
    theirs: &'static str,
    bytes: u64,
    outstanding: u64,
    at_least: Option<f64>,
) -> Goal {
    Goal { ours: (ours, bytes, outstanding), theirs: (theirs, bytes, outstanding), at_least }
}

/// Of one receiver: who, blocks of how many bytes, how many outstanding.
const GOALS: &[Goal] = &[
    goal("append-power", "spark-store-2", 64 << 10, 1, Some(10.0)),
    goal("append-power-threads", "spark-receiver-log-synced", 1 << 10, 16, Some(5.0)),
    goal("append-power-threads", "spark-receiver-log-synced", 1 << 10, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced", 64 << 10, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced", 64 << 10, 16, None),
    goal("append-power-threads", "spark-receiver-log", 1 << 10, 1, None),
    goal("append-power-threads", "spark-receiver-log", 1 << 10, 16, None),
    goal("append-process-threads", "spark-receiver-log", 1 << 10, 1, None),
    goal("append-process-threads", "spark-receiver-log", 1 << 10, 16, None),
    goal("append-process-threads", "spark-receiver-log", 64 << 10, 16, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 1 << 10, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 1 << 10, 16, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 64 << 10, 1, None),
    goal("append-power-threads", "spark-receiver-log-synced-length", 64 << 10, 16, None),
    goal("append-power", "spark-store-1", 64 << 10, 1, None),
    goal("append-power", "spark-store-log", 64 << 10, 1, None),
    goal("append-power", "spark-store-log-synced", 64 << 10, 1, None),
    goal("append-power", "redis-synced", 64 << 10, 1, None),
    goal("append-power", "redis-wait-1", 64 << 10, 1, None),
    goal("append-power", "redis-synced", 64 << 10, 128, None),
    goal("append-power", "redis-wait-1", 64 << 10, 128, None),
    goal("append-power", "redis-synced", 1 << 10, 1024, None),
    goal("append-power", "redis-wait-1", 1 << 10, 1024, None),
];

/// A report of some lines.
pub(crate) fn markdown(args: &Args, lines: &[Line]) -> String {
    let mut text = String::new();
    let mut shapes: Vec<_> = lines.iter().map(shape).collect();
    shapes.sort_unstable();
    shapes.dedup();
    for of in shapes {
        let (bytes, outstanding, receivers) = of;
        let _ =
            write!(text, "\n{receivers} receivers, blocks of {bytes} bytes, {outstanding} outstanding\n\n");
        text += "| system | survives | blocks a second | MB/s | p50 µs | p99 µs | p99.9 µs | CPU s | MiB |\n";
        text += "|---|---|---|---|---|---|---|---|---|\n";
        for system in SYSTEMS {
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
        "\n| blocks, outstanding | ratio of blocks a second | median | goal | |\n|---|---|---|---|---|\n",
    );
    for Goal { ours, theirs, at_least } in GOALS {
        let of = |(system, bytes, outstanding): (&str, u64, u64), round| {
            let found = |line: &&Line| {
                is(args, line, system) && line.round == round && shape(line) == (bytes, outstanding, 1)
            };
            lines.iter().find(found).map(|line| line.blocks_per_second)
        };
        let ratios = (0..args.rounds).filter_map(|round| Some(of(*ours, round)? / of(*theirs, round)?));
        let Some([middle, least, most]) = spread(ratios.collect()) else { continue };
        let at_least = at_least.filter(|_| args.hdfs.is_none());
        let verdict = at_least.map_or("", |goal| if middle >= goal { "met" } else { "**missed**" });
        let goal = at_least.map_or(String::new(), |goal| goal.to_string());
        let _ = writeln!(
            text,
            "| {} KiB, {} | `{}` ÷ `{}` | {middle:.2} ({least:.2}..{most:.2}) | {goal} | {verdict} |",
            ours.1 >> 10,
            ours.2,
            ours.0,
            theirs.0,
        );
    }
    text
}

fn is(args: &Args, line: &Line, system: &str) -> bool {
    line.system.strip_prefix(prefix(args)) == Some(system)
}

fn shape(line: &Line) -> (u64, u64, u64) {
    let outstanding = match line.load {
        Load::Closed { outstanding } => outstanding,
        Load::Open { .. } => 0,
    };
    (line.block_bytes, outstanding, line.receivers)
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
    fn every_goal_is_of_systems_that_there_are() {
        for goal in GOALS {
            for (name, ..) in [goal.ours, goal.theirs] {
                assert!(crate::system::named(name).is_ok(), "{name}");
            }
        }
    }
}
