//! The simulated device: what its faults do, and that they do it.

use headwater_wal::store::sim::Sim;
use headwater_wal::store::suite::conforms;

#[test]
fn a_device_without_faults_is_a_store_like_any_other() {
    conforms(|| Sim::growing(1).store());
    conforms(|| Sim::objects(1).store());
}
