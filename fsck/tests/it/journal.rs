//! What the checks find in journals, and between journals, receivers' logs and checkpoints.

use crate::journal_root::*;

#[test]
fn a_root_that_ran_is_clean() {
    let place = Place::with_history().stop();
    let report = place.check();
    println!("{report}");
    assert_eq!(report.state(), "clean", "{report}");
}
