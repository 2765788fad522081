//! The line of JSON that every measured case prints, whatever system it is of. A report reads lines of any origin.
//!
//! ```json
//! {"line":1,"system":"log-power","is":"a log on local disk, synced","survives":"power","receivers":4,
//!  "block_bytes":65536,"load":{"closed":{"outstanding":32}},"round":0,"seconds":1.0,"blocks":16384,
//!  "blocks_per_second":16384.0,"bytes_per_second":1073741824.0,"latency_us":{"p50":1,"p99":2,"p99.9":3},
//!  "cpu_seconds":0.9,"network_bytes":0,"disk_bytes":2214592512,"memory_bytes_max":70254592,
//!  "lost":{"one_process":{"is":"nothing","shown_by":"..."},"both_processes":{"is":"nothing","shown_by":"..."},
//!          "machine":{"is":"nothing","shown_by":"..."},"disk":{"is":"everything","shown_by":"..."}}}
//! ```
//!
//! In a file it is one line. An open loop's load is `{"open":{"blocks_per_second":2000.0}}`. What is not known is `null`.

use std::io::BufRead;

use headwater_wal::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// The version of the line, which is its first field.
const VERSION: u32 = 1;

/// What one case came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The version of the line: 1.
    #[serde(rename = "line")]
    pub version: Version,
    /// What made the blocks safe, in a word of small letters and dashes: `copies-2`, `redis-wait-1`.
    pub system: String,
    /// The same for people.
    pub is: String,
    /// What an acknowledged block survives at most.
    pub survives: Survives,
    /// How many receivers there were, each with a stream of its own.
    pub receivers: u64,
    /// How long a block is.
    pub block_bytes: u64,
    /// How blocks came.
    pub load: Load,
    /// Which of the interleaved rounds it was, from 0.
    pub round: u64,
    /// For how long it was measured.
    pub seconds: f64,
    /// How many blocks were acknowledged in that time.
    pub blocks: u64,
    /// The blocks of a second.
    pub blocks_per_second: f64,
    /// Their bytes.
    pub bytes_per_second: f64,
    /// From when a block was due until it was acknowledged.
    pub latency_us: Latency,
    /// User and kernel, of all processes that took part and of the one that made the load, in the time that was measured.
    pub cpu_seconds: f64,
    /// What was sent over sockets between these processes, in the same time.
    pub network_bytes: Option<u64>,
    /// What these processes had the kernel write to files (`write_bytes` of `/proc/self/io`: also what was not synced).
    pub disk_bytes: Option<u64>,
    /// What was resident at most (`VmHWM`), summed over these processes.
    pub memory_bytes_max: Option<u64>,
    /// What becomes of acknowledged blocks.
    pub lost: Lost,
}

/// The version of the lines that this program knows, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version;

impl From<Version> for u32 {
    fn from(_: Version) -> u32 {
        VERSION
    }
}

impl TryFrom<u32> for Version {
    type Error = String;

    fn try_from(version: u32) -> std::result::Result<Version, String> {
        match version {
            VERSION => Ok(Version),
            _ => Err(format!("a line of another version line={version} known={VERSION}")),
        }
    }
}

/// What an acknowledged block survives at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Survives {
    /// Not even the process.
    Nothing,
    /// The death of any one process, as long as the others live.
    OneProcess,
    /// The death of all processes, as long as the kernel lives.
    Processes,
    /// A power cut.
    Power,
    /// The loss of the machine with its disk.
    Machine,
}

/// How blocks came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// As fast as they are taken: the next one when one of these is acknowledged.
    Closed {
        /// How many blocks of a receiver may be unacknowledged at once.
        outstanding: u64,
    },
    /// Each at its time, whatever became of those before: latency counts from then, so a stall is counted for each block
    /// that came due in it.
    Open {
        /// The blocks of a second, of all receivers together.
        blocks_per_second: f64,
    },
}

/// Quantiles in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of all took at most that long.
    pub p50: f64,
    /// 99 of a hundred.
    pub p99: f64,
    /// 999 of a thousand.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
}

