//! The plain server in memory, by which figures are measured, does what a store must too.

use headwater_stores::servers::Bucket;
use headwater_stores::{open, plain};
use headwater_wal::store::suite;

#[test]
fn the_plain_server_does_what_is_said_of_a_store() {
    let bucket = Bucket::plain(plain::start().expect("a server"));
    suite::conforms(|| open(&bucket.folder("suite")).expect("the store opens"));
    open(&bucket.folder("probed")).expect("the store opens").prove().expect("it passes the probe");
}
