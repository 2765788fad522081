//! Our systems beside which a log is weighed: those of `headwater_benches::replication`, which runs each case in processes
//! of its own and says what it came to.

use std::path::Path;

use headwater_benches::replication::line::{Line, Load};
use headwater_benches::replication::{self, Job, System, named};

use crate::Result;
use crate::args::Args;
use crate::load::Shape;
use crate::session::WARM_UPS;

/// Copies in memory, logs, and both; neither what survives nothing nor what needs an object store.
const NAMES: [&str; 5] = ["copies-2", "copies-3", "log-process", "log-power", "copies-2+log-power"];

/// Those that there are.
pub(crate) fn systems() -> impl Iterator<Item = &'static System> {
    NAMES.iter().filter_map(|name| named(name))
}

/// One case, in a folder that is not there yet.
pub(crate) fn case(args: &Args, system: &str, shape: Shape, dir: &Path) -> Result<Line> {
    let Shape { receivers, block_bytes, outstanding } = shape;
    replication::case(&Job {
        system: system.into(),
        receivers,
        block_bytes,
        load: Load::Closed { outstanding },
        round: args.round,
        seconds: args.seconds,
        warm_up_seconds: f64::from(WARM_UPS) * args.seconds,
        settles: !args.small,
        dir: dir.into(),
        object: None,
        counted: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_known_to_who_runs_it() {
        assert_eq!(systems().count(), NAMES.len());
    }
}