/// What becomes of acknowledged blocks that are not worked off yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// One process dies, the one that costs most; the others and the kernel live.
    pub one_process: Loss,
    /// All processes that had the blocks die; the kernel lives.
    pub both_processes: Loss,
    /// The power of every machine that had them goes, and comes back.
    pub machine: Loss,
    /// The machine and its disk never come back.
    pub disk: Loss,
}

impl Lost {
    /// Each case with its name.
    pub fn all(&self) -> [(&'static str, &Loss); 4] {
        [
            ("one process", &self.one_process),
            ("both", &self.both_processes),
            ("the machine", &self.machine),
            ("its disk", &self.disk),
        ]
    }
}

/// What is lost, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// How much.
    pub is: Much,
    /// The test, or the measurement with what it counted.
    pub shown_by: String,
}

/// How much of what was acknowledged is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Much {
    /// Nothing.
    Nothing,
    /// What the kernel or a buffer had not written yet: the newest.
    Newest,
    /// Everything.
    Everything,
}

impl Line {
    /// As it is printed, without an end of line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text")
    }
}

/// Reads lines. Those that are empty are passed over; another one that is no line of these is an error that names it.
pub fn read(from: impl BufRead, name: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(from.lines()) {
        let at = |what: String| Error::new(Kind::Invalid, format!("{name}, line {number}: {what}"));
        let text = text.map_err(|error| at(error.to_string()))?;
        if !text.trim().is_empty() {
            lines.push(serde_json::from_str(&text).map_err(|error| at(error.to_string()))?);
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        let loss = |is| Loss { is, shown_by: "a test".into() };
        Line {
            version: Version,
            system: "copies-2".into(),
            is: "two copies in memory".into(),
            survives: Survives::OneProcess,
            receivers: 4,
            block_bytes: 65536,
            load: Load::Closed { outstanding: 32 },
            round: 2,
            seconds: 0.5,
            blocks: 1000,
            blocks_per_second: 2000.0,
            bytes_per_second: 131_072_000.0,
            latency_us: Latency { p50: 100.0, p99: 250.5, p99_9: 1000.0 },
            cpu_seconds: 0.75,
            network_bytes: Some(65_568_000),
            disk_bytes: None,
            memory_bytes_max: Some(1 << 26),
            lost: Lost {
                one_process: loss(Much::Nothing),
                both_processes: loss(Much::Everything),
                machine: loss(Much::Everything),
                disk: loss(Much::Newest),
            },
        }
    }

    /// What others print: it is written out here, so that a change of the code cannot go unnoticed.
    const GOLDEN: &str = concat!(
        r#"{"line":1,"system":"copies-2","is":"two copies in memory","survives":"one_process","receivers":4,"#,
        r#""block_bytes":65536,"load":{"closed":{"outstanding":32}},"round":2,"seconds":0.5,"blocks":1000,"#,
        r#""blocks_per_second":2000.0,"bytes_per_second":131072000.0,"#,
        r#""latency_us":{"p50":100.0,"p99":250.5,"p99.9":1000.0},"cpu_seconds":0.75,"network_bytes":65568000,"#,
        r#""disk_bytes":null,"memory_bytes_max":67108864,"lost":{"#,
        r#""one_process":{"is":"nothing","shown_by":"a test"},"both_processes":{"is":"everything","shown_by":"a test"},"#,
        r#""machine":{"is":"everything","shown_by":"a test"},"disk":{"is":"newest","shown_by":"a test"}}}"#,
    );

    #[test]
    fn a_line_is_what_it_always_was() {
        assert_eq!(line().to_json(), GOLDEN);
        let open = Line { load: Load::Open { blocks_per_second: 10.0 }, ..line() };
        assert!(open.to_json().contains(r#""load":{"open":{"blocks_per_second":10.0}}"#));
        let text = format!("{GOLDEN}\n\n{}\n", open.to_json());
        assert_eq!(read(text.as_bytes(), "a file").unwrap(), [line(), open]);
    }

    #[test]
    fn what_is_no_line_is_named() {
        let text = format!("{GOLDEN}\n{}\n", GOLDEN.replace(r#""line":1"#, r#""line":2"#));
        let error = read(text.as_bytes(), "rivals.jsonl").unwrap_err().to_string();
        assert!(error.contains("rivals.jsonl, line 2") && error.contains("another version"), "{error}");
        assert!(read(&b"not json"[..], "x").is_err());
    }
}
