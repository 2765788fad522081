//! The systems that are compared, and the shapes that each is asked to take.

use std::path::Path;
use std::sync::LazyLock;

use headwater_benches::replication::line::{Lost, Survives};
use headwater_wal::Durability;

use crate::Result;
use crate::args::Args;
use crate::load::{Shape, full};
use crate::loss::{self, Losses};
use crate::ours::{At, Ours, Outstanding};
use crate::redis::{Redis, Safe};
use crate::replicated;
use crate::session::Running;
use crate::spark::{Flush, Spark, What};

const KIB: u64 = 1024;

/// A way to make blocks safe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) is: &'static str,
    pub(crate) survives: Survives,
    lost: &'static Losses,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Redis(Safe),
    Spark(What, Flush),
    Ours(Durability, Outstanding),
    /// As `headwater-benches replication` does it.
    Replicated,
}

const fn system(
    name: &'static str,
    is: &'static str,
    survives: Survives,
    lost: &'static Losses,
    how: How,
) -> System {
    System { name, is, survives, lost, how }
}

/// In the order of every table.
pub(crate) static SYSTEMS: LazyLock<Vec<System>> = LazyLock::new(|| {
    let replicated =
        replicated::systems().map(|of| system(of.name, of.is, of.survives, &of.lost, How::Replicated));
    replicated.chain(OTHERS.iter().copied()).collect()
});

const OTHERS: &[System] = &[
    system(
        "append-power",
        "Headwater: appends to a synced log on local disk",
        Survives::Power,
        &loss::OURS_POWER,
        How::Ours(Durability::Power, Outstanding::Tickets),
    ),
    system(
        "append-process",
        "Headwater: appends to a log on local disk, synced later",
        Survives::Processes,
        &loss::OURS_PROCESS,
        How::Ours(Durability::Process, Outstanding::Tickets),
    ),
    system(
        "append-power-threads",
        "Headwater: the same synced log, a thread for each block that is outstanding",
        Survives::Power,
        &loss::OURS_POWER,
        How::Ours(Durability::Power, Outstanding::Threads),
    ),
    system(
        "append-process-threads",
        "Headwater: the same log, synced later, a thread for each block that is outstanding",
        Survives::Processes,
        &loss::OURS_PROCESS,
        How::Ours(Durability::Process, Outstanding::Threads),
    ),
    system(
        "redis-wait-1",
        "Redis, SET and WAIT 1 0 behind the blocks that are outstanding: master and replica have them",
        Survives::OneProcess,
        &loss::REDIS_WAIT,
        How::Redis(Safe::ReplicaHasIt),
    ),
    system(
        "redis-synced",
        "Redis, SET with appendfsync always",
        Survives::Power,
        &loss::REDIS_SYNCED,
        How::Redis(Safe::FileIsSynced),
    ),
    system(
        "spark-receiver-log",
        "Spark's receiver log as it is, by itself",
        Survives::Processes,
        &loss::SPARK_LOG,
        How::Spark(What::ReceiverLog, Flush::AsItIs),
    ),
    system(
        "spark-receiver-log-synced",
        "Spark's receiver log by itself, its flush made a sync",
        Survives::Power,
        &loss::SPARK_LOG_SYNCED,
        How::Spark(What::ReceiverLog, Flush::Synced),
    ),
    system(
        "spark-receiver-log-synced-length",
        "Spark's receiver log by itself, its flush made a sync that records the length too",
        Survives::Power,
        &loss::SPARK_LOG_SYNCED,
        How::Spark(What::ReceiverLog, Flush::SyncedWithLength),
    ),
    system(
        "spark-store-1",
        "Spark's blocking store() in a job, one copy",
        Survives::Nothing,
        &loss::SPARK_STORE,
        How::Spark(What::Store { copies: 1 }, Flush::AsItIs),
    ),
    system(
        "spark-store-2",
        "Spark's blocking store() in a job, two copies",
        Survives::OneProcess,
        &loss::SPARK_STORE_TWICE,
        How::Spark(What::Store { copies: 2 }, Flush::AsItIs),
    ),
    system(
        "spark-store-log",
        "Spark's blocking store() in a job, one copy and the receiver log as it is",
        Survives::Processes,
        &loss::SPARK_LOG,
        How::Spark(What::StoreLogged, Flush::AsItIs),
    ),
    system(
        "spark-store-log-synced",
        "Spark's blocking store() in a job, one copy and its logs' flush made a sync",
        Survives::Power,
        &loss::SPARK_LOG_SYNCED,
        How::Spark(What::StoreLogged, Flush::Synced),
    ),
];

