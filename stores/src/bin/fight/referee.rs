//! What the two were told, held against what the log has in the end.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use headwater_stores::open;
use headwater_wal::{Log, Position};

use super::Result;
use super::child::options;

/// What one process said of its records.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Record and position.
    pub(super) acked: Vec<(String, u64)>,
    /// What it found in the log as it began.
    pub(super) seen: Vec<(String, u64)>,
    pub(super) tried: HashSet<String>,
    /// Records of which it was said that they are certainly not in the log.
    pub(super) fenced: HashSet<String>,
}

impl Told {
    pub(super) fn read(said: &str) -> Result<Told> {
        let mut told = Told::default();
        for line in said.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["ack", record, position] => told.acked.push((record.to_owned(), position.parse()?)),
                ["seen", record, position] => told.seen.push((record.to_owned(), position.parse()?)),
                ["try", record] => drop(told.tried.insert(record.to_owned())),
                ["Fenced", record, ..] => drop(told.fenced.insert(record.to_owned())),
                _ => {}
            }
        }
        Ok(told)
    }
}

/// Reads what both said, starts the log once more, and compares.
pub(super) fn judge(url: &str, folder: &Path) -> Result<String> {
    let told = [
        Told::read(&fs::read_to_string(folder.join("a"))?)?,
        Told::read(&fs::read_to_string(folder.join("b"))?)?,
    ];
    let log = Log::open(open(url)?, options())?.start(Position::START)?;
    let mut there = Vec::new();
    for record in log.replay(Position::START)? {
        let record = record?;
        there.push((String::from_utf8(record.payload.to_vec())?, record.handle.position().0));
    }
    log.close()?;
    compare(&told, &there)
}

/// Every rule, the first one that is broken as an error.
pub(super) fn compare(told: &[Told], there: &[(String, u64)]) -> Result<String> {
    let mut by_position: HashMap<u64, &str> = HashMap::new();
    let mut acked = 0;
    for (record, position) in told.iter().flat_map(|told| &told.acked) {
        acked += 1;
        if let Some(other) = by_position.insert(*position, record) {
            return Err(format!("two acknowledgements for position {position}: {other} and {record}").into());
        }
    }
    let mut seen: HashMap<&str, u64> = HashMap::new();
    let mut at: HashMap<u64, &str> = HashMap::new();
    for (record, position) in told.iter().flat_map(|told| &told.seen).chain(there) {
        if let Some(before) = seen.insert(record, *position).filter(|before| before != position) {
            return Err(format!("{record} is there twice, at {before} and {position}").into());
        }
        if let Some(other) = at.insert(*position, record).filter(|other| other != record) {
            return Err(format!("position {position} had {other} and then {record}").into());
        }
        if !told.iter().any(|told| told.tried.contains(record)) {
            return Err(format!("{record} is there, and nobody appended it").into());
        }
        if told.iter().any(|told| told.fenced.contains(record)) {
            return Err(format!("{record} is there, and Fenced said that it is not").into());
        }
    }
    for (position, record) in &by_position {
        if seen.get(record) != Some(position) {
            return Err(format!(
                "{record} was acknowledged at {position} and is lost: {:?}",
                seen.get(record)
            )
            .into());
        }
    }
    if acked == 0 {
        return Err("nothing was acknowledged at all".into());
    }
    Ok(format!(
        "{acked} acknowledged, each found once where it was acknowledged, of {} in the log",
        seen.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Told {
        Told::read(lines).unwrap()
    }

    fn there(records: &[(&str, u64)]) -> Vec<(String, u64)> {
        records.iter().map(|(record, position)| ((*record).to_owned(), *position)).collect()
    }

    #[test]
    fn what_agrees_passes() {
        let both = [told("try x\nack x 8\ntry y\nUnknown y\ntry w\nFenced w"), told("try z\nack z 24\n")];
        compare(&both, &there(&[("x", 8), ("y", 16), ("z", 24)])).expect("it agrees");
    }

    #[test]
    fn each_broken_rule_is_found() {
        for (one, other, in_log, word) in [
            ("try x\nack x 8", "try z\nack z 8", vec![("x", 8)], "two acknowledgements"),
            ("try x\nack x 8", "", vec![], "is lost"),
            ("try x\nack x 8", "", vec![("x", 16)], "is lost"),
            ("try x\nack x 8", "", vec![("x", 8), ("x", 16)], "twice"),
            ("try x\nack x 8", "", vec![("x", 8), ("y", 16)], "nobody"),
            ("try x\ntry y\nseen y 8", "", vec![("x", 8)], "and then"),
            ("try x\nack x 8\ntry y\nFenced y", "", vec![("x", 8), ("y", 16)], "Fenced"),
            ("try x", "", vec![], "nothing"),
        ] {
            let error = compare(&[told(one), told(other)], &there(&in_log)).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
