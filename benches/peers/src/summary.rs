//! The lines in short: us against the best of those that a goal names, round by round.

use std::collections::BTreeMap;

use crate::case::{Case, Figures};
use crate::report::{line_of, shown};
use headwater_benches::measure::statistics::spread;

/// A line: our case, whom it is compared with, and what is compared.
struct Line {
    what: &'static str,
    us: (&'static str, &'static str),
    /// Of these the one with the best median is taken. A star at the end stands for anything.
    them: (&'static str, &'static [&'static str]),
    /// More is better.
    measure: fn(&Figures) -> f64,
}

const PEERS: &[&str] = &["okaywal", "raft-engine", "commitlog*", "mrecordlog*", "sqlite*"];
/// Who reads from files: mrecordlog has everything in memory.
const FILES: &[&str] = &["okaywal", "raft-engine", "commitlog", "sqlite"];
const RAW_ALONE: &[&str] = &["raw-append", "raw-dsync", "raw-direct"];
const RAW: &[&str] = &["raw-*"];
const RING: &[&str] = &["raw-ring-*"];
const FRESH: &[&str] = &["raw-fresh-*"];

fn rate(figures: &Figures) -> f64 {
    figures.rate()
}

/// Appends for a second of CPU.
fn thrift(figures: &Figures) -> f64 {
    1e6 / figures.cpu_us()
}

fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add =
        |what, us, workload, them, measure| lines.push(Line { what, us, them: (workload, them), measure });
    for workload in ["power-1KiB-1", "power-1KiB-16", "power-1KiB-64"] {
        add(
            "the best raw loop, one at a time",
            (workload, "us"),
            workload,
            RAW_ALONE,
            rate as fn(&Figures) -> f64,
        );
        add("the best raw loop of all", (workload, "us"), workload, RAW, rate);
        add("the best peer", (workload, "us"), workload, PEERS, rate);
    }
    let most = "power-1KiB-64";
    add("raft-engine, appends for a second of CPU", (most, "us"), most, &["raft-engine"], thrift);
    add("raft-engine's 64 threads", ("power-1KiB-tickets", "us-tickets"), most, &["raft-engine"], rate);
    for (workload, disk) in [
        ("power-64KiB-1", "disk-64KiB"),
        ("power-64KiB-4", "disk-64KiB"),
        ("power-64KiB-16", "disk-64KiB"),
        ("power-1MiB-1", "disk-1MiB"),
        ("power-1MiB-4", "disk-1MiB"),
        ("power-1MiB-16", "disk-1MiB"),
    ] {
        add("the disk, into written blocks", (workload, "us"), disk, RING, rate);
        add("the disk, into fresh files", (workload, "us"), disk, FRESH, rate);
    }
    for workload in ["process-100B-1", "process-1KiB-1"] {
        add("a write a record", (workload, "us"), workload, &["raw-write"], rate);
        add("a write a record", (workload, "us-tickets"), workload, &["raw-write"], rate);
        add("a buffer that a kill takes", (workload, "us-tickets"), workload, &["raw-buffer"], rate);
    }
    for workload in ["replay-warm", "replay-cold", "read-warm"] {
        add("the bare loop", (workload, "us"), workload, &["raw-read"], rate);
        add("the best peer that reads from files", (workload, "us"), workload, FILES, rate);
    }
    lines
}

/// Adds the table; a line of which a case did not run is left out.
pub(crate) fn add(text: &mut String, cases: &[Case]) {
    line_of(text, "\n### In short\n\n| our case | against | which | us ÷ it |\n|---|---|---|---|");
    for line in lines() {
        let (workload, contestant) = line.us;
        let Some(best) = best(cases, &line) else { continue };
        let ratios = ratios_by(cases, line.us, (line.them.0, &best), line.measure);
        if let Some(spread) = spread(ratios) {
            let ratio = shown(Some(spread));
            let which = if line.them.0 == workload { best } else { format!("{}/{best}", line.them.0) };
            line_of(text, &format!("| {workload}/{contestant} | {} | {which} | {ratio} |", line.what));
        }
    }
}

/// Who of those that a line names has the best median.
fn best(cases: &[Case], line: &Line) -> Option<String> {
    let (workload, names) = line.them;
    let named = |contestant: &str| {
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(begin) => contestant.starts_with(begin),
            None => contestant == *name,
        })
    };
    let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.workload == workload && named(&case.contestant)) {
        values.entry(&case.contestant).or_default().extend(case.figures.as_ref().map(line.measure));
    }
    let medians = values.into_iter().filter_map(|(name, values)| Some((name, spread(values)?.median)));
    medians.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(name, _)| name.to_owned())
}

/// How many times as fast one is as the other, for every round in which both ran.
pub(crate) fn ratios(cases: &[Case], our_workload: &str, us: &str, workload: &str, them: &str) -> Vec<f64> {
    ratios_by(cases, (our_workload, us), (workload, them), rate)
}

fn ratios_by(cases: &[Case], us: (&str, &str), them: (&str, &str), measure: fn(&Figures) -> f64) -> Vec<f64> {
    let by_round = |(workload, contestant): (&str, &str)| -> BTreeMap<u64, f64> {
        let cases = cases.iter().filter(|case| case.workload == workload && case.contestant == contestant);
        cases.filter_map(|case| Some((case.round, measure(case.figures.as_ref()?)))).collect()
    };
    let (us, them) = (by_round(us), by_round(them));
    us.iter().filter_map(|(round, our)| Some(our / them.get(round)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(round: u64, contestant: &str, operations: u64) -> Case {
        let figures = Figures { operations, seconds: 1.0, ..Figures::default() };
        let (workload, contestant) = ("power-1KiB-1".to_owned(), contestant.to_owned());
        Case { round, workload, contestant, figures: Some(figures), failure: None }
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_a_round_that_lacks_one_is_left_out() {
        let cases = [
            case(1, "us", 10),
            case(1, "okaywal", 5),
            case(2, "us", 10),
            case(3, "us", 9),
            case(3, "okaywal", 3),
        ];
        assert_eq!(ratios(&cases, "power-1KiB-1", "us", "power-1KiB-1", "okaywal"), [2.0, 3.0]);
    }

    #[test]
    fn the_best_is_the_one_with_the_greatest_median() {
        let cases = [
            case(1, "okaywal", 5),
            case(2, "okaywal", 5),
            case(3, "okaywal", 5),
            case(1, "sqlite", 9),
            case(2, "sqlite", 1),
            case(3, "sqlite", 1),
        ];
        let line = lines().into_iter().find(|line| line.what == "the best peer").unwrap();
        assert_eq!(best(&cases, &line).unwrap(), "okaywal");
    }

    #[test]
    fn every_line_names_cases_that_exist() {
        let workloads = crate::workload::all();
        let exists = |name: &str, contestant: &dyn Fn(&str) -> bool| {
            workloads.iter().any(|workload| {
                workload.name == name && workload.contestants.iter().any(|one| contestant(one))
            })
        };
        for line in lines() {
            assert!(exists(line.us.0, &|one| one == line.us.1), "{:?}", line.us);
            for name in line.them.1 {
                let begin = name.trim_end_matches('*');
                assert!(exists(line.them.0, &|one| one.starts_with(begin)), "{}: {name}", line.them.0);
            }
        }
    }
}
