//! The parent process: rounds of systems, each in a process and a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use headwater_benches::replication::line::{Line, read};

use crate::Result;
use crate::args::Args;
use crate::report;
use crate::system::{SYSTEMS, System};

/// Runs what the command line asks for, and prints lines and a report.
pub(crate) fn run(args: &Args, words: &[String]) -> Result<()> {
    let systems: Vec<&System> = SYSTEMS
        .iter()
        .filter(|system| args.wants(system.name) && system.belongs(args.hdfs.is_some()))
        .collect();
    if systems.is_empty() {
        return Err("no system is called that; --list names them".into());
    }
    if args.list {
        systems
            .iter()
            .for_each(|system| println!("{}: {}; survives {:?}", system.name, system.is, system.survives));
        return Ok(());
    }
    let began = Instant::now();
    let mut json = args.json.as_ref().map(File::create).transpose()?;
    let mut lines = Vec::new();
    for round in 0..args.rounds {
        for system in order(&systems, args.seed, round) {
            eprintln!("round {round}, {} ({:.0} s)", system.name, began.elapsed().as_secs_f64());
            for line in session(args, words, system, round)? {
                match &mut json {
                    Some(json) => writeln!(json, "{}", line.to_json())?,
                    None => println!("{}", line.to_json()),
                }
                lines.push(line);
            }
        }
    }
    eprint!("{}", report::markdown(args, &lines));
    eprintln!("\n{} cases in {:.0} s", lines.len(), began.elapsed().as_secs_f64());
    nothing_is_missing(&systems, args, &lines)
}

/// The systems of a round, in an order of its own.
fn order<'a>(systems: &[&'a System], seed: u64, round: u64) -> Vec<&'a System> {
    let mut left = systems.to_vec();
    let mut state = seed.wrapping_mul(1_000_003).wrapping_add(round).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut ordered = Vec::new();
    while !left.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ordered.push(left.swap_remove((state >> 33) as usize % left.len()));
    }
    ordered
}

/// Runs a child that measures a system; the lines that it prints.
fn session(args: &Args, words: &[String], system: &System, round: u64) -> Result<Vec<Line>> {
    let dir = args.dir.join("session");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args(words)
        .args(["--session", system.name, "--round", &round.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().ok_or("a child without an output")?).lines() {
        said = said + &line? + "\n";
    }
    let status = child.wait()?;
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    if !status.success() {
        return Err(format!("{} in round {round}: {status}", system.name).into());
    }
    Ok(read(said.as_bytes(), system.name)?)
}

fn nothing_is_missing(systems: &[&System], args: &Args, lines: &[Line]) -> Result<()> {
    let wanted: usize = systems.iter().map(|system| system.shapes(args).len()).sum();
    if lines.len() as u64 != wanted as u64 * args.rounds {
        return Err(format!("{} cases of {}", lines.len(), wanted as u64 * args.rounds).into());
    }
    match lines.iter().find(|line| line.blocks == 0) {
        Some(line) => Err(format!("{} has taken no block of {} bytes", line.system, line.block_bytes).into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_every_system_once_in_an_order_of_its_own() {
        let systems: Vec<&System> = SYSTEMS.iter().collect();
        let names =
            |round| -> Vec<&str> { order(&systems, 1, round).iter().map(|system| system.name).collect() };
        assert_ne!(names(0), names(1));
        assert_eq!(names(0), names(0));
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names
        };
        let all = |round| sorted(order(&systems, 1, round).iter().map(|system| system.name).collect());
        assert_eq!(all(0), all(1));
        assert_eq!(all(0).len(), SYSTEMS.len());
    }
}
