//! The systems: what each does, what it survives, and which tests show what it loses.

use headwater_wal::Durability;

use super::line::{Loss, Lost, Much, Survives};

/// Where a log lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Disk(Durability),
    Object,
}

/// A way to make received blocks safe.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// As lines have it.
    pub name: &'static str,
    /// The same for people.
    pub is: &'static str,
    /// How many copies there are in memory, the receiver's own counted; none if it keeps none.
    pub(super) copies: usize,
    pub(super) log: Option<At>,
    /// What an acknowledged block survives at most.
    pub survives: Survives,
    /// When one process dies, both, the machine, and its disk with it: how much, and what shows it.
    pub lost: [(Much, &'static str); 4],
}

const MEMORY: (Much, &str) = (Much::Everything, "memory ends with its processes");
const DISK: (Much, &str) =
    (Much::Everything, "a log lies where it lies; zero_loss --table, G8 at its own disk");
const KILLED: (Much, &str) = (
    Much::Nothing,
    "wal/tests/it/real/killed.rs: kills_at_random_lose_nothing_that_was_acknowledged; zero_loss --table, G8 and G9",
);
const POWER: (Much, &str) = (
    Much::Nothing,
    "wal/tests/it/real/power.rs: on_ext4_a_power_cut_loses_nothing_that_was_acknowledged, and on xfs",
);
const OBJECT: (Much, &str) = (Much::Nothing, "what the store promises; zero_loss --table --store URL");

/// In the order of every table.
pub(super) const SYSTEMS: &[System] = &[
    System {
        name: "memory",
        is: "the receiver's own memory only",
        copies: 1,
        log: None,
        survives: Survives::Nothing,
        lost: [(Much::Everything, "zero_loss --table, G4 with 1 copy"), MEMORY, MEMORY, MEMORY],
    },
    System {
        name: "copies-2",
        is: "two copies in memory",
        copies: 2,
        log: None,
        survives: Survives::OneProcess,
        lost: [
            (
                Much::Nothing,
                "benches/tests/replica: blocks_that_a_killed_receiver_acknowledged_are_read_from_its_peer; zero_loss \
                 --table, G4 with 2 copies",
            ),
            (
                Much::Everything,
                "the same test, which kills the peer too; zero_loss --table, G5 with 2 copies",
            ),
            MEMORY,
            MEMORY,
        ],
    },
    System {
        name: "copies-3",
        is: "three copies in memory",
        copies: 3,
        log: None,
        survives: Survives::OneProcess,
        lost: [
            (
                Much::Nothing,
                "benches/tests/replica: with_three_copies_a_peers_death_leaves_two_of_what_was_acknowledged",
            ),
            (Much::Everything, "all three must die; two of three may"),
            MEMORY,
            MEMORY,
        ],
    },
    System {
        name: "log-process",
        is: "a log on local disk, synced later",
        copies: 0,
        log: Some(At::Disk(Durability::Process)),
        survives: Survives::Processes,
        lost: [
            (Much::Nothing, "wal/tests/it/rules: a_process_log_survives_the_kill_of_its_process"),
            (Much::Nothing, "the same: nobody else has anything to lose"),
            (Much::Newest, "wal/tests/it/rules: a_process_log_bounds_what_it_has_not_synced"),
            DISK,
        ],
    },
    System {
        name: "log-power",
        is: "a log on local disk, synced",
        copies: 0,
        log: Some(At::Disk(Durability::Power)),
        survives: Survives::Power,
        lost: [KILLED, KILLED, POWER, DISK],
    },
    System {
        name: "copies-2+log-power",
        is: "two copies and a synced log",
        copies: 2,
        log: Some(At::Disk(Durability::Power)),
        survives: Survives::Power,
        lost: [
            KILLED,
            KILLED,
            POWER,
            (
                Much::Everything,
                "but for what lay on another machine: zero_loss --table, G8 at its own disk, 2 copies",
            ),
        ],
    },
    System {
        name: "log-object",
        is: "a log on an object store",
        copies: 0,
        log: Some(At::Object),
        survives: Survives::Machine,
        lost: [OBJECT, OBJECT, OBJECT, OBJECT],
    },
];

/// The system of a name.
pub fn named(name: &str) -> Option<&'static System> {
    SYSTEMS.iter().find(|system| system.name == name)
}

impl System {
    pub(super) fn is_object(&self) -> bool {
        self.log == Some(At::Object)
    }

    /// What is lost, as its tests show it, and what was counted when processes were killed.
    pub(super) fn lost(&self, counted: &[String; 2]) -> Lost {
        let loss = |at: usize| {
            let (is, shown_by) = self.lost[at];
            let counted = counted.get(at).filter(|counted| !counted.is_empty());
            let shown_by = counted.map_or(shown_by.into(), |counted| format!("{counted}; {shown_by}"));
            Loss { is, shown_by }
        };
        Lost { one_process: loss(0), both_processes: loss(1), machine: loss(2), disk: loss(3) }
    }
}
