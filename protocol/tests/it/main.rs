//! The whole protocol holds in every world, and without any one rule it fails.

mod holds;
mod reaches;
mod without;

use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater_protocol::rules::Rules;
use headwater_protocol::scope::{Loss, Medium, Scope};

/// Z with three groups in flight, two starters that may each begin again, and the first group of each.
const OBJECTS: Scope = Scope {
    medium: Medium::Object,
    rules: Rules::ALL,
    flight: 3,
    segment_groups: 3,
    old_hands: 3,
    heir_hands: 1,
    starters: 2,
    claims_each: 2,
    heirs_retire: false,
    old_retires: false,
    sweeps: false,
    paged: false,
    at_least: 0,
    loss: None,
};

/// Heirs with three groups in flight, of which the first is replaced and may wake, as Z may.
const OBJECTS_HEIRS: Scope = Scope { old_hands: 2, heir_hands: 3, claims_each: 1, ..OBJECTS };

/// Z with two groups in flight, whose names its heirs retire, and who may wake long afterwards.
const OBJECTS_RETIRED: Scope = Scope { old_hands: 2, heirs_retire: true, sweeps: true, ..OBJECTS };

/// The same, with surveys that take their time.
const OBJECTS_RETIRED_PAGED: Scope = Scope { sweeps: false, paged: true, ..OBJECTS_RETIRED };

/// Z retires while starters survey.
const OBJECTS_RETIRING_PAGED: Scope = Scope { old_hands: 2, old_retires: true, paged: true, ..OBJECTS };

/// One segment of three groups, its footer, and the next segment with its first group; heirs make their first segment.
const LEASES: Scope = Scope { medium: Medium::Lease, old_hands: 7, ..OBJECTS };

/// Segments of one group, which heirs retire; surveys that take their time.
const LEASES_RETIRED: Scope =
    Scope { old_hands: 5, heir_hands: 2, segment_groups: 1, heirs_retire: true, paged: true, ..LEASES };

/// As under leases, with the directory lock; E's may be retired.
const LOCKED: Scope =
    Scope { medium: Medium::Lock, old_hands: 6, heir_hands: 2, heirs_retire: true, ..LEASES };

/// Z had acknowledged 1 to 5; 2 to 5 are gone, and the caller knows.
const TAIL_LOST: Scope = Scope {
    old_hands: 5,
    at_least: 6,
    loss: Some(Loss { written_to: 6, from: 2, to: 6, old_is_gone: true }),
    ..OBJECTS
};

/// Z had acknowledged 1 to 5; 2 is gone, what follows it is not, and the caller knows of no promise.
const MIDDLE_LOST: Scope =
    Scope { at_least: 0, loss: Some(Loss { written_to: 6, from: 2, to: 3, old_is_gone: true }), ..TAIL_LOST };

/// One enumeration at a time: each needs a few hundred megabytes, and there may be many test threads.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
