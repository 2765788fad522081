//! What is measured: the table of workloads, and who takes part in which.

use crate::Result;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A record appended, and as safe as the durability says.
    Append(Durability),
    /// A record of a whole log, in order, verified; from the page cache or from the device.
    Replay { cold: bool },
    /// A record read by what its contestant calls its address, at random, from the page cache, verified.
    Read,
}

/// What an append outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    Power,
    Process,
}

/// One table of the report.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) kind: Kind,
    pub(crate) record_bytes: usize,
    pub(crate) threads: usize,
    pub(crate) contestants: Vec<&'static str>,
}

/// Appended one at a time from one thread.
const ONE: &[&str] = &[
    "us",
    "raw-append",
    "raw-dsync",
    "raw-direct",
    "okaywal",
    "raft-engine",
    "commitlog",
    "mrecordlog",
    "sqlite",
];

/// What more there is when threads could share syncs: the harness's own batcher before those that do not share theirs.
const SHARED: &[&str] = &[
    "raw-append+batch",
    "raw-dsync+batch",
    "raw-direct+batch",
    "commitlog+batch",
    "mrecordlog+batch",
    "sqlite+batch",
];

/// The disk's own rate: so many writes in flight, and nothing else. Each runs with as many threads as its name says.
const DISK: &[&str] = &[
    "raw-ring-1",
    "raw-ring-2",
    "raw-ring-4",
    "raw-ring-8",
    "raw-fresh-1",
    "raw-fresh-2",
    "raw-fresh-4",
    "raw-fresh-8",
];

/// `raw-write` comes first: what a process that is killed has lost is what the rows below it differ in.
const UNSYNCED: &[&str] =
    &["us", "us-tickets", "raw-write", "raw-buffer", "raft-engine", "commitlog", "mrecordlog", "sqlite"];

const REPLAYED: &[&str] = &["us", "raw-read", "okaywal", "raft-engine", "commitlog", "mrecordlog", "sqlite"];

const READ: &[&str] =
    &["us", "us-read-many", "raw-read", "okaywal", "raft-engine", "commitlog", "mrecordlog", "sqlite"];

/// Every workload, in the order of the report.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    let mut add = |name: String, what: &str, kind, record_bytes, threads, contestants: Vec<&'static str>| {
        all.push(Workload { name, what: what.into(), kind, record_bytes, threads, contestants });
    };
    let power = Kind::Append(Durability::Power);
    for threads in [1, 16, 64] {
        let contestants = if threads == 1 { ONE.to_vec() } else { [ONE, SHARED].concat() };
        let what = "durable appends of 1 KiB, every thread waiting for its own";
        add(format!("power-1KiB-{threads}"), what, power, KIB, threads, contestants);
    }
    let what = "durable appends of 1 KiB from one thread, 1,024 tickets outstanding";
    add("power-1KiB-tickets".into(), what, power, KIB, 1, vec!["us-tickets"]);
    for (size, record_bytes) in [("64KiB", 64 * KIB), ("1MiB", MIB)] {
        for threads in [1, 4, 16] {
            let what = format!("durable appends of {size}, every thread waiting for its own");
            add(format!("power-{size}-{threads}"), &what, power, record_bytes, threads, ONE.to_vec());
        }
        let what = format!(
            "the disk's own rate: {size} by O_DIRECT and RWF_DSYNC, so many in flight as the name says"
        );
        add(format!("disk-{size}"), &what, power, record_bytes, 0, DISK.to_vec());
    }
    for (size, record_bytes) in [("100B", 100), ("1KiB", KIB)] {
        let what = format!("appends of {size} without a sync, one thread");
        let kind = Kind::Append(Durability::Process);
        add(format!("process-{size}-1"), &what, kind, record_bytes, 1, UNSYNCED.to_vec());
    }
    for (heat, cold) in [("warm", false), ("cold", true)] {
        let what = format!("a replay of a whole log of 1 KiB records, {heat}");
        add(format!("replay-{heat}"), &what, Kind::Replay { cold }, KIB, 1, REPLAYED.to_vec());
    }
    let what = "reads of 1 KiB records by address, at random, warm, one thread";
    add("read-warm".into(), what, Kind::Read, KIB, 1, READ.to_vec());
    all
}

/// The workload of a name.
pub(crate) fn named(name: &str) -> Result<Workload> {
    all()
        .into_iter()
        .find(|workload| workload.name == name)
        .ok_or_else(|| format!("no workload {name}").into())
}

impl Workload {
    /// How many threads append for a contestant.
    pub(crate) fn threads_of(&self, contestant: &str) -> usize {
        if self.threads > 0 { self.threads } else { trailing_number(contestant).unwrap_or(1) }
    }

    /// Workloads are kindred that have the same figure here: their rates are compared with each other.
    pub(crate) fn kindred(&self) -> (u8, usize) {
        let kind = match self.kind {
            Kind::Append(Durability::Power) => 0,
            Kind::Append(Durability::Process) => 1,
            Kind::Replay { .. } => 2,
            Kind::Read => 3,
        };
        (kind, self.record_bytes)
    }

    /// How many records may be on their way at once, and so share one sync.
    pub(crate) fn outstanding(&self, contestant: &str) -> usize {
        if contestant == "us-tickets" { crate::contestant::TICKETS } else { self.threads_of(contestant) }
    }

    /// What an acknowledged record of a row outlives: a promise of the contestant, which the counts can only refute.
    pub(crate) fn survives(&self, contestant: &str) -> &'static str {
        match (self.kind, contestant) {
            (Kind::Append(Durability::Power), "okaywal") => {
                "kill, power; **until the next checkpoint**, then dropped"
            }
            (Kind::Append(Durability::Power), name) if harness_syncs(name) => {
                "kill, power: **the harness syncs**"
            }
            (Kind::Append(Durability::Power), _) => "kill, power",
            (Kind::Append(Durability::Process), "raw-buffer") => {
                "**nothing**: up to 256 KiB are lost at a kill"
            }
            (Kind::Append(Durability::Process), _) => "kill",
            _ => "",
        }
    }
}

/// Contestants that have no call that syncs: the harness does it for them.
pub(crate) fn harness_syncs(contestant: &str) -> bool {
    contestant.starts_with("commitlog") || contestant.starts_with("mrecordlog")
}

/// The number behind the last dash of a name.
pub(crate) fn trailing_number(name: &str) -> Option<usize> {
    name.rsplit_once('-')?.1.parse().ok()
}
