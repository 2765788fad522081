//! What each system loses of what it has acknowledged, and who says so.

use headwater_benches::replication::line::{Loss, Lost, Much};

/// When one process dies, all that had it die, the power goes, the disk goes.
pub(crate) type Losses = [(Much, &'static str); 4];

const HERE: (Much, &str) = (Much::Everything, "it lies on this disk alone");

pub(crate) const REDIS_WAIT: Losses = [
    (Much::Nothing, "the other one has it: redis.io, WAIT; a failover may yet choose a replica without it"),
    (Much::Everything, "no file is written here"),
    (Much::Everything, "no file is written here"),
    (Much::Everything, "but for a replica on another machine"),
];

pub(crate) const REDIS_SYNCED: Losses = [
    (Much::Nothing, "its file is synced before it answers: redis.io, persistence"),
    (Much::Nothing, "the same"),
    (Much::Nothing, "the same"),
    HERE,
];

/// That it is written and not synced was seen with strace: a write for each record, and never a sync.
pub(crate) const SPARK_LOG: Losses = [
    (Much::Nothing, "a write(2) a record: strace"),
    (Much::Nothing, "a write(2) a record: strace"),
    (Much::Newest, "no sync at all: strace"),
    HERE,
];

pub(crate) const SPARK_LOG_SYNCED: Losses = [
    (Much::Nothing, "an fdatasync a record: strace"),
    (Much::Nothing, "the same"),
    (Much::Newest, "a file's name in its folder is never synced: strace"),
    HERE,
];

pub(crate) const SPARK_STORE: Losses = [
    (Much::Everything, "the receiver's executor, or the driver: blocks come back empty after a restart"),
    (Much::Everything, "memory ends with its processes"),
    (Much::Everything, "memory ends with its processes"),
    HERE,
];

pub(crate) const SPARK_STORE_TWICE: Losses = [
    (
        Much::Everything,
        "the driver; an executor by itself costs nothing where the second copy was made (SPARK-8591)",
    ),
    (Much::Everything, "memory ends with its processes"),
    (Much::Everything, "memory ends with its processes"),
    HERE,
];

pub(crate) const OURS_PROCESS: Losses = [
    (Much::Nothing, "wal/tests/it/rules: a_process_log_survives_the_kill_of_its_process"),
    (Much::Nothing, "the same: nobody else has anything to lose"),
    (Much::Newest, "wal/tests/it/rules: a_process_log_bounds_what_it_has_not_synced"),
    HERE,
];

pub(crate) const OURS_POWER: Losses = [
    (Much::Nothing, "wal/tests/it/real/killed.rs: kills_at_random_lose_nothing_that_was_acknowledged"),
    (Much::Nothing, "the same"),
    (Much::Nothing, "wal/tests/it/real/power.rs: on_ext4_a_power_cut_loses_nothing_that_was_acknowledged"),
    HERE,
];

pub(crate) const OURS_ON_HDFS: Losses = [
    (Much::Nothing, "stores/tests: what_a_writer_was_told_that_is_killed_holding_a_lease_is_found"),
    (Much::Nothing, "stores/tests: what_was_acknowledged_is_found_whatever_is_killed"),
    (Much::Nothing, "an hsync on each DataNode that has the block: what HDFS promises"),
    (Much::Everything, "where one DataNode has it"),
];

/// In the words of a line.
pub(crate) fn lost(losses: &Losses) -> Lost {
    let loss = |at: usize| Loss { is: losses[at].0, shown_by: losses[at].1.into() };
    Lost { one_process: loss(0), both_processes: loss(1), machine: loss(2), disk: loss(3) }
}
