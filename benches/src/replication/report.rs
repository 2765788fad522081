//! A run as text, for people.

use std::fmt::Write;

use super::line::{Line, Load, Much, Survives};
use super::summary::{Row, Table, systems, tables};
use crate::measure::statistics::Spread;

/// What the issue of log or copies is measured by: one system's throughput by another's, and the least that it should be.
const GOALS: &[(&str, &str, f64)] = &[("log-power", "copies-2", 0.5), ("log-process", "copies-2", 1.0)];
const GOAL_BLOCK_BYTES: u64 = 64 << 10;
const GOAL_RECEIVERS: u64 = 4;

/// The ratios that are shown wherever both were measured.
pub(super) const RATIOS: &[(&str, &str)] = &[
    ("log-power", "copies-2"),
    ("log-process", "copies-2"),
    ("log-power", "copies-3"),
    ("copies-2+log-power", "log-power"),
];

/// The whole report. `head` says what machine and disk it was.
pub(super) fn text(head: &[String], lines: &[Line]) -> String {
    let tables = tables(lines);
    let mut text = head.iter().fold(String::new(), |text, line| text + line + "\n");
    let parts = [losses(lines), ratios(&tables), goals(&tables)].into_iter().chain(tables.iter().map(table));
    parts.filter(|part| !part.is_empty()).for_each(|part| text += &format!("\n{part}"));
    text
}

/// What a run says while it goes on.
pub(super) fn progress(line: &Line) -> String {
    format!(
        "round {} {:7} {:2} receivers  {:24} {:19} {:8.1} MB/s  p50 {:.0} µs  p99 {:.0} µs",
        line.round + 1,
        size(line.block_bytes),
        line.receivers,
        load(line.load),
        line.system,
        line.bytes_per_second / 1e6,
        line.latency_us.p50,
        line.latency_us.p99
    )
}

/// What is lost of acknowledged blocks, and who says so.
fn losses(lines: &[Line]) -> String {
    let mut text = String::from("What is lost of acknowledged blocks when they die\n\n");
    let _ = writeln!(
        text,
        "{:20}{:14}{:12}{:12}{:12}{:12}",
        "", "survives", "one process", "both", "the machine", "its disk"
    );
    let systems = systems(lines);
    for line in &systems {
        let [one, both, machine, disk] = line.lost.all().map(|(_, loss)| much(loss.is));
        let _ = writeln!(
            text,
            "{:20}{:14}{one:12}{both:12}{machine:12}{disk:12}",
            line.system,
            survives(line.survives)
        );
    }
    for line in &systems {
        let _ = writeln!(text, "\n{}, {}:", line.system, line.is);
        for (who, loss) in line.lost.all() {
            let _ = writeln!(text, "  {who}: {}. {}", much(loss.is), loss.shown_by);
        }
    }
    text
}

