//! A child process: one case, from an empty folder (or a filled log) to a line of figures on standard output.

use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::contestant::{self, Setup};
use crate::payload::Payloads;
use crate::workload::{self, Durability, Kind, Workload};
use crate::{Result, appending, reading};

/// What a parent tells its child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) workload: String,
    pub(crate) contestant: String,
    pub(crate) dir: PathBuf,
    pub(crate) seconds: f64,
    /// How many records the logs have that are replayed and read.
    pub(crate) log_records: u64,
    pub(crate) seed: u64,
    pub(crate) pin: bool,
    pub(crate) small: bool,
    /// Only make the log that the contestant is to replay or read.
    pub(crate) fill: bool,
}

/// Does what the parent asks for, and ends with it.
pub(crate) fn child(words: &[String]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let [job] = words else { return Err("a case is one word of JSON".into()) };
    let job: Job = serde_json::from_str(job)?;
    let workload = workload::named(&job.workload)?;
    let setup = setup(&job, &workload);
    if job.fill {
        return contestant::fill(contestant::family(&job.contestant), &setup, job.log_records);
    }
    let figures = match workload.kind {
        Kind::Append(_) => appending::append(&job, &workload, &setup)?,
        Kind::Replay { cold } => reading::replay(&job, &setup, cold)?,
        Kind::Read => reading::read(&job, &setup)?,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

fn setup(job: &Job, workload: &Workload) -> Setup {
    let large = workload.record_bytes >= 64 * 1024;
    let ring_mib = match (job.small, large) {
        (true, _) => 8,
        (false, true) => 256,
        (false, false) => 64,
    };
    Setup {
        dir: job.dir.clone(),
        payloads: Arc::new(Payloads::new(workload.record_bytes)),
        record_bytes: workload.record_bytes,
        threads: workload.threads_of(&job.contestant),
        durability: match workload.kind {
            Kind::Append(durability) => durability,
            Kind::Replay { .. } | Kind::Read => Durability::Power,
        },
        ring_bytes: ring_mib * 1024 * 1024,
    }
}
