//! The program that measures copies beside logs: that a small run of it measures every system, loses what it must and no
//! more, and leaves nothing behind. What it measures says nothing here.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use headwater_benches::replication::line::{self, Line, Load, Much, Survives};

fn run(dir: &Path, words: &[&str]) -> Output {
    let [place, out] = ["place", "out"].map(|name| dir.join(name));
    fs::create_dir_all(&place).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater-benches"));
    command.arg("replication").args(words).arg("--dir").arg(place).arg("--out").arg(out);
    command.env_remove("HEADWATER_BENCH_OBJECT").output().unwrap()
}

fn lines(dir: &Path) -> Vec<Line> {
    let text = fs::read(dir.join("out/lines.jsonl")).unwrap();
    line::read(&text[..], "lines.jsonl").unwrap()
}

/// What was counted when processes were killed: how many were acknowledged, and how many were lost.
fn counted(said: &str) -> Option<(u64, u64)> {
    let (acknowledged, rest) = said.strip_prefix("killed here: ")?.split_once(" acknowledged, ")?;
    Some((acknowledged.parse().ok()?, rest.split_once(" lost")?.0.parse().ok()?))
}

#[test]
fn a_small_run_measures_every_system_and_counts_what_each_loses() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--small", "--object", "memory:"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(dir.path());
    let (closed, open): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| matches!(line.load, Load::Closed { .. }));
    let systems = 7;
    assert_eq!((closed.len(), open.len()), (systems * 2, systems));
    for line in &lines {
        let what = line.to_json();
        assert!(line.blocks > 0 && line.blocks_per_second > 0.0 && line.cpu_seconds > 0.0, "{what}");
        assert!(
            line.latency_us.p50 <= line.latency_us.p99 && line.latency_us.p99 <= line.latency_us.p99_9,
            "{what}"
        );
        assert!(line.memory_bytes_max.unwrap() > 1 << 20, "{what}");
        for (said, is) in [(&line.lost.one_process, 0), (&line.lost.both_processes, 1)] {
            let Some((acknowledged, lost)) = counted(&said.shown_by) else {
                assert_eq!(line.system, "log-object", "only memory is no object store: {what}");
                continue;
            };
            assert!(acknowledged > 0);
            let expected = if said.is == Much::Everything { acknowledged } else { 0 };
            assert_eq!(lost, expected, "death {is}: {what}");
        }
    }
    for system in lines.iter().map(|line| &line.system) {
        let sent: u64 =
            lines.iter().filter(|line| line.system == *system).filter_map(|line| line.network_bytes).sum();
        assert_eq!(
            sent > 0,
            system.starts_with("copies"),
            "what goes to other processes is counted: {system}"
        );
    }
    assert!(closed.iter().any(|line| line.system == "log-power" && line.survives == Survives::Power));
    for (name, shows) in [
        ("report.txt", "log-power"),
        ("crossover.svg", "a log that survives a power cut"),
        ("throughput.svg", "log-power"),
        ("latency.svg", "log-power"),
    ] {
        let text = fs::read_to_string(dir.path().join("out").join(name)).unwrap();
        assert!(text.contains(shows), "{name}");
    }
    assert_eq!(fs::read_dir(dir.path().join("place")).unwrap().count(), 0, "nothing is left");
}

#[test]
fn lines_of_other_systems_stand_in_the_same_tables() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--small", "--only", "memory,copies-2", "--open", "none"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let others: String = lines(dir.path())
        .into_iter()
        .map(|line| Line { system: "redis-wait-1".into(), ..line }.to_json() + "\n")
        .collect();
    let with = dir.path().join("rivals.jsonl");
    fs::write(&with, others).unwrap();
    let output = run(dir.path(), &["--rounds", "0", "--with", with.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("redis-wait-1"), "{text}");
    fs::write(&with, "no line\n").unwrap();
    let output = run(dir.path(), &["--rounds", "0", "--with", with.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("rivals.jsonl, line 1"), "{errors}");
}

#[test]
fn a_system_that_is_not_known_is_refused_with_the_usage() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["--only", "copies-4"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("copies-4") && errors.contains("usage:"), "{errors}");
}