/// Throughput of one system by another's, by block length and receivers.
fn ratios(tables: &[Table]) -> String {
    let mut text = String::new();
    for (one, other) in RATIOS {
        let with = tables.iter().filter(|table| table.is_closed());
        let found: Vec<_> = with.filter_map(|table| Some((table, table.ratio(one, other)?))).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "Throughput of {one} ÷ {other}, in closed loops (median of rounds, least..greatest)\n"
        );
        for (table, ratio) in found {
            let _ = writeln!(
                text,
                "{:>8} {:2} receivers {:24} {}",
                size(table.block_bytes),
                table.receivers,
                load(table.load),
                times(ratio)
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    if text.is_empty() { text } else { text + "\n" }
}

fn goals(tables: &[Table]) -> String {
    let mut text = String::new();
    let is_goals = |table: &&Table| {
        table.is_closed() && (table.block_bytes, table.receivers) == (GOAL_BLOCK_BYTES, GOAL_RECEIVERS)
    };
    for table in tables.iter().filter(is_goals) {
        for (one, other, least) in GOALS {
            let Some(ratio) = table.ratio(one, other) else { continue };
            let met = if ratio.median >= *least { "met" } else { "MISSED" };
            let load = load(table.load);
            let _ = writeln!(text, "{one} ÷ {other}, {load}: {}, goal {least}: {met}", times(ratio));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("Goals, at {} and {GOAL_RECEIVERS} receivers\n\n{text}", size(GOAL_BLOCK_BYTES))
}

fn table(table: &Table) -> String {
    let receivers = if table.receivers == 1 { "receiver" } else { "receivers" };
    let mut text = format!(
        "Blocks of {}, {} {receivers}, {}\n\n",
        size(table.block_bytes),
        table.receivers,
        load(table.load)
    );
    let _ = writeln!(
        text,
        "{:20}{:>7}{:>18}{:>10}  {:>27}  {:>7}{:>9}{:>7}{:>8}",
        "",
        "MB/s",
        "(least..greatest)",
        "blocks/s",
        "p50, p99, p99.9 in µs",
        "CPU/GB",
        "net B/B",
        "disk",
        "MiB"
    );
    table.rows.iter().for_each(|each| text += &row(each));
    text
}

fn row(row: &Row) -> String {
    let gigabytes = |line: &Line| (line.blocks * line.block_bytes) as f64 / 1e9;
    let some =
        |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
    let per_byte = |bytes: Option<u64>, line: &Line| bytes.map(|bytes| bytes as f64 / 1e9 / gigabytes(line));
    let rate = row.spread(|line| Some(line.bytes_per_second / 1e6));
    let range = rate.map(|rate| format!("({:.0}..{:.0})", rate.least, rate.greatest)).unwrap_or_default();
    let waits = [
        row.median(|line| Some(line.latency_us.p50)),
        row.median(|line| Some(line.latency_us.p99)),
        row.median(|line| Some(line.latency_us.p99_9)),
    ];
    format!(
        "{:20}{:>7}{range:>18}{:>10}  {:>27}  {:>7}{:>9}{:>7}{:>8}\n",
        row.system,
        some(rate.map(|rate| rate.median), 0),
        some(row.median(|line| Some(line.blocks_per_second)), 0),
        waits.map(|wait| some(wait, 0)).join(", "),
        some(row.median(|line| Some(line.cpu_seconds / gigabytes(line))), 2),
        some(row.median(|line| per_byte(line.network_bytes, line)), 2),
        some(row.median(|line| per_byte(line.disk_bytes, line)), 2),
        some(row.median(|line| Some(line.memory_bytes_max? as f64 / f64::from(1 << 20))), 0),
    )
}

fn times(ratio: Spread) -> String {
    format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.least, ratio.greatest)
}

/// A length for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}

fn load(load: Load) -> String {
    match load {
        Load::Closed { outstanding: 1 } => "closed, one by one".into(),
        Load::Closed { outstanding } => format!("closed, {outstanding} on their way"),
        Load::Open { blocks_per_second } => format!("open, {blocks_per_second} blocks/s"),
    }
}

fn much(much: Much) -> &'static str {
    match much {
        Much::Nothing => "nothing",
        Much::Newest => "the newest",
        Much::Everything => "EVERYTHING",
    }
}

pub(super) fn survives(survives: Survives) -> &'static str {
    match survives {
        Survives::Nothing => "nothing",
        Survives::OneProcess => "one process",
        Survives::Processes => "processes",
        Survives::Power => "power",
        Survives::Machine => "the machine",
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::line;
    use super::*;

    #[test]
    fn a_report_says_whether_goals_are_met_and_what_is_lost() {
        let closed = Load::Closed { outstanding: 128 };
        let lines = [
            line("copies-2", 4, closed, 0, 1000.0),
            line("log-power", 4, closed, 0, 600.0),
            line("log-process", 4, closed, 0, 900.0),
            line("redis-wait-1", 4, closed, 0, 100.0),
        ];
        let text = text(&["a machine".into()], &lines);
        for part in [
            "a machine\n",
            "log-power ÷ copies-2, closed, 128 on their way: 0.60 (0.60..0.60), goal 0.5: met",
            "log-process ÷ copies-2, closed, 128 on their way: 0.90 (0.90..0.90), goal 1: MISSED",
            "Blocks of 64 KiB, 4 receivers, closed, 128 on their way",
            "redis-wait-1",
            "EVERYTHING",
            "benches/tests/replica: blocks_that_a_killed_receiver_acknowledged_are_read_from_its_peer",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert_eq!([8, 1024, 1 << 20, 1536].map(size), ["8 B", "1 KiB", "1 MiB", "1536 B"]);
    }
}