/// The system of a name.
pub(crate) fn named(name: &str) -> Result<&'static System> {
    SYSTEMS
        .iter()
        .find(|system| system.name == name)
        .ok_or_else(|| format!("no system is called {name}").into())
}

impl System {
    /// What it is asked to take, one after the other.
    pub(crate) fn shapes(&self, args: &Args) -> Vec<Shape> {
        let sizes =
            if args.small { vec![KIB, 64 * KIB] } else { [1, 16, 64, 1024].map(|kib| kib * KIB).to_vec() };
        let shape = |receivers, block_bytes, outstanding| Shape { receivers, block_bytes, outstanding };
        let of_a_log = [KIB, 64 * KIB].iter().flat_map(|size| [shape(1, *size, 1), shape(1, *size, 16)]);
        match self.how {
            _ if args.hdfs.is_some() => of_a_log.collect(),
            How::Ours(_, Outstanding::Threads) | How::Spark(What::ReceiverLog, _) => of_a_log.collect(),
            How::Spark(..) => {
                sizes.iter().map(|size| shape(1, *size, 1)).chain([shape(1, 64 * KIB, 4)]).collect()
            }
            How::Redis(_) | How::Ours(_, Outstanding::Tickets) | How::Replicated => {
                // Copies go one by one through the size alone that is a goal of the others: a round is long.
                let one_by_one = sizes.iter().filter(|size| !self.is_replicated() || **size == 64 * KIB);
                one_by_one
                    .map(|size| shape(1, *size, 1))
                    .chain([1, 4].iter().flat_map(|receivers| {
                        sizes.iter().map(move |size| shape(*receivers, *size, full(*size)))
                    }))
                    .collect()
            }
        }
    }

    /// What it loses where its logs lie now.
    pub(crate) fn lost(&self, on_hdfs: bool) -> Lost {
        match self.how {
            How::Ours(..) if on_hdfs => loss::lost(&loss::OURS_ON_HDFS),
            _ => loss::lost(self.lost),
        }
    }

    /// Whether it runs slowly until it was compiled.
    pub(crate) fn is_java(&self) -> bool {
        matches!(self.how, How::Spark(..))
    }

    /// Whether it is compared where logs lie now: on HDFS or not.
    pub(crate) fn belongs(&self, on_hdfs: bool) -> bool {
        match self.how {
            How::Spark(_, Flush::SyncedWithLength) => on_hdfs,
            How::Spark(What::ReceiverLog, _) | How::Ours(Durability::Power, Outstanding::Threads) => true,
            _ => !on_hdfs,
        }
    }

    /// Whether `headwater_benches::replication` starts it for each case, and measures it.
    pub(crate) fn is_replicated(&self) -> bool {
        matches!(self.how, How::Replicated)
    }

    /// Starts it, with a folder of its own that is not there yet.
    pub(crate) fn start(&self, args: &Args, dir: &Path) -> Result<Box<dyn Running>> {
        let file = dir.to_str().ok_or("the folder has a name that is no text")?;
        Ok(match self.how {
            How::Replicated => return Err("each of its cases starts it".into()),
            How::Redis(safe) => Box::new(Redis::new(safe, dir)),
            How::Ours(durability, outstanding) => {
                let at = match &args.hdfs {
                    None => At::Folder(dir.into()),
                    Some(url) => At::Url(format!("{url}/{}-{}", self.name, args.round)),
                };
                Box::new(Ours::new(durability, outstanding, at))
            }
            How::Spark(what, flush) => {
                let folder = match &args.hdfs {
                    None => format!("file:{file}/log"),
                    Some(url) => format!("{url}/{}-{}", self.name, args.round),
                };
                Box::new(Spark::start(args, what, flush, dir, &folder)?)
            }
        })
    }
}
